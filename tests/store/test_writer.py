"""The writing connection: one writer at a time, nothing half-written, and another program's lock does not block the
event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import apsw
import pytest

from signoff.core.errors import Busy
from signoff.store.sqlite.writer import Writer, whole


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    def connect() -> apsw.Connection:
        db = apsw.Connection(str(tmp_path / "file.db"))
        db.execute("pragma journal_mode = wal")
        db.execute("create table if not exists t (n)")
        return db

    writer = Writer(connect)
    await writer.open()
    yield writer
    await writer.close()


def put(number: int) -> Callable[[apsw.Connection], object]:
    return lambda db: db.execute("insert into t values (?)", (number,))


def numbers(path: Path) -> list[int]:
    return [n for (n,) in apsw.Connection(str(path / "file.db")).execute("select n from t order by n")]


async def test_transactions_and_jobs_do_not_interleave(writer: Writer, tmp_path: Path) -> None:
    def job(db: apsw.Connection) -> None:
        assert not db.in_transaction  # whoever had the turn before is done
        whole(db, put(1))

    def change(db: apsw.Connection) -> None:
        db.execute("insert into t values (2)")

    await asyncio.gather(*(writer.run(job) if n % 2 else writer.commit(change) for n in range(60)))
    assert numbers(tmp_path) == [1] * 30 + [2] * 30


async def test_failed_transaction_leaves_nothing_and_the_next_runs(writer: Writer, tmp_path: Path) -> None:
    def fails(db: apsw.Connection) -> None:
        db.execute("insert into t values (1)")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await writer.commit(fails)
    await writer.commit(put(2))
    assert numbers(tmp_path) == [2]


async def test_lock_of_another_program_is_awaited_off_the_event_loop(writer: Writer, tmp_path: Path) -> None:
    other = apsw.Connection(str(tmp_path / "file.db"))
    other.execute("begin immediate")
    waiting = asyncio.create_task(writer.commit(put(1)))
    for _ in range(100):
        await asyncio.sleep(0)  # the loop turns all the while
    assert not waiting.done()
    other.execute("rollback")
    await waiting
    assert numbers(tmp_path) == [1]


async def test_canceled_writer_keeps_its_turn_until_the_commit_is_done(
    writer: Writer, tmp_path: Path
) -> None:
    gone = asyncio.create_task(writer.commit(put(1)))
    await asyncio.sleep(0)  # its statements are done, its commit is on its way
    gone.cancel()
    await writer.commit(put(2))
    assert gone.cancelled()
    assert numbers(tmp_path) == [1, 2]


async def test_closed_writer_refuses(writer: Writer) -> None:
    await writer.close()
    for use in (writer.commit(put(1)), writer.run(put(1))):
        with pytest.raises(Busy):
            await use


async def test_write_ahead_log_is_merged_on_close(writer: Writer, tmp_path: Path) -> None:
    await writer.commit(put(1))
    reader = apsw.Connection(str(tmp_path / "file.db"))
    assert list(reader.execute("select n from t")) == [
        (1,)
    ]  # whoever has read keeps the log from being deleted
    await writer.close()
    assert (tmp_path / "file.db-wal").stat().st_size == 0
    assert numbers(tmp_path) == [1]
    reader.close()


class FailingDisk(apsw.VFS):
    """This machine's file system with a disk that accepts writes but fails to sync."""

    def __init__(self) -> None:
        self.failing = False
        super().__init__("failing-disk", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _File(self, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)  # type: ignore[arg-type]

    def xSync(self, flags: int) -> None:
        if self._disk.failing:
            error = apsw.IOError("disk I/O error")
            error.extendedresult = apsw.SQLITE_IOERR_FSYNC
            raise error
        super().xSync(flags)


async def test_disk_failure_during_the_commit_is_reported_as_unknown(tmp_path: Path) -> None:
    disk = FailingDisk()
    try:

        def connect() -> apsw.Connection:
            db = apsw.Connection(str(tmp_path / "file.db"))
            db.execute("pragma journal_mode = wal; pragma synchronous = full")
            db.execute("create table if not exists t (n)")
            return db

        writer = Writer(connect)
        await writer.open()
        disk.failing = True
        for attempt in (lambda: writer.commit(put(1)), lambda: writer.run(lambda db: whole(db, put(2)))):
            with pytest.raises(Busy) as busy:
                await attempt()
            assert busy.value.code == "commit_unknown"
        disk.failing = False
        await writer.commit(put(3))
        await writer.close()
    finally:
        disk.unregister()
    assert 3 in numbers(tmp_path)
