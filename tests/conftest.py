"""Fixtures of all tests: an event loop, a clock that tests move, a store on each of the two databases."""

import asyncio
import atexit
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from signoff.store.opening import open_store
from signoff.store.store import Clock, Store
from tests.databases import create_database, drop_database, postgres

# The suite says the same of the same code, on whatever machine: examples are found anew only by who asks for a search
# (--hypothesis-profile=search --hypothesis-seed=N), and none is judged by the time that it took.
_TIMELESS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
settings.register_profile("steady", _TIMELESS, derandomize=True)
settings.register_profile("search", _TIMELESS, derandomize=False, max_examples=2000)
settings.load_profile("steady")
# Whoever runs the suite in the background has it ignore SIGINT, and with it every process that a test stops that way.
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    and threading.current_thread() is threading.main_thread()
):
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Nor does a test read or write the settings of whoever runs it.
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="signoff-tests-config-")
atexit.register(shutil.rmtree, os.environ["XDG_CONFIG_HOME"], ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--contended", action="store_true", help="every transaction on PostgreSQL fails once")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("contended"):
        from signoff.store.postgres import store
        from tests.store.contended import ContendedStore

        store.PostgresStore = ContendedStore  # type: ignore[misc]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """On Windows, import only the tests that are marked for it; others need POSIX modules."""
    if hasattr(os, "fork") or not collection_path.match("test_*.py"):
        return None
    return "pytest.mark.windows" not in collection_path.read_text("utf-8") or None


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Children before their parents.
TABLES = [
    "workers",
    "agent_usage",
    "unread",
    "sweeps",
    "chat_codes",
    "chat_people",
    "messages",
    "views",
    "links",
    "sessions",
    "device_logins",
    "changes",
    "proposal_ends",
    "proposals",
    "revisions",
    "policies",
    "teams",
    "workflows",
    "keys",
    "accounts",
    "people",
    "workspaces",
    "outbox",
    "targets",
    "decided",
    "uses",
    "showings",
    "replies",
    "cursors",
    "events",
    "submissions",
    "worklist",
    "intents",
    "plans",
]


class FixedClock:
    """A clock that only the test moves."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def wall(self) -> datetime:
        """Sets SQLite's system clock."""
        return self.at

    def map(self, now: datetime) -> datetime:
        """Sets the store's clock, whatever the database's time is."""
        return self.at

    def move(self, by: timedelta) -> datetime:
        self.at += by
        return self.at


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a server on which databases can be created."""
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of the database that tests share; ``store`` empties it before each test."""
    name = f"signoff_test_{os.getpid()}"
    yield asyncio.run(create_database(postgres_server, name))
    asyncio.run(drop_database(postgres_server, name))


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a separate PostgreSQL database without a schema."""
    name = f"signoff_test_{os.getpid()}_own"
    yield asyncio.run(create_database(postgres_server, name))
    asyncio.run(drop_database(postgres_server, name))


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database for one test; each test runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/signoff.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def own_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a separate database of either kind without a schema."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/signoff.db"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


async def delete_rows(store: Store) -> None:
    """Empty every table, because tests share a PostgreSQL database."""
    await store.write(*((f"delete from {table}", {}) for table in TABLES))


@asynccontextmanager
async def empty_store(url: str, wall: Callable[[], datetime], clock: Clock) -> AsyncIterator[Store]:
    """Open an empty store for the block."""
    store = open_store(url, wall=wall, clock=clock)
    await store.open()
    try:
        if url.startswith("postgresql"):
            await delete_rows(store)
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(store_url: str, clock: FixedClock) -> AsyncIterator[Store]:
    """An open, empty store that reads ``clock``."""
    async with empty_store(store_url, clock.wall, clock.map) as store:
        yield store
