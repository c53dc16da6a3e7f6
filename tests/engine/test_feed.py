"""Wake-ups reach every waiter, in this process and in other replicas; a lost one costs time only."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from signoff.core.errors import Busy
from signoff.core.intent import commands as c
from signoff.engine.clock import FixedClock
from signoff.engine.feed import Feed, agent_topic, tasks_topic
from tests.builders import AGENT, ANN, START, VALIDATOR, WORKSPACE
from tests.engine.engine_env import EngineEnv, open_engine_env

SOON = 60.0  # a guard against hanging


class Said:
    """Collects announcements, or refuses them for a while."""

    def __init__(self, failures: Sequence[Exception] = ()) -> None:
        self.times: list[list[str]] = []
        self.ready = asyncio.Event()
        self.ready.set()
        self._failures = list(failures)

    async def announce(self, topics: Sequence[str]) -> None:
        await self.ready.wait()
        if self._failures:
            raise self._failures.pop(0)
        self.times.append(list(topics))


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_topic_wakes_its_waiters_only() -> None:
    feed = Feed()
    with feed.waiting("a", "b") as ours, feed.waiting("c") as theirs:
        feed.publish(["b"])
        assert await ours.wait(SOON)
        assert not await theirs.wait(0)
        assert not await ours.wait(0)
    assert feed.waiters == {}


async def test_topic_announced_before_waiting_is_not_missed() -> None:
    feed = Feed()
    with feed.waiting("a") as waiter:
        feed.hear(["a"])
        feed.hear(["a"])
        assert await waiter.wait(SOON)
        assert not await waiter.wait(0)


async def test_empty_topic_wakes_everybody() -> None:
    feed, heard = Feed(), list[str]()
    feed.watch(heard.append)
    with feed.waiting("a") as one, feed.waiting("b") as two:
        feed.hear([""])
        assert await one.wait(SOON)
        assert await two.wait(SOON)
    assert heard == [""]


async def test_canceled_wait_leaves_no_waiter() -> None:
    feed = Feed()

    async def wait() -> None:
        with feed.waiting("a") as waiter:
            await waiter.wait(60)

    waiting = asyncio.create_task(wait())
    await turns()
    assert list(feed.waiters) == ["a"]
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert feed.waiters == {}


async def test_topics_during_an_announcement_are_sent_once_in_the_next() -> None:
    said = Said()
    feed = Feed(said.announce, pause=0)
    said.ready.clear()
    running = asyncio.create_task(feed.run())
    feed.publish([f"w{n}" for n in range(50)])
    await turns()
    for n in range(200):
        feed.publish([f"w{n % 50}", "again"])
        await turns(1)
    assert said.times == []
    said.ready.set()
    await turns(20)
    running.cancel()
    assert [len(topics) for topics in said.times] == [50, 51]
    assert said.times[1] == sorted(set(said.times[1]))


async def test_announcements_are_separated_by_a_pause() -> None:
    said = Said()
    feed = Feed(said.announce, pause=600)
    running = asyncio.create_task(feed.run())
    feed.publish(["first"])
    await turns(20)
    feed.publish(["second"])
    await turns(20)
    running.cancel()
    assert said.times == [["first"]]


@pytest.mark.parametrize("failure", [Busy("database_unavailable", "gone"), ValueError("a bug")])
async def test_failed_announcement_does_not_end_the_loop(failure: Exception) -> None:
    said = Said([failure])
    feed = Feed(said.announce, pause=0)
    running = asyncio.create_task(feed.run())
    feed.publish(["lost"])
    await turns()
    feed.publish(["heard"])
    await turns(20)
    assert not running.done()
    running.cancel()
    assert said.times == [["heard"]]


async def test_commit_announces_its_changes_after_it_is_done(env: EngineEnv) -> None:
    heard: list[str] = []
    env.feed.watch(heard.append)
    intent = await env.submit()
    assert heard == [intent.id, agent_topic(WORKSPACE, VALIDATOR)]
    heard.clear()
    await env.do(intent.id, c.Report(result={"passed": True}))
    assert heard == [intent.id, tasks_topic(WORKSPACE)]
    heard.clear()
    with pytest.raises(Exception, match="outcome"):
        await env.do(intent.id, c.Answer("perhaps"), ANN)
    assert heard == []
    await env.do(intent.id, c.Answer("approved"), ANN)
    assert heard == [intent.id, tasks_topic(WORKSPACE)]


async def test_released_lease_is_announced_and_a_claimed_one_is_not(env: EngineEnv) -> None:
    heard: list[str] = []
    await env.submit()
    env.feed.watch(heard.append)
    [claimed] = await env.claim()
    assert agent_topic(WORKSPACE, AGENT.address) not in heard
    held = claimed.after.open
    await env.do(claimed.after.id, c.Release(1, getattr(held, "token", 0)))
    assert heard.count(agent_topic(WORKSPACE, AGENT.address)) == 1


async def test_other_replicas_hear_announcements_and_our_own_do_not_return(postgres_url: str) -> None:
    here, there = [await open_engine_env(postgres_url, FixedClock(START)) for _ in range(2)]
    echoes: list[str] = []
    try:
        await there.store.listen(there.feed.hear)
        await here.store.listen(echoes.extend)
        async with here.running(), there.running():
            running = asyncio.create_task(here.feed.run())
            with there.feed.waiting(agent_topic(WORKSPACE, VALIDATOR)) as waiter:
                await here.submit()
                assert await waiter.wait(SOON)
            running.cancel()
        assert echoes == []
    finally:
        await here.store.close()
        await there.store.close()


async def test_disconnected_listener_announces_that_anything_may_have_changed(postgres_url: str) -> None:
    here, there = [await open_engine_env(postgres_url, FixedClock(START)) for _ in range(2)]
    try:
        await there.store.listen(there.feed.hear)
        with there.feed.waiting("whatever") as waiter:
            listeners = "pg_stat_activity where query like 'LISTEN%' and datname = current_database()"
            assert await here.store.read(f"select pg_terminate_backend(pid) from {listeners}")
            assert await waiter.wait(SOON)
        with there.feed.waiting("news") as waiter:
            await here.store.announce(["news"])
            assert await waiter.wait(SOON)
    finally:
        await here.store.close()
        await there.store.close()


async def test_caller_on_one_replica_is_woken_by_a_timer_on_another(postgres_url: str) -> None:
    clock = FixedClock(START)
    here, there = [await open_engine_env(postgres_url, clock) for _ in range(2)]
    try:
        await there.store.listen(there.feed.hear)
        async with here.running(), there.running():
            running = asyncio.create_task(here.feed.run())
            intent = await there.submit(deadline_at=START + timedelta(hours=1))
            with there.feed.waiting(intent.id) as waiter:
                await here.pass_time(timedelta(hours=1))
                assert await waiter.wait(SOON)
            running.cancel()
    finally:
        await here.store.close()
        await there.store.close()
