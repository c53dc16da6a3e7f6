"""Workspaces, people, accounts, keys, workflows.

``add_…`` returns False if the row already exists, because two servers may start on one database at the same time.
"""

from msgspec import Struct

from signoff.core.directory.model import Account, ApiKey, NamedWorkflow, Person, Workspace
from signoff.core.plan.plan import Plan
from signoff.store.database import Database
from signoff.store.sql import LATEST_VERSION, PLAN, UNDERSTAFFED_CHECKED
from signoff.store.tables.mapping import fetch, fetch_one, insert, values_of


class DirectoryTables:
    """The directory's tables. Lists are sorted for display."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add_workspace(self, workspace: Workspace) -> bool:
        return await self._add(workspace)

    async def workspace(self, id: str) -> Workspace | None:
        return await fetch_one(self._db, Workspace, "id = :id", id=id)

    async def workspaces(self) -> list[Workspace]:
        return await fetch(self._db, Workspace, "1 = 1 order by organization, name")

    async def unchecked(self) -> list[Workspace]:
        """The workspaces that have changed since the last check of their open tasks."""
        return await fetch(self._db, Workspace, "staffed_change < last_change order by id")

    async def understaffed_checked(self, workspace: str, change: int) -> None:
        """Record that the workspace's open tasks have been checked for this change."""
        await self._db.write((UNDERSTAFFED_CHECKED, {"id": workspace, "change": change}))

    async def add_person(self, person: Person) -> bool:
        """Add a person; False if the workspace already has a person with that address."""
        return await self._add(person)

    async def person(self, id: str) -> Person | None:
        return await fetch_one(self._db, Person, "id = :id", id=id)

    async def person_by_email(self, workspace: str, email: str) -> Person | None:
        where = "workspace = :workspace and email = :email"
        return await fetch_one(self._db, Person, where, workspace=workspace, email=email)

    async def people(self, workspace: str) -> list[Person]:
        return await fetch(self._db, Person, "workspace = :workspace order by email", workspace=workspace)

    async def add_account(self, account: Account) -> bool:
        """Add an account; False if that name or address is taken in the workspace."""
        return await self._add(account)

    async def account(self, id: str) -> Account | None:
        return await fetch_one(self._db, Account, "id = :id", id=id)

    async def account_by_name(self, workspace: str, kind: str, name: str) -> Account | None:
        where = "workspace = :workspace and kind = :account_kind and name = :name"
        return await fetch_one(self._db, Account, where, workspace=workspace, account_kind=kind, name=name)

    async def account_by_address(self, workspace: str, address: str) -> Account | None:
        where = "workspace = :workspace and address = :address"
        return await fetch_one(self._db, Account, where, workspace=workspace, address=address)

    async def accounts(self, workspace: str, kind: str | None = None) -> list[Account]:
        if kind is None:
            return await fetch(
                self._db, Account, "workspace = :workspace order by kind, name", workspace=workspace
            )
        where = "workspace = :workspace and kind = :account_kind order by name"
        return await fetch(self._db, Account, where, workspace=workspace, account_kind=kind)

    async def key(self, id: str) -> ApiKey | None:
        return await fetch_one(self._db, ApiKey, "id = :id", id=id)

    async def keys(self, workspace: str, actor_id: str | None = None) -> list[ApiKey]:
        """Keys, oldest first, including revoked ones."""
        if actor_id is None:
            where = "workspace = :workspace order by created_at, id"
            return await fetch(self._db, ApiKey, where, workspace=workspace)
        where = "workspace = :workspace and actor_id = :actor_id order by created_at, id"
        return await fetch(self._db, ApiKey, where, workspace=workspace, actor_id=actor_id)

    async def workflow(self, workspace: str, intent_type: str) -> NamedWorkflow | None:
        """The latest version of a workflow."""
        where = f"workspace = :workspace and intent_type = :intent_type and {LATEST_VERSION}"
        return await fetch_one(self._db, NamedWorkflow, where, workspace=workspace, intent_type=intent_type)

    async def workflows(self, workspace: str) -> list[NamedWorkflow]:
        """The latest version of each workflow."""
        where = f"workspace = :workspace and {LATEST_VERSION} order by intent_type"
        return await fetch(self._db, NamedWorkflow, where, workspace=workspace)

    async def get_plan(self, digest: str) -> Plan | None:
        return (await self.get_plans({digest})).get(digest)

    async def get_plans(self, digests: set[str]) -> dict[str, Plan]:
        """The stored plans with these digests, by digest. Those that are not in memory are read together."""
        plans = self._db.plans.known(digests)
        missing = digests - plans.keys()
        if missing:
            plans |= self._db.plans.learn(await self._db.read(PLAN, digests=sorted(missing)))
        return plans

    async def _add(self, item: Struct) -> bool:
        [rows] = await self._db.write((insert(type(item)), values_of(item)))
        return bool(rows)
