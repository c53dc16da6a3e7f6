"""The database interface that the tables use to read and write plain rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from signoff.core.errors import Busy
from signoff.core.plan.plan import Plan
from signoff.store.rows import LastStates, Plans, Row
from signoff.store.sql import PLAN

Statement = tuple[str, dict[str, Any]]


class ConnectionLost(Busy):
    """The connection failed or was lost; a transaction in progress may or may not have been committed."""


class Database(Protocol):
    """A database. Every call raises Busy if the database is unreachable or its disk is full."""

    plans: Plans
    states: LastStates

    async def read(self, sql: str, **values: Any) -> list[Row]:
        """Return the rows of one statement; never waits for a writer."""
        ...

    async def write(self, *statements: Statement) -> list[list[Row]]:
        """Run the statements in one transaction; return the rows of each."""
        ...

    async def now(self) -> datetime:
        """The current time: the database's time, mapped by the store's clock."""
        ...


async def plans_of(database: Database, rows: Sequence[Row]) -> dict[str, Plan]:
    """The plans that rows (id, plan, ...) name, by digest."""
    wanted = {row[1] for row in rows}
    plans = database.plans.known(wanted)
    missing = wanted - plans.keys()
    if missing:
        plans |= database.plans.learn(await database.read(PLAN, digests=list(missing)))
    return plans
