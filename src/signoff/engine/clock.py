"""The only reader of the system clock; all other code receives the time.

The database's clock is authoritative: a transaction reads it, and outside a transaction, ``now`` continues from the
last reading. So a server whose clock is wrong has no effect. ``shift`` moves the time, for tests.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A delayed response, or one that waited for a lock, reports a time that is too early; so the latest reading of the last
# few seconds is the most accurate.
_BEST_FOR: Final = 30.0


class Clock:
    """The database's clock as last read, else the system's. Tests can move it."""

    def __init__(self) -> None:
        self.shift = timedelta(0)
        self._ahead: timedelta | None = None  # the database's time minus this process's monotonic seconds
        self._measured_at = 0.0

    def wall(self) -> datetime:
        """The machine's time, unshifted (aware UTC): for SQLite, the database's time."""
        return datetime.now(UTC)  # noqa: TID251

    def steady(self) -> float:
        """Monotonic seconds, independent of changes to the machine's time."""
        return time.monotonic()

    def now(self) -> datetime:
        """The current time, between two readings of the database's clock."""
        if self._ahead is None:
            return self.wall() + self.shift
        return _EPOCH + timedelta(seconds=self.steady()) + self._ahead + self.shift

    def of(self, database_time: datetime) -> datetime:
        """The database's time, shifted if a test has moved it."""
        return database_time + self.shift

    def hear(self, database_time: datetime) -> datetime:
        """Like ``of``, for a database with its own clock: ``now`` continues from this reading."""
        steady = self.steady()
        ahead = database_time - _EPOCH - timedelta(seconds=steady)
        if self._ahead is None or ahead >= self._ahead or steady - self._measured_at > _BEST_FOR:
            self._ahead, self._measured_at = ahead, steady
        return self.of(database_time)

    def move(self, by: timedelta) -> None:
        """Move the time forward by ``by``."""
        self.shift += by


class FixedClock(Clock):
    """A clock that stands still until it is moved, independent of machine and database."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at

    def wall(self) -> datetime:
        return self.at

    def of(self, database_time: datetime) -> datetime:
        return self.now()

    def steady(self) -> float:
        return self.now().timestamp()

    def now(self) -> datetime:
        return self.at + self.shift
