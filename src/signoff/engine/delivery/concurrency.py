"""Who sends at the same time. Each target has a few places; what finds none in time gives up its turn. So a target that
hangs delays what goes to itself, and nothing else.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_AT_ONCE: Final = 8  # sends to one target
_IN_LINE: Final = 64  # sending or waiting to
_PATIENCE: Final = 10.0  # with the longest send (45 s) less than a row is held for


class NoPlaceError(Exception):
    """It waited, and its turn did not come."""


class _Target:
    def __init__(self) -> None:
        self.free = asyncio.Semaphore(_AT_ONCE)
        self.in_line = 0


class Places:
    """Targets are known as long as something goes to them."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._targets: dict[str, _Target] = {}

    def join(self, target: str) -> bool:
        """Stand in line; False where the line is too long. Who joined leaves, whatever comes of it."""
        known = self._targets.setdefault(target, _Target())
        if known.in_line >= _IN_LINE:
            return False
        known.in_line += 1
        return True

    def leave(self, target: str) -> None:
        known = self._targets[target]
        known.in_line -= 1
        if not known.in_line:
            del self._targets[target]

    @asynccontextmanager
    async def turn(self, target: str) -> AsyncIterator[None]:
        """A place while the block runs, for who has joined; NoPlaceError when there is none in time."""
        free = self._targets[target].free
        try:
            async with asyncio.timeout(self._patience):
                await free.acquire()
        except TimeoutError:
            raise NoPlaceError from None
        try:
            yield
        finally:
            free.release()
