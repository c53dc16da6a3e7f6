"""Open the store that a database URL names."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from signoff.core.errors import Refused
from signoff.store.store import Clock, Store, same

if TYPE_CHECKING:
    from signoff.store.sqlite.turns import Turns


def open_store(
    url: str,
    *,
    wall: Callable[[], datetime],
    clock: Clock = same,
    hear: Clock | None = None,
    listen: bool = True,
    turns: "Turns | None" = None,
) -> Store:
    """Return the store at ``sqlite:///path`` or ``postgresql://…``, not yet opened.

    wall: the system clock, which is the database time of SQLite (PostgreSQL has its own). hear: replaces ``clock``
    for a database that has its own clock. listen: False if a connection pooler cannot forward notifications. turns:
    given if several worker processes share a SQLite file, whose lock their supervisor holds.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from signoff.store.sqlite.store import SqliteStore

        return SqliteStore(Path(rest[1:]), wall=wall, clock=clock, turns=turns)
    if scheme in ("postgresql", "postgres"):
        from signoff.store.postgres.store import PostgresStore

        return PostgresStore(url, clock=hear or clock, listen=listen)
    raise Refused(
        "invalid_database_url",
        f"The database URL has an unknown scheme{f', {scheme[:20]}://' if rest else ''}.",
        field="database",
        hint="Write sqlite:///path/to/file.db or postgresql://user:password@host/name.",
    )
