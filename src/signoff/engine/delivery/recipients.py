"""The recipients of a notification, and their channels in order. Pure: the same notification, intent and directory give
the same people. ``eligible_people`` turns approvers into people; here those who have answered are left out, and the
requester's side is added.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never

from msgspec import Struct
from msgspec.structs import replace

from signoff.core.directory.approver_names import TEAM
from signoff.core.directory.model import Person
from signoff.core.intent.answering_rights import answered_by, requesters_side
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.intent.notifications import Notification, NotificationKind, notified_names
from signoff.core.intent.snoozes import suppressed
from signoff.core.intent.wake import began_at
from signoff.engine.delivery.channel_registry import Reach
from signoff.engine.delivery.roundups import approval_roundup_due, roundup_due
from signoff.engine.directory.eligible_people import addressed, asked_times, recipients, still_eligible
from signoff.engine.directory.snapshot import Snapshot


class Recipient(Struct, frozen=True):
    """``channels``: the channels to try, in order; if one fails permanently, the next one is used.
    ``not_before``: when the person's working hours begin, if the message waits for them. ``roundup_at``: when the
    roundup that contains the message is sent.
    """

    person: str
    channels: tuple[str, ...]
    not_before: datetime | None = None
    roundup_at: datetime | None = None


# (person, channel) of the messages about the task that were sent or are being sent.
SentMessages = Collection[tuple[str, str]]


def recipients_of(
    notification: Notification,
    intent: Intent,
    sent: SentMessages,
    directory: Snapshot,
    reach: Reach,
    commenters: Collection[str] = (),
    rewriting: Collection[str] = (),
) -> list[Recipient]:
    """The recipients of a notification. ``sent``: the messages about the task so far; ``reach``: for each configured
    channel, the addresses by person; ``commenters``: who has commented on the task; ``rewriting``: the channels that
    can change what they sent. The person on call is the one who was on call at the time of the event.
    """
    match notification.kind:
        case (
            NotificationKind.TASK_OPENED | NotificationKind.REMINDER | NotificationKind.ESCALATED
            | NotificationKind.REVISED | NotificationKind.SNOOZE_ENDED
        ):  # fmt: skip
            return _approvers(notification, intent, directory, reach)
        case NotificationKind.COMMENTED:
            return _of_a_comment(notification, intent, sent, directory, reach, commenters)
        case NotificationKind.CHANGED:
            return _active(_of_the_change(notification, intent, directory), directory, reach)
        case NotificationKind.MESSAGE:
            to, side = notification.to, sorted(requesters_side(intent))
            people = recipients(directory, to, notification.at) if to else side
            return _active(people, directory, reach)
        case NotificationKind.PROGRESS:
            return _sent_before(sent, directory, reach)
        case NotificationKind.DECIDED:
            return _of_the_decision(notification, intent, sent, directory, reach, rewriting)
        case NotificationKind.FINISHED | NotificationKind.PUSH:  # only programs get these
            return []
        case unknown:
            assert_never(unknown)


def _active(people: Collection[str], directory: Snapshot, reach: Reach) -> list[Recipient]:
    """Those of the people who have not left, each with their own channels."""
    return [
        Recipient(person, channels_for(directory.people[person], reach))
        for person in people
        if person in directory.active_people
    ]


def _approvers(
    notification: Notification, intent: Intent, directory: Snapshot, reach: Reach
) -> list[Recipient]:
    """Those who are asked and have not answered, and the rooms of their teams."""
    task = intent.open
    if not isinstance(task, Task) or not _open(notification, task):
        return []  # the notification of what came after it asks those who must be asked now
    answered = _answered(intent, notification)
    people = [
        _approver(person, moment, notification, intent, task, directory, reach)
        for person, moment in _asked_when(notification, intent, task, directory)
        if person not in answered and not _snoozed(notification, task, person, moment)
    ]
    return [*_rooms(notification, intent, task, directory, reach), *people]


def _approver(
    person: str,
    moment: datetime,
    notification: Notification,
    intent: Intent,
    task: Task,
    directory: Snapshot,
    reach: Reach,
) -> Recipient:
    """``moment``: when the person is notified; later than the event if the message waits for their working hours."""
    known, waits = directory.people[person], moment > notification.at
    together = not waits and not by_hand(notification, task)
    return Recipient(
        person,
        channels_for(known, reach),
        not_before=moment if waits else None,
        roundup_at=roundup_due(notification, intent, task, known, directory) if together else None,
    )


def _of_a_comment(
    notification: Notification,
    intent: Intent,
    sent: SentMessages,
    directory: Snapshot,
    reach: Reach,
    commenters: Collection[str],
) -> list[Recipient]:
    people = [one for one in sorted({*requesters_side(intent), *commenters}) if one != notification.by]
    # Also in the thread of a team's card, unless the comment was written there.
    rooms = [one for one in _sent_before(sent, directory, reach) if is_team(one.person)]
    return _active(people, directory, reach) + [one for one in rooms if notification.via not in one.channels]


def _of_the_decision(
    notification: Notification,
    intent: Intent,
    sent: SentMessages,
    directory: Snapshot,
    reach: Reach,
    rewriting: Collection[str],
) -> list[Recipient]:
    """Everyone who was asked, where they were asked, so that no message is left that still asks; and the requester's
    side, perhaps in a roundup. The person who decided knows it: their cards are rewritten, and nothing is sent to them.
    """
    before = _sent_before(sent, directory, reach)
    known = {notification.by, *(recipient.person for recipient in before)}
    side = [person for person in sorted(requesters_side(intent)) if person not in known]
    asked = [one for one in before if one.person != notification.by or one.channels[0] in rewriting]
    requesters = [
        replace(one, roundup_at=approval_roundup_due(notification, intent, directory.people[one.person]))
        for one in _active(side, directory, reach)
    ]
    return asked + requesters


def _rooms(
    notification: Notification,
    intent: Intent,
    task: Task,
    directory: Snapshot,
    reach: Reach,
) -> Iterator[Recipient]:
    """The rooms and mailboxes of the teams that are asked, if a member may answer."""
    if notification.kind is NotificationKind.SNOOZE_ENDED:
        return
    for name in notification.to:
        # in every chat that the team has, not only in the first: a room is not a person with preferences
        channels = (
            [channel for channel, addresses in reach.items() if name in addresses] if is_team(name) else []
        )
        if channels and addressed(intent, task, (name,), directory, notification.at):
            for channel in channels:
                yield Recipient(name, (channel,))


def is_team(recipient: str) -> bool:
    """Whether it is a team's room or mailbox rather than a person."""
    return recipient.startswith(TEAM)


