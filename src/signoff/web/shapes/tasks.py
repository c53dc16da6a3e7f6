"""A task on the wire: what is asked, of whom, until when, who answered what, and what follows if no one answers."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signoff.core.directory.roles import ADMIN, APPROVER, OWNER
from signoff.core.ids import visit_ref
from signoff.core.intent import events as e
from signoff.core.intent.assurance import checked, demanded, worst_risk
from signoff.core.intent.conclusion import stays
from signoff.core.intent.deleted_payload import payload_deleted
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.snoozed import ending
from signoff.core.intent.wake import escalation_at, reminder_at
from signoff.core.plan import wording
from signoff.core.plan.plan import HumanStep
from signoff.engine.read.task_history import TaskHistory
from signoff.web.shapes.ahead import NextStep, next_steps
from signoff.web.shapes.common import Display, JsonObject, Ok, Page, Text, Who, maybe, whom
from signoff.web.shapes.intents import HumanTask, IntentOut, OutcomeOut, human_task, outcomes, sender

_ANYBODY = tuple(f"role:{role}" for role in (OWNER, ADMIN, APPROVER))


class VoteOut(Struct, kw_only=True):
    """One person's answer; ``on_behalf_of_person``: whose say it was, where that is another person."""

    person: str
    name: str
    on_behalf_of_person: Text = UNSET
    outcome: str
    comment: Text = UNSET
    at: datetime
    via: str


class SnoozeOut(Struct, kw_only=True):
    """Who has put the task off, and until when."""

    person: str
    name: str
    until: datetime


class CommentOut(Struct, kw_only=True):
    """A question or comment: who wrote it, a person or whoever requested it."""

    actor: str
    kind: str
    name: str
    comment: Text = UNSET
    at: datetime
    via: str


class ValueOut(Struct, kw_only=True):
    """One value that is different; ``before`` or ``after`` is missing where it was not there."""

    path: str
    before: Text = UNSET
    after: Text = UNSET


class RevisionOut(Struct, kw_only=True):
    """What was changed from one revision to another; by: who revised it, missing where it was asked again."""

    from_revision: int
    to_revision: int
    at: datetime
    by: Text = UNSET
    by_name: Text = UNSET
    comment: Text = UNSET
    changed: tuple[ValueOut, ...]


class TaskOut(Struct, kw_only=True):
    """A human step opened for people. ``stage``, ``revision`` and ``digest`` name exactly what is decided.

    result_revisions: the revision of the request that each previous result is of; one of another revision than the
    task's counts for nothing. changes: from revision to revision, where there were some and one task is read, no list;
    next_steps: all that may run after it, with what agents will be given beside the payload;
    approvers: the parties asked now; stage: the present one of ``stages``, from 1; reviewed_by: who has marked
    it as being reviewed;
    comments: questions and replies, where there are any and one task is read, no list; risk: as its
    policy or a check says, whichever is higher; strength: how surely it must be known who decides.
    """

    task_id: str
    intent_id: str
    intent_type: str
    step_id: str
    state: str
    task_type: str
    title: str
    description: str
    risk: str
    strength: str
    allowed_outcomes: tuple[str, ...]
    outcomes: tuple[OutcomeOut, ...]
    form_schema: dict[str, Any] | UnsetType = UNSET
    comment_required: bool
    evidence_required: bool
    payload: JsonObject
    payload_deleted: bool | UnsetType = UNSET
    previous_results: dict[str, Any]
    result_revisions: dict[str, int]
    next_steps: tuple[NextStep, ...]
    requester: Who
    approvers: tuple[str, ...]
    stage: int
    stages: int
    reviewed_by: Text = UNSET
    snoozed: tuple[SnoozeOut, ...] | UnsetType = UNSET
    opened_at: datetime
    due_at: datetime | UnsetType = UNSET
    next_reminder_at: datetime | UnsetType = UNSET
    escalation_at: datetime | UnsetType = UNSET
    reminders_sent: int
    revision: int
    digest: str
    votes: tuple[VoteOut, ...]
    comments: tuple[CommentOut, ...] | UnsetType = UNSET
    changes: tuple[RevisionOut, ...] | UnsetType = UNSET
    outcome: Text = UNSET
    ending: Text = UNSET
    decided_at: datetime | UnsetType = UNSET
    decided_by: Text = UNSET
    decided_by_name: Text = UNSET
    via: Text = UNSET
    on_expiry: str


class TaskAnswer(Ok, kw_only=True):
    """One task."""

    task: TaskOut


