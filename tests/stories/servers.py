"""Real servers for stories: on a fresh database, always stopped by their pid, the database dropped."""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from signoff import Client
from tests.databases import create_database, drop_database
from tests.live import PATIENCE, Live

T = TypeVar("T")
KINDS = ("sqlite", "postgres")


@contextmanager
def serving(
    request: pytest.FixtureRequest, folder: Path, kind: str = "sqlite", **settings: str
) -> Iterator[Live]:
    """A server that is ready, with its data in ``folder`` and an initially empty database of this kind.

    A traceback in its log fails the story, whatever the story did.
    """
    server: str = request.getfixturevalue("postgres_server") if kind == "postgres" else ""
    name = f"signoff_live_{os.getpid()}_{secrets.token_hex(4)}"
    live = Live(folder, asyncio.run(create_database(server, name)) if server else "", 0, **settings)
    try:
        yield live.start()
    finally:
        live.stop()
        if server:
            asyncio.run(drop_database(server, name))
    assert "Traceback" not in live.log.read_text(), live.log.read_text()


def self_approving(live: Live) -> Live:
    """The server, set so that its owner may decide their own requests permanently; by default that ends when a second
    person is added.
    """
    with Client(live.url, live.owner_key) as owner:
        owner.directory.apply({"workspace": {"self_approval": True}})
    return live


def until(look: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """The first true value that ``look`` returns. Other processes cannot be awaited, only polled."""
    give_up = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.02)  # polls another process, up to a deadline
    return found


def environment(**variables: str) -> dict[str, str]:
    """The environment of a child process: nothing from another server, and imports that work in any folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    if kept.get("PYTHONPATH"):
        kept["PYTHONPATH"] = os.pathsep.join(
            str(Path(p).resolve()) for p in kept["PYTHONPATH"].split(os.pathsep)
        )
    return kept | variables


def signoff(
    folder: Path, *arguments: str, input: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run one CLI command in a folder without a terminal; returns its output."""
    return subprocess.run(
        [sys.executable, "-m", "signoff.cli", *arguments],
        cwd=folder,
        env=environment(**variables),
        input=input,
        capture_output=True,
        text=True,
        timeout=180,
    )
