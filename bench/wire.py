"""HTTP/1.1 over persistent connections, as lean as Python allows, so that the load generator costs little: callbacks
instead of coroutines, one request in flight per connection, and no more parsing than our server needs.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

Heard = Callable[[int, bytes], None]
Told = Callable[[bytes], None]


def request(method: str, path: str, key: str, body: bytes = b"", **headers: str) -> bytes:
    """One request as bytes; ``headers``: names with ``_`` for ``-``."""
    lines = [f"{method} {path} HTTP/1.1", "host: bench", f"x-api-key: {key}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if method != "GET":
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Wire(asyncio.Protocol):
    """One connection. ``heard`` is called with status and body when a response is complete."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._buffer = b""
        self._heard: Heard | None = None
        self._told: Told | None = None
        self._streaming = False
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        heard, self._heard = self._heard, None
        if heard is not None:
            heard(0, b"the connection was lost")

    def ask(self, request: bytes, heard: Heard, told: Told | None = None) -> None:
        """Send; ``told`` gets the chunks of a streamed answer as they come."""
        self._heard, self._told = heard, told
        self._transport.write(request)

    def close(self) -> None:
        self._heard = None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        if self._streaming:
            self._chunks(data)
            return
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._buffer = data
            return
        at = data.find(b"content-length: ", 0, end)
        if at < 0:
            self._streaming = True
            self._chunks(data[end + 4 :])
            return
        length = int(data[at + 16 : data.find(b"\r", at)])
        if len(data) - end - 4 < length:
            self._buffer = data
            return
        self._finish(int(data[9:12]), data[end + 4 :])

    def _chunks(self, data: bytes) -> None:
        at = 0
        while True:
            line = data.find(b"\r\n", at)
            if line < 0:
                break
            size = int(data[at:line], 16)
            if len(data) < line + 4 + size:
                break
            at = line + 4 + size
            if size == 0:
                self._streaming = False
                self._finish(200, b"")
                return
            if self._told is not None:
                self._told(data[line + 2 : line + 2 + size])
        self._buffer = data[at:]

    def _finish(self, status: int, body: bytes) -> None:
        heard, self._heard = self._heard, None
        if heard is not None:
            heard(status, body)


class Pool:
    """Connections to one server; requests beyond their number wait in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.wires: list[Wire] = []
        self._idle: list[Wire] = []
        self._waiting: deque[tuple[bytes, Heard, Told | None]] = deque()
        self.queued = 0  # requests that had to wait for a connection

    async def open(self, count: int) -> "Pool":
        address = urlsplit(self.url)
        assert address.hostname
        assert address.port
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, wire = await loop.create_connection(Wire, address.hostname, address.port)
            self.wires.append(wire)
        self._idle = list(self.wires)
        return self

    def close(self) -> None:
        for wire in self.wires:
            wire.close()

    def ask(self, request: bytes, heard: Heard, told: Told | None = None) -> None:
        """Send on a free connection, now or as soon as there is one. A server closes those that are idle for long."""
        while self._idle:
            wire = self._idle.pop()
            if not wire.lost:
                self._send(wire, request, heard, told)
                return
        self.queued += 1
        self._waiting.append((request, heard, told))

    def _send(self, wire: Wire, request: bytes, heard: Heard, told: Told | None) -> None:
        def done(status: int, body: bytes) -> None:
            if status and self._waiting:
                self._send(wire, *self._waiting.popleft())
            elif status:
                self._idle.append(wire)
            heard(status, body)

        wire.ask(request, done, told)

    async def call(self, request: bytes) -> Any:
        """The JSON response to one request; RuntimeError for any status but 200."""
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self.ask(request, lambda status, body: answer.set_result((status, body)))
        status, body = await answer
        if status != 200:
            raise RuntimeError(f"the server answered {status}: {body[:500]!r}")
        return json.loads(body)
