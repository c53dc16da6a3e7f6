"""Restoring a backup of a SQLite database, atomically, whenever it is interrupted.

The write-ahead log next to a database belongs to that file only: left behind, it would be applied to its replacement.
So it is first checkpointed into the old file and removed before the new one gets the name; the old one is kept under
another name.
"""

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import apsw

from signoff.core.errors import Invalid, NotFound, Refused
from signoff.store.migrate import APPLIED, pending
from signoff.store.sqlite.store import hold_lock, to_disk
from signoff.store.sqlite.threads import translated

_BESIDE: Final = ("-wal", "-shm", "-journal")
_OURS: Final = (
    "select count(*) from sqlite_schema where type = 'table' and name in ('schema_version', 'intents')"
)


def restore(database: Path, copy: Path, name: str) -> Path | None:
    """Put ``copy`` in the place of ``database``; returns where the replaced one is kept (``name`` chooses), None if
    there was none. Raises Refused while a server uses it, if the copy is not a complete database of ours, or if it
    cannot be written.
    """
    kept: Path | None = None
    try:
        for kept in restoring(database, copy, name):  # noqa: B007
            continue
    except OSError as error:
        raise Refused(
            "restore_failed",
            f"{database} cannot be replaced: {error.strerror}.",
            hint="It is either the old one or the copy, and complete. Free disk space, or fix the permissions; "
            "then restore again.",
        ) from error
    return kept


def restoring(database: Path, copy: Path, name: str) -> Iterator[Path | None]:
    """``restore``, step by step: after each the database is the old one or the new one, and complete."""
    database = Path(os.path.realpath(database))
    if not copy.is_file():
        raise NotFound(
            "backup_missing", f"There is no file {copy}.", hint="signoff db backup FILE creates one."
        )
    if database.exists() and os.path.samefile(database, copy):
        raise Invalid("backup_is_database", f"{copy} is the database itself.", field="file")
    database.parent.mkdir(parents=True, exist_ok=True)
    held = hold_lock(database)
    draft = database.with_name(f".{database.name}.restored")
    try:
        _remove(draft)
        _draft(copy, draft)
        yield None
        kept = _keep(database, _unused(database, name)) if database.exists() else None
        yield kept
        for ending in _BESIDE:
            Path(f"{database}{ending}").unlink(missing_ok=True)
        to_disk(database.parent, folder=True)
        yield kept
        draft.replace(database)
        to_disk(database)
        yield kept
        check_copy(database)
        yield kept
    finally:
        _remove(draft)
        held.close()


def check_copy(path: Path) -> None:
    """Raises Invalid unless this is a whole database of this release or an older one; reads only."""
    try:
        db = _readable(path)
    except apsw.Error as error:
        raise _damaged(path, str(error)) from error
    try:
        found: Any = db.execute("pragma integrity_check(1)").fetchall()
        if found != [("ok",)]:
            raise _damaged(path, str(found[0][0]))
        # A page that is cut off is read as zeros, which SQLite does not report as an error.
        page: Any = db.execute("pragma page_size").fetchall()[0][0]
        if path.stat().st_size % page:
            raise _damaged(path, "it is truncated")
        if db.execute(_OURS).fetchall() != [(2,)]:
            raise Invalid("not_a_backup", f"{path} is not a database of Signoff.", field="file")
        applied: Any = db.execute(APPLIED).fetchall()[0][0]
        pending("sqlite", applied)  # refuses what a newer release wrote
    except apsw.Error as error:
        raise _damaged(path, str(error)) from error
    finally:
        db.close()


def _readable(path: Path) -> apsw.Connection:
    """No file is created next to the copy: it may be in a read-only folder."""
    alone = not Path(f"{path}-wal").exists()
    return apsw.Connection(
        f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
    )


def _damaged(path: Path, why: str) -> Invalid:
    return Invalid(
        "backup_damaged",
        f"{path} is not a complete database: {why}.",
        field="file",
        hint="Choose another copy.",
    )


def _draft(copy: Path, draft: Path) -> None:
    """All of the copy, including its own log, in a file next to the database."""
    check_copy(copy)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    source = _readable(copy)
    target = apsw.Connection(str(draft))
    try:
        # The copy was read completely before: a failure now is the disk here.
        translated(_pages, source, target)
    finally:
        target.close()
        source.close()
    check_copy(draft)
    to_disk(draft)


def _pages(source: apsw.Connection, target: apsw.Connection) -> None:
    with target.backup("main", source, "main") as work:
        while not work.done:
            work.step(1000)
    target.execute("pragma journal_mode = delete")  # no log of its own until a server opens it


def _unused(database: Path, name: str) -> Path:
    """An unused name next to the database: what an earlier restore has kept stays, whatever the clock says."""
    for number in count(1):
        aside = database.with_name(f"{database.name}.{name}" + (f"-{number}" if number > 1 else ""))
        if not any(os.path.lexists(f"{aside}{ending}") for ending in ("", *_BESIDE)):
            return aside
    raise AssertionError("numbers never end")


def _keep(database: Path, aside: Path) -> Path:
    """A second name for the database, with its log checkpointed into it if possible, else next to it."""
    try:
        db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            busy, _, _ = db.execute("pragma wal_checkpoint(truncate)").fetchall()[0]
        finally:
            db.close()
    except apsw.Error:  # it may be damaged: that may be why it is being restored
        busy = 0
    if busy:
        raise Refused(
            "database_in_use",
            f"Another program is using {database}.",
            field="database",
            hint="Stop it first.",
        )
    for ending in ("", *_BESIDE):
        old = Path(f"{database}{ending}")
        if old.exists():
            _second_name(old, Path(f"{aside}{ending}"))
    to_disk(aside)
    return aside


def _second_name(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with (
            open(old, "rb") as source,
            open(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as to,
        ):
            shutil.copyfileobj(source, to)


def _remove(draft: Path) -> None:
    for ending in ("", *_BESIDE):
        Path(f"{draft}{ending}").unlink(missing_ok=True)
