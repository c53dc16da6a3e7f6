"""A task on the wire: the question, the approvers, the deadline, the answers, and what happens if no one answers."""

from datetime import datetime

from signoff.core.directory.roles import DECIDING_ROLES
from signoff.core.errors import Refused
from signoff.core.ids import split_ref, step_run_id
from signoff.core.intent import events as e
from signoff.core.intent.advance import Change
from signoff.core.intent.answering_rights import stage_now
from signoff.core.intent.checks import checked, with_check_results, worst_risk
from signoff.core.intent.continuation import at_expiry
from signoff.core.intent.deleted_payload import payload_deleted
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.quorum import Names, count
from signoff.core.intent.receipts import UNCHANGED, Formats, act_in, bulk_receipt, receipt
from signoff.core.intent.snoozes import pending_snoozes
from signoff.core.intent.wake import escalation_at, reminder_at
from signoff.core.plan import wording
from signoff.core.plan.plan import HumanStep
from signoff.core.text.times import utc_text
from signoff.engine.read.task_history import TaskHistory
from signoff.web.shapes.common import Display, actor_out, maybe, verbatim
from signoff.web.shapes.intents import human_task, outcomes, sender
from signoff.web.shapes.next_steps import next_steps
from signoff.wire.common import ABSENT, ReceiptOut
from signoff.wire.tasks import BulkResponse, BulkResult, CommentOut, MyTask, SnoozeOut, TaskOut, VoteOut


def task_out(
    intent: Intent, payload: bytes, history: TaskHistory, display: Display, names: Names | None
) -> TaskOut:
    """The task with this history; ``display`` returns a person's name. ``names``: the current names of each active
    person, by which votes count.
    """
    step = intent.plan.human_step(history.step)
    spec = step.task
    results = checked(intent, step.id, history.revision)
    out = TaskOut(
        task_id=step_run_id(intent.id, history.step_run),
        intent_id=intent.id,
        intent_type=intent.type,
        step_id=step.id,
        state="closed",
        task_type=spec.type,
        title=wording.title_of(intent.plan, step, payload),
        description=spec.description,
        risk=worst_risk(spec.risk, results.current)[0],
        strength=with_check_results(spec.strength, spec.risk, results.all),
        allowed_outcomes=spec.open_to(history.agreed),
        outcomes=outcomes(spec, history.agreed),
        form_schema=spec.form if spec.form is not None else ABSENT,
        comment_required=spec.comment_required,
        evidence_required=spec.evidence_required,
        payload=verbatim(payload),
        payload_deleted=payload_deleted(intent, payload) or ABSENT,
        previous_results=results.all,
        result_revisions=results.of,
        next_steps=next_steps(intent.plan, step),
        requester=actor_out(intent.requester, display),
        approvers=_asked(step, history),
        stage=history.stage + 1,
        stages=len(spec.stages),
        opened_at=history.opened_at,
        due_at=history.deadline_at or ABSENT,
        reminders_sent=history.reminded,
        revision=history.revision,
        digest=history.digest,
        votes=tuple(_vote(fact, display) for fact in history.votes.values()),
        comments=tuple(_comment(fact, display) for fact in history.comments) if history.comments else ABSENT,
        on_expiry=on_expiry(intent, step, history.deadline_at),
        edits=spec.edits.value,
    )
    _show_state(out, intent, history, display, names)
    return out


def _show_state(
    out: TaskOut, intent: Intent, history: TaskHistory, display: Display, names: Names | None
) -> None:
    held = intent.open
    if isinstance(held, Task) and held.step_run == history.step_run:
        out.state = "open"
        out.approvals_missing = count(stage_now(intent, held), held.stage, held.votes, names).missing
        out.reviewed_by = maybe(history.reviewed_by)
        off = tuple(
            SnoozeOut(person=o.person, name=display(o.person), until=o.until) for o in pending_snoozes(held)
        )
        out.snoozed = off or ABSENT
        out.next_reminder_at = reminder_at(intent, held) or ABSENT
        out.escalation_at = escalation_at(intent, held) or ABSENT
    elif history.decided is not None and isinstance(history.decided.event, e.Decided):
        fact, event = history.decided, history.decided.event
        out.outcome = event.outcome
        out.ending = event.ending
        out.decided_at = fact.at
        out.decided_by = fact.actor.id
        out.decided_by_name = display(fact.actor.id)
        out.via = fact.via


