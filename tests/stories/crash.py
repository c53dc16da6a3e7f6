"""Servers and other processes to kill, requests to them, and checks of their database afterwards."""

import asyncio
import http.client
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from signoff.core.intent.events import Fact
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Intent
from signoff.engine.clock import Clock
from signoff.engine.read.integrity import Finding, check_integrity
from signoff.store.opening import open_store
from tests.databases import create_database, drop_database
from tests.live import PATIENCE, Live
from tests.stories.programs import KIND

GATE = {"intent_type": "intent.gate.v1", "human_task": {"title": "Run it?"}}
WORKFLOW = {
    "workflow": "crash",
    "intent_type": KIND,
    "steps": [
        {"id": "validate", "agent": "validator", "max_attempts": 20},
        {"id": "approve", "human": {"type": "approval", "title": "Run it?"}, "deadline": "8h"},
    ],
}


@contextmanager
def fresh_database(request: pytest.FixtureRequest, kind: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, or "" for SQLite, whose file each server makes in its folder."""
    if kind == "sqlite":
        yield ""
        return
    server: str = request.getfixturevalue("postgres_server")
    url = asyncio.run(create_database(server, name := f"signoff_crash_{os.getpid()}_{secrets.token_hex(4)}"))
    try:
        yield url
    finally:
        asyncio.run(drop_database(server, name))


@contextmanager
def stopped_at_the_end(live: Live) -> Iterator[Live]:
    """Start a server and always stop it. Whatever a story does to it, its log must have no traceback."""
    try:
        yield live.start()
    finally:
        live.stop()
    said = live.log.read_text()
    assert "Traceback" not in said, said[-6000:]


class Answer(msgspec.Struct):
    """A response: ``json`` is None if it has no body."""

    status: int
    headers: dict[str, str]
    json: Any

    @property
    def code(self) -> str:
        """The error's code, or ""."""
        error = self.json.get("error") if isinstance(self.json, dict) else None
        return error["code"] if error else ""


def ask(live: Live, method: str, path: str, body: Any = None, key: str = "", **headers: str) -> Answer:
    """One HTTP request on its own connection; bytes are sent unchanged. Raises OSError if the connection is cut."""
    content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=PATIENCE)
    try:
        connection.request(
            method,
            path,
            content,
            {"content-type": "application/json", "x-api-key": key or live.owner_key} | named,
        )
        came = connection.getresponse()
        text = came.read()
        known = {name.lower(): value for name, value in came.getheaders()}
        return Answer(came.status, known, json.loads(text) if text else None)
    except (http.client.HTTPException, json.JSONDecodeError) as error:
        raise ConnectionError(f"cut off: {error!r}") from error
    finally:
        connection.close()


@contextmanager
def alone(folder: Path, **settings: str) -> Iterator[Live]:
    """A server for one story, with its SQLite file or the database that the settings name."""
    with stopped_at_the_end(
        Live(folder / ".signoff", "", 0, console_notifications="off", **settings)
    ) as live:
        yield live


def sent(live: Live, **fields: Any) -> str:
    """The id of a new intent that is waiting for a person."""
    answer = ask(live, "POST", "/v1/intents", GATE | fields)
    assert answer.status == 200, answer
    found: str = answer.json["intent_id"]
    return found


def count(live: Live) -> int:
    """The number of intents on one page."""
    return len(ask(live, "GET", "/v1/intents?limit=200").json["intents"])


class Process:
    """One of ``programs`` in its own process, ended by its pid."""

    def __init__(self, what: str, folder: Path, live: Live) -> None:
        self._command = [sys.executable, "-m", "tests.stories.programs", what, str(folder)]
        keep = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
        self._environ = keep | {"SIGNOFF_URL": live.url, "SIGNOFF_API_KEY": live.owner_key}
        self._log = folder / f"{what}.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> "Process":
        """Start it unless it is running."""
        if self._process is not None:
            return self
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environ, stdout=log, stderr=log)
        return self

    def kill(self) -> None:
        """kill -9: nothing is finished or logged."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    @property
    def said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""


def noted(file: Path) -> list[Any]:
    """The complete lines of a JSON Lines file; the writer may have been killed while writing the last one."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_bytes().split(b"\n")[:-1]]


class Looked(msgspec.Struct):
    """The database after the crashes: every intent with its history, and the doctor's findings."""

    intents: dict[str, Intent]
    histories: dict[str, list[Fact]]
    findings: list[Finding]


def look(url: str) -> Looked:
    """Read a database that no server has open."""

    async def work() -> Looked:
        clock = Clock()
        store = open_store(url, wall=clock.wall, listen=False)
        await store.open()
        try:
            found = Looked({}, {}, [finding async for finding in check_integrity(store)])
            for intent_id in await store.intents.ids():
                stored = await store.intents.get(intent_id)
                assert stored is not None
                found.intents[intent_id] = stored.intent
                rows = await store.intents.history(intent_id)
                found.histories[intent_id] = [unseal(row.body, row.private) for row in rows]
            return found
        finally:
            await store.close()

    return asyncio.run(work())


def database_of(live: Live) -> str:
    return live.database or f"sqlite:///{live.data / 'signoff.db'}"
