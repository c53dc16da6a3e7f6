"""A limit on concurrent sends to each target (a bulkhead): a target that hangs delays only its own messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_SLOTS: Final = 8  # concurrent sends to one target
_QUEUE: Final = 64  # sending, or waiting for a slot
_MAX_WAIT: Final = 10.0  # together with the longest send (45 s), shorter than the hold on a row


class SaturatedError(Exception):
    """No slot became free in time."""


class _Slots:
    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(_SLOTS)
        self.entered = 0


class ConcurrencyLimiter:
    """Remembers a target only while something is being sent to it."""

    def __init__(self, max_wait: float = _MAX_WAIT) -> None:
        self._max_wait = max_wait
        self._targets: dict[str, _Slots] = {}

    def enter(self, target: str) -> bool:
        """Queue for a slot; False if the queue is full. Each True is followed by one ``exit``."""
        known = self._targets.setdefault(target, _Slots())
        if known.entered >= _QUEUE:
            return False
        known.entered += 1
        return True

    def exit(self, target: str) -> None:
        known = self._targets[target]
        known.entered -= 1
        if not known.entered:
            del self._targets[target]

    @asynccontextmanager
    async def slot(self, target: str) -> AsyncIterator[None]:
        """Hold a slot while the block runs, after ``enter``; SaturatedError if none is free in time."""
        slots = self._targets[target].slots
        try:
            async with asyncio.timeout(self._max_wait):
                await slots.acquire()
        except TimeoutError:
            raise SaturatedError from None
        try:
            yield
        finally:
            slots.release()
