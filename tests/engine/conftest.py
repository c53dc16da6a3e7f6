"""The engine over each of the two databases."""

from collections.abc import AsyncIterator

import pytest

from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import START
from tests.conftest import empty_store
from tests.engine.engine_env import EngineEnv


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
async def store(store_url: str, clock: FixedClock) -> AsyncIterator[Store]:
    """An open, empty store whose time is ``clock``'s."""
    async with empty_store(store_url, clock.wall, clock.of) as store:
        yield store


@pytest.fixture
async def env(store: Store, clock: FixedClock) -> AsyncIterator[EngineEnv]:
    env = EngineEnv(store, clock)
    async with env.running():
        yield env
