"""Intents and their events."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from signoff.wire.common import (
    ABSENT,
    Count,
    DeadlineAt,
    DecidedBy,
    FormSchema,
    Object,
    Ok,
    OrEmpty,
    OrNone,
    PageResponse,
    Payload,
    PayloadDeleted,
    Reason,
    ReceiptOut,
    Strict,
    Text,
    Word,
)
from signoff.wire.fields import (
    EVENT_TYPES,
    STATUSES,
    AllowedOutcomes,
    At,
    CommentRequired,
    CorrelationId,
    CreatedAt,
    DecidedAt,
    DeliveryAttempt,
    DryRun,
    DueAt,
    Ending,
    EvidenceRequired,
    ExpectedPolicyGeneration,
    FromAgent,
    IgnoredActor,
    IgnoredOwner,
    IgnoredScheduler,
    IntentId,
    IntentType,
    LifecycleStatus,
    LifecycleWaitingReason,
    Outcome,
    ParentIntentId,
    PolicyGeneration,
    ReminderCount,
    ReplyTo,
    Retryable,
    ScenarioId,
    ShownDigest,
    ShownRevision,
    Status,
    StepId,
    StepKind,
    TaskId,
    TaskType,
    ThreadId,
    Title,
    ToAgent,
    UpdatedAt,
    Via,
    WaitingReason,
    Warnings,
    about,
    time,
)

HistoryReason: TypeAlias = Annotated[
    Reason, about("The reason, which is kept in the history.", "No longer needed.")
]
Result: TypeAlias = Annotated[
    OrEmpty[dict[str, Any]],
    about("The result.", {"outcome": "approved", "comment": "Checked against the runbook."}),
]


class CreateIntentRequest(Struct, kw_only=True):
    """An intent. Its plan comes from the workflow of its type, or else from ``human_task``, or else from ``to_agent``.

    ``on_behalf_of``: the person whom it is for (address or id), who is then on the requester's side.
    """

    _EXAMPLE: ClassVar = ("payload", "correlation_id")

    intent_type: IntentType
    to_agent: Annotated[
        str,
        about(
            "The address of the agent that it is for, if its type has no workflow.",
            "agent://acme/prod/infra-validator",
        ),
    ] = ""
    payload: Annotated[
        Object,
        about(
            "The request's data: a JSON object with content defined by the requester.",
            {"table": "users", "to_version": 42},
        ),
    ] = {}
    reply_to: ReplyTo = ""
    correlation_id: CorrelationId = ""
    from_agent: Annotated[
        str,
        about(
            "As AXP's clients send it; only the key determines the requester.",
            "agent://acme/prod/release-bot",
        ),
    ] = ""
    on_behalf_of: Annotated[
        str,
        about(
            "The person whom it is for, by address or id, who is then on the requester's side.",
            "ann@acme.example",
        ),
    ] = ""
    deadline_at: Annotated[
        datetime | None,
        time("When the intent times out, whatever it is waiting for.", "2030-02-02T00:00:00Z"),
    ] = None
    remind_after_seconds: Annotated[Count | None, about("Seconds until the first reminder.", 3600)] = None
    remind_interval_seconds: Annotated[Count | None, about("Seconds between reminders.", 7200)] = None
    max_reminders: Annotated[Count | None, about("The maximum number of reminders.", 3)] = None
    escalate_to: Annotated[
        str, about("Who else is asked after the reminders: a person, team or role.", "team:sre-leads")
    ] = ""
    max_delivery_attempts: Annotated[
        Count | None, about("The maximum number of attempts at an agent step.", 3)
    ] = None
    human_task: Annotated[
        Object | None,
        about(
            "A task in AXP's terms that asks people immediately, if its type has no workflow.",
            {"title": "Migrate users?", "task_type": "approval", "assignees": ["ann@acme.example"]},
        ),
    ] = None


class ResumeRequest(Struct, kw_only=True):
    """One of AXP's resume shapes: ``task_result``, ``approve_current_step``, ``action``, or any result."""

    _EXAMPLE: ClassVar = ("task_result",)
    _FREE: ClassVar = True  # every other field is part of the result

    task_result: Annotated[
        Object | None,
        about(
            "The answer to a task, in AXP's terms.",
            {"outcome": "approved", "comment": "Checked against the runbook."},
        ),
    ] = None
    outcome: Annotated[str | None, about("The outcome, if it is at the top of the body.", "approved")] = None
    approve_current_step: Annotated[
        bool | None, about("True approves the open task, false rejects it.", True)
    ] = None
    action: Annotated[str | None, about("AXP's word for how to end the step.", "complete")] = None
    reason: Annotated[
        str | None, about("The reason, kept as the answer's comment.", "Checked against the runbook.")
    ] = None
    stage: Annotated[
        int | None, about("The stage that the task showed; if it is another one now, nothing is answered.", 1)
    ] = None
    revision: ShownRevision = None
    digest: ShownDigest = None
    expected_policy_generation: ExpectedPolicyGeneration | None = None


