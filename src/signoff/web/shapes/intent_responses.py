"""Responses of the endpoints for intents, which contain the objects of ``intents`` and ``events``."""

from signoff.core.ids import step_run_id
from signoff.core.intent.advance import Change
from signoff.core.intent.model import Intent
from signoff.web.shapes.events import last_event_of
from signoff.web.shapes.intents import intent_out, pending
from signoff.wire.common import ABSENT
from signoff.wire.intents import Completion, CreatedOut, IntentChangedResponse, IntentOut, IntentResponse
from signoff.wire.scenarios import Provisioned, ScenarioApplied


def created_out(intent: Intent, payload: bytes, warnings: tuple[str, ...]) -> CreatedOut:
    out = intent_out(intent, payload)
    return CreatedOut(
        intent_id=intent.id,
        status=out.status,
        created_at=intent.created_at,
        correlation_id=out.correlation_id,
        intent=out,
        warnings=warnings,
    )


def got_intent(out: IntentOut) -> IntentResponse:
    return IntentResponse(
        intent_id=out.intent_id,
        status=out.status,
        lifecycle_status=out.lifecycle_status,
        payload=out.payload,
        result=out.result,
        intent=out,
    )


def acted(change: Change, payload: bytes) -> IntentChangedResponse:
    """The effect of a command, with the last of its events."""
    after = change.after
    applied = bool(change.facts) or change.repeated
    out = IntentChangedResponse(
        applied=applied, policy_generation=after.generation, intent=intent_out(after, payload)
    )
    if (event := last_event_of(change)) is not None:
        out.event = event
    if after.final:
        out.completion_delivery = completion(after)
    return out


def not_applied(intent: Intent, payload: bytes, reason: str) -> IntentChangedResponse:
    """AXP's response to a stale policy generation, and to a patch without effect: status 200, even though nothing was
    done.
    """
    return IntentChangedResponse(
        applied=False,
        reason=reason,
        policy_generation=intent.generation,
        intent=intent_out(intent, payload),
    )


def completion(intent: Intent) -> Completion:
    """A final intent's response is in the inbox of ``reply_to``, in a thread with the intent's id."""
    if not intent.reply_to:
        return Completion(delivered=False, reason="reply_to_not_set")
    return Completion(
        delivered=True,
        reply_to=intent.reply_to,
        thread_id=intent.id,
        message_id=step_run_id(intent.id, 0xFFFF),
        completion={"type": "intent.completion", "intent_id": intent.id, "status": intent.status.value},
    )


def scenario_applied(
    intent: Intent, agents: tuple[Provisioned, ...], warnings: tuple[str, ...]
) -> ScenarioApplied:
    return ScenarioApplied(
        intent_id=intent.id,
        scenario_id=intent.scenario_id,
        status=intent.status.value,
        compile_id=intent.plan_digest,
        workflow_compile_id=intent.plan_digest,
        agents=agents,
        agents_provisioned=agents,
        pending_with=pending(intent),
        created_at=intent.created_at,
        deadline_at=intent.deadline_at or ABSENT,
        warnings=warnings,
    )
