"""Intents, facts and agents as the store sees them: arbitrary histories with valid hash chains."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from msgspec.structs import replace

from signoff.core.directory.actors import ActorKind, ActorRef
from signoff.core.errors import Busy
from signoff.core.ids import new_intent_id
from signoff.core.intent.events import Created, Fact, ProgressReported
from signoff.core.intent.hash_chain import Sealed, seal
from signoff.core.intent.model import Delay, Delivery, DeliveryState, Intent, Requester, Status, Task, Waiting
from signoff.core.plan.plan import AgentStep, Plan
from signoff.store.rows import plan_digest
from signoff.store.store import Store
from signoff.store.transaction import Changed, IdempotencyKey, Loaded, Locks, NewIntent, OutboxRow, Writes
from tests.conftest import NOON

WS = "wsp_1"
AGENT = "agent://local/default/validator"
PLAN = Plan(steps=(AgentStep(id="validate", agent=AGENT),))
WHO = ActorRef(ActorKind.SERVICE, "sa_1")
SECOND = timedelta(seconds=1)
NOTHING = Locks()
_serial = count(1)
# The ids of two intents that are not stored.
ONE, TWO = (new_intent_id(1_770_000_000_000, bytes([number]) * 10) for number in (1, 2))

Work = Callable[[Loaded], Writes]
T = TypeVar("T")


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Retry a call that timed out waiting for a row lock: on a busy machine, many writers in turn take longer than the
    timeout.
    """
    while True:
        try:
            return await call()
        except Busy as busy:
            if busy.code != "row_locked":
                raise


def intent(at: datetime = NOON, *, plan: Plan = PLAN, **fields: Any) -> Intent:
    """A submitted intent without events; ids ascend in the order of the calls."""
    number = next(_serial)
    given = {
        "id": new_intent_id(1_770_000_000_000 + number, number.to_bytes(10, "big")),
        "workspace": WS,
        "type": "intent.test.v1",
        "requester": Requester(ActorKind.SERVICE, "sa_1"),
        "payload_digest": "d",
        "plan_digest": plan_digest(plan),
        "plan": plan,
        "created_at": at,
        "updated_at": at,
    }
    return Intent(**given | fields)


def ready(at: datetime = NOON, *, agent: str = AGENT, **fields: Any) -> Intent:
    """An intent with a delivery that can be claimed."""
    step = Delivery(1, "validate", agent)
    return intent(at, status=Status.DELIVERED, waiting=Waiting.AGENT, open=step, **fields)


def leased(of: Intent) -> Intent:
    """The same after a worker claimed it."""
    assert isinstance(of.open, Delivery)
    return replace(of, open=replace(of.open, state=DeliveryState.LEASED, token=1))


def waiting(at: datetime = NOON, **fields: Any) -> Intent:
    """An intent that waits for a person."""
    task = Task(1, "approve", at, "digest")
    return intent(at, status=Status.WAITING, waiting=Waiting.HUMAN, open=task, **fields)


def sleeping(until: datetime, at: datetime = NOON, **fields: Any) -> Intent:
    """An intent that waits until a moment."""
    return intent(at, status=Status.WAITING, waiting=Waiting.TIME, open=Delay(1, "pause", until), **fields)


def final(of: Intent) -> Intent:
    """A completed intent."""
    return replace(of, status=Status.COMPLETED, waiting=None, open=None)


def sealed(of: Intent, at: datetime) -> tuple[Intent, Sealed]:
    """An intent and its next event."""
    event = ProgressReported("on") if of.seq else _created(of)
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


def submission(of: Intent, *, wake_at: datetime | None = None, payload: bytes = b"{}") -> Writes:
    """The writes of submitting one intent: its row and first event."""
    after, fact = sealed(of, of.created_at)
    return Writes(new=[NewIntent(after, payload, wake_at, isinstance(of.open, Delivery))], facts=[fact])


def move(of: Intent, at: datetime = NOON, *, wake_at: datetime | None = None, fresh: bool = False) -> Writes:
    """The writes of one more event."""
    after, fact = sealed(of, at)
    return Writes(changed=[Changed(after, wake_at, fresh)], facts=[fact])


def together(*parts: Writes) -> Writes:
    """Combine several writes."""
    whole = Writes()
    for part in parts:
        for name in Writes.__struct_fields__:
            into, more = getattr(whole, name), getattr(part, name)
            into.update(more) if isinstance(into, set) else into.extend(more)
    return whole


def leave(*parts: Writes) -> Work:
    """A job that writes this, whatever it finds."""
    return lambda found: together(*parts)


async def submit(store: Store, *intents: Intent, wake_at: datetime | None = None) -> list[Intent]:
    """Store the intents in one transaction; returns them as stored."""
    writes = together(*(submission(one, wake_at=wake_at) for one in intents))
    await store.transact(NOTHING, leave(writes))
    return [new.intent for new in writes.new]


async def look(store: Store, want: Locks) -> Loaded:
    """What a transaction that writes nothing reads."""
    seen: list[Loaded] = []

    def work(found: Loaded) -> Writes:
        seen.append(found)
        return Writes()

    await store.transact(want, work)
    return seen[-1]


def outgoing(of: Intent, id: str, due_at: datetime = NOON, **fields: Any) -> OutboxRow:
    return OutboxRow(
        id, of.workspace, of.id, 1, "person", "email", "ann@acme.example", b'{"n": 1}', due_at, **fields
    )


def once(key: str = "k", **fields: str) -> IdempotencyKey:
    scope = {"workspace": WS, "actor": "sa_1", "route": "submit", "key": key}
    return IdempotencyKey(**scope | fields)
