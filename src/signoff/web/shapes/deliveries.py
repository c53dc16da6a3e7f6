"""Deliveries on the wire: as an agent's stream shows them, and as a claim returns them."""

from datetime import timedelta

from signoff.core.ids import step_run_id
from signoff.core.intent.checks import revisions_of
from signoff.core.intent.model import Delivery, Intent
from signoff.core.plan.plan import AgentStep
from signoff.web.shapes.common import Display, actor_out, verbatim
from signoff.web.shapes.intents import sender
from signoff.wire.common import ABSENT
from signoff.wire.deliveries import DeliveryOut, ShownDelivery


def shown_delivery(intent: Intent, cursor: int) -> ShownDelivery:
    """The open delivery of an intent. ``cursor``: its position in its agent's stream."""
    held = _held(intent)
    out = ShownDelivery(
        intent_id=intent.ref(held.step_run),
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
    """A delivery that was just claimed."""
    held = _held(intent)
    step = intent.plan.by_id[held.step]
    ref = step_run_id(intent.id, held.step_run)
    return DeliveryOut(
        delivery_id=ref,
        intent_id=intent.id,
        intent_type=intent.type,
        step_id=held.step,
        attempt=held.attempt,
        token=held.token,
        lease_until=held.lease_until or intent.updated_at,
        lease_seconds=lease.total_seconds(),
        payload=verbatim(payload),
        input=(step.input or {}) if isinstance(step, AgentStep) else {},
        previous_results=intent.results,
        result_revisions=revisions_of(intent),
        revision=intent.revision,
        idempotency_key=ref,
        requester=actor_out(intent.requester, display),
        correlation_id=intent.correlation_id or intent.id,
        created_at=intent.created_at,
        deadline_at=held.deadline_at or intent.deadline_at or ABSENT,
        traceparent=intent.traceparent or ABSENT,
    )


def _held(intent: Intent) -> Delivery:
    if not isinstance(intent.open, Delivery):
        raise TypeError("no delivery is open")
    return intent.open
