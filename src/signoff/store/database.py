"""What ``Intents``, ``Directory`` and ``Outbox`` need of a database: to read, and to write plain rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from signoff.core.errors import Busy
from signoff.core.plan.plan import Plan
from signoff.store.rows import Plans, Row
from signoff.store.sql import PLAN

Statement = tuple[str, dict[str, Any]]


class ConnectionLost(Busy):
    """Nobody answers, or not any more; what was under way in the database may or may not have happened."""


class Database(Protocol):
    """One of the two. Every call raises Busy when the database cannot be reached or its disk is full."""

    plans: Plans

    async def read(self, sql: str, **values: Any) -> list[Row]:
        """The rows of one statement; never waits for a writer."""
        ...

    async def write(self, *statements: Statement) -> list[list[Row]]:
        """Run the statements in one transaction; the rows that each returns."""
        ...

    async def now(self) -> datetime:
        """The time used: the database's, mapped by the store's clock."""
        ...


async def plans_of(database: Database, rows: Sequence[Row]) -> dict[str, Plan]:
    """The plans that rows (id, plan, ...) name, by digest."""
    wanted = {row[1] for row in rows}
    plans = database.plans.known(wanted)
    missing = wanted - plans.keys()
    if missing:
        plans |= database.plans.learn(await database.read(PLAN, digests=list(missing)))
    return plans
