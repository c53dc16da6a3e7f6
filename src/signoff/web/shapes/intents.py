"""An intent on the wire: the whole intent, or one step of it as that step's agent sees it (docs/axp.md)."""

from typing import Any, Final

from signoff.core.ids import step_run_id
from signoff.core.intent.checks import revisions_of
from signoff.core.intent.deleted_payload import payload_deleted
from signoff.core.intent.model import Delay, Delivery, Intent, Requester, Status, Task, Waiting
from signoff.core.intent.result import result_of
from signoff.core.plan.plan import AgentStep, HumanStep, Step, kind_of
from signoff.core.plan.task_types import MEANS, TaskSpec
from signoff.core.plan.wording import label, title_of
from signoff.core.text import json_value
from signoff.core.text.masking import mask_text
from signoff.store.transaction import Stored
from signoff.web.shapes.common import raw, verbatim
from signoff.wire.common import ABSENT
from signoff.wire.intents import (
    ControlPolicy,
    HumanTask,
    IntentOut,
    OutcomeOut,
    PendingWith,
    Problem,
    StepState,
)

CORE = "agent://agent_core"
_MEANT_BY: Final = {meaning: word for word, meaning in MEANS.items()}


def intent_out(intent: Intent, payload: bytes) -> IntentOut:
    """The whole intent. ``payload``: the canonical JSON that it was submitted with."""
    out = IntentOut(
        intent_id=intent.id,
        intent_type=intent.type,
        status=intent.status,
        lifecycle_status=intent.status,
        created_at=intent.created_at,
        updated_at=intent.updated_at,
        correlation_id=intent.correlation_id or intent.id,
        from_agent=sender(intent.requester),
        claimed_from_agent=intent.requester.claimed or ABSENT,
        to_agent=intent.to_agent or CORE,
        reply_to=intent.reply_to or ABSENT,
        payload=verbatim(payload),
        payload_deleted=payload_deleted(intent, payload) or ABSENT,
        outcome=intent.outcome or ABSENT,
        ending=intent.ending or ABSENT,
        deadline_at=intent.deadline_at or ABSENT,
        remind_count=intent.reminded,
        policy_generation=intent.generation,
        workflow_control_policy=ControlPolicy(
            grants=intent.grants, controls=intent.controls, envelope=intent.envelope
        ),
        scenario_id=intent.scenario_id or ABSENT,
        retry_of=intent.retry_of or ABSENT,
        rerun_of=intent.rerun_of or ABSENT,
    )
    if intent.waiting is not None:
        out.waiting_reason = out.lifecycle_waiting_reason = intent.waiting
    if not intent.plan.direct:
        out.steps = _step_states(intent)
    if intent.final:
        out.result = result_of(intent)
        if intent.fault is not None:
            fault = intent.fault
            out.error = Problem(code=fault.code, message=mask_text(fault.message), retryable=fault.retryable)
    if intent.ending is not None:
        _show_decision(out, intent)
    _show_open(out, intent, payload)
    return out


def _show_decision(out: IntentOut, intent: Intent) -> None:
    """Set who decided, when and through which channel. Only human steps' results are used, because agents may report
    anything.
    """
    for step_id, result in reversed(intent.results.items()):
        if isinstance(intent.plan.by_id.get(step_id), HumanStep) and result.get("outcome") == intent.outcome:
            out.decided_by = result.get("decided_by") or ABSENT
            out.decided_at = result.get("decided_at") or ABSENT
            out.via = result.get("via") or ABSENT
            out.comment = result.get("comment") or ABSENT
            return


def _show_open(out: IntentOut, intent: Intent, payload: bytes) -> None:
    """Set the members for the open step: who has to act, until when, how many attempts or reminders there were."""
    held = intent.open
    match held:
        case Task():
            out.due_at = held.deadline_at or ABSENT
        case Delivery():
            out.due_at = held.deadline_at or ABSENT
            out.delivery_attempt = held.attempt
            step = intent.plan.by_id[held.step]
            if isinstance(step, AgentStep):
                out.max_delivery_attempts = step.max_attempts
    if not intent.final:
        out.pending_with = pending(intent)
    asked = _asked(intent)
    if asked is None:
        return
    spec = asked.task
    title = title_of(intent.plan, asked, payload)
    out.human_task = human_task(spec, title, intent.ref(held.step_run) if isinstance(held, Task) else "")
    if spec.remind is not None:
        out.remind_after_seconds = spec.remind.after.total_seconds()
        out.remind_interval_seconds = spec.remind.every.total_seconds()
        out.max_reminders = spec.remind.at_most
    if spec.escalate:
        out.escalate_to = ", ".join(spec.escalate[0].to)


