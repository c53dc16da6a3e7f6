"""Tasks, and actions on them."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from msgspec import Meta, Struct

from signoff.wire.common import (
    ABSENT,
    Comment,
    CommentText,
    Count,
    DecidedBy,
    FormSchema,
    Object,
    Ok,
    OrEmpty,
    OrNone,
    PageResponse,
    Payload,
    PayloadDeleted,
    ReceiptOut,
    Requester,
    Strict,
    Text,
)
from signoff.wire.fields import (
    ActorKind,
    AllowedOutcomes,
    At,
    CommentRequired,
    Complete,
    CreatedAt,
    DecidedAt,
    Digest,
    DueAt,
    Ending,
    EvidenceRequired,
    FromAgent,
    IntentId,
    IntentType,
    OpenedAt,
    Outcome,
    PersonId,
    PersonName,
    PreviousResults,
    ReminderCount,
    ResultRevisions,
    Revision,
    Risk,
    ShownDigest,
    ShownRevision,
    Stage,
    Status,
    StepId,
    StepKind,
    Strength,
    TaskId,
    TaskType,
    Title,
    Via,
    Zone,
    about,
    time,
)
from signoff.wire.intents import HumanTask, IntentOut, OutcomeOut

ShownStage: TypeAlias = Annotated[
    Count | None, about("The stage that the task showed; if it is another one now, nothing is answered.", 1)
]
OnExpiry: TypeAlias = Annotated[
    str, about("What happens if nobody answers.", "It expires on Fri 2030-02-01 18:00 UTC; nothing is run.")
]
ApprovalId: TypeAlias = Annotated[
    str, about("The task's id, in AXP's terms.", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0002")
]


class AnswerRequest(Strict, kw_only=True):
    """One person's answer. ``stage``, ``revision``, ``digest``: as the task showed them; a mismatch is a 409.
    ``number``: the number of your answer at this stage; needed only to return to an answer that you have changed.
    """

    _EXAMPLE: ClassVar = ("comment",)

    outcome: Annotated[
        str, Meta(min_length=1, max_length=64), about("The outcome that was chosen.", "approved")
    ]
    comment: Annotated[Comment, about("Why; some tasks require it.", "Checked against the runbook.")] = ""
    data: Annotated[Object, about("The form's data, if the task has a form.", {"window": "tonight"})] = {}
    stage: ShownStage = None
    revision: ShownRevision = None
    number: Annotated[
        Count | None,
        about(
            "The number of the person's answer at this stage; only to return to an answer that was changed.",
            1,
        ),
    ] = None
    digest: ShownDigest = None


class BulkTask(Strict, kw_only=True):
    """One of the tasks of a bulk answer. ``stage``, ``revision``, ``digest``: as the task showed them, all required."""

    task_id: Annotated[
        str,
        Meta(min_length=1, max_length=64),
        about("The task's id.", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0002"),
    ]
    stage: Annotated[Count, about("The stage that the task showed.", 1)]
    revision: Annotated[Count, about("The revision that the task showed.", 1)]
    digest: Annotated[
        str,
        Meta(min_length=64, max_length=64),
        about(
            "The digest that the task showed.",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
    ]


MOST_TASKS: Final = 500  # in one bulk answer


class BulkAnswerRequest(Strict, kw_only=True):
    """One answer to up to 500 similar low-risk tasks (those with the same ``bulk_form``)."""

    outcome: Annotated[
        str, Meta(min_length=1, max_length=64), about("The outcome for all of them.", "approved")
    ]
    comment: Annotated[Comment, about("Why.", "Checked against the runbook.")] = ""
    tasks: Annotated[
        list[BulkTask], Meta(min_length=1, max_length=MOST_TASKS), about("The tasks, as they were shown.")
    ]


class DecisionRequest(Struct, kw_only=True):
    """AXP's approval decision: approve or reject. ``stage``, ``revision``, ``digest``: as the task showed them, if the
    client knows them.
    """

    _EXAMPLE: ClassVar = ("comment",)

    decision: Annotated[str, about("The decision.", "approve", words=("approve", "reject"))]
    comment: Annotated[Comment, about("Why.", "Checked against the runbook.")] = ""
    reason: Annotated[Comment, about("The same as comment.", "Checked against the runbook.")] = ""
    outcome: Annotated[
        str | None,
        about("The outcome, if the task has outcomes other than approved and rejected.", "approved"),
    ] = None
    approved: Annotated[bool | None, about("The same decision again; it must not differ.", True)] = None
    stage: ShownStage = None
    revision: ShownRevision = None
    digest: ShownDigest = None


class DelegateRequest(Strict, kw_only=True):
    """The delegate: a person's address or id."""

    _EXAMPLE: ClassVar = ("comment",)

    to: Annotated[str, about("The delegate: a person's address or id.", "ben@acme.example")]
    comment: Annotated[Comment, about("Why, for the delegate.", "You know this table.")] = ""


