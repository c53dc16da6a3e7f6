"""The schema's versions: numbered files, applied in order under a lock, never changed once released.

A database written by a newer release is refused.
"""

from importlib.resources import files
from typing import Final

from msgspec import Struct

from signoff.core.errors import Refused

VERSION_TABLE: Final = """
create table if not exists schema_version (
    version integer primary key,
    name text not null,
    applied_at bigint not null
)
"""
APPLIED: Final = "select max(version) from schema_version"
RECORD: Final = "insert into schema_version (version, name, applied_at) values (:version, :name, :applied_at)"


class Migration(Struct, frozen=True):
    """One numbered file of one dialect."""

    version: int
    name: str
    script: str


def migrations(dialect: str) -> list[Migration]:
    """All files of ``sqlite`` or ``postgres``, in order."""
    ending = f".{dialect}.sql"
    found = [file for file in (files("signoff.store") / "migrations").iterdir() if file.name.endswith(ending)]
    return [
        Migration(int(file.name[:4]), file.name.removesuffix(ending)[5:], file.read_text(encoding="utf-8"))
        for file in sorted(found, key=lambda file: file.name)
    ]


def refuse_other(dialect: str, applied: int | None) -> None:
    """Raise Refused unless ``applied`` is this release's schema. For read-only use."""
    if steps := pending(dialect, applied):
        raise Refused(
            "schema_older",
            f"The database has schema {applied or 'none'}; this release reads schema {steps[-1].version}.",
            hint="Run: signoff db migrate; a server of this release does this at start.",
        )


def pending(dialect: str, applied: int | None) -> list[Migration]:
    """The migrations to apply after version ``applied``, which is None for an empty database; raises Refused for a
    newer version.
    """
    known = migrations(dialect)
    newest = known[-1].version
    if applied is not None and applied > newest:
        raise Refused(
            "schema_newer",
            f"The database has schema {applied}; this release knows schemas up to {newest}.",
            hint="Run the newer release, or restore the backup that was made before it.",
        )
    return [migration for migration in known if migration.version > (applied or 0)]
