"""Notices for people. One row a notice is expanded once into one row for each person and channel; each is sent, tried
again with growing pauses, and handed to the person's next channel when one has failed for good. When nobody can be told
by any channel, the task's ladder moves on.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import system
from signoff.core.errors import Busy, NotFound, Refused, TooMany
from signoff.core.formats.manifest import EMAIL
from signoff.core.ids import step_run_id
from signoff.core.intent.commands import ReportUnreachable
from signoff.core.intent.events import Answered, Commented, Fact
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.notifications import Notification, NotificationKind
from signoff.core.intent.snoozed import quiet, snooze_of
from signoff.core.intent.upcoming import ContactKind
from signoff.core.intent.wake import began_at, ends_at
from signoff.engine.clock import Clock
from signoff.engine.commit.engine import Engine
from signoff.engine.commit.jobs import Idempotency
from signoff.engine.delivery.compose import Writer
from signoff.engine.delivery.recipients import Recipient, Told, audience, current, unheard, ways
from signoff.engine.delivery.retry_policy import PERSON, after, while_waiting
from signoff.engine.directory.contact_schedule import waits_for
from signoff.engine.directory.snapshot import Directory, Snapshot
from signoff.engine.identity.rate_limit import Limit
from signoff.engine.identity.sessions import TASK_LINK, Sessions
from signoff.notify.channel import NotSent, Personal
from signoff.notify.letter import ASKING
from signoff.store.store import Store
from signoff.store.tables.messages import (
    FAILED,
    SENT,
    SKIPPED,
    WAITING,
    ExpandedNotification,
    Message,
    Result,
)
from signoff.store.work import OutboxRow, Stored

log = logging.getLogger("signoff.messenger")

PEOPLE: Final = "people"
NOBODY: Final = "nobody"
_MOST_WAITING: Final = 10_000
_SAID_OF: Final = {
    ContactKind.OPENING: NotificationKind.TASK_OPENED, ContactKind.REMINDER: NotificationKind.REMINDER,
    ContactKind.ESCALATION: NotificationKind.ESCALATED,
}  # fmt: skip
_NOTICE = msgspec.json.Decoder(Notification)

Reach = Mapping[str, Mapping[str, str]]


class NotYetError(Exception):
    """What came before is still on its way: news of its end must not overtake it."""


class _TooManyRemindersError(Exception):
    """One more reminder would be no help to this person."""


class Messenger:
    """``channels``: those that reach one person at a time, by name."""

    def __init__(
        self, engine: Engine, store: Store, directory: Directory, sessions: Sessions, clock: Clock,
        channels: Mapping[str, Personal], base_url: Callable[[], str],
    ) -> None:  # fmt: skip
        self._engine = engine
        self._store = store
        self._directory = directory
        self._sessions = sessions
        self._clock = clock
        self.channels = channels
        self._base_url = base_url
        self._waiting: dict[str, int] = {}  # what waits for an earlier message -> how often it was looked at
        self._reminders: Limit | None = None
        self._counted: dict[
            str, None
        ] = {}  # the reminders that count, however often the other side asks to wait

    def limit_reminders(self, most: int) -> None:
        """One person gets so many within an hour, and no more; 0 is no limit."""
        self._reminders = Limit(most, timedelta(hours=1)) if most else None

    # -- who hears of it

    async def expand(self, rows: Sequence[OutboxRow]) -> None:
        """One row for each person and channel in the place of each of these, all in one transaction."""
        reach: dict[str, Reach] = {}
        expansions = []
        for row in rows:
            notification = _NOTICE.decode(row.notification)
            stored = await self._store.intents.get(row.intent)
            if stored is None:  # forgotten meanwhile
                expansions.append(ExpandedNotification(row.id, (), ()))
                continue
            directory = await self._directory.of(row.workspace)
            if row.workspace not in reach:
                reach[row.workspace] = await self.reach(directory)
            told = await self._told(notification) if notification.kind is NotificationKind.DECIDED else []
            talkers = await self._talkers(notification)
            people = audience(notification, stored.intent, told, directory, reach[row.workspace], talkers)
            alarm = (
                [_nobody(row, self._clock.now())] if unheard(notification, stored.intent, directory) else []
            )
            expansions.append(self._expansion(row, notification, people, alarm, reach[row.workspace]))
        await self._store.messages.expand(expansions)

    def _expansion(
        self,
        row: OutboxRow,
        notification: Notification,
        people: Sequence[Recipient],
        alarm: Sequence[OutboxRow],
        reach: Reach,
    ) -> ExpandedNotification:
        now = self._clock.now()
        reachable = [one for one in people if one.ways]
        rows = [
            _row_at(row, notification, one, now) if one.later else _row_to(row, one.person, one.ways[0], now)
            for one in reachable
        ]
        messages = [
            replace(
                _message(out, notification, out.due_at), target=reach.get(out.channel, {}).get(out.target, "")
            )
            for out in rows
        ]
        if not reachable and people:
            log.warning("nobody has an address for a channel that is set up: %s", notification.intent)
        for one in people:
            if not one.ways:
                lost = _message(_row_to(row, one.person, "none", now), notification, now)
                messages.append(
                    replace(lost, state=FAILED, error="no address for any channel that is set up")
                )
        return ExpandedNotification(row.id, [*rows, *alarm], messages)

    async def reach(self, directory: Snapshot) -> Reach:
        """The addresses of the people of a workspace, by channel."""
        reach: dict[str, Mapping[str, str]] = {}
        for channel in self.channels:
            if channel == EMAIL:
                reach[channel] = {
                    p.id: address for p in directory.people.values() if (address := p.mail_address)
                }
            else:
                linked = await self._store.chats.people(channel, directory.workspace.id)
                reach[channel] = {person: link.account for person, link in linked.items()}
        return reach

    async def _address(self, directory: Snapshot, channel: str, person: str) -> str:
        if channel == EMAIL:
            return directory.people[person].mail_address
        link = (await self._store.chats.people(channel, directory.workspace.id)).get(person)
        return link.account if link else ""

    async def _told(self, notification: Notification) -> Told:
        """Who was asked, or is about to be, and by what channel."""
        sent = await self._store.messages.of_task(notification.intent, notification.step_run)
        asking = {kind.value for kind in ASKING}
        now = self._clock.now()  # what waits for somebody's working hours has told them nothing yet
        under_way = [m for m in sent if m.state == SENT or (m.state == WAITING and m.at <= now)]
        return [(m.person, m.channel) for m in under_way if m.kind in asking]

    async def _talkers(self, notification: Notification) -> set[str]:
        """Who had said something about the task by then."""
        if notification.kind is not NotificationKind.COMMENTED:
            return set()
        facts = await self._facts(notification)
        return {
            f.actor.id
            for f in facts
            if isinstance(f.event, Commented) and f.event.step_run == notification.step_run
        }

    async def _facts(self, notification: Notification) -> list[Fact]:
        """What had happened by then."""
        rows = await self._store.intents.history(notification.intent)
        return [unseal(row.body, row.private) for row in rows if row.seq <= notification.seq]

    # -- one message

    async def carry(self, row: OutboxRow) -> Result | None:
        """Send one row; how it ended, or None when it is to be tried again or was handed on."""
        notification = _NOTICE.decode(row.notification)
        tried = row.attempts + 1
        try:
            sent = await self._deliver(row, notification)
        except NotYetError:
            pause = while_waiting(self._waits(row.id))
            await self._store.outbox.back([row.id], self._clock.now() + pause)
            return None
        except NotSent as failure:
            await self._failed(row, notification, failure)
            return None
        except _TooManyRemindersError:
            why = "too many reminders to this person within an hour"
            return Result(row.id, SKIPPED, tried, self._clock.now(), error=why)
        except Busy:  # our own database's trouble says nothing about the channel
            raise
        except Exception:
            log.exception("channel %s broke", row.channel)
            await self._failed(row, notification, NotSent("the channel broke; see the server's log"))
            return None
        self._waiting.pop(row.id, None)
        if sent is None:
            return Result(row.id, SKIPPED, tried, self._clock.now())
        reference, to = sent
        return Result(row.id, SENT, tried, self._clock.now(), reference, target=to)

    def _waits(self, id: str) -> int:
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.clear()
        self._waiting[id] = self._waiting.get(id, 0) + 1
        return self._waiting[id]

    async def _deliver(self, row: OutboxRow, notification: Notification) -> tuple[str, str] | None:
        """What the provider calls the message, and where it went; None when there is nothing to say any more."""
        channel = self.channels.get(row.channel)
        if channel is None:
            raise NotSent(f"the channel {row.channel!r} is not set up", permanent=True)
        stored = await self._store.intents.get(row.intent)
        directory = await self._directory.of(row.workspace)
        if stored is None or row.target not in directory.active_people:
            return None
        earlier = await self._earlier(row, notification)
        about_now = notification.kind in ASKING or notification.kind is NotificationKind.CHANGED
        if earlier is None or (about_now and not current(notification, stored.intent, row.target)):
            return None
        if notification.kind in ASKING:
            as_asked = self._for_whoever_put_it_off(row, notification, stored.intent, directory)
            if as_asked is None:
                return None
            notification = as_asked
            self._count_reminder(row, notification)
        to = await self._address(directory, row.channel, row.target)
        if not to:
            raise NotSent(f"there is no {row.channel} address any more", permanent=True)
        link = await self._link(row, notification, stored)
        revised = stored.intent.revision > 1
        old = await self._store.intents.old_payloads(row.intent) if revised else None
        writer = Writer(
            row, notification, stored, directory, self._base_url(), await self._answers(notification), old
        )
        letter = writer.letter(row.target, to, link, earlier, self._clock.now())
        return await channel.deliver(letter), to

    def _count_reminder(self, row: OutboxRow, notification: Notification) -> None:
        """Only reminders are ever left out: what asks somebody for the first time, and who is asked instead, is not."""
        if self._reminders is None or notification.kind is not NotificationKind.REMINDER:
            return
        if row.attempts or row.id in self._counted:
            return
        try:
            self._reminders.check(row.target, self._clock.now())
        except TooMany:
            raise _TooManyRemindersError from None
        if len(self._counted) >= _MOST_WAITING:
            self._counted.clear()
        self._counted[row.id] = None

    def _for_whoever_put_it_off(
        self, row: OutboxRow, notification: Notification, intent: Intent, directory: Snapshot
    ) -> Notification | None:
        """What is still to be said to a person who may have put the task off; None for nothing."""
        task, person = intent.open, row.target
        if (
            not isinstance(task, Task)
            or not snooze_of(task, person)
            or notification.kind is NotificationKind.SNOOZE_ENDED
        ):
            return notification
        if row.id != _id(row.intent, row.seq, person, row.channel):  # it waited for their working hours
            due = waits_for(intent, task, directory, person, self._clock.now())
            return replace(notification, kind=_SAID_OF[due.kind], number=due.number) if due else None
        reminder = notification.kind is NotificationKind.REMINDER
        put_off = quiet(task, person, reminder=reminder, called_at=notification.at, told_at=notification.at)
        return None if put_off else notification

    async def _earlier(self, row: OutboxRow, notification: Notification) -> tuple[str, ...] | None:
        """References of the person's former messages in this channel; None when news is for who was never asked."""
        if notification.kind is not NotificationKind.DECIDED:
            return ()
        sent = await self._store.messages.of_task(notification.intent, notification.step_run)
        asking = {kind.value for kind in ASKING}
        mine = [m for m in sent if m.person == row.target and m.kind in asking]
        here = [m for m in mine if m.channel == row.channel]
        if any(m.state == WAITING and m.at <= self._clock.now() for m in here):
            raise NotYetError
        references = tuple(dict.fromkeys(m.reference for m in here if m.state == SENT))
        return None if mine and not references else references

    async def _answers(self, notification: Notification) -> Sequence[Fact]:
        """What was answered until it was decided, or until a revision made it void: of each person the last; or what
        was just said.
        """
        if notification.kind is NotificationKind.COMMENTED:
            return [fact for fact in await self._facts(notification) if fact.seq == notification.seq]
        void = notification.kind in (NotificationKind.REVISED, NotificationKind.CHANGED)
        if notification.kind is not NotificationKind.DECIDED and not (void and notification.voided):
            return ()
        facts = await self._facts(notification)
        asked = (notification.step_run, notification.revision - void)
        counted = [
            f
            for f in facts
            if isinstance(f.event, Answered) and (f.event.step_run, f.event.revision) == asked
        ]
        return tuple({fact.actor.id: fact for fact in counted}.values())

    async def _link(self, row: OutboxRow, notification: Notification, stored: Stored) -> str:
        """A link of this person's own to the task as it is now; "" where there is nothing to answer."""
        task = stored.intent.open
        if notification.kind not in ASKING or not isinstance(task, Task):
            return ""
        ends = ends_at(stored.intent, task)
        life = TASK_LINK if ends is None else min(TASK_LINK, ends - self._clock.now())
        token = await self._sessions.task_link(
            row.workspace, row.target, row.intent, task.step_run, task.digest, max(life, timedelta(0))
        )
        return f"{self._base_url()}/t/{token}"

    # -- what did not arrive

    async def _heard(self, notification: Notification, since: datetime) -> bool:
        """Whether somebody was asked, since the stage began."""
        asking = {kind.value for kind in ASKING}
        told = await self._store.messages.of_task(notification.intent, notification.step_run)
        return any(m.state == SENT and m.kind in asking and m.at >= since for m in told)

    async def _failed(self, row: OutboxRow, notification: Notification, failure: NotSent) -> None:
        now, tried = self._clock.now(), row.attempts + 1
        other = await self._other_way(row, notification)
        retry = after(PERSON, tried, failure, other=bool(other))
        if retry is None or retry.counted:
            log.warning("%s to %s: attempt %d failed: %s", row.channel, row.target, tried, failure.reason)
        if retry is not None:
            await self._store.messages.tried(
                row.id, tried if retry.counted else row.attempts, failure.reason, now
            )
            if retry.counted:
                await self._store.outbox.again(row.id, now + retry.pause, failure.reason)
            else:
                await self._store.outbox.back([row.id], now + retry.pause)
            return
        rows = [_row_to(row, row.target, other, now)] if other else []
        instead = ExpandedNotification(row.id, rows, [_message(out, notification, now) for out in rows])
        nobody = _nobody(row, now) if notification.kind in ASKING and not other else None
        result = Result(row.id, FAILED, tried, now, error=failure.reason)
        await self._store.messages.fail(result, instead, nobody, notification.step_run)

    async def _other_way(self, row: OutboxRow, notification: Notification) -> str:
        """The person's next channel after this one; "" when there is none, or news must follow what was sent here."""
        try:
            directory = await self._directory.of(row.workspace)
        except NotFound:
            return ""
        person = directory.people.get(row.target)
        if person is None:
            return ""
        if notification.kind is NotificationKind.DECIDED and (row.target, row.channel) in await self._told(
            notification
        ):
            return ""
        chain = ways(person, await self.reach(directory))
        return next(iter(chain[chain.index(row.channel) + 1 :]), "") if row.channel in chain else ""

    async def give_up(self, row: OutboxRow) -> None:
        """Nobody heard of it: the ladder moves on, once, however often this is asked."""
        notification = _NOTICE.decode(row.notification)
        stored = await self._store.intents.get(row.intent)
        if stored is None:
            return
        directory = await self._directory.of(row.workspace)
        empty = unheard(notification, stored.intent, directory)
        reason = "there is nobody to tell" if empty else "no message about it reached anybody"
        task = stored.intent.open
        command = ReportUnreachable(
            notification.step_run, reason, notification.stage,
            level=notification.number if notification.kind is NotificationKind.ESCALATED else getattr(task,
            "escalated", 0),
            heard=isinstance(task, Task) and await self._heard(notification, began_at(task)),
        )  # fmt: skip
        log.warning("nobody hears of %s: %s", step_run_id(notification.intent, notification.step_run), reason)
        once = Idempotency("courier", row.id, row.id, lambda change: b"{}")
        try:
            await self._engine.handle(
                system(row.workspace), step_run_id(notification.intent, notification.step_run), command, once
            )
        except Busy:  # not heard: the row stays, or the ladder would stand still
            raise
        except Refused as refusal:  # the intent moved on meanwhile
            log.info("unreachable %s: %s", notification.intent, refusal)


