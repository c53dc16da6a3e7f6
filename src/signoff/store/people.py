"""Teams, policies and the record of who changed what. One apply is one transaction: all of it, or nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from signoff.core.errors import Conflict
from signoff.core.plan import Plan
from signoff.store.database import Database, Statement
from signoff.store.entries import (
    DirectoryChange,
    Link,
    Person,
    PolicyRow,
    ProposalEnd,
    ProposalRow,
    TeamRow,
    Workflow,
    Workspace,
    as_read,
    entry,
    put,
    select,
    values_of,
)
from signoff.store.rows import encode_plan, micros, plan_digest
from signoff.store.sql import LATEST_POLICY, PUT_PLAN, UPDATE_WORKSPACE

# Of what has versions each is added once: two who apply at the same moment do not both get version 2.
_PUT: Final = {
    Workspace: UPDATE_WORKSPACE,
    Person: put(Person, "id"),
    TeamRow: put(TeamRow, "workspace", "name"),
    PolicyRow: put(PolicyRow),
    Workflow: put(Workflow),
    DirectoryChange: put(DirectoryChange),
    Link: put(Link),
    ProposalRow: put(ProposalRow),
    ProposalEnd: put(ProposalEnd),
}

# What is replaced has to be as it was read: of two who change one thing at the same moment the second looks again.
_AS_READ: Final = {
    Workspace: as_read(Workspace, ("id",), ("self_approval", "positive_fallback", "protected"), "name"),
    Person: as_read(
        Person, ("id",),
        ("name", "roles", "active", "addresses", "zone", "hours", "absences", "preferences"), "email",
    ),
    TeamRow: as_read(TeamRow, ("workspace", "name"), ("members", "rotation"), "updated_at"),
}  # fmt: skip


class People:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def teams(self, workspace: str) -> list[TeamRow]:
        rows = await self._db.read(
            select(TeamRow, "workspace = :workspace order by name"), workspace=workspace
        )
        return [entry(TeamRow, row) for row in rows]

    async def policies(self, workspace: str) -> list[PolicyRow]:
        """The latest version of each."""
        where = f"workspace = :workspace and {LATEST_POLICY} order by name"
        return [
            entry(PolicyRow, row)
            for row in await self._db.read(select(PolicyRow, where), workspace=workspace)
        ]

    async def changes(self, workspace: str, before: str, limit: int) -> list[DirectoryChange]:
        """Newest first, with ids below ``before`` ("": all)."""
        where = (
            "workspace = :workspace"
            + (" and id < :before" if before else "")
            + " order by id desc limit :limit"
        )
        values = {"before": before} if before else {}
        rows = await self._db.read(select(DirectoryChange, where), workspace=workspace, limit=limit, **values)
        return [entry(DirectoryChange, row) for row in rows]

    async def proposals(self, workspace: str, now: datetime, limit: int) -> list[ProposalRow]:
        """What waits for a second admin at ``now``, newest first."""
        where = """workspace = :workspace and expires_at > :now
            and not exists (select 1 from proposal_ends e where e.id = w.id) order by id desc limit :limit"""
        rows = await self._db.read(
            select(ProposalRow, where), workspace=workspace, now=micros(now), limit=limit
        )
        return [entry(ProposalRow, row) for row in rows]

    async def proposal(self, workspace: str, id: str) -> tuple[ProposalRow, ProposalEnd | None] | None:
        """A proposal of this workspace with its end, if it has one."""
        rows = await self._db.read(
            select(ProposalRow, "workspace = :workspace and id = :id"), workspace=workspace, id=id
        )
        if not rows:
            return None
        ends = await self._db.read(select(ProposalEnd, "id = :id"), id=id)
        return entry(ProposalRow, rows[0]), entry(ProposalEnd, ends[0]) if ends else None

    async def save(
        self, entries: Sequence[Struct], plans: Sequence[Plan] = (), replaced: Sequence[Struct] = ()
    ) -> None:
        """Add or replace all of these, or none; raises Conflict when a version or an address was taken meanwhile, or
        one of ``replaced`` is not any more what it was.
        """
        statements: list[Statement] = [(_AS_READ[type(item)], values_of(item)) for item in replaced]
        statements += [(PUT_PLAN, {"digest": plan_digest(plan), "body": encode_plan(plan)}) for plan in plans]
        statements += [(_PUT[type(item)], values_of(item)) for item in entries]
        if not statements:
            return
        try:
            await self._db.write(*statements)
        except Conflict as refused:
            raise Conflict(
                "changed_meanwhile",
                "Somebody changed the same thing at the same moment.",
                hint="Look at what is in force now, and apply again.",
            ) from refused
