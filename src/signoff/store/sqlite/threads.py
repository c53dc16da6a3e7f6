"""Threads that each own a SQLite connection: one thread writes, a few others read.

A job is a plain function of the connection; its result is returned to the calling event loop. SQLite's errors are
translated into Refused. Waking a thread, and then the loop, costs more than a small read, so all jobs of one turn of
the loop are sent and returned together.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import apsw

from signoff.core.errors import Busy, Conflict

T = TypeVar("T")
Open = Callable[[], apsw.Connection]
_Job = tuple[Callable[[apsw.Connection], Any], "asyncio.Future[Any]"]
_UNAVAILABLE: Final = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.PermissionsError,
)
# SQLite reports a full disk as such, but a quota, a size limit, or a full disk under the -shm file as one of these.
_NO_ROOM: Final = (apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_SHMSIZE)


class ConnectionThread:
    """A queue of jobs and the threads that run them, in order if there is only one thread."""

    def __init__(
        self,
        name: str,
        connect: Open,
        *,
        threads: int = 1,
    ) -> None:
        self._name = name
        self._connect = connect
        self._count = threads
        self._gathered: list[_Job] = []
        self._jobs: SimpleQueue[tuple[list[_Job], asyncio.AbstractEventLoop] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    async def open(self) -> None:
        """Start the threads; raises the error if a connection fails."""
        for number in range(self._count):
            db = await asyncio.to_thread(translated, self._connect)
            thread = threading.Thread(
                target=self._work, args=(db,), name=f"{self._name}-{number}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    async def close(self) -> None:
        """Finish queued jobs, then close the connections."""
        threads, self._threads = self._threads, []
        self._hand_over(asyncio.get_running_loop())
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            await asyncio.to_thread(thread.join)

    async def run(self, job: Callable[[apsw.Connection], T]) -> T:
        """Run a job and return its result; raises Busy if the database is closed."""
        return await self.put(job)

    def put(self, job: Callable[[apsw.Connection], T]) -> "asyncio.Future[T]":
        """Queue the job; returns a future of its result."""
        if not self._threads:
            raise Busy("database_unavailable", "The database is closed.")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._gathered.append((job, answer))
        if len(self._gathered) == 1:
            loop.call_soon(self._hand_over, loop)
        return answer

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._gathered:
            jobs, self._gathered = self._gathered, []
            self._jobs.put((jobs, loop))

    def _work(self, db: apsw.Connection) -> None:
        while (handed := self._jobs.get()) is not None:
            jobs, loop = handed
            done = [(answer, *_outcome(db, job)) for job, answer in jobs]
            with suppress(RuntimeError):  # the loop has ended, so nobody waits for the result
                loop.call_soon_threadsafe(_settle, done)
        db.close()


def _outcome(db: apsw.Connection, job: Callable[[apsw.Connection], Any]) -> tuple[Any, BaseException | None]:
    try:
        return translated(job, db), None
    except BaseException as error:
        return None, error


def _settle(done: "list[tuple[asyncio.Future[Any], Any, BaseException | None]]") -> None:
    for answer, result, error in done:
        if answer.done():
            continue
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)


def disk_full(error: apsw.Error) -> bool:
    """Whether the error means that the disk is full."""
    return getattr(error, "extendedresult", 0) in _NO_ROOM


def translated(call: Callable[..., T], *args: Any) -> T:
    """Return the result of the call; SQLite's errors are translated into Busy or Conflict."""
    try:
        return call(*args)
    except apsw.ConstraintError as error:
        raise Conflict("write_conflict", f"The database refused a row: {error}.") from error
    except (apsw.FullError, apsw.ReadOnlyError) as error:
        raise Busy("storage_full", f"The database cannot grow: {error}.", retry_after=10) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise Busy(
            "database_damaged",
            f"The database file is damaged: {error}.",
            retry_after=60,
            hint="Stop the server and restore a backup: signoff db restore FILE.",
        ) from error
    except (apsw.NoMemError, MemoryError) as error:
        raise Busy("out_of_memory", "Out of memory.", retry_after=10) from error
    except _UNAVAILABLE as error:
        if disk_full(error):
            raise Busy("storage_full", f"The database cannot grow: {error}.", retry_after=10) from error
        raise Busy("database_unavailable", f"The database cannot be used right now: {error}.") from error
