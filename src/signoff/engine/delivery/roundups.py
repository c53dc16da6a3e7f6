"""Roundups: what reaches a person about low-risk tasks within a time window is collected into one message. The person
chooses the window (``preferences: {digest: 15m}``), or else the policy (``digest: 15m``).

Questions are collected, unless a deadline is near; a person on call, or one to whom a task is delegated or reassigned,
is asked immediately. Approvals are collected for the requester's side; every other ending is sent immediately.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from signoff.core.directory.model import Person
from signoff.core.errors import Invalid
from signoff.core.intent.checks import checked, worst_risk
from signoff.core.intent.events import Fact
from signoff.core.intent.model import FINAL, Intent, Status, Task, spec_of
from signoff.core.intent.notifications import Notification, NotificationKind
from signoff.core.intent.wake import ends_at
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Ending, Risk
from signoff.core.plan.wording import ended, type_text
from signoff.core.text.durations import parse_duration
from signoff.core.text.masking import mask_text
from signoff.core.text.times import local_time_text
from signoff.engine.delivery.payload_excerpt import cut
from signoff.engine.directory.eligible_people import rotation_of
from signoff.engine.directory.snapshot import Snapshot
from signoff.notify.personal_message import PersonalMessage

MOST_LISTED: Final = 30
_LONGEST_COMMENT: Final = 200


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
    end = _window_end(notification.at, window)
    ends = ends_at(intent, task)
    return None if ends is not None and ends - end < window else end


def approval_roundup_due(notification: Notification, intent: Intent, person: Person) -> datetime | None:
    """When the roundup that tells the requester's side of this approval is sent; None if it gets a separate message."""
    step = intent.plan.by_id.get(notification.step)
    if not isinstance(step, HumanStep) or notification.ending != Ending.APPROVED.value:
        return None
    window = roundup_window(person, step.task.digest)
    risk, _ = worst_risk(step.task.risk, checked(intent, step.id).all)
    return _window_end(notification.at, window) if window is not None and risk is Risk.LOW else None


def _window_end(at: datetime, window: timedelta) -> datetime:
    length = int(window.total_seconds())
    return datetime.fromtimestamp((int(at.timestamp()) // length + 1) * length, UTC)


class CollectedNotification(NamedTuple):
    """A notification that a roundup contains. ``answers``: the answers of an approval, for their comments."""

    notification: Notification
    intent: Intent
    answers: Sequence[Fact] = ()


def roundup_message(
    id: str,
    to: str,
    person: Person,
    collected: Sequence[CollectedNotification],
    directory: Snapshot,
    base_url: str,
    now: datetime,
) -> PersonalMessage:
    """One message about several open tasks, or about several approvals."""
    approvals = collected[0].notification.kind is NotificationKind.DECIDED
    line, more = (_approved, "requests") if approvals else (_asked, "inbox")
    listed = collected[:MOST_LISTED]
    facts = [(str(number), line(one, person, directory)) for number, one in enumerate(listed, 1)]
    if len(collected) > len(listed):
        facts.append(("More", f"{len(collected) - len(listed):,} more in the {more}"))
    if approvals:
        return PersonalMessage(
            id=id,
            kind=NotificationKind.MESSAGE,
            at=now,
            to=to,
            thread=id,
            headline=f"{len(collected):,} requests were approved",
            question="Low-risk requests were approved",
            facts=tuple(facts),
            closing="Each was decided separately. Its page shows who decided, and what follows.",
            link=f"{base_url}/intents",
            link_label="Open the requests",
        )
    return PersonalMessage(
        id=id,
        kind=NotificationKind.MESSAGE,
        at=now,
        to=to,
        thread=id,
        headline=f"{len(collected):,} decisions are needed",
        question="Low-risk decisions wait for you",
        facts=tuple(facts),
        closing="Each is decided separately. The inbox shows what each one does.",
        link=f"{base_url}/",
        link_label="Open the inbox",
    )


def _asked(collected: CollectedNotification, person: Person, directory: Snapshot) -> str:
    intent = collected.intent
    parts = [_title(collected.notification), f"requested by {directory.display(intent.requester.id)}"]
    if isinstance(intent.open, Task) and (ends := ends_at(intent, intent.open)) is not None:
        parts.append(f"answer by {local_time_text(ends, person.zone)}")
    return "; ".join(parts)


def _approved(collected: CollectedNotification, person: Person, directory: Snapshot) -> str:
    notification, intent = collected.notification, collected.intent
    step = intent.plan.by_id.get(notification.step)
    spec = step.task if isinstance(step, HumanStep) else None
    how = ended(Ending.APPROVED, notification.outcome, spec).lower()
    by = f"by {directory.display(notification.by)}, " if notification.by != "system" else ""
    parts = [_title(notification), f"{how} {by}{local_time_text(notification.at, person.zone)}"]
    parts += [
        f"{directory.display(fact.actor.id)}: {cut(mask_text(fact.note.comment), _LONGEST_COMMENT)}"
        for fact in collected.answers
        if fact.note is not None and fact.note.comment
    ]
    if intent.status in FINAL and intent.status is not Status.COMPLETED:
        parts.append(f"the request has since ended as {intent.status.value}")
    return "; ".join(parts)


def _title(notification: Notification) -> str:
    return mask_text(notification.title or type_text(notification.intent_type))
