"""The outbox -> the channels. A row is taken for a while, sent, and finished after the send: at least once, with a
stable id in the message. Failures are tried again with growing pauses, and recorded; a push that fails is the
intent's own matter (its attempts are counted in its state). Sends are independent: a turn waits for what is quick,
and what is slow goes on beside the next turns.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from signoff.core.directory.actors import system
from signoff.core.errors import Busy, Refused
from signoff.core.ids import step_run_id
from signoff.core.intent.commands import AcceptPush, Command, FailPush
from signoff.core.intent.notifications import Notification, NotificationKind
from signoff.engine.admin.proposals import NEWS, News
from signoff.engine.clock import Clock
from signoff.engine.commit.engine import Engine
from signoff.engine.delivery.concurrency import NoPlaceError, Places
from signoff.engine.delivery.retry_policy import LATER, SERVICE, SET_ASIDE, after
from signoff.engine.delivery.task_messages import NOBODY, PEOPLE, Messenger
from signoff.engine.directory.snapshot import Directory
from signoff.notify.apprise import Apprise
from signoff.notify.channel import Channel, NotSent, Personal, Target
from signoff.notify.message import render
from signoff.notify.outbound.post import host_of, shown_url
from signoff.store.store import Store
from signoff.store.tables.messages import SENT, Message, Result
from signoff.store.work import OutboxRow

log = logging.getLogger("signoff.courier")

PUSH: Final = "push"
WEBHOOK: Final = "webhook"
APPRISE: Final = "apprise"
SERVICES: Final = (WEBHOOK, APPRISE)  # what is told once for everybody, not each person apart
_AT_ONCE: Final = 50
_UNDER_WAY: Final = 400
_PUSHES_UNDER_WAY: Final = 200  # their URLs are chosen by many; so there is always room for people
_HOLD: Final = timedelta(seconds=60)
_PAUSE: Final = 1.0
_TURN: Final = 0.25
UNREADABLE: Final = "this release cannot read it"
_NOTICE = msgspec.json.Decoder(Notification)
_NEWS = msgspec.json.Decoder(News)
Carry = Callable[[OutboxRow], Awaitable[bool]]


class Channels(msgspec.Struct, frozen=True):
    """The registry: channel name -> channel; where webhooks go; the channels that reach one person at a time."""

    by_name: dict[str, Channel]
    webhook: Target = Target()
    personal: dict[str, Personal] = {}

    def route(self, notification: Notification) -> Sequence[tuple[str, str]]:
        """Which channels carry this notice, and to what target."""
        if notification.kind is NotificationKind.PUSH:
            return [(PUSH, notification.to[0])]
        ways: list[tuple[str, str]] = []
        if notification.kind in (
            NotificationKind.CHANGED,
            NotificationKind.SNOOZE_ENDED,
        ):  # some people's own matter
            return [(PEOPLE, "")] if self.personal else []
        if self.webhook.url:
            ways.append((WEBHOOK, shown_url(self.webhook.url)))
        apprise = self.by_name.get(APPRISE)
        if isinstance(apprise, Apprise) and notification.kind is not NotificationKind.FINISHED:
            ways += [(APPRISE, name) for name in apprise.names]
        if self.personal and notification.kind is not NotificationKind.FINISHED:
            ways.append((PEOPLE, ""))
        return ways

    @property
    def set_up(self) -> tuple[str, ...]:
        """The names of the channels that reach people and services here."""
        services = [WEBHOOK] if self.webhook.url else []
        return (*self.personal, *services, *([APPRISE] if APPRISE in self.by_name else []))


class Courier:
    def __init__(
        self, engine: Engine, store: Store, directory: Directory, clock: Clock, channels: Channels,
        base_url: Callable[[], str], messenger: Messenger | None = None,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._store = store
        self._directory = directory
        self._clock = clock
        self._channels = channels
        self._base_url = base_url
        self._messenger = messenger
        self.also: dict[str, Carry] = {}  # who carries the rows of channels that are not for notices
        self._places = Places()
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._done: list[str] = []
        self._ended: list[Result] = []
        self._arrived: list[Message] = []
        self._crowded: list[str] = []
        self._aside: list[tuple[OutboxRow, str]] = []
        self._trouble: Busy | None = None

    async def once(self) -> float:
        """Send what is due; seconds until it is worth looking again."""
        room = _UNDER_WAY - len(self._under_way)
        rows = await self._store.outbox.due(min(_AT_ONCE, room), _HOLD) if room else []
        people = [row for row in rows if row.channel == PEOPLE]
        begun = [task for row in rows if row.channel != PEOPLE and (task := await self._begin(row))]
        if self._messenger and people:
            await self._expand(self._messenger, people)
        if begun or not room:
            await asyncio.wait(begun or self._under_way, timeout=_TURN)
        await self._note()
        return 0.0 if rows or not room else _TURN if self._under_way else _PAUSE

    async def _expand(self, messenger: Messenger, rows: Sequence[OutboxRow]) -> None:
        """All of them together; where one is in the way, each by itself, so that it stops nothing else."""
        try:
            await messenger.expand(rows)
        except Busy:
            raise
        except Exception as error:
            if len(rows) == 1:
                self._set_aside(rows[0], error)
                return
            for row in rows:
                await self._expand(messenger, [row])

    def _set_aside(self, row: OutboxRow, error: Exception) -> None:
        if isinstance(error, msgspec.MsgspecError):
            reason = UNREADABLE
            log.warning(
                "a message in the outbox (%s, over %s) cannot be read by this release", row.id, row.channel
            )
        else:
            reason = f"a fault of the server: {type(error).__name__}; see its log"
            log.error(
                "a message in the outbox (%s, over %s) is set aside", row.id, row.channel, exc_info=error
            )
        self._aside.append((row, reason))

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self._note()

    async def close(self, patience: float = 2.0) -> None:
        """Let what is under way arrive for a moment; the rest is sent again by whoever starts next."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=patience)
        await self._note()
        await self.abandon()

    async def abandon(self) -> None:
        """Drop what is under way, as a crash would."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _note(self) -> None:
        """Note what is over: together, as a commit for each would take the disk from those who wait for theirs."""
        done, ended, crowded = tuple(self._done), tuple(self._ended), tuple(self._crowded)
        arrived = tuple(self._arrived)
        if done or ended or arrived:
            await self._store.messages.end(ended, done, arrived)
            del self._done[: len(done)], self._ended[: len(ended)], self._arrived[: len(arrived)]
        if crowded:
            await self._store.outbox.back(crowded, self._clock.now() + LATER)
            del self._crowded[: len(crowded)]
        while self._aside:
            row, reason = self._aside[0]
            await self._store.outbox.aside(row.id, self._clock.now() + SET_ASIDE, reason)
            del self._aside[0]
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble

    async def _begin(self, row: OutboxRow) -> asyncio.Task[None] | None:
        """The row's sending, beside all others; None where too much is on its way there already."""
        where = await self._where(row)
        pushes = sum(channel == PUSH for channel in self._under_way.values())
        if (row.channel == PUSH and pushes >= _PUSHES_UNDER_WAY) or not self._places.join(where):
            self._crowded.append(row.id)
            return None

        def over(task: asyncio.Task[None]) -> None:
            del self._under_way[task]
            self._places.leave(where)

        task = asyncio.create_task(self._bring(row, where))
        self._under_way[task] = row.channel
        task.add_done_callback(over)
        return task

    async def _where(self, row: OutboxRow) -> str:
        """Whose places the row takes: the channel's, or the host's of a push."""
        if row.channel != PUSH:
            return row.channel
        with contextlib.suppress(NotSent, Refused):
            return f"{PUSH} {host_of((await self._target(row)).url)}"
        return PUSH

    async def _bring(self, row: OutboxRow, where: str) -> None:
        try:
            async with self._places.turn(where):
                over = await self._carry(row)
        except NoPlaceError:
            self._crowded.append(row.id)
        except Busy as busy:  # the database's trouble, which is this turn's and no attempt of the row's
            self._crowded.append(row.id)
            self._trouble = busy
        except Exception as error:  # the row's own: it stops nothing else
            self._set_aside(row, error)
        else:
            if isinstance(over, Result):
                self._ended.append(over)
            elif isinstance(over, Message):
                self._arrived.append(over)
            elif over:
                self._done.append(row.id)

    async def _carry(self, row: OutboxRow) -> bool | Result | Message:
        """Whether this row is done with; of a message to one person how it ended, of one to a service what arrived."""
        if row.channel in self.also:
            return await self.also[row.channel](row)
        if self._messenger is not None and row.channel == NOBODY:
            await self._messenger.give_up(row)
            return True
        if self._messenger is not None and row.target.startswith("per_"):
            return await self._messenger.carry(row) or False
        notification = _NOTICE.decode(row.notification)
        channel = self._channels.by_name.get(row.channel)
        try:
            if channel is None:
                raise NotSent(f"the channel {row.channel!r} is not set up", permanent=True)
            message = render(row.id, notification, self._base_url(), await self._name(notification))
            await channel.send(message, await self._target(row))
        except NotSent as failure:
            return await self._failed(row, notification, failure)
        except Busy:  # our own database's trouble says nothing about the channel
            raise
        except Exception:
            log.exception("channel %s broke", row.channel)
            return await self._failed(row, notification, NotSent("the channel broke; see the server's log"))
        if notification.kind is NotificationKind.PUSH:
            await self._tell(row, notification, AcceptPush(notification.step_run, notification.attempt))
            return True
        return message_of(row, notification, SENT, self._clock.now())

    async def _name(self, notification: Notification) -> str:
        """Of whoever decided; "" for what nobody decided."""
        if notification.kind in (NotificationKind.DECIDED, NotificationKind.COMMENTED):
            with contextlib.suppress(Refused):
                return (await self._directory.of(notification.workspace)).display(notification.by)
        return ""

    async def _failed(self, row: OutboxRow, notification: Notification, failure: NotSent) -> bool:
        now, tried = self._clock.now(), row.attempts + 1
        retry = after(SERVICE, tried, failure)
        if retry is not None and not retry.counted:
            await self._store.outbox.back([row.id], now + retry.pause)
            return False
        log.warning("%s to %s: attempt %d failed: %s", row.channel, row.target, tried, failure.reason)
        if notification.kind is NotificationKind.PUSH:
            await self._tell(
                row, notification, FailPush(notification.step_run, notification.attempt, failure.reason)
            )
            return True
        if retry is None:
            await self._store.outbox.dead(row.id, failure.reason)
        else:
            await self._store.outbox.again(row.id, now + retry.pause, failure.reason)
        return False

    async def _tell(self, row: OutboxRow, notification: Notification, command: Command) -> None:
        try:
            await self._engine.handle(
                system(row.workspace), step_run_id(notification.intent, notification.step_run), command
            )
        except Busy:  # not heard: the row stays, or nothing would ever move this step on
            raise
        except Refused as refusal:  # the intent moved on while its push was under way
            log.info("push for %s: %s", notification.intent, refusal)

    async def _target(self, row: OutboxRow) -> Target:
        if row.channel != PUSH:
            return self._channels.webhook if row.channel == WEBHOOK else Target(row.target)
        account = (await self._directory.of(row.workspace)).by_address.get(row.target)
        if account is None or not account.callback_url:
            raise NotSent(f"{row.target} has no callback URL", permanent=True)
        return Target(account.callback_url, account.webhook_secret)


def readable(row: OutboxRow) -> bool:
    """Whether this release understands what the row holds."""
    try:
        (_NEWS if row.channel == NEWS else _NOTICE).decode(row.notification)
    except msgspec.MsgspecError:
        return False
    return True


def message_of(row: OutboxRow, notification: Notification, state: str, at: datetime) -> Message:
    """What is on record of a row for a service."""
    return Message(
        id=row.id, workspace=row.workspace, intent_id=row.intent, visit=notification.step_run, seq=row.seq,
        kind=notification.kind.value, person="", channel=row.channel, state=state,
        attempts=row.attempts + (state == SENT),
        error="" if state == SENT else row.last_error, at=at, target=row.target, called_at=notification.at,
    )  # fmt: skip
