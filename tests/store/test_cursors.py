"""Cursors of an agent's stream have no gaps and ascend in commit order, so that no reader skips a late commit."""

import asyncio
from functools import partial

from msgspec.structs import replace

from signoff.core.intent.model import Delivery, Intent
from signoff.store.opening import open_store
from signoff.store.store import Store
from signoff.store.transaction import Loaded, Locks, SentDelivery, Writes
from tests.conftest import FixedClock
from tests.store.samples import AGENT, NOTHING, WS, leased, leave, move, patiently, ready, submit, waiting

OTHER = "agent://local/default/other"


async def cursors(store: Store, agent: str = AGENT, after: int = 0) -> dict[str, int]:
    found = await store.intents.deliveries(WS, agent, after, 1000)
    return {intent.id: cursor for cursor, intent in found}


async def test_deliveries_are_listed_without_payloads(store: Store) -> None:
    [one] = await submit(store, ready())
    await store.write(("delete from submissions", {}))
    assert await cursors(store) == {one.id: 2}


async def test_each_agent_has_its_own_even_cursors(store: Store) -> None:
    one, two, three = await submit(store, ready(), ready(agent=OTHER), ready())
    [four] = await submit(store, ready(workspace="wsp_2"))
    [five] = await submit(store, ready())
    assert await cursors(store) == {one.id: 2, three.id: 4, five.id: 6}
    assert await cursors(store, OTHER) == {two.id: 2}
    assert [cursor for cursor, _ in await store.intents.deliveries("wsp_2", AGENT, 0, 10)] == [2]
    assert await cursors(store, after=4) == {five.id: 6}
    assert [it.id for _, it in await store.intents.deliveries(WS, AGENT, 0, 2)] == [one.id, three.id]
    assert four.id


async def test_push_or_task_has_no_cursor(store: Store) -> None:
    one = ready()
    assert isinstance(one.open, Delivery)
    await submit(store, replace(one, open=replace(one.open, push=True)), waiting())
    assert await cursors(store) == {}


async def test_delivery_keeps_its_cursor_until_it_is_offered_again(store: Store) -> None:
    one, two = await submit(store, ready(), ready())
    await _change(store, one)
    assert await cursors(store) == {one.id: 2, two.id: 4}
    await _change(store, leased(one))
    assert await cursors(store) == {two.id: 4}
    await _change(store, one, fresh=True)
    assert await cursors(store) == {two.id: 4, one.id: 6}


async def test_redelivery_moves_only_offered_deliveries_to_the_end(store: Store) -> None:
    one, two, three, four = await submit(store, ready(), ready(), ready(), ready())
    [foreign] = await submit(store, ready(workspace="wsp_2"))
    places = ((one.id, 2), (two.id, 4), (three.id, 6))
    sent = Writes(sent=[SentDelivery(WS, AGENT, *place) for place in places])
    await store.transact(NOTHING, lambda _: sent)
    await store.transact(Locks(ids=(two.id,)), leave(move(leased(two))))
    await store.intents.redeliver(WS, AGENT, [four.id])
    assert await cursors(store) == {one.id: 2, three.id: 6, four.id: 8}, "it was not sent"
    await store.intents.redeliver(WS, AGENT, [three.id, one.id, two.id, foreign.id])
    moved = {four.id: 8, one.id: 10, three.id: 12}
    assert await cursors(store) == moved
    await store.intents.redeliver(WS, AGENT, [])
    await store.intents.redeliver(WS, AGENT, [one.id, three.id])
    assert await cursors(store) == moved, "another reader has moved them"
    [five] = await submit(store, ready())
    assert (await cursors(store))[five.id] == 14


async def test_reader_never_skips_a_late_commit(store: Store, store_url: str, clock: FixedClock) -> None:
    """Writers on two servers race; a reader that continues after its last cursor misses nothing."""
    second = store
    if store_url.startswith("postgresql"):
        second = open_store(store_url, wall=clock.wall, clock=clock.map)
        await second.open()
    batches = [[ready() for _ in range(1 + n % 4)] for n in range(40)]
    wanted = {one.id for batch in batches for one in batch}
    writing = [patiently(partial(submit, (store, second)[n % 2], *batch)) for n, batch in enumerate(batches)]
    done = asyncio.gather(*writing)
    seen: list[str] = []
    last = 0
    while len(seen) < len(wanted):
        finished = done.done()
        found = await store.intents.deliveries(WS, AGENT, last, 7)
        assert all(cursor % 2 == 0 for cursor, _ in found)
        last = found[-1][0] if found else last
        seen += [intent.id for _, intent in found]
        if finished and not found:
            break
    await done
    assert len(seen) == len(set(seen))
    assert set(seen) == wanted
    if second is not store:
        await second.close()


async def _change(store: Store, to: Intent, *, fresh: bool = False) -> None:
    """Change an intent to the state ``to``, whatever its history is."""

    def work(found: Loaded) -> Writes:
        now = found.intents[to.id]
        return move(replace(to, seq=now.seq, head=now.head), fresh=fresh)

    await store.transact(Locks(ids=(to.id,)), work)
