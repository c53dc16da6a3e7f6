"""Bodies of requests about intents, tasks and deliveries. AXP's are read leniently, ours (``Strict``) are
not.
"""

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

LONGEST_COMMENT: Final = 5000
Comment: TypeAlias = Annotated[str, Meta(max_length=LONGEST_COMMENT)]
Reason: TypeAlias = Annotated[str, Meta(max_length=2000)]
Word: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Object: TypeAlias = dict[str, Any]
Count: TypeAlias = Annotated[int, Meta(ge=1)]


class Strict(Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of the bodies that our own endpoints take: an unknown member is refused by name."""


class CreateIntent(Struct, kw_only=True):
    """An intent. Where its type has a workflow, that is its plan; else ``human_task``, else ``to_agent``.

    ``on_behalf_of``: the person who wants it (an address or id), who then stands on the requester's side.
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


class Resume(Struct, kw_only=True):
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


class Resolve(Struct, kw_only=True):
    """End an intent from outside: COMPLETED with a result, FAILED with an error, CANCELED with a reason.

    ``actor``, ``owner_agent``, ``internal_scheduler``: as AXP's clients send them; the key alone says who acts.
    """

    status: str
    result: Object = {}
    error: Object = {}
    reason: Reason = ""
    expected_policy_generation: int | None = None
    actor: str = ""
    owner_agent: str = ""
    internal_scheduler: bool = False


class Controls(Struct, kw_only=True):
    """A patch of the free control map, which is kept and shown. ``actor`` and what follows: as in ``Resolve``."""

    controls_patch: Object = {}
    reason: Reason = ""
    expected_policy_generation: int | None = None
    actor: str = ""
    owner_agent: str = ""
    internal_scheduler: bool = False


class Policy(Struct, kw_only=True):
    """A patch of the grants and envelope maps, which are kept and shown: nothing is granted or limited by them.
    ``actor`` and what follows: as in ``Resolve``.
    """

    grants_patch: Object = {}
    envelope_patch: Object = {}
    reason: Reason = ""
    expected_policy_generation: int | None = None
    actor: str = ""
    owner_agent: str = ""
    internal_scheduler: bool = False


class BulkCancel(Struct, kw_only=True):
    """Cancel what has not moved for a while, the oldest first, as far as the caller may. A dry run (the default) says
    what it would cancel. ``q``: words, as in the list of intents.
    """

    older_than_hours: Annotated[float, Meta(ge=0, le=87600)] = 24
    dry_run: bool = True
    reason: Reason = "canceled in bulk"
    limit: Annotated[int, Meta(ge=1, le=500)] = 500
    status_filter: Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET
    intent_type: Word | UnsetType = UNSET
    correlation_id: Word | UnsetType = UNSET
    q: Word | UnsetType = UNSET


class Retry(Strict, kw_only=True):
    """Nothing to say: the new intent repeats the old one."""


class RerunRequest(Strict, kw_only=True):
    """Nothing to say: the new intent runs the failed step of the old one again."""


class Answer(Strict, kw_only=True):
    """One person's answer. ``stage``, ``revision``, ``digest``: as the task showed them; a mismatch is a 409.
    ``number``: your how-manieth answer at this stage it is; needed only to go back to one that you have changed.
    """

    outcome: Annotated[str, Meta(min_length=1, max_length=64)]
    comment: Comment = ""
    data: Object = {}
    stage: Count | None = None
    revision: int | None = None
    number: Count | None = None
    digest: str | None = None


class Decision(Struct, kw_only=True):
    """AXP's approval decision: approve or reject. ``stage``, ``revision``, ``digest``: as the task showed them, where
    the client knows them.
    """

    decision: str
    comment: Comment = ""
    reason: Comment = ""
    outcome: str | None = None
    approved: bool | None = None
    stage: Count | None = None
    revision: int | None = None
    digest: str | None = None


class Claim(Strict, kw_only=True):
    """Take deliveries under a lease; ``wait_seconds`` is how long to wait when there are none."""

    holder: Annotated[str, Meta(max_length=255)] = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 1
    lease_seconds: Annotated[float, Meta(ge=1, le=3600)] = 30
    wait_seconds: Annotated[float, Meta(ge=0, le=55)] = 0


class Renew(Strict, kw_only=True):
    """Hold the delivery longer."""

    token: int
    lease_seconds: Annotated[float, Meta(ge=1, le=3600)] = 30


class Release(Strict, kw_only=True):
    """Give the delivery back unstarted."""

    token: int


class AgentError(Strict, kw_only=True):
    """Why the step failed. ``retryable``: trying again could help."""

    code: Annotated[str, Meta(min_length=1, max_length=128)] = "agent_failed"
    message: Annotated[str, Meta(max_length=2000)] = ""
    retryable: bool = False


class Report(Strict, kw_only=True):
    """The step's outcome: a result, or an error."""

    token: int
    result: Object | None = None
    error: AgentError | None = None


class Bundle(Struct, kw_only=True):
    """An AXP ScenarioBundle."""

    scenario_id: str = ""
    title: str = ""
    description: str = ""
    idempotency_key: str = ""
    agents: list[Object] = []
    humans: list[Object] = []
    workflow: Object | None = None
    intent: Object


class WorkflowSource(Strict, kw_only=True):
    """A workflow as it stands in its file."""

    workflow: str
    intent_type: str
    steps: list[Object]
    max_revisions: int = 5
