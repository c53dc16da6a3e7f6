"""The engine over each of the two databases."""

from collections.abc import AsyncIterator

import pytest

from signoff.engine.clock import FixedClock
from signoff.store.opening import open_store
from signoff.store.store import Store
from tests.builders import START
from tests.conftest import TABLES
from tests.engine.engine_env import EngineEnv


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
async def store(store_url: str, clock: FixedClock) -> AsyncIterator[Store]:
    """An open, empty store whose time is ``clock``'s."""
    store = open_store(store_url, wall=clock.wall, clock=clock.of)
    await store.open()
    try:
        if store_url.startswith("postgresql"):
            await store.write(*((f"delete from {table}", {}) for table in TABLES))
        yield store
    finally:
        await store.close()


@pytest.fixture
async def env(store: Store, clock: FixedClock) -> AsyncIterator[EngineEnv]:
    env = EngineEnv(store, clock)
    async with env.running():
        yield env
