"""What is forgotten, and when: used keys after their time, final intents after their retention; no more."""

import asyncio
from datetime import timedelta

from signoff.core import commands as c
from signoff.engine.clock import FixedClock
from signoff.engine.sweeper import Sweeper
from tests.builders import ANN, SERVICE
from tests.engine.works import Works, once

DAY = timedelta(days=1)


async def test_final_intents_go_after_their_retention_with_all_that_is_theirs(works: Works) -> None:
    gone, kept, running = [await works.submit() for _ in range(3)]
    await works.do(gone.id, c.Cancel(), SERVICE)
    works.clock.move(2 * DAY)
    await works.do(kept.id, c.Cancel(), SERVICE)
    works.clock.move(29 * DAY)
    sweeper = Sweeper(works.store, works.recent, works.clock, 30 * DAY)
    assert await sweeper.once() == 60
    assert await works.store.intents.ids() == sorted([kept.id, running.id])
    for table in ("events", "submissions"):
        assert await works.store.read(f"select 1 from {table} where intent_id = :id", id=gone.id) == []
    assert works.recent.get(gone.id) is None  # nor in memory, where it could still be followed
    assert await works.findings() == []


async def test_what_a_person_was_asked_goes_a_day_after_the_last_intent_that_asked_it(works: Works) -> None:
    gone = await works.submit()
    await works.do(gone.id, c.Cancel(), SERVICE)
    sweeper = Sweeper(works.store, works.recent, works.clock, 30 * DAY)
    works.clock.move(31 * DAY)
    await sweeper.once()
    assert await works.store.read("select digest from plans") == [(gone.plan_digest,)]
    works.clock.move(DAY)
    assert await sweeper.once() == 60
    assert await works.store.read("select digest from plans") == []
    again = await works.submit()
    assert again.plan_digest == gone.plan_digest
    assert await works.findings() == []


async def test_without_a_retention_nothing_is_forgotten(works: Works) -> None:
    intent = await works.submit()
    await works.do(intent.id, c.Cancel(), SERVICE)
    works.clock.move(10_000 * DAY)
    assert await Sweeper(works.store, works.recent, works.clock, None).once() == 60
    assert await works.store.intents.ids() == [intent.id]


async def test_an_answer_is_forgotten_when_its_time_is_over_and_not_before(
    works: Works, clock: FixedClock
) -> None:
    await works.submit(once=once("old"))
    clock.move(timedelta(hours=47))
    await works.submit(by=ANN, once=once("new"))
    sweeper = Sweeper(works.store, works.recent, works.clock, None)
    await sweeper.once()
    assert len(await works.store.read("select 1 from replies")) == 2
    clock.move(timedelta(hours=1))
    await sweeper.once()
    assert [row[0] for row in await works.store.read("select key from replies")] == ["new"]


async def test_a_great_many_are_forgotten_in_bounded_sweeps(works: Works, clock: FixedClock) -> None:
    await asyncio.gather(*(works.submit(once=once(f"k{n}")) for n in range(1100)))
    clock.move(timedelta(hours=48))
    sweeper = Sweeper(works.store, works.recent, works.clock, None)
    assert await sweeper.once() == 0.1
    assert len(await works.store.read("select 1 from replies")) == 100
    assert await sweeper.once() == 60
