"""Wake-ups between servers on one PostgreSQL: hints only, the tables are the truth.

Never inside a write transaction (a notification there serialises all commits), and on connections of its own.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg

from signoff.core.errors import Busy
from signoff.store.postgres.connections import Address, close, translated

CHANNEL: Final = "signoff"
NOTIFY: Final = "select pg_notify($1, payload) from unnest($2::text[]) as payload"
LONGEST: Final = 7900  # bytes of one notification; PostgreSQL allows 7999
_SILENCE: Final = 20.0  # seconds after which the listening connection is tried
_PAUSES: Final = (0.1, 0.5, 1.0, 2.0, 5.0)

Heard = Callable[[list[str]], None]


class Hearing:
    """One connection to announce on, one to listen on."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._mouth: Any = None
        self._mouth_pid = 0
        self._turn = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None

    async def announce(self, words: Sequence[str]) -> None:
        """Tell the other servers; raises Busy when it could not be told."""
        async with self._turn:
            if self._mouth is None or self._mouth.is_closed():
                self._mouth = await self._speaking()
                self._mouth_pid = self._mouth.get_server_pid()
            with translated():
                await self._mouth.execute(NOTIFY, CHANNEL, list(payloads(words)))

    async def _speaking(self) -> Any:
        mouth = await self._address.connect()
        with translated():
            await mouth.execute(
                "set synchronous_commit = off"
            )  # a hint that a crash takes away was only a hint
        return mouth

    async def listen(self, heard: Heard) -> None:
        """Start listening; keeps at it, through every loss of the connection, until ``close``."""
        ear = await self._connect(heard)
        self._listening = asyncio.create_task(self._keep(ear, heard), name="signoff-listen")

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
            self._listening = None
        if self._mouth is not None:
            await close(self._mouth)
            self._mouth = None

    async def _connect(self, heard: Heard) -> Any:
        ear = await self._address.connect()

        def told(_: Any, pid: int, __: str, payload: str) -> None:
            if pid != self._mouth_pid:  # our own words were acted on when they were written
                heard(payload.split("\n"))

        try:
            with translated():
                await ear.add_listener(CHANNEL, told)
        except BaseException:
            ear.terminate()
            raise
        return ear

    async def _keep(self, ear: Any, heard: Heard) -> None:
        try:
            while True:
                await _until_lost(ear)
                ear.terminate()
                ear = await self._again(heard)
                heard([""])
        finally:
            ear.terminate()

    async def _again(self, heard: Heard) -> Any:
        tries = 0
        while True:
            try:
                return await self._connect(heard)
            except Busy:
                await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
                tries += 1


async def _until_lost(ear: Any) -> None:
    lost = asyncio.Event()
    ear.add_termination_listener(lambda _: lost.set())
    while not ear.is_closed() and not lost.is_set():
        try:
            async with asyncio.timeout(_SILENCE):
                await lost.wait()
        except TimeoutError:
            # A half-open connection says nothing for ever: ask.
            try:
                await ear.fetchval("select 1", timeout=_PAUSES[-1])
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return


def payloads(words: Sequence[str]) -> Iterator[str]:
    """Words joined by line ends, in as few notifications as hold them; "" stands for one too long to say."""
    said = [word if len(word.encode()) <= LONGEST else "" for word in dict.fromkeys(words)]
    start, size = 0, 0
    for end, word in enumerate(said):
        grows = len(word.encode()) + 1
        if size + grows > LONGEST and end > start:
            yield "\n".join(said[start:end])
            start, size = end, 0
        size += grows
    if said:
        yield "\n".join(said[start:])
