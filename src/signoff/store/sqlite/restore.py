"""Restores a backup of a SQLite database, atomically even if it is interrupted.

The write-ahead log next to a database belongs to that file only; if it were left in place, it would be applied to the
replacement. So it is checkpointed into the old file and removed before the new file gets the name. The old file is
kept under another name.
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
    """Replace ``database`` with ``copy``; returns where the replaced file is kept (``name`` chooses the name), None
    if there was none. Raises Refused while a server uses the database, if the copy is not a complete database of
    Signoff, or if the file cannot be written.
    """
    kept: Path | None = None
    try:
        for kept in restoring(database, copy, name):  # noqa: B007
            continue
    except OSError as error:
        raise Refused(
            "restore_failed",
            f"{database} cannot be replaced: {error.strerror}.",
            hint="The database is intact: either the old one or the copy. Free disk space or fix the permissions, "
            "then restore again.",
        ) from error
    return kept


def restoring(database: Path, copy: Path, name: str) -> Iterator[Path | None]:
    """The steps of ``restore``. After each step the database is intact: either the old one or the new one."""
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
    """Raise Invalid unless this is a complete database of this release or an older one. Only reads it."""
    try:
        db = _readable(path)
    except apsw.Error as error:
        raise _damaged(path, str(error)) from error
    try:
        found: Any = db.execute("pragma integrity_check(1)").fetchall()
        if found != [("ok",)]:
            raise _damaged(path, str(found[0][0]))
        # A page that is cut off reads as zeros, which SQLite does not report as an error.
        page: Any = db.execute("pragma page_size").fetchall()[0][0]
        if path.stat().st_size % page:
            raise _damaged(path, "it is truncated")
        if db.execute(_OURS).fetchall() != [(2,)]:
            raise Invalid("not_a_backup", f"{path} is not a database of Signoff.", field="file")
        applied: Any = db.execute(APPLIED).fetchall()[0][0]
        pending("sqlite", applied)  # refuses a database that a newer release wrote
    except apsw.Error as error:
        raise _damaged(path, str(error)) from error
    finally:
        db.close()


def _readable(path: Path) -> apsw.Connection:
    """Open the copy for reading without creating a file next to it, because it may be in a read-only folder."""
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
    """Write the whole copy, including its own log, to a file next to the database."""
    check_copy(copy)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    source = _readable(copy)
    target = apsw.Connection(str(draft))
    try:
        # The copy was read completely before, so a failure now is the fault of this disk.
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
    target.execute("pragma journal_mode = delete")  # without a log until a server opens it


def _unused(database: Path, name: str) -> Path:
    """An unused name next to the database, so that files kept by an earlier restore are never overwritten."""
    for number in count(1):
        aside = database.with_name(f"{database.name}.{name}" + (f"-{number}" if number > 1 else ""))
        if not any(os.path.lexists(f"{aside}{ending}") for ending in ("", *_BESIDE)):
            return aside
    raise AssertionError("numbers never end")


def _keep(database: Path, aside: Path) -> Path:
    """Give the database a second name. If possible its log is checkpointed into it; otherwise the log is linked next to
    it.
    """
    try:
        db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            busy, _, _ = db.execute("pragma wal_checkpoint(truncate)").fetchall()[0]
        finally:
            db.close()
    except apsw.Error:  # the database may be damaged, which may be the reason for the restore
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
