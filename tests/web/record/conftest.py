"""The web layer over each of the two databases, furnished anew for each test."""

from collections.abc import AsyncIterator

import pytest

from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.engine.conftest import clock, store
from tests.web.world import World, world

__all__ = ["clock", "store"]


@pytest.fixture
async def web(store: Store, clock: FixedClock) -> AsyncIterator[World]:
    async with world(store, clock) as made:
        yield made