class ReassignRequest(Strict, kw_only=True):
    """The new approvers: people, teams, roles."""

    _EXAMPLE: ClassVar = ("comment",)

    to: Annotated[
        list[str],
        Meta(min_length=1, max_length=50),
        about("The new approvers: people, teams, roles.", ["team:sre"]),
    ]
    comment: Annotated[Comment, about("Why, for the new approvers.", "The database team owns this.")] = ""


class SnoozeRequest(Strict, kw_only=True, rename={"lasts": "for"}):
    """The end of the snooze: ``until`` a time (RFC 3339), or ``for`` a duration: seconds, or text such as 90m, 2h,
    1d.
    """

    _EXAMPLE: ClassVar = ("lasts",)

    until: Annotated[datetime | None, time("Until when.", "2030-02-01T08:00:00Z")] = None
    lasts: Annotated[
        str | int | float | None, about("For how long: seconds, or text such as 90m, 2h, 1d.", "2h")
    ] = None


class EmptyRequest(Strict, kw_only=True):
    """An empty body. A comment is refused, because it would not be recorded."""


class CommentRequest(Strict, kw_only=True):
    """A comment on the task."""

    _EXAMPLE: ClassVar = ("comment",)

    comment: Annotated[Comment, about("The comment.", "Which index does it use?")] = ""


class ReviseRequest(Strict, kw_only=True):
    """What to decide instead. ``digest``: the digest that was shown; a mismatch is a 409. ``outcome``: also approve the
    change, if the task's ``edits`` is ``approve``; needs the digest. ``stage``, ``data``: those of this answer.
    """

    _EXAMPLE: ClassVar = ("comment",)

    payload: Annotated[Object, about("The whole new payload.", {"table": "users", "to_version": 43})]
    comment: Annotated[Comment, about("Why.", "43 has the fix.")] = ""
    digest: Annotated[
        str | None,
        about(
            "The digest of what was shown; if it is another one now, nothing is changed.",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
    ] = None
    outcome: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        about("Also approve the change, with this outcome.", "approved"),
    ] = None
    stage: Annotated[Count | None, about("The stage that was shown, from 1; only with an outcome.", 1)] = None
    data: Annotated[Object, about("The form's data of this answer; only with an outcome.", {})] = {}


class DeciderOut(Struct, kw_only=True):
    """A person who may decide now, and why."""

    person: Annotated[str, about("The person's address.", "ann@acme.example")]
    name: PersonName
    instead_of: Annotated[
        Text, about("The absent person for whom they are the delegate.", "dora@acme.example")
    ] = ABSENT
    why: Annotated[str, about("Why they may decide.", "team:sre")]
    voted: Annotated[Text, about("The outcome that they have chosen already.", "approved")] = ABSENT


class StageOut(Struct, kw_only=True):
    """A stage. state: done, open or next. ``every``: whether one person of each entry in ``of`` is needed; otherwise
    ``need`` people of any of them.
    """

    number: Annotated[int, about("Its number, from 1.", 1)]
    state: Annotated[str, about("How far it is.", "open", words=("done", "open", "next"))]
    of: Annotated[tuple[str, ...], about("Who is asked: people, teams, roles.", ["team:sre"])]
    every: Annotated[bool, about("Whether one person of each entry in `of` is needed.", False)]
    need: Annotated[int, about("How many votes it needs.", 2)]
    missing: Annotated[int, about("How many are missing.", 1)]
    reject_after: Annotated[int, about("How many rejections end the task.", 1)]


class ContactOut(Struct, kw_only=True):
    """A scheduled contact: its time (``local``: in ``zone``), and whom it will reach in the current state. kind:
    opening (for people who are notified when their working hours begin), reminder, escalation, deadline.
    """

    kind: Annotated[
        str,
        about(
            "Why they are contacted.",
            "reminder",
            words=("opening", "reminder", "escalation", "snooze_over", "deadline"),
        ),
    ]
    number: Annotated[int, about("The number of the reminder or escalation, from 1.", 1)]
    at: Annotated[datetime, time("When it is due.")]
    local: Annotated[str, about("The same time, in the zone's local time.", "Thu 2030-01-31 10:30 CET")]
    zone: Zone
    to: Annotated[tuple[str, ...], about("Who is asked: people, teams, roles.", ["team:sre"])]
    people: Annotated[list[str], about("Whom it will reach.", ["ann@acme.example"])]


