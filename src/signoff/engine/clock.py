"""The only reader of the system's clock. Everything else is given its moments.

Time is judged by the database's clock inside the transaction; ``shift`` moves it, for tests and for users' tests.
"""

from datetime import UTC, datetime, timedelta


class Clock:
    """The system's clock, or one that a test moves."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def wall(self) -> datetime:
        """The machine's time, unshifted (aware UTC): the database time of SQLite."""
        return datetime.now(UTC)  # noqa: TID251

    def now(self) -> datetime:
        """The machine's time as used here."""
        return self.wall() + self.shift

    def of(self, database_time: datetime) -> datetime:
        """The database's time as used here."""
        return database_time + self.shift

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
