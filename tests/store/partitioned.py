"""Creates a database with partitioned tables with the script that docs/how-to/scale.md names."""

from pathlib import Path
from typing import Final

import asyncpg

from signoff.engine.clock import FixedClock
from signoff.store.opening import open_store
from tests.builders import START

SCRIPT: Final = Path(__file__).parents[2] / "deploy/postgres/partition.sql"
PARTITIONS: Final = 4


async def partition(url: str, parts: int = PARTITIONS) -> None:
    """Migrate the schema, and partition its intent tables with their content."""
    store = open_store(url, wall=FixedClock(START).wall)
    await store.open()
    await store.close()
    await run_script(url, parts)


async def run_script(url: str, parts: int = PARTITIONS) -> None:
    db = await asyncpg.connect(url, server_settings={"signoff.partitions": str(parts)})
    try:
        async with db.transaction():
            await db.execute(SCRIPT.read_text("utf-8"))
    finally:
        await db.close()
