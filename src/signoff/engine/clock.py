"""The only reader of the system's clock. Everything else is given its moments.

Time is judged by the database's clock, everywhere: inside a transaction it is read there, and outside of one ``now``
goes on from what the database last said. So a server whose own clock is wrong is not wrong about anything. ``shift``
moves the time, for tests and for users' tests.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# An answer that was long on its way, or waited for a lock, says too early a time; the latest of a while is the best.
_BEST_FOR: Final = 30.0


class Clock:
    """The database's clock as far as it was heard of, else the system's; or one that a test moves."""

    def __init__(self) -> None:
        self.shift = timedelta(0)
        self._ahead: timedelta | None = None  # the database's time, of this process's steady seconds
        self._heard_at = 0.0

    def wall(self) -> datetime:
        """The machine's time, unshifted (aware UTC): the database time of SQLite."""
        return datetime.now(UTC)  # noqa: TID251

    def steady(self) -> float:
        """Seconds that pass evenly, whatever is done to the machine's time."""
        return time.monotonic()

    def now(self) -> datetime:
        """The time used, between two readings of the database's."""
        if self._ahead is None:
            return self.wall() + self.shift
        return _EPOCH + timedelta(seconds=self.steady()) + self._ahead + self.shift

    def of(self, database_time: datetime) -> datetime:
        """The database's time as used here."""
        return database_time + self.shift

    def hear(self, database_time: datetime) -> datetime:
        """As ``of``, of a database with a clock of its own: ``now`` goes on from there."""
        steady = self.steady()
        ahead = database_time - _EPOCH - timedelta(seconds=steady)
        if self._ahead is None or ahead >= self._ahead or steady - self._heard_at > _BEST_FOR:
            self._ahead, self._heard_at = ahead, steady
        return self.of(database_time)

    def move(self, by: timedelta) -> None:
        """Let ``by`` pass at once."""
        self.shift += by


class FixedClock(Clock):
    """A clock that stands still until it is moved, whatever the machine and the database say."""

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