class ResolveRequest(Struct, kw_only=True):
    """End an intent from outside: COMPLETED with a result, FAILED with an error, CANCELED with a reason.

    ``actor``, ``owner_agent``, ``internal_scheduler``: as AXP's clients send them; only the key determines the
    actor.
    """

    _EXAMPLE: ClassVar = ("reason",)

    status: Annotated[
        str, about("The status in which to end it.", "CANCELED", words=("COMPLETED", "FAILED", "CANCELED"))
    ]
    result: Annotated[Object, about("The result, with COMPLETED.", {"rows": 1200})] = {}
    error: Annotated[
        Object, about("The error, with FAILED.", {"code": "out_of_disk", "message": "The disk is full."})
    ] = {}
    reason: HistoryReason = ""
    expected_policy_generation: ExpectedPolicyGeneration | None = None
    actor: IgnoredActor = ""
    owner_agent: IgnoredOwner = ""
    internal_scheduler: IgnoredScheduler = False


class ControlsRequest(Struct, kw_only=True):
    """A patch of the free-form control map, which is stored and shown. ``actor`` and the following: as in
    ``Resolve``.
    """

    _EXAMPLE: ClassVar = ("controls_patch", "reason")

    controls_patch: Annotated[
        Object, about("The controls to set, by name; null removes one.", {"paused": True})
    ] = {}
    reason: HistoryReason = ""
    expected_policy_generation: ExpectedPolicyGeneration | None = None
    actor: IgnoredActor = ""
    owner_agent: IgnoredOwner = ""
    internal_scheduler: IgnoredScheduler = False


class PolicyRequest(Struct, kw_only=True):
    """A patch of the grants and envelope maps, which are stored and shown: they grant and limit nothing. ``actor`` and
    the following: as in ``Resolve``.
    """

    _EXAMPLE: ClassVar = ("grants_patch",)

    grants_patch: Annotated[
        Object, about("The grants to set, by name; null removes one.", {"deploy": "prod"})
    ] = {}
    envelope_patch: Annotated[
        Object, about("The members of the envelope to set, by name; null removes one.", {"budget": 100})
    ] = {}
    reason: HistoryReason = ""
    expected_policy_generation: ExpectedPolicyGeneration | None = None
    actor: IgnoredActor = ""
    owner_agent: IgnoredOwner = ""
    internal_scheduler: IgnoredScheduler = False


class BulkCancelRequest(Struct, kw_only=True):
    """Cancel intents without recent changes, oldest first, as far as the caller may cancel them. A dry run (the
    default) only reports what it would cancel. ``q``: search words, as in the list of intents.
    """

    _EXAMPLE: ClassVar = ("older_than_hours", "dry_run", "limit")

    older_than_hours: Annotated[
        float, Meta(ge=0, le=87600), about("Only intents that have not changed for this many hours.", 24)
    ] = 24
    dry_run: Annotated[bool, about("True (the default) only reports what would be canceled.", True)] = True
    reason: HistoryReason = "canceled in bulk"
    limit: Annotated[int, Meta(ge=1, le=500), about("The maximum number to cancel.", 100)] = 500
    status_filter: Annotated[
        Annotated[list[str], Meta(min_length=1)] | UnsetType, about("Only these statuses.", ["WAITING"])
    ] = UNSET
    intent_type: Annotated[Word | UnsetType, about("Only this type.", "intent.db.migrate.v1")] = UNSET
    correlation_id: Annotated[Word | UnsetType, about("Only with this correlation id.", "release-42")] = UNSET
    q: Annotated[Word | UnsetType, about("Only intents that these search words find.", "users")] = UNSET


class RetryRequest(Strict, kw_only=True):
    """An empty body: the new intent repeats the old one."""


