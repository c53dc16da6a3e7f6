"""Slack's Socket Mode against a fake websocket: requests are acknowledged once queued, and handled like HTTP ones."""

import asyncio
import base64
import hashlib
import json
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from signoff.core.errors import Busy
from signoff.engine.clock import FixedClock
from signoff.notify.slack.socket import SlackSocket
from signoff.store.store import Store
from tests.listening import listening
from tests.notify.messaging_env import asked
from tests.notify.slack_env import slack_env

APP_TOKEN = "xapp-1-loopback"


class Gate:
    """Slack's end of the websocket, for one client."""

    def __init__(self) -> None:
        self.acks: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.open: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
        self.tokens: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if first.startswith("POST"):
            await reader.readexactly(int(headers.get("content-length", 0)))
            self.tokens.append(headers.get("authorization", ""))
            out = json.dumps({"ok": True, "url": self.url.replace("http", "ws") + "/link"}).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
                + f"content-length: {len(out)}\r\n\r\n".encode()
                + out
            )
            await writer.drain()
            writer.close()
            return
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        self.send(writer, {"type": "hello"})
        self.open.set_result(writer)
        await self._hear(reader)

    def send(self, writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        size = bytes([len(body)]) if len(body) < 126 else b"\x7e" + struct.pack("!H", len(body))
        writer.write(b"\x81" + size + body)

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        while True:
            kind, size = await reader.readexactly(2)
            length = size & 0x7F
            if length == 126:
                [length] = struct.unpack("!H", await reader.readexactly(2))
            mask = await reader.readexactly(4)
            body = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(length)))
            if kind & 0x0F == 1:
                await self.acks.put(json.loads(body))


@asynccontextmanager
async def gate() -> AsyncIterator[Gate]:
    made = Gate()
    async with listening(made.serve) as made.url:
        yield made


async def test_click_over_the_socket_is_acknowledged_and_recorded(store: Store, clock: FixedClock) -> None:
    async with gate() as server, slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked())
        await slack.messaging.carry()
        body = slack.fake.pressed(slack.card("U0ANN").press("approved"), "U0ANN").decode()
        payload = json.loads(parse_qs(body)["payload"][0])
        before = len(slack.fake.whispers)
        running = asyncio.create_task(SlackSocket(APP_TOKEN, slack.desk.take, server.url).run())
        try:
            writer = await asyncio.wait_for(server.open, 60)
            server.send(writer, {"envelope_id": "e-1", "type": "interactive", "payload": payload})
            assert (await asyncio.wait_for(server.acks.get(), 60))["envelope_id"] == "e-1"
            server.send(
                writer,
                {
                    "envelope_id": "e-2",
                    "type": "slash_commands",
                    "payload": {
                        "command": "/signoff",
                        "team_id": "T0ACME",
                        "user_id": "U0ANN",
                        "text": "help",
                        "response_url": f"{slack.fake.hooks}U0ANN",
                    },
                },
            )
            assert (await asyncio.wait_for(server.acks.get(), 60))["envelope_id"] == "e-2"
            async with asyncio.timeout(60):  # acknowledged is not yet dealt with
                while len(slack.fake.whispers) < before + 2:
                    slack.fake.whispered.clear()
                    await slack.fake.whispered.wait()
            await slack.desk.settle()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert server.tokens == [f"Bearer {APP_TOKEN}"]
        assert (await slack.messaging.intent(intent.id)).ending == "approved"
        assert sorted(said.split()[0] for _, said in slack.fake.whispers[-2:]) == ["Recorded:", "Type"]


async def test_refused_socket_request_is_not_acknowledged() -> None:
    """Slack then reports the failure to the person and resends events; otherwise they would be lost."""
    taken, refused = [], asyncio.Event()

    def take(payload: Mapping[str, Any]) -> None:
        if not refused.is_set():
            refused.set()
            raise Busy("busy", "Too many requests at the moment.")
        taken.append(payload)

    async with gate() as server:
        running = asyncio.create_task(SlackSocket(APP_TOKEN, take, server.url).run())
        try:
            writer = await asyncio.wait_for(server.open, 60)
            server.send(writer, {"envelope_id": "e-1", "type": "events_api", "payload": {"event_id": "Ev1"}})
            await asyncio.wait_for(refused.wait(), 60)
            server.send(writer, {"envelope_id": "e-2", "type": "events_api", "payload": {"event_id": "Ev1"}})
            assert (await asyncio.wait_for(server.acks.get(), 60))["envelope_id"] == "e-2"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert server.acks.empty()
        assert taken == [{"event_id": "Ev1"}]
