"""Restoring a backup happens completely or not at all, whenever it is interrupted, with or without the old log file."""

import resource
import shutil
from pathlib import Path

import apsw
import pytest

from signoff.config import Config
from signoff.core.errors import Refused
from signoff.maintenance import restore as restore_config
from signoff.store.opening import open_store
from signoff.store.sqlite.restore import restore, restoring
from signoff.store.sqlite.store import SqliteStore
from tests.conftest import FixedClock
from tests.store.samples import submit, waiting


def store_of(folder: Path) -> SqliteStore:
    clock = FixedClock()
    store = open_store(f"sqlite:///{folder}/signoff.db", wall=clock.wall, clock=clock.map)
    assert isinstance(store, SqliteStore)
    return store


async def ids(folder: Path) -> list[str]:
    store = store_of(folder)
    await store.open()
    try:
        assert await store.read("pragma integrity_check") == [("ok",)]
        return await store.intents.ids()
    finally:
        await store.close()


class Crashed:
    """A folder after kill -9: the copy has ``before``; the database and its log also have ``after``."""

    def __init__(self, folder: Path, copy: Path, before: list[str], after: list[str]) -> None:
        self.folder, self.copy, self.before, self.after = folder, copy, before, after
        self.database = folder / "signoff.db"

    def again(self, name: str) -> Path:
        """A copy of the folder at this moment, as a kill would leave it."""
        other = self.folder.with_name(name)
        shutil.copytree(self.folder, other, ignore=shutil.ignore_patterns("*.lock*"))
        return other


@pytest.fixture
async def crashed(tmp_path: Path) -> Crashed:
    live = tmp_path / "live"
    live.mkdir()
    store = store_of(live)
    await store.open()
    before = [row.id for row in await submit(store, waiting(), waiting())]
    copy = tmp_path / "copy.bak"
    await store.backup(copy)
    after = before + [row.id for row in await submit(store, waiting())]
    folder = tmp_path / "crashed"
    shutil.copytree(live, folder)  # while it is open: with its log, as after a crash
    await store.close()
    assert (folder / "signoff.db-wal").stat().st_size > 0
    return Crashed(folder, copy, sorted(before), sorted(after))


async def test_restored_copy_replaces_the_database_and_the_old_one_is_kept(
    crashed: Crashed, tmp_path: Path
) -> None:
    kept = restore(crashed.database, crashed.copy, "before")
    assert await ids(crashed.folder) == crashed.before
    assert kept == crashed.folder / "signoff.db.before"
    old = tmp_path / "old"
    old.mkdir()
    for file in crashed.folder.glob("signoff.db.before*"):
        shutil.copy(file, old / file.name.replace(".before", ""))
    assert await ids(old) == crashed.after
    assert (crashed.database.stat().st_mode & 0o777) == 0o600
    assert not list(crashed.folder.glob(".signoff.db*"))


async def test_interrupted_restore_leaves_the_old_database_or_the_copy(crashed: Crashed) -> None:
    found = []
    for number, _ in enumerate(restoring(crashed.database, crashed.copy, "before")):
        found.append(await ids(crashed.again(f"step{number}")))
    assert len(found) == 5
    assert all(one in (crashed.before, crashed.after) for one in found)
    assert found == sorted(found, key=len, reverse=True)  # never back again
    assert (found[0], found[-1]) == (crashed.after, crashed.before)


async def test_interrupted_restore_can_be_repeated(crashed: Crashed, tmp_path: Path) -> None:
    for number, _ in enumerate(restoring(crashed.database, crashed.copy, "before")):
        again = crashed.again(f"step{number}")
        restore(again / "signoff.db", crashed.copy, "second")
        assert await ids(again) == crashed.before


@pytest.mark.parametrize("how", ["not a file of SQLite", "cut off", "gone", "the log of another file"])
async def test_restore_replaces_any_existing_files(crashed: Crashed, how: str, tmp_path: Path) -> None:
    database = crashed.database
    if how == "not a file of SQLite":
        database.write_bytes(b"x" * 50_000)
    elif how == "cut off":
        database.write_bytes(database.read_bytes()[:5000])
    elif how == "gone":
        database.unlink()
    else:
        shutil.copy(crashed.copy, database)  # as the documents once said, with the old log still beside it
    restore(database, crashed.copy, "before")
    assert await ids(crashed.folder) == crashed.before


async def test_incomplete_copy_is_refused_and_nothing_is_changed(crashed: Crashed, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    shutil.copy(crashed.copy, newer)
    apsw.Connection(str(newer)).execute("insert into schema_version values (9999, 'next', 0)")
    other = tmp_path / "other"
    apsw.Connection(str(other)).execute("create table t (n)")
    torn = tmp_path / "torn"
    whole = crashed.copy.read_bytes()
    torn.write_bytes(whole[:4096] + bytes(8192) + whole[12288:])
    short = tmp_path / "short"
    short.write_bytes(whole[: len(whole) // 2])
    last = tmp_path / "without its last byte"
    last.write_bytes(whole[:-1])
    theirs = tmp_path / "theirs"
    apsw.Connection(str(theirs)).execute("create table schema_version (version)")
    text = tmp_path / "text"
    text.write_text("hello")
    wrong = {
        newer: "schema_newer",
        other: "not_a_backup",
        torn: "backup_damaged",
        short: "backup_damaged",
        text: "backup_damaged",
        last: "backup_damaged",
        theirs: "not_a_backup",
        tmp_path / "nowhere": "backup_missing",
        crashed.database: "backup_is_database",
    }
    for file, code in wrong.items():
        with pytest.raises(Refused) as refused:
            restore(crashed.database, file, "before")
        assert refused.value.code == code, file
    assert await ids(crashed.folder) == crashed.after


async def test_later_restores_keep_what_earlier_ones_kept(crashed: Crashed, tmp_path: Path) -> None:
    kept = [restore(crashed.database, crashed.copy, "before") for _ in range(3)]
    assert len(set(kept)) == 3
    whole = tmp_path / "whole"
    whole.mkdir()
    assert kept[0] is not None
    shutil.copy(kept[0], whole / "signoff.db")
    assert await ids(whole) == crashed.after
    assert await ids(crashed.folder) == crashed.before


@pytest.mark.parametrize("room", [0, 4096, 100_000])
async def test_full_disk_is_not_reported_as_a_damaged_copy(crashed: Crashed, room: int) -> None:
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, most[1]))
    try:
        with pytest.raises(Refused) as refused:
            restore(crashed.database, crashed.copy, "before")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert refused.value.code == "storage_full", refused.value
    assert not list(crashed.folder.glob(".signoff.db*"))
    assert await ids(crashed.folder) == crashed.after


async def test_restore_is_refused_while_a_server_runs_and_for_postgres(
    crashed: Crashed, tmp_path: Path
) -> None:
    store = store_of(crashed.folder)
    await store.open()
    with pytest.raises(Refused) as refused:
        restore(crashed.database, crashed.copy, "before")
    assert refused.value.code == "database_in_use"
    assert await store.intents.ids() == crashed.after
    await store.close()
    with pytest.raises(Refused) as elsewhere:
        restore_config(Config(data=tmp_path, database="postgresql://u@h/d"), crashed.copy)
    assert elsewhere.value.code == "restore_elsewhere"
    assert "pg_restore" in str(elsewhere.value.hint)
