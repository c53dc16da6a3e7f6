"""Limits the length of an intent's history. Everyone who opens the intent reads all of it, so the number of events that
decide nothing is limited; answers, results, withdrawals and cancellations are always accepted.
"""

from typing import Any, Final

import msgspec

from signoff.core.errors import Conflict, TooLarge
from signoff.core.intent import commands as c
from signoff.core.intent.model import Intent

MOST_EVENTS: Final = 1000
MOST_PROGRESS: Final = 10_000
MOST_PATCHES: Final = 200
MOST_MAP_BYTES: Final = 64 * 1024

_UP_TO: Final[dict[type, int]] = {
    c.AddComment: MOST_EVENTS,
    c.MarkReviewing: MOST_EVENTS,
    c.Snooze: MOST_EVENTS,
    c.Unsnooze: MOST_EVENTS,
    c.Delegate: MOST_EVENTS,
    c.Revise: MOST_EVENTS,
    c.Release: MOST_EVENTS,
    c.PatchControls: MOST_EVENTS,
    c.ReportProgress: MOST_PROGRESS,
}


def refuse_overlong(intent: Intent, command: c.Command) -> None:
    """Raise Conflict for a command that decides nothing, if the history is too long."""
    most = _UP_TO.get(type(command))
    if most is not None and intent.seq >= most:
        raise Conflict(
            "history_full",
            f"The history of this intent has {intent.seq} events; from now on it accepts only decisions, results and "
            "its end.",
            hint="Decide or cancel it, and send a new intent for anything else.",
        )


def refuse_overgrown(intent: Intent, maps: tuple[dict[str, Any], ...]) -> None:
    """Raise if there are too many patches, or if the patched ``maps`` would be too large."""
    if intent.generation >= MOST_PATCHES:
        raise Conflict("history_full", f"This intent was patched {MOST_PATCHES} times, which is the maximum.")
    if len(msgspec.json.encode(maps)) > MOST_MAP_BYTES:
        raise TooLarge(
            "maps_too_large",
            f"Controls, grants and envelope together would be larger than {MOST_MAP_BYTES} bytes.",
        )