def _id(*parts: object) -> str:
    """The same parts, the same id: what is expanded again after a crash is the same row."""
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def _row_to(row: OutboxRow, person: str, channel: str, now: datetime) -> OutboxRow:
    id = _id(row.intent, row.seq, person, channel)
    return OutboxRow(id, row.workspace, row.intent, row.seq, channel, person, row.notification, now)


def _row_at(row: OutboxRow, notification: Notification, one: Recipient, now: datetime) -> OutboxRow:
    """A message that waits for somebody's working hours. Several about one question become one: they are one row."""
    id = _id(
        row.intent, notification.step_run, notification.stage, notification.revision, one.person, one.later
    )
    due_at = max(now, one.later or now)
    return replace(_row_to(row, one.person, one.ways[0], due_at), id=id)


def _nobody(row: OutboxRow, now: datetime) -> OutboxRow:
    id = _id(row.intent, row.seq, NOBODY)
    return OutboxRow(id, row.workspace, row.intent, row.seq, NOBODY, "", row.notification, now)


def _message(row: OutboxRow, notification: Notification, now: datetime) -> Message:
    return Message(
        id=row.id, workspace=row.workspace, intent_id=row.intent, visit=notification.step_run, seq=row.seq,
        kind=notification.kind.value, person=row.target, channel=row.channel, at=now, called_at=notification.at,
    )  # fmt: skip
