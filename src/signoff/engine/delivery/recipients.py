"""Who hears of a notice, and over which channels in which order. Pure: the same notice, intent and address book
give the same people. Parties become persons in ``staffing``; here it is left out who has answered, and added who asked.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from signoff.core.directory.model import Person
from signoff.core.formats.manifest import CHANNELS
from signoff.core.intent.answering_rights import requesters_side
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.notifications import Notification, NotificationKind, told
from signoff.core.intent.snoozed import quiet
from signoff.core.intent.wake import began_at, spec_of
from signoff.engine.directory.eligible_people import addressed, asked_when, may_still, recipients
from signoff.engine.directory.snapshot import Snapshot
from signoff.notify.letter import ASKING


class Recipient(Struct, frozen=True):
    """``ways``: the channels to try, the next one when one has failed for good; ``bound``: there is no other way;
    ``later``: when their working hours begin, where the message waits for them.
    """

    person: str
    ways: tuple[str, ...]
    bound: bool = False
    later: datetime | None = None


Told = Collection[tuple[str, str]]  # (person, channel) of what was sent about the task, or is on its way


def audience(
    notification: Notification, intent: Intent, sent: Told, directory: Snapshot, reach: Mapping[str, Mapping[str, str]],
    talkers: Collection[str] = (),
) -> list[Recipient]:  # fmt: skip
    """``sent``: what was sent about the task; ``reach``: for each channel that is set up, the addresses by person;
    ``talkers``: who has said something about the task. On call is who was when it happened.
    """
    at = notification.at

    def asked(people: Collection[str]) -> list[Recipient]:
        return [
            Recipient(person, ways(directory.people[person], reach))
            for person in people
            if person in directory.active_people
        ]

    if notification.kind in ASKING:
        task = intent.open
        if not isinstance(task, Task) or not _open(notification, task):
            return []
        answered = _answered(intent, notification)
        return [
            Recipient(person, ways(directory.people[person], reach), later=moment if moment > at else None)
            for person, moment in _asked_when(notification, intent, task, directory)
            if person not in answered and not _put_off(notification, task, person, moment)
        ]
    if (
        notification.kind is NotificationKind.COMMENTED
    ):  # who asked for it, and who wrote before; nobody is told of their own words
        return asked([one for one in sorted({*requesters_side(intent), *talkers}) if one != notification.by])
    if notification.kind is NotificationKind.CHANGED:
        return asked(_of_the_change(notification, intent, directory))
    if notification.kind is NotificationKind.MESSAGE:
        return asked(
            recipients(directory, notification.to, at) if notification.to else sorted(requesters_side(intent))
        )
    if notification.kind is not NotificationKind.DECIDED:
        return []
    before = _sent_before(sent, directory, reach)
    known = {recipient.person for recipient in before}
    return before + asked([person for person in sorted(requesters_side(intent)) if person not in known])


def _put_off(notification: Notification, task: Task, person: str, told_at: datetime) -> bool:
    if notification.kind is NotificationKind.SNOOZE_ENDED:
        return False
    reminder = notification.kind is NotificationKind.REMINDER
    return quiet(task, person, reminder=reminder, called_at=notification.at, told_at=told_at)


def _sent_before(sent: Told, directory: Snapshot, reach: Mapping[str, Mapping[str, str]]) -> list[Recipient]:
    """Who was asked hears of the end by the way by which they were."""
    return [
        Recipient(person, (channel,), bound=True)
        for person, channel in dict.fromkeys(sent)
        if person in directory.active_people and person in reach.get(channel, {})
    ]


def _asked_when(
    notification: Notification, intent: Intent, task: Task, directory: Snapshot
) -> Sequence[tuple[str, datetime]]:
    """What the policy sends by itself waits for working hours; whom somebody hands the task to hears of it at once."""
    if notification.kind is NotificationKind.SNOOZE_ENDED:
        return [
            (person, notification.at)
            for person in may_still(intent, task, notification.to, directory, notification.at)
        ]
    by_hand = notification.kind is NotificationKind.TASK_OPENED and notification.at != began_at(task)
    if by_hand:
        return [
            (person, notification.at)
            for person in addressed(intent, task, notification.to, directory, notification.at)
        ]
    return asked_when(intent, task, notification.to, directory, notification.at)


def _of_the_change(notification: Notification, intent: Intent, directory: Snapshot) -> list[str]:
    """Who hears of a revision without being asked anew: whose answer is void, and whose request it was."""
    task = intent.open
    if not isinstance(task, Task) or not _open(notification, task):
        return []  # the news that it was decided comes instead
    anew = {person for person, _ in asked_when(intent, task, notification.to, directory, notification.at)}
    others = dict.fromkeys((*notification.voided, *sorted(requesters_side(intent))))
    return [person for person in others if person not in anew and person != notification.by]


def _answered(intent: Intent, notification: Notification) -> set[str]:
    """Who has answered the stage that the notice speaks of, for themselves or in somebody's stead."""
    task = intent.open
    if not isinstance(task, Task) or task.step_run != notification.step_run:
        return set()
    votes = [vote for vote in task.votes if vote.at_stage == task.stage]
    return {vote.person for vote in votes} | {vote.principal for vote in votes if vote.principal}


def current(notification: Notification, intent: Intent, person: str) -> bool:
    """Whether a question is still a question for this person."""
    task = intent.open
    return (
        isinstance(task, Task) and _open(notification, task) and person not in _answered(intent, notification)
    )


def unheard(notification: Notification, intent: Intent, directory: Snapshot) -> bool:
    """Whether the notice opens a question, or hands it to the next rung, and there is nobody who could hear of it."""
    if notification.kind not in (NotificationKind.TASK_OPENED, NotificationKind.ESCALATED):
        return False
    task = intent.open
    if not isinstance(task, Task) or not _open(notification, task):
        return False
    # who was asked instead, or took it over, has been told of it in a notice of their own
    opened = notification.kind is NotificationKind.TASK_OPENED
    others = told(spec_of(intent, task), task) if opened else tuple(one.taker for one in task.handed_over)
    return not addressed(intent, task, (*notification.to, *others), directory, notification.at)


def _open(notification: Notification, task: Task) -> bool:
    """Whether the task still asks what the notice is about."""
    return (task.step_run, task.stage, task.revision) == (
        notification.step_run,
        notification.stage,
        notification.revision,
    )


def ways(person: Person, reach: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """The channels that reach a person, in the person's order; an order that leads nowhere is as good as none."""
    possible = [channel for channel in CHANNELS if person.id in reach.get(channel, {})]
    wanted = [channel for channel in preferred(person.preferences) if channel in possible]
    return tuple(dict.fromkeys(wanted or possible))


def preferred(preferences: Mapping[str, Any]) -> Sequence[str]:
    """``{"channels": ["slack", "email"]}``; whatever else stands there says nothing."""
    channels = preferences.get("channels", ())
    return [name for name in channels if isinstance(name, str)] if isinstance(channels, list | tuple) else []
