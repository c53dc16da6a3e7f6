"""Who gets a notification: its row is expanded once into one row per person, on the first channel that reaches them."""

import logging
from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from signoff.core.intent.events import Commented, Fact
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Intent
from signoff.core.intent.notifications import ASKING, FOLLOWING, Notification, NotificationKind
from signoff.engine.delivery.channel_registry import Reach
from signoff.engine.delivery.message_rows import message_of, nobody_reached_row, roundup_row, row_at, row_to
from signoff.engine.delivery.outbox_items import PeopleNotification
from signoff.engine.delivery.recipients import Recipient, SentMessages, recipients_of, unreached
from signoff.engine.delivery.sender import SenderContext
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.off_loop import OffLoop, populous
from signoff.notify.channel import NO_CHANNEL
from signoff.store.tables.messages import (
    FAILED,
    SENT,
    WAITING,
    ExpandedNotification,
)
from signoff.store.transaction import OutboxRow

log = logging.getLogger("signoff.delivery")


class NotificationExpander:
    def __init__(self, context: SenderContext, off_loop: OffLoop) -> None:
        self._store = context.store
        self._directory = context.directory
        self._clock = context.clock
        self._channels = context.channels
        self._off_loop = off_loop

    async def expand(self, items: Sequence[PeopleNotification]) -> None:
        """Replace each of these rows with one row per person, in one transaction."""
        reach: dict[str, Reach] = {}
        expansions = []
        for item in items:
            row, notification = item.row, item.notification
            stored = await self._store.intents.get(row.intent)
            if stored is None:  # it has been deleted
                expansions.append(ExpandedNotification(row, (), ()))
                continue
            directory = await self._directory.of(row.workspace)
            if row.workspace not in reach:
                reach[row.workspace] = await self._channels.addresses(self._store, directory)
            follows = notification.kind in FOLLOWING or notification.kind is NotificationKind.COMMENTED
            asked = await self.asked(notification) if follows else []
            commenters = await self._commenters(notification)
            made = partial(
                self._expanded, item, stored.intent, asked, directory, reach[row.workspace], commenters
            )
            # With thousands of people this is slow: each is looked up among all who were pinned.
            expansions.append(
                await self._off_loop.run(f"recipients {row.workspace}", made)
                if populous(directory)
                else made()
            )
        await self._store.messages.expand(expansions)

    def _expanded(
        self,
        item: PeopleNotification,
        intent: Intent,
        asked: SentMessages,
        directory: Snapshot,
        reach: Reach,
        commenters: set[str],
    ) -> ExpandedNotification:
        row, notification = item.row, item.notification
        rewriting = self._channels.rewriting
        people = recipients_of(notification, intent, asked, directory, reach, commenters, rewriting)
        lost = unreached(notification, intent, directory)
        alarm = [nobody_reached_row(row, self._clock.now())] if lost else []
        return self._expansion(row, notification, people, alarm, reach)

    def _expansion(
        self,
        row: OutboxRow,
        notification: Notification,
        people: Sequence[Recipient],
        alarm: Sequence[OutboxRow],
        reach: Reach,
    ) -> ExpandedNotification:
        now = self._clock.now()
        reachable = [one for one in people if one.channels]
        rows = [
            roundup_row(row, notification, one, one.roundup_at)
            if one.roundup_at
            else row_at(row, notification, one, now)
            if one.not_before
            else row_to(row, one.person, one.channels[0], now, notification)
            for one in reachable
        ]
        messages = [
            replace(
                message_of(out, notification, out.due_at),
                target=reach.get(out.channel, {}).get(out.target, ""),
            )
            for out in rows
        ]
        # not an error: the task may still be decided on its page, and escalates if it is not
        if not reachable and people:
            log.warning("nobody has an address in any configured channel: %s", notification.intent)
        for one in people:
            if not one.channels:
                lost = message_of(row_to(row, one.person, NO_CHANNEL, now, notification), notification, now)
                messages.append(replace(lost, state=FAILED, error="no address in any configured channel"))
        return ExpandedNotification(row, [*rows, *alarm], messages)

    async def asked(self, notification: Notification) -> SentMessages:
        """(person, channel) of the messages that asked about the task and were sent or are being sent. For a progress
        notification, only those that can be changed.
        """
        sent = await self._store.messages.of_task(notification.intent, notification.step_run)
        now = self._clock.now()  # a message that waits for working hours has not reached its person yet
        under_way = [m for m in sent if m.state == SENT or (m.state == WAITING and m.at <= now)]
        asked = [m for m in under_way if m.kind in ASKING]
        if notification.kind is NotificationKind.PROGRESS:
            changeable = self._channels.rewriting
            asked = [m for m in asked if m.channel in changeable and m.seq < notification.seq]
        return [(m.person, m.channel) for m in asked]

    async def _commenters(self, notification: Notification) -> set[str]:
        """Who had commented on the task by the time of the notification."""
        if notification.kind is not NotificationKind.COMMENTED:
            return set()
        facts = await self.facts(notification)
        return {
            f.actor.id
            for f in facts
            if isinstance(f.event, Commented) and f.event.step_run == notification.step_run
        }

    async def facts(self, notification: Notification) -> list[Fact]:
        """The facts up to the notification."""
        rows = await self._store.intents.history(notification.intent)
        return [unseal(row.body, row.private) for row in rows if row.seq <= notification.seq]
