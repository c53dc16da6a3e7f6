"""The SDK's view of responses: the structs of ``signoff.wire`` as frozen, tolerant records.

Each record is a mapping of the JSON that it came from (``task["title"]``), has the attributes of its struct, and
keeps everything in ``raw``. A missing or malformed field gets its default.
"""

import threading
from typing import TYPE_CHECKING, Any, Final, Self

from msgspec import field

from signoff import wire
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
from signoff.client.records import Record

FINAL: Final = frozenset({"COMPLETED", "FAILED", "CANCELED", "TIMED_OUT"})


class Actor(Record, wire.system.SelfOut, eq=False, kw_only=True):
    """The actor of an action or a request: ``kind`` is person, agent, service or system."""

    @classmethod
    def read(cls, raw: object) -> Self:
        return super().read({"id": raw} if isinstance(raw, str) else raw)


class StepError(Record, wire.intents.Problem, eq=False, kw_only=True):
    """Why an intent failed."""


class Event(Record, wire.intents.EventOut, eq=False, kw_only=True):
    """An event in an intent's history. ``seq``: its number; numbers grow, with gaps."""

    @property
    def final(self) -> bool:
        """Whether no further events can follow."""
        return self.status in FINAL


class Intent(Record, wire.intents.IntentOut, eq=False, kw_only=True):
    """A durable request and its state."""

    error: StepError | None = None

    @property
    def final(self) -> bool:
        """Whether it has ended, in any way."""
        return self.status in FINAL

    @property
    def completed(self) -> bool:
        """Whether it achieved its purpose: the last decision on its path was an approval, or no one was asked and
        nothing failed, or its workflow declares the path a success. Continue only if it is true.
        """
        return self.status == "COMPLETED"

    @property
    def approved(self) -> bool:
        """Whether it completed and the last decision was a person's approval.

        An expired task is not an approval, and neither is an agent's result that calls itself approved.
        """
        return self.completed and self.raw.get("ending", self.ending) == "approved"


class Result(Intent, eq=False, kw_only=True):
    """A final intent, returned by ``wait_for`` for every ending."""

    def raise_for_status(self) -> Self:
        """Return itself if it completed; otherwise raise IntentRejected, -Expired, -Withdrawn, -Superseded,
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
        """What ``raise_for_status`` raises; None if it raises nothing. A person's decision counts if it
        ended the intent; an agent's error may have any code.
        """
        if self.completed:
            return None
        if self.status == "CANCELED":
            return IntentWithdrawn if self.ending == "withdrawn" else IntentCanceled
        if self.status == "TIMED_OUT":
            return IntentExpired if self.ending == "expired" else IntentTimedOut
        code = self.error.code if self.error is not None else self.ending
        kind, ending = _FAILURES.get(code, (IntentFailed, ""))
        if self.ending and self.ending == ending:
            return kind
        return IntentTimedOut if code == "step_timeout" else IntentFailed


# By a failed intent's error code or ending: the exception, and the ending.
_FAILURES: Final[dict[str, tuple[type[IntentFailed], str]]] = {
    "human_rejected": (IntentRejected, "rejected"),
    "rejected": (IntentRejected, "rejected"),
    "expired": (IntentExpired, "expired"),
    "step_timeout": (IntentExpired, "expired"),
    "changes_requested": (IntentSuperseded, "superseded"),
    "superseded": (IntentSuperseded, "superseded"),
    "undeliverable": (IntentUndeliverable, "undeliverable"),
}


class Vote(Record, wire.tasks.VoteOut, eq=False, kw_only=True):
    """One person's answer to a task."""


class Task(Record, wire.tasks.TaskOut, eq=False, kw_only=True):
    """A human step that is open for people. ``stage``, ``revision`` and ``digest`` name what is being decided.

    result_revisions: the revision that each previous result belongs to; results of an earlier revision do not count.
    changes: what changed from revision to revision, if anything did.
    """

    requester: Actor = field(default_factory=lambda: Actor.read({}))
    votes: tuple[Vote, ...] = ()

    @property
    def open(self) -> bool:
        return self.state == "open"


class Delivery(Record, wire.deliveries.DeliveryOut, eq=False, kw_only=True):
    """An agent step that this process has claimed, as passed to a handler of an Agent.

    idempotency_key: the same on every attempt; pass it on to the services that the handler calls. revision: the
    decided revision of the request; result_revisions: the revision that each previous result belongs to. lease_lost:
    set when another process may have the step too, so that any more work may be done twice. max_report_bytes: the
    maximum size of the result, as JSON with its envelope; 0 if the server does not send it.
    """

    attempt: int = 1
    requester: Actor = field(default_factory=lambda: Actor.read({}))
    max_report_bytes: int = 0
    lease_lost: threading.Event = field(default_factory=threading.Event)

    if TYPE_CHECKING:  # every field may be omitted, for tests of a handler

        def __init__(self, **fields: Any) -> None: ...

    @property
    def id(self) -> str:
        """The intent's id."""
        return self.intent_id

    @property
    def type(self) -> str:
        """The intent's type."""
        return self.intent_type


class Workflow(Record, wire.workflows.WorkflowOut, eq=False, kw_only=True):
    """A named, versioned template of a plan, chosen by intent type."""


class AppliedWorkflow(Record, wire.workflows.AppliedOut, eq=False, kw_only=True):
    """An applied workflow. ``changed``: False if the same template was already active."""

    workflow: Workflow = field(default_factory=lambda: Workflow.read({}))


class AppliedScenario(Record, wire.scenarios.ScenarioApplied, eq=False, kw_only=True):
    """A started scenario bundle."""


class ScenarioCheck(Record, wire.scenarios.ScenarioCheckResponse, eq=False, kw_only=True):
    """The findings of ``validate_scenario``; nothing was created."""


class Account(Record, wire.accounts.AccountOut, eq=False, kw_only=True):
    """A registered agent. ``last_seen``: when it last asked for work, as text (``never``, ``now``, ``3d ago``)."""


class AgentHealth(Record, wire.mesh.MeshAgent, eq=False, kw_only=True):
    """An agent and its ``health_status``: healthy, unreachable, unknown or killed."""


class Key(Record, wire.keys.NewKeyOut, eq=False, kw_only=True):
    """A key. ``api_key``: its secret, returned only at creation."""


class AuditEvent(Record, wire.audit.AuditEventOut, eq=False, kw_only=True):
    """One event of an intent's history. ``body``: the text that was hashed; ``private``: the text that may be
    erased.
    """

    actor: Actor = field(default_factory=lambda: Actor.read({}))


class AuditTrail(Record, wire.audit.AuditResponse, eq=False, kw_only=True):
    """An intent's whole history with its hash chain. ``verified``: the result of the server's own check."""

    events: tuple[AuditEvent, ...] = ()


class Me(Record, wire.system.MeResponse, eq=False, kw_only=True):
    """The actor of the key, and its workspace."""

    actor: Actor = field(default_factory=lambda: Actor.read({}))


class Health(Record, wire.system.HealthResponse, eq=False, kw_only=True):
    """The server's health response."""
