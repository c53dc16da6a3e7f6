"""Intents, facts and agents as the store sees them: values with made-up histories, but true chains."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from msgspec.structs import replace

from signoff.core.chain import Sealed, seal
from signoff.core.events import Created, Fact, Progressed
from signoff.core.ids import new_intent_id
from signoff.core.model import (
    ActorKind,
    ActorRef,
    Delay,
    Delivery,
    Hold,
    Intent,
    Requester,
    Status,
    Task,
    Waiting,
)
from signoff.core.plan import AgentStep, Plan
from signoff.store.rows import plan_digest
from signoff.store.work import Changed, Found, NewIntent, Writes

WS = "wsp_1"
AGENT = "agent://local/default/validator"
PLAN = Plan(steps=(AgentStep(id="validate", agent=AGENT),))
WHO = ActorRef(ActorKind.SERVICE, "sa_1")
_serial = count(1)


def intent(at: datetime, **fields: Any) -> Intent:
    """A submitted intent with one event, waiting for nothing in particular."""
    number = next(_serial)
    plan = fields.pop("plan", PLAN)
    return Intent(
        **{
            "id": new_intent_id(1_770_000_000_000 + number, number.to_bytes(10, "big")),
            "workspace": WS,
            "type": "intent.test.v1",
            "requester": Requester(ActorKind.SERVICE, "sa_1"),
            "payload_digest": "d",
            "plan_digest": plan_digest(plan),
            "plan": plan,
            "created_at": at,
            "updated_at": at,
            **fields,
        }
    )


def sealed(of: Intent, at: datetime) -> tuple[Intent, Sealed]:
    """The next event of an intent, and the intent with it."""
    event = Progressed("on") if of.seq else _created(of)
    fact = Fact(intent=of.id, seq=of.seq + 1, at=at, actor=WHO, via="api", event=event)
    item = seal(of.head, fact)
    return replace(of, seq=of.seq + 1, head=item.hash, updated_at=at), item


def _created(of: Intent) -> Created:
    return Created(
        workspace=of.workspace,
        intent_type=of.type,
        requester=of.requester,
        payload_digest=of.payload_digest,
        plan_digest=of.plan_digest,
    )


def ready(at: datetime, agent: str = AGENT, **fields: Any) -> Intent:
    """An intent with a delivery that is up for taking."""
    return intent(
        at, status=Status.DELIVERED, waiting=Waiting.AGENT, open=Delivery(1, "validate", agent), **fields
    )


def leased(of: Intent) -> Intent:
    assert isinstance(of.open, Delivery)
    return replace(of, open=replace(of.open, hold=Hold.LEASED, token=1))


def waiting(at: datetime, **fields: Any) -> Intent:
    """An intent that waits for a person."""
    return intent(
        at, status=Status.WAITING, waiting=Waiting.HUMAN, open=Task(1, "approve", at, "digest"), **fields
    )


def sleeping(at: datetime, until: datetime, **fields: Any) -> Intent:
    return intent(at, status=Status.WAITING, waiting=Waiting.TIME, open=Delay(1, "pause", until), **fields)


def final(at: datetime, **fields: Any) -> Intent:
    return intent(at, status=Status.COMPLETED, **fields)


def submission(of: Intent, *, wake_at: datetime | None = None, payload: bytes = b"{}") -> Writes:
    """What a submit of one intent leaves: its row and its first event."""
    after, fact = sealed(of, of.created_at)
    fresh = isinstance(of.open, Delivery)
    return Writes(new=[NewIntent(after, payload, wake_at, fresh)], facts=[fact])


def both(*parts: Writes) -> Writes:
    """Several writes as one."""
    return Writes(
        *(sum((list(getattr(part, name)) for part in parts), []) for name in Writes.__struct_fields__)
    )


def step(of: Intent, at: datetime, *, wake_at: datetime | None = None, fresh: bool = False) -> Writes:
    """What one more event of an intent leaves."""
    after, fact = sealed(of, at)
    return Writes(changed=[Changed(after, wake_at, fresh)], facts=[fact])


def leave(writes: Writes):  # type: ignore[no-untyped-def]
    """Work that writes this, whatever was found."""

    def work(found: Found) -> Writes:
        return writes

    return work


def soon(at: datetime) -> datetime:
    return at + timedelta(seconds=30)
