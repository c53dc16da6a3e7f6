"""Tasks, and actions on them."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from signoff.wire.common import (
    ABSENT,
    ActorOut,
    Comment,
    Count,
    JsonObject,
    Object,
    Ok,
    OrEmpty,
    OrNone,
    PageAnswer,
    ReceiptOut,
    Strict,
    Text,
)
from signoff.wire.intents import HumanTask, IntentOut, OutcomeOut


class AnswerRequest(Strict, kw_only=True):
    """One person's answer. ``stage``, ``revision``, ``digest``: as the task showed them; a mismatch is a 409.
    ``number``: the number of your answer at this stage; needed only to return to an answer that you have changed.
    """

    outcome: Annotated[str, Meta(min_length=1, max_length=64)]
    comment: Comment = ""
    data: Object = {}
    stage: Count | None = None
    revision: int | None = None
    number: Count | None = None
    digest: str | None = None


class BulkTask(Strict, kw_only=True):
    """One of the tasks of a bulk answer. ``stage``, ``revision``, ``digest``: as the task showed them, all required."""

    task_id: Annotated[str, Meta(min_length=1, max_length=64)]
    stage: Count
    revision: Count
    digest: Annotated[str, Meta(min_length=64, max_length=64)]


class BulkAnswerRequest(Strict, kw_only=True):
    """One answer to up to 100 equal tasks of low risk (those with the same ``bulk_form``)."""

    outcome: Annotated[str, Meta(min_length=1, max_length=64)]
    comment: Comment = ""
    tasks: Annotated[list[BulkTask], Meta(min_length=1, max_length=100)]


class DecisionRequest(Struct, kw_only=True):
    """AXP's approval decision: approve or reject. ``stage``, ``revision``, ``digest``: as the task showed them, if the
    client knows them.
    """

    decision: str
    comment: Comment = ""
    reason: Comment = ""
    outcome: str | None = None
    approved: bool | None = None
    stage: Count | None = None
    revision: int | None = None
    digest: str | None = None


class DelegateRequest(Strict, kw_only=True):
    """The delegate: a person's address or id."""

    to: str
    comment: Comment = ""


class ReassignRequest(Strict, kw_only=True):
    """The new approvers: people, teams, roles."""

    to: Annotated[list[str], Meta(min_length=1, max_length=50)]
    comment: Comment = ""


class SnoozeRequest(Strict, kw_only=True, rename={"lasts": "for"}):
    """Until when: a time (RFC 3339), or ``for`` how long: seconds, or text such as 90m, 2h, 1d."""

    until: datetime | None = None
    lasts: str | int | float | None = None


class EmptyRequest(Strict, kw_only=True):
    """An empty body: a comment would not be recorded anywhere, so it is refused."""


class CommentRequest(Strict, kw_only=True):
    """A comment on the task."""

    comment: Comment = ""


class ReviseRequest(Strict, kw_only=True):
    """What to decide instead. ``digest``: of what was shown; a mismatch is a 409."""

    payload: Object
    comment: Comment = ""
    digest: str | None = None


class DeciderOut(Struct, kw_only=True):
    """A person who may decide now, and why."""

    person: str
    name: str
    instead_of: Text = ABSENT
    why: str
    voted: Text = ABSENT


class StageOut(Struct, kw_only=True):
    """A stage. state: done, open or next; ``every``: one person of each of ``of``, else ``need`` of any of them."""

    number: int
    state: str
    of: tuple[str, ...]
    every: bool
    need: int
    missing: int
    reject_after: int


class ContactOut(Struct, kw_only=True):
    """A scheduled contact: its time (``local``: in ``zone``), and whom it will reach in the current state. kind:
    opening (for a person who is notified when their working hours begin), reminder, escalation, deadline.
    """

    kind: str
    number: int
    at: datetime
    local: str
    zone: str
    to: tuple[str, ...]
    people: list[str]


class ExplainOut(Ok, kw_only=True):
    """The contact schedule of a task if nobody answers, and who may decide."""

    policy: Text = ABSENT
    because: Text = ABSENT
    task_id: Text = ABSENT
    opened_at: datetime
    due_at: OrNone[datetime] = ABSENT
    strength: str
    proof: str
    risk: str
    self_approval: bool
    may_decide: list[DeciderOut]
    requesters_side: list[str]
    asked: list[str]
    stages: list[StageOut]
    contacts: list[ContactOut]
    on_expiry: str


class ApprovalOut(Struct, kw_only=True):
    """A decision in AXP's format."""

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


class UnderstaffedTask(Struct, kw_only=True):
    """Too few eligible people are left: its stage needs ``needed`` of them, and ``remaining`` could still decide."""

    task_id: str
    title: str
    stage: int
    needed: int
    remaining: int


class UnderstaffedTasksAnswer(Ok, kw_only=True):
    """The open tasks with too few eligible people left. complete: whether all open tasks were checked."""

    tasks: list[UnderstaffedTask]
    complete: bool


