"""The index of decided tasks: inserted by each decision, moved by the next one, deleted with the intent."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from signoff.core.intent.events import Decided, Fact
from signoff.core.intent.evolve import rfc3339
from signoff.core.intent.hash_chain import seal
from signoff.core.intent.model import Intent
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.plan.task_types import Ending, Meaning, TaskSpec
from signoff.store.store import Store
from signoff.store.transaction import Changed, Locks, Writes
from tests.conftest import NOON
from tests.store.samples import WHO, WS, final, leave, submit, waiting

ASKS = Plan(steps=(HumanStep(id="approve", task=TaskSpec(title="Yes?")),))
MINUTE = timedelta(minutes=1)


async def decide(store: Store, of: Intent, at: datetime) -> Intent:
    event = Decided(1, "approve", "approved", Ending.APPROVED, Meaning.APPROVES)
    item = seal(of.head, Fact(intent=of.id, seq=of.seq + 1, at=at, actor=WHO, via="api", event=event))
    results = {"approve": {"outcome": "approved", "ending": "approved", "decided_at": rfc3339(at)}}
    after = replace(
        final(of), seq=of.seq + 1, head=item.hash, updated_at=at, results=results, ending=Ending.APPROVED
    )
    work = leave(Writes(changed=[Changed(after)], facts=[item]))
    await store.transact(Locks(ids=(of.id,)), work)
    return after


async def listed(store: Store, **narrowed: str) -> list[str]:
    """All ids, read in pages of two."""
    found: list[str] = []
    before: tuple[int, str] | None = None
    while page := await store.intents.last_decided(WS, before, 2, **narrowed):  # type: ignore[arg-type]
        found += [id for _, id in page]
        before = page[-1]
    return found


async def test_newest_decision_is_listed_first(store: Store) -> None:
    intents = [waiting(plan=ASKS, type=f"intent.{n % 2}", correlation_id=f"c{n}") for n in range(5)]
    one, two, three, _, five = await submit(store, *intents)
    for minutes, intent in enumerate((three, one, five, two)):
        await decide(store, intent, NOON + minutes * MINUTE)
    assert await listed(store) == [two.id, five.id, one.id, three.id]
    assert await listed(store, type="intent.0") == [five.id, one.id, three.id]
    assert await listed(store, requester="sa_1") == [two.id, five.id, one.id, three.id]
    assert await listed(store, requester="sa_2") == []
    assert await listed(store, correlation="c0") == [one.id]
    assert await listed(store, correlation="c3") == [], "nobody has decided it"


async def test_decisions_of_one_moment_are_each_listed_once(store: Store) -> None:
    intents = await submit(store, *(waiting(plan=ASKS) for _ in range(5)))
    for intent in intents:
        await decide(store, intent, NOON)
    assert await listed(store) == [one.id for one in reversed(intents)]


async def test_next_decision_moves_an_intent_and_retention_deletes_it(store: Store) -> None:
    first, second = await submit(store, waiting(plan=ASKS), waiting(plan=ASKS))
    again = await decide(store, first, NOON)
    await decide(store, second, NOON + MINUTE)
    assert await listed(store) == [second.id, first.id]
    await decide(store, again, NOON + 2 * MINUTE)
    assert await listed(store) == [first.id, second.id]
    assert await store.intents.forget(NOON + timedelta(days=1), 10) == 2
    assert await listed(store) == []
