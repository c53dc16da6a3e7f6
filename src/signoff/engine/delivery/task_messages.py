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

from signoff.core.errors import Busy, NotFound, Refused, TooMany
from signoff.core.formats.manifest import EMAIL
from signoff.core.ids import visit_ref
from signoff.core.intent.commands import Unreachable
from signoff.core.intent.events import Answered, Fact, Remarked
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Intent, Task, system
from signoff.core.intent.notices import Notice, NoticeKind
from signoff.core.intent.snoozed import quiet, snooze_of
from signoff.core.intent.upcoming import ContactKind
from signoff.core.intent.wake import began_at, ends_at
from signoff.engine.clock import Clock
from signoff.engine.commit.engine import Engine
from signoff.engine.commit.jobs import Once
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
from signoff.store.tables.messages import FAILED, SENT, SKIPPED, WAITING, Expansion, Message, Result
from signoff.store.work import Outgoing, Stored

log = logging.getLogger("signoff.messenger")

PEOPLE: Final = "people"
NOBODY: Final = "nobody"
_MOST_WAITING: Final = 10_000
_SAID_OF: Final = {
    ContactKind.OPENING: NoticeKind.TASK_OPENED, ContactKind.REMINDER: NoticeKind.REMINDER,
    ContactKind.ESCALATION: NoticeKind.ESCALATED,
}  # fmt: skip
_NOTICE = msgspec.json.Decoder(Notice)

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

    async def expand(self, rows: Sequence[Outgoing]) -> None:
        """One row for each person and channel in the place of each of these, all in one transaction."""
        reach: dict[str, Reach] = {}
        expansions = []
        for row in rows:
            notice = _NOTICE.decode(row.notice)
            stored = await self._store.intents.get(row.intent)
            if stored is None:  # forgotten meanwhile
                expansions.append(Expansion(row.id, (), ()))
                continue
            book = await self._directory.of(row.workspace)
            if row.workspace not in reach:
                reach[row.workspace] = await self.reach(book)
            told = await self._told(notice) if notice.kind is NoticeKind.DECIDED else []
            talkers = await self._talkers(notice)
            people = audience(notice, stored.intent, told, book, reach[row.workspace], talkers)
            alarm = [_nobody(row, self._clock.now())] if unheard(notice, stored.intent, book) else []
            expansions.append(self._expansion(row, notice, people, alarm, reach[row.workspace]))
        await self._store.messages.expand(expansions)

    def _expansion(
        self,
        row: Outgoing,
        notice: Notice,
        people: Sequence[Recipient],
        alarm: Sequence[Outgoing],
        reach: Reach,
    ) -> Expansion:
        now = self._clock.now()
        reachable = [one for one in people if one.ways]
        rows = [
            _row_at(row, notice, one, now) if one.later else _row_to(row, one.person, one.ways[0], now)
            for one in reachable
        ]
        messages = [
            replace(_message(out, notice, out.due_at), target=reach.get(out.channel, {}).get(out.target, ""))
            for out in rows
        ]
        if not reachable and people:
            log.warning("nobody has an address for a channel that is set up: %s", notice.intent)
        for one in people:
            if not one.ways:
                lost = _message(_row_to(row, one.person, "none", now), notice, now)
                messages.append(
                    replace(lost, state=FAILED, error="no address for any channel that is set up")
                )
        return Expansion(row.id, [*rows, *alarm], messages)

    async def reach(self, book: Snapshot) -> Reach:
        """The addresses of the people of a workspace, by channel."""
        reach: dict[str, Mapping[str, str]] = {}
        for channel in self.channels:
            if channel == EMAIL:
                reach[channel] = {p.id: address for p in book.people.values() if (address := p.mail_address)}
            else:
                linked = await self._store.chats.people(channel, book.workspace.id)
                reach[channel] = {person: link.account for person, link in linked.items()}
        return reach

    async def _address(self, book: Snapshot, channel: str, person: str) -> str:
        if channel == EMAIL:
            return book.people[person].mail_address
        link = (await self._store.chats.people(channel, book.workspace.id)).get(person)
        return link.account if link else ""

    async def _told(self, notice: Notice) -> Told:
        """Who was asked, or is about to be, and by what channel."""
        sent = await self._store.messages.of_task(notice.intent, notice.visit)
        asking = {kind.value for kind in ASKING}
        now = self._clock.now()  # what waits for somebody's working hours has told them nothing yet
        under_way = [m for m in sent if m.state == SENT or (m.state == WAITING and m.at <= now)]
        return [(m.person, m.channel) for m in under_way if m.kind in asking]

    async def _talkers(self, notice: Notice) -> set[str]:
        """Who had said something about the task by then."""
        if notice.kind is not NoticeKind.REMARKED:
            return set()
        facts = await self._facts(notice)
        return {f.actor.id for f in facts if isinstance(f.event, Remarked) and f.event.visit == notice.visit}

    async def _facts(self, notice: Notice) -> list[Fact]:
        """What had happened by then."""
        rows = await self._store.intents.history(notice.intent)
        return [unseal(row.body, row.private) for row in rows if row.seq <= notice.seq]

    # -- one message

    async def carry(self, row: Outgoing) -> Result | None:
        """Send one row; how it ended, or None when it is to be tried again or was handed on."""
        notice = _NOTICE.decode(row.notice)
        tried = row.attempts + 1
        try:
            sent = await self._deliver(row, notice)
        except NotYetError:
            pause = while_waiting(self._waits(row.id))
            await self._store.outbox.back([row.id], self._clock.now() + pause)
            return None
        except NotSent as failure:
            await self._failed(row, notice, failure)
            return None
        except _TooManyRemindersError:
            why = "too many reminders to this person within an hour"
            return Result(row.id, SKIPPED, tried, self._clock.now(), error=why)
        except Busy:  # our own database's trouble says nothing about the channel
            raise
        except Exception:
            log.exception("channel %s broke", row.channel)
            await self._failed(row, notice, NotSent("the channel broke; see the server's log"))
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

    async def _deliver(self, row: Outgoing, notice: Notice) -> tuple[str, str] | None:
        """What the provider calls the message, and where it went; None when there is nothing to say any more."""
        channel = self.channels.get(row.channel)
        if channel is None:
            raise NotSent(f"the channel {row.channel!r} is not set up", permanent=True)
        stored = await self._store.intents.get(row.intent)
        book = await self._directory.of(row.workspace)
        if stored is None or row.target not in book.standing:
            return None
        earlier = await self._earlier(row, notice)
        about_now = notice.kind in ASKING or notice.kind is NoticeKind.CHANGED
        if earlier is None or (about_now and not current(notice, stored.intent, row.target)):
            return None
        if notice.kind in ASKING:
            as_asked = self._for_whoever_put_it_off(row, notice, stored.intent, book)
            if as_asked is None:
                return None
            notice = as_asked
            self._count_reminder(row, notice)
        to = await self._address(book, row.channel, row.target)
        if not to:
            raise NotSent(f"there is no {row.channel} address any more", permanent=True)
        link = await self._link(row, notice, stored)
        revised = stored.intent.revision > 1
        old = await self._store.intents.old_payloads(row.intent) if revised else None
        writer = Writer(row, notice, stored, book, self._base_url(), await self._answers(notice), old)
        letter = writer.letter(row.target, to, link, earlier, self._clock.now())
        return await channel.deliver(letter), to

    def _count_reminder(self, row: Outgoing, notice: Notice) -> None:
        """Only reminders are ever left out: what asks somebody for the first time, and who is asked instead, is not."""
        if self._reminders is None or notice.kind is not NoticeKind.REMINDER:
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
        self, row: Outgoing, notice: Notice, intent: Intent, book: Snapshot
    ) -> Notice | None:
        """What is still to be said to a person who may have put the task off; None for nothing."""
        task, person = intent.open, row.target
        if not isinstance(task, Task) or not snooze_of(task, person) or notice.kind is NoticeKind.SNOOZE_OVER:
            return notice
        if row.id != _id(row.intent, row.seq, person, row.channel):  # it waited for their working hours
            due = waits_for(intent, task, book, person, self._clock.now())
            return replace(notice, kind=_SAID_OF[due.kind], number=due.number) if due else None
        reminder = notice.kind is NoticeKind.REMINDER
        put_off = quiet(task, person, reminder=reminder, called_at=notice.at, told_at=notice.at)
        return None if put_off else notice

    async def _earlier(self, row: Outgoing, notice: Notice) -> tuple[str, ...] | None:
        """References of the person's former messages in this channel; None when news is for who was never asked."""
        if notice.kind is not NoticeKind.DECIDED:
            return ()
        sent = await self._store.messages.of_task(notice.intent, notice.visit)
        asking = {kind.value for kind in ASKING}
        mine = [m for m in sent if m.person == row.target and m.kind in asking]
        here = [m for m in mine if m.channel == row.channel]
        if any(m.state == WAITING and m.at <= self._clock.now() for m in here):
            raise NotYetError
        references = tuple(dict.fromkeys(m.reference for m in here if m.state == SENT))
        return None if mine and not references else references

    async def _answers(self, notice: Notice) -> Sequence[Fact]:
        """What was answered until it was decided, or until a revision made it void: of each person the last; or what
        was just said.
        """
        if notice.kind is NoticeKind.REMARKED:
            return [fact for fact in await self._facts(notice) if fact.seq == notice.seq]
        void = notice.kind in (NoticeKind.REVISED, NoticeKind.CHANGED)
        if notice.kind is not NoticeKind.DECIDED and not (void and notice.voided):
            return ()
        facts = await self._facts(notice)
        asked = (notice.visit, notice.revision - void)
        counted = [
            f for f in facts if isinstance(f.event, Answered) and (f.event.visit, f.event.revision) == asked
        ]
        return tuple({fact.actor.id: fact for fact in counted}.values())

    async def _link(self, row: Outgoing, notice: Notice, stored: Stored) -> str:
        """A link of this person's own to the task as it is now; "" where there is nothing to answer."""
        task = stored.intent.open
        if notice.kind not in ASKING or not isinstance(task, Task):
            return ""
        ends = ends_at(stored.intent, task)
        life = TASK_LINK if ends is None else min(TASK_LINK, ends - self._clock.now())
        token = await self._sessions.task_link(
            row.workspace, row.target, row.intent, task.visit, task.digest, max(life, timedelta(0))
        )
        return f"{self._base_url()}/t/{token}"

    # -- what did not arrive

    async def _heard(self, notice: Notice, since: datetime) -> bool:
        """Whether somebody was asked, since the stage began."""
        asking = {kind.value for kind in ASKING}
        told = await self._store.messages.of_task(notice.intent, notice.visit)
        return any(m.state == SENT and m.kind in asking and m.at >= since for m in told)

    async def _failed(self, row: Outgoing, notice: Notice, failure: NotSent) -> None:
        now, tried = self._clock.now(), row.attempts + 1
        other = await self._other_way(row, notice)
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
        instead = Expansion(row.id, rows, [_message(out, notice, now) for out in rows])
        nobody = _nobody(row, now) if notice.kind in ASKING and not other else None
        result = Result(row.id, FAILED, tried, now, error=failure.reason)
        await self._store.messages.fail(result, instead, nobody, notice.visit)

    async def _other_way(self, row: Outgoing, notice: Notice) -> str:
        """The person's next channel after this one; "" when there is none, or news must follow what was sent here."""
        try:
            book = await self._directory.of(row.workspace)
        except NotFound:
            return ""
        person = book.people.get(row.target)
        if person is None:
            return ""
        if notice.kind is NoticeKind.DECIDED and (row.target, row.channel) in await self._told(notice):
            return ""
        chain = ways(person, await self.reach(book))
        return next(iter(chain[chain.index(row.channel) + 1 :]), "") if row.channel in chain else ""

    async def give_up(self, row: Outgoing) -> None:
        """Nobody heard of it: the ladder moves on, once, however often this is asked."""
        notice = _NOTICE.decode(row.notice)
        stored = await self._store.intents.get(row.intent)
        if stored is None:
            return
        book = await self._directory.of(row.workspace)
        empty = unheard(notice, stored.intent, book)
        reason = "there is nobody to tell" if empty else "no message about it reached anybody"
        task = stored.intent.open
        command = Unreachable(
            notice.visit, reason, notice.stage,
            level=notice.number if notice.kind is NoticeKind.ESCALATED else getattr(task, "escalated", 0),
            heard=isinstance(task, Task) and await self._heard(notice, began_at(task)),
        )  # fmt: skip
        log.warning("nobody hears of %s: %s", visit_ref(notice.intent, notice.visit), reason)
        once = Once("courier", row.id, row.id, lambda change: b"{}")
        try:
            await self._engine.handle(
                system(row.workspace), visit_ref(notice.intent, notice.visit), command, once
            )
        except Busy:  # not heard: the row stays, or the ladder would stand still
            raise
        except Refused as refusal:  # the intent moved on meanwhile
            log.info("unreachable %s: %s", notice.intent, refusal)