class ExplainOut(Ok, kw_only=True):
    """The contact schedule of a task if nobody answers, and who may decide."""

    policy: Annotated[Text, about("The policy that decides, with its version.", "production@3")] = ABSENT
    because: Annotated[Text, about("Why this policy.", "the workflow names it")] = ABSENT
    task_id: OrEmpty[TaskId] = ABSENT
    opened_at: OpenedAt
    due_at: OrNone[DueAt] = ABSENT
    strength: Strength
    proof: Annotated[str, about("The required sign-in, as text.", "an e-mailed sign-in link")]
    risk: Risk
    self_approval: Annotated[bool, about("Whether the requester's side may decide.", False)]
    may_decide: Annotated[list[DeciderOut], about("Who may decide now.")]
    requesters_side: Annotated[
        list[str],
        about("Who may not decide, because they are on the requester's side.", ["rob@acme.example"]),
    ]
    asked: Annotated[list[str], about("Whom the open stage asks.", ["ann@acme.example", "ben@acme.example"])]
    stages: Annotated[list[StageOut], about("The stages, in order.")]
    contacts: Annotated[list[ContactOut], about("Every scheduled contact, in order.")]
    on_expiry: OnExpiry


class ApprovalOut(Struct, kw_only=True):
    """A decision in AXP's format."""

    approval_id: ApprovalId
    decision: Annotated[str, about("The decision.", "approve", words=("approve", "reject"))]
    comment: Annotated[str | None, about("The comment; null without one.", "Checked against the runbook.")]
    decided_at: DecidedAt


class ApprovalResponse(Ok, kw_only=True):
    """The decision was counted."""

    approval: Annotated[ApprovalOut, about("The decision, in AXP's format.")]
    approval_id: ApprovalId
    status: Annotated[str, about("The outcome.", "approved")]
    decided_at: DecidedAt
    intent: Annotated[IntentOut, about("The intent.")]


class UnderstaffedTask(Struct, kw_only=True):
    """A task with too few eligible people left: its stage needs ``needed`` people, but only ``remaining`` could
    still decide.
    """

    task_id: TaskId
    title: Title
    stage: Stage
    needed: Annotated[int, about("How many people its stage needs.", 2)]
    remaining: Annotated[int, about("How many could still decide.", 1)]


class UnderstaffedTasksResponse(Ok, kw_only=True):
    """The open tasks with too few eligible people left. complete: whether all open tasks were checked."""

    tasks: Annotated[list[UnderstaffedTask], about("The tasks.")]
    complete: Complete


class NextStep(Struct, gc=False, kw_only=True):
    """A step to which an answer may lead. after: which of yes, no, changes and silence lead to it; off_main_path:
    whether it runs only if an earlier step does not succeed; agent: who runs it; input: what that agent gets in
    addition to the payload; to, message: who is notified, and the text.
    """

    step_id: StepId
    kind: StepKind
    after: Annotated[tuple[str, ...], about("The answers that lead to it.", ["yes"])]
    off_main_path: Annotated[bool, about("Whether it runs only if an earlier step does not succeed.", False)]
    agent: Annotated[Text, about("Who runs it.", "agent://acme/prod/infra-validator")] = ABSENT
    input: Annotated[
        OrEmpty[dict[str, Any]],
        about("What the step gives its agent in addition to the payload.", {"mode": "check"}),
    ] = ABSENT
    to: Annotated[OrEmpty[tuple[str, ...]], about("Who is notified.", ["role:auditor"])] = ABSENT
    message: Annotated[Text, about("Of what.", "The migration is done.")] = ABSENT


class VoteOut(Struct, gc=False, kw_only=True):
    """One person's answer. ``on_behalf_of_person``: whose vote it was, if it was another person's."""

    _EXAMPLE: ClassVar = ("comment",)

    person: PersonId
    name: PersonName
    on_behalf_of_person: Annotated[
        Text, about("Whose vote it was, if it was another person's.", "per_01998a3c6f007d1e8a4bc35d9e7f1b24")
    ] = ABSENT
    outcome: Outcome
    comment: CommentText = ABSENT
    at: At
    via: Via


