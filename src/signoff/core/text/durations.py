"""Parses durations such as ``90s``, ``1h30m`` or ``P1DT2H``, and formats them. Standard library only."""

import re
from datetime import timedelta
from typing import Final

from signoff.core.errors import Invalid

_UNITS: Final = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_HUMAN: Final = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in "wdhms"))
_ISO: Final = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
LONGEST: Final = timedelta(days=3660)
# The minimum in documents, so that a step that loops does not keep the server busy.
SHORTEST: Final = timedelta(seconds=1)


def parse_duration(value: object, field: str) -> timedelta:
    """A timedelta from ``90``, ``"90s"``, ``"1h30m"``, ``"2d"`` or ``"P1DT2H"``; raises Invalid naming the field."""
    seconds: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = min(value, LONGEST.total_seconds() + 1)
    elif isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        seconds = float(value)
    elif isinstance(value, str) and value.strip():
        text = value.strip()
        match = (
            _ISO.fullmatch(text) if text.startswith("P") else _HUMAN.fullmatch(text.lower().replace(" ", ""))
        )
        if match and any(match.groups()):
            seconds = sum(float(n) * f for n, f in zip(match.groups(), _UNITS.values(), strict=True) if n)
    if seconds is None or not 1e-6 <= seconds <= LONGEST.total_seconds():
        raise Invalid(
            "invalid_duration",
            f"{field}: {value!r} is not a duration.",
            field=field,
            hint="Write seconds, or text such as 90s, 5m, 8h, 2d, P1DT2H; more than zero, at most ten years.",
        )
    return timedelta(seconds=seconds)


def format_duration(value: timedelta, *, exact: bool = False, units: int = 2) -> str:
    """``1d 2h``, ``5m``, ``90s``: the largest ``units``, or all of them (``exact``), for the text of a rule."""
    seconds = int(abs(value.total_seconds()))
    if seconds < 60 or (exact and seconds < 120 and seconds % 60):
        return f"{seconds}s"
    parts = []
    for unit in "dhms":
        count, seconds = divmod(seconds, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
        if parts and unit == "m" and not exact:
            break
    return " ".join(parts if exact else parts[:units])
