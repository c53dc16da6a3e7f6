"""Working hours: reminders and escalations run only within them. Deadlines also run outside them, unless
configured otherwise.

Times are local to a zone, so they follow clock changes: 09:00 stays 09:00.
"""

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

_HORIZON = 3700  # days; longer than the longest duration, so nothing is scheduled later
_YEARS = 11
_LAST_YEAR = 9998


class Hours(msgspec.Struct, frozen=True, omit_defaults=True):
    """Working hours: from ``start`` to ``end`` on ``days`` (0 is Monday) in ``zone`` (an IANA name). An ``end`` of
    00:00 is midnight.
    """

    zone: str
    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    start: time = time(9)
    end: time = time(17)

    def _window(self, day: date) -> tuple[datetime, datetime]:
        zone = ZoneInfo(self.zone)
        closing = day + timedelta(days=1) if self.end <= self.start else day
        return (
            datetime.combine(day, self.start, zone).astimezone(UTC),
            datetime.combine(closing, self.end, zone).astimezone(UTC),
        )

    def is_open(self, at: datetime) -> bool:
        """Whether ``at`` (aware) is within working hours."""
        return self.opens(at) == at

    def opens(self, at: datetime) -> datetime:
        """``at`` itself, if it is within working hours, else the next time that they begin."""
        day = at.astimezone(ZoneInfo(self.zone)).date()
        # the week may end with an empty window, so the next week may be needed too
        for weeks in range(2):
            first = day + timedelta(days=7 * weeks - day.weekday())
            for begins, ends in _week(self, first.toordinal()):
                if at < ends:
                    return max(at, begins)
        return self.after(at, timedelta(0))

    def after(self, start: datetime, lasts: timedelta) -> datetime:
        """The time at which ``lasts`` of working time have passed since ``start``."""
        first = start.astimezone(ZoneInfo(self.zone)).date() - timedelta(days=1)
        beyond = first.toordinal() + _HORIZON
        left = lasts
        for year in range(first.year, min(first.year + _YEARS, _LAST_YEAR) + 1):
            days, opens, closes, before = _windows(self, year)
            place = bisect_left(days, first.toordinal())
            while place < len(days) and opens[place] < start:  # part of the current window is over
                if closes[place] > start:
                    if start + left <= closes[place]:
                        return start + left
                    left -= closes[place] - start
                place += 1
            # The first window by whose end enough time has passed; all windows before it count completely.
            found = bisect_left(before, before[place] + left, place + 1)
            if place < len(days) and found < len(before):
                if days[found - 1] >= beyond:
                    break
                return opens[found - 1] + left - (before[found - 1] - before[place])
            left -= before[-1] - before[place]
        return start + lasts  # no working day within ten years: better late than never


class _Year(NamedTuple):
    """The non-empty windows of a year: their days, the working time before each, and the total."""

    days: list[int]
    opens: list[datetime]
    closes: list[datetime]
    before: list[timedelta]


@lru_cache(maxsize=4096)
def _week(hours: Hours, monday: int) -> tuple[tuple[datetime, datetime], ...]:
    """The windows that begin in the week of a Monday (or on the day before), in order. Computing a week is cheap
    enough for a thousand people with different hours; computing a year would not be.
    """
    days = [date.fromordinal(day) for day in range(monday - 1, monday + 7)]
    every = [hours._window(day) for day in days if day.weekday() in hours.days]
    return tuple(one for one in every if one[1] > one[0])


@lru_cache(maxsize=128)
def _windows(hours: Hours, year: int) -> _Year:
    # A window in the hour that a clock change skips is empty.
    days = range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal())
    every = [
        (day, *hours._window(date.fromordinal(day)))
        for day in days
        if date.fromordinal(day).weekday() in hours.days
    ]
    kept = [one for one in every if one[2] > one[1]]
    before = accumulate((closes - opens for _, opens, closes in kept), initial=timedelta(0))
    return _Year([one[0] for one in kept], [one[1] for one in kept], [one[2] for one in kept], list(before))


def later(hours: Hours | None, start: datetime, lasts: timedelta) -> datetime:
    """``lasts`` after ``start``, in working time if there are working hours."""
    return hours.after(start, lasts) if hours else start + lasts
