"""A server with a wrong clock on a database with a right one orders, delays and deletes nothing by its own clock."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signoff.core.intent import commands as c
from signoff.engine.clock import Clock
from signoff.engine.commit.retention import RetentionLoop
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.notify.outbound.post import Poster
from signoff.notify.webhook import Webhook
from signoff.store.opening import open_store
from tests.builders import SERVICE
from tests.conftest import delete_rows
from tests.engine.engine_env import EngineEnv, once
from tests.engine.http_sink import http_sink

WRONG = [
    timedelta(days=91),
    timedelta(minutes=10),
    timedelta(hours=-1),
    timedelta(hours=-13),
    timedelta(days=-400),
]


class WrongClock(Clock):
    def __init__(self, by: timedelta) -> None:
        super().__init__()
        self.by = by

    def wall(self) -> datetime:
        return super().wall() + self.by


@pytest.fixture(params=WRONG, ids=str)
async def wrong(request: pytest.FixtureRequest, postgres_url: str) -> AsyncIterator[EngineEnv]:
    clock = WrongClock(request.param)
    store = open_store(postgres_url, wall=clock.wall, clock=clock.of, hear=clock.hear)
    await store.open()
    try:
        await delete_rows(store)
        async with http_sink(503) as hook:
            webhook = Webhook(hook.url, "", Poster(True), clock.now)
            env = EngineEnv(store, clock, ChannelRegistry({"webhook": webhook}))
            async with env.running():
                yield env
    finally:
        await store.close()


def near(found: datetime, wanted: datetime) -> bool:
    return abs(found - wanted) < timedelta(seconds=5)


async def due(env: EngineEnv) -> list[Any]:
    return await env.store.read("select due_at, attempts from outbox order by due_at")


async def test_server_with_a_wrong_clock_uses_the_databases_time(wrong: EngineEnv) -> None:
    true = datetime.now(UTC)  # noqa: TID251
    assert near(await wrong.store.now(), true)
    assert near(wrong.clock.now(), true)
    intent = await wrong.submit()
    assert near(intent.created_at, true)
    assert abs(int(intent.id.replace("-", "")[:12], 16) / 1000 - true.timestamp()) < 5


async def test_server_with_a_wrong_clock_deletes_nothing(wrong: EngineEnv) -> None:
    done = await wrong.submit(once=once("k"))
    await wrong.do(done.id, c.Cancel(), SERVICE)
    retention = RetentionLoop(wrong.store, wrong.recent, wrong.clock, timedelta(hours=1), timedelta(hours=1))
    for _ in range(3):
        await retention.once()
    await wrong.store.write(("update sweeps set owed = 0", {}))  # even were it believed
    await retention.once()
    assert await wrong.store.intents.ids() == [done.id]
    assert len(await wrong.store.read("select 1 from replies")) == 1


async def test_server_with_a_wrong_clock_delays_no_message_and_uses_no_attempt(wrong: EngineEnv) -> None:
    await wrong.submit()
    done = await wrong.submit()
    await wrong.do(done.id, c.Cancel(), SERVICE)
    for _ in range(5):
        await wrong.outbox.once()
        await wrong.outbox.drain()
    now = await wrong.store.now()
    rows = await due(wrong)
    assert rows
    for due_at, attempts in rows:
        pause = due_at / 1e6 - now.timestamp()
        assert attempts == 1
        assert 3 < pause < 6
