"""What a task knows of who has put it off: questions to it, asked by the rules of time and by whoever tells people."""

from collections.abc import Iterator
from datetime import datetime

from signoff.core.intent.model import Snoozing, Task


def snooze_of(task: Task, person: str) -> Snoozing | None:
    return next((one for one in task.snoozes if one.person == person), None)


def active_snooze(task: Task, person: str) -> Snoozing | None:
    """The person's snooze, if it is not over."""
    held = snooze_of(task, person)
    return held if held is not None and not held.over else None


def pending_snoozes(task: Task) -> Iterator[Snoozing]:
    """Those that time will end."""
    return (one for one in task.snoozes if not one.over)


def suppressed(task: Task, person: str, *, reminder: bool, called_at: datetime, told_at: datetime) -> bool:
    """Whether a contact is kept from a person who has put the task off: a reminder that would reach them until then,
    and whatever was called for before they did so, for they know of it. Escalations after it reach them.
    """
    held = snooze_of(task, person)
    return held is not None and told_at <= held.until and (reminder or called_at <= held.since)
