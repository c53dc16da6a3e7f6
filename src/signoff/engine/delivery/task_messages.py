"""Messages to people, one row per person (``notification_expansion``). A row is sent and retried, and moves to the
person's next channel when one has failed permanently. If no channel reaches anyone, the task escalates.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from weakref import WeakValueDictionary

import msgspec
from msgspec.structs import replace

from signoff.core.errors import NotFound, TooMany
from signoff.core.ids import step_run_id
from signoff.core.intent.events import Answered, Fact
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.notifications import ASKING, FOLLOWING, Notification, NotificationKind, with_values
from signoff.core.intent.snoozes import snooze_of, suppressed
from signoff.core.intent.upcoming import ContactKind
from signoff.core.intent.wake import ends_at
from signoff.core.plan.schedules import PERSON
from signoff.engine.delivery.compose import MessageComposer
from signoff.engine.delivery.message_rows import message_of, nobody_reached_row, row_to
from signoff.engine.delivery.notification_expansion import NotificationExpander
from signoff.engine.delivery.open_task_facts import Approvers, asks_still
from signoff.engine.delivery.outbox_items import PersonNotification, decode
from signoff.engine.delivery.recipients import channels_for, current, is_team
from signoff.engine.delivery.roundups import MOST_LISTED, CollectedNotification, roundup_message
from signoff.engine.delivery.send_outcomes import (
    Dead,
    NextChannel,
    Sent,
    Skipped,
    WaitForEarlierError,
)
from signoff.engine.delivery.sender import RecordedSender, SenderContext, stable_id
from signoff.engine.directory.contact_schedule import delayed_contact
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.identity.rate_limit import Limit
from signoff.engine.identity.sessions import TASK_LINK
from signoff.engine.off_loop import OffLoop
from signoff.notify.channel import NotSent
from signoff.notify.personal_message import PersonalMessage
from signoff.store.tables.messages import (
    FAILED,
    SENT,
    WAITING,
    ExpandedNotification,
    Message,
    SendResult,
)
from signoff.store.transaction import OutboxRow, Stored

_MAX_COUNTED: Final = 10_000
_MOST_COLLECTED: Final = 1000
_SENDING_LEASE: Final = timedelta(
    seconds=61
)  # while this server sends a row, its due time is this much later
_KIND_OF_CONTACT: Final = {
    ContactKind.OPENING: NotificationKind.TASK_OPENED,
    ContactKind.REMINDER: NotificationKind.REMINDER,
    ContactKind.ESCALATION: NotificationKind.ESCALATED,
}


class _ReminderLimitError(Exception):
    """The person has reached the hourly limit of reminders."""


class Follows(msgspec.Struct, frozen=True):
    """``references``: the messages in the person's channel that this one follows or rewrites; () for a first one."""

    references: tuple[str, ...]


class NothingToFollow(msgspec.Struct, frozen=True):
    """The message would follow others, but the person was never asked here, or a later message rewrites the same
    ones.
    """


