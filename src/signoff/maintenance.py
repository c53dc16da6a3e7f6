"""What the command line does to a database without serving it."""

import asyncio
from pathlib import Path

from signoff.config import Config
from signoff.engine.clock import Clock
from signoff.engine.examine import Finding, examine
from signoff.engine.operator import Made, make_signin_link
from signoff.store.store import Store, open_store


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
    """Write a consistent copy of the database to ``target``, also while a server uses it."""
    asyncio.run(_store(config, Clock()).backup(target))


def check_database(config: Config) -> list[Finding]:
    """Everything that is wrong with the stored intents; an empty list when the database tells one truth.

    Only reads, so also while servers use it.
    """

    async def work() -> list[Finding]:
        store = _store(config, Clock())
        await store.look()
        try:
            return [finding async for finding in examine(store)]
        finally:
            await store.close()

    return asyncio.run(work())


def signin_link(config: Config, email: str, workspace: str) -> Made:
    """A link that signs this person in, once; also while servers use the database."""

    async def work() -> Made:
        clock = Clock()
        store = _store(config, clock)
        await store.look(write=True)
        try:
            return await make_signin_link(store, clock, email, workspace)
        finally:
            await store.close()

    return asyncio.run(work())
