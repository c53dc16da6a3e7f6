"""What every test may ask for: an event loop, a moved clock, a store on each of the two databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signoff.store.store import Store, open_store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class FixedClock:
    """The time is what the test says."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def wall(self) -> datetime:
        return self.at

    def map(self, now: datetime) -> datetime:
        return self.at

    def move(self, by: timedelta) -> datetime:
        self.at += by
        return self.at


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(params=["sqlite"])
async def store(request: pytest.FixtureRequest, clock: FixedClock, tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/signoff.db", wall=clock.wall, clock=clock.map)
    await store.open()
    yield store
    await store.close()
