"""Working hours: in them reminders and escalations run, outside they stand still. Deadlines go on unless asked.

Times are local to a zone, so a clock change moves no meeting: 09:00 stays 09:00.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

_HORIZON = 3700  # days: longer than the longest duration; nothing is scheduled beyond


class Hours(msgspec.Struct, frozen=True, omit_defaults=True):
    """From ``start`` to ``end`` on ``days`` (0 is Monday) in ``zone`` (an IANA name); ``end`` 00:00 is midnight."""

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
        """Whether ``at`` (aware) lies within working hours."""
        day = at.astimezone(ZoneInfo(self.zone)).date()
        for candidate in (day - timedelta(days=1), day):
            opens, closes = self._window(candidate)
            if candidate.weekday() in self.days and opens <= at < closes:
                return True
        return False

    def opens(self, at: datetime) -> datetime:
        """``at`` itself within working hours, else when they begin next."""
        return at if self.is_open(at) else self.after(at, timedelta(0))

    def after(self, start: datetime, lasts: timedelta) -> datetime:
        """The moment at which ``lasts`` of working time have passed since ``start``."""
        day = start.astimezone(ZoneInfo(self.zone)).date() - timedelta(days=1)
        left = lasts
        for _ in range(_HORIZON):
            opens, closes = self._window(day)
            begins = max(opens, start)
            # A window may have no time in it: it is over, or lies in the hour that a clock change leaves out.
            if day.weekday() in self.days and closes > begins:
                if begins + left <= closes:
                    return begins + left
                left -= closes - begins
            day += timedelta(days=1)
        return start + lasts  # no working day at all within ten years: better late than never


def later(hours: Hours | None, start: datetime, lasts: timedelta) -> datetime:
    """``lasts`` after ``start``, in working time where there are working hours."""
    return hours.after(start, lasts) if hours else start + lasts
