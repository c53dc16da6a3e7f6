"""Answers of the endpoints about intents: the envelopes around the objects of ``intents`` and ``events``."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from signoff.core.ids import visit_ref
from signoff.core.intent.advance import Change
from signoff.core.intent.model import Intent
from signoff.web.shapes.common import JsonObject, Ok, Page, Text, Who
from signoff.web.shapes.events import EventOut, events_of
from signoff.web.shapes.intents import IntentOut, PendingWith, intent_out, pending


class CreatedOut(Ok, kw_only=True):
    """An intent was created; it is durable."""

    intent_id: str
    status: str
    created_at: datetime
    correlation_id: str
    intent: IntentOut
    warnings: tuple[str, ...] = ()


class GotIntent(Ok, kw_only=True):
    """An intent; what most programs read stands at the top too."""

    intent_id: str
    status: str
    lifecycle_status: str
    payload: JsonObject
    result: dict[str, Any] | UnsetType = UNSET
    intent: IntentOut


class Intents(Page, kw_only=True):
    """Intents, newest first."""

    intents: list[IntentOut]


class Events(Ok, kw_only=True):
    """Events after a cursor, in order."""

    events: list[EventOut]


class Completion(Struct, kw_only=True):
    """Where the completion of an intent went."""

    delivered: bool
    reason: Text = UNSET
    reply_to: Text = UNSET
    thread_id: Text = UNSET
    message_id: Text = UNSET
    completion: dict[str, str] | UnsetType = UNSET


class Acted(Ok, kw_only=True):
    """A write on an intent; ``applied`` is true when it had an effect, and for the repetition of an answer that had;
    false when the policy generation had moved on, or a patch changed nothing.
    """

    applied: bool
    warnings: tuple[str, ...] | UnsetType = UNSET
    policy_generation: int
    reason: Text = UNSET
    intent: IntentOut
    event: EventOut | UnsetType = UNSET
    completion_delivery: Completion | UnsetType = UNSET


class BulkCanceled(Ok, kw_only=True):
    """What was canceled, or (dry run) would be."""

    dry_run: bool
    would_cancel: int
    canceled: int
    intent_ids: list[str]


class Retried(Ok, kw_only=True):
    """The new intent."""

    intent_id: str
    status: str
    retry_of: str
    warnings: tuple[str, ...] = ()


class RerunAnswer(Ok, kw_only=True):
    """The new intent, also when it was there already: an intent is run again once."""

    intent_id: str
    status: str
    rerun_of: str


class Provisioned(Struct, kw_only=True):
    """An agent of a bundle, and whether this apply created it."""

    role: str
    address: str
    agent_address: str
    service_account_id: str
    sa_id: str
    created: bool


class ScenarioApplied(Ok, kw_only=True):
    """A scenario bundle in motion."""

    intent_id: str
    scenario_id: str
    status: str
    compile_id: str
    workflow_compile_id: str
    agents: list[Provisioned]
    agents_provisioned: list[Provisioned]
    pending_with: PendingWith
    idempotent: bool = False
    created_at: datetime
    deadline_at: datetime | UnsetType = UNSET
    warnings: tuple[str, ...] = ()


class ScenarioCheck(Ok, kw_only=True):
    """Whether a bundle would be taken, and why not."""

    valid: bool
    errors: list[str]
    warnings: list[str]


class ApprovalOut(Struct, kw_only=True):
    """A decision as AXP's clients read it."""

    approval_id: str
    decision: str
    comment: str | None
    decided_at: datetime


class ApprovalAnswer(Ok, kw_only=True):
    """The decision was counted."""

    approval: ApprovalOut
    approval_id: str
    status: str
    decided_at: datetime
    intent: IntentOut


class AuditEvent(Struct, kw_only=True):
    """One link of the chain. ``body`` is the text that was hashed; ``private`` the erasable text apart from
    it. One whose bytes are no event any more has the type ``unreadable`` and no moment.
    """

    seq: int
    at: datetime | UnsetType = UNSET
    type: str
    actor: Who
    via: str
    summary: str
    comment: Text = UNSET
    event: JsonObject
    body: str
    private: Text = UNSET
    hash: str


class Audit(Ok, kw_only=True):
    """An intent's whole history; ``verified`` is the server's own check of its hash chain."""

    intent_id: str
    seq: int
    head: str
    verified: bool
    problem: Text = UNSET
    events: list[AuditEvent]


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


def got_intent(out: IntentOut) -> GotIntent:
    return GotIntent(
        intent_id=out.intent_id,
        status=out.status,
        lifecycle_status=out.lifecycle_status,
        payload=out.payload,
        result=out.result,
        intent=out,
    )


def acted(change: Change, payload: bytes) -> Acted:
    """What a command brought about, with the last of its events."""
    after = change.after
    applied = bool(change.facts) or change.repeated
    out = Acted(applied=applied, policy_generation=after.generation, intent=intent_out(after, payload))
    events = events_of(change)
    if events:
        out.event = events[-1]
    if after.final:
        out.completion_delivery = completion(after)
    return out


def not_applied(intent: Intent, payload: bytes, reason: str) -> Acted:
    """AXP's answer to a stale policy generation, and to a patch that changes nothing: 200, and nothing was done."""
    return Acted(
        applied=False,
        reason=reason,
        policy_generation=intent.generation,
        intent=intent_out(intent, payload),
    )


def completion(intent: Intent) -> Completion:
    """A final intent's answer lies in the inbox of ``reply_to``, the thread being the intent itself."""
    if not intent.reply_to:
        return Completion(delivered=False, reason="reply_to_not_set")
    return Completion(
        delivered=True,
        reply_to=intent.reply_to,
        thread_id=intent.id,
        message_id=visit_ref(intent.id, 0xFFFF),
        completion={"type": "intent.completion", "intent_id": intent.id, "status": intent.status.value},
    )


def scenario_applied(intent: Intent, agents: list[Provisioned], warnings: tuple[str, ...]) -> ScenarioApplied:
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
        deadline_at=intent.deadline_at or UNSET,
        warnings=warnings,
    )
