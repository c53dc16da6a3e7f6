"""What the SDK reads from the server's answers: frozen records, tolerant of fields they do not know.

Each record reads like a mapping of the JSON it came from (``task["title"]``), has typed attributes for what
the documentation names, and keeps everything in ``raw``. A missing or misshapen field becomes its default.
"""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from signoff.client.errors import (
    IntentCanceled,
    IntentExpired,
    IntentFailed,
    IntentRejected,
    IntentSuperseded,
    IntentTimedOut,
    IntentUndeliverable,
    IntentWithdrawn,
)
from signoff.client.records import Json, Record

FINAL: Final = frozenset({"COMPLETED", "FAILED", "CANCELED", "TIMED_OUT"})


@dataclass(frozen=True, eq=False)
class Actor(Record):
    """Who did or asked something: ``kind`` is person, agent, service or system."""

    kind: str = ""
    id: str = ""
    address: str = ""
    name: str = ""
    email: str = ""
    roles: tuple[str, ...] = ()

    @classmethod
    def read(cls, raw: object) -> Self:
        return cls(id=raw) if isinstance(raw, str) else super().read(raw)


@dataclass(frozen=True, eq=False)
class StepError(Record):
    """Why an intent failed."""

    code: str = ""
    message: str = ""
    retryable: bool = False


@dataclass(frozen=True, eq=False)
class Event(Record):
    """A fact in an intent's history. ``seq`` grows, with gaps."""

    intent_id: str = ""
    seq: int = 0
    event_type: str = ""
    status: str = ""
    at: datetime | None = None
    waiting_reason: str = ""
    actor: str = ""
    handler: str = ""
    pending_with: Json = field(default_factory=dict)
    human_task: Json = field(default_factory=dict, repr=False)
    details: Json = field(default_factory=dict, repr=False)

    @property
    def final(self) -> bool:
        """Whether nothing can follow it."""
        return self.status in FINAL


