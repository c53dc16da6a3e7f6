"""Queries about the snoozes of a task, for the timers and for message delivery."""

from collections.abc import Iterator
from datetime import datetime

from signoff.core.intent.model import Snoozing, Task


def snooze_of(task: Task, person: str) -> Snoozing | None:
    return next((one for one in task.snoozes if one.person == person), None)


def active_snooze(task: Task, person: str) -> Snoozing | None:
    """The person's snooze, if it has not ended."""
    held = snooze_of(task, person)
    return held if held is not None and not held.over else None


def pending_snoozes(task: Task) -> Iterator[Snoozing]:
    """The snoozes that have not ended yet."""
    return (one for one in task.snoozes if not one.over)


def suppressed(
    task: Task, person: str, *, reminder: bool, called_at: datetime, notified_at: datetime
) -> bool:
    """Whether a snooze suppresses a contact: a reminder that would be sent before its end, or anything that was due
    before the snooze, because the person has already seen the task. Later escalations are not suppressed.
    """
    held = snooze_of(task, person)
    return held is not None and notified_at <= held.until and (reminder or called_at <= held.since)
