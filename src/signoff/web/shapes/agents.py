"""Deliveries on the wire: as an agent's stream shows them (AXP 3.8), and as our claim hands them over."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signoff.core.ids import visit_ref
from signoff.core.intent.assurance import revisions_of
from signoff.core.intent.model import Delivery, Intent
from signoff.core.plan.plan import AgentStep
from signoff.web.shapes.common import Display, JsonObject, Ok, Text, Who, whom
from signoff.web.shapes.intents import IntentOut, sender


class ShownDelivery(Struct, kw_only=True):
    """Something an agent may work on. The payload is fetched with GET /v1/intents/{intent_id}."""

    intent_id: str
    seq: int
    event_type: str = "intent.delivered"
    status: str = "DELIVERED"
    at: datetime
    intent_type: str
    from_agent: str
    to_agent: str
    correlation_id: str
    step_id: Text = UNSET
    parent_intent_id: Text = UNSET
    delivery_attempt: int


class Deliveries(Struct, kw_only=True):
    """An agent's open deliveries after a cursor; ``next_cursor`` goes into ``?since=``."""

    ok: bool = True
    intents: list[ShownDelivery]
    next_cursor: int


class DeliveryOut(Struct, kw_only=True):
    """An agent step in one worker's hands. ``token`` proves it; ``idempotency_key`` is the same on every
    attempt.
    """

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
    requester: Who
    correlation_id: str
    created_at: datetime
    deadline_at: datetime | UnsetType = UNSET


class Claimed(Ok, kw_only=True):
    """What was taken; empty when there was nothing in the time given. agent: the address that was asked for;
    max_report_bytes: how large a report may be; notice: why nothing may ever come.
    """

    deliveries: list[DeliveryOut]
    agent: str
    max_report_bytes: int
    notice: Text = UNSET


class Renewed(Ok, kw_only=True):
    """The lease goes on until then."""

    lease_until: datetime


class Reported(Ok, kw_only=True):
    """The result was recorded; the intent as it is now."""

    intent: IntentOut


def shown_delivery(intent: Intent, cursor: int) -> ShownDelivery:
    """The open delivery of an intent; ``cursor`` is its place in its agent's stream."""
    held = _held(intent)
    out = ShownDelivery(
        intent_id=intent.ref(held.visit),
        seq=cursor,
        at=intent.updated_at,
        intent_type=intent.type,
        from_agent=sender(intent.requester),
        to_agent=held.agent,
        correlation_id=intent.correlation_id or intent.id,
        delivery_attempt=held.attempt,
    )
    if out.intent_id != intent.id:
        out.step_id = held.step
        out.parent_intent_id = intent.id
    return out


def delivery_out(intent: Intent, payload: bytes, lease: timedelta, display: Display) -> DeliveryOut:
    """The delivery that was just claimed."""
    held = _held(intent)
    step = intent.plan.by_id[held.step]
    ref = visit_ref(intent.id, held.visit)
    return DeliveryOut(
        delivery_id=ref,
        intent_id=intent.id,
        intent_type=intent.type,
        step_id=held.step,
        attempt=held.attempt,
        token=held.token,
        lease_until=held.lease_until or intent.updated_at,
        lease_seconds=lease.total_seconds(),
        payload=msgspec.Raw(payload),
        input=(step.input or {}) if isinstance(step, AgentStep) else {},
        previous_results=intent.results,
        result_revisions=revisions_of(intent),
        revision=intent.revision,
        idempotency_key=ref,
        requester=whom(intent.requester, display),
        correlation_id=intent.correlation_id or intent.id,
        created_at=intent.created_at,
        deadline_at=held.deadline_at or intent.deadline_at or UNSET,
    )


def _held(intent: Intent) -> Delivery:
    if not isinstance(intent.open, Delivery):
        raise TypeError("no delivery is open")
    return intent.open
