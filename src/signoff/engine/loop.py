"""Run a step again and again until stopped: pauses, back-off after errors, and the last beat for /ready."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from signoff.core.errors import Busy

log = logging.getLogger("signoff.loop")

_LONGEST_PAUSE = 5.0


class Loop:
    """``once`` returns how many seconds to pause before the next turn (0: at once).

    rest: seconds of a pause that no nudge ends, so that many nudges close together are one turn.
    """

    def __init__(self, name: str, once: Callable[[], Awaitable[float]], rest: float = 0.0) -> None:
        self.name = name
        self._once = once
        self._rest = rest
        self._nudge = asyncio.Event()
        self.beat_at = time.monotonic()
        self.failures = 0

    def nudge(self) -> None:
        """End the present pause."""
        self._nudge.set()

    @property
    def healthy(self) -> bool:
        return self.failures < 3

    async def run(self) -> None:
        while True:
            try:
                pause = await self._once()
                self.failures = 0
            except Busy as busy:
                self.failures += 1
                pause = min(_LONGEST_PAUSE, 0.1 * 2**self.failures)
                log.warning("%s: %s", self.name, busy.message)
            except Exception:
                self.failures += 1
                pause = min(_LONGEST_PAUSE, 0.1 * 2**self.failures)
                log.exception("%s failed", self.name)
            self.beat_at = time.monotonic()
            if pause > 0:
                await asyncio.sleep(self._rest)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._nudge.wait(), pause)
            self._nudge.clear()
