"""Teams, policies, and the change log. An entity and its change log entry are saved in one transaction. The change
log of a workspace is ordered: its numbers are assigned while the workspace is locked.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from signoff.core.directory.model import (
    Account,
    ApiKey,
    DirectoryChange,
    Link,
    NamedWorkflow,
    Person,
    PolicyVersion,
    ProposalEnd,
    RemovedTeam,
    StoredProposal,
    Team,
    Workspace,
)
from signoff.core.errors import Conflict
from signoff.core.plan.plan import Plan
from signoff.store.database import Database, Statement
from signoff.store.rows import encode_plan, micros, outgoing_row, plan_digest
from signoff.store.sql import LATEST_POLICY, NUMBER_CHANGES, OUTBOX, PUT_OUTGOING, PUT_PLAN, UPDATE_WORKSPACE
from signoff.store.tables.mapping import fetch, fetch_one, insert_numbered, put, values_of
from signoff.store.transaction import OutboxRow

# Each version is added only once: of two concurrent changes, only one gets version 2.
_PUT: Final = {
    Workspace: UPDATE_WORKSPACE,
    Person: put(Person, "id"),
    Team: put(Team, "workspace", "name"),
    RemovedTeam: "delete from teams where workspace = :workspace and name = :name",
    PolicyVersion: put(PolicyVersion),
    NamedWorkflow: put(NamedWorkflow),
    Link: put(Link),
    Account: put(Account, "id"),
    ApiKey: put(ApiKey, "id"),
    StoredProposal: put(StoredProposal),
    ProposalEnd: put(ProposalEnd),
}
_RECORD: Final = insert_numbered(DirectoryChange)
_ORDER: Final = (*_PUT, OutboxRow)
_SIGN_OUT: Final = (
    "delete from sessions where workspace = :workspace and person = :person",
    "delete from links where workspace = :workspace and person = :person",
    "delete from device_logins where workspace = :workspace and person = :person",
)
_UNLINK: Final = (
    "delete from chat_people where workspace = :workspace and person = :person",
    "delete from chat_codes where workspace = :workspace and person = :person",
)
# Names of workspaces are unique among present and former ones, which no index can enforce. So changes of names take
# the lock of the first workspace, before any other lock, and each then sees the earlier ones.
_NAME_IN_TURN: Final = """
update workspaces set last_change = last_change where id = (select min(id) from workspaces)
"""
_REFUSE_NAME: Final = """
update workspaces set last_change = -1 where id = :id and exists (
    select 1 from workspaces o where o.id <> :id and (
        o.former like :name
        or o.organization = :organization or o.former like :formerly
    )
)
"""
# Inside a JSON string the quotes would be escaped, so no name or description can look like a status.
_WAS, _IS = (f'{column} like \'%"status":"killed"%\'' for column in ("before", "after"))
_BOTH: Final = "before <> '' and after <> ''"
_KILLS: Final = {
    True: f"{_BOTH} and {_IS} and not {_WAS}",
    False: f"{_BOTH} and {_WAS} and not {_IS}",
    None: f"{_BOTH} and (({_IS} and not {_WAS}) or ({_WAS} and not {_IS}))",
}
_ANY: Final = -1
log = logging.getLogger("signoff.changes")


def recording(changes: Sequence[DirectoryChange], since: Mapping[str, int]) -> list[Statement]:
    """The statements that add changes to the change logs of their workspaces, in this order. They come first in a
    transaction, because they take the lock. ``since``: the last known change to a workspace; if there is a later one,
    nothing is written.
    """
    statements: list[Statement] = []
    for workspace in sorted({change.workspace for change in changes}):
        mine = [change for change in changes if change.workspace == workspace]
        values = {"workspace": workspace, "count": len(mine), "since": since.get(workspace, _ANY)}
        statements.append((NUMBER_CHANGES, values))
        statements += [
            (_RECORD, values_of(change) | {"number": len(mine) - place})
            for place, change in enumerate(mine, start=1)
        ]
    return statements


def log_changes(changes: Sequence[DirectoryChange]) -> None:
    """Write one log line for each committed change to keys, sessions, people or policies, without its values."""
    for change in changes:
        act = "added" if not change.before else "changed" if change.after else "removed"
        fields = {
            "kind": change.kind,
            "subject": change.subject,
            "act": act,
            "actor": change.actor_id,
            "via": change.via,
            "change": change.id,
        }
        log.info("%(kind)s %(act)s: %(subject)s, by %(actor)s over %(via)s", fields, extra={"fields": fields})


class ConcurrentChange(Conflict):
    """A concurrent change was committed first. ``committed``: whether it is known to have changed the same entry, so
    that a retry is pointless.
    """

    def __init__(self, committed: bool = False) -> None:
        super().__init__(
            "changed_meanwhile",
            "Someone changed the same entry at the same time.",
            hint="Check the current state, and apply again.",
        )
        self.committed = committed


class People:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def teams(self, workspace: str) -> list[Team]:
        return await fetch(self._db, Team, "workspace = :workspace order by name", workspace=workspace)

    async def policies(self, workspace: str) -> list[PolicyVersion]:
        """The latest version of each policy."""
        where = f"workspace = :workspace and {LATEST_POLICY} order by name"
        return await fetch(self._db, PolicyVersion, where, workspace=workspace)

    async def changes(
        self, workspace: str, limit: int, before: int = 0, subject: str = ""
    ) -> list[DirectoryChange]:
        """The change log, newest first. before: only entries with a lower number, 0 for all; subject: only entries
        about it, "" for all.
        """
        where, values = "workspace = :workspace", dict[str, Any]()
        if before:
            where, values = where + " and number < :before", values | {"before": before}
        if subject:
            where, values = where + " and subject = :subject", values | {"subject": subject}
        where += " order by number desc limit :limit"
        return await fetch(self._db, DirectoryChange, where, workspace=workspace, limit=limit, **values)

    async def kills(self, workspace: str, limit: int, killed: bool | None = None) -> list[DirectoryChange]:
        """The entries by which agents were killed (``killed``), resumed (False) or either (None), newest first."""
        where = f"workspace = :workspace and kind = 'agent' and {_KILLS[killed]} order by number desc limit :limit"
        return await fetch(self._db, DirectoryChange, where, workspace=workspace, limit=limit)

    async def last_changes(self, workspace: str, subjects: Collection[str]) -> list[DirectoryChange]:
        """The last entry about each of these subjects that has one."""
        where = """workspace = :workspace and subject in :subjects and number = (
            select max(c.number) from changes c where c.workspace = w.workspace and c.subject = w.subject
        )"""
        return await fetch(self._db, DirectoryChange, where, workspace=workspace, subjects=list(subjects))

    async def proposals(self, workspace: str, now: datetime, limit: int) -> list[StoredProposal]:
        """The proposals that wait for a second admin at ``now``, newest first."""
        where = """workspace = :workspace and expires_at > :now
            and not exists (select 1 from proposal_ends e where e.id = w.id) order by id desc limit :limit"""
        return await fetch(self._db, StoredProposal, where, workspace=workspace, now=micros(now), limit=limit)

    async def ended_proposals(
        self, workspace: str, now: datetime, before: str, limit: int
    ) -> list[tuple[StoredProposal, ProposalEnd | None]]:
        """The proposals that are no longer waiting, newest first, with ids below ``before`` ("" for all). One without
        an end has expired.
        """
        where = f"""workspace = :workspace {"and id < :before" if before else ""} and (
            expires_at <= :now or exists (select 1 from proposal_ends e where e.id = w.id)
        ) order by id desc limit :limit"""
        values = {"before": before} if before else {}
        found = await fetch(
            self._db, StoredProposal, where, workspace=workspace, now=micros(now), limit=limit, **values
        )
        ended = await fetch(self._db, ProposalEnd, "id in :ids", ids=[one.id for one in found])
        ends = {end.id: end for end in ended}
        return [(one, ends.get(one.id)) for one in found]

    async def proposal(self, workspace: str, id: str) -> tuple[StoredProposal, ProposalEnd | None] | None:
        """A proposal of this workspace with its end, if it has one."""
        where = "workspace = :workspace and id = :id"
        found = await fetch_one(self._db, StoredProposal, where, workspace=workspace, id=id)
        if found is None:
            return None
        return found, await fetch_one(self._db, ProposalEnd, "id = :id", id=id)

    async def save(
        self,
        entries: Sequence[Struct],
        plans: Sequence[Plan] = (),
        since: Mapping[str, int] | None = None,
        new: Workspace | None = None,
        named: Workspace | None = None,
        enters: str = "",
    ) -> None:
        """Add or replace all of these, or none. Raises Conflict if one of these is already taken: a version, an
        address, the name of the ``new`` or newly ``named`` workspace, the organization that it ``enters``; or if a
        workspace has changed ``since``. Rows are locked in a fixed order, to avoid deadlocks.
        """
        changes = [item for item in entries if isinstance(item, DirectoryChange)]
        statements: list[Statement] = [(_NAME_IN_TURN, {})] if new or named else []
        if new is not None:
            statements += [(put(Workspace), values_of(new)), _refuse_name(new)]
        statements += recording(changes, since or {})
        if named is not None:
            statements.append(_refuse_name(named, enters))
        keyed = {plan_digest(plan): plan for plan in plans}
        statements += [
            (PUT_PLAN, {"digest": digest, "body": encode_plan(keyed[digest])}) for digest in sorted(keyed)
        ]
        rest = [item for item in entries if not isinstance(item, DirectoryChange)]
        statements += [_put(item) for item in sorted(rest, key=_place)]
        # A person who comes back later must sign in again: sessions and links end with their access.
        left = [item for item in rest if isinstance(item, Person) and not item.active]
        statements += [
            (query, {"workspace": p.workspace, "person": p.id}) for p in left for query in _SIGN_OUT
        ]
        gone = [item for item in left if item.removed]
        statements += [(query, {"workspace": p.workspace, "person": p.id}) for p in gone for query in _UNLINK]
        if not statements:
            return
        try:
            await self._db.write(*statements)
        except Conflict as refused:
            raise ConcurrentChange from refused
        log_changes(changes)


def _refuse_name(space: Workspace, enters: str = "") -> Statement:
    """Refuse a name that another workspace has or had; with ``enters``, also an organization that another workspace is
    or was in.
    """
    former = {"name": f'%"{space.full_name}"%', "formerly": f'%"{enters}/%' if enters else ""}
    return _REFUSE_NAME, {"id": space.id, "organization": enters, **former}


def _put(item: Struct) -> Statement:
    if isinstance(item, OutboxRow):
        return PUT_OUTGOING, dict(zip(OUTBOX.columns, outgoing_row(item), strict=True))
    if isinstance(item, RemovedTeam):
        return _PUT[RemovedTeam], {"workspace": item.workspace, "name": item.name}
    return _PUT[type(item)], values_of(item)


def _place(item: Struct) -> tuple[int, str]:
    """The position of a row in the locking order: by kind, then by key."""
    key = next((getattr(item, name) for name in ("id", "intent_type", "name") if hasattr(item, name)), "")
    return next(place for place, kind in enumerate(_ORDER) if isinstance(item, kind)), key