class SnoozeOut(Struct, gc=False, kw_only=True):
    """Who has snoozed the task, and until when."""

    person: PersonId
    name: PersonName
    until: Annotated[datetime, time("Until when.", "2030-02-01T08:00:00Z")]


class CommentOut(Struct, gc=False, kw_only=True):
    """A question or comment by a person or the requester."""

    actor: Annotated[str, about("The id of the author.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")]
    kind: ActorKind
    name: Annotated[str, about("The author's name.", "Ann Berg")]
    comment: CommentText = ABSENT
    at: At
    via: Via


class ValueOut(Struct, kw_only=True):
    """One value that differs. ``before`` or ``after`` is absent if the value did not exist."""

    path: Annotated[str, about("Its path in the payload.", "to_version")]
    before: Annotated[Text, about("The value before, as text.", "42")] = ABSENT
    after: Annotated[Text, about("The value after, as text.", "43")] = ABSENT


class RevisionOut(Struct, kw_only=True):
    """The change from one revision to another. by: who revised it, absent if people were asked again."""

    from_revision: Annotated[int, about("The revision before.", 1)]
    to_revision: Annotated[int, about("The revision after.", 2)]
    at: At
    by: Annotated[
        Text, about("The id of the actor who revised it.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")
    ] = ABSENT
    by_name: Annotated[Text, about("Their name.", "Ann Berg")] = ABSENT
    comment: CommentText = ABSENT
    changed: Annotated[tuple[ValueOut, ...], about("The values that differ.")]


class SinceApprovedOut(Struct, kw_only=True):
    """The difference from the last approved request of the same workflow with the same target (``target`` in the
    workflow); changed: at most 200 values.
    """

    intent_id: IntentId
    created_at: CreatedAt
    target: Annotated[
        tuple[str, ...], about("The payload fields that are equal in both: the target.", ["cluster"])
    ]
    changed: Annotated[tuple[ValueOut, ...], about("The values that differ; none if nothing differs.")]
    more: Annotated[int, about("How many more values differ.", 0)] = 0


class TaskOut(Struct, gc=False, kw_only=True):
    """A human step opened for people. ``stage``, ``revision`` and ``digest`` name exactly what is decided.

    result_revisions: the revision of the request that each previous result belongs to; results of revisions other
    than the task's do not count. changes: from revision to revision, not in lists. edits: ``approve`` if approvers
    may change values and approve that at the same time, else ``propose``. bulk_form: the same for tasks that may be
    answered together, absent for a task that has to be decided separately. next_steps: everything that may run after
    it, with the agents' input in addition to the payload. approvers: who is asked now. stage: the current one of
    ``stages``, counted from 1. reviewed_by: who has marked it as being reviewed. comments: questions and replies,
    not in lists. risk: the policy's or a check's, whichever is higher. strength: the required assurance. receipt:
    what the caller's action has done, only in its own response.
    """

    _EXAMPLE: ClassVar = ("due_at",)

    task_id: TaskId
    intent_id: IntentId
    intent_type: IntentType
    step_id: StepId
    state: Annotated[str, about("Whether it waits for an answer.", "open", words=("open", "closed"))]
    task_type: TaskType
    title: Title
    description: Annotated[str, about("The task's description.", "Adds a column to the table users.")]
    risk: Risk
    strength: Strength
    allowed_outcomes: AllowedOutcomes
    outcomes: Annotated[tuple[OutcomeOut, ...], about("The same outcomes, with their meanings and labels.")]
    form_schema: FormSchema = ABSENT
    comment_required: CommentRequired
    evidence_required: EvidenceRequired
    payload: Payload
    payload_deleted: PayloadDeleted = ABSENT
    previous_results: PreviousResults
    result_revisions: ResultRevisions
    next_steps: Annotated[
        tuple[NextStep, ...], about("Every step that may run after it, with its agent's input.")
    ]
    requester: Requester
    approvers: Annotated[tuple[str, ...], about("Who is asked now: people, teams, roles.", ["team:sre"])]
    stage: Stage
    stages: Annotated[int, about("The number of stages.", 1)]
    approvals_missing: Annotated[
        OrEmpty[int], about("How many approvals this stage still needs, at least; absent if it is closed.", 1)
    ] = ABSENT
    reviewed_by: Annotated[
        Text,
        about(
            "The id of the person who has marked it as being reviewed.",
            "per_01998a3c6f007d1e8a4bc35d9e7f1b20",
        ),
    ] = ABSENT
    snoozed: Annotated[OrEmpty[tuple[SnoozeOut, ...]], about("Who has snoozed it.")] = ABSENT
    opened_at: OpenedAt
    due_at: OrNone[DueAt] = ABSENT
    next_reminder_at: Annotated[OrNone[datetime], time("When the next reminder is due.")] = ABSENT
    escalation_at: Annotated[OrNone[datetime], time("When the next escalation is due.")] = ABSENT
    reminders_sent: ReminderCount
    revision: Revision
    digest: Digest
    votes: Annotated[tuple[VoteOut, ...], about("The answers so far, one for each person.")]
    comments: Annotated[OrEmpty[tuple[CommentOut, ...]], about("Questions and replies; not in lists.")] = (
        ABSENT
    )
    changes: Annotated[
        OrEmpty[tuple[RevisionOut, ...]], about("From revision to revision; not in lists.")
    ] = ABSENT
    since_approved: Annotated[
        OrEmpty[SinceApprovedOut],
        about("The difference from what was approved last for the same target; not in lists."),
    ] = ABSENT
    outcome: OrEmpty[Outcome] = ABSENT
    ending: OrEmpty[Ending] = ABSENT
    decided_at: OrNone[DecidedAt] = ABSENT
    decided_by: DecidedBy = ABSENT
    decided_by_name: Annotated[Text, about("Their name.", "Ann Berg")] = ABSENT
    via: OrEmpty[Via] = ABSENT
    on_expiry: OnExpiry
    edits: Annotated[
        str,
        about(
            "Whether approvers may change the request and approve that at the same time.",
            "propose",
            words=("propose", "approve"),
        ),
    ]
    bulk_form: Annotated[
        Text,
        about(
            "The same for tasks that may be answered together; absent if it has to be decided separately.",
            "5b1f0c7e",
        ),
    ] = ABSENT
    receipt: Annotated[
        OrEmpty[ReceiptOut], about("What the caller's action has done; only in its own response.")
    ] = ABSENT


