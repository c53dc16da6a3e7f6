"""One rule for everything that is sent: what an answer of the other side means for the row that carries it.

A try ends as sent, as a retry, or dead. Only a refusal by the other side is an attempt: what waits for another message,
for room, or for a time the other side named is none, nor is trouble of our own database or the end of this server.
"""

from datetime import timedelta
from typing import Final

from msgspec import Struct

from signoff.core.plan.schedules import Backoff
from signoff.notify.channel import NotSent


class Rule(Struct, frozen=True):
    """delays: the pauses after each refusal; attempts: how many refusals make it dead; patience: how many, where the
    person has another channel.
    """

    delays: tuple[int, ...]
    attempts: int
    patience: int = 0


class Retry(Struct, frozen=True):
    """Try again after ``pause``. counted: it was an attempt."""

    pause: timedelta
    counted: bool = True


# about two days: a mail server may be down over a weekend's day
PERSON: Final = Rule((5, 30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600), attempts=16, patience=5)
SERVICE: Final = Rule((5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600), attempts=8)
NEWS: Final = Rule((5, 30, 120, 600, 1800, 3600, 2 * 3600), attempts=12, patience=5)
# Somebody sits before the page and waits for it; after a while they ask again.
SIGN_IN: Final = Rule((5, 30, 120), attempts=4)

# A turn found it taken up too early or too much under way: soon, and for as long as it takes.
LATER: Final = timedelta(seconds=5)
# This release cannot read it, or a fault of ours is in its way: another release may, so it is kept and named.
SET_ASIDE: Final = timedelta(hours=1)
_LONGEST_WAIT: Final = 6 * 3600.0


def after(rule: Rule, attempt: int, failure: NotSent, *, other: bool = False) -> Retry | None:
    """What follows when the other side has refused the ``attempt``-th time; None: dead. ``other``: whether the person
    can be told by another channel.
    """
    if failure.permanent:
        return None
    if failure.wait:  # who asks to wait is there: that is no failed attempt
        return Retry(timedelta(seconds=min(failure.wait, _LONGEST_WAIT)), counted=False)
    if attempt >= (rule.patience if other and rule.patience else rule.attempts):
        return None
    return Retry(Backoff(tuple(timedelta(seconds=s) for s in rule.delays)).after(attempt))


def while_waiting(times: int) -> timedelta:
    """The pause of what waits for an earlier message, after so many looks: at once at first, as what was on its way in
    the same turn is not any more; then longer, up to a minute.
    """
    return timedelta(seconds=0 if times <= 2 else min(60, max(1, 2 ** (times - 16))))
