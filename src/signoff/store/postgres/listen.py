"""Notifications between servers on one PostgreSQL. They are only hints; the tables are authoritative.

They are sent outside write transactions, because a notification in one would serialize all commits, and on separate
connections.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg

from signoff.core.errors import Busy
from signoff.core.plan.schedules import CONNECTION
from signoff.store.postgres.connections import Address, close, translated

CHANNEL: Final = "signoff"
NOTIFY: Final = "select pg_notify($1, payload) from unnest($2::text[]) as payload"
LONGEST: Final = 7900  # bytes of one notification; PostgreSQL allows 7999
_CHECK_EVERY: Final = 20.0  # seconds between checks of the listening connection
_TIMEOUT: Final = 5.0

Notified = Callable[[list[str]], None]


class Listener:
    """One connection to announce on, one to listen on. ``listening``: whether the second one is open."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._announcer: Any = None
        self._announcer_pid = 0
        self._turn = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None
        self.listening = False

    async def announce(self, topics: Sequence[str]) -> None:
        """Notify the other servers; raises Busy on failure."""
        async with self._turn:
            if self._announcer is None or self._announcer.is_closed():
                self._announcer = await self._speaking()
                self._announcer_pid = self._announcer.get_server_pid()
            with translated():
                await self._announcer.execute(NOTIFY, CHANNEL, list(payloads(topics)))

    async def _speaking(self) -> Any:
        announcer = await self._address.connect()
        with translated():
            # These are only hints: losing one in a crash is harmless.
            await announcer.execute("set synchronous_commit = off")
        return announcer

    async def listen(self, notified: Notified) -> None:
        """Start listening; reconnects whenever the connection is lost, until ``close``."""
        connection = await self._connect(notified)
        self._listening = asyncio.create_task(self._keep(connection, notified), name="signoff-listen")

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
            self._listening = None
        if self._announcer is not None:
            await close(self._announcer)
            self._announcer = None

    async def _connect(self, notified: Notified) -> Any:
        connection = await self._address.connect()

        def received(_: Any, pid: int, __: str, payload: str) -> None:
            if pid != self._announcer_pid:  # this server's own topics were published here already
                notified(payload.split("\n"))

        try:
            with translated():
                await connection.add_listener(CHANNEL, received)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _keep(self, connection: Any, notified: Notified) -> None:
        try:
            while True:
                self.listening = True
                await _until_lost(connection)
                self.listening = False
                connection.terminate()
                connection = await self._again(notified)
                notified([""])
        finally:
            self.listening = False
            connection.terminate()

    async def _again(self, notified: Notified) -> Any:
        tries = 0
        while True:
            try:
                return await self._connect(notified)
            except Busy:
                tries += 1
                await asyncio.sleep(CONNECTION.after(tries).total_seconds())


async def _until_lost(connection: Any) -> None:
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    while not connection.is_closed() and not lost.is_set():
        try:
            async with asyncio.timeout(_CHECK_EVERY):
                await lost.wait()
        except TimeoutError:
            # A half-open connection would stay silent forever, so send a query.
            try:
                await connection.fetchval("select 1", timeout=_TIMEOUT)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return


def payloads(topics: Sequence[str]) -> Iterator[str]:
    """Join topics with newlines into as few notifications as possible; "" replaces a topic that is too long."""
    parts = [topic if len(topic.encode()) <= LONGEST else "" for topic in dict.fromkeys(topics)]
    start, size = 0, 0
    for end, topic in enumerate(parts):
        grows = len(topic.encode()) + 1
        if size + grows > LONGEST and end > start:
            yield "\n".join(parts[start:end])
            start, size = end, 0
        size += grows
    if parts:
        yield "\n".join(parts[start:])
