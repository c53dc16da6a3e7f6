"""A stopping server reports truthfully what was done, was not done, or is unknown; and it stops in time."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.databases import create_database, drop_database
from tests.engine.http_sink import HANG, http_sink
from tests.live import PATIENCE, Live
from tests.store.proxy import Wire
from tests.stories.servers import until

IN_TIME = 20.0  # what the documents promise
# The server of a machine whose name servers never answer for one name. uvloop has a resolver of its own, in C.
HANGING_NAMES = """
import socket, sys, threading

resolve = socket.getaddrinfo

def hanging(host, *rest, **more):
    if host in ("hangs.example", b"hangs.example"):
        print("the name is looked up", file=sys.stderr, flush=True)
        threading.Event().wait()
    return resolve(host, *rest, **more)

socket.getaddrinfo = hanging
sys.modules["uvloop"] = None
from signoff.cli.main import main
main()
"""


def submit(live: Live, key: str) -> tuple[int, str, Any]:
    request = urllib.request.Request(
        f"{live.url}/v1/intents",
        json.dumps({"intent_type": "a.b.v1", "payload": {"k": key}}).encode(),
        {"x-api-key": live.owner_key, "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers["content-type"], json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["content-type"], json.loads(error.read())


def _answers(live: Live) -> bool:
    try:
        return live.call("GET", "/health")[0] == 200
    except OSError:
        return False


async def ended(live: Live) -> int:
    assert live.process is not None
    return await asyncio.to_thread(live.process.wait, IN_TIME)


async def test_commit_blocked_by_the_database_is_reported_as_unknown_at_shutdown(
    postgres_server: str, tmp_path: Path
) -> None:
    name = f"signoff_end_{os.getpid()}"
    wire = Wire(await create_database(postgres_server, name))
    await wire.mend()
    live = Live(tmp_path / "d", wire.url, console_notifications="off", listen="off")
    try:
        await asyncio.to_thread(live.start)
        assert (await asyncio.to_thread(submit, live, "before"))[0] == 200
        wire.hold_at = b'"held"'
        held = asyncio.create_task(asyncio.to_thread(submit, live, "held"))
        await asyncio.wait_for(wire.held.wait(), PATIENCE)  # it is with the database
        assert live.process is not None
        live.process.send_signal(signal.SIGTERM)
        status, kind, body = await held
        assert (status, kind, body["error"]["code"]) == (503, "application/json", "commit_unknown")
        assert await ended(live) == 0
        assert "Traceback" not in live.log.read_text(), live.log.read_text()
    finally:
        wire.flowing.set()
        live.stop()
        await wire.cut()
        await drop_database(postgres_server, name)


async def test_incomplete_body_at_shutdown_is_refused_without_delay(tmp_path: Path) -> None:
    live = Live(tmp_path / "d", console_notifications="off")
    await asyncio.to_thread(live.start)
    try:
        head = f"POST /v1/intents HTTP/1.1\r\nhost: x\r\nx-api-key: {live.owner_key}\r\ncontent-length: 100\r\n\r\n{{"
        with socket.create_connection(("127.0.0.1", live.port)) as half:
            half.sendall(head.encode())
            await asyncio.to_thread(submit, live, "another")
            assert live.process is not None
            live.process.send_signal(signal.SIGTERM)
            half.settimeout(PATIENCE)
            with half.makefile("rb") as answer:
                said = (await asyncio.to_thread(answer.read)).decode()
        assert said.startswith("HTTP/1.1 503"), said
        assert json.loads(said.partition("\r\n\r\n")[2])["error"]["code"] == "server_stopping"
        assert await ended(live) == 0
    finally:
        live.stop()
    assert "Traceback" not in live.log.read_text(), live.log.read_text()


async def test_second_sigterm_changes_nothing(tmp_path: Path) -> None:
    async with http_sink(HANG) as hook:
        live = Live(
            tmp_path / "d", console_notifications="off", webhook_url=hook.url, allow_private_callbacks="on"
        )
        await asyncio.to_thread(live.start)
        try:
            await asyncio.to_thread(
                live.call, "POST", "/v1/intents", {"intent_type": "a.b.v1", "human_task": {"title": "?"}}
            )
            await asyncio.wait_for(hook.arrived.wait(), PATIENCE)
            assert live.process is not None
            live.process.send_signal(signal.SIGTERM)
            while await asyncio.to_thread(_answers, live):
                continue
            while live.process.poll() is None:  # for as long as the webhook is waited for
                live.process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    await asyncio.to_thread(live.process.wait, 0.05)
            assert await ended(live) == 0
        finally:
            live.stop()
        assert "Interrupted" not in live.log.read_text()


@pytest.mark.parametrize(
    "settings",
    [
        {"webhook_url": "https://hangs.example/hook"},
        {"smtp_url": "smtp://hangs.example:25?from=signoff@example.com"},
    ],
    ids=lambda settings: next(iter(settings)),
)
async def test_unresolvable_name_does_not_delay_shutdown(tmp_path: Path, settings: dict[str, str]) -> None:
    live = Live(tmp_path / "d", console_notifications="off", **settings)
    live.program = ("-c", HANGING_NAMES)
    await asyncio.to_thread(live.start)
    try:
        await asyncio.to_thread(
            live.call, "POST", "/v1/intents", {"intent_type": "a.b.v1", "human_task": {"title": "?"}}
        )
        await asyncio.to_thread(until, lambda: "the name is looked up" in live.log.read_text())
        assert live.process is not None
        live.process.send_signal(signal.SIGTERM)
        assert await ended(live) == 0
    finally:
        if live.process is not None:
            live.process.kill()  # a failed test must not wait for ever
        live.stop()
    assert "Traceback" not in live.log.read_text(), live.log.read_text()
