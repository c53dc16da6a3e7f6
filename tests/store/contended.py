"""A store on PostgreSQL in which each transaction fails once with a serialization failure after all of its work, as in
distributed databases under contention and in PostgreSQL at the isolation level SERIALIZABLE. ``pytest --contended``
runs the suites on it: a repeated transaction must not keep effects of its first attempt.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from signoff.store.database import Statement
from signoff.store.postgres.store import PostgresStore
from signoff.store.rows import Row
from signoff.store.store import Work
from signoff.store.transaction import Locks

FAIL = "do $$ begin raise exception 'by the test' using errcode = '40001'; end $$"
_fails: ContextVar[bool] = ContextVar("fails", default=False)


class ContendedStore(PostgresStore):
    failures = 0  # of all stores

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pooled = True  # even a single statement is in a transaction

    async def transact(self, want: Locks, work: Work) -> None:
        _fails.set(True)
        await super().transact(want, work)

    async def write(self, *statements: Statement) -> list[list[Row]]:
        _fails.set(True)
        return await super().write(*statements)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        async with super()._transaction() as db:
            yield db
            if _fails.get():
                _fails.set(False)
                ContendedStore.failures += 1
                await db.execute(FAIL)
