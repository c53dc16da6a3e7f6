"""Decides which worker process of a server writes to its SQLite file next.

SQLite's own lock would be enough, but a connection that finds it taken sleeps, retries up to 100 ms later, and
blocks a thread. So the workers pass a token: one byte in a pipe that they inherited from their supervisor. If a token
is lost with its worker, or exists twice for a while, SQLite's lock still protects the file.
"""

import asyncio
import os
from contextlib import suppress
from typing import Final

PATIENCE: Final = 1.0  # seconds after which the token is considered lost


class Turns:
    """Created by the supervisor with one token, and used by every worker that is forked from it."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)
        self.give()

    async def take(self, patience: float = PATIENCE) -> None:
        """Wait for the token, or until it is considered lost. The caller has to return it in either case."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + patience
        while not self._taken() and loop.time() < give_up:
            free = loop.create_future()
            loop.add_reader(self._out, _settle, free)
            timer = loop.call_at(give_up, _settle, free)
            try:
                await free
            finally:
                timer.cancel()
                loop.remove_reader(self._out)

    def give(self) -> None:
        """Pass the token on. May be called from any thread."""
        with suppress(BlockingIOError):  # the pipe is full of tokens already
            os.write(self._in, b".")

    def close(self) -> None:
        os.close(self._out)
        os.close(self._in)

    def _taken(self) -> bool:
        try:
            os.read(self._out, 64)  # read all tokens; there should be one
        except BlockingIOError:
            return False
        return True


def _settle(free: "asyncio.Future[None]") -> None:
    if not free.done():
        free.set_result(None)