class NextStep(Struct, gc=False, kw_only=True):
    """A step that an answer may lead to. after: those of yes, no, changes and silence that lead to it; off_main_path:
    it runs only if an earlier step does not succeed; agent: who runs it; input: what that agent gets in addition to the
    payload; to, message: who is notified of what.
    """

    step_id: str
    kind: str
    after: tuple[str, ...]
    off_main_path: bool
    agent: Text = ABSENT
    input: OrEmpty[dict[str, Any]] = ABSENT
    to: OrEmpty[tuple[str, ...]] = ABSENT
    message: Text = ABSENT


class VoteOut(Struct, gc=False, kw_only=True):
    """One person's answer; ``on_behalf_of_person``: whose vote it was, if another person's."""

    person: str
    name: str
    on_behalf_of_person: Text = ABSENT
    outcome: str
    comment: Text = ABSENT
    at: datetime
    via: str


class SnoozeOut(Struct, gc=False, kw_only=True):
    """Who has snoozed the task, and until when."""

    person: str
    name: str
    until: datetime


class CommentOut(Struct, gc=False, kw_only=True):
    """A question or comment: its author, a person or the requester."""

    actor: str
    kind: str
    name: str
    comment: Text = ABSENT
    at: datetime
    via: str


class ValueOut(Struct, kw_only=True):
    """One value that differs; ``before`` or ``after`` is missing if it did not exist."""

    path: str
    before: Text = ABSENT
    after: Text = ABSENT


class RevisionOut(Struct, kw_only=True):
    """The change from one revision to another; by: who revised it, missing if it was asked again."""

    from_revision: int
    to_revision: int
    at: datetime
    by: Text = ABSENT
    by_name: Text = ABSENT
    comment: Text = ABSENT
    changed: tuple[ValueOut, ...]


class TaskOut(Struct, gc=False, kw_only=True):
    """A human step opened for people. ``stage``, ``revision`` and ``digest`` name exactly what is decided.

    result_revisions: the revision of the request that each previous result belongs to; a result of another revision
    than the task's does not count; changes: from revision to revision, only for a single task, not in lists;
    bulk_form: the same in tasks that may be answered together, missing in one that is decided by itself;
    next_steps: everything that may run after it, with the agents' input in addition to the payload;
    approvers: those asked now; stage: the current one of ``stages``, from 1; reviewed_by: who has marked it as being
    reviewed; comments: questions and replies, only for a single task, not in lists; risk: the policy's or a check's,
    whichever is higher; strength: the required assurance; receipt: of the caller's act, only in its response.
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
    form_schema: OrEmpty[dict[str, Any]] = ABSENT
    comment_required: bool
    evidence_required: bool
    payload: JsonObject
    payload_deleted: OrEmpty[bool] = ABSENT
    previous_results: dict[str, Any]
    result_revisions: dict[str, int]
    next_steps: tuple[NextStep, ...]
    requester: ActorOut
    approvers: tuple[str, ...]
    stage: int
    stages: int
    reviewed_by: Text = ABSENT
    snoozed: OrEmpty[tuple[SnoozeOut, ...]] = ABSENT
    opened_at: datetime
    due_at: OrNone[datetime] = ABSENT
    next_reminder_at: OrNone[datetime] = ABSENT
    escalation_at: OrNone[datetime] = ABSENT
    reminders_sent: int
    revision: int
    digest: str
    votes: tuple[VoteOut, ...]
    comments: OrEmpty[tuple[CommentOut, ...]] = ABSENT
    changes: OrEmpty[tuple[RevisionOut, ...]] = ABSENT
    outcome: Text = ABSENT
    ending: Text = ABSENT
    decided_at: OrNone[datetime] = ABSENT
    decided_by: Text = ABSENT
    decided_by_name: Text = ABSENT
    via: Text = ABSENT
    on_expiry: str
    bulk_form: Text = ABSENT
    receipt: OrEmpty[ReceiptOut] = ABSENT


class TaskAnswer(Ok, kw_only=True):
    """One task."""

    task: TaskOut


class TasksAnswer(PageAnswer, kw_only=True):
    """Tasks, oldest first."""

    tasks: list[TaskOut]


class TaskChangedAnswer(Ok, kw_only=True):
    """The answer was counted: the task and the intent in their new state."""

    task: TaskOut
    intent: IntentOut


class BulkResult(Struct, kw_only=True):
    """What became of one task of a bulk answer. ``recorded``: whether the answer counts; ``decided``: whether the task
    is closed now; ``receipt``: what was recorded; ``code``, ``message``, ``hint``: why it was refused.
    """

    task_id: str
    recorded: bool
    decided: bool = False
    receipt: OrEmpty[ReceiptOut] = ABSENT
    code: Text = ABSENT
    message: Text = ABSENT
    hint: Text = ABSENT


class BulkAnswer(Ok, kw_only=True):
    """Each task of a bulk answer, in the order of the request, and how many were recorded, refused and decided."""

    recorded: int
    refused: int
    decided: int
    receipt: ReceiptOut
    results: list[BulkResult]


class MyTask(Struct, gc=False, kw_only=True):
    """A task as AXP lists it."""

    intent_id: str
    intent_type: str
    status: str
    from_agent: str
    assigned_at: datetime
    due_at: OrNone[datetime] = ABSENT
    human_task: HumanTask


class MyTasksAnswer(Ok, kw_only=True):
    """Open tasks, as AXP lists them."""

    tasks: list[MyTask]
