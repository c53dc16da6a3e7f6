"""The outbox: a row is sent at least once, and by one sender at a time."""

import asyncio
from datetime import timedelta
from itertools import chain

from signoff.store.opening import open_store
from signoff.store.store import Store
from signoff.store.transaction import OutboxRow, Writes
from tests.conftest import NOON, FixedClock
from tests.store.samples import NOTHING, SECOND, WS, intent, leave, outgoing

HOLD = timedelta(minutes=1)


async def put(store: Store, *notifications: OutboxRow) -> None:
    await store.transact(NOTHING, leave(Writes(outbox=list(notifications))))


def ids(found: list[OutboxRow]) -> list[str]:
    return [out.id for out in found]


async def test_due_message_is_claimed_complete_and_held(store: Store, clock: FixedClock) -> None:
    one = intent()
    await put(store, outgoing(one, "a"), outgoing(one, "later", NOON + SECOND))
    [taken] = await store.outbox.due(10, HOLD)
    expected = outgoing(one, "a", NOON + HOLD)
    assert taken == expected
    assert await store.outbox.due(10, HOLD) == []
    clock.move(SECOND)
    assert ids(await store.outbox.due(10, HOLD)) == ["later"]


async def test_hold_of_a_dead_sender_expires(store: Store, clock: FixedClock) -> None:
    await put(store, outgoing(intent(), "a"))
    await store.outbox.due(10, HOLD)
    clock.move(HOLD)
    [again] = await store.outbox.due(10, HOLD)
    assert (again.id, again.attempts) == ("a", 0)  # nobody has refused it


async def test_sent_message_is_deleted(store: Store, clock: FixedClock) -> None:
    sent = outgoing(intent(), "a")
    await put(store, sent, outgoing(intent(), "b"))
    await store.outbox.done([sent])
    clock.move(HOLD)
    assert ids(await store.outbox.due(10, HOLD)) == ["b"]


async def test_failed_message_is_due_again_later_with_its_error(store: Store, clock: FixedClock) -> None:
    await put(store, outgoing(intent(), "a"))
    [failed] = await store.outbox.due(10, HOLD)
    await store.outbox.again(failed, NOON + SECOND, "no answer")
    assert await store.outbox.due(10, HOLD) == []
    clock.move(SECOND)
    [again] = await store.outbox.due(10, HOLD)
    assert (again.attempts, again.last_error) == (1, "no answer")


async def test_deferred_or_unreadable_message_has_made_no_attempt(store: Store, clock: FixedClock) -> None:
    a, b = outgoing(intent(), "a"), outgoing(intent(), "b")
    await put(store, a, b)
    for _ in range(20):
        await store.outbox.due(10, HOLD)
        await store.outbox.back([a], clock.at)
        await store.outbox.aside(b, clock.at, "odd")
    [a, b] = sorted(await store.outbox.due(10, HOLD), key=lambda row: row.id)
    assert ((a.attempts, a.last_error), (b.attempts, b.last_error)) == ((0, ""), (0, "odd"))


async def test_dead_message_is_listed_and_not_sent(store: Store, clock: FixedClock) -> None:
    a = outgoing(intent(), "a")
    await put(store, a, outgoing(intent(), "b"))
    await store.outbox.dead(a, "no such address")
    await store.outbox.again(a, NOON, "too late")
    clock.move(HOLD)
    assert ids(await store.outbox.due(10, HOLD)) == ["b"]
    assert await store.outbox.counts() == {"waiting": 1, "dead": 1}
    newest, oldest = await store.outbox.listing(WS, 10)
    assert (oldest.id, oldest.dead, oldest.last_error) == ("a", True, "no such address")
    assert (newest.id, newest.dead) == ("b", False)
    assert await store.outbox.listing("wsp_2", 10) == []


async def test_messages_of_one_intent_are_claimed_in_order(store: Store) -> None:
    one, two = intent(), intent()
    await put(store, *(outgoing(of, f"{n}{of.id}", NOON - n * SECOND) for of in (two, one) for n in range(3)))
    taken = await store.outbox.due(10, HOLD)
    assert [out.intent for out in taken] == [one.id] * 3 + [two.id] * 3
    assert len(await store.outbox.due(10, HOLD)) == 0


async def test_two_senders_never_claim_the_same_message(
    store: Store, store_url: str, clock: FixedClock
) -> None:
    second = store
    if store_url.startswith("postgresql"):
        second = open_store(store_url, wall=clock.wall, clock=clock.map)
        await second.open()
    await put(store, *(outgoing(intent(), f"{n:02}") for n in range(40)))
    taken = await asyncio.gather(*((store, second)[n % 2].outbox.due(5, HOLD) for n in range(8)))
    rest = await store.outbox.due(40, HOLD)  # rows locked at that moment were left for the next look
    assert sorted(ids([*chain(*taken), *rest])) == [f"{n:02}" for n in range(40)]
    if second is not store:
        await second.close()
