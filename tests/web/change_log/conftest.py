"""The web layer on each of the two databases, populated anew for each test."""

from collections.abc import AsyncIterator

import pytest

from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.engine.conftest import clock, store
from tests.web.web_env import WebEnv, web_env

__all__ = ["clock", "store"]


@pytest.fixture
async def web(store: Store, clock: FixedClock) -> AsyncIterator[WebEnv]:
    async with web_env(store, clock) as made:
        yield made
