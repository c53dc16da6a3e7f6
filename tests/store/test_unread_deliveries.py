"""Deliveries that were sent on an agent's stream and not read are recorded with the delivery, for every server and
across restarts.
"""

import asyncio
from datetime import timedelta
from functools import partial

from signoff.store.opening import open_store
from signoff.store.store import Store
from signoff.store.tables.intents import FORGOTTEN_TOGETHER
from signoff.store.transaction import Locks, SentDelivery, Writes
from tests.conftest import FixedClock
from tests.store.samples import (
    AGENT,
    NOTHING,
    WS,
    leased,
    leave,
    move,
    patiently,
    ready,
    submission,
    submit,
    together,
)

SETTLED = timedelta(seconds=5)


async def send(store: Store, *deliveries: tuple[str, int]) -> None:
    """Record that these deliveries (intent, cursor) were sent on their agent's stream."""
    writes = Writes(sent=[SentDelivery(WS, AGENT, *one) for one in deliveries])
    await store.transact(NOTHING, lambda _: writes)


async def test_sent_delivery_is_unread_after_a_grace_period(store: Store, clock: FixedClock) -> None:
    one, two, three = await submit(store, ready(), ready(), ready())
    rows = store.intents
    await send(store, (one.id, 2), (two.id, 4))
    assert await rows.unread(WS, AGENT, 6, SETTLED) == []
    clock.move(SETTLED)
    await send(store, (three.id, 6))
    await rows.mark_read(WS, AGENT, two.id)
    await rows.mark_read(WS, "agent://local/default/other", one.id)
    assert await rows.unread(WS, AGENT, 6, SETTLED) == [one.id]
    assert await rows.unread(WS, AGENT, 1, SETTLED) == [], "the reader has not come so far yet"
    assert await rows.unread(WS, "agent://local/default/other", 6, SETTLED) == []
    assert await rows.unread("wsp_2", AGENT, 6, SETTLED) == []


async def test_delivery_that_is_no_longer_offered_is_not_unread(store: Store, clock: FixedClock) -> None:
    one, two = await submit(store, ready(), ready())
    rows = store.intents
    await send(store, (one.id, 2), (two.id, 4))
    clock.move(SETTLED)
    await store.transact(Locks(ids=(one.id,)), leave(move(leased(one))))
    await rows.redeliver(WS, AGENT, [two.id])
    assert await rows.unread(WS, AGENT, 100, SETTLED) == [], "it has a new place in the stream"


async def test_rows_of_finished_deliveries_are_deleted_together_and_those_of_others_kept(
    store: Store, clock: FixedClock
) -> None:
    open_still, *finished = await submit(store, *(ready() for _ in range(FORGOTTEN_TOGETHER + 1)))
    await send(store, *((one.id, 2 * at) for at, one in enumerate((open_still, *finished), 1)))
    clock.move(SETTLED)
    for at, one in enumerate(finished, 1):
        await store.transact(Locks(ids=(one.id,)), leave(move(leased(one))))
        left = [open_still.id, *(other.id for other in finished[at:])]
        assert await store.intents.unread(WS, AGENT, 100, SETTLED) == sorted(left)
        kept = at if at < FORGOTTEN_TOGETHER else 0
        assert await store.read("select count(*) from unread") == [(len(left) + kept,)]


async def test_unread_deliveries_are_known_to_other_and_restarted_servers(
    own_url: str, clock: FixedClock
) -> None:
    first = open_store(own_url, wall=clock.wall, clock=clock.map)
    await first.open()
    [one] = await submit(first, ready())
    await send(first, (one.id, 2))
    await first.close()
    clock.move(SETTLED)
    second = open_store(own_url, wall=clock.wall, clock=clock.map)
    await second.open()
    assert await second.intents.unread(WS, AGENT, 2, SETTLED) == [one.id]
    await second.close()


async def test_only_deliveries_still_at_their_cursor_are_recorded_as_sent(
    store: Store, clock: FixedClock
) -> None:
    one, two, three = await submit(store, ready(), ready(), ready())
    await store.transact(Locks(ids=(two.id,)), leave(move(leased(two))))  # taken before it is recorded
    await send(store, (three.id, 6), (two.id, 4), (one.id, 2))
    await send(store, (one.id, 2))
    clock.move(SETTLED)
    assert await store.intents.unread(WS, AGENT, 6, SETTLED) == [one.id, three.id]
    assert await store.read("select count(*) from unread") == [(2,)]


async def test_delivery_sent_on_a_stream_is_recorded_with_the_commit_that_offers_it(
    store: Store, clock: FixedClock
) -> None:
    one, foreign = await submit(store, ready(), ready(agent="agent://local/default/other"))
    again, new = move(one, fresh=True), submission(ready())
    writes = together(again, new, Writes(sent=[SentDelivery(WS, AGENT, one.id, 2)], followed={(WS, AGENT)}))
    await store.transact(Locks(ids=(one.id,)), lambda _: writes)
    offered = [new.new[0].intent.id, one.id]
    found = await store.intents.deliveries(WS, AGENT, 0, 10)
    assert [intent.id for _, intent in found] == offered
    assert writes.recorded == [SentDelivery(WS, AGENT, intent.id, cursor) for cursor, intent in found]
    clock.move(SETTLED)
    last = found[-1][0]
    assert await store.intents.unread(WS, AGENT, last, SETTLED) == sorted(offered)
    assert await store.intents.unread(WS, AGENT, last - 1, SETTLED) == offered[:1], "sent from its new place"
    await store.transact(Locks(ids=(foreign.id,)), leave(move(foreign, fresh=True)))
    assert await store.read("select count(*) from unread") == [(2,)]


async def test_unread_deliveries_are_repeated_in_order_and_once_for_concurrent_readers(
    store: Store, clock: FixedClock
) -> None:
    made = [(await submit(store, ready()))[0].id for _ in range(120)]
    await send(store, *((id, 2 * number) for number, id in enumerate(made, 1)))
    clock.move(SETTLED)
    rows = store.intents
    unread = await rows.unread(WS, AGENT, 1000, SETTLED)
    assert unread == sorted(made)
    again = partial(rows.redeliver, WS, AGENT, unread)
    await asyncio.gather(patiently(again), patiently(again))
    found = await rows.deliveries(WS, AGENT, 0, 200)
    assert [intent.id for _, intent in found] == sorted(made)
    assert [cursor for cursor, _ in found] == list(range(242, 242 + 240, 2))