def _id(*parts: object) -> str:
    """The same parts, the same id: what is expanded again after a crash is the same row."""
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def _row_to(row: Outgoing, person: str, channel: str, now: datetime) -> Outgoing:
    id = _id(row.intent, row.seq, person, channel)
    return Outgoing(id, row.workspace, row.intent, row.seq, channel, person, row.notice, now)


def _row_at(row: Outgoing, notice: Notice, one: Recipient, now: datetime) -> Outgoing:
    """A message that waits for somebody's working hours. Several about one question become one: they are one row."""
    id = _id(row.intent, notice.visit, notice.stage, notice.revision, one.person, one.later)
    due_at = max(now, one.later or now)
    return replace(_row_to(row, one.person, one.ways[0], due_at), id=id)


def _nobody(row: Outgoing, now: datetime) -> Outgoing:
    id = _id(row.intent, row.seq, NOBODY)
    return Outgoing(id, row.workspace, row.intent, row.seq, NOBODY, "", row.notice, now)


def _message(row: Outgoing, notice: Notice, now: datetime) -> Message:
    return Message(
        id=row.id, workspace=row.workspace, intent_id=row.intent, visit=notice.visit, seq=row.seq,
        kind=notice.kind.value, person=row.target, channel=row.channel, at=now, called_at=notice.at,
    )  # fmt: skip
