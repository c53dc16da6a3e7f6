"""A directory with thousands of entries is read in slices, between which the event loop serves others."""

import asyncio
from typing import Any

from signoff.core.directory.model import Team
from signoff.store.database import Statement
from signoff.store.rows import Plans, Row
from signoff.store.tables.mapping import fetch, values_of
from tests.conftest import NOON
from tests.store.samples import WS

MANY = 1000


class InMemory:
    """A database that responds at once, so that the event loop turns only where its caller yields."""

    plans = Plans()

    async def read(self, sql: str, **values: Any) -> list[Row]:
        columns = [values_of(Team(f"t{n}", (), None, WS, NOON)) for n in range(MANY)]
        return [tuple(row.values()) for row in columns]

    async def write(self, *statements: Statement) -> list[list[Row]]:
        raise AssertionError(statements)

    async def now(self) -> Any:
        return NOON


async def test_large_directory_does_not_block_the_event_loop() -> None:
    turns = 0

    async def served() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(served())
    assert len(await fetch(InMemory(), Team, "workspace = :workspace", workspace=WS)) == MANY
    others.cancel()
    assert turns >= MANY // 200 - 1
