"""The web layer on SQLite, each test with a copy of one populated file; the store's tests run on both databases."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signoff.engine.clock import FixedClock
from signoff.store.opening import open_store
from signoff.store.store import Store
from tests.builders import START
from tests.web.web_env import WebEnv, web_env

Furnished = tuple[Path, dict[str, str]]


def _store(file: Path, clock: FixedClock) -> Store:
    return open_store(f"sqlite:///{file}", wall=clock.wall, clock=clock.of)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """A database with all personas and their keys."""
    file = tmp_path_factory.mktemp("web") / "furnished.db"

    async def furnish() -> dict[str, str]:
        clock = FixedClock(START)
        store = _store(file, clock)
        await store.open()
        try:
            async with web_env(store, clock) as made:
                return made.keys
        finally:
            await store.close()

    return file, asyncio.run(furnish())


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
async def store(furnished: Furnished, clock: FixedClock, tmp_path: Path) -> AsyncIterator[Store]:
    file = tmp_path / "signoff.db"
    shutil.copyfile(furnished[0], file)
    store = _store(file, clock)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def web(furnished: Furnished, store: Store, clock: FixedClock) -> AsyncIterator[WebEnv]:
    async with web_env(store, clock, furnished[1]) as made:
        yield made
