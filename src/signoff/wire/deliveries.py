"""Deliveries: an agent's work."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from signoff.wire.common import ABSENT, ActorOut, JsonObject, Object, Ok, OrNone, Strict, Text
from signoff.wire.intents import IntentOut


class ClaimRequest(Strict, kw_only=True):
    """Claim deliveries under a lease; ``wait_seconds`` is how long to wait if there are none."""

    holder: Annotated[str, Meta(max_length=255)] = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 1
    lease_seconds: Annotated[float, Meta(ge=1, le=3600)] = 30
    wait_seconds: Annotated[float, Meta(ge=0, le=55)] = 0


class RenewRequest(Strict, kw_only=True):
    """Renew the lease of the delivery."""

    token: int
    lease_seconds: Annotated[float, Meta(ge=1, le=3600)] = 30


class ReleaseRequest(Strict, kw_only=True):
    """Return the delivery unstarted."""

    token: int


class AgentError(Strict, kw_only=True):
    """Why the step failed. ``retryable``: a retry could help."""

    code: Annotated[str, Meta(min_length=1, max_length=128)] = "agent_failed"
    message: Annotated[str, Meta(max_length=2000)] = ""
    retryable: bool = False


class ReportRequest(Strict, kw_only=True):
    """The step's outcome: a result, or an error."""

    token: int
    result: Object | None = None
    error: AgentError | None = None


class ShownDelivery(Struct, gc=False, kw_only=True):
    """A delivery that an agent may claim. The payload is fetched with GET /v1/intents/{intent_id}."""

    intent_id: str
    seq: int
    event_type: str = "intent.delivered"
    status: str = "DELIVERED"
    at: datetime
    intent_type: str
    from_agent: str
    to_agent: str
    correlation_id: str
    step_id: Text = ABSENT
    parent_intent_id: Text = ABSENT
    delivery_attempt: int


class DeliveriesAnswer(Struct, kw_only=True):
    """An agent's open deliveries after a cursor; ``next_cursor`` goes into ``?since=``."""

    ok: bool = True
    intents: list[ShownDelivery]
    next_cursor: int


class DeliveryOut(Struct, kw_only=True):
    """A claimed agent step. ``token`` is the fencing token; ``idempotency_key`` is the same on every attempt."""

    delivery_id: str
    intent_id: str
    intent_type: str
    step_id: str
    attempt: int
    token: int
    lease_until: datetime
    lease_seconds: float
    payload: JsonObject
    input: dict[str, Any]
    previous_results: dict[str, Any]
    result_revisions: dict[str, int]
    revision: int
    idempotency_key: str
    requester: ActorOut
    correlation_id: str
    created_at: datetime
    deadline_at: OrNone[datetime] = ABSENT


class ClaimAnswer(Ok, kw_only=True):
    """The claimed deliveries; empty if there were none in the given time. agent: the address that was asked for;
    max_report_bytes: the maximum size of a report; notice: why this agent may never get a delivery.
    """

    deliveries: list[DeliveryOut]
    agent: str
    max_report_bytes: int
    notice: Text = ABSENT


class RenewAnswer(Ok, kw_only=True):
    """The new end of the lease."""

    lease_until: datetime


class ReportAnswer(Ok, kw_only=True):
    """The result was recorded; the intent in its new state."""

    intent: IntentOut
