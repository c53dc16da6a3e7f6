"""A TCP proxy in front of PostgreSQL that a test can cut and restore, even in the middle of a commit."""

import asyncio
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit, urlunsplit

from tests.live import free_port


class Wire:
    """A TCP proxy on loopback in front of the server at ``url``."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._port = free_port()
        self._pipes: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self.cut_at: bytes | None = None
        self.flowing = asyncio.Event()  # cleared: nothing passes, as where the server stands still
        self.flowing.set()
        self.hold_at: bytes | None = None  # nothing passes any more once this is said
        self.held = asyncio.Event()

    @property
    def url(self) -> str:
        """The URL of the database through this proxy."""
        user = self._parts.netloc.rpartition("@")[0] or "postgres"
        return urlunsplit(
            self._parts._replace(netloc=f"{user}@127.0.0.1:{self._port}", query="sslmode=disable")
        )

    async def mend(self) -> None:
        """Accept connections on the same port as before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    async def cut(self) -> None:
        """Close all connections and accept no new ones."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in list(self._open):
            writer.transport.abort()
        if self._pipes:
            await asyncio.wait(self._pipes)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        folder = parse_qs(self._parts.query).get("host")
        if folder:
            there = await asyncio.open_unix_connection(f"{folder[0]}/.s.PGSQL.5432")
        else:
            there = await asyncio.open_connection(self._parts.hostname, self._parts.port or 5432)
        self._open |= {writer, there[1]}
        for pipe in (self._pump(reader, there[1], outward=True), self._pump(there[0], writer, outward=False)):
            task = asyncio.create_task(pipe)
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, outward: bool
    ) -> None:
        deaf = False
        with suppress(OSError):
            while data := await reader.read(65536):
                if outward and self.hold_at and self.hold_at in data:
                    self.flowing.clear()
                    self.held.set()
                await self.flowing.wait()
                deaf = deaf or bool(outward and self.cut_at and self.cut_at in data)
                writer.write(data)
                if deaf:
                    # The server gets to hear it and acts; its answer never comes back.
                    for other in list(self._open):
                        if other is not writer:
                            other.transport.abort()
                    await writer.drain()
        writer.close()
        self._open.discard(writer)
