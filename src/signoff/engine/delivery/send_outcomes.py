"""The result of one attempt to send, and what follows a failure. The tables are in ``core.plan.schedules``.

Only a refusal by the recipient's side counts as an attempt. Waiting does not count, whether for an earlier message, for
a free slot, until a time that the recipient's side set, or for our own database.
"""

from datetime import timedelta
from typing import Final

from msgspec import Struct

from signoff.core.plan.schedules import LONGEST_RETRY_AFTER, RetryPolicy
from signoff.notify.channel import NotSent

# No free slot: retry soon, without a limit.
SLOT_TAKEN: Final = timedelta(seconds=5)
# A row that this release cannot decode, or that causes an internal error. Another release may send it, so it is kept.
SET_ASIDE: Final = timedelta(hours=1)
_MAX_WAIT: Final = 6 * 3600.0


class Sent(Struct, frozen=True):
    """reference: the provider's id of the message; target: the address that it was sent to, if that is worth
    recording.
    """

    reference: str = ""
    target: str = ""


class Skipped(Struct, frozen=True):
    """There is no longer anything to send; ``reason``: why, if it is worth recording."""

    reason: str = ""


class Retry(Struct, frozen=True):
    """Send it again after ``pause``. counted: whether this counts as an attempt."""

    pause: timedelta
    reason: str = ""
    counted: bool = True


class NextChannel(Struct, frozen=True):
    """It failed permanently on this channel; the recipient has another one."""

    channel: str
    reason: str


class Dead(Struct, frozen=True):
    """It failed permanently; ``retry_after``: how long the recipient's side asked to wait."""

    reason: str
    retry_after: timedelta = timedelta(0)


Outcome = Sent | Skipped | Retry | NextChannel | Dead


class WaitForEarlierError(Exception):
    """An earlier message to the same recipient must arrive first."""


def after_failure(
    policy: RetryPolicy, attempt: int, failure: NotSent, other: str = ""
) -> Retry | NextChannel | Dead:
    """What follows failure number ``attempt``; ``other``: the recipient's next channel, "" if there is none."""
    reason = failure.reason
    asked = min(timedelta(seconds=min(failure.retry_after, _MAX_WAIT)), LONGEST_RETRY_AFTER)
    if not failure.permanent:
        if failure.wait:  # it named a time to wait, which is not a failed attempt
            return Retry(timedelta(seconds=min(failure.wait, _MAX_WAIT)), reason, counted=False)
        if attempt < (policy.with_other if other and policy.with_other else policy.attempts):
            return Retry(max(policy.backoff.after(attempt), asked), reason)
    return NextChannel(other, reason) if other else Dead(reason, asked)


def waiting_pause(times: int) -> timedelta:
    """The pause of a message that waits for an earlier one, after ``times`` checks. There is no pause at first,
    because the earlier message may have been sent in the same iteration; later it grows to a minute.
    """
    return timedelta(seconds=0 if times <= 2 else min(60, max(1, 2 ** (times - 16))))
