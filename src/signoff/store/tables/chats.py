"""Whose chat account is whose. An account becomes a person's only by a code that the person asked for, used once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict

from signoff.core.errors import Conflict
from signoff.store.database import Database, Statement
from signoff.store.rows import Row, micros, moment
from signoff.store.tables.changes import ChangedMeanwhile, recording
from signoff.store.tables.entries import DirectoryChange


class ChatPerson(Struct, frozen=True):
    """``account`` in ``team`` of ``channel`` is this person."""

    channel: str
    team: str
    account: str
    workspace: str
    person: str
    linked_at: datetime


class ChatCode(Struct, frozen=True):
    """A code that links one account. ``id``: the SHA-256 of what the person types."""

    id: str
    channel: str
    workspace: str
    person: str
    expires_at: datetime


_PERSON: Final = "select channel, team, account, workspace, person, linked_at from chat_people"
_BY_ACCOUNT: Final = f"{_PERSON} where channel = :channel and team = :team and account = :account"
_OF_WORKSPACE: Final = f"{_PERSON} where channel = :channel and workspace = :workspace"
_ADD_CODE: Final = """
insert into chat_codes (id, channel, workspace, person, expires_at)
values (:id, :channel, :workspace, :person, :expires_at)
"""
_OLD_CODES: Final = "delete from chat_codes where expires_at <= :now"
_USE_CODE: Final = """
delete from chat_codes where id = :id and channel = :channel and expires_at > :now
returning workspace, person
"""
_UNLINK_PERSON: Final = """
delete from chat_people where channel = :channel and workspace = :workspace and person = :person
"""
_UNLINK: Final = """
delete from chat_people where channel = :channel and team = :team and account = :account returning person
"""
_LINK: Final = """
insert into chat_people (channel, team, account, workspace, person, linked_at)
values (:channel, :team, :account, :workspace, :person, :linked_at)
"""


class Chats:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def person(self, channel: str, team: str, account: str) -> ChatPerson | None:
        rows = await self._db.read(_BY_ACCOUNT, channel=channel, team=team, account=account)
        return _person(rows[0]) if rows else None

    async def people(self, channel: str, workspace: str) -> dict[str, ChatPerson]:
        """Those who are linked, by person."""
        rows = await self._db.read(_OF_WORKSPACE, channel=channel, workspace=workspace)
        return {row[4]: _person(row) for row in rows}

    async def add_code(self, code: ChatCode, now: datetime) -> None:
        """Keep a code; those that are over are forgotten."""
        values = asdict(code) | {"expires_at": micros(code.expires_at)}
        await self._db.write((_OLD_CODES, {"now": micros(now)}), (_ADD_CODE, values))

    async def use_code(self, id: str, channel: str, now: datetime) -> tuple[str, str] | None:
        """(workspace, person) of a live code, which is used up by this; None for any other."""
        [rows] = await self._db.write((_USE_CODE, {"id": id, "channel": channel, "now": micros(now)}))
        return (rows[0][0], rows[0][1]) if rows else None

    async def link(
        self, link: ChatPerson, record: Sequence[DirectoryChange] = (), since: Mapping[str, int] | None = None
    ) -> None:
        """The account is this person from now on, and no other account is, nor was it anybody else before. Raises
        Conflict, and then nothing is written, when a workspace has changed ``since``.
        """
        values = asdict(link) | {"linked_at": micros(link.linked_at)}
        account = {name: values[name] for name in ("channel", "team", "account")}
        person = {name: values[name] for name in ("channel", "workspace", "person")}
        await self._write(record, since or {}, (_UNLINK, account), (_UNLINK_PERSON, person), (_LINK, values))

    async def unlink(
        self,
        channel: str,
        team: str,
        account: str,
        record: Sequence[DirectoryChange],
        since: Mapping[str, int],
    ) -> None:
        """The account is nobody from now on. Raises Conflict as ``link`` does."""
        values = {"channel": channel, "team": team, "account": account}
        await self._write(record, since, (_UNLINK, values))

    async def _write(
        self, record: Sequence[DirectoryChange], since: Mapping[str, int], *statements: Statement
    ) -> None:
        try:
            await self._db.write(*recording(record, since), *statements)
        except Conflict as refused:
            raise ChangedMeanwhile from refused


def _person(row: Row) -> ChatPerson:
    channel, team, account, workspace, person, linked_at = row
    return ChatPerson(channel, team, account, workspace, person, moment(linked_at))
