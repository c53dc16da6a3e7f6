"""A JSON service on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.listening import listening


@asynccontextmanager
async def json_server(answer: Any) -> AsyncIterator[str]:
    """Serve HTTP on loopback: ``answer(method, path, headers, body)`` returns status, JSON and optionally headers.
    Yields the address.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path = first.split()[:2]
                status, said, *more = await answer(method, path, headers, body)
                out = json.dumps(said).encode()
                extra = "".join(f"{name}: {value}\r\n" for name, value in (more[0] if more else {}).items())
                writer.write(
                    f"HTTP/1.1 {status} Said\r\n{extra}content-length: {len(out)}\r\n\r\n".encode() + out
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async with listening(serve) as url:
        yield url