class RerunRequest(Strict, kw_only=True):
    """An empty body: the new intent reruns the failed step of the old one."""


class UseRequest(Strict, kw_only=True):
    """Use the outcome, once. ``use``: the caller's own name for this use; a request with the same name may be
    repeated.
    """

    use: Annotated[
        Word,
        about(
            "The caller's own name for this use; a request with the same name may be repeated.",
            "deploy-run-1812",
        ),
    ]


class UsedResponse(Ok, kw_only=True):
    """The outcome is now used by this caller and nobody else. It may be a rejection; only ``approved`` means
    consent. ``approved``: whether the intent completed and its last decision was an approval.
    """

    intent_id: IntentId
    use: Annotated[str, about("The name of the use.", "deploy-run-1812")]
    used_at: Annotated[datetime, time("When the outcome was first used.")]
    status: Status
    ending: OrEmpty[Ending] = ABSENT
    approved: Annotated[
        bool,
        about("Whether it completed and its last decision was an approval. Nothing else is consent.", True),
    ]


class PayloadOut(Struct, kw_only=True):
    """A payload, and the last revision that had it."""

    revision: Annotated[int, about("The last revision that had this payload.", 1)]
    payload: Payload


class RevisionsResponse(Ok, kw_only=True):
    """Every payload of the intent, oldest first; the last one is current. ``payload_deleted``: whether they were
    deleted.
    """

    intent_id: IntentId
    payload_deleted: PayloadDeleted = ABSENT
    revisions: Annotated[list[PayloadOut], about("Every payload, oldest first.")]


class PendingWith(Struct, gc=False, kw_only=True):
    """Who has to act: an agent, people, or the runtime itself."""

    type: Annotated[str, about("Who it is.", "human", words=("agent", "human", "internal"))]
    ref: Annotated[str, about("The agent's address, or the names of those asked.", "team:sre")]
    name: Annotated[str, about("The same, to show.", "team:sre")]


class OutcomeOut(Struct, gc=False, kw_only=True):
    """One outcome of a task. means: approve, reject or changes; label: the label of its button."""

    name: Annotated[str, about("The outcome, as an answer names it.", "approved")]
    means: Annotated[
        str,
        about("Its meaning, which determines the route.", "approve", words=("approve", "reject", "changes")),
    ]
    label: Annotated[str, about("The label of its button.", "Approve")]


class HumanTask(Struct, gc=False, kw_only=True):
    """A task in AXP's terms."""

    title: Title
    task_type: TaskType
    allowed_outcomes: AllowedOutcomes
    required_comment: CommentRequired
    evidence_required: EvidenceRequired
    description: Annotated[Text, about("The task's description.", "Adds a column to the table users.")] = (
        ABSENT
    )
    assignees: Annotated[
        OrEmpty[tuple[str, ...]], about("Who is asked: people, teams, roles.", ["team:sre"])
    ] = ABSENT
    form_schema: FormSchema = ABSENT
    notify: Annotated[OrEmpty[tuple[str, ...]], about("Who else is notified.", ["role:auditor"])] = ABSENT
    task_id: OrEmpty[TaskId] = ABSENT


class Problem(Struct, gc=False, kw_only=True):
    """Why it failed."""

    code: Annotated[str, about("A stable code.", "out_of_disk")]
    message: Annotated[str, about("What went wrong.", "The disk is full.")]
    retryable: Retryable = False


class StepState(Struct, gc=False, kw_only=True):
    """One step of the plan and its state: pending, open, done."""

    step_id: StepId
    kind: StepKind
    state: Annotated[str, about("How far it is.", "open", words=("pending", "open", "done"))]
    agent: Annotated[Text, about("The agent that runs it.", "agent://acme/prod/infra-validator")] = ABSENT


class ControlPolicy(Struct, gc=False, kw_only=True):
    """AXP's three free-form maps, with all patches."""

    grants: Annotated[dict[str, Any], about("The grants.", {"deploy": "prod"})]
    controls: Annotated[dict[str, Any], about("The controls.", {"paused": True})]
    envelope: Annotated[dict[str, Any], about("The envelope.", {"budget": 100})]


