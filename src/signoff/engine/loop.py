"""Runs a step repeatedly until stopped, with pauses, back-off after errors, and its health for /ready."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from signoff.core.errors import Busy
from signoff.core.plan.schedules import LOOP

log = logging.getLogger("signoff.loop")

_TRIES = 3
_LONGEST_TURN = (
    300.0  # longer than any iteration can take, because every send and every statement has a timeout
)


class Loop:
    """``once`` returns how many seconds to pause before the next iteration; 0 means no pause.

    rest: the minimum pause in seconds, which a nudge cannot shorten, so that many nudges in a short time cause one
    iteration (debouncing). clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        once: Callable[[], Awaitable[float]],
        rest: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._once = once
        self._rest = rest
        self._nudge = asyncio.Event()
        self._clock = clock
        self._began: float | None = None  # when the current iteration began
        self.failures = 0
        self._outage = False

    def nudge(self) -> None:
        """End the current pause."""
        self._nudge.set()

    @property
    def state(self) -> str:
        """``ok``; ``failing`` after several failed iterations; ``stuck`` if one does not end."""
        if self._began is not None and self._clock() - self._began > _LONGEST_TURN:
            return "stuck"
        return "ok" if self.failures < _TRIES else "failing"

    async def run(self) -> None:
        while True:
            self._began = self._clock()
            try:
                pause = await self._once()
                if self._outage:
                    log.warning("%s: working again after %d failed iterations", self.name, self.failures)
                self.failures, self._outage = 0, False
            except Busy as busy:
                self.failures += 1
                pause = LOOP.after(self.failures).total_seconds()
                # An outage causes only two log lines, no matter how long it lasts.
                log.log(logging.DEBUG if self._outage else logging.WARNING, "%s: %s", self.name, busy.message)
                self._outage = True
            except Exception:
                self.failures += 1
                pause = LOOP.after(self.failures).total_seconds()
                log.exception("%s failed", self.name)
            self._began = None
            if pause > 0:
                await asyncio.sleep(self._rest)
                # Not ``wait_for``: up to Python 3.11 it loses a cancellation that arrives in the same turn as a nudge.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._nudge.wait()
            self._nudge.clear()
