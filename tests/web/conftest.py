"""The web layer over SQLite; the store's own suite runs on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signoff.engine.clock import FixedClock
from signoff.store.store import Store, open_store
from tests.builders import START
from tests.web.world import World, world


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
async def store(clock: FixedClock, tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/signoff.db", wall=clock.wall, clock=clock.of)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def web(store: Store, clock: FixedClock) -> AsyncIterator[World]:
    async with world(store, clock) as made:
        yield made
