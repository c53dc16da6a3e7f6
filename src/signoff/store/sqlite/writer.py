"""The only writing connection of a SQLite file; the tasks of the event loop take turns.

A transaction is prepared on the event loop's own thread, because handing it to another thread, and sharing the
interpreter with that thread, would cost more than its statements. Operations that wait for the disk (the commit, the
checkpoint, anything that another process's lock blocks) run in a thread while the loop continues.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, TypeVar

import apsw

from signoff.core.errors import Busy
from signoff.store.sqlite.threads import ConnectionThread, Open, disk_full, translated
from signoff.store.sqlite.turns import Turns

T = TypeVar("T")
IDLE: Final = 1.0  # seconds without writes after which the log is checkpointed
PATIENCE: Final = 5000  # milliseconds to wait for another program's lock, off the event loop


class Writer:
    """connect: opens the connection, called in another thread. turns: given if other worker processes write too."""

    def __init__(self, connect: Open, turns: Turns | None = None) -> None:
        self._turns = turns
        self._thread = ConnectionThread("signoff-writer", connect)
        self._turn = asyncio.Lock()
        self._db: apsw.Connection | None = None
        self._owner: asyncio.Task[object] | None = None
        self._owed = False  # whether this process holds the workers' token
        self._used_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._resting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; raises the error if that fails."""
        await self._thread.open()
        self._db = await self._thread.run(lambda db: db)

    async def close(self) -> None:
        """Finish the current transaction, checkpoint the log, close."""
        if self._timer is not None:
            self._timer.cancel()
        if self._resting is not None:
            await self._resting
        if self._db is not None:
            async with self._turn:
                self._db = None
                await self._thread.run(_checkpoint)
        await self._thread.close()

    async def run(self, job: Callable[[apsw.Connection], T]) -> T:
        """Run a job that handles transactions itself, off the event loop; return its result."""
        async with self.turn():
            return await self._done(self._thread.put(self._last(job)))

    async def commit(self, change: Callable[[apsw.Connection], T]) -> T:
        """Run ``change`` in a transaction; return its result after the commit. If it raises, nothing is written."""
        async with self.turn():
            db = self._db
            if db is None:
                raise Busy("database_unavailable", "The database is closed.")
            if not _begun(db):
                return await self._done(self._thread.put(self._last(lambda db: whole(db, change))))
            try:
                result = translated(change, db)
                await self._done(self._thread.put(self._last(_commit)))
            finally:
                _roll_back(db)
            return result

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Be the only writer: until this ends, no other task of this process and no other worker writes.
        It can be nested.
        """
        task = asyncio.current_task()
        if self._owner is task:
            await self._take()
            yield
            return
        async with self._turn:
            self._owner = task
            try:
                await self._take()
                yield
            finally:
                self._owner = None
                self._pass_on()

    async def _take(self) -> None:
        if self._turns is not None and not self._owed:
            await self._turns.take()
            self._owed = True

    def _last(self, job: Callable[[apsw.Connection], T]) -> Callable[[apsw.Connection], T]:
        """Wraps the last job of a turn: the next worker may write after it, without waiting for the event loop to
        see the result.
        """

        def then_pass_on(db: apsw.Connection) -> T:
            try:
                return job(db)
            finally:
                self._pass_on()

        return job if self._turns is None else then_pass_on

    def _pass_on(self) -> None:
        if self._turns is not None and self._owed:
            self._owed = False
            self._turns.give()

    async def _done(self, work: "asyncio.Future[T]") -> T:
        """Return the result of work in the thread. The turn is kept until the work has ended, even if the caller is
        canceled.
        """
        try:
            return await asyncio.shield(work)
        finally:
            if not work.done():
                await asyncio.wait([work])
            self._rest_later()

    def _rest_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._used_at = loop.time()
        if self._timer is None and self._db is not None:
            self._timer = loop.call_later(IDLE, self._rest)

    def _rest(self) -> None:
        loop = asyncio.get_running_loop()
        left = self._used_at + IDLE - loop.time()
        if left > 0 or self._turn.locked():
            self._timer = loop.call_later(max(left, IDLE / 10), self._rest)
            return
        self._timer = None
        self._resting = loop.create_task(self._empty_log())

    async def _empty_log(self) -> None:
        async with self._turn:
            if self._db is not None:
                await asyncio.shield(self._thread.run(_checkpoint))


def _begun(db: apsw.Connection) -> bool:
    """Begin a transaction; returns whether the write lock was free."""
    db.set_busy_timeout(0)
    try:
        translated(db.execute, "begin immediate")
    except Busy as busy:
        if busy.code != "database_unavailable":
            raise
        return False
    finally:
        db.set_busy_timeout(PATIENCE)
    return True


def whole(db: apsw.Connection, change: Callable[[apsw.Connection], T]) -> T:
    """Run ``change`` between begin and commit, all in this thread; return its result."""
    with transaction(db):
        return change(db)


@contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """Commit everything in the block, or nothing."""
    db.execute("begin immediate")
    try:
        yield
        _commit(db)
    finally:
        _roll_back(db)


def _commit(db: apsw.Connection) -> None:
    """Commit durably. If the disk fails, the writes may or may not survive a crash."""
    try:
        db.execute("commit")
    except apsw.IOError as error:
        if disk_full(error):
            raise
        raise Busy(
            "commit_unknown", f"The disk failed during a write, which may or may not be committed. {error}."
        ) from error


def _roll_back(db: apsw.Connection) -> None:
    # Without an error it is committed already; a full disk may have rolled it back.
    if db.in_transaction:
        db.execute("rollback")


def _checkpoint(db: apsw.Connection) -> None:
    """Checkpoint the log into the file and truncate it. If a reader blocks that, the next pause does it."""
    db.set_busy_timeout(0)
    with suppress(apsw.Error):
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    db.set_busy_timeout(PATIENCE)
