"""Which chat account belongs to whom. An account can only be linked with a single-use code that the person
requested.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from signoff.core.directory.model import ChatCode, ChatPerson, DirectoryChange
from signoff.core.errors import Conflict
from signoff.store.database import Database, Statement
from signoff.store.rows import micros
from signoff.store.tables.change_log import ConcurrentChange, log_changes, recording
from signoff.store.tables.mapping import fetch, fetch_one, put, values_of

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


class Chats:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def person(self, channel: str, team: str, account: str) -> ChatPerson | None:
        where = "channel = :channel and team = :team and account = :account"
        return await fetch_one(self._db, ChatPerson, where, channel=channel, team=team, account=account)

    async def people(self, channel: str, workspace: str) -> dict[str, ChatPerson]:
        """The linked accounts, by person."""
        where = "channel = :channel and workspace = :workspace"
        found = await fetch(self._db, ChatPerson, where, channel=channel, workspace=workspace)
        return {link.person: link for link in found}

    async def add_code(self, code: ChatCode, now: datetime) -> None:
        """Store a code, and delete expired ones."""
        await self._db.write((_OLD_CODES, {"now": micros(now)}), (put(ChatCode), values_of(code)))

    async def use_code(self, id: str, channel: str, now: datetime) -> tuple[str, str] | None:
        """Use up a valid code and return its (workspace, person); None for any other."""
        [rows] = await self._db.write((_USE_CODE, {"id": id, "channel": channel, "now": micros(now)}))
        return (rows[0][0], rows[0][1]) if rows else None

    async def link(
        self, link: ChatPerson, record: Sequence[DirectoryChange] = (), since: Mapping[str, int] | None = None
    ) -> None:
        """Link the account to this person. The link replaces the person's former account, and the account's former
        person. Raises Conflict without writing anything if a workspace has changed ``since``.
        """
        values = values_of(link)
        account = {name: values[name] for name in ("channel", "team", "account")}
        person = {name: values[name] for name in ("channel", "workspace", "person")}
        await self._write(
            record, since or {}, (_UNLINK, account), (_UNLINK_PERSON, person), (put(ChatPerson), values)
        )

    async def unlink(
        self,
        channel: str,
        team: str,
        account: str,
        record: Sequence[DirectoryChange],
        since: Mapping[str, int],
    ) -> None:
        """Unlink the account. Raises Conflict like ``link``."""
        values = {"channel": channel, "team": team, "account": account}
        await self._write(record, since, (_UNLINK, values))

    async def _write(
        self, record: Sequence[DirectoryChange], since: Mapping[str, int], *statements: Statement
    ) -> None:
        try:
            await self._db.write(*recording(record, since), *statements)
        except Conflict as refused:
            raise ConcurrentChange from refused
        log_changes(record)