def _asked(intent: Intent) -> HumanStep | None:
    """The human step to show: the open one, or else the only one of a plan without agents."""
    if isinstance(intent.open, Task):
        step = intent.plan.by_id[intent.open.step]
        return step if isinstance(step, HumanStep) else None
    steps = intent.plan.steps
    return steps[0] if len(steps) == 1 and isinstance(steps[0], HumanStep) else None


def _step_states(intent: Intent) -> tuple[StepState, ...]:
    opened, results, last = (
        intent.open.step if intent.open is not None else None,
        intent.results,
        intent.last_step,
    )
    return tuple(
        [
            StepState(
                step_id=step,
                kind=kind,
                state="open" if step == opened else "done" if step in results or step == last else "pending",
                agent=agent or ABSENT,
            )
            for step, kind, agent in intent.plan.outline
        ]
    )


def sender(requester: Requester) -> str:
    """The address that the intent came from; a person or service without one is shown by kind and id."""
    return requester.address or f"{requester.kind.value}://{requester.id}"


def human_task(spec: TaskSpec, title: str, task_id: str = "") -> HumanTask:
    asked = tuple(dict.fromkeys(name for stage in spec.stages for name in stage.approvers))
    return HumanTask(
        title=title,
        task_type=spec.type,
        allowed_outcomes=spec.outcomes,
        required_comment=spec.comment_required,
        evidence_required=spec.evidence_required,
        description=spec.description or ABSENT,
        assignees=asked or ABSENT,
        form_schema=spec.form if spec.form is not None else ABSENT,
        notify=spec.notify or ABSENT,
        task_id=task_id or ABSENT,
    )


def outcomes(spec: TaskSpec, agreed: str = "") -> tuple[OutcomeOut, ...]:
    """The possible outcomes. ``agreed``: the one that the previous stage has chosen."""
    return tuple(
        [
            OutcomeOut(name=word, means=_MEANT_BY[spec.meaning(word)], label=label(spec, word))
            for word in spec.open_to(agreed)
        ]
    )


def pending(intent: Intent) -> PendingWith:
    """Who has to act now: the runtime itself while nothing is open or a timer is running."""
    match intent.open:
        case Delivery(agent=agent):
            return PendingWith(type="agent", ref=agent, name=agent)
        case Task() as task:
            step = intent.plan.by_id[task.step]
            if not isinstance(step, HumanStep):
                return _core()
            return asked_people(step.task, task.escalated, task.stage, task.assigned)
        case Delay() | None:
            return _core()


def _core() -> PendingWith:
    return PendingWith(type="internal", ref=CORE, name="agent_core")


def asked_people(spec: TaskSpec, level: int, stage: int = 0, assigned: tuple[str, ...] = ()) -> PendingWith:
    """The approvers asked at this escalation level of a stage; level 0 means those who were asked first, or to whom the
    stage was reassigned.
    """
    first = assigned or ((spec.holder,) if spec.holder else spec.stages[stage].approvers)
    names = spec.escalate[level - 1].to if level else first
    text = ", ".join(names) or "approvers"
    return PendingWith(type="human", ref=text, name=text)


def step_out(
    stored: Stored, step_run: int, status: Status, result: dict[str, Any] | None, step_id: str
) -> IntentOut:
    """One step as a separate intent. ``status``: the step's status; ``result``: a finished step's result."""
    intent = stored.intent
    out = intent_out(intent, b"{}")
    out.payload_deleted = payload_deleted(intent, stored.payload) or ABSENT
    step = intent.plan.by_id[step_id]
    out.intent_id = step_run_id(intent.id, step_run)
    out.parent_intent_id = out.root_intent_id = intent.id
    out.step_id = step_id
    out.status = out.lifecycle_status = status.value
    waiting = _waiting_of(step) if status is Status.WAITING else None
    out.waiting_reason = out.lifecycle_waiting_reason = waiting.value if waiting else ABSENT
    out.payload = raw(step_payload(intent, stored.payload, step))
    out.result = ABSENT if result is None else result
    out.steps = ABSENT
    if isinstance(step, AgentStep):
        out.to_agent = step.agent
    if status is not Status.FAILED:
        out.error = ABSENT
    if intent.open is None or intent.open.step_run != step_run:
        out.pending_with = out.due_at = out.human_task = out.delivery_attempt = ABSENT
    return out


def _waiting_of(step: Step) -> Waiting:
    return {"human": Waiting.HUMAN, "agent": Waiting.AGENT}.get(kind_of(step), Waiting.TIME)


def step_payload(intent: Intent, payload: bytes, step: Step) -> dict[str, Any]:
    """The request's fields, the payload (separately), and the members specific to this step."""
    parent: dict[str, Any] = json_value.decode(payload)
    content: dict[str, Any] = {
        **parent,
        "parent_payload": parent,
        "parent_intent_id": intent.id,
        "step_id": step.id,
        "previous_results": intent.results,
        "result_revisions": revisions_of(intent),
    }
    if isinstance(step, AgentStep) and step.input is not None:
        content["input"] = step.input
    return content
