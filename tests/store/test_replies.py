"""Idempotency: a key stores the response of its first call, even for concurrent calls."""

import asyncio
from datetime import timedelta

import pytest

from signoff.core.errors import Conflict
from signoff.core.intent.model import Intent
from signoff.store.postgres.connections import RetryTransaction
from signoff.store.store import Store
from signoff.store.transaction import IdempotencyKey, Loaded, Locks, NewStoredReply, StoredReply, Writes
from tests.conftest import NOON, FixedClock
from tests.store.samples import (
    NOTHING,
    SECOND,
    final,
    leave,
    look,
    move,
    once,
    patiently,
    submission,
    submit,
    together,
    waiting,
)

DAY = timedelta(days=1)


def answering(key: IdempotencyKey, body: bytes = b"answer", lasts: timedelta = DAY) -> Writes:
    return Writes(replies=[NewStoredReply(key, "print", body, NOON + lasts)])


async def test_response_is_found_under_its_own_key_only(store: Store) -> None:
    await store.transact(NOTHING, leave(answering(once())))
    others = (once("other"), once(workspace="wsp_2"), once(actor="sa_2"), once(route="answer"))
    found = await look(store, Locks(once=(*others, once())))
    assert found.replies == {once(): StoredReply("print", b"answer")}


async def test_expired_response_is_deleted_and_its_key_free(store: Store, clock: FixedClock) -> None:
    await store.transact(NOTHING, leave(answering(once(), lasts=SECOND)))
    clock.move(SECOND)
    assert (await look(store, Locks(once=(once(),)))).replies == {}
    await store.transact(Locks(once=(once(),)), leave(answering(once(), b"anew")))
    assert (await look(store, Locks(once=(once(),)))).replies[once()].body == b"anew"


@pytest.mark.parametrize("locking", [False, True])
async def test_one_of_many_calls_with_one_key_acts_and_all_get_its_response(
    store: Store, locking: bool
) -> None:
    """With and without an intent to lock, because PostgreSQL handles the two differently."""
    shared = waiting()
    await store.transact(NOTHING, leave(submission(shared)))
    answers: list[bytes] = []

    async def call(number: int) -> None:
        got: list[bytes] = []

        def work(found: Loaded) -> Writes:
            got.clear()
            if once() in found.replies:
                got.append(found.replies[once()].body)
                return Writes()
            got.append(b"%d" % number)
            return together(submission(waiting()), answering(once(), got[0]))

        locks = Locks(ids=(shared.id,) if locking else (), once=(once(),))
        await patiently(lambda: store.transact(locks, work))
        answers.extend(got)

    await asyncio.gather(*(call(number) for number in range(6)))
    assert len(answers) == 6
    assert len(set(answers)) == 1
    assert len(await store.intents.ids()) == 2


async def test_old_responses_are_deleted_in_batches(store: Store, clock: FixedClock) -> None:
    short = [answering(once(str(n)), lasts=SECOND) for n in range(3)]
    await store.transact(NOTHING, leave(*short, answering(once("long"))))
    assert await store.forget_replies(10) == 0
    clock.move(SECOND)
    assert [await store.forget_replies(2), await store.forget_replies(2)] == [2, 1]
    assert (await look(store, Locks(once=(once("long"),)))).replies != {}


# -- as long as its intent is open


def about(intent: Intent, body: bytes = b"answer", lasts: timedelta = SECOND) -> Writes:
    return Writes(replies=[NewStoredReply(once(), "print", body, NOON + lasts, intent.id, lasts)])


async def stands(store: Store) -> bool:
    return once() in (await look(store, Locks(once=(once(),)))).replies


async def test_response_is_kept_while_its_intent_is_open(store: Store, clock: FixedClock) -> None:
    one = waiting()
    await store.transact(NOTHING, leave(submission(one), about(one)))
    clock.move(1000 * DAY)
    assert await stands(store)
    assert await store.forget_replies(10) == 0
    assert await stands(store), "the sweeper gave it more time"
    with pytest.raises(
        (Conflict, RetryTransaction)
    ):  # another server that had not seen it may not take its place
        await store.transact(NOTHING, leave(about(one, b"anew")))


async def test_response_is_kept_for_its_retention_after_the_end_of_its_intent(
    store: Store, clock: FixedClock
) -> None:
    [one] = await submit(store, waiting())
    await store.transact(NOTHING, leave(about(one, lasts=DAY)))
    clock.move(10 * DAY)
    await store.transact(Locks(ids=(one.id,)), leave(move(final(one), NOON + 10 * DAY)))
    clock.move(DAY - SECOND)
    assert await store.forget_replies(10) == 0
    assert await stands(store)
    clock.move(SECOND)
    assert not await stands(store)
    await store.transact(NOTHING, leave(about(one, b"anew")))
    assert await stands(store) is False, "that one is over as soon as it is written"
    assert await store.forget_replies(10) == 1


async def test_response_without_an_existing_intent_has_its_own_retention(
    store: Store, clock: FixedClock
) -> None:
    gone = waiting()
    await store.transact(NOTHING, leave(about(gone)))
    clock.move(SECOND)
    assert not await stands(store)
    assert await store.forget_replies(10) == 1
