"""Forget what the policy says: old answers to Idempotency-Keys, final intents past their retention, and the plans
that nothing names any more: they hold what people were asked.
"""

from datetime import timedelta
from typing import Final

from signoff.engine.clock import Clock
from signoff.engine.recent import Recent
from signoff.store.store import Store

_AT_ONCE: Final = 1000
_PAUSE: Final = 60.0


class Sweeper:
    def __init__(self, store: Store, recent: Recent, clock: Clock, retention: timedelta | None) -> None:
        self._store = store
        self._recent = recent
        self._clock = clock
        self._retention = retention

    async def once(self) -> float:
        """One bounded sweep; seconds until the next."""
        gone = await self._store.forget_replies(_AT_ONCE)
        gone = max(gone, await self._store.sessions.forget(self._clock.now(), _AT_ONCE))
        if self._retention is not None:
            forgotten = await self._store.intents.forget(self._clock.now() - self._retention, _AT_ONCE)
            if forgotten:
                self._recent.clear()
            gone = max(gone, forgotten)
        gone = max(gone, await self._store.intents.forget_plans(_AT_ONCE))
        return 0.1 if gone >= _AT_ONCE else _PAUSE
