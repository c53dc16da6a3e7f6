"""The store: where everything durable is. ``SqliteStore`` and ``PostgresStore`` state only their differences.

Writing intents has one door, ``transact``. An unreachable database raises Busy("database_unavailable") from
every call, a full disk Busy("storage_full"); a driver's own exception never gets out.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from signoff.core.errors import Refused
from signoff.store import sql
from signoff.store.chats import Chats
from signoff.store.database import Statement
from signoff.store.directory import Directory
from signoff.store.intents import Intents
from signoff.store.messages import Messages
from signoff.store.outbox import Outbox
from signoff.store.people import People
from signoff.store.rows import Plans, Row, micros
from signoff.store.sessions import Sessions
from signoff.store.showings import Showings
from signoff.store.sweeps import Sweeps
from signoff.store.work import Found, Want, Writes
from signoff.store.workers import Workers

Clock = Callable[[datetime], datetime]
Work = Callable[[Found], Writes]


def same(now: datetime) -> datetime:
    """The clock of production: the database's time is the time."""
    return now


class Store(ABC):
    """One database. ``clock`` maps the database's time to the time used; tests move it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.plans = Plans()
        self.intents = Intents(self)
        self.directory = Directory(self)
        self.outbox = Outbox(self)
        self.messages = Messages(self)
        self.chats = Chats(self)
        self.sessions = Sessions(self)
        self.showings = Showings(self)
        self.people = People(self)
        self.sweeps = Sweeps(self)
        self.workers = Workers(self)

    @abstractmethod
    async def open(self) -> None:
        """Connect and bring the schema up to date; raises Refused (schema_newer, database_in_use) or Busy."""

    @abstractmethod
    async def look(self, write: bool = False) -> None:
        """In place of ``open``, beside servers that use it: nothing is made or migrated. ``write``: something may be
        added, else it is to read only.

        Raises Refused (database_missing, schema_older, schema_newer) or Busy.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything; whatever was acknowledged is on disk."""

    @abstractmethod
    async def transact(self, want: Want, work: Work) -> None:
        """Lock and read ``want``, call ``work``, write what it returns, commit.

        What ``work`` raises goes to the caller, and nothing is written. ``work`` may be called again, afresh.
        """

    @abstractmethod
    async def read(self, sql: str, **values: Any) -> list[Row]:
        """The rows of one statement; never waits for a writer."""

    @abstractmethod
    async def write(self, *statements: Statement) -> list[list[Row]]:
        """Run the statements in one transaction; the rows that each returns."""

    @abstractmethod
    async def now(self) -> datetime:
        """The time used."""

    @abstractmethod
    async def ping(self) -> None:
        """Raises Busy unless the database can be read and written."""

    @abstractmethod
    async def announce(self, words: Sequence[str]) -> None:
        """Tell other servers on this database that something about ``words`` changed. Only ever a hint."""

    @abstractmethod
    async def listen(self, heard: Callable[[list[str]], None]) -> None:
        """From now on call ``heard`` with announced words; [""] when some may have been missed."""

    @abstractmethod
    async def backup(self, target: Path) -> None:
        """Write a consistent copy to ``target``; raises Refused where the database's own tools do that."""

    async def forget_replies(self, limit: int) -> int:
        """Delete up to ``limit`` stored answers whose time is over; how many. Those of open intents stand."""
        values = {"now": micros(await self.now()), "limit": limit}
        _, rows = await self.write((sql.RENEW_REPLIES, values), (sql.FORGET_REPLIES, values))
        return len(rows)


def open_store(
    url: str,
    *,
    wall: Callable[[], datetime],
    clock: Clock = same,
    hear: Clock | None = None,
    listen: bool = True,
) -> Store:
    """The store at ``sqlite:///path`` or ``postgresql://…``; still closed.

    wall: the system clock, which is SQLite's database time (PostgreSQL has its own);
    hear: in place of ``clock`` where the database has a clock of its own;
    listen: False where a connection pooler in between cannot pass notifications on.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from signoff.store.sqlite import SqliteStore

        return SqliteStore(Path(rest[1:]), wall=wall, clock=clock)
    if scheme in ("postgresql", "postgres"):
        from signoff.store.postgres import PostgresStore

        return PostgresStore(url, clock=hear or clock, listen=listen)
    raise Refused(
        "invalid_database_url",
        f"There is no database for {f'{scheme[:20]}://' if rest else 'such'} addresses.",
        field="database",
        hint="Write sqlite:///path/to/file.db or postgresql://user:password@host/name.",
    )
