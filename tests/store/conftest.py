"""The store's contract on three databases: SQLite, PostgreSQL, and PostgreSQL with partitioned tables."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import create_database, drop_database
from tests.store.partitioned import partition


@pytest.fixture(scope="session")
def partitioned_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database with partitioned intent tables; ``store`` empties it before each test."""
    name = f"signoff_test_{os.getpid()}_parts"
    url = asyncio.run(create_database(postgres_server, name))
    asyncio.run(partition(url))
    yield url
    asyncio.run(drop_database(postgres_server, name))


@pytest.fixture(params=["sqlite", "postgres", "partitioned"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database for one test, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/signoff.db"
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
