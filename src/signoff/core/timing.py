"""Durations as people write them, and schedules as pure arithmetic."""

import re
from datetime import datetime, timedelta

import msgspec

from signoff.core.errors import Invalid

_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_HUMAN = re.compile(r"(?:(\d+(?:\.\d+)?)w)?(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
LONGEST = timedelta(days=3660)


def parse_duration(value: object, field: str) -> timedelta:
    """A timedelta from ``90``, ``"90s"``, ``"1h30m"``, ``"2d"`` or ``"P1DT2H"``; raises Invalid naming the field."""
    seconds: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and value.strip():
        text = value.strip()
        match = _ISO.fullmatch(text) if text.startswith("P") else _HUMAN.fullmatch(text.lower().replace(" ", ""))
        if match and any(match.groups()):
            seconds = sum(float(n) * f for n, f in zip(match.groups(), _UNITS.values(), strict=True) if n)
    if seconds is None or not 0 < seconds <= LONGEST.total_seconds():
        raise Invalid(
            "invalid_duration",
            f"{field}: {value!r} is not a duration.",
            field=field,
            hint="Write seconds, or text such as 90s, 5m, 8h, 2d, P1DT2H; more than zero, at most ten years.",
        )
    return timedelta(seconds=seconds)


def show_duration(value: timedelta) -> str:
    """``1d 2h``, ``5m``, ``90s``: what a person reads."""
    seconds = int(value.total_seconds())
    if seconds < 60 or (seconds < 120 and seconds % 60):
        return f"{seconds}s"
    parts = []
    for unit in "dhms":
        count, seconds = divmod(seconds, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


class Reminders(msgspec.Struct, frozen=True, omit_defaults=True):
    """Remind first after ``after``, then each ``every``, at most ``at_most`` times."""

    after: timedelta
    every: timedelta
    at_most: int = 3

    def next_at(self, opened_at: datetime, sent: int, last_at: datetime | None) -> datetime | None:
        """When the next reminder is due; None when all were sent.

        Counted from the last one really sent, so that reminders missed in an outage become one.
        """
        if sent >= self.at_most:
            return None
        return opened_at + self.after if last_at is None else last_at + self.every


class Backoff(msgspec.Struct, frozen=True, omit_defaults=True):
    """The pause before attempt n+1: ``delays[n-1]``, the last one repeating."""

    delays: tuple[timedelta, ...] = tuple(timedelta(seconds=s) for s in (1, 5, 30, 120, 600))

    def after(self, attempt: int) -> timedelta:
        return self.delays[min(attempt, len(self.delays)) - 1]


PUSH_BACKOFF = Backoff(tuple(timedelta(seconds=s) for s in (30, 120, 600)))
