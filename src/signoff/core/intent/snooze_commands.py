"""A snooze: suppresses one person's reminders about a task until a time. It does not move any deadline or escalation,
and affects nobody else.
"""

from datetime import timedelta
from typing import Final

from signoff.core.errors import Conflict, Invalid
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent.answering_rights import answered_by
from signoff.core.intent.evolve import rfc3339
from signoff.core.intent.model import Task
from signoff.core.intent.snoozes import snooze_of
from signoff.core.intent.transition import Transition
from signoff.core.intent.wake import ends_at

LONGEST: Final = timedelta(days=30)


def snooze(tx: Transition, task: Task, command: c.Snooze) -> None:
    """Snooze the task; raises Invalid for a time that is in the past, too far in the future, or not before the
    deadline.
    """
    until, ends = command.until, ends_at(tx.intent, task)
    if tx.actor.id in answered_by(task):
        raise Conflict("already_answered", "You have answered this task, so you get no reminders.")
    if until <= tx.now:
        raise Invalid(
            "moment_passed", "That time is in the past.", field="until", hint="Choose a later time."
        )
    if ends is not None and until >= ends:
        raise Invalid(
            "after_the_deadline",
            f"An answer is needed by {rfc3339(ends)}; it cannot be snoozed beyond that.",
            field="until",
            hint="Choose a time before that, or delegate the task.",
        )
    if until > tx.now + LONGEST:
        raise Invalid(
            "too_long",
            f"A task can be snoozed for at most {LONGEST.days} days.",
            field="until",
            hint="Choose an earlier time, or delegate the task.",
        )
    tx.add(e.Snoozed(task.step_run, until))


def unsnooze(tx: Transition, task: Task) -> None:
    """Cancel a snooze. Without one, nothing happens."""
    held = snooze_of(task, tx.actor.id)
    if held is not None and not held.over:
        tx.add(e.Unsnoozed(task.step_run, tx.actor.id))
