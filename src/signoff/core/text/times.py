"""Times as text, for pages, messages and the terminal. Standard library only."""

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from signoff.core.text.durations import format_duration

# Years in which every zone has the moment.
_MOMENT: Final = re.compile(
    r"(?:19|2\d)\d\d-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)


def moment_of(text: str) -> datetime | None:
    """The moment that a whole text is in RFC 3339, with its offset from UTC; None for any other text."""
    if _MOMENT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # there is no such day, hour or offset
        return None


def utc_text(at: datetime) -> str:
    """``2026-03-02 09:00 UTC``."""
    return f"{at.astimezone(UTC).isoformat(' ', 'minutes')[:16]} UTC"


def local_time_text(at: datetime, zone: str) -> str:
    """The time in the reader's zone, and in UTC."""
    utc = f"{at.astimezone(UTC):%a %d %b %Y, %H:%M} UTC"
    if not zone or zone == "UTC":
        return utc
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a %d %b %Y, %H:%M %Z} ({at.astimezone(UTC):%H:%M} UTC)"


def relative_time(at: datetime, now: datetime, units: int = 2) -> str:
    """``in 7h 52m``, ``3m ago``."""
    if abs((at - now).total_seconds()) < 1:
        return "now"
    text = format_duration(at - now, units=units)
    return f"in {text}" if at > now else f"{text} ago"