def _snoozed(notification: Notification, task: Task, person: str, notified_at: datetime) -> bool:
    if notification.kind is NotificationKind.SNOOZE_ENDED:
        return False
    reminder = notification.kind is NotificationKind.REMINDER
    return suppressed(task, person, reminder=reminder, called_at=notification.at, notified_at=notified_at)


def _sent_before(sent: SentMessages, directory: Snapshot, reach: Reach) -> list[Recipient]:
    """The people and rooms that were asked, with the channel that asked them."""
    return [
        Recipient(person, (channel,))
        for person, channel in dict.fromkeys(sent)
        # people who have left since get nothing, also no correction of what they were sent
        if (is_team(person) or person in directory.active_people) and person in reach.get(channel, {})
    ]


def _asked_when(
    notification: Notification, intent: Intent, task: Task, directory: Snapshot
) -> Sequence[tuple[str, datetime]]:
    """Who is asked, and when they are notified. Messages sent under the policy wait for working hours; those about a
    delegation or reassignment do not.
    """
    if notification.kind is NotificationKind.SNOOZE_ENDED:
        return [
            (person, notification.at)
            for person in still_eligible(intent, task, notification.to, directory, notification.at)
        ]
    if by_hand(notification, task):
        return [
            (person, notification.at)
            for person in addressed(intent, task, notification.to, directory, notification.at)
        ]
    return asked_times(intent, task, notification.to, directory, notification.at)


def by_hand(notification: Notification, task: Task) -> bool:
    """Whether somebody delegated or reassigned the task to these people."""
    return notification.kind is NotificationKind.TASK_OPENED and notification.at != began_at(task)


def _of_the_change(notification: Notification, intent: Intent, directory: Snapshot) -> list[str]:
    """Who is notified of a revision without being asked again: the authors of void answers, and the requester's
    side.
    """
    task = intent.open
    if not isinstance(task, Task) or not _open(notification, task):
        return []  # they get the message about the decision instead
    # they get the message that asks again, which shows the change too
    anew = {person for person, _ in asked_times(intent, task, notification.to, directory, notification.at)}
    others = dict.fromkeys((*notification.voided, *sorted(requesters_side(intent))))
    return [person for person in others if person not in anew and person != notification.by]


def _answered(intent: Intent, notification: Notification) -> frozenset[str]:
    """Who has answered the current stage, for themselves or as a delegate."""
    task = intent.open
    if not isinstance(task, Task) or task.step_run != notification.step_run:
        return frozenset()
    return answered_by(task)


def current(notification: Notification, intent: Intent, person: str) -> bool:
    """Whether the task still asks this person for an answer."""
    task = intent.open
    return (
        isinstance(task, Task) and _open(notification, task) and person not in _answered(intent, notification)
    )


def unreached(notification: Notification, intent: Intent, directory: Snapshot) -> bool:
    """Whether the notification opens a task, or escalates it, and has no possible recipient."""
    if notification.kind not in (NotificationKind.TASK_OPENED, NotificationKind.ESCALATED):
        return False
    task = intent.open
    if not isinstance(task, Task) or not _open(notification, task):
        return False
    # delegates and reassigned approvers get a separate notification
    opened = notification.kind is NotificationKind.TASK_OPENED
    others = (
        notified_names(spec_of(intent, task), task)
        if opened
        else tuple(one.delegate for one in task.delegations)
    )
    return not addressed(intent, task, (*notification.to, *others), directory, notification.at)


def _open(notification: Notification, task: Task) -> bool:
    """Whether the task is still at the stage and revision of the notification."""
    return (task.step_run, task.stage, task.revision) == (
        notification.step_run,
        notification.stage,
        notification.revision,
    )


def channels_for(person: Person, reach: Reach) -> tuple[str, ...]:
    """The channels that reach a person, in the order that the person prefers."""
    possible = [channel for channel, addresses in reach.items() if person.id in addresses]
    # a preference orders the channels that work; it cannot make a person unreachable
    wanted = [channel for channel in preferred_channels(person.preferences) if channel in possible]
    return tuple(dict.fromkeys(wanted or possible))


def preferred_channels(preferences: Mapping[str, Any]) -> Sequence[str]:
    """``{"channels": ["slack", "email"]}``; anything else is ignored."""
    channels = preferences.get("channels", ())
    return [name for name in channels if isinstance(name, str)] if isinstance(channels, list | tuple) else []
