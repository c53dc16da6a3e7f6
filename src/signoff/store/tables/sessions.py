"""Sessions on the pages, sign-in links, and terminals that ask to sign in. Rows are found by the hash of a token, never
by the token.

A single statement uses up a link, so that if two people press its button, only one is signed in.
"""

from datetime import datetime
from typing import Final

from signoff.core.directory.model import DeviceLogin, DirectoryChange, Link, Session
from signoff.store.database import Database
from signoff.store.rows import micros
from signoff.store.tables.change_log import log_changes, recording
from signoff.store.tables.mapping import fetch, fetch_one, insert, values_of

_EXTEND: Final = "update sessions set expires_at = :expires_at where id = :id and expires_at < :expires_at"
_END: Final = "delete from sessions where id = :id returning person"
# All sessions of a person, those whose ids start with a prefix, or all but one.
_END_OF: Final = """
delete from sessions where workspace = :workspace and person = :person
    and substr(id, 1, :length) = :begin and id <> :but
returning id
"""
# Terminals that the person has allowed and that have not fetched their key.
_END_LOGINS: Final = "delete from device_logins where workspace = :workspace and person = :person"
_USE: Final = """
update links set used_at = :at where id = :id and used_at is null and expires_at > :at returning id
"""
_DECIDE: Final = """
update device_logins set state = :state, workspace = :workspace, person = :person, life = :life
where id = :id and state = 'pending' and expires_at > :now returning id
"""
_TAKE: Final = """
update device_logins set state = 'taken' where id = :id and state = 'allowed' and expires_at > :now returning id
"""
_FORGET: Final = (
    "delete from sessions where id in (select id from sessions where expires_at <= :now limit :limit) returning id",
    "delete from links where id in (select id from links where expires_at <= :now limit :limit) returning id",
    """
    delete from device_logins where id in (select id from device_logins where expires_at <= :now limit :limit)
    returning id
    """,
)


class SessionTables:
    """The tables of sessions, links, and terminals that ask to sign in."""

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
        one; unless it is by a prefix, also sign-ins of terminals whose key was not fetched. Returns how many.
        """
        values = {
            "workspace": change.workspace, "person": person, "length": len(begin), "begin": begin, "but": but,
        }  # fmt: skip
        statements = recording([change], {})
        if not begin:
            statements.append((_END_LOGINS, {"workspace": change.workspace, "person": person}))
        results = await self._db.write(*statements, (_END_OF, values))
        log_changes([change])
        return len(results[-1])

    async def add_link(self, link: Link) -> None:
        await self._db.write((insert(Link), values_of(link)))

    async def link(self, id: str) -> Link | None:
        return await fetch_one(self._db, Link, "id = :id", id=id)

    async def use_link(self, id: str, at: datetime) -> bool:
        """Use up the link; False if it has been used or has expired."""
        [rows] = await self._db.write((_USE, {"id": id, "at": micros(at)}))
        return bool(rows)

    async def add_device_login(self, asked: DeviceLogin) -> bool:
        """Add a terminal that asks to sign in; False if its code is taken."""
        [rows] = await self._db.write((insert(DeviceLogin), values_of(asked)))
        return bool(rows)

    async def device_login(self, id: str) -> DeviceLogin | None:
        return await fetch_one(self._db, DeviceLogin, "id = :id", id=id)

    async def device_login_by_code(self, user_code: str) -> DeviceLogin | None:
        return await fetch_one(self._db, DeviceLogin, "user_code = :user_code", user_code=user_code)

    async def decide_device_login(self, decided: DeviceLogin, now: datetime) -> bool:
        """Store whether a person allowed it; False if it was decided before or has expired."""
        values = {name: getattr(decided, name) for name in ("id", "state", "workspace", "person", "life")}
        [rows] = await self._db.write((_DECIDE, values | {"now": micros(now)}))
        return bool(rows)

    async def take_device_login(self, id: str, now: datetime) -> bool:
        """Note that its key is fetched; False if it was fetched before, was not allowed, or has expired."""
        [rows] = await self._db.write((_TAKE, {"id": id, "now": micros(now)}))
        return bool(rows)

    async def end_logins(self, workspace: str, person: str) -> None:
        """End the sign-ins of terminals that this person has allowed and that have not fetched their keys."""
        await self._db.write((_END_LOGINS, {"workspace": workspace, "person": person}))

    async def forget(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` each of the expired sessions, links and terminals; returns the larger count."""
        values = {"now": micros(now), "limit": limit}
        gone = await self._db.write(*((statement, values) for statement in _FORGET))
        return max(len(rows) for rows in gone)
