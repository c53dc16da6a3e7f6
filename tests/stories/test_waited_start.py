"""A server waits for a database that starts later, as when both start together, but not after a refusal."""

import asyncio
import logging
import os
import signal
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from signoff.config import Config
from signoff.core.errors import Busy
from signoff.server import Server
from tests.databases import database_url
from tests.store.proxy import Wire

MINUTE = timedelta(seconds=60)
SOON = timedelta(seconds=0.2)


class Ear(logging.Handler):
    """The output of the start, and an event for its first line."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.spoke = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
        self.spoke.set()


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    ear = Ear()
    logger = logging.getLogger("signoff.server")
    logger.addHandler(ear)
    yield ear
    logger.removeHandler(ear)


def server(url: str, data: Path, wait: timedelta = MINUTE) -> Server:
    return Server(Config(port=0, data=data, database=url, database_wait=wait, console_notifications=False))


@asynccontextmanager
async def refusing(state: str) -> AsyncIterator[str]:
    """The address of a PostgreSQL that refuses every connection with this SQLSTATE."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        await reader.readexactly(length - 4)
        fields = f"SFATAL\0VFATAL\0C{state}\0Mnot you\0\0".encode()
        writer.write(b"E" + struct.pack("!i", len(fields) + 4) + fields)
        writer.close()

    listener = await asyncio.start_server(refuse, "127.0.0.1", 0)
    yield f"postgresql://u@127.0.0.1:{listener.sockets[0].getsockname()[1]}/x?sslmode=disable"
    listener.close()


async def test_database_that_starts_later_is_awaited_and_logged_once(
    empty_postgres_url: str, tmp_path: Path, ear: Ear
) -> None:
    wire = Wire(empty_postgres_url.replace("postgres@", "postgres:hunter2@"))
    await wire.mend()
    await wire.cut()
    one = server(wire.url, tmp_path)
    starting = asyncio.create_task(one.start())
    await ear.spoke.wait()
    await wire.mend()
    await starting
    assert (await one.readiness()).details["database"] == "ok"
    await one.stop()
    await wire.cut()
    [said] = ear.said
    shown = wire.url.replace("hunter2", "********")
    assert said.startswith(f"Waiting up to 1m for {shown}. The database is unreachable: ")
    assert "hunter2" not in said


async def test_database_that_never_starts_is_given_up(tmp_path: Path, ear: Ear) -> None:
    with pytest.raises(Busy, match="is unreachable"):
        await server("postgresql://u@127.0.0.1:1/x", tmp_path, SOON).start()
    assert len(ear.said) <= 1  # none, where the first try alone took longer


async def test_database_that_is_still_starting_is_awaited(tmp_path: Path, ear: Ear) -> None:
    async with refusing("57P03") as url:
        with pytest.raises(Busy, match="it is starting or stopping"):
            await server(url, tmp_path, SOON).start()
    assert len(ear.said) <= 1


async def test_wrong_password_ends_the_wait(tmp_path: Path, ear: Ear) -> None:
    async with refusing("28P01") as url:
        with pytest.raises(Busy, match="does not accept this user's password"):
            await server(url, tmp_path).start()
    assert ear.said == []


async def test_missing_database_or_permission_ends_the_wait(
    postgres_server: str, tmp_path: Path, ear: Ear
) -> None:
    nowhere = database_url(postgres_server, "nowhere")
    nobody = postgres_server.replace("postgres@", "nobody_known@")
    for url, why in (
        (nowhere, "there is no such database"),
        (nobody, "it does not allow this user to connect"),
        ("postgresql://u@127.0.0.1:1/x?target_session_attrs=often", "target_session_attrs"),
    ):
        with pytest.raises(Busy, match=why):
            await server(url, tmp_path).start()
    assert ear.said == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_the_wait_at_once(how: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "signoff.cli", "up", "--port", "0", "--data", str(tmp_path)]
    keep = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    with subprocess.Popen(
        [*command, "--database", "postgresql://u@127.0.0.1:1/x"],
        env=keep | {"SIGNOFF_DATABASE_WAIT": "1h"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "Waiting up to 1h for postgresql://u@127.0.0.1:1/x" in process.stderr.readline()
        try:
            process.send_signal(how)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, stdout, stderr.strip()) == (130, "", "error: Interrupted.")
