"""Who is available: weekly rotations, and absences with a delegate. A delegate cannot delegate again.

Handover is in local time: 09:00 on Monday stays 09:00 on Monday across clock changes.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

_WEEK: Final = timedelta(days=7)


class Absence(msgspec.Struct, frozen=True, omit_defaults=True):
    """Away from ``start`` until ``end`` (aware UTC, end exclusive). ``delegate``: a person's id, or "" for nobody."""

    start: datetime
    end: datetime
    delegate: str = ""

    def covers(self, at: datetime) -> bool:
        return self.start <= at < self.end


class Rotation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of ``order`` (person ids) is on call each week. The handover is at ``at`` on ``weekday`` (0 is Monday) in
    ``zone``. The first one is on call from the handover on or before the day ``anchor``.
    """

    order: tuple[str, ...]
    anchor: date
    weekday: int = 0
    at: time = time(9)
    zone: str = "UTC"

    def _handover(self, day: date) -> datetime:
        return datetime.combine(day, self.at, ZoneInfo(self.zone)).astimezone(UTC)

    def _day(self, day: date) -> date:
        """The day of handover on or before ``day``."""
        return day - timedelta(days=(day.weekday() - self.weekday) % 7)

    def began_on(self, at: datetime) -> date:
        """The day on which the on-call week containing ``at`` (aware) began."""
        day = self._day(at.astimezone(ZoneInfo(self.zone)).date())
        return day if self._handover(day) <= at else day - _WEEK

    def in_order(self, at: datetime) -> tuple[str, ...]:
        """All members in on-call order at ``at``: the one on call first, then the next ones."""
        turn = (self.began_on(at) - self._day(self.anchor)).days // 7 % len(self.order)
        return self.order[turn:] + self.order[:turn]

    def on_call(self, at: datetime) -> str:
        """The id of the person on call at ``at`` (aware)."""
        return self.in_order(at)[0]

    def handover_after(self, at: datetime) -> datetime:
        """The time (UTC) of the next handover."""
        return self._handover(self.began_on(at) + _WEEK)


def absence_at(absences: Iterable[Absence], at: datetime) -> Absence | None:
    """The active absence at ``at``; if there are several, the one that ends last."""
    now = [absence for absence in absences if absence.start <= at < absence.end]
    return max(now, key=lambda absence: absence.end, default=None)
