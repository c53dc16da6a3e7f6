"""Intents and their events."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from signoff.wire.common import (
    ABSENT,
    Count,
    JsonObject,
    Object,
    Ok,
    OrEmpty,
    OrNone,
    PageAnswer,
    Reason,
    ReceiptOut,
    Strict,
    Text,
    Word,
)


class CreateIntentRequest(Struct, kw_only=True):
    """An intent. If its type has a workflow, that is its plan; else ``human_task``, else ``to_agent``.

    ``on_behalf_of``: the person it is for (an address or id), who is then on the requester's side.
    """

    intent_type: str
    to_agent: str = ""
    payload: Object = {}
    reply_to: str = ""
    correlation_id: str = ""
    from_agent: str = ""
    on_behalf_of: str = ""
    deadline_at: datetime | None = None
    remind_after_seconds: Count | None = None
    remind_interval_seconds: Count | None = None
    max_reminders: Count | None = None
    escalate_to: str = ""
    max_delivery_attempts: Count | None = None
    human_task: Object | None = None


class ResumeRequest(Struct, kw_only=True):
    """One of AXP's resume shapes: ``task_result``, ``approve_current_step``, ``action``, or any result."""

    task_result: Object | None = None
    outcome: str | None = None
    approve_current_step: bool | None = None
    action: str | None = None
    reason: str | None = None
    stage: int | None = None
    revision: int | None = None
    digest: str | None = None
    expected_policy_generation: int | None = None


class ResolveRequest(Struct, kw_only=True):
    """End an intent from outside: COMPLETED with a result, FAILED with an error, CANCELED with a reason.

    ``actor``, ``owner_agent``, ``internal_scheduler``: as AXP's clients send them; only the key determines the
    actor.
    """

    status: str
    result: Object = {}
    error: Object = {}
    reason: Reason = ""
    expected_policy_generation: int | None = None
    actor: str = ""
    owner_agent: str = ""
    internal_scheduler: bool = False


class ControlsRequest(Struct, kw_only=True):
    """A patch of the free control map, which is stored and shown. ``actor`` and the following: as in ``Resolve``."""

    controls_patch: Object = {}
    reason: Reason = ""
    expected_policy_generation: int | None = None
    actor: str = ""
    owner_agent: str = ""
    internal_scheduler: bool = False


class PolicyRequest(Struct, kw_only=True):
    """A patch of the grants and envelope maps, which are stored and shown: they grant and limit nothing. ``actor`` and
    the following: as in ``Resolve``.
    """

    grants_patch: Object = {}
    envelope_patch: Object = {}
    reason: Reason = ""
    expected_policy_generation: int | None = None
    actor: str = ""
    owner_agent: str = ""
    internal_scheduler: bool = False


class BulkCancelRequest(Struct, kw_only=True):
    """Cancel intents without recent changes, the oldest first, as far as the caller may. A dry run (the default)
    reports what it would cancel. ``q``: search words, as in the list of intents.
    """

    older_than_hours: Annotated[float, Meta(ge=0, le=87600)] = 24
    dry_run: bool = True
    reason: Reason = "canceled in bulk"
    limit: Annotated[int, Meta(ge=1, le=500)] = 500
    status_filter: Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET
    intent_type: Word | UnsetType = UNSET
    correlation_id: Word | UnsetType = UNSET
    q: Word | UnsetType = UNSET


class RetryRequest(Strict, kw_only=True):
    """An empty body: the new intent repeats the old one."""


class RerunRequest(Strict, kw_only=True):
    """An empty body: the new intent reruns the failed step of the old one."""


class UseRequest(Strict, kw_only=True):
    """Act on the outcome, once. ``use``: the caller's own name for this use; the same one may be repeated."""

    use: Word


class UsedAnswer(Ok, kw_only=True):
    """The outcome is used by this caller, and by no other."""

    intent_id: str
    use: str
    used_at: datetime


class PayloadOut(Struct, kw_only=True):
    """A payload, and the last revision that it was decided on under."""

    revision: int
    payload: JsonObject


class RevisionsAnswer(Ok, kw_only=True):
    """Every payload of the intent, oldest first; the last is the current one. ``payload_deleted``: they were
    deleted.
    """

    intent_id: str
    payload_deleted: OrEmpty[bool] = ABSENT
    revisions: list[PayloadOut]


class PendingWith(Struct, gc=False, kw_only=True):
    """Who has to act: an agent, people, or the runtime itself."""

    type: str
    ref: str
    name: str


class OutcomeOut(Struct, gc=False, kw_only=True):
    """One outcome of a task: its name; means: approve, reject or changes; label: of its button."""

    name: str
    means: str
    label: str


class HumanTask(Struct, gc=False, kw_only=True):
    """A task in AXP's terms."""

    title: str
    task_type: str
    allowed_outcomes: tuple[str, ...]
    required_comment: bool
    evidence_required: bool
    description: Text = ABSENT
    assignees: OrEmpty[tuple[str, ...]] = ABSENT
    form_schema: OrEmpty[dict[str, Any]] = ABSENT
    notify: OrEmpty[tuple[str, ...]] = ABSENT
    task_id: Text = ABSENT


