"""The durable store. ``SqliteStore`` and ``PostgresStore`` define only their differences.

``transact`` is the only way to write intents. An unreachable database raises Busy("database_unavailable") from every
call, a full disk Busy("storage_full"); the driver's own exceptions are never raised.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from signoff.store import sql
from signoff.store.database import Statement
from signoff.store.rows import LastStates, Plans, Row, micros
from signoff.store.tables.agent_usage import AgentUsageTable
from signoff.store.tables.change_log import People
from signoff.store.tables.chats import Chats
from signoff.store.tables.directory import DirectoryTables
from signoff.store.tables.erasures import Erasures
from signoff.store.tables.intents import Intents
from signoff.store.tables.messages import Messages
from signoff.store.tables.outbox import Outbox
from signoff.store.tables.retention import RetentionRuns
from signoff.store.tables.sessions import SessionTables
from signoff.store.tables.showings import ShownTargets
from signoff.store.tables.totals import Totals
from signoff.store.tables.uses import Uses
from signoff.store.tables.views import Views
from signoff.store.tables.workers import WorkerTable
from signoff.store.transaction import Loaded, Locks, Writes

Clock = Callable[[datetime], datetime]
Work = Callable[[Loaded], Writes]


def same(now: datetime) -> datetime:
    """The clock in production: the database's time, unchanged."""
    return now


class Store(ABC):
    """One database. ``clock`` maps the database's time to the current time, so that tests can move it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.plans = Plans()
        self.states = LastStates()
        self.intents = Intents(self)
        self.directory = DirectoryTables(self)
        self.outbox = Outbox(self)
        self.messages = Messages(self)
        self.chats = Chats(self)
        self.sessions = SessionTables(self)
        self.showings = ShownTargets(self)
        self.views = Views(self)
        self.uses = Uses(self)
        self.people = People(self)
        self.retention = RetentionRuns(self)
        self.workers = WorkerTable(self)
        self.usage = AgentUsageTable(self)
        self.totals = Totals(self)
        self.erasures = Erasures(self)

    @abstractmethod
    async def open(self) -> None:
        """Connect and bring the schema up to date; raises Refused (schema_newer, database_in_use) or Busy."""

    @abstractmethod
    async def look(self, write: bool = False) -> None:
        """Open the database alongside servers that use it: nothing is created or migrated. It is read-only, unless
        ``write``.

        Raises Refused (database_missing, schema_older, schema_newer) or Busy.
        """

    @abstractmethod
    async def close(self) -> None:
        """Release everything. Acknowledged writes are on disk."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait until this process may write. Only processes that share a SQLite file ever have to wait."""
        return nullcontext()

    @abstractmethod
    async def transact(self, want: Locks, work: Work) -> None:
        """Lock and read ``want``, call ``work``, write what it returns, and commit.

        If ``work`` raises, nothing is written. ``work`` may be called more than once.
        """

    async def held(self, ids: Sequence[str]) -> set[str]:
        """Which of these intents another transaction currently has locked; none on SQLite, which has one writer."""
        return set()

    @abstractmethod
    async def read(self, sql: str, **values: Any) -> list[Row]:
        """The rows of one statement; never waits for a writer."""

    @abstractmethod
    async def write(self, *statements: Statement) -> list[list[Row]]:
        """Run the statements in one transaction; the rows that each returns."""

    @abstractmethod
    async def now(self) -> datetime:
        """The current time."""

    @abstractmethod
    async def ping(self) -> None:
        """Raise Busy unless the database can be read and written."""

    @abstractmethod
    async def announce(self, topics: Sequence[str]) -> None:
        """Notify other servers on this database that something about ``topics`` changed. Only a hint."""

    @property
    def listening(self) -> bool:
        """Whether other servers' announcements of topics are being received."""
        return False

    @abstractmethod
    async def warm(self) -> None:
        """Prepare what the first requests would otherwise have to wait for. A busy database is not an error here."""

    @abstractmethod
    async def listen(self, notified: Callable[[list[str]], None]) -> None:
        """Call ``notified`` with the topics that other servers announce; [""] if some may have been missed."""

    @abstractmethod
    async def backup(self, target: Path) -> None:
        """Write a consistent copy to ``target``; raises Refused if the database's own tools have to be used."""

    async def forget_replies(self, limit: int) -> int:
        """Delete up to ``limit`` expired responses; returns how many. Responses for open intents are kept."""
        values = {"now": micros(await self.now()), "limit": limit}
        _, rows = await self.write((sql.RENEW_REPLIES, values), (sql.FORGET_REPLIES, values))
        return len(rows)
