"""The store on PostgreSQL. Any number of servers share it; row locks decide who acts.

READ COMMITTED, ``synchronous_commit=on``, rows locked in id order. A transaction reads with one statement and writes
with another; if it holds no locks, the write alone is the transaction. The errors 40001 and 40P01 are retried.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from signoff.core.errors import Busy, Conflict, Refused
from signoff.core.plan.plan import Plan
from signoff.store import refold, sql
from signoff.store.bulk_writes import build, cursor_demand, only_locked
from signoff.store.database import Statement
from signoff.store.dialect import for_postgres
from signoff.store.migrate import APPLIED, RECORD, VERSION_TABLE, pending, refuse_other
from signoff.store.postgres import statements as own
from signoff.store.postgres.connections import Address, Connections, RetryTransaction, committing
from signoff.store.postgres.listen import Listener
from signoff.store.rows import Row, by_id, by_ids, from_micros, micros
from signoff.store.store import Clock, Store, Work
from signoff.store.transaction import Loaded, Locks, SentDelivery, StoredReply, Writes

CONNECTIONS: Final = 8
TRIES: Final = 3
MIGRATION_SECONDS: Final = 3600.0
_NEVER: Final = from_micros(0)
T = TypeVar("T")


class PostgresStore(Store):
    """listen: False if notifications cannot get through; everything works without them, but more slowly."""

    def __init__(self, url: str, *, clock: Clock, listen: bool) -> None:
        super().__init__(clock)
        address = Address(url)
        self._pooled = address.pooled
        self._begin = own.BEGIN_POOLED if address.pooled else own.BEGIN
        self._connections = Connections(address, CONNECTIONS)
        self._listener = Listener(address) if listen and not address.pooled else None

    async def open(self) -> None:
        with suppress(Conflict):  # another server created the table at the same time
            await self.write((VERSION_TABLE, {}))
        async with self._transaction() as db:
            await self._migrate(db)

    async def look(self, write: bool = False) -> None:
        [[known]] = await self.read("select to_regclass('schema_version') is not null")
        refuse_other("postgres", (await self.read(APPLIED))[0][0] if known else None)
        await self.now()

    async def close(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        await self._connections.close()

    async def transact(self, want: Locks, work: Work) -> None:
        await _afresh(lambda: self._transact(want, work))

    async def held(self, ids: Sequence[str]) -> set[str]:
        return {row[0] for row in await self.read(sql.HELD, **by_ids(ids))} if ids else set()

    async def read(self, sql: str, **values: Any) -> list[Row]:
        if self._pooled:
            return (await self.write((sql, values)))[0]
        async with self._connections.one() as db:
            return await _rows(db, sql, values)

    async def write(self, *statements: Statement) -> list[list[Row]]:
        async def once() -> list[list[Row]]:
            if len(statements) == 1 and not self._pooled:  # a transaction of its own
                async with self._connections.one() as db:
                    with committing():
                        return [await _rows(db, *statements[0])]
            async with self._transaction() as db:
                return [await _rows(db, text, values) for text, values in statements]

        return await _afresh(once)

    async def now(self) -> datetime:
        [[now]] = await self.read(f"select {own.NOW}")
        return self.clock(from_micros(now))

    async def ping(self) -> None:
        await self.write((sql.PROBE, {}))

    async def announce(self, topics: Sequence[str]) -> None:
        if self._listener is not None and topics:
            await self._listener.announce(topics)

    @property
    def listening(self) -> bool:
        return self._listener is not None and self._listener.listening

    async def warm(self) -> None:
        """Open the connections, and make the driver load the types of our parameters on each. Otherwise both would
        delay the first requests under load, by 20 ms.
        """
        if not self._pooled:
            with suppress(Busy):
                await self._connections.fill(lambda db: db.fetch(own.EVERY_TYPE, *own.NO_VALUES))

    async def listen(self, notified: Callable[[list[str]], None]) -> None:
        if self._listener is not None:
            await self._listener.listen(notified)

    async def backup(self, target: Path) -> None:
        raise Refused(
            "backup_elsewhere",
            "A PostgreSQL database is backed up with PostgreSQL's own tools.",
            hint=f"Run: pg_dump --format=custom --file={target} with the database's address.",
        )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        async with self._connections.one() as db:
            await db.execute(self._begin)
            try:
                yield db
            except Exception:
                if not db.is_closed():
                    await db.execute("rollback")
                raise
            with committing():
                await db.execute("commit")

    async def _migrate(self, db: Any) -> None:
        # Two servers may start on one empty database: the second waits here for the first.
        await db.execute("set local lock_timeout = 0; set local idle_in_transaction_session_timeout = 0")
        await db.execute("lock table schema_version in access exclusive mode", timeout=MIGRATION_SECONDS)
        [[applied]] = await _rows(db, APPLIED, {})
        [[now]] = await _rows(db, f"select {own.NOW}", {})
        self.clock(from_micros(now))  # from now on the time is known
        for step in pending("postgres", applied):
            await db.execute(step.script, timeout=MIGRATION_SECONDS)
            if step.name in refold.REFOLDED:
                await self._refold(db)
            if step.name in refold.LISTED:
                await self._list_open_tasks(db)
            if step.name in refold.DECIDED:
                await self._list_decided(db)
            await _rows(db, RECORD, {"version": step.version, "name": step.name, "applied_at": now})

    async def _refold(self, db: Any) -> None:
        after = ""
        while rows := await _rows(db, refold.OPEN, {"after": after, "limit": refold.PAGE}):
            for row in rows:
                plans = await self._plans(db, {row[1]})
                if not refold.in_flight(row, plans):
                    continue
                events = await _rows(db, refold.EVENTS, by_id(row[0]))
                if (state := refold.rebuilt(row, events, plans)) is not None:
                    await _rows(db, refold.SAVE, {**by_id(row[0]), "state": state})
            after = rows[-1][0]

    async def _list_open_tasks(self, db: Any) -> None:
        after = ""
        while rows := await _rows(db, refold.WAITING, {"after": after, "limit": refold.PAGE}):
            plans = self.plans.learn(await _rows(db, sql.PLAN, {"digests": list({row[1] for row in rows})}))
            await db.executemany(own.LIST, refold.entries(rows, plans))
            after = rows[-1][0]

    async def _list_decided(self, db: Any) -> None:
        after = ""
        while rows := await _rows(db, refold.ALL, {"after": after, "limit": refold.PAGE}):
            plans = self.plans.learn(await _rows(db, sql.PLAN, {"digests": list({row[1] for row in rows})}))
            if found := refold.decisions(rows, plans):
                await db.executemany(own.DECIDE, found)
            after = rows[-1][0]

    async def _transact(self, want: Locks, work: Work) -> None:
        if want.ids or want.claims or want.due or self._pooled:
            async with self._transaction() as db:
                found = await self._find(db, want)
                learnt = await self._save(db, found, only_locked(found, work(found)))
        else:
            async with self._connections.one() as db:
                found = await self._find(db, want)
                writes = only_locked(found, work(found))
                with committing():
                    learnt = await self._save(db, found, writes)
        for digest, plan in learnt.items():
            self.plans.put(digest, plan, found.now)

    async def _find(self, db: Any, want: Locks) -> Loaded:
        found = Loaded(_NEVER, {}, {}, [], [])
        locking, values = own.locking(want)
        if want.due:
            [[now]] = await _rows(db, f"select {own.NOW}", {})
            values["now"] = micros(self.clock(from_micros(now)))
        present, more = own.present(want)
        if locking or not present:
            await self._take(db, own.find(locking), values, found, want)
        if present:
            # A separate statement, because one that waited for a lock does not see what has been committed since.
            await self._take(db, own.find(present), more, found, want)
        return found

    async def _take(
        self,
        db: Any,
        statement: tuple[str, tuple[str, ...]],
        values: dict[str, Any],
        found: Loaded,
        want: Locks,
    ) -> None:
        text, names = statement
        rows = await db.fetch(text, *(values[name] for name in names))
        found.now = self.clock(from_micros(rows[-1][4]))
        plans = await self._plans(db, {row[2] for row in rows if row[0] <= own.DUE})
        for part, id, digest, data, number in rows:
            if part <= own.DUE:
                found.intents[id] = self.states.intent_of((id, digest, data), plans)
            if part == own.READY:
                found.claimable.append(id)
            elif part == own.DUE:
                found.due.append(id)
            elif part == own.REPLIED and from_micros(number) > found.now:
                found.replies[want.once[int(id) - 1]] = StoredReply(digest, data)
            elif part == own.CHANGED:
                found.last_changes[id] = number

    async def _plans(self, db: Any, digests: set[str]) -> dict[str, Plan]:
        plans = self.plans.known(digests)
        missing = digests - plans.keys()
        if missing:
            plans |= self.plans.learn(await _rows(db, sql.PLAN, {"digests": list(missing)}))
        return plans

    async def _save(self, db: Any, found: Loaded, writes: Writes) -> dict[str, Plan]:
        demand = cursor_demand(writes)
        # Only the statement itself knows the counters, so cursors are counted down from their final values to 0.
        starts = {(workspace, agent): -grows for workspace, agent, grows in demand}
        batch = build(writes, found.intents, self.plans, self.states, starts, found.now)
        statement = own.save(batch, demand, micros(found.now))
        if statement is not None:
            text, values = statement
            rows = await db.fetch(text, *values)
            if batch.followed:
                ends = {(workspace, agent): end for workspace, agent, end in rows}
                writes.recorded = [
                    SentDelivery(w, a, id, ends[w, a] + cursor) for w, a, id, _, cursor in batch.followed
                ]
        return batch.learnt


async def _afresh(call: Callable[[], Awaitable[T]]) -> T:
    for _ in range(TRIES - 1):
        try:
            return await call()
        except RetryTransaction:
            continue
    return await call()


async def _rows(db: Any, sql: str, values: dict[str, Any]) -> list[Row]:
    text, names = for_postgres(sql)
    rows: list[Row] = await db.fetch(text, *(values[name] for name in names))
    return rows
