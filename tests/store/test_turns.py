"""Workers on one SQLite file take turns at writing; SQLite's own lock decides, whoever has the token."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from signoff.engine.commit.committer import Committer
from signoff.store.sqlite.store import SqliteStore
from signoff.store.sqlite.turns import Turns
from signoff.store.sqlite.writer import Writer
from signoff.store.store import same
from tests.conftest import FixedClock
from tests.engine.test_committer import Look

NEVER = 60.0  # longer than any test


@pytest.fixture
async def turns() -> AsyncIterator[Turns]:
    made = Turns()
    yield made
    made.close()


def file(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path / "file.db"))
    db.execute("pragma journal_mode = wal")
    db.execute("create table if not exists t (n)")
    return db


@pytest.mark.parametrize("too_many", [False, True])  # a worker has died, but another one had the turn
async def test_token_is_held_by_one_writer_and_passed_on(turns: Turns, too_many: bool) -> None:
    if too_many:
        turns.give()
    await turns.take()
    second = asyncio.create_task(turns.take(NEVER))
    await asyncio.sleep(0)
    assert not second.done()
    turns.give()
    await second
    if not too_many:
        turns.give()


async def test_lost_token_is_awaited_for_a_limited_time(turns: Turns) -> None:
    await turns.take()  # and never given back
    await turns.take(0)
    turns.give()
    await turns.take(NEVER)


async def test_writers_that_take_turns_never_wait_for_the_lock(turns: Turns, tmp_path: Path) -> None:
    """A writer that finds the lock taken would sleep in its thread until it is free."""
    writers = [Writer(lambda: file(tmp_path), turns) for _ in range(3)]
    for writer in writers:
        await writer.open()
    threads: list[int] = []

    def change(db: apsw.Connection) -> None:
        db.execute("insert into t values (1)")
        threads.append(threading.get_ident())

    async def write(writer: Writer) -> None:
        for _ in range(20):
            await writer.commit(change)

    await asyncio.gather(*(write(writer) for writer in writers))
    for writer in writers:
        await writer.close()
    assert threads == [threading.get_ident()] * 60
    assert list(file(tmp_path).execute("select count(*) from t")) == [(60,)]


async def test_jobs_queued_while_another_worker_writes_are_one_batch(
    turns: Turns, tmp_path: Path, clock: FixedClock
) -> None:
    store = SqliteStore(tmp_path / "signoff.db", wall=clock.wall, clock=same, turns=turns)
    await store.open()
    committer = Committer(store, lambda _: (), lambda _: None)
    running = asyncio.create_task(committer.run())
    await turns.take()  # another worker writes
    looks: list[Look] = []
    waiting: list[asyncio.Task[object]] = []
    for _ in range(5):
        looks.append(Look())
        waiting.append(asyncio.create_task(committer.do(looks[-1])))
        await asyncio.sleep(0)
    turns.give()
    await asyncio.gather(*waiting)
    running.cancel()
    await asyncio.wait([running])
    await store.close()
    assert len({id(look.batch) for look in looks}) == 1
