"""A transaction is atomic, exclusive for its intents, and based on the state that it read."""

import asyncio
from functools import partial

import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict, Invalid, Refused
from signoff.core.plan.plan import AgentStep, Plan
from signoff.store.opening import open_store
from signoff.store.store import Store
from signoff.store.transaction import ClaimableQuery, Loaded, Locks, NewStoredReply, Writes
from tests.conftest import NOON, FixedClock
from tests.store.samples import (
    AGENT,
    NOTHING,
    PLAN,
    SECOND,
    WS,
    final,
    intent,
    leased,
    leave,
    look,
    move,
    once,
    outgoing,
    patiently,
    ready,
    sealed,
    sleeping,
    submission,
    submit,
    together,
    waiting,
)


async def test_written_intent_is_read_back_completely(store: Store) -> None:
    before = ready(
        to_agent=AGENT, reply_to="agent://local/default/asker", correlation_id="c", results={"a": {"b": 1}}
    )
    await store.transact(NOTHING, leave(submission(before, payload=b'{"x":1}')))
    stored = await store.intents.get(before.id)
    assert stored is not None
    after, fact = sealed(before, NOON)
    assert stored.intent == after
    assert stored.payload == b'{"x":1}'
    [event] = await store.intents.history(before.id)
    assert (event.seq, event.body, event.private, event.hash) == (1, fact.body, None, after.head)


async def test_locked_read_returns_what_was_written(store: Store) -> None:
    [one] = await submit(store, waiting())
    found = await look(store, Locks(ids=(one.id,)))
    assert found.intents == {one.id: one}
    assert found.now == NOON


async def test_unknown_id_is_not_found(store: Store) -> None:
    found = await look(store, Locks(ids=(intent().id,)))
    assert found.intents == {}
    assert await store.intents.get(intent().id) is None


async def test_commit_is_all_or_nothing(store: Store) -> None:
    [one] = await submit(store, ready())
    new = ready()
    reply = NewStoredReply(once(), "f", b"r", NOON + SECOND)
    good = together(submission(new), Writes(outbox=[outgoing(new, "o1")], replies=[reply]))
    bad = Writes(facts=[sealed(replace(one, seq=0, head=""), NOON)[1]])  # an event that is there already
    with pytest.raises(Conflict) as refused:
        await store.transact(Locks(ids=(one.id,)), leave(good, move(leased(one)), bad))
    assert refused.value.code == "write_conflict"
    assert await store.intents.ids() == [one.id]
    assert await store.intents.history(new.id) == []
    assert len(await store.intents.history(one.id)) == 1
    assert await store.outbox.listing(WS, 10) == []
    found = await look(store, Locks(ids=(one.id,), once=(once(),), claims=ClaimableQuery(WS, AGENT, 5)))
    assert found.intents == {one.id: one}
    assert found.claimable == [one.id]
    assert found.replies == {}
    await submit(store, ready())
    assert [cursor for cursor, _ in await store.intents.deliveries(WS, AGENT, 0, 10)] == [2, 4]


@pytest.mark.parametrize("error", [Invalid("no", "No."), ZeroDivisionError("a mistake")])
async def test_callback_that_raises_writes_nothing(store: Store, error: Exception) -> None:
    [one] = await submit(store, waiting())

    def work(found: Loaded) -> Writes:
        raise error

    with pytest.raises(type(error)) as raised:
        await store.transact(Locks(ids=(one.id,)), work)
    assert raised.value is error
    assert (await look(store, Locks(ids=(one.id,)))).intents == {one.id: one}


async def test_intent_that_was_not_locked_cannot_be_changed(store: Store) -> None:
    [one] = await submit(store, waiting())
    with pytest.raises(ValueError, match="without being locked"):
        await store.transact(NOTHING, leave(move(one)))


async def test_two_transactions_never_hold_the_same_intent(
    store: Store, store_url: str, clock: FixedClock
) -> None:
    """Twenty writers on two servers each add one event to the same intents, and none is lost."""
    both = [store, await _second_server(store, store_url, clock)]
    ones = await submit(store, waiting(), waiting(), waiting())
    ids = [one.id for one in ones]

    def add(found: Loaded) -> Writes:
        return together(*(move(one) for one in found.intents.values()))

    # Ids in every order: whoever locks first, nobody deadlocks.
    wants = [Locks(ids=tuple(ids[n % 3 :] + ids[: n % 3])) for n in range(20)]
    await asyncio.gather(
        *(patiently(partial(both[n % 2].transact, want, add)) for n, want in enumerate(wants))
    )
    for id in ids:
        stored = await store.intents.get(id)
        assert stored is not None
        assert stored.intent.seq == 21
        assert [event.seq for event in await store.intents.history(id)] == list(range(1, 22))
    await _stop(both)


