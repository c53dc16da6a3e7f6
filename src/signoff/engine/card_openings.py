"""Records who opened which task, when and through which channel, and how much of it people had seen when they
answered.

Opening is recorded at most once every ten minutes for each person, task and channel, so that reading does not cause a
write each time, and nobody can make a history grow by reading. Mail scanners open links in messages too, so opening a
link is recorded only with the answer that is given on its page. No rule depends on these records: rules use only what
a person was shown (``store.tables.showings``), whether or not they opened it.
"""

import logging
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.authorization import Action, permits
from signoff.core.errors import Busy
from signoff.core.intent.events import Viewed
from signoff.engine.clock import Clock
from signoff.store.store import Store
from signoff.store.transaction import CardOpening

log = logging.getLogger("signoff.engine")

APART: Final = timedelta(minutes=10)
_REMEMBERED: Final = 10_000
_Key = tuple[str, int, str, str, bool]


def may_see_openings(reader: Actor, person: str) -> bool:
    """Whether the reader may see when this person opened a task: the person may, and everyone who may read the change
    log.
    """
    return reader.kind is ActorKind.PERSON and (reader.id == person or permits(reader, Action.READ_CHANGES))


class CardOpenings:
    """Records who opened a task, and when. ``remembers``: how many of the most recent openings are kept in memory."""

    def __init__(self, store: Store, clock: Clock, remembers: int = _REMEMBERED) -> None:
        self._store = store
        self._clock = clock
        self._remembers = remembers
        self._recent: OrderedDict[_Key, tuple[datetime, datetime]] = (
            OrderedDict()
        )  # the first and the last recorded time

    async def opened(self, actor: Actor, intent_id: str, step_run: int, *, unfolded: bool = False) -> None:
        """Record that a person has opened an open task. A write error is only logged."""
        if actor.kind is not ActorKind.PERSON:
            return
        key, now = (intent_id, step_run, actor.id, actor.via, unfolded), self._clock.now()
        first, last = self._recent.get(key, (now, None))
        if last is not None and now - last < APART:
            return
        try:
            await self._store.views.add(intent_id, step_run, actor.id, actor.via, now, unfolded)
        except Busy as busy:
            log.warning("could not record that %s opened a task: %s", actor.id, busy)
            return
        self._recent[key] = first, now
        self._recent.move_to_end(key)
        while len(self._recent) > self._remembers:
            self._recent.popitem(last=False)

    def remembered(self, actor: Actor, intent_id: str, step_run: int) -> Viewed | None:
        """How a person saw the task through this channel, as far as this process has that in memory; makes no query."""
        if actor.kind is not ActorKind.PERSON:
            return None
        known = self._recent.get((intent_id, step_run, actor.id, actor.via, False))
        return Viewed(*known, (actor.via,)) if known else None

    async def seen(self, actor: Actor, intent_id: str, step_run: int, folded: str) -> Viewed:
        """How a person saw the task until now, through all channels. ``folded``: what their page had collapsed."""
        found = await self._store.views.of_person(intent_id, step_run, actor.id)
        channels = tuple(dict.fromkeys((*(one.channel for one in found), actor.via)))
        if not found:
            return Viewed(None, None, channels, folded)
        return Viewed(min(o.first_at for o in found), max(o.last_at for o in found), channels, folded)

    async def of(self, intent_id: str) -> list[CardOpening]:
        """Who opened the tasks of an intent."""
        return await self._store.views.of(intent_id)
