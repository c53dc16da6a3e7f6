"""Sessions on the pages, and sign-in links. Rows are found by the hash of a token, never by the token.

One statement uses up a link, so that if two people press its button, only one is signed in.
"""

from datetime import datetime
from typing import Final

from signoff.core.directory.model import DirectoryChange, Link, Session
from signoff.store.database import Database
from signoff.store.rows import micros
from signoff.store.tables.changes import log_changes, recording
from signoff.store.tables.mapping import fetch, fetch_one, insert, values_of

_EXTEND: Final = "update sessions set expires_at = :expires_at where id = :id and expires_at < :expires_at"
_END: Final = "delete from sessions where id = :id returning person"
# All sessions of a person, those whose ids start with a prefix, or all but one.
_END_OF: Final = """
delete from sessions where workspace = :workspace and person = :person
    and substr(id, 1, :length) = :begin and id <> :but
returning id
"""
_USE: Final = """
update links set used_at = :at where id = :id and used_at is null and expires_at > :at returning id
"""
_FORGET: Final = (
    "delete from sessions where id in (select id from sessions where expires_at <= :now limit :limit) returning id",
    "delete from links where id in (select id from links where expires_at <= :now limit :limit) returning id",
)


class SessionTables:
    """The tables of sessions and links."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, session: Session) -> None:
        await self._db.write((insert(Session), values_of(session)))

    async def get(self, id: str) -> Session | None:
        return await fetch_one(self._db, Session, "id = :id", id=id)

    async def extend(self, id: str, expires_at: datetime) -> None:
        """Extend a session to ``expires_at``; never shortens it."""
        await self._db.write((_EXTEND, {"id": id, "expires_at": micros(expires_at)}))

    async def of_person(self, workspace: str, person: str, now: datetime) -> list[Session]:
        """A person's sessions that have not expired, newest first."""
        where = (
            "workspace = :workspace and person = :person and expires_at > :now order by created_at desc, id"
        )
        return await fetch(self._db, Session, where, workspace=workspace, person=person, now=micros(now))

    async def end(self, id: str) -> str:
        """End a session; returns the person that it belonged to, "" if there is none."""
        [rows] = await self._db.write((_END, {"id": id}))
        return str(rows[0][0]) if rows else ""

    async def end_of(self, change: DirectoryChange, person: str, begin: str = "", but: str = "") -> int:
        """End a person's sessions, with the change log entry: all, those whose ids start with a prefix, or all ``but``
        one. Returns how many.
        """
        values = {
            "workspace": change.workspace, "person": person, "length": len(begin), "begin": begin, "but": but,
        }  # fmt: skip
        results = await self._db.write(*recording([change], {}), (_END_OF, values))
        log_changes([change])
        return len(results[-1])

    async def add_link(self, link: Link) -> None:
        await self._db.write((insert(Link), values_of(link)))

    async def link(self, id: str) -> Link | None:
        return await fetch_one(self._db, Link, "id = :id", id=id)

    async def use_link(self, id: str, at: datetime) -> bool:
        """Use up the link; False if it was used before or has expired."""
        [rows] = await self._db.write((_USE, {"id": id, "at": micros(at)}))
        return bool(rows)

    async def forget(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` each of the expired sessions and links; returns the larger count."""
        values = {"now": micros(now), "limit": limit}
        gone = await self._db.write(*((statement, values) for statement in _FORGET))
        return max(len(rows) for rows in gone)
