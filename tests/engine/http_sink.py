"""An HTTP server on loopback that records what is posted and responds as the test says: normally, badly or never."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.listening import listening

HANG, DRIP, FLOOD = -1, -2, -3  # never answer; a byte now and then, forever; a body without end


@dataclass(frozen=True)
class Posted:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpSink:
    """``answers``: the statuses of the next responses, of which the last repeats; ``headers``: their headers."""

    answers: list[int] = field(default_factory=lambda: [200])
    headers: str = ""
    got: list[Posted] = field(default_factory=list)
    url: str = ""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.got.append(Posted(first.split()[1], headers, body))
                self.arrived.set()
                await self._answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == HANG:
            await asyncio.Event().wait()
        if status == DRIP:
            writer.write(b"HTTP/1.1 200 OK\r\nx-drip: ")
            while True:
                writer.write(b"1")
                await writer.drain()
                await asyncio.sleep(0.02)  # the slowness that is under test
        if status == FLOOD:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        location = "location: /elsewhere\r\n" if 300 <= status < 400 else ""
        writer.write(f"HTTP/1.1 {status} Said\r\n{location}{self.headers}content-length: 0\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def http_sink(*answers: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpSink]:
    """A running sink."""
    it = HttpSink(list(answers) or [200])
    async with listening(it.serve, tls) as it.url:
        yield it
