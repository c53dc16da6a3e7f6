"""An event like ``asyncio.Event``, which allocates a deque of 760 bytes even if nobody ever waits."""

import asyncio


class LeanEvent:
    """The methods of ``asyncio.Event``; usable in place of it."""

    __slots__ = ("_set", "_waiting")

    def __init__(self) -> None:
        self._set = False
        self._waiting: tuple[asyncio.Future[None], ...] = ()

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        self._set = False

    async def wait(self) -> bool:
        """Return once the event is set."""
        if not self._set:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting += (waiter,)
            try:
                await waiter
            finally:
                self._waiting = tuple(other for other in self._waiting if other is not waiter)
        return True