class IntentOut(Struct, gc=False, kw_only=True):
    """An intent. Members that do not apply are omitted."""

    _EXAMPLE: ClassVar = ("waiting_reason", "pending_with")

    intent_id: IntentId
    intent_type: IntentType
    status: Status
    lifecycle_status: LifecycleStatus
    waiting_reason: OrEmpty[WaitingReason] = ABSENT
    lifecycle_waiting_reason: OrEmpty[LifecycleWaitingReason] = ABSENT
    created_at: CreatedAt
    updated_at: UpdatedAt
    correlation_id: CorrelationId
    from_agent: FromAgent
    claimed_from_agent: Annotated[
        Text,
        about(
            "The address that the request claimed to come from, if it is not the key's.",
            "agent://acme/prod/other",
        ),
    ] = ABSENT
    to_agent: ToAgent
    reply_to: OrEmpty[ReplyTo] = ABSENT
    payload: Payload
    payload_deleted: PayloadDeleted = ABSENT
    result: Result = ABSENT
    error: Annotated[OrNone[Problem], about("Why it failed.")] = ABSENT
    outcome: OrEmpty[Outcome] = ABSENT
    ending: OrEmpty[Ending] = ABSENT
    decided_by: DecidedBy = ABSENT
    decided_at: OrNone[DecidedAt] = ABSENT
    via: OrEmpty[Via] = ABSENT
    comment: Annotated[
        Text, about("The comment of the person who decided.", "Checked against the runbook.")
    ] = ABSENT
    deadline_at: DeadlineAt = ABSENT
    due_at: OrNone[DueAt] = ABSENT
    remind_after_seconds: Annotated[OrEmpty[float], about("Seconds until the first reminder.", 3600)] = ABSENT
    remind_interval_seconds: Annotated[OrEmpty[float], about("Seconds between reminders.", 7200)] = ABSENT
    max_reminders: Annotated[OrEmpty[int], about("The maximum number of reminders.", 3)] = ABSENT
    remind_count: ReminderCount = 0
    escalate_to: Annotated[
        Text, about("Who else is asked after the reminders: a person, team or role.", "team:sre-leads")
    ] = ABSENT
    max_delivery_attempts: Annotated[
        OrEmpty[int], about("The maximum number of attempts at an agent step.", 3)
    ] = ABSENT
    delivery_attempt: OrEmpty[DeliveryAttempt] = ABSENT
    human_task: Annotated[OrNone[HumanTask], about("The task that asks people.")] = ABSENT
    pending_with: Annotated[OrNone[PendingWith], about("Who has to act.")] = ABSENT
    policy_generation: PolicyGeneration = 0
    workflow_control_policy: Annotated[ControlPolicy, about("AXP's three free-form maps, with all patches.")]
    steps: Annotated[OrEmpty[tuple[StepState, ...]], about("The steps of its plan.")] = ABSENT
    parent_intent_id: OrEmpty[ParentIntentId] = ABSENT
    root_intent_id: Annotated[
        Text,
        about(
            "For a step that is shown as an intent: the whole intent.", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0000"
        ),
    ] = ABSENT
    step_id: OrEmpty[StepId] = ABSENT
    scenario_id: OrEmpty[ScenarioId] = ABSENT
    retry_of: Annotated[
        Text, about("The failed intent that this one repeats.", "01998a3c-7d40-7b1e-9c52-6f0e8a4c0000")
    ] = ABSENT
    rerun_of: Annotated[
        Text,
        about("The intent whose failed step this one runs again.", "01998a3c-7d40-7b1e-9c52-6f0e8a4c0000"),
    ] = ABSENT


class CreatedOut(Ok, kw_only=True):
    """An intent was created; it is durable."""

    intent_id: IntentId
    status: Status
    created_at: CreatedAt
    correlation_id: CorrelationId
    intent: Annotated[IntentOut, about("The intent.")]
    warnings: Warnings = ()


class IntentResponse(Ok, kw_only=True):
    """An intent. The members that most programs read are also at the top level."""

    intent_id: IntentId
    status: Status
    lifecycle_status: LifecycleStatus
    payload: Payload
    result: Result = ABSENT
    intent: Annotated[IntentOut, about("The intent.")]


class IntentsResponse(PageResponse, kw_only=True):
    """Intents, newest first."""

    intents: Annotated[list[IntentOut], about("The intents.")]


