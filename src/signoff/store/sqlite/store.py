"""The store on SQLite: one connection writes, a few others read. Acknowledged writes are on disk.

It uses WAL with ``synchronous=FULL``, and always ``begin immediate``, so that no transaction reads first and fails to
write later. A lock file, itself a permanently locked database, keeps a second server away from the same file.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from signoff.core.errors import Busy, Refused
from signoff.core.plan.plan import Plan
from signoff.store import refold, sql
from signoff.store.bulk_writes import Agent, build, cursor_demand, only_locked
from signoff.store.database import Statement
from signoff.store.dialect import for_sqlite, insert_row
from signoff.store.migrate import APPLIED, RECORD, VERSION_TABLE, pending, refuse_other
from signoff.store.rows import Row, by_id, by_ids, micros
from signoff.store.sql import QUICK
from signoff.store.sqlite.threads import ConnectionThread, translated
from signoff.store.sqlite.turns import Turns
from signoff.store.sqlite.writer import PATIENCE, Writer, transaction, whole
from signoff.store.store import Clock, Store, Work
from signoff.store.transaction import IdempotencyKey, Loaded, Locks, SentDelivery, StoredReply, Writes

# Before this version, a checkpoint concurrent with a reset of the WAL could corrupt the file.
OLDEST: Final = (3, 51, 3)
READERS: Final = 3

_INSERT_INTENT: Final = insert_row(sql.INTENTS)
_PLACES: Final = {name: f"?{number}" for number, name in enumerate(sql.CHANGES.columns, 1)}
# Without an agent the delivery is not claimable; without a new cursor it keeps its cursor.
_CHANGED: Final = _PLACES | {
    "cursor": "iif({agent} is null, null, coalesce({cursor}, cursor))".format(**_PLACES)
}
_UPDATE_INTENT: Final = "update intents set {} where {}".format(
    ", ".join(f"{name} = {value}" for name, value in _CHANGED.items() if name not in sql.FOUND_BY),
    " and ".join(f"{name} = {_PLACES[name]}" for name in sql.FOUND_BY),
)
_INSERT_PLAN: Final = insert_row(sql.PLANS, sql.KEEP_PLAN)
_INSERT_SUBMISSION: Final = insert_row(sql.SUBMISSIONS)
_INSERT_REVISION: Final = insert_row(sql.REVISIONS)
_RESUBMIT: Final = "update submissions set payload = ?3 where intent_id = ?1 and shard = ?2"
_INSERT_EVENT: Final = insert_row(sql.EVENTS)
_INSERT_TARGET: Final = insert_row(sql.TARGETS, sql.RETARGETED)
_INSERT_DECIDED: Final = insert_row(sql.DECIDED, sql.REDECIDED)
_INSERT_REPLY: Final = insert_row(sql.REPLIES, sql.REPLACE_EXPIRED)
_INSERT_OUTGOING: Final = insert_row(sql.OUTBOX)
CLOSE_ROW: Final = "delete from worklist where shard = ? and workspace = ? and party = ? and intent_id = ?"
_LIST: Final = insert_row(sql.WORKLIST, sql.RANKED)
_PUT_SENT: Final = sql.PUT_SENT.format(
    sent="(select ?1 as workspace, ?2 as agent, ?3 as intent_id, ?4 as shard, ?5 as cursor) n"
).replace(":now", "?6")
_PUT_FOLLOWED: Final = sql.PUT_FOLLOWED.format(followed="values (?, ?, ?, ?, ?, ?)")
_ORPHANS_END_WITHIN: Final = 20.0  # seconds
_NEXT_CURSOR: Final = insert_row(sql.CURSORS, sql.NEXT_CURSORS)


fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, where there are no workers
    fcntl = None


class SqliteStore(Store):
    """wall: the system clock, which is read inside the transaction, once the write lock is held. turns: given if
    several processes of one server write; their supervisor then holds the file's lock.
    """

    def __init__(
        self, path: Path, *, wall: Callable[[], datetime], clock: Clock, turns: Turns | None = None
    ) -> None:
        self._shared = turns is not None
        super().__init__(clock)
        self.path = Path(os.path.realpath(path))  # another name for the same file must use the same lock
        self._files: dict[str, tuple[int, int]] = {}
        self._wall = wall
        self._writer = Writer(self._connect_writer, turns)
        self._readers = ConnectionThread("signoff-reader", self._connect_reader, threads=READERS)
        self._near: apsw.Connection | None = None  # used on the event loop itself
        self._held: apsw.Connection | None = None

    async def open(self) -> None:
        refuse_old(apsw.sqlite_lib_version())
        await asyncio.to_thread(self._prepare_file)
        try:
            await self._writer.open()
            await self._writer.run(self._migrate)
            await self._readers.open()
            self._near = await asyncio.to_thread(self._connect_reader)
            self._files = {name: file for name in ("", "-wal") if (file := self._file(name)) is not None}
        except BaseException:
            await self.close()
            raise

    async def look(self, write: bool = False) -> None:
        if not self.path.is_file():
            raise Refused("database_missing", f"There is no database at {self.path}.", field="database")
        try:
            await self._readers.open()
            known = await self.read("select 1 from sqlite_master where name = 'schema_version'")
            refuse_other("sqlite", (await self.read(APPLIED))[0][0] if known else None)
            if write:
                await self._writer.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        self._files = {}
        if self._near is not None:
            self._near.close()
            self._near = None
        await self._readers.close()
        await self._writer.close()
        if self._held is not None:
            self._held.close()
            self._held = None

    def turn(self) -> AbstractAsyncContextManager[None]:
        return self._writer.turn() if self._shared else nullcontext()

    async def transact(self, want: Locks, work: Work) -> None:
        learnt, now = await self._writer.commit(lambda db: self._change(db, want, work))
        for digest, plan in learnt.items():
            self.plans.put(digest, plan, now)

    async def read(self, sql: str, **values: Any) -> list[Row]:
        if sql in QUICK and self._near is not None:
            rows = translated(_rows, self._near, (sql, values))
            await asyncio.sleep(0)  # let other tasks run during a series of reads
            return rows
        return await self._readers.run(lambda db: _rows(db, (sql, values)))

    async def write(self, *statements: Statement) -> list[list[Row]]:
        def job(db: apsw.Connection) -> list[list[Row]]:
            return [_rows(db, statement) for statement in statements]

        return await self._writer.run(lambda db: whole(db, job))

    async def now(self) -> datetime:
        return self.clock(self._wall())

    def _file(self, ending: str) -> tuple[int, int] | None:
        """The file that currently has the database's name."""
        try:
            found = os.stat(f"{self.path}{ending}")
        except OSError:
            return None
        return found.st_dev, found.st_ino

    async def ping(self) -> None:
        for ending, file in self._files.items():
            if self._file(ending) != file:
                raise Busy(
                    "database_gone",
                    f"{self.path}{ending} was deleted or replaced while this server is using it.",
                    retry_after=60,
                    hint="Current writes will be lost. Stop the server; signoff db restore FILE restores a backup.",
                )
        await self.read(sql.PING)
        await self.write((sql.PROBE, {}))

    async def announce(self, topics: Sequence[str]) -> None:
        """Does nothing: no other server uses this file."""

    async def warm(self) -> None:
        """Does nothing: ``open`` has already opened the connections."""

    async def listen(self, notified: Callable[[list[str]], None]) -> None:
        """Does nothing: no other server uses this file."""

    async def backup(self, target: Path) -> None:
        """Works without ``open``. The copy is consistent even while another process uses the file."""
        copier = ConnectionThread("signoff-copier", self._connect_copier)
        await copier.open()
        try:
            await copier.run(lambda db: _copy(db, target))
        except FileExistsError as error:
            raise Refused("backup_exists", f"{target} exists already.", hint="Choose a new file.") from error
        except OSError as error:
            raise Refused("backup_refused", f"{target} is not writable: {error.strerror}.") from error
        finally:
            await copier.close()

    def _prepare_file(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        if not self._shared:
            self._held = hold_lock(self.path)

    def _connect_writer(self) -> apsw.Connection:
        db = apsw.Connection(str(self.path))
        db.set_busy_timeout(PATIENCE)
        for pragma in (
            "journal_mode = wal",
            "synchronous = full",
            "foreign_keys = on",
            "journal_size_limit = 67108864",
            "cache_size = -32768",
        ):
            db.execute(f"pragma {pragma}")
        return db

    def _connect_copier(self) -> apsw.Connection:
        db = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
        db.set_busy_timeout(PATIENCE)
        return db

    def _connect_reader(self) -> apsw.Connection:
        db = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
        db.set_busy_timeout(PATIENCE)
        db.execute("pragma query_only = on")
        return db

    def _migrate(self, db: apsw.Connection) -> None:
        with transaction(db):
            db.execute(VERSION_TABLE)
            [[applied]] = _rows(db, (APPLIED, {}))
            for step in pending("sqlite", applied):
                db.execute(step.script)
                if step.name in refold.REFOLDED:
                    self._refold(db)
                if step.name in refold.LISTED:
                    self._list_open_tasks(db)
                if step.name in refold.DECIDED:
                    self._list_decided(db)
                at = micros(self._wall())
                _rows(db, (RECORD, {"version": step.version, "name": step.name, "applied_at": at}))

    def _refold(self, db: apsw.Connection) -> None:
        after = ""
        while rows := _rows(db, (refold.OPEN, {"after": after, "limit": refold.PAGE})):
            for row in rows:
                plans = self.plans.learn(_rows(db, (sql.PLAN, {"digests": [row[1]]})))
                if not refold.in_flight(row, plans):
                    continue
                events = _rows(db, (refold.EVENTS, by_id(row[0])))
                if (state := refold.rebuilt(row, events, plans)) is not None:
                    _rows(db, (refold.SAVE, {**by_id(row[0]), "state": state}))
            after = rows[-1][0]

    def _list_open_tasks(self, db: apsw.Connection) -> None:
        after = ""
        while rows := _rows(db, (refold.WAITING, {"after": after, "limit": refold.PAGE})):
            plans = self.plans.learn(_rows(db, (sql.PLAN, {"digests": list({row[1] for row in rows})})))
            db.executemany(_LIST, refold.entries(rows, plans))
            after = rows[-1][0]

    def _list_decided(self, db: apsw.Connection) -> None:
        after = ""
        while rows := _rows(db, (refold.ALL, {"after": after, "limit": refold.PAGE})):
            plans = self.plans.learn(_rows(db, (sql.PLAN, {"digests": list({row[1] for row in rows})})))
            if found := refold.decisions(rows, plans):
                db.executemany(_INSERT_DECIDED, found)
            after = rows[-1][0]

    def _change(self, db: apsw.Connection, want: Locks, work: Work) -> tuple[dict[str, Plan], datetime]:
        now = self.clock(self._wall())
        found = self._find(db, want, now)
        return self._save(db, found, only_locked(found, work(found))), now

    def _find(self, db: apsw.Connection, want: Locks, now: datetime) -> Loaded:
        found = Loaded(now, {}, {}, [], [])
        if want.ids:
            self._take(db, found, (sql.LOCK, by_ids(want.ids)))
        if want.claims is not None:
            found.claimable = self._take(db, found, (sql.LOCK_READY, msgspec.structs.asdict(want.claims)))
        if want.due:
            found.due = self._take(db, found, (sql.LOCK_DUE, {"now": micros(now), "limit": want.due}))
        for key in want.once:
            for fingerprint, body in _rows(db, (sql.REPLY, _idempotency_row(key, now))):
                found.replies[key] = StoredReply(fingerprint, body)
        if want.workspaces:
            for space, number in _rows(db, (sql.LAST_CHANGES, {"spaces": want.workspaces})):
                found.last_changes[space] = number
        return found

    def _take(self, db: apsw.Connection, found: Loaded, statement: Statement) -> list[str]:
        rows = _rows(db, statement)
        wanted = {row[1] for row in rows}
        plans = self.plans.known(wanted)
        missing = wanted - plans.keys()
        if missing:
            plans |= self.plans.learn(_rows(db, (sql.PLAN, {"digests": list(missing)})))
        found.intents.update((row[0], self.states.intent_of(row, plans)) for row in rows)
        return [row[0] for row in rows]

    def _save(self, db: apsw.Connection, found: Loaded, writes: Writes) -> dict[str, Plan]:
        now = found.now
        starts: dict[Agent, int] = {}
        for workspace, agent, grows in cursor_demand(writes):
            [(_, _, end)] = db.execute(_NEXT_CURSOR, (workspace, agent, grows))
            starts[workspace, agent] = end - grows
        batch = build(writes, found.intents, self.plans, self.states, starts, now)
        for statement, rows in (
            (_INSERT_PLAN, batch.plans),
            (_INSERT_INTENT, batch.intents),
            (_INSERT_SUBMISSION, batch.submissions),
            (_UPDATE_INTENT, batch.changes),
            (_INSERT_REVISION, batch.revisions),
            (_RESUBMIT, batch.resubmissions),
            (_INSERT_TARGET, batch.targets),
            (_INSERT_DECIDED, batch.decided),
            (_INSERT_EVENT, batch.events),
            (CLOSE_ROW, batch.closed),
            (_LIST, batch.worklist),
            (_INSERT_OUTGOING, batch.outbox),
        ):
            if rows:
                db.executemany(statement, rows)
        at = micros(now)
        for statement, rows in (
            (_INSERT_REPLY, batch.replies),
            (_PUT_SENT, batch.sent),
            (_PUT_FOLLOWED, batch.followed),
        ):
            if rows:
                db.executemany(statement, [(*row, at) for row in rows])
        writes.recorded = [SentDelivery(w, a, id, cursor) for w, a, id, _, cursor in batch.followed]
        return batch.learnt


def _copy(db: apsw.Connection, target: Path) -> None:
    """Copy the whole database to a new file and sync it to disk. Raises FileExistsError if the file exists; leaves no
    file behind if it fails.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        _rows(db, ("vacuum into :target", {"target": str(target)}))
        to_disk(target)
    except BaseException:
        target.unlink()  # a partial copy must not look complete
        raise


def hold_lock(path: Path) -> apsw.Connection:
    """Take the lock of a server on this file, until it is closed; raises Refused while another server holds it."""
    lock = path.with_name(path.name + ".lock")
    os.close(os.open(lock, os.O_CREAT | os.O_RDWR, 0o600))
    held = apsw.Connection(str(lock))
    try:
        translated(_lock, held)
    except Busy as busy:
        held.close()
        if not isinstance(busy.__cause__, apsw.BusyError):
            raise
        raise Refused(
            "database_in_use",
            f"Another server is using {path}.",
            field="database",
            hint="Stop it, use its address, or choose another file. Running several servers requires PostgreSQL.",
        ) from busy
    try:
        if workers_lock(path).exists():
            os.close(hold_workers_lock(path))
    except BaseException:
        held.close()
        raise
    return held


def workers_lock(path: Path) -> Path:
    return path.with_name(path.name + ".workers")


def hold_workers_lock(path: Path) -> int:
    """Take the lock that every worker process of a server inherits: a descriptor whose lock ends when all of them have
    closed it. Workers whose supervisor was killed still finish what they have started, so this waits for them for a
    while.
    """
    workers = os.open(workers_lock(path), os.O_CREAT | os.O_RDWR, 0o600)
    if fcntl is None:
        return workers
    give_up = time.monotonic() + _ORPHANS_END_WITHIN
    while True:
        try:
            fcntl.flock(workers, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < give_up:
                time.sleep(0.05)
                continue
            os.close(workers)
            raise Refused(
                "database_in_use",
                f"Worker processes of another server are using {path}.",
                field="database",
                hint="They exit on their own when their supervisor has exited; kill them if they hang.",
            ) from None
        return workers


def _lock(db: apsw.Connection) -> None:
    db.execute("begin exclusive")


def to_disk(path: Path, *, folder: bool = False) -> None:
    """Sync the file, and if possible its directory, to disk, which SQLite does not do for a copy."""
    places = [] if folder else [(path, os.O_RDWR)]
    if os.name == "posix":
        places.append((path if folder else path.parent, os.O_RDONLY))
    for place, way in places:
        descriptor = os.open(place, way)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _idempotency_row(key: IdempotencyKey, now: datetime) -> dict[str, Any]:
    return {**msgspec.structs.asdict(key), "now": micros(now)}


def _rows(db: apsw.Connection, statement: Statement) -> list[Row]:
    text, values = statement
    bound = {
        name: msgspec.json.encode(value).decode() if isinstance(value, list | tuple) else value
        for name, value in values.items()
    }
    return list(db.execute(for_sqlite(text), bound))


def refuse_old(version: str) -> None:
    """Raise Refused for a SQLite version that can lose acknowledged writes."""
    if tuple(int(part) for part in version.split(".")[:3]) < OLDEST:
        oldest = ".".join(str(part) for part in OLDEST)
        raise Refused(
            "sqlite_too_old",
            f"SQLite {version} can damage a database in use; at least {oldest} is needed.",
            hint="Upgrade the package apsw, which brings its own SQLite.",
        )
