"""The model of an intent. All values are frozen; only ``evolve`` creates new ones."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from signoff.core.directory.actors import ActorKind
from signoff.core.ids import step_run_id
from signoff.core.plan.plan import NO_PLAN, HumanStep, Plan
from signoff.core.plan.task_types import Ending, TaskSpec, Trait, Vote


class Status(StrEnum):
    """Statuses on the wire (AXP's ten). SUBMITTED is accepted in filters; no intent stays in it."""

    CREATED = "CREATED"
    SUBMITTED = "SUBMITTED"
    DELIVERED = "DELIVERED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    IN_PROGRESS = "IN_PROGRESS"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TIMED_OUT = "TIMED_OUT"


FINAL: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELED, Status.TIMED_OUT})


class Waiting(StrEnum):
    HUMAN = "WAITING_FOR_HUMAN"
    AGENT = "WAITING_FOR_AGENT"
    TOOL = "WAITING_FOR_TOOL"
    TIME = "WAITING_FOR_TIME"


class Requester(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The requester: the actor, its address, what the client claimed to be, and the people who control it."""

    kind: ActorKind
    id: str
    address: str = ""
    claimed: str = ""
    persons: tuple[str, ...] = ()


class Failure(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """Why something failed: a stable code, a sentence, and whether a retry could help."""

    code: str
    message: str
    retryable: bool = False


class DeliveryState(StrEnum):
    """The state of a delivery: offered, leased, accepted by push, or backing off before a retry."""

    OFFERED = "ready"
    LEASED = "leased"
    ACCEPTED = "accepted"
    BACKING_OFF = "resting"


class Delivery(msgspec.Struct, gc=False, frozen=True, omit_defaults=True, tag="agent"):
    """An open agent step. ``token``: the fencing token; under a lease, only the holder of the current one reports."""

    step_run: int = msgspec.field(name="visit")
    step: str
    agent: str
    attempt: int = 1
    state: DeliveryState = msgspec.field(default=DeliveryState.OFFERED, name="hold")
    token: int = 0
    holder: str = ""
    lease_until: datetime | None = None
    retry_at: datetime | None = None
    deadline_at: datetime | None = None
    failures: int = 0
    push: bool = False


class Delegation(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """A person's vote in a task, as one of the approvers ``names``, that they delegated to another person."""

    delegator: str = msgspec.field(name="giver")
    delegate: str = msgspec.field(name="taker")
    names: frozenset[str] = frozenset()


class Snoozing(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """One person's snooze of a task, from ``since`` to ``until``. ``over``: whether it has ended."""

    person: str
    since: datetime
    until: datetime
    over: bool = False


class Task(msgspec.Struct, gc=False, frozen=True, omit_defaults=True, tag="human"):
    """The state of an open human step, whose spec is in the plan. ``assigned``: who is asked instead at this stage;
    ``pinned_members`` and ``asked_delegates``: the members of their teams and roles at that time, and the delegates;
    ``assigned_by``: the people who have the key that chose them;
    ``reached_at``: when each escalation level was reached; ``agreed``: the approving outcome that the previous stage
    chose; ``joined``, ``left``, ``delegates``: as in ``TaskOpened``.
    """

    step_run: int = msgspec.field(name="visit")
    step: str
    opened_at: datetime
    digest: str
    revision: int = 1
    deadline_at: datetime | None = None
    stage: int = 0
    stage_at: datetime | None = None
    assigned: tuple[str, ...] = ()
    pinned_members: dict[str, tuple[str, ...]] = msgspec.field(default={}, name="roster")
    delegations: tuple[Delegation, ...] = msgspec.field(default=(), name="handed_over")
    reviewed_by: str = msgspec.field(default="", name="taken_by")
    votes: tuple[Vote, ...] = ()
    reminded: int = 0
    reminded_at: datetime | None = None
    escalated: int = 0
    reached_at: tuple[datetime, ...] = ()
    snoozes: tuple[Snoozing, ...] = ()
    agreed: str = ""
    joined: dict[str, tuple[str, ...]] = {}
    left: dict[str, tuple[str, ...]] = {}
    delegates: dict[str, tuple[str, ...]] | None = msgspec.field(default=None, name="stand_ins")
    asked_delegates: dict[str, tuple[str, ...]] = msgspec.field(default={}, name="asked_stand_ins")
    assigned_by: tuple[str, ...] = ()


class Delay(msgspec.Struct, gc=False, frozen=True, omit_defaults=True, tag="delay"):
    """An open delay step."""

    step_run: int = msgspec.field(name="visit")
    step: str
    until: datetime


OpenStep = Delivery | Task | Delay


class Intent(msgspec.Struct, gc=False, frozen=True, omit_defaults=True, kw_only=True):
    """A durable request, stored as one row. ``seq`` and ``head``: the end of its hash chain; ``setback``: the failure
    that it ends with unless a person approves first; ``changes_requested_by``: the steps whose approvers requested
    changes and were not asked again since; ``objected_by``: as returned by ``objections``; ``delegates``,
    ``self_approval``, ``by_admin``: as in ``Created``; ``reported``: the revision that each agent's result was produced
    for.
    """

    id: str
    workspace: str
    type: str
    requester: Requester
    payload_digest: str
    plan_digest: str
    created_at: datetime
    updated_at: datetime
    status: Status = Status.CREATED
    plan: Plan = NO_PLAN
    to_agent: str = ""
    reply_to: str = ""
    correlation_id: str = ""
    scenario_id: str = ""
    retry_of: str = ""
    rerun_of: str = ""
    deadline_at: datetime | None = None
    waiting: Waiting | None = None
    open: OpenStep | None = None
    step_runs: int = msgspec.field(default=0, name="visits")
    revision: int = 1
    revisions: int = 0
    editors: tuple[str, ...] = ()
    approving_editors: tuple[str, ...] = ()
    results: dict[str, Any] = {}
    reported: dict[str, int] = {}
    last_step: str = ""
    resolved: dict[str, Any] | None = None
    outcome: str = ""
    ending: Ending | None = None
    fault: Failure | None = None
    setback: Failure | None = None
    changes_requested_by: tuple[str, ...] = msgspec.field(default=(), name="wanted")
    objected_by: tuple[str, ...] = ()
    reminded: int = 0
    generation: int = 0
    controls: dict[str, Any] = {}
    grants: dict[str, Any] = {}
    envelope: dict[str, Any] = {}
    delegates: dict[str, tuple[str, ...]] | None = msgspec.field(default=None, name="stand_ins")
    self_approval: bool | None = None
    traceparent: str = ""
    by_admin: bool = False
    seq: int = 0
    head: str = ""

    @property
    def final(self) -> bool:
        return self.status in FINAL

    @property
    def approval_overtaken(self) -> bool:
        """Whether people approved, but the request was then canceled, failed or timed out: nothing may continue on that
        approval.
        """
        return self.final and self.status is not Status.COMPLETED and self.ending is Ending.APPROVED

    def ref(self, step_run: int) -> str:
        """The id by which an agent or a person knows this step run."""
        return (
            self.id
            if self.plan.direct and isinstance(self.open, Delivery)
            else step_run_id(self.id, step_run)
        )


def last_decision(intent: Intent) -> tuple[datetime, HumanStep] | None:
    """Time and step of the latest decision; None if no task of this intent was decided. A rerun carries over another
    intent's results.
    """
    found = [
        (datetime.fromisoformat(str(result["decided_at"])), number, step)
        for number, step in enumerate(intent.plan.steps)
        if isinstance(step, HumanStep)
        and isinstance(result := intent.results.get(step.id), dict)
        and "decided_at" in result
    ]
    if not found:
        return None
    at, _, step = max(found, key=lambda one: one[:2])
    return (at, step) if at >= intent.created_at else None


def consented(intent: Intent) -> bool:
    """Whether people consented to the current payload: their last decision approved it, in a task whose approval means
    consent, and no task is open in which it could be changed.
    """
    if isinstance(intent.open, Task) or intent.ending is not Ending.APPROVED:
        return False
    human = [step for step in intent.plan.steps if isinstance(step, HumanStep) and step.id in intent.results]
    decided = [(intent.results[step.id].get("decided_at", ""), number) for number, step in enumerate(human)]
    return bool(decided) and Trait.CONSENT in human[max(decided)[1]].task.type.traits


def spec_of(intent: Intent, task: Task) -> TaskSpec:
    """The spec of the open task, from the frozen plan."""
    return intent.plan.tasks[task.step]