class TaskMessages(RecordedSender[PersonNotification]):
    policy = PERSON

    def __init__(self, context: SenderContext) -> None:
        super().__init__(context)
        self._off_loop = OffLoop()
        self.recipients = NotificationExpander(context, self._off_loop)
        self._approvers = Approvers()
        # One lock per person, so that their roundups are sent one after the other.
        self._roundup_locks: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()
        self._reminders: Limit | None = None
        # Reminders that were counted, so that a reminder that a channel postpones is not counted twice.
        self._counted: dict[str, None] = {}

    def limit_reminders(self, most: int) -> None:
        """Send at most this many reminders per person and hour; 0 means no limit."""
        self._reminders = Limit(most, timedelta(hours=1)) if most else None

    async def send(self, item: PersonNotification) -> Sent | Skipped:
        row, notification = item.row, item.notification
        channel = self._channels.personal.get(row.channel)
        if channel is None:
            raise NotSent(f"the channel {row.channel!r} is not configured", permanent=True)
        stored = await self._store.intents.get(row.intent)
        directory = await self._directory.of(row.workspace)
        if stored is None or not _still_due(row, notification, stored.intent, directory):
            return Skipped()
        earlier = await self._earlier(row, notification)
        if isinstance(earlier, NothingToFollow):
            return Skipped()
        if notification.kind in ASKING:
            unsnoozed = self._unless_snoozed(row, notification, stored.intent, directory)
            if unsnoozed is None:
                return Skipped()
            notification = unsnoozed
            try:
                self._count_reminder(row, notification)
            except _ReminderLimitError:
                return Skipped("too many reminders to this person within an hour")
        to = await self._channels.address(self._store, directory, row.channel, row.target)
        if not to:
            raise NotSent(f"no {row.channel} address", permanent=True)
        if notification.roundup and (collected := await self._collected(item, to, directory)) is not None:
            return collected
        link = await self._link(row, notification, stored, directory)
        revised = stored.intent.revision > 1
        # only a revised request shows what changed, so the others save the query
        old = await self._store.intents.old_payloads(row.intent) if revised else None
        answers, base_url, now = await self._answers(notification), self._base_url(), self._clock.now()
        approvers = self._approvers

        def composed() -> PersonalMessage:
            composer = MessageComposer(
                row, notification, stored, directory, base_url, answers, old, approvers
            )
            return composer.compose(row.target, to, link, earlier.references, now)

        # Composing can be slow for a long request or report, and is repeated for each person.
        message = await self._off_loop.run(f"messages {row.workspace}", composed)
        return Sent(await channel.deliver(message), to)

    async def _collected(self, item: PersonNotification, to: str, directory: Snapshot) -> Sent | None:
        """One roundup for this notification and all others of its kind that wait with it; None if there is no other.
        The others are recorded as sent in one commit, so that neither another server nor a restart sends them again.
        """
        row, kind = item.row, item.notification.kind
        lock = self._roundup_locks.setdefault((row.workspace, row.channel, row.target), asyncio.Lock())
        async with lock:
            if not await self._store.outbox.holds(row):
                return Sent(target=to)
            waiting, rows = {row.id: item.notification}, {row.id: row}
            until = self._clock.now() + _SENDING_LEASE
            for other in await self._store.outbox.to_person(row, until, _MOST_COLLECTED):
                decoded = decode(other)
                if not isinstance(decoded, PersonNotification) or not decoded.notification.roundup:
                    continue
                if decoded.notification.kind is kind:
                    waiting[other.id], rows[other.id] = decoded.notification, other
            found: dict[str, CollectedNotification] = {}
            for id, notification in waiting.items():
                stored = await self._store.intents.get(notification.intent)
                if stored is None:
                    continue
                if kind is NotificationKind.DECIDED or current(notification, stored.intent, row.target):
                    answers = await self._answers(notification) if len(found) < MOST_LISTED else ()
                    shown = with_values(notification, stored.payload)
                    found[id] = CollectedNotification(shown, stored.intent, answers)
            if len(found) < 2:
                return None
            channel, person = self._channels.personal[row.channel], directory.people[row.target]
            now, base_url = self._clock.now(), self._base_url()
            in_order = sorted(found.values(), key=lambda one: (one.notification.at, one.intent.id))
            await channel.deliver(roundup_message(row.id, to, person, in_order, directory, base_url, now))
            ended = [
                SendResult(id, one.intent, SENT, one.attempts + 1, now, target=to)
                for id, one in rows.items()
                if id in found
            ]
            await self._store.messages.end(ended)
            return Sent(target=to)

    def _count_reminder(self, row: OutboxRow, notification: Notification) -> None:
        """Count a reminder against the person's limit. The first message to a recipient is never limited."""
        if self._reminders is None or notification.kind is not NotificationKind.REMINDER:
            return
        if row.attempts or row.id in self._counted:
            return
        try:
            self._reminders.check(row.target, self._clock.now())
        except TooMany:
            raise _ReminderLimitError from None
        if len(self._counted) >= _MAX_COUNTED:
            self._counted.clear()
        self._counted[row.id] = None

    def _unless_snoozed(
        self, row: OutboxRow, notification: Notification, intent: Intent, directory: Snapshot
    ) -> Notification | None:
        """The notification to send to this person now; None if they have snoozed the task."""
        task, person = intent.open, row.target
        if (
            not isinstance(task, Task)
            or not snooze_of(task, person)
            or notification.kind is NotificationKind.SNOOZE_ENDED
        ):
            return notification
        # the message waited for their working hours
        if row.id != stable_id(row.intent, row.seq, person, row.channel):
            due = delayed_contact(intent, task, directory, person, self._clock.now())
            return replace(notification, kind=_KIND_OF_CONTACT[due.kind], number=due.number) if due else None
        reminder = notification.kind is NotificationKind.REMINDER
        snoozed = suppressed(
            task, person, reminder=reminder, called_at=notification.at, notified_at=notification.at
        )
        return None if snoozed else notification

    async def _earlier(self, row: OutboxRow, notification: Notification) -> Follows | NothingToFollow:
        """The person's earlier messages in this channel that this one follows or rewrites."""
        if notification.kind is NotificationKind.COMMENTED:
            sent = await self._store.messages.of_task(notification.intent, notification.step_run)
            cards = [m for m in sent if (m.person, m.channel) == (row.target, row.channel)]
            return Follows(tuple(m.reference for m in cards if m.kind in ASKING and _has_card(m)))
        if notification.kind not in FOLLOWING:
            return Follows(())
        sent = await self._store.messages.of_task(notification.intent, notification.step_run)
        own = [m for m in sent if m.person == row.target]
        updates = [m for m in own if m.kind == NotificationKind.PROGRESS and m.channel == row.channel]
        asks = [m for m in own if m.kind in ASKING]
        rewrites = notification.kind is NotificationKind.PROGRESS
        if rewrites:
            if any(m.seq > row.seq for m in updates):
                return NothingToFollow()  # the later one rewrites the same messages
            asks = [m for m in asks if m.seq < row.seq]
        here = [m for m in asks if m.channel == row.channel]
        before = [*here, *(m for m in updates if m.id != row.id)]
        # the earlier message may still be sent, and this one must follow it
        if any(m.state == WAITING and m.at <= self._clock.now() for m in before):
            raise WaitForEarlierError
        references = tuple(dict.fromkeys(m.reference for m in here if _has_card(m)))
        return NothingToFollow() if (asks or rewrites) and not references else Follows(references)

    async def _answers(self, notification: Notification) -> Sequence[Fact]:
        """The last answer of each person before the decision, or before a revision made it void; or the new comment."""
        if notification.kind is NotificationKind.COMMENTED:
            return [
                fact for fact in await self.recipients.facts(notification) if fact.seq == notification.seq
            ]
        void = notification.kind in (NotificationKind.REVISED, NotificationKind.CHANGED)
        if notification.kind is not NotificationKind.DECIDED and not (void and notification.voided):
            return ()
        facts = await self.recipients.facts(notification)
        asked = (notification.step_run, notification.revision - void)
        counted = [
            f
            for f in facts
            if isinstance(f.event, Answered) and (f.event.step_run, f.event.revision) == asked
        ]
        return tuple({fact.actor.id: fact for fact in counted}.values())

    async def _link(
        self, row: OutboxRow, notification: Notification, stored: Stored, directory: Snapshot
    ) -> str:
        """This person's personal link to the task in its current state; "" if there is nothing for them to answer."""
        task = stored.intent.open
        if not isinstance(task, Task):
            return ""
        if notification.kind is NotificationKind.PROGRESS:
            now, approvers = self._clock.now(), self._approvers
            able = await self._off_loop.run(
                f"messages {row.workspace}", lambda: approvers.of(stored.intent, task, directory, now)
            )
            if is_team(row.target):
                waits = any(row.target in one.names and asks_still(task, one.person, able) for one in able)
            else:
                waits = asks_still(task, row.target, able)
            if not waits:
                return ""
        elif notification.kind not in ASKING:
            return ""
        if is_team(row.target):  # many people read this message, so each must sign in to open the task
            return f"{self._base_url()}/tasks/{step_run_id(row.intent, task.step_run)}"
        ends = ends_at(stored.intent, task)
        # no longer than the task: after its end there is nothing to answer
        life = TASK_LINK if ends is None else min(TASK_LINK, ends - self._clock.now())
        token = await self._sessions.task_link(
            row.workspace, row.target, row.intent, task.step_run, task.digest, max(life, timedelta(0))
        )
        return f"{self._base_url()}/t/{token}"

    # -- outcomes

    async def switch(self, item: PersonNotification, outcome: NextChannel) -> None:
        now = self._clock.now()
        row = row_to(item.row, item.row.target, outcome.channel, now, item.notification)
        await self._failed(item, outcome.reason, [row], None)

    async def dead(self, item: PersonNotification, outcome: Dead) -> bool:
        asks = item.notification.kind in ASKING
        nobody = nobody_reached_row(item.row, self._clock.now()) if asks else None
        await self._failed(item, outcome.reason, [], nobody)
        return False

    async def _failed(
        self, item: PersonNotification, reason: str, instead: Sequence[OutboxRow], nobody: OutboxRow | None
    ) -> None:
        row, notification, now = item.row, item.notification, self._clock.now()
        messages = [message_of(out, notification, now) for out in instead]
        result = SendResult(row.id, row.intent, FAILED, row.attempts + 1, now, error=reason)
        await self._store.messages.fail(
            result, ExpandedNotification(row, instead, messages), nobody, notification.step_run
        )

    async def next_channel(self, item: PersonNotification) -> str:
        """ "" also for a message about a decision, which must use the channel of the message that asked."""
        row = item.row
        try:
            directory = await self._directory.of(row.workspace)
        except NotFound:
            return ""
        person = directory.people.get(row.target)
        if person is None:
            return ""
        # elsewhere it would announce the end of a question that was never asked there
        if item.notification.kind in FOLLOWING and (row.target, row.channel) in await self.recipients.asked(
            item.notification
        ):
            return ""
        chain = channels_for(person, await self._channels.addresses(self._store, directory))
        return next(iter(chain[chain.index(row.channel) + 1 :]), "") if row.channel in chain else ""


def _has_card(message: Message) -> bool:
    """Whether it was sent as a separate message, not within a roundup."""
    return message.state == SENT and bool(message.reference)


def _still_due(row: OutboxRow, notification: Notification, intent: Intent, directory: Snapshot) -> bool:
    """Whether the message still has a recipient and a subject; it may have waited through a night or an outage."""
    if not (is_team(row.target) or row.target in directory.active_people):
        return False
    if notification.kind is NotificationKind.PROGRESS:
        # after the task, the message about the decision rewrites the earlier ones
        return isinstance(intent.open, Task) and intent.open.step_run == notification.step_run
    about_now = notification.kind in ASKING or notification.kind is NotificationKind.CHANGED
    return not about_now or current(notification, intent, row.target)
