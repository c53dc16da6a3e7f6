"""Retention: deletes old responses stored for Idempotency-Keys, final intents or their payloads past their retention,
and plans that nothing refers to.

What is deleted because of a wrong clock is lost, so the clock is trusted only after it has run steadily for a while:
ten minutes after a start or a jump, a day after a jump of more than a day. If the clock turns out to have jumped back,
timers that were set by the wrong time are moved back too.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from signoff.core.text.durations import format_duration
from signoff.engine.clock import Clock
from signoff.engine.commit.recent import RecentCommits
from signoff.store.store import Store
from signoff.store.tables.retention import RetentionRun

log = logging.getLogger("signoff.retention")

_AT_ONCE: Final = 1000
_SLICE: Final = 50  # rows per transaction, because other writers wait for it
_PAUSE: Final = 60.0
_NOTED: Final = timedelta(minutes=5)
_TOLERANCE: Final = timedelta(minutes=1)  # of two clocks that both run correctly
_FAR: Final = timedelta(days=1)
_SHORT, _LONG = timedelta(minutes=10), timedelta(days=1)
_NONE: Final = timedelta(0)


class RetentionLoop:
    """retention: how long final intents are kept, None for no limit; payloads: how long their payloads are kept, if
    shorter.
    """

    def __init__(
        self,
        store: Store,
        recent: RecentCommits,
        clock: Clock,
        retention: timedelta | None,
        payloads: timedelta | None = None,
    ) -> None:
        self._store = store
        self._recent = recent
        self._clock = clock
        self._retention = retention
        self._payloads = payloads
        self._payloads_since: datetime | None = None
        self._last: tuple[datetime, float] | None = None
        self._noted: datetime | None = None

    async def once(self) -> float:
        """One bounded run; returns the seconds until the next."""
        now = await self._store.now()
        owed = await self._owed(now)
        if owed > _NONE:
            await self._note(now, owed)
            return _PAUSE
        store = self._store
        gone = await _in_slices(store.forget_replies)
        gone = max(gone, await _in_slices(lambda limit: store.sessions.forget(now, limit)))
        intents = payloads = 0
        if self._retention is not None:
            before = now - self._retention
            intents = await _in_slices(lambda limit: store.intents.forget(before, limit))
        if self._payloads is not None:
            payloads, self._payloads_since = await self._forget_payloads(now - self._payloads)
        if intents or payloads:
            self._recent.clear()
            log.info("retention: deleted %d final intents and the payloads of %d", intents, payloads)
        await self._note(now, _NONE, intents, payloads)
        gone = max(gone, intents, await _in_slices(store.intents.forget_plans))
        return 0.1 if gone >= _AT_ONCE or self._payloads_since else _PAUSE

    async def _forget_payloads(self, before: datetime) -> tuple[int, datetime | None]:
        count, came = await self._store.intents.forget_payloads(
            self._payloads_since, before, _AT_ONCE, _SLICE
        )
        return count, came

    # -- how far the clock can be trusted

    async def _owed(self, now: datetime) -> timedelta:
        """How long the clock has to run steadily before anything is deleted."""
        steady = self._clock.steady()
        kept = await self._store.retention.get()
        before = kept.at if kept else await self._store.retention.newest() or now
        if before - now > _TOLERANCE:
            log.warning(
                "The clock jumped back by %s: timers were moved accordingly.",
                format_duration(before - now),
            )
            await self._store.retention.set_back(now, before - now)
        ran = timedelta(seconds=steady - self._last[1]) if self._last else _NONE
        jump = abs(now - self._last[0] - ran) if self._last else abs(now - before)
        self._last = now, steady
        owed = kept.owed if kept else _SHORT
        if jump > _FAR:
            log.warning(
                "The clock is off by %s: nothing is deleted until it has run steadily for %s.",
                format_duration(jump),
                format_duration(_LONG),
            )
            return max(owed, _LONG)
        if jump > _TOLERANCE:
            return max(owed, _SHORT)
        return max(_NONE, owed - min(max(now - before, _NONE), ran)) if kept else owed

    async def _note(self, now: datetime, owed: timedelta, intents: int = 0, payloads: int = 0) -> None:
        at = now if intents or payloads else None
        if owed or at or self._noted is None or abs(now - self._noted) >= _NOTED:
            await self._store.retention.note(RetentionRun(now, owed, intents, payloads, at))
            self._noted = now


async def _in_slices(forget: Callable[[int], Awaitable[int]]) -> int:
    """Delete up to ``_AT_ONCE`` rows in small transactions; returns how many."""
    total = 0
    while total < _AT_ONCE:
        gone = await forget(_SLICE)
        total += gone
        if gone < _SLICE:
            break
    return total
