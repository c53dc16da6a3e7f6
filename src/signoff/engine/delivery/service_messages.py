"""Messages to programs: notifications to service channels, and deliveries pushed to agents."""

import contextlib
import logging
from dataclasses import replace
from datetime import datetime
from typing import Final

from signoff.core.directory.actors import system
from signoff.core.errors import Busy, Refused
from signoff.core.ids import step_run_id
from signoff.core.intent.commands import AcceptPush, Command, FailPush
from signoff.core.intent.model import Delivery
from signoff.core.intent.notifications import Notification, NotificationKind, with_values
from signoff.core.plan.schedules import PUSH, SERVICE
from signoff.core.plan.title_template import has_fields
from signoff.engine.delivery.outbox_items import PushDelivery, ServiceNotification
from signoff.engine.delivery.send_outcomes import Dead, Sent, Skipped
from signoff.engine.delivery.sender import Sender
from signoff.notify.channel import Callback, NotSent
from signoff.notify.service_message import render
from signoff.store.tables.messages import SENT, Message
from signoff.store.transaction import OutboxRow

_KILLED_FOR: Final = 30.0  # seconds until the next look whether an agent was resumed
log = logging.getLogger("signoff.delivery")


class ServiceMessages(Sender[ServiceNotification]):
    policy = SERVICE

    async def send(self, item: ServiceNotification) -> Sent:
        row, notification = item.row, item.notification
        channel = self._channels.services.get(row.channel)
        if channel is None:
            raise NotSent(f"the channel {row.channel!r} is not configured", permanent=True)
        if has_fields(notification.title):
            stored = await self._store.intents.get(row.intent)
            notification = with_values(notification, stored.payload if stored else b"")
        message = render(row.id, notification, self._base_url(), await self._decided_by(notification))
        await channel.send(message, row.target)
        return Sent()

    async def _decided_by(self, notification: Notification) -> str:
        """The name of the person who caused the event; "" if it was not a person."""
        if notification.kind in (NotificationKind.DECIDED, NotificationKind.COMMENTED):
            with contextlib.suppress(Refused):
                return (await self._directory.of(notification.workspace)).display(notification.by)
        return ""

    async def finished(self, item: ServiceNotification, outcome: Sent | Skipped) -> Message:
        return service_message(item, SENT, self._clock.now())


def service_message(item: ServiceNotification, state: str, at: datetime) -> Message:
    """The record of a message to a service."""
    row, notification = item.row, item.notification
    sent = state == SENT
    return Message(
        id=row.id,
        workspace=row.workspace,
        intent_id=row.intent,
        visit=notification.step_run,
        seq=row.seq,
        kind=notification.kind.value,
        person="",
        channel=row.channel,
        state=state,
        attempts=row.attempts + sent,
        error="" if sent else row.last_error,
        at=at,
        target=row.target,
        called_at=notification.at,
    )


class AgentPushes(Sender[PushDelivery]):
    """Calls agents. A failed push counts as an attempt at its step, so the intent, not the outbox, counts and retries
    it.
    """

    policy = PUSH

    async def send(self, item: PushDelivery) -> Sent | Skipped:
        if await self._killed(item.row):
            if not await self._still_offered(item):
                return Skipped()
            raise NotSent(f"{item.row.target} was killed", wait=_KILLED_FOR)
        callback = await self.callback(item.row)
        channel = self._channels.push
        if channel is None:
            raise NotSent("this server does not call agents", permanent=True)
        if (stored := await self._store.intents.get(item.row.intent)) is not None:
            callback = replace(callback, traceparent=stored.intent.traceparent)
        await channel.push(render(item.row.id, item.notification, self._base_url()), callback)
        return Sent()

    async def _killed(self, row: OutboxRow) -> bool:
        account = (await self._directory.of(row.workspace)).by_address.get(row.target)
        return account is not None and account.killed_at is not None

    async def _still_offered(self, item: PushDelivery) -> bool:
        """Whether the step still waits for this push; it may have timed out while its agent was killed."""
        stored = await self._store.intents.get(item.row.intent)
        held = stored.intent.open if stored else None
        pushed = (item.notification.step_run, item.notification.attempt)
        return isinstance(held, Delivery) and (held.step_run, held.attempt) == pushed

    async def callback(self, row: OutboxRow) -> Callback:
        account = (await self._directory.of(row.workspace)).by_address.get(row.target)
        if account is None or not account.callback_url:
            raise NotSent(f"{row.target} has no callback URL", permanent=True)
        return Callback(account.callback_url, account.webhook_secret)

    async def finished(self, item: PushDelivery, outcome: Sent | Skipped) -> None:
        await self._report(item, AcceptPush(item.notification.step_run, item.notification.attempt))

    async def dead(self, item: PushDelivery, outcome: Dead) -> bool:
        notification = item.notification
        await self._report(
            item,
            FailPush(notification.step_run, notification.attempt, outcome.reason, outcome.retry_after),
        )
        return True

    async def _report(self, item: PushDelivery, command: Command) -> None:
        notification = item.notification
        try:
            await self._engine.handle(
                system(item.row.workspace), step_run_id(notification.intent, notification.step_run), command
            )
        except Busy:  # keep the row: without the report nothing would advance this step
            raise
        except Refused as refusal:  # the intent moved on while its push was under way
            log.info("push for %s: %s", notification.intent, refusal)
