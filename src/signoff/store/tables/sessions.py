"""Who is signed in on the pages, and which links are out. Rows are found by the hash of a token, never by the token.

A link is used up in one statement, so that of two who press its button one is let in.
"""

from datetime import datetime
from typing import Final

from signoff.core.directory.model import DirectoryChange, Link, Session
from signoff.store.database import Database
from signoff.store.rows import micros
from signoff.store.tables.changes import recording
from signoff.store.tables.mapping import fetch, fetch_one, insert, values_of

_EXTEND: Final = "update sessions set expires_at = :expires_at where id = :id and expires_at < :expires_at"
_END: Final = "delete from sessions where id = :id returning person"
# Of a person all, or the one that begins so, or all but one.
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
    """Sessions and links."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, session: Session) -> None:
        await self._db.write((insert(Session), values_of(session)))

    async def get(self, id: str) -> Session | None:
        return await fetch_one(self._db, Session, "id = :id", id=id)

    async def extend(self, id: str, expires_at: datetime) -> None:
        """Let it last until ``expires_at``; never shorter than it lasts already."""
        await self._db.write((_EXTEND, {"id": id, "expires_at": micros(expires_at)}))

    async def of_person(self, workspace: str, person: str, now: datetime) -> list[Session]:
        """Those that are not over, newest first."""
        where = (
            "workspace = :workspace and person = :person and expires_at > :now order by created_at desc, id"
        )
        return await fetch(self._db, Session, where, workspace=workspace, person=person, now=micros(now))

    async def end(self, id: str) -> str:
        """Whose it was; "" where there is none."""
        [rows] = await self._db.write((_END, {"id": id}))
        return str(rows[0][0]) if rows else ""

    async def end_of(self, change: DirectoryChange, person: str, begin: str = "", but: str = "") -> int:
        """End a person's sessions, with the record of it: all, those whose ids begin so, or all ``but`` one. Says how
        many.
        """
        values = {
            "workspace": change.workspace, "person": person, "length": len(begin), "begin": begin, "but": but,
        }  # fmt: skip
        results = await self._db.write(*recording([change], {}), (_END_OF, values))
        return len(results[-1])

    async def add_link(self, link: Link) -> None:
        await self._db.write((insert(Link), values_of(link)))

    async def link(self, id: str) -> Link | None:
        return await fetch_one(self._db, Link, "id = :id", id=id)

    async def use_link(self, id: str, at: datetime) -> bool:
        """Use the link up; False when it was used before or is over."""
        [rows] = await self._db.write((_USE, {"id": id, "at": micros(at)}))
        return bool(rows)

    async def forget(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` each of the sessions and links whose time is over; the larger count."""
        values = {"now": micros(now), "limit": limit}
        gone = await self._db.write(*((statement, values) for statement in _FORGET))
        return max(len(rows) for rows in gone)