@dataclass(frozen=True, eq=False)
class Intent(Record):
    """A durable request and its state."""

    intent_id: str = ""
    intent_type: str = ""
    status: str = ""
    waiting_reason: str = ""
    from_agent: str = ""
    to_agent: str = ""
    correlation_id: str = ""
    payload: Json = field(default_factory=dict, repr=False)
    result: Json = field(default_factory=dict, repr=False)
    error: StepError | None = None
    outcome: str = ""
    ending: str = ""
    decided_by: str = ""
    decided_at: datetime | None = None
    via: str = ""
    comment: str = field(default="", repr=False)
    pending_with: Json = field(default_factory=dict)
    human_task: Json = field(default_factory=dict, repr=False)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deadline_at: datetime | None = None
    rerun_of: str = ""

    @property
    def final(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.status in FINAL

    @property
    def completed(self) -> bool:
        """Whether it came to what it was asked for: the last decision on its way was a yes, nobody was asked and
        nothing failed, or its workflow declares the way that it went a success. Code goes on only then.
        """
        return self.status == "COMPLETED"

    @property
    def approved(self) -> bool:
        """Whether it is completed and the last decision was a person's yes.

        Silence is none, and neither is an agent's result that calls itself approved.
        """
        return self.completed and self.ending == "approved"


@dataclass(frozen=True, eq=False)
class Result(Intent):
    """A final intent: what ``wait_for`` returns for every way in which an intent can end."""

    def raise_for_status(self) -> Self:
        """Itself when completed, and only then; else raises IntentRejected, -Expired, -Withdrawn, -Superseded,
        -Undeliverable, -Canceled, -TimedOut, or IntentFailed.
        """
        failure = self.failure
        if failure is None:
            return self
        why = self.error.message if self.error is not None else ""
        message = f"Intent {self.intent_id} ended {self.status}" + (f": {why}" if why else ".")
        raise failure(message, self)

    @property
    def failure(self) -> type[IntentFailed] | None:
        """What ``raise_for_status`` raises; None where it raises nothing. What people said counts where that is why the
        intent ended.
        """
        if self.completed:
            return None
        if self.status == "CANCELED":
            return IntentWithdrawn if self.ending == "withdrawn" else IntentCanceled
        if self.status == "TIMED_OUT":
            return IntentExpired if self.ending == "expired" else IntentTimedOut
        code = self.error.code if self.error is not None else self.ending
        kind, ending = _FAILURES.get(code, (IntentFailed, ""))
        if self.ending in ("", ending):
            return kind
        return IntentTimedOut if code == "step_timeout" else IntentFailed


# Why an intent failed, by its error's code (the ending where there is none): what is raised, and its ending.
_FAILURES: Final[dict[str, tuple[type[IntentFailed], str]]] = {
    "human_rejected": (IntentRejected, "rejected"),
    "rejected": (IntentRejected, "rejected"),
    "expired": (IntentExpired, "expired"),
    "step_timeout": (IntentExpired, "expired"),
    "changes_requested": (IntentSuperseded, "superseded"),
    "superseded": (IntentSuperseded, "superseded"),
    "undeliverable": (IntentUndeliverable, "undeliverable"),
}


@dataclass(frozen=True, eq=False)
class Vote(Record):
    """One person's answer to a task."""

    person: str = ""
    name: str = ""
    outcome: str = ""
    comment: str = ""
    at: datetime | None = None
    via: str = ""


@dataclass(frozen=True, eq=False)
class Task(Record):
    """A human step opened for people. ``stage``, ``revision`` and ``digest`` name what is being decided.

    result_revisions: the revision that each of the previous results is of; an earlier one's counts for nothing.
    changes: what was changed from revision to revision, where something was.
    """

    task_id: str = ""
    intent_id: str = ""
    intent_type: str = ""
    step_id: str = ""
    state: str = ""
    task_type: str = ""
    title: str = ""
    description: str = field(default="", repr=False)
    risk: str = ""
    strength: str = ""
    allowed_outcomes: tuple[str, ...] = ()
    outcomes: tuple[Json, ...] = ()
    form_schema: Json = field(default_factory=dict, repr=False)
    comment_required: bool = False
    evidence_required: bool = False
    payload: Json = field(default_factory=dict, repr=False)
    previous_results: Json = field(default_factory=dict, repr=False)
    result_revisions: Json = field(default_factory=dict, repr=False)
    next_steps: tuple[Json, ...] = field(default=(), repr=False)
    requester: Actor = field(default_factory=Actor)
    approvers: tuple[str, ...] = ()
    stage: int = 0
    stages: int = 0
    opened_at: datetime | None = None
    due_at: datetime | None = None
    next_reminder_at: datetime | None = None
    escalation_at: datetime | None = None
    reminders_sent: int = 0
    revision: int = 0
    digest: str = field(default="", repr=False)
    votes: tuple[Vote, ...] = ()
    changes: tuple[Json, ...] = field(default=(), repr=False)
    outcome: str = ""
    ending: str = ""
    decided_at: datetime | None = None
    decided_by: str = ""
    via: str = ""
    on_expiry: str = field(default="", repr=False)

    @property
    def open(self) -> bool:
        return self.state == "open"


@dataclass(frozen=True, eq=False)
class Delivery(Record):
    """An agent step in this process's hands: what a function of an Agent gets.

    idempotency_key: the same on every attempt; pass it on to whatever the function calls.
    revision: of the request, as it was decided; result_revisions: the revision that each previous result is of.
    lease_lost: set once another process may have the step too: what is done after it may be done twice.
    max_report_bytes: how large the result may be, as JSON with its envelope; 0 when the server does not say.
    """

    delivery_id: str = ""
    intent_id: str = ""
    intent_type: str = ""
    step_id: str = ""
    attempt: int = 1
    token: int = 0
    lease_until: datetime | None = None
    lease_seconds: float = 0.0
    payload: Json = field(default_factory=dict, repr=False)
    input: Json = field(default_factory=dict, repr=False)
    previous_results: Json = field(default_factory=dict, repr=False)
    result_revisions: Json = field(default_factory=dict, repr=False)
    revision: int = 0
    idempotency_key: str = ""
    requester: Actor = field(default_factory=Actor)
    correlation_id: str = ""
    created_at: datetime | None = None
    deadline_at: datetime | None = None
    max_report_bytes: int = 0
    lease_lost: threading.Event = field(default_factory=threading.Event, repr=False, metadata={"wire": False})

    @property
    def id(self) -> str:
        """The intent's id."""
        return self.intent_id

    @property
    def type(self) -> str:
        """The intent's type."""
        return self.intent_type


@dataclass(frozen=True, eq=False)
class Workflow(Record):
    """A named, versioned template of a plan, chosen by intent type."""

    name: str = ""
    intent_type: str = ""
    version: int = 0
    strength: str = ""
    steps: tuple[Json, ...] = field(default=(), repr=False)
    source: Json = field(default_factory=dict, repr=False)
    applied_by: str = ""
    applied_at: datetime | None = None


@dataclass(frozen=True, eq=False)
class AppliedWorkflow(Record):
    """``changed`` is False when the same template was in force already."""

    changed: bool = False
    workflow: Workflow = field(default_factory=Workflow)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class AppliedScenario(Record):
    """A scenario bundle in motion."""

    intent_id: str = ""
    scenario_id: str = ""
    status: str = ""
    agents: tuple[Json, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ScenarioCheck(Record):
    """What ``validate_scenario`` found; nothing was created."""

    valid: bool = False
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Account(Record):
    """A registered agent. ``last_seen``: when work was last asked for, in words (``never``, ``now``, ``3d ago``)."""

    service_account_id: str = ""
    address: str = ""
    name: str = ""
    display_name: str = ""
    description: str = ""
    status: str = ""
    delivery_mode: str = ""
    callback_url: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_seen_at: datetime | None = None
    last_seen_client: str = ""
    last_seen: str = ""


@dataclass(frozen=True, eq=False)
class Key(Record):
    """A key; ``api_key`` is its secret, given once, when it is created."""

    kind: str = ""
    address: str = ""
    key_id: str = ""
    api_key: str = field(default="", repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, eq=False)
class AuditEvent(Record):
    """One link of an intent's history; ``body`` is the text that was hashed, ``private`` may be erased."""

    seq: int = 0
    at: datetime | None = None
    type: str = ""
    actor: Actor = field(default_factory=Actor)
    via: str = ""
    summary: str = ""
    comment: str = field(default="", repr=False)
    event: Json = field(default_factory=dict, repr=False)
    body: str = field(default="", repr=False)
    private: str = field(default="", repr=False)
    hash: str = field(default="", repr=False)


@dataclass(frozen=True, eq=False)
class AuditTrail(Record):
    """An intent's whole history with its hash chain; ``verified`` is the server's own check of it."""

    intent_id: str = ""
    seq: int = 0
    head: str = ""
    verified: bool = False
    problem: str = ""
    events: tuple[AuditEvent, ...] = field(default=(), repr=False)


@dataclass(frozen=True, eq=False)
class Me(Record):
    """Whom the key stands for, and where."""

    actor: Actor = field(default_factory=Actor)
    organization: str = ""
    workspace: str = ""
    self_approval: bool = False
    default_policy: str = ""
    unlisted_types: str = ""
    server: Json = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Health(Record):
    """That the server answers."""

    ok: bool = False
    service: str = ""
    version: str = ""
