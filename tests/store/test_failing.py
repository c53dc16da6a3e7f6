"""A failing database: every call raises Busy with a stable code, nothing is half-written, and all recovers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import apsw
import pytest

from signoff.core.errors import Busy, Conflict, Refused
from signoff.store.opening import open_store
from signoff.store.sqlite.store import SqliteStore
from signoff.store.store import Store
from signoff.store.transaction import Locks
from tests.conftest import FixedClock
from tests.store.proxy import Wire
from tests.store.samples import NOTHING, leave, look, move, once, ready, submission, submit, waiting


@pytest.fixture
async def file_store(tmp_path: Path, clock: FixedClock) -> AsyncIterator[SqliteStore]:
    store = open_store(f"sqlite:///{tmp_path}/signoff.db", wall=clock.wall, clock=clock.map)
    assert isinstance(store, SqliteStore)
    await store.open()
    yield store
    await store.close()


async def pragma(store: SqliteStore, text: str) -> None:
    """Set a pragma on the writing connection."""
    await store._writer.run(lambda db: list(db.execute(f"pragma {text}")))


async def refusal(call: Awaitable[object]) -> str:
    with pytest.raises(Busy) as refused:
        await call
    return refused.value.code


async def test_full_disk_refuses_writes_and_damages_nothing(file_store: SqliteStore) -> None:
    [one] = await submit(file_store, waiting())
    await pragma(file_store, "max_page_count = 1")  # SQLite takes the pages there are: not one more
    full = leave(submission(waiting(), payload=b"x" * 500_000))
    assert await refusal(file_store.transact(NOTHING, full)) == "storage_full"
    assert await refusal(file_store.transact(NOTHING, full)) == "storage_full"
    assert await file_store.intents.ids() == [one.id]
    assert (await look(file_store, Locks(ids=(one.id,)))).intents == {one.id: one}
    assert await file_store.read("pragma integrity_check") == [("ok",)]
    await pragma(file_store, "max_page_count = 1000000")
    await file_store.transact(NOTHING, full)
    assert len(await file_store.intents.ids()) == 2


async def test_read_only_file_can_still_be_read(file_store: SqliteStore) -> None:
    [one] = await submit(file_store, waiting())
    await pragma(file_store, "query_only = on")
    assert await refusal(submit(file_store, waiting())) == "storage_full"
    assert await file_store.intents.get(one.id) is not None
    await pragma(file_store, "query_only = off")
    await submit(file_store, waiting())


async def test_file_locked_by_another_program_makes_writers_busy(file_store: SqliteStore) -> None:
    await pragma(file_store, "busy_timeout = 0")
    other = apsw.Connection(str(file_store.path))
    other.execute("begin immediate")
    assert await refusal(submit(file_store, waiting())) == "database_unavailable"
    assert await file_store.intents.ids() == []
    other.close()
    await submit(file_store, waiting())


async def test_closed_store_is_unavailable(store: Store) -> None:
    await store.close()
    assert await refusal(store.ping()) == "database_unavailable"
    assert await refusal(submit(store, waiting())) == "database_unavailable"


async def test_backup_is_a_complete_database(
    file_store: SqliteStore, tmp_path: Path, clock: FixedClock
) -> None:
    ones = await submit(file_store, waiting(), ready())
    target = tmp_path / "copy.db"
    await file_store.backup(target)
    with pytest.raises(Refused) as refused:
        await file_store.backup(target)
    assert refused.value.code == "backup_exists"
    with pytest.raises(Refused) as refused:
        await file_store.backup(tmp_path / "nowhere" / "copy.db")
    assert refused.value.code == "backup_refused"
    copy = open_store(f"sqlite:///{target}", wall=clock.wall)
    await copy.open()
    assert await copy.intents.ids() == [one.id for one in ones]
    await copy.close()


async def test_failed_backup_leaves_no_file(tmp_path: Path, clock: FixedClock) -> None:
    (tmp_path / "damaged.db").write_bytes(b"no database" * 1000)
    store = open_store(f"sqlite:///{tmp_path}/damaged.db", wall=clock.wall)
    assert await refusal(store.backup(tmp_path / "copy.db")) == "database_damaged"
    assert not (tmp_path / "copy.db").exists()


async def test_backup_of_postgres_is_refused_with_its_own_tools(
    postgres_url: str, clock: FixedClock, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match=r"PostgreSQL's own tools") as refused:
        await open_store(postgres_url, wall=clock.wall).backup(tmp_path / "x")
    assert "pg_dump" in (refused.value.hint or "")


@pytest.fixture
async def wire(empty_postgres_url: str) -> AsyncIterator[Wire]:
    wire = Wire(empty_postgres_url)
    await wire.mend()
    yield wire
    await wire.cut()


@pytest.fixture
async def wired(wire: Wire, clock: FixedClock) -> AsyncIterator[Store]:
    """A store on PostgreSQL behind a proxy that can be cut."""
    store = open_store(wire.url, wall=clock.wall, clock=clock.map)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def direct(wired: Store, empty_postgres_url: str, clock: FixedClock) -> AsyncIterator[Store]:
    """The same database without the proxy."""
    store = open_store(empty_postgres_url, wall=clock.wall, clock=clock.map)
    await store.open()
    yield store
    await store.close()


async def test_unreachable_postgres_is_unavailable_from_every_call_until_it_is_back(
    wire: Wire, wired: Store
) -> None:
    [one] = await submit(wired, waiting())
    await wired.announce(["word"])
    await wire.cut()
    calls: list[Callable[[], Awaitable[object]]] = [
        wired.ping,
        wired.now,
        lambda: wired.announce(["word"]),
        lambda: submit(wired, waiting()),
        lambda: look(wired, Locks(ids=(one.id,), once=(once(),))),
        lambda: wired.intents.get(one.id),
        lambda: wired.intents.redeliver("wsp_1", "agent", [one.id]),
        lambda: wired.directory.workspaces(),
        lambda: wired.outbox.counts(),
        lambda: wired.forget_replies(1),
    ]
    for _ in range(2):
        for call in calls:
            assert await refusal(call()) == "database_unavailable"
    await wire.mend()
    for call in calls:
        await call()
    assert len(await wired.intents.ids()) == 2


async def test_opening_an_unreachable_postgres_is_refused_and_can_be_retried(
    wire: Wire, clock: FixedClock
) -> None:
    await wire.cut()
    store = open_store(wire.url, wall=clock.wall)
    assert await refusal(store.open()) == "database_unavailable"
    await wire.mend()
    await store.open()
    await store.close()


@pytest.mark.parametrize("locking", [False, True])
async def test_connection_lost_during_the_commit_is_reported_as_unknown(
    wire: Wire, wired: Store, direct: Store, locking: bool
) -> None:
    """The commit succeeded but its acknowledgment was lost, so the error must not say that nothing was written."""
    [one] = await submit(wired, waiting())
    await submit(
        wired, waiting()
    )  # now the statement is prepared: what is lost next is the answer to running it
    new = waiting()
    work = leave(submission(new, payload=b"the moment"), *([move(one)] if locking else []))
    wire.cut_at = b"commit" if locking else b"the moment"
    assert await refusal(wired.transact(Locks(ids=(one.id,) if locking else ()), work)) == "commit_unknown"
    wire.cut_at = None
    async with asyncio.timeout(60):  # it acts on its own, after it was cut off from us
        while not await direct.read("select 1 from events where intent_id = :id", id=new.id):
            await asyncio.sleep(0)
    with pytest.raises(Conflict):
        await submit(wired, new)
    stored = await wired.intents.get(one.id)
    assert stored is not None
    assert stored.intent.seq == (2 if locking else 1)


FAIL = """
create sequence tries;
create function fail() returns trigger language plpgsql as $$ begin
    if nextval('tries') <= {times} then raise exception 'by the test' using errcode = '{code}'; end if;
    return new;
