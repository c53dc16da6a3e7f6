"""Deliveries: an agent's work."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeAlias

from msgspec import Meta, Struct

from signoff.wire.common import (
    ABSENT,
    Object,
    Ok,
    OrEmpty,
    OrNone,
    Payload,
    Requester,
    Strict,
    Text,
)
from signoff.wire.fields import (
    CorrelationId,
    CreatedAt,
    DeliveryAttempt,
    FromAgent,
    IntentId,
    IntentType,
    LeaseUntil,
    ParentIntentId,
    PreviousResults,
    ResultRevisions,
    Retryable,
    Revision,
    StepId,
    Succeeded,
    ToAgent,
    about,
    time,
)
from signoff.wire.intents import IntentOut

FencingToken: TypeAlias = Annotated[int, about("The fencing token of the claim.", 3)]
LeaseSeconds: TypeAlias = Annotated[
    float, Meta(ge=1, le=3600), about("How long the lease lasts, in seconds.", 30)
]


class ClaimRequest(Strict, kw_only=True):
    """Claim deliveries under a lease. ``wait_seconds``: how long to wait if there are none."""

    _EXAMPLE: ClassVar = ("holder", "limit", "lease_seconds")

    holder: Annotated[
        str, Meta(max_length=255), about("The name of the claiming process, shown to people.", "worker-1")
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=100), about("The maximum number to claim.", 1)] = 1
    lease_seconds: LeaseSeconds = 30
    wait_seconds: Annotated[float, Meta(ge=0, le=55), about("How long to wait if there are none.", 0)] = 0


class RenewRequest(Strict, kw_only=True):
    """Renew the lease of the delivery."""

    _EXAMPLE: ClassVar = ("lease_seconds",)

    token: FencingToken
    lease_seconds: LeaseSeconds = 30


class ReleaseRequest(Strict, kw_only=True):
    """Return the delivery unstarted."""

    token: FencingToken


class AgentError(Strict, kw_only=True):
    """Why the step failed. ``retryable``: whether a retry could help."""

    code: Annotated[str, Meta(min_length=1, max_length=128), about("A stable code.", "out_of_disk")] = (
        "agent_failed"
    )
    message: Annotated[str, Meta(max_length=2000), about("What went wrong.", "The disk is full.")] = ""
    retryable: Retryable = False


class ReportRequest(Strict, kw_only=True):
    """The step's outcome: a result, or an error."""

    _EXAMPLE: ClassVar = ("result",)

    token: FencingToken
    result: Annotated[
        Object | None, about("The result, if it succeeded.", {"rows": 1200, "reversible": True})
    ] = None
    error: Annotated[AgentError | None, about("The error, if it failed.")] = None


class ShownDelivery(Struct, gc=False, kw_only=True):
    """A delivery that an agent may claim. The payload is fetched with GET /v1/intents/{intent_id}."""

    intent_id: IntentId
    seq: Annotated[int, about("Its position in the agent's stream, for ?since=.", 12)]
    event_type: Annotated[
        str, about("Always intent.delivered.", "intent.delivered", words=("intent.delivered",))
    ] = "intent.delivered"
    status: Annotated[str, about("Always DELIVERED.", "DELIVERED", words=("DELIVERED",))] = "DELIVERED"
    at: Annotated[datetime, time("When the intent last changed.")]
    intent_type: IntentType
    from_agent: FromAgent
    to_agent: ToAgent
    correlation_id: CorrelationId
    step_id: OrEmpty[StepId] = ABSENT
    parent_intent_id: OrEmpty[ParentIntentId] = ABSENT
    delivery_attempt: DeliveryAttempt


class DeliveriesResponse(Struct, kw_only=True):
    """An agent's open deliveries after a cursor. ``next_cursor``: the value of ``?since=`` to continue."""

    ok: Succeeded = True
    intents: Annotated[list[ShownDelivery], about("The open deliveries.")]
    next_cursor: Annotated[int, about("Where to continue: the value of ?since=.", 12)]


class DeliveryOut(Struct, kw_only=True):
    """A claimed agent step. ``token``: the fencing token; ``idempotency_key``: the same on every attempt."""

    delivery_id: Annotated[str, about("The delivery's id.", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0001")]
    intent_id: IntentId
    intent_type: IntentType
    step_id: StepId
    attempt: Annotated[int, about("The number of the attempt, from 1.", 1)]
    token: FencingToken
    lease_until: LeaseUntil
    lease_seconds: Annotated[float, about("How long the lease lasts, in seconds.", 30)]
    payload: Payload
    input: Annotated[
        dict[str, Any], about("What the step gives its agent in addition to the payload.", {"mode": "check"})
    ]
    previous_results: PreviousResults
    result_revisions: ResultRevisions
    revision: Revision
    idempotency_key: Annotated[
        str,
        about(
            "The same on every attempt; for the services that the agent calls.",
            "01998a3c-7d40-7b1e-9c52-6f0e8a4d0001",
        ),
    ]
    requester: Requester
    correlation_id: CorrelationId
    created_at: CreatedAt
    deadline_at: Annotated[OrNone[datetime], time("The deadline of the step.", "2030-02-02T00:00:00Z")] = (
        ABSENT
    )
    traceparent: Annotated[
        Text,
        about(
            "The trace that the work belongs to (W3C Trace Context).",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
    ] = ABSENT


class ClaimResponse(Ok, kw_only=True):
    """The claimed deliveries; empty if there were none in the given time. agent: the requested address;
    max_report_bytes: the maximum size of a report; notice: why this agent may never get a delivery.
    """

    deliveries: Annotated[list[DeliveryOut], about("The claimed deliveries.")]
    agent: Annotated[str, about("The requested address.", "agent://acme/prod/infra-validator")]
    max_report_bytes: Annotated[int, about("The maximum size of a report.", 65536)]
    notice: Annotated[
        Text, about("Why this agent may never get a delivery.", "No workflow names this agent.")
    ] = ABSENT


class RenewResponse(Ok, kw_only=True):
    """The new end of the lease."""

    lease_until: LeaseUntil


class ReportResponse(Ok, kw_only=True):
    """The report was recorded; contains the intent in its new state."""

    intent: Annotated[IntentOut, about("The intent.")]
