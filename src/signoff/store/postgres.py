"""The store on PostgreSQL: any number of servers beside each other, the row lock decides who acts.

READ COMMITTED, ``synchronous_commit=on``, rows locked in id order. What a transaction reads is one statement and
what it writes another; without a lock to hold, the write is its own transaction. 40001 and 40P01 start afresh.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import asyncpg

from signoff.core.errors import Busy, Refused
from signoff.core.plan import Plan
from signoff.store import postgres_sql as own
from signoff.store import sql
from signoff.store.batch import build, cursor_demand
from signoff.store.connections import Address, Connections
from signoff.store.database import Statement
from signoff.store.dialect import for_postgres
from signoff.store.hearing import Hearing
from signoff.store.migrate import APPLIED, RECORD, VERSION_TABLE, pending
from signoff.store.rows import Row, intent_of, micros, moment
from signoff.store.store import Clock, Store, Work
from signoff.store.work import Found, Reply, Want

CONNECTIONS: Final = 8
TRIES: Final = 3
# Another transaction was first: a deadlock, a serialisation failure, or a reply that appeared since we looked.
_AFRESH: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.NotNullViolationError)


class PostgresStore(Store):
    """listen: False where notifications cannot pass; everything works without them, only slower."""

    def __init__(self, url: str, *, clock: Clock, listen: bool) -> None:
        super().__init__(clock)
        address = Address(url)
        self._pooled = address.pooled
        self._begin = own.BEGIN_POOLED if address.pooled else own.BEGIN
        self._connections = Connections(address, CONNECTIONS)
        self._hearing = Hearing(address) if listen and not address.pooled else None

    async def open(self) -> None:
        async with self._transaction() as db:
            await self._migrate(db)

    async def close(self) -> None:
        if self._hearing is not None:
            await self._hearing.close()
        await self._connections.close()

    async def transact(self, want: Want, work: Work) -> None:
        for _ in range(TRIES):
            async with self._connections.one() as db:
                try:
                    return await self._once(db, want, work)
                except _AFRESH:
                    continue
        raise Busy("database_contended", "Other servers were first, each time. Nothing was written.")

    async def read(self, sql: str, **values: Any) -> list[Row]:
        if self._pooled:
            return (await self.write((sql, values)))[0]
        async with self._connections.one() as db:
            return await _rows(db, sql, values)

    async def write(self, *statements: Statement) -> list[list[Row]]:
        for _ in range(TRIES):
            try:
                async with self._transaction() as db:
                    return [await _rows(db, text, values) for text, values in statements]
            except _AFRESH:
                continue
        raise Busy("database_contended", "Other servers were first, each time. Nothing was written.")

    async def now(self) -> datetime:
        [[now]] = await self.read(f"select {own.NOW}")
        return self.clock(moment(now))

    async def ping(self) -> None:
        await self.read(sql.PING)

    async def announce(self, words: Sequence[str]) -> None:
        if self._hearing is not None and words:
            await self._hearing.announce(words)

    async def listen(self, heard: Callable[[list[str]], None]) -> None:
        if self._hearing is not None:
            await self._hearing.listen(heard)

    async def backup(self, target: Path) -> None:
        raise Refused(
            "backup_elsewhere",
            "A PostgreSQL database is backed up with PostgreSQL's own tools.",
            hint=f"Run: pg_dump --format=custom --file={target} with the database's address.",
        )