class Tasks(Page, kw_only=True):
    """Tasks, oldest first."""

    tasks: list[TaskOut]


class Answered(Ok, kw_only=True):
    """The answer was counted: the task and the intent as they are now."""

    task: TaskOut
    intent: IntentOut


class MyTask(Struct, kw_only=True):
    """A task as AXP lists it."""

    intent_id: str
    intent_type: str
    status: str
    from_agent: str
    assigned_at: datetime
    due_at: datetime | UnsetType = UNSET
    human_task: HumanTask


class MyTasks(Ok, kw_only=True):
    """Open tasks, as AXP lists them."""

    tasks: list[MyTask]


def task_out(intent: Intent, payload: bytes, history: TaskHistory, display: Display) -> TaskOut:
    """The task of a history; ``display`` names people."""
    step = intent.plan.human_step(history.step)
    spec = step.task
    results = checked(intent, step.id, history.revision)
    out = TaskOut(
        task_id=visit_ref(intent.id, history.visit),
        intent_id=intent.id,
        intent_type=intent.type,
        step_id=step.id,
        state="closed",
        task_type=spec.type.value,
        title=spec.title,
        description=spec.description,
        risk=worst_risk(spec.risk, results.current)[0].value,
        strength=demanded(spec.strength, spec.risk, results.all).value,
        allowed_outcomes=spec.open_to(history.agreed),
        outcomes=outcomes(spec, history.agreed),
        form_schema=spec.form if spec.form is not None else UNSET,
        comment_required=spec.comment_required,
        evidence_required=spec.evidence_required,
        payload=msgspec.Raw(payload),
        payload_deleted=payload_deleted(intent, payload) or UNSET,
        previous_results=results.all,
        result_revisions=results.of,
        next_steps=next_steps(intent.plan, step),
        requester=whom(intent.requester, display),
        approvers=_asked(step, history),
        stage=history.stage + 1,
        stages=len(spec.stages),
        opened_at=history.opened_at,
        due_at=history.deadline_at or UNSET,
        reminders_sent=history.reminded,
        revision=history.revision,
        digest=history.digest,
        votes=tuple(_vote(fact, display) for fact in history.votes.values()),
        comments=tuple(_comment(fact, display) for fact in history.comments) if history.comments else UNSET,
        on_expiry=on_expiry(step, history.deadline_at, intent.deadline_at, stays(intent, step) is not None),
    )
    _show_state(out, intent, history, display)
    return out


def _show_state(out: TaskOut, intent: Intent, history: TaskHistory, display: Display) -> None:
    held = intent.open
    if isinstance(held, Task) and held.visit == history.visit:
        out.state = "open"
        out.reviewed_by = maybe(history.taken_by)
        off = tuple(SnoozeOut(person=o.person, name=display(o.person), until=o.until) for o in ending(held))
        out.snoozed = off or UNSET
        out.next_reminder_at = reminder_at(intent, held) or UNSET
        out.escalation_at = escalation_at(intent, held) or UNSET
    elif history.decided is not None and isinstance(history.decided.event, e.Decided):
        fact, event = history.decided, history.decided.event
        out.outcome = event.outcome
        out.ending = event.ending.value
        out.decided_at = fact.at
        out.decided_by = fact.actor.id
        out.decided_by_name = display(fact.actor.id)
        out.via = fact.via


def _asked(step: HumanStep, history: TaskHistory) -> tuple[str, ...]:
    names = [*(history.assigned or step.task.stages[history.stage].approvers or _ANYBODY)]
    names += [name for rung in step.task.escalate[: history.escalated] for name in rung.to]
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
        actor=fact.actor.id, kind=fact.actor.kind.value, name=display(fact.actor.id),
        comment=maybe(fact.note.comment if fact.note else None), at=fact.at, via=fact.via,
    )  # fmt: skip


def on_expiry(
    step: HumanStep, due_at: datetime | None, intent_due_at: datetime | None, refused: bool = False
) -> str:
    """What happens if no one answers, with times in UTC."""
    return wording.on_silence(step, due_at, intent_due_at, _minute, refused)


def _minute(at: datetime) -> str:
    return at.isoformat(" ", "minutes")[:16] + " UTC"


def my_task(intent: Intent, task: Task) -> MyTask:
    step = intent.plan.human_step(task.step)
    return MyTask(
        intent_id=intent.id,
        intent_type=intent.type,
        status="WAITING",
        from_agent=sender(intent.requester),
        assigned_at=task.opened_at,
        due_at=task.deadline_at or UNSET,
        human_task=human_task(step.task, visit_ref(intent.id, task.visit)),
    )
