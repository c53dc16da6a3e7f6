"""The outbox -> the channels. A row is taken for a while, sent, and finished after the send: at least once, with a
stable id in the message. Failures are tried again with growing pauses, and recorded; a push that fails is the
intent's own matter (its attempts are counted in its state).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from signoff.core.commands import Accept, Command, Miss
from signoff.core.errors import Refused
from signoff.core.ids import visit_ref
from signoff.core.model import system
from signoff.core.notices import Notice, NoticeKind
from signoff.core.timing import Backoff
from signoff.engine.clock import Clock
from signoff.engine.directory import Directory
from signoff.engine.engine import Engine
from signoff.engine.messenger import NOBODY, PEOPLE, Messenger
from signoff.notify.channel import Channel, NotSent, Personal, Target
from signoff.notify.message import render
from signoff.store.messages import Result
from signoff.store.store import Store
from signoff.store.work import Outgoing

log = logging.getLogger("signoff.courier")

_AT_ONCE: Final = 50
_HOLD: Final = timedelta(seconds=60)
_PAUSE: Final = 1.0
_BACKOFF: Final = Backoff(tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600)))
_ATTEMPTS: Final = 8
_NOTICE = msgspec.json.Decoder(Notice)


class Channels(msgspec.Struct, frozen=True):
    """The registry: channel name -> channel; where webhooks go; the channels that reach one person at a time."""

    by_name: dict[str, Channel]
    webhook: Target = Target()
    personal: dict[str, Personal] = {}

    def route(self, notice: Notice) -> Sequence[tuple[str, str]]:
        """Which channels carry this notice, and to what target."""
        if notice.kind is NoticeKind.PUSH:
            return [("push", notice.to[0])]
        ways: list[tuple[str, str]] = []
        if self.webhook.url:
            ways.append(("webhook", "default"))
        if "apprise" in self.by_name and notice.kind is not NoticeKind.FINISHED:
            ways.append(("apprise", ""))
        if self.personal and notice.kind is not NoticeKind.FINISHED:
            ways.append((PEOPLE, ""))
        return ways


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

    async def once(self) -> float:
        """Send what is due; seconds until it is worth looking again."""
        rows = await self._store.outbox.due(_AT_ONCE, _HOLD)
        if not rows:
            return _PAUSE
        people = [row for row in rows if row.channel == PEOPLE]
        others = [row for row in rows if row.channel != PEOPLE]
        expanded = self._messenger.expand(people) if self._messenger and people else asyncio.sleep(0)
        *carried, _ = await asyncio.gather(*(self._carry(row) for row in others), expanded)
        done = [row.id for row, over in zip(others, carried, strict=True) if over is True]
        ended = [over for over in carried if isinstance(over, Result)]
        if done or ended:  # together: a commit for each would take the disk from those who wait for theirs
            await self._store.messages.end(ended, done)
        return 0.0

    async def _carry(self, row: Outgoing) -> bool | Result:
        """Whether this row is done with; of a message to one person how it ended."""
        if self._messenger is not None and row.channel == NOBODY:
            await self._messenger.give_up(row)
            return True
        if self._messenger is not None and row.target.startswith("per_"):
            return await self._messenger.carry(row) or False
        notice = _NOTICE.decode(row.notice)
        channel = self._channels.by_name.get(row.channel)
        try:
            if channel is None:
                raise NotSent(f"the channel {row.channel!r} is not set up", permanent=True)
            await channel.send(render(row.id, notice, self._base_url()), await self._target(row))
        except NotSent as failure:
            return await self._failed(row, notice, failure)
        except Exception:
            log.exception("channel %s broke", row.channel)
            return await self._failed(row, notice, NotSent("the channel broke; see the server's log"))
        if notice.kind is NoticeKind.PUSH:
            await self._tell(row, notice, Accept(notice.visit, notice.attempt))
        return True

    async def _failed(self, row: Outgoing, notice: Notice, failure: NotSent) -> bool:
        log.warning("%s to %s: attempt %d failed: %s", row.channel, row.target, row.attempts, failure.reason)
        if notice.kind is NoticeKind.PUSH:
            await self._tell(row, notice, Miss(notice.visit, notice.attempt, failure.reason))
            return True
        if failure.permanent or row.attempts >= _ATTEMPTS:
            await self._store.outbox.dead(row.id, failure.reason)
        else:
            pause = max(_BACKOFF.after(row.attempts), timedelta(seconds=failure.wait))
            due_at = self._clock.now() + pause
            await self._store.outbox.again(row.id, due_at, failure.reason)
        return False

    async def _tell(self, row: Outgoing, notice: Notice, command: Command) -> None:
        try:
            await self._engine.handle(system(row.workspace), visit_ref(notice.intent, notice.visit), command)
        except Refused as refusal:  # the intent moved on while its push was under way
            log.info("push for %s: %s", notice.intent, refusal)

    async def _target(self, row: Outgoing) -> Target:
        if row.channel != "push":
            return self._channels.webhook if row.channel == "webhook" else Target()
        account = (await self._directory.of(row.workspace)).by_address.get(row.target)
        if account is None or not account.callback_url:
            raise NotSent(f"{row.target} has no callback URL", permanent=True)
        return Target(account.callback_url, account.webhook_secret)
