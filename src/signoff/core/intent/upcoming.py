"""The scheduled contacts of an open task if nobody answers: the next reminders and every escalation, in order.

It is computed with the same functions as ``timers``, so it shows what will happen.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.intent.notifications import notified_names
from signoff.core.intent.snoozes import pending_snoozes
from signoff.core.intent.wake import ends_at, escalation_at, reminder_at

MOST_REMINDERS: Final = 40  # readers do not need more contacts


class ContactKind(StrEnum):
    OPENING = "opening"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    SNOOZE_OVER = "snooze_over"
    DEADLINE = "deadline"


class ScheduledContact(msgspec.Struct, frozen=True):
    """``to``: approvers, as in the policy, empty for the default approvers; ``number``: the number of the reminder or
    escalation level.
    """

    kind: ContactKind
    at: datetime
    number: int
    to: tuple[str, ...]


def scheduled_contacts(intent: Intent, task: Task) -> list[ScheduledContact]:
    """The remaining contacts if the current stage stays open; the last one is the deadline."""
    ends, spec = ends_at(intent, task), spec_of(intent, task)
    found: list[ScheduledContact] = []
    reminders = 0
    while True:
        escalation = escalation_at(intent, task)
        reminder = reminder_at(intent, task) if reminders < MOST_REMINDERS else None
        at = min((moment for moment in (escalation, reminder) if moment is not None), default=None)
        if at is None or (ends is not None and at >= ends):
            break
        if at == escalation:
            level = task.escalated + 1
            found.append(ScheduledContact(ContactKind.ESCALATION, at, level, spec.escalate[level - 1].to))
            task = replace(task, escalated=level)
        else:
            reminders += 1
            number = task.reminded + 1
            found.append(ScheduledContact(ContactKind.REMINDER, at, number, notified_names(spec, task)))
            task = replace(task, reminded=number, reminded_at=at)
    found += [
        ScheduledContact(ContactKind.SNOOZE_OVER, one.until, 1, (one.person,))
        for one in pending_snoozes(task)
    ]
    found.sort(key=lambda contact: contact.at)
    if ends is not None:
        found.append(ScheduledContact(ContactKind.DEADLINE, ends, 1, notified_names(spec, task)))
    return found
