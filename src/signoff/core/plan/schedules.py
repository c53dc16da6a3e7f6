"""Schedules as pure arithmetic: when the next reminder or the next attempt is due."""

from datetime import timedelta
from typing import Final

import msgspec

MAX_REMINDERS: Final = 1000


class Reminders(msgspec.Struct, frozen=True, omit_defaults=True):
    """Remind first after ``after``, then every ``every``, at most ``at_most`` times."""

    after: timedelta
    every: timedelta
    at_most: int = 3


class Backoff(msgspec.Struct, frozen=True, omit_defaults=True):
    """The pause before attempt n+1 is ``delays[n-1]``; the last delay repeats."""

    delays: tuple[timedelta, ...] = tuple(timedelta(seconds=s) for s in (1, 5, 30, 120, 600))

    def after(self, attempt: int) -> timedelta:
        return self.delays[min(attempt, len(self.delays)) - 1]


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often a send is attempted. After ``attempts`` failures the row is dead, or after only ``with_other`` failures
    if the recipient has another channel.
    """

    backoff: Backoff
    attempts: int
    with_other: int = 0


def _seconds(*delays: float) -> Backoff:
    return Backoff(tuple(timedelta(seconds=s) for s in delays))


# ---- the back-off tables of deliveries, loops and connections
# Not here: the SDK's table, because the SDK imports nothing from the server, and the pauses that ``supervisor``,
# ``send_outcomes`` (a message that waits for an earlier one) and ``github_deployments`` compute.

# The longest pause that a called server can demand before the next attempt (``Retry-After``). Such an attempt counts.
LONGEST_RETRY_AFTER: Final = timedelta(hours=1)
# Pushes: the step counts these attempts (``max_attempts``); the outbox sends each one once.
PUSH_BACKOFF: Final = _seconds(30, 120, 600)
PUSH: Final = RetryPolicy(PUSH_BACKOFF, attempts=1)
# About 36 hours, because a mail server may be down for a night and a day; with another channel, 13 minutes.
PERSON: Final = RetryPolicy(
    _seconds(5, 30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600), attempts=16, with_other=5
)
SERVICE: Final = RetryPolicy(_seconds(5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600), attempts=8)
ADMIN: Final = RetryPolicy(_seconds(5, 30, 120, 600, 1800, 3600, 2 * 3600), attempts=12, with_other=5)
# The person is waiting at the sign-in page, and will ask again if nothing arrives.
SIGN_IN: Final = RetryPolicy(_seconds(5, 30, 120), attempts=4)
# The sender of a test message is waiting for its result.
TEST: Final = RetryPolicy(_seconds(5, 30), attempts=3)
# A failed iteration of a loop, and a connection (database, Slack) that could not be opened.
LOOP: Final = _seconds(0.2, 0.4, 0.8, 1.6, 3.2, 5)
CONNECTION: Final = _seconds(0.1, 0.2, 0.5, 1, 2, 5)
SOCKET_MODE: Final = _seconds(1, 2, 4, 8, 16, 32, 60)

# How long an agent that has accepted a push may be silent. It is long because such an agent renews no lease, and
# running a step twice is worse than noticing late that an agent has crashed. A step with a deadline notices sooner.
PUSH_LEASE: Final = timedelta(hours=12)
LONGEST_LEASE: Final = timedelta(hours=1)  # the longest lease that a worker can ask for
