"""Ticks intents that are due. One indexed column serves reminders, escalations, deadlines, leases, retries and delays.

Every replica may run this loop: rows are selected with ``skip locked``, and a tick that finds nothing due does nothing.
"""

import logging
from datetime import timedelta
from typing import Final

from signoff.engine.commit.engine import Engine
from signoff.engine.commit.jobs import DAMAGED
from signoff.engine.metrics import WAKE_LAG, Metrics
from signoff.store.rows import UNREADABLE
from signoff.store.store import Store

log = logging.getLogger("signoff.timekeeper")

# A limit per turn of the event loop, because many reminders may be due at the same time.
_LIMIT: Final = 50
_LONGEST: Final = timedelta(seconds=0.5)


class Timekeeper:
    def __init__(self, engine: Engine, store: Store, metrics: Metrics) -> None:
        self._engine = engine
        self._store = store
        self._metrics = metrics

    async def once(self) -> float:
        """Tick what is due now; returns the seconds until the next check (at most half a second)."""
        wake_at = await self._store.intents.next_wake()
        if wake_at is None:
            return _LONGEST.total_seconds()
        # The database's clock decides; this machine's clock may be minutes behind.
        now = await self._store.now()
        if wake_at > now:
            return min(_LONGEST, wake_at - now).total_seconds()
        self._metrics.observe(WAKE_LAG, (now - wake_at).total_seconds())
        try:
            ticked = await self._engine.tick(_LIMIT)
        except UNREADABLE:
            # One damaged row must not stop the timers of all others.
            for intent_id in await self._store.intents.set_aside(DAMAGED, _LIMIT):
                log.error("intent %s cannot be read; run signoff doctor", intent_id)
            return 0.0
        return 0.0 if ticked == _LIMIT else 0.01