class Problem(Struct, gc=False, kw_only=True):
    """Why it failed."""

    code: str
    message: str
    retryable: bool = False


class StepState(Struct, gc=False, kw_only=True):
    """One step of the plan and its state: pending, open, done."""

    step_id: str
    kind: str
    state: str
    agent: Text = ABSENT


class ControlPolicy(Struct, gc=False, kw_only=True):
    """AXP's three free maps, as patched."""

    grants: dict[str, Any]
    controls: dict[str, Any]
    envelope: dict[str, Any]


class IntentOut(Struct, gc=False, kw_only=True):
    """An intent. Members that do not apply are left out."""

    intent_id: str
    intent_type: str
    status: str
    lifecycle_status: str
    waiting_reason: Text = ABSENT
    lifecycle_waiting_reason: Text = ABSENT
    created_at: datetime
    updated_at: datetime
    correlation_id: str
    from_agent: str
    claimed_from_agent: Text = ABSENT
    to_agent: str
    reply_to: Text = ABSENT
    payload: JsonObject
    payload_deleted: OrEmpty[bool] = ABSENT
    result: OrEmpty[dict[str, Any]] = ABSENT
    error: OrNone[Problem] = ABSENT
    outcome: Text = ABSENT
    ending: Text = ABSENT
    decided_by: Text = ABSENT
    decided_at: OrNone[datetime] = ABSENT
    via: Text = ABSENT
    comment: Text = ABSENT
    deadline_at: OrNone[datetime] = ABSENT
    due_at: OrNone[datetime] = ABSENT
    remind_after_seconds: OrEmpty[float] = ABSENT
    remind_interval_seconds: OrEmpty[float] = ABSENT
    max_reminders: OrEmpty[int] = ABSENT
    remind_count: int = 0
    escalate_to: Text = ABSENT
    max_delivery_attempts: OrEmpty[int] = ABSENT
    delivery_attempt: OrEmpty[int] = ABSENT
    human_task: OrNone[HumanTask] = ABSENT
    pending_with: OrNone[PendingWith] = ABSENT
    policy_generation: int = 0
    workflow_control_policy: ControlPolicy
    steps: OrEmpty[tuple[StepState, ...]] = ABSENT
    parent_intent_id: Text = ABSENT
    root_intent_id: Text = ABSENT
    step_id: Text = ABSENT
    scenario_id: Text = ABSENT
    retry_of: Text = ABSENT
    rerun_of: Text = ABSENT


class CreatedOut(Ok, kw_only=True):
    """An intent was created; it is durable."""

    intent_id: str
    status: str
    created_at: datetime
    correlation_id: str
    intent: IntentOut
    warnings: tuple[str, ...] = ()


class IntentAnswer(Ok, kw_only=True):
    """An intent; the members that most programs read are at the top too."""

    intent_id: str
    status: str
    lifecycle_status: str
    payload: JsonObject
    result: OrEmpty[dict[str, Any]] = ABSENT
    intent: IntentOut


class IntentsAnswer(PageAnswer, kw_only=True):
    """Intents, newest first."""

    intents: list[IntentOut]


class EventOut(Struct, gc=False, kw_only=True):
    """One event of an intent's life."""

    intent_id: str
    seq: int
    event_type: str
    status: str
    at: datetime
    waiting_reason: Text = ABSENT
    lifecycle_waiting_reason: Text = ABSENT
    handler: Text = ABSENT
    actor: str
    actor_id: str
    via: str
    pending_with: OrNone[PendingWith] = ABSENT
    human_task: OrNone[HumanTask] = ABSENT
    details: dict[str, Any]
    result: OrEmpty[dict[str, Any]] = ABSENT


class EventsAnswer(Ok, kw_only=True):
    """Events after a cursor, in order."""

    events: list[EventOut]


class Completion(Struct, gc=False, kw_only=True):
    """Where the result of an intent was sent."""

    delivered: bool
    reason: Text = ABSENT
    reply_to: Text = ABSENT
    thread_id: Text = ABSENT
    message_id: Text = ABSENT
    completion: OrEmpty[dict[str, str]] = ABSENT


class IntentChangedAnswer(Ok, kw_only=True):
    """The response to a write on an intent; ``applied`` is true if it had an effect, and for a repeated answer that had
    one; false if the policy generation was stale, or a patch changed nothing. ``receipt``: of a withdrawal.
    """

    applied: bool
    warnings: OrEmpty[tuple[str, ...]] = ABSENT
    policy_generation: int
    reason: Text = ABSENT
    intent: IntentOut
    event: OrNone[EventOut] = ABSENT
    completion_delivery: OrNone[Completion] = ABSENT
    receipt: OrEmpty[ReceiptOut] = ABSENT


class BulkCancelAnswer(Ok, kw_only=True):
    """The intents canceled, or (dry run) to be canceled."""

    dry_run: bool
    would_cancel: int
    canceled: int
    intent_ids: list[str]


class RetryAnswer(Ok, kw_only=True):
    """The new intent."""

    intent_id: str
    status: str
    retry_of: str
    warnings: tuple[str, ...] = ()


class RerunAnswer(Ok, kw_only=True):
    """The new intent, or the existing one: an intent is rerun only once."""

    intent_id: str
    status: str
    rerun_of: str