class EventOut(Struct, gc=False, kw_only=True):
    """One event in an intent's history."""

    _EXAMPLE: ClassVar = ("pending_with",)

    intent_id: IntentId
    seq: Annotated[int, about("Its number, for ?since=. Numbers grow, with gaps.", 4)]
    event_type: Annotated[str, about("What happened.", "intent.human_task_assigned", words=EVENT_TYPES)]
    status: Annotated[str, about("The status from this event on.", "WAITING", words=STATUSES)]
    at: At
    waiting_reason: OrEmpty[WaitingReason] = ABSENT
    lifecycle_waiting_reason: OrEmpty[LifecycleWaitingReason] = ABSENT
    handler: Annotated[Text, about("The agent that has to act.", "agent://acme/prod/infra-validator")] = (
        ABSENT
    )
    actor: Annotated[str, about("The id of the actor who caused it.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")]
    actor_id: Annotated[str, about("The same as actor.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")]
    via: Via
    pending_with: Annotated[OrNone[PendingWith], about("Who has to act.")] = ABSENT
    human_task: Annotated[OrNone[HumanTask], about("The task that asks people.")] = ABSENT
    details: Annotated[
        dict[str, Any],
        about("Additional values, which depend on the kind of event.", {"outcome": "approved"}),
    ]
    result: Annotated[
        OrEmpty[dict[str, Any]],
        about("The result, at the event that completes the intent.", {"outcome": "approved"}),
    ] = ABSENT


class EventsResponse(Ok, kw_only=True):
    """Events after a cursor, in order."""

    events: Annotated[list[EventOut], about("The events.")]


class Completion(Struct, gc=False, kw_only=True):
    """The delivery of an intent's result to its ``reply_to``."""

    delivered: Annotated[bool, about("Whether it was delivered.", True)]
    reason: Annotated[Text, about("Why not.", "reply_to_not_set")] = ABSENT
    reply_to: OrEmpty[ReplyTo] = ABSENT
    thread_id: OrEmpty[ThreadId] = ABSENT
    message_id: Annotated[Text, about("The message's id.", "01998a3c-7d40-7b1e-9c52-6f0e8a4dffff")] = ABSENT
    completion: Annotated[
        OrEmpty[dict[str, str]],
        about("What was delivered.", {"type": "intent.completion", "status": "COMPLETED"}),
    ] = ABSENT


class IntentChangedResponse(Ok, kw_only=True):
    """The response to a write on an intent. ``applied``: true if the write had an effect, including a repeat of an
    answer that had one; false if the policy generation was stale, or a patch changed nothing. ``receipt``: the
    receipt of a withdrawal.
    """

    _EXAMPLE: ClassVar = ("event",)

    applied: Annotated[
        bool, about("Whether it had an effect; also true for a repeated answer that had one.", True)
    ]
    warnings: Annotated[
        OrEmpty[tuple[str, ...]],
        about(
            "Warnings for the caller, as text; the request was still carried out.",
            ["unknown field, ignored: priority"],
        ),
    ] = ABSENT
    policy_generation: PolicyGeneration
    reason: Annotated[Text, about("Why it had none.", "stale_policy_generation")] = ABSENT
    intent: Annotated[IntentOut, about("The intent.")]
    event: Annotated[OrNone[EventOut], about("The last event that it caused.")] = ABSENT
    completion_delivery: Annotated[
        OrNone[Completion], about("Where the result was sent, if the intent is final.")
    ] = ABSENT
    receipt: Annotated[OrEmpty[ReceiptOut], about("What the action has done, as text.")] = ABSENT


class BulkCancelResponse(Ok, kw_only=True):
    """The intents that were canceled, or in a dry run would be."""

    dry_run: DryRun
    would_cancel: Annotated[int, about("How many a real run would cancel.", 3)]
    canceled: Annotated[int, about("How many were canceled.", 0)]
    intent_ids: Annotated[list[str], about("Their ids.", ["01998a3c-7d40-7b1e-9c52-6f0e8a4d0000"])]


class RetryResponse(Ok, kw_only=True):
    """The new intent."""

    intent_id: IntentId
    status: Status
    retry_of: Annotated[
        str, about("The failed intent that this one repeats.", "01998a3c-7d40-7b1e-9c52-6f0e8a4c0000")
    ]
    warnings: Warnings = ()


class RerunResponse(Ok, kw_only=True):
    """The new intent, or the existing one: an intent is rerun only once."""

    intent_id: IntentId
    status: Status
    rerun_of: Annotated[
        str,
        about("The intent whose failed step this one runs again.", "01998a3c-7d40-7b1e-9c52-6f0e8a4c0000"),
    ]