class TaskResponse(Ok, kw_only=True):
    """One task."""

    task: Annotated[TaskOut, about("The task.")]


class TasksResponse(PageResponse, kw_only=True):
    """Tasks, oldest first."""

    tasks: Annotated[list[TaskOut], about("The tasks.")]


class TaskChangedResponse(Ok, kw_only=True):
    """The answer was counted: the task and the intent in their new state."""

    task: Annotated[TaskOut, about("The task.")]
    intent: Annotated[IntentOut, about("The intent.")]


class BulkResult(Struct, kw_only=True):
    """The result for one task of a bulk answer. ``recorded``: whether the answer counts; ``decided``: whether the
    task is now closed; ``receipt``: what was recorded; ``code``, ``message``, ``hint``: why the answer was refused.
    """

    task_id: TaskId
    recorded: Annotated[bool, about("Whether the answer counts.", True)]
    decided: Annotated[bool, about("Whether the task is now closed.", True)] = False
    receipt: Annotated[OrEmpty[ReceiptOut], about("What was recorded.")] = ABSENT
    code: Annotated[Text, about("Why it was refused: a stable code.", "already_answered")] = ABSENT
    message: Annotated[Text, about("Why it was refused.", "The task is closed.")] = ABSENT
    hint: Annotated[Text, about("What to do next.", "Look at it again.")] = ABSENT


class BulkResponse(Ok, kw_only=True):
    """Each task of a bulk answer, in the order of the request, and how many were recorded, refused and decided."""

    recorded: Annotated[int, about("How many were recorded.", 2)]
    refused: Annotated[int, about("How many were refused.", 0)]
    decided: Annotated[int, about("How many tasks are now decided.", 2)]
    receipt: Annotated[ReceiptOut, about("What the action has done, as text.")]
    results: Annotated[list[BulkResult], about("The result for each, in the order of the request.")]


class MyTask(Struct, gc=False, kw_only=True):
    """A task as AXP lists it."""

    intent_id: IntentId
    intent_type: IntentType
    status: Status
    from_agent: FromAgent
    assigned_at: Annotated[datetime, time("When the task was opened.")]
    due_at: OrNone[DueAt] = ABSENT
    human_task: Annotated[HumanTask, about("The task that asks people.")]


class MyTasksResponse(Ok, kw_only=True):
    """Open tasks, as AXP lists them."""

    tasks: Annotated[list[MyTask], about("The tasks.")]
