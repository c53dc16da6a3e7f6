"""A process remembers only its own commits, and forgets those that another process may have changed."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from signoff.core.errors import NotFound
from signoff.core.intent.commands import Answer, Report
from signoff.core.intent.model import Delivery
from signoff.engine.clock import FixedClock as AnswerRight
from signoff.engine.commit.recent import LARGEST, LIMIT, TRUSTED, RecentCommits
from signoff.engine.read.view import View
from signoff.store.store import Store
from tests.builders import AGENT, ANN, SERVICE
from tests.conftest import FixedClock
from tests.engine.engine_env import PAYLOAD, EngineEnv


@pytest.fixture
async def pair(store: Store, clock: FixedClock) -> AsyncIterator[tuple[EngineEnv, EngineEnv]]:
    """Two processes on one database; on SQLite, the second opens the same file and does not write."""
    one, two = EngineEnv(store, AnswerRight(clock.at)), EngineEnv(store, AnswerRight(clock.at))
    async with one.running(), two.running():
        yield one, two


async def test_cached_view_equals_the_last_commit(pair: tuple[EngineEnv, EngineEnv]) -> None:
    env, _ = pair
    view = View(env.store, env.recent)
    intent = await env.submit()
    assert (await view.cached_intent(SERVICE, intent.id)) == (await view.intent(SERVICE, intent.id))
    await env.do(intent.id, Report(result={"ok": True}))
    seen = await view.cached_intent(SERVICE, intent.id)
    assert seen == await view.intent(SERVICE, intent.id)
    assert seen.stored.payload == PAYLOAD


async def test_cached_view_is_shown_only_to_who_may_see_the_intent(pair: tuple[EngineEnv, EngineEnv]) -> None:
    env, _ = pair
    intent = await env.submit()
    stranger = replace(AGENT, id="sa_x", address="agent://acme/prod/stranger")
    with pytest.raises(NotFound):
        await View(env.store, env.recent).cached_intent(stranger, intent.id)


async def test_change_by_another_process_is_read_from_the_table(pair: tuple[EngineEnv, EngineEnv]) -> None:
    one, two = pair
    intent = await one.submit()
    await two.do(intent.id, Report(result={"ok": True}))  # one does not hear of it
    stale = await View(one.store, one.recent).cached_intent(SERVICE, intent.id)
    assert isinstance(stale.stored.intent.open, Delivery)  # a glimpse may be old: it words, it does not judge
    await one.do(intent.id, Answer(outcome="approved"), ANN)  # judged on the locked row, so it counts
    assert one.recent.get(intent.id) is None
    assert one.recent.life(intent.id) is None
    assert (await View(one.store, one.recent).cached_intent(SERVICE, intent.id)).stored.intent.final


async def test_whole_history_is_cached_only_by_a_single_process(
    pair: tuple[EngineEnv, EngineEnv], store_url: str
) -> None:
    env, _ = pair
    intent = await env.submit()
    await env.do(intent.id, Report(result={"ok": True}))
    life = env.recent.life(intent.id)
    if store_url.startswith("postgresql"):
        assert life is None
        return
    assert life is not None
    assert [fact.seq for fact in life[1]] == list(range(1, life[0].seq + 1))


class Hears:
    """A server next to others, which receives their announcements and moves its clock when the test says."""

    def __init__(self) -> None:
        self.well = True
        self.time = 0.0


async def test_history_cached_beside_other_servers_is_dropped_when_one_announces_a_change(
    pair: tuple[EngineEnv, EngineEnv],
) -> None:
    env, other = pair
    hears = Hears()
    env.recent = RecentCommits(alone=False, receives_commits=lambda: hears.well, time=lambda: hears.time)
    first, second = await env.submit(), await env.submit()
    assert env.recent.life(first.id) is not None
    hears.well = False  # the connection on which others are heard is lost
    assert env.recent.life(first.id) is None
    hears.well = True
    env.on_topics([first.id])
    assert (env.recent.life(first.id), env.recent.get(first.id)) == (None, None)
    assert env.recent.life(second.id) is not None
    env.on_topics([""])  # something may have been missed
    assert env.recent.life(second.id) is None
    third = await env.submit()
    hears.time += TRUSTED - 1
    assert env.recent.life(third.id) is not None
    await env.do(third.id, Report(result={"ok": True}))
    hears.time += TRUSTED - 1
    assert env.recent.life(third.id) is not None
    hears.time += 1
    assert env.recent.life(third.id) is None
    assert env.recent.get(third.id) is not None
    assert other.recent.life(third.id) is None


async def test_own_announcements_do_not_drop_cached_histories(pair: tuple[EngineEnv, EngineEnv]) -> None:
    env, _ = pair
    env.recent = RecentCommits(alone=False, receives_commits=lambda: True)
    intent = await env.submit()
    await env.do(intent.id, Report(result={"ok": True}))
    life = env.recent.life(intent.id)
    assert life is not None
    assert [fact.seq for fact in life[1]] == list(range(1, life[0].seq + 1))


async def test_cache_evicts_the_oldest_and_holds_nothing_large(pair: tuple[EngineEnv, EngineEnv]) -> None:
    env, _ = pair
    large = await env.submit(payload=b'{"text":"%s"}' % (b"x" * LARGEST))
    assert env.recent.get(large.id) is None
    grown = await env.submit()
    await env.do(grown.id, Report(result={"text": "x" * LARGEST}))
    assert env.recent.get(grown.id) is None
    first = await env.submit()
    for _ in range(LIMIT):
        last = await env.submit()
    assert env.recent.get(first.id) is None
    assert env.recent.get(last.id) is not None
