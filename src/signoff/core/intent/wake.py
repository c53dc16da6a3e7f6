"""The next time at which an intent changes on its own: the arithmetic behind the ``wake_at`` column."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from signoff.core.intent.model import Delay, Delivery, Intent, Task, spec_of
from signoff.core.intent.snoozes import pending_snoozes
from signoff.core.plan.working_hours import later


def reminder_at(intent: Intent, task: Task) -> datetime | None:
    spec = spec_of(intent, task)
    if spec.remind is None or task.reminded >= spec.remind.at_most:
        return None
    if task.reminded_at is None:
        return later(spec.hours, began_at(task), spec.remind.after)
    # Counted from the last reminder that was sent, so that reminders missed in an outage become one.
    return later(spec.hours, task.reminded_at, spec.remind.every)


def began_at(task: Task) -> datetime:
    """When the current stage began, from which its reminders and escalations are counted."""
    return task.stage_at or task.opened_at


def escalation_at(intent: Intent, task: Task) -> datetime | None:
    spec = spec_of(intent, task)
    if task.escalated >= len(spec.escalate):
        return None
    return later(spec.hours, began_at(task), spec.escalate[task.escalated].after)


class Due(Protocol):
    """A task, or the fields of one that timers need."""

    @property
    def deadline_at(self) -> datetime | None: ...


def ends_at(intent: Intent, task: Due) -> datetime | None:
    """When the task expires."""
    own, whole = task.deadline_at, intent.deadline_at
    if own is None or whole is None:
        return whole if own is None else own
    return min(own, whole)


def deadlines(intent: Intent) -> Iterator[datetime]:
    """Every future time at which this intent may change in its current state."""
    if intent.final:
        return
    match intent.open:
        case Delivery() as delivery:
            moments = (delivery.lease_until, delivery.retry_at, delivery.deadline_at)
        case Task() as task:
            moments = (reminder_at(intent, task), escalation_at(intent, task), task.deadline_at)
            yield from (one.until for one in pending_snoozes(task))
        case Delay() as delay:
            moments = (delay.until, None, None)
        case None:
            moments = (None, None, None)
    for moment in (*moments, intent.deadline_at):
        if moment is not None:
            yield moment


def wake_at(intent: Intent) -> datetime | None:
    """The next time at which this intent changes on its own; None if only a command can change it."""
    soonest: datetime | None = None
    for moment in deadlines(intent):
        if soonest is None or moment < soonest:
            soonest = moment
    return soonest
