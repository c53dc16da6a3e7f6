"""Large request bodies are handled a few in each pass of the event loop, so that all other requests are served in
between. Without this, sixty of them that arrive together keep everybody waiting for a tenth of a second.
"""

import asyncio
from collections import deque
from typing import Final

_SMALL: Final = 4096  # bytes; smaller bodies do not wait, because a batch of their commits is worth more
_A_PASS: Final = 16_384  # bytes in one pass of the loop; one larger body may exceed it


class BodyTurns:
    """``take`` waits until a body of that size may be handled; bodies are handled in the order of their arrival."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._left = _A_PASS
        self._scheduled = False

    async def take(self, size: int) -> None:
        if size < _SMALL:
            return
        if self._waiting or self._left <= 0:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((turn, size))
            await turn
            return
        self._left -= size
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_pass)

    def _next_pass(self) -> None:
        self._scheduled = False
        self._left = _A_PASS
        while self._waiting and self._left > 0:
            turn, size = self._waiting.popleft()
            if not turn.done():  # its request may have been canceled meanwhile
                turn.set_result(None)
                self._left -= size
        if self._left < _A_PASS:
            self._schedule()