async def test_delivery_is_claimed_once(store: Store, store_url: str, clock: FixedClock) -> None:
    both = [store, await _second_server(store, store_url, clock)]
    ones = await submit(store, *(ready() for _ in range(30)))
    claimed: list[str] = []

    def claim(found: Loaded) -> Writes:
        claimed.extend(found.claimable)
        return together(*(move(leased(found.intents[id])) for id in found.claimable))

    await asyncio.gather(
        *(both[n % 2].transact(Locks(claims=ClaimableQuery(WS, AGENT, 4)), claim) for n in range(12))
    )
    assert sorted(claimed) == sorted(one.id for one in ones)
    assert await store.intents.deliveries(WS, AGENT, 0, 100) == []
    await _stop(both)


async def test_offered_deliveries_are_listed_longest_waiting_first(store: Store) -> None:
    ones = await submit(store, *(ready() for _ in range(5)))
    await submit(store, ready(agent="agent://local/default/other"), ready(workspace="wsp_2"), waiting())
    found = await look(store, Locks(claims=ClaimableQuery(WS, AGENT, 3)))
    assert found.claimable == [one.id for one in ones[:3]]
    assert set(found.intents) == set(found.claimable)


async def test_claimed_delivery_is_not_offered(store: Store) -> None:
    one, two = await submit(store, ready(), ready())
    await store.transact(Locks(ids=(one.id,)), leave(move(leased(one), wake_at=NOON + SECOND)))
    assert (await look(store, Locks(claims=ClaimableQuery(WS, AGENT, 5)))).claimable == [two.id]


async def test_due_intents_are_those_with_a_passed_timer(store: Store, clock: FixedClock) -> None:
    late, later = NOON + SECOND, NOON + 2 * SECOND
    [two] = await submit(store, sleeping(later), wake_at=later)
    [one] = await submit(store, sleeping(late), wake_at=late)
    await submit(store, waiting())
    assert await store.intents.next_wake() == late
    assert (await look(store, Locks(due=10))).due == []
    clock.move(SECOND)
    assert (await look(store, Locks(due=10))).due == [one.id]
    clock.move(SECOND)
    found = await look(store, Locks(due=10))
    assert found.due == [one.id, two.id]
    assert found.now == later
    assert set(found.intents) == {one.id, two.id}
    assert (await look(store, Locks(due=1))).due == [one.id]
    await store.transact(Locks(ids=(one.id,)), leave(move(final(one))))
    assert (await look(store, Locks(due=10))).due == [two.id]


async def test_one_transaction_may_use_every_kind_of_lock(store: Store) -> None:
    one, two = await submit(store, ready(), waiting())
    [three] = await submit(store, sleeping(NOON), wake_at=NOON)
    found = await look(
        store, Locks(ids=(one.id, two.id), claims=ClaimableQuery(WS, AGENT, 5), due=5, once=(once(),))
    )
    assert (found.claimable, found.due) == ([one.id], [three.id])
    assert set(found.intents) == {one.id, two.id, three.id}


async def test_plans_are_stored_once_and_found_by_another_server(
    store: Store, store_url: str, clock: FixedClock
) -> None:
    other = Plan(steps=(AgentStep(id="other", agent=AGENT),))
    one, two, three = await submit(store, waiting(), waiting(), waiting(plan=other))
    assert len(await store.read("select digest from plans")) == 2
    second = await _second_server(store, store_url, clock, afresh=True)
    found = await look(second, Locks(ids=(one.id, two.id, three.id)))
    assert [found.intents[it.id].plan for it in (one, two, three)] == [PLAN, PLAN, other]
    stored = await second.intents.get(three.id)
    assert stored is not None
    assert stored.intent.plan == other
    await _stop([store, second])


async def test_schema_refuses_a_final_intent_with_a_timer(store: Store) -> None:
    [one] = await submit(store, sleeping(NOON))
    with pytest.raises(Refused) as refused:
        await store.transact(Locks(ids=(one.id,)), leave(move(final(one), wake_at=NOON)))
    assert refused.value.code == "write_conflict"


async def _second_server(store: Store, url: str, clock: FixedClock, *, afresh: bool = False) -> Store:
    """Another server on the same PostgreSQL; on SQLite, the same server or its successor."""
    if url.startswith("sqlite"):
        if not afresh:
            return store
        await store.close()
    second = open_store(url, wall=clock.wall, clock=clock.map)
    await second.open()
    return second


async def _stop(stores: list[Store]) -> None:
    for store in stores[1:]:
        if store is not stores[0]:
            await store.close()
