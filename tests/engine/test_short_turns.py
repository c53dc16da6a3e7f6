"""No transaction has so many rows that the event loop or another writer waits long for it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from signoff.core.intent import commands as c
from signoff.engine.commit.retention import RetentionLoop
from signoff.engine.commit.timekeeper import Timekeeper
from signoff.engine.metrics import Metrics
from signoff.store.transaction import Loaded, Locks, Writes
from tests.builders import SERVICE, gate
from tests.engine.engine_env import EngineEnv

DAY = timedelta(days=1)
MANY = 130
MOST = 64


@pytest.fixture
def sizes(env: EngineEnv) -> list[int]:
    """How many intents each transaction wrote or deleted."""
    found: list[int] = []
    transact, write = env.store.transact, env.store.write

    async def counted(want: Locks, work: Any) -> None:
        def working(loaded: Loaded) -> Writes:
            writes: Writes = work(loaded)
            found.append(len(writes.new) + len(writes.changed))
            return writes

        await transact(want, working)

    async def deleted(*statements: Any) -> Any:
        rows = await write(*statements)
        found.extend(len(values["ids"]) for _, values in statements if "ids" in values)
        found.extend(len(some) for some in rows)
        return rows

    env.store.transact = counted  # type: ignore[method-assign]
    env.store.write = deleted  # type: ignore[method-assign]
    return found


async def test_many_concurrent_commands_are_committed_in_bounded_turns(
    env: EngineEnv, sizes: list[int]
) -> None:
    await asyncio.gather(*(env.submit() for _ in range(MANY)))
    assert max(sizes) <= MOST


async def test_many_due_timers_are_processed_in_bounded_turns(env: EngineEnv, sizes: list[int]) -> None:
    late = env.clock.wall() + timedelta(hours=1)
    for _ in range(MANY):
        await env.submit(gate(), deadline_at=late)
    env.clock.move(timedelta(hours=1))
    sizes.clear()
    timekeeper = Timekeeper(env.engine, env.store, Metrics())
    while await env.store.intents.next_wake() is not None:
        await timekeeper.once()
    assert sum(sizes) == MANY
    assert max(sizes) <= MOST


@pytest.mark.parametrize("payloads", [None, DAY])
async def test_many_expired_rows_are_deleted_in_bounded_turns(
    env: EngineEnv, sizes: list[int], payloads: timedelta | None
) -> None:
    retention = RetentionLoop(env.store, env.recent, env.clock, None if payloads else DAY, payloads)
    await retention.once()
    intents = await asyncio.gather(*(env.submit() for _ in range(MANY)))
    await asyncio.gather(*(env.do(intent.id, c.Cancel(), SERVICE) for intent in intents))
    env.clock.move(2 * DAY)
    sizes.clear()
    await retention.once()
    [[left]] = await env.store.read("select count(*) from submissions where length(payload) > 0")
    assert left == 0
    assert max(sizes) <= MOST
