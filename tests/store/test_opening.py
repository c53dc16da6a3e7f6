"""Opening a database: the schema is created once, a newer one is refused, and a SQLite file has one server."""

import asyncio
from pathlib import Path

import pytest

from signoff.core.errors import Refused
from signoff.store.migrate import migrations
from signoff.store.opening import open_store
from signoff.store.sqlite.store import refuse_old
from signoff.store.store import Store
from tests.conftest import TABLES, FixedClock
from tests.store.samples import submit, waiting
from tests.store.schema import dump, stored_dump, tables


def server(url: str) -> Store:
    clock = FixedClock()
    return open_store(url, wall=clock.wall, clock=clock.map)


async def test_stored_data_is_there_after_reopening(own_url: str) -> None:
    first = server(own_url)
    await first.open()
    [one] = await submit(first, waiting())
    await first.close()
    second = server(own_url)
    await second.open()
    assert await second.intents.ids() == [one.id]
    assert len(await second.read("select version from schema_version")) == len(migrations("sqlite"))
    await second.close()


async def test_both_databases_know_the_same_schema_versions() -> None:
    known = [[(it.version, it.name) for it in migrations(dialect)] for dialect in ("sqlite", "postgres")]
    assert known[0] == known[1]
    assert [version for version, _ in known[0]] == list(range(1, len(known[0]) + 1))


async def test_newer_schema_is_refused(own_url: str) -> None:
    first = server(own_url)
    await first.open()
    newer = {"version": 99, "name": "from_tomorrow", "at": 0}
    statement = "insert into schema_version (version, name, applied_at) values (:version, :name, :at)"
    await first.write((statement, newer))
    await first.close()
    second = server(own_url)
    with pytest.raises(Refused) as refused:
        await second.open()
    assert refused.value.code == "schema_newer"
    assert "99" in refused.value.message
    await second.close()


async def test_schema_equals_the_reviewed_dump(own_url: str) -> None:
    """After an intended change, ``python -m tests.store.schema`` rewrites the dumps."""
    store = server(own_url)
    await store.open()
    assert await dump(store) == stored_dump(store)
    await store.close()


async def test_tests_empty_every_table(own_url: str) -> None:
    """Otherwise a test would find the rows of an earlier one."""
    store = server(own_url)
    await store.open()
    try:
        assert sorted(await tables(store)) == sorted(TABLES)
    finally:
        await store.close()


async def test_servers_that_start_at_once_on_an_empty_database_agree(empty_postgres_url: str) -> None:
    servers = [server(empty_postgres_url) for _ in range(4)]
    await asyncio.gather(*(one.open() for one in servers))
    await submit(servers[0], waiting())
    assert len(await servers[3].intents.ids()) == 1
    await asyncio.gather(*(one.close() for one in servers))


async def test_second_server_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/folder/signoff.db"
    first, second = server(url), server(url)
    await first.open()
    with pytest.raises(Refused) as refused:
        await second.open()
    assert refused.value.code == "database_in_use"
    await submit(first, waiting())
    await first.close()
    await second.open()
    assert len(await second.intents.ids()) == 1
    await second.close()


async def test_sqlite_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    store = server(f"sqlite:///{tmp_path}/signoff.db")
    await store.open()
    await submit(store, waiting())
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}
    await store.close()
    assert not (tmp_path / "signoff.db-wal").exists()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite:relative.db", "sqlite:///", "signoff.db", ""])
def test_unknown_database_url_is_refused(url: str) -> None:
    with pytest.raises(Refused) as refused:
        server(url)
    assert refused.value.code == "invalid_database_url"


def test_sqlite_version_with_the_corruption_bug_is_refused() -> None:
    refuse_old("3.51.3")
    refuse_old("3.60.0")
    with pytest.raises(Refused) as refused:
        refuse_old("3.40.1")
    assert refused.value.code == "sqlite_too_old"


async def test_read_only_open_beside_a_server_leaves_no_trace(own_url: str) -> None:
    used, looking = server(own_url), server(own_url)
    await used.open()
    [one] = await submit(used, waiting())
    await looking.look()
    assert await looking.intents.ids() == [one.id]
    [two] = await submit(used, waiting())  # and the server is not held up
    assert set(await looking.intents.ids()) == {one.id, two.id}
    await looking.close()
    await used.close()


async def test_read_only_open_creates_and_migrates_nothing(own_url: str) -> None:
    looking = server(own_url)
    with pytest.raises(Refused) as refused:
        await looking.look()
    await looking.close()
    assert refused.value.code in ("database_missing", "schema_older")
    first, later = server(own_url), server(own_url)
    await first.open()
    await first.write(("delete from schema_version where version > 1", {}))
    with pytest.raises(Refused) as older:
        await later.look()
    assert (older.value.code, "signoff db migrate" in (older.value.hint or "")) == ("schema_older", True)
    assert await first.read("select version from schema_version") == [(1,)]
    await later.close()
    await first.close()


async def test_same_file_under_another_name_is_in_use(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    first = server(f"sqlite:///{tmp_path}/a/signoff.db")
    await first.open()
    (tmp_path / "b" / "signoff.db").symlink_to(tmp_path / "a" / "signoff.db")
    second = server(f"sqlite:///{tmp_path}/b/signoff.db")
    with pytest.raises(Refused) as refused:
        await second.open()
    assert refused.value.code == "database_in_use"
    await first.close()
