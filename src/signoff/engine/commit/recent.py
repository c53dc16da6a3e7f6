"""A cache of this process's last commits: intents with their payloads and facts, so that the next request about one
need not query the database. Another replica may have committed a newer state, so a command that was prepared from the
cache is checked again on the locked row.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Final

import msgspec

from signoff.core.intent.advance import Change
from signoff.core.intent.events import Fact
from signoff.core.intent.model import Intent
from signoff.store.transaction import Stored

LIMIT: Final = 512
TRUSTED: Final = 20.0  # seconds for which an intent is trusted to be complete if other servers write too
LARGEST: Final = 32 * 1024  # bytes of a payload and all facts, which contain the agents' results


class _Kept(msgspec.Struct, gc=False):
    """``size``: bytes of the facts."""

    stored: Stored
    facts: list[Fact]
    size: int = 0
    at: float = 0.0


class RecentCommits:
    """alone: no other process writes to this database, so the cache is always current. receives_commits: whether
    announcements from other servers currently arrive.
    """

    def __init__(
        self,
        *,
        alone: bool,
        receives_commits: Callable[[], bool] = lambda: False,
        time: Callable[[], float] = monotonic,
    ) -> None:
        self._alone = alone
        self._receives_commits = receives_commits
        self._time = time
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def note(self, changes: Iterable[Change], payloads: Mapping[str, bytes]) -> None:
        """Add committed changes, in order; ``payloads``: the new payloads by intent."""
        now = self._time()
        for change in changes:
            after = change.after
            kept = self._kept.get(after.id)
            if change.before is None:
                kept = _Kept(Stored(after, payloads[after.id]), [])
            elif kept is None or kept.stored.intent.seq != change.before.seq:
                self._kept.pop(after.id, None)
                continue
            payload = payloads.get(after.id, kept.stored.payload)
            size = kept.size
            for sealed in change.facts:
                size += len(sealed.body)
                kept.facts.append(sealed.fact)
            kept.size = size
            if len(payload) + size > LARGEST:
                self._kept.pop(after.id, None)
                continue
            kept.stored = Stored(after, payload)
            kept.at = now
            self._kept[after.id] = kept
            self._kept.move_to_end(after.id)
        while len(self._kept) > LIMIT:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Clear the cache: retention may have deleted some of it."""
        self._kept.clear()

    def get(self, intent_id: str) -> Stored | None:
        """The intent as this process last saved it; None if it is not in the cache."""
        kept = self._kept.get(intent_id)
        return kept.stored if kept else None

    def forget(self, topics: Iterable[str]) -> None:
        """Drop the intents that another server has announced as changed; the topic "" means that anything may have
        changed.
        """
        for topic in topics:
            if topic == "":
                self.clear()
            else:
                self._kept.pop(topic, None)

    def life(self, intent_id: str) -> tuple[Intent, list[Fact]] | None:
        """The intent and all its facts; None if they are not in the cache, or may be incomplete. If other servers
        share the database, use it only for followers of the intent, who are notified of what is missing, never for a
        decision.
        """
        kept = self._trusted(intent_id)
        return (kept.stored.intent, list(kept.facts)) if kept else None

    def current(self, intent_id: str) -> Intent | None:
        """The intent in its current state, as far as other servers' announcements have arrived; None if it is not in
        the cache.
        """
        kept = self._trusted(intent_id)
        return kept.stored.intent if kept else None

    def _trusted(self, intent_id: str) -> _Kept | None:
        kept = self._kept.get(intent_id)
        if kept is None or not (
            self._alone or (self._receives_commits() and self._time() - kept.at < TRUSTED)
        ):
            return None
        return kept
