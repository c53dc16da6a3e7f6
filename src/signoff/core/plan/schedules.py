"""Schedules as pure arithmetic: when the next reminder or the next attempt is due."""

from datetime import timedelta
from typing import Final

import msgspec

MAX_REMINDERS: Final = 1000


class Reminders(msgspec.Struct, frozen=True, omit_defaults=True):
    """Remind first after ``after``, then each ``every``, at most ``at_most`` times."""

    after: timedelta
    every: timedelta
    at_most: int = 3


class Backoff(msgspec.Struct, frozen=True, omit_defaults=True):
    """The pause before attempt n+1: ``delays[n-1]``, the last one repeating."""

    delays: tuple[timedelta, ...] = tuple(timedelta(seconds=s) for s in (1, 5, 30, 120, 600))

    def after(self, attempt: int) -> timedelta:
        return self.delays[min(attempt, len(self.delays)) - 1]


PUSH_BACKOFF: Final = Backoff(tuple(timedelta(seconds=s) for s in (30, 120, 600)))
# How long an agent that accepted a push may be silent. Long, as nobody renews it unasked, and to do a step twice is
# worse than to hear late that an agent died: whoever wants to hear sooner gives the step a deadline.
PUSH_LEASE: Final = timedelta(hours=12)
LONGEST_LEASE: Final = timedelta(hours=1)  # that a worker can ask for
