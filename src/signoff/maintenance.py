"""Database maintenance for the command line, without a running server."""

import asyncio
from pathlib import Path

from signoff.config import Config
from signoff.core.directory.model import Person, Workspace
from signoff.core.errors import Refused
from signoff.engine.admin.operator import NewSignInLink, make_owner_key, make_signin_link
from signoff.engine.admin.workspaces import NewWorkspace, WorkspaceRequest, create_workspace
from signoff.engine.clock import Clock
from signoff.engine.read.delivery_status import unreadable
from signoff.engine.read.integrity import Finding, check_integrity
from signoff.store.opening import open_store
from signoff.store.store import Store
from signoff.store.tables.retention import RetentionRun


def _store(config: Config, clock: Clock) -> Store:
    return open_store(config.database, wall=clock.wall, clock=clock.of, hear=clock.hear, listen=False)


def migrate(config: Config) -> None:
    """Bring the database's schema up to date."""

    async def work() -> None:
        store = _store(config, Clock())
        await store.open()
        await store.close()

    asyncio.run(work())


def backup(config: Config, target: Path) -> None:
    """Write a consistent copy of the database to ``target``, even while a server uses it."""
    asyncio.run(_store(config, Clock()).backup(target))


def restore(config: Config, copy: Path) -> Path | None:
    """Restore a copy of a SQLite database; returns where the replaced one is kept."""
    if not config.database.startswith("sqlite:"):
        raise Refused(
            "restore_elsewhere",
            "A PostgreSQL database is restored with PostgreSQL's own tools.",
            hint=f"Stop the servers, then: pg_restore --clean --if-exists --dbname=ADDRESS {copy}",
        )
    from signoff.store.sqlite.restore import restore as back

    return back(
        Path(config.database.partition("://")[2][1:]), copy, f"before-restore-{Clock().now():%Y%m%dT%H%M%SZ}"
    )


def owner_key(config: Config, email: str, workspace: str) -> tuple[Person, Workspace, str]:
    """Create a new key for an owner; also works while servers use the database."""

    async def work() -> tuple[Person, Workspace, str]:
        clock = Clock()
        store = _store(config, clock)
        await store.look(write=True)
        try:
            return await make_owner_key(store, clock, email, workspace)
        finally:
            await store.close()

    return asyncio.run(work())


def add_workspace(config: Config, organization: str, name: str, owner: str) -> NewWorkspace:
    """Create a workspace, possibly in another organization, with its owner and their key; also works while servers
    use the database.
    """

    async def work() -> NewWorkspace:
        clock = Clock()
        store = _store(config, clock)
        await store.look(write=True)
        try:
            return await create_workspace(store, clock, WorkspaceRequest(organization, name, owner))
        finally:
            await store.close()

    return asyncio.run(work())


def check_database(config: Config) -> tuple[list[Finding], RetentionRun | None]:
    """Return all inconsistencies of the stored intents, and what retention has deleted so far.

    It only reads, so it also works while servers use the database.
    """

    async def work() -> tuple[list[Finding], RetentionRun | None]:
        store = _store(config, Clock())
        await store.look()
        try:
            found = [finding async for finding in check_integrity(store)]
            found += [finding async for finding in unreadable(store)]
            return found, await store.retention.get()
        finally:
            await store.close()

    return asyncio.run(work())


def signin_link(config: Config, email: str, workspace: str) -> NewSignInLink:
    """Create a link that signs this person in, once; also works while servers use the database."""

    async def work() -> NewSignInLink:
        clock = Clock()
        store = _store(config, clock)
        await store.look(write=True)
        try:
            return await make_signin_link(store, clock, email, workspace)
        finally:
            await store.close()

    return asyncio.run(work())
