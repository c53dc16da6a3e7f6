"""Roundups: low-risk tasks that reach a person within a time window are collected into one message, unless a
deadline is near. The person chooses the window (``preferences: {digest: 15m}``), or else the policy (``digest:
15m``). A person on call, or one to whom a task is delegated or reassigned, is notified immediately.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from signoff.core.directory.model import Person
from signoff.core.errors import Invalid
from signoff.core.intent.checks import checked, worst_risk
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.intent.notifications import Notification, NotificationKind
from signoff.core.intent.wake import ends_at
from signoff.core.plan.task_types import Risk
from signoff.core.plan.wording import type_text
from signoff.core.text.durations import parse_duration
from signoff.core.text.masking import mask_text
from signoff.core.text.times import local_time_text
from signoff.engine.directory.eligible_people import rotation_of
from signoff.engine.directory.snapshot import Snapshot
from signoff.notify.personal_message import PersonalMessage

_MOST_LISTED: Final = 30


def roundup_window(person: Person, policy: timedelta | None) -> timedelta | None:
    """How long low-risk tasks are collected for the person, as they chose or else as the policy says; None if they are
    not collected.
    """
    written = person.preferences.get("digest")
    if written is None:
        return policy
    try:
        return parse_duration(written, "digest") if written else None
    except Invalid:
        return None


def roundup_due(
    notification: Notification, intent: Intent, task: Task, person: Person, directory: Snapshot
) -> datetime | None:
    """When the roundup that contains this task is sent; None if the task gets a separate message."""
    spec = spec_of(intent, task)
    window = roundup_window(person, spec.digest)
    if window is None or notification.kind is not NotificationKind.TASK_OPENED:
        return None
    risk, _ = worst_risk(spec.risk, checked(intent, task.step).current)
    if risk is not Risk.LOW or any(rotation_of(directory, name) for name in notification.to):
        return None
    length = int(window.total_seconds())
    end = datetime.fromtimestamp((int(notification.at.timestamp()) // length + 1) * length, UTC)
    ends = ends_at(intent, task)
    return None if ends is not None and ends - end < window else end


Waiting = tuple[Notification, Intent]


def roundup_message(
    id: str,
    to: str,
    person: Person,
    waiting: Sequence[Waiting],
    directory: Snapshot,
    base_url: str,
    now: datetime,
) -> PersonalMessage:
    """One message about several open tasks."""
    listed = waiting[:_MOST_LISTED]
    facts = [
        (str(number), _line(notification, intent, person, directory))
        for number, (notification, intent) in enumerate(listed, 1)
    ]
    if len(waiting) > len(listed):
        facts.append(("More", f"{len(waiting) - len(listed):,} more in the inbox"))
    return PersonalMessage(
        id=id,
        kind=NotificationKind.MESSAGE,
        at=now,
        to=to,
        thread=id,
        headline=f"{len(waiting):,} decisions are needed",
        question="Low-risk decisions wait for you",
        facts=tuple(facts),
        closing="Each is decided separately. The inbox shows what each one does.",
        link=f"{base_url}/",
        link_label="Open the inbox",
    )


def _line(notification: Notification, intent: Intent, person: Person, directory: Snapshot) -> str:
    parts = [mask_text(notification.title or type_text(notification.intent_type))]
    parts.append(f"requested by {directory.display(intent.requester.id)}")
    if isinstance(intent.open, Task) and (ends := ends_at(intent, intent.open)) is not None:
        parts.append(f"answer by {local_time_text(ends, person.zone)}")
    return "; ".join(parts)
