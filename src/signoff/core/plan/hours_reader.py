"""Reads working hours, time zones, days and times of day in documents."""

import re
from datetime import date, time
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec

from signoff.core.plan.working_hours import Hours
from signoff.core.text.describe import printable
from signoff.core.text.document_reader import Fields, refuse_unplaced
from signoff.core.text.struct_reader import DocumentStruct, reads

_LONG_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAYS: Final = tuple(day[:3] for day in _LONG_DAYS)
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def read_zone(fields: Fields, name: str) -> str:
    """An IANA time zone's name, "" when absent."""
    word = fields.text(name, longest=64)
    try:
        if word:
            ZoneInfo(word)
    except (KeyError, ValueError, OSError) as unknown:
        hint = "Write an IANA name such as Europe/Berlin."
        raise fields.invalid(name, f"{printable(word)!r} is not a time zone", hint=hint) from unknown
    return word


def read_time(fields: Fields, name: str) -> time | None:
    """A time of day, ``08:00``; None when absent."""
    word = fields.text(name, longest=16)
    match = _CLOCK.fullmatch(word)
    if word and match is None:
        raise fields.invalid(
            name, f"{printable(word)!r} is not a time of day", hint='Write it as "08:00", in quotes.'
        )
    return time(int(match[1]), int(match[2])) if match else None


def read_end(fields: Fields, name: str) -> time | None:
    """A time of day at which something ends: ``24:00`` is the following midnight, which cannot be a start."""
    return time(0) if fields.text(name, longest=16) == "24:00" else read_time(fields, name)


def weekday(fields: Fields, name: str, word: str) -> int:
    """0 for ``mon`` or ``monday``, and so on."""
    day = word.strip().lower()
    meant = [number for number, long in enumerate(_LONG_DAYS) if len(day) > 2 and long.startswith(day)]
    if not meant:
        hint = "Known: " + ", ".join(DAYS) + "; a range is written mon-fri."
        raise fields.invalid(name, f"{printable(word)!r} is not a day", hint=hint)
    return meant[0]


def read_weekdays(fields: Fields, name: str) -> tuple[int, ...]:
    """Days of the week: ``mon-fri``, or a list."""
    found: set[int] = set()
    for written in fields.texts(name):
        for part in written.split(","):
            first, _, last = part.partition("-")
            start, end = weekday(fields, name, first), weekday(fields, name, last or first)
            found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    if not found and not fields.kept:
        raise fields.invalid(name, "names no day", hint="For example: mon-fri.")
    return tuple(sorted(found))


def read_day(fields: Fields, name: str) -> date:
    """A day, 2026-03-02."""
    word = fields.text(name, longest=64)
    try:
        found = date.fromisoformat(word)
    except ValueError as wrong:
        raise fields.invalid(name, f"{word!r} is not a day", hint="Write it as 2026-03-02.") from wrong
    refuse_unplaced(found, fields.at(name))
    return found


def hours_text(hours: Hours) -> str:
    """``mon to fri, 08:00 to 18:00, Europe/Berlin``."""
    days = [DAYS[day] for day in hours.days]
    in_a_row = [*hours.days] == [*range(hours.days[0], hours.days[0] + len(days))] and len(days) > 2
    listed = f"{days[0]} to {days[-1]}" if in_a_row else ", ".join(days)
    return f"{listed}, {hours.start:%H:%M} to {hours.end:%H:%M}, {hours.zone}"


Zone = Annotated[str, reads(read_zone)]
_Time = Annotated[time, reads(read_time)]


class HoursSource(DocumentStruct, frozen=True, kw_only=True):
    """Working hours; omitted fields have the defaults of ``Hours``."""

    zone: Zone
    days: Annotated[tuple[int, ...], reads(read_weekdays, tuple[str, ...])] = ()
    start: _Time | None = msgspec.field(name="from", default=None)
    end: Annotated[time, reads(read_end)] | None = msgspec.field(name="to", default=None)

    @property
    def hours(self) -> Hours:
        fields: dict[str, Any] = {"days": self.days or None, "start": self.start, "end": self.end}
        return Hours(self.zone, **{name: value for name, value in fields.items() if value is not None})