end $$;
create trigger fail before insert on events for each row execute function fail();
"""


async def failing(url: str, clock: FixedClock, code: str, times: int) -> Store:
    """A store on PostgreSQL whose first ``times`` writes fail with ``code``."""
    store = open_store(url, wall=clock.wall, clock=clock.map)
    await store.open()
    async with store._connections.one() as db:  # type: ignore[attr-defined]
        await db.execute(FAIL.format(code=code, times=times))
    return store


@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_transaction_that_lost_a_race_is_repeated_from_the_start(
    empty_postgres_url: str, clock: FixedClock, code: str
) -> None:
    store = await failing(empty_postgres_url, clock, code, 2)
    [one] = await submit(store, ready())
    found = await look(store, Locks(ids=(one.id,)))
    assert found.intents == {one.id: one}
    await store.close()


async def test_transaction_that_loses_every_race_gives_up(empty_postgres_url: str, clock: FixedClock) -> None:
    store = await failing(empty_postgres_url, clock, "40001", 3)
    assert await refusal(submit(store, ready())) == "database_contended"
    assert await store.intents.ids() == []
    await submit(store, ready())
    await store.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("53100", "storage_full"),
        ("53300", "database_unavailable"),
        ("57014", "database_unavailable"),
        ("25006", "database_unavailable"),
        ("58030", "database_unavailable"),
        ("XX001", "database_damaged"),
    ],
)
async def test_temporary_failure_of_postgres_is_reported_as_busy(
    empty_postgres_url: str, clock: FixedClock, code: str, expected: str
) -> None:
    store = await failing(empty_postgres_url, clock, code, 1)
    assert await refusal(submit(store, ready())) == expected
    assert await store.intents.ids() == []
    await submit(store, ready())
    await store.close()


async def test_existing_row_is_a_conflict(store: Store) -> None:
    one = waiting()
    await submit(store, one)
    with pytest.raises(Conflict):
        await submit(store, one)


async def test_read_only_database_is_detected(store: Store) -> None:
    """With a full disk, or on a standby after a failover, reads succeed and writes do not."""
    await store.ping()
    if isinstance(store, SqliteStore):
        await pragma(store, "query_only = on")
    else:
        await store.read("select set_config('default_transaction_read_only', 'on', false)")
    assert await store.intents.ids() == []
    assert await refusal(store.ping()) in ("storage_full", "database_unavailable")
    if isinstance(store, SqliteStore):
        await pragma(store, "query_only = off")
    else:
        await store.read("select set_config('default_transaction_read_only', 'off', false)")
    await store.ping()


@pytest.mark.parametrize("ending", ["", "-wal"])
async def test_deleted_or_replaced_database_is_detected(file_store: SqliteStore, ending: str) -> None:
    await submit(file_store, waiting())
    await file_store.ping()
    path = Path(f"{file_store.path}{ending}")
    kept = path.with_name("kept")
    path.rename(kept)
    assert await refusal(file_store.ping()) == "database_gone"
    path.write_bytes(kept.read_bytes())
    assert await refusal(file_store.ping()) == "database_gone"
    kept.replace(path)
    await file_store.ping()
