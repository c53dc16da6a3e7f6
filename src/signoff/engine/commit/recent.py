"""A cache of this process's last commits: intents with their payloads and facts, so that the next request about one
need not query the database. Another replica may have a newer state: a command that is prepared from here is judged
again on the locked row.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from signoff.core.intent.advance import Change
from signoff.core.intent.events import Fact
from signoff.core.intent.model import Intent
from signoff.store.work import Stored

LIMIT: Final = 512
LARGEST: Final = 32 * 1024  # bytes of a payload with all its facts: agents' results stand in those


class _Kept(msgspec.Struct):
    """``size``: bytes of the facts."""

    stored: Stored
    facts: list[Fact]
    size: int = 0


class RecentCommits:
    """alone: no other process writes to this database, so the cache is always current."""

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def note(self, changes: Iterable[Change], payloads: Mapping[str, bytes]) -> None:
        """Add what was committed, in order; ``payloads``: of the intents that have a new one."""
        for change in changes:
            after = change.after
            kept = self._kept.get(after.id)
            if change.before is None:
                kept = _Kept(Stored(after, payloads[after.id]), [])
            elif kept is None or kept.stored.intent.seq != change.before.seq:
                self._kept.pop(after.id, None)
                continue
            payload = payloads.get(after.id, kept.stored.payload)
            kept.size += sum(len(sealed.body) for sealed in change.facts)
            if len(payload) + kept.size > LARGEST:
                self._kept.pop(after.id, None)
                continue
            kept.stored = Stored(after, payload)
            kept.facts.extend(sealed.fact for sealed in change.facts)
            self._kept[after.id] = kept
            self._kept.move_to_end(after.id)
        while len(self._kept) > LIMIT:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Clear the cache: some of it may have been deleted by retention."""
        self._kept.clear()

    def get(self, intent_id: str) -> Stored | None:
        """The intent as this process last saved it; None if it is not among the last ones."""
        kept = self._kept.get(intent_id)
        return kept.stored if kept else None

    def life(self, intent_id: str) -> tuple[Intent, list[Fact]] | None:
        """The intent and all its facts; None if they are not cached, or possibly not complete."""
        kept = self._kept.get(intent_id)
        return (kept.stored.intent, list(kept.facts)) if kept and self._alone else None