def receipt_out(change: Change, person: str, step: str, display: Display, names: Names | None) -> ReceiptOut:
    """The receipt of the person's action in a change. An action that changed nothing has one too."""
    act = act_in((sealed.fact for sealed in change.facts), person)
    made = receipt(act, change.after, step, Formats(display, utc_text, names)) if act else UNCHANGED
    return ReceiptOut(said=made.recorded, next=made.then, undo=maybe(made.undo), event=made.seq or ABSENT)


def bulk_result(
    task_id: str, change: Change, person: str, display: Display, names: Names | None
) -> BulkResult:
    """One recorded answer of a bulk answer."""
    asked, held = change.before.open if change.before else None, change.after.open
    step, step_run = (asked.step, asked.step_run) if isinstance(asked, Task) else ("", 0)
    still = isinstance(held, Task) and held.step_run == (split_ref(task_id)[1] or step_run)
    made = receipt_out(change, person, step, display, names)
    return BulkResult(task_id=task_id, recorded=True, decided=not still, receipt=made)


def bulk_refusal(task_id: str, refusal: Refused) -> BulkResult:
    """Why one answer of a bulk answer was refused."""
    return BulkResult(
        task_id=task_id, recorded=False, code=refusal.code, message=refusal.message, hint=maybe(refusal.hint)
    )


def bulk_answer(results: list[BulkResult], outcome: str) -> BulkResponse:
    """The whole bulk answer."""
    recorded, decided = sum(one.recorded for one in results), sum(one.decided for one in results)
    made = bulk_receipt(len(results), recorded, decided, outcome)
    return BulkResponse(
        recorded=recorded,
        refused=len(results) - recorded,
        decided=decided,
        receipt=ReceiptOut(said=made.recorded, next=made.then),
        results=results,
    )


def _asked(step: HumanStep, history: TaskHistory) -> tuple[str, ...]:
    names = [*(history.assigned or step.task.stages[history.stage].approvers or DECIDING_ROLES)]
    names += [name for level in step.task.escalate[: history.escalated] for name in level.to]
    return tuple(dict.fromkeys(names))


def _vote(fact: e.Fact, display: Display) -> VoteOut:
    event = fact.event
    if not isinstance(event, e.Answered):
        raise TypeError("a vote is an Answered fact")
    return VoteOut(
        person=fact.actor.id,
        name=display(fact.actor.id),
        on_behalf_of_person=maybe(event.principal if event.principal != fact.actor.id else None),
        outcome=event.outcome,
        comment=maybe(fact.note.comment if fact.note else None),
        at=fact.at,
        via=fact.via,
    )


def _comment(fact: e.Fact, display: Display) -> CommentOut:
    return CommentOut(
        actor=fact.actor.id,
        kind=fact.actor.kind.value,
        name=display(fact.actor.id),
        comment=maybe(fact.note.comment if fact.note else None),
        at=fact.at,
        via=fact.via,
    )


def on_expiry(intent: Intent, step: HumanStep, due_at: datetime | None) -> str:
    """What happens if no one answers, with times in UTC."""
    step, refused = at_expiry(intent, step)
    return wording.on_expiry_text(step, due_at, intent.deadline_at, utc_text, refused)


def my_task(intent: Intent, payload: bytes, task: Task) -> MyTask:
    step = intent.plan.human_step(task.step)
    return MyTask(
        intent_id=intent.id,
        intent_type=intent.type,
        status="WAITING",
        from_agent=sender(intent.requester),
        assigned_at=task.opened_at,
        due_at=task.deadline_at or ABSENT,
        human_task=human_task(
            step.task,
            wording.title_of(intent.plan, step, payload),
            step_run_id(intent.id, task.step_run),
        ),
    )
