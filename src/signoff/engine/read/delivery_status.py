"""The delivery status of notifications, for every message of one intent or for each channel of a workspace.

Messages to people are in ``messages`` from the start; a message to a service is only an outbox row until it is sent.
Readers see both in one list.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from signoff.engine.delivery.outbox_items import ServiceNotification, UnreadableRowError, decode
from signoff.engine.delivery.service_messages import service_message
from signoff.engine.read.integrity import Finding
from signoff.notify.registry import accepted_by, label_of
from signoff.store.store import Store
from signoff.store.tables.messages import FAILED, SENT, SKIPPED, WAITING, InFlight, Message
from signoff.store.transaction import OutboxRow

_LATELY: Final = timedelta(days=1)
_MOST: Final = 500


class ChannelState(Struct, frozen=True, kw_only=True):
    """The health of a channel. retrying: how many messages failed and are retried; failed: how many failed
    permanently within a day; failing: whether sends are currently failing; since: when the oldest failing message was
    triggered; error: the last error.
    """

    channel: str
    retrying: int = 0
    failed: int = 0
    failing: bool = False
    since: datetime | None = None
    error: str = ""
    target: str = ""
    arrived_at: datetime | None = None


def replaced_channel(message: Message, every: Sequence[InFlight]) -> str:
    """The channel that took over after this one failed permanently, or ""."""
    if message.state != FAILED or not message.person:
        return ""
    same = [o.message for o in every if (o.message.seq, o.message.person) == (message.seq, message.person)]
    later = [one for one in same if one.channel != message.channel and one.at >= message.at]
    return min(later, key=lambda one: one.at).channel if later else ""


def message_result(one: InFlight, every: Sequence[InFlight]) -> str:
    """The delivery status of a message, as text. ``every``: all messages about the same request."""
    message = one.message
    tries = f"{message.attempts} attempts" if message.attempts != 1 else "1 attempt"
    if message.state == SENT:
        taken = f"accepted by {accepted_by(message.channel)}"
        return f"{taken} at attempt {message.attempts}" if message.attempts > 1 else taken
    if message.state == SKIPPED:
        return f"not sent: {message.error or 'no longer needed'}"
    if message.state == FAILED:
        other = replaced_channel(message, every)
        then = f"; {label_of(other)} was used instead" if other else ""
        after = f" after {tries}" if message.attempts > 1 else ""
        return f"failed permanently{after}: {message.error}{then}"
    if message.error:
        return f"failed so far, {tries}: {message.error}; will be retried"
    return "on its way"


async def unreadable(store: Store) -> AsyncIterator[Finding]:
    """Outbox rows that this release cannot decode; they are kept and do not stop others."""
    after = ""
    while rows := await store.outbox.page(after, _MOST):
        for row in rows:
            try:
                decode(row)
            except UnreadableRowError:
                to = row.target or "people"
                yield Finding(
                    row.intent,
                    row.seq,
                    f"a message over {row.channel} to {to} cannot be read by this release",
                )
        after = rows[-1].id


async def messages_of(store: Store, intent_id: str) -> list[InFlight]:
    """Every message about an intent, in the order of their events."""
    kept = await store.messages.of_intent(intent_id)
    known = {one.message.id for one in kept}
    queued = await store.messages.queued(intent_id, _MOST)
    waiting = [_queued(item) for item in _for_services(queued) if item.row.id not in known]
    return sorted((*kept, *waiting), key=lambda one: _place(one.message))


def _place(message: Message) -> tuple[int, str, datetime, bool, str]:
    """The sort key of a message: by event, then by person, with a failed message before its replacement."""
    return message.seq, message.person, message.at, message.state != FAILED, message.id


def _for_services(rows: Sequence[OutboxRow]) -> Iterator[ServiceNotification]:
    for row in rows:
        with contextlib.suppress(UnreadableRowError):
            item = decode(row)
            if isinstance(item, ServiceNotification):
                yield item


def _queued(item: ServiceNotification) -> InFlight:
    row = item.row
    message = service_message(item, FAILED if row.dead else WAITING, item.notification.at)
    return InFlight(message, None if row.dead else row.due_at)


async def channel_states(
    store: Store, workspace: str, names: Sequence[str], now: datetime
) -> list[ChannelState]:
    """The health of each of these channels, and of any other that has failed lately."""
    since = now - _LATELY
    every = dict.fromkeys((*names, *sorted(await store.messages.failing_channels(workspace))))
    states = []
    for name in every:
        found, queued = await store.messages.failing(workspace, name, since, _MOST)
        waiting = [_queued(item).message for item in _for_services(queued)]
        lately = [one for one in (*found, *waiting) if one.state == WAITING or one.at >= since]
        if lately or name in names:
            states.append(_state(name, lately, await store.messages.arrived_at(workspace, name)))
    return states


def _state(name: str, troubled: Sequence[Message], arrived_at: datetime | None) -> ChannelState:
    retrying = [one for one in troubled if one.state == WAITING]
    failed = [one for one in troubled if one.state == FAILED]
    now = retrying or [one for one in failed if arrived_at is None or one.at > arrived_at]
    last = max(now or failed, key=lambda one: one.at, default=None)
    return ChannelState(
        channel=name,
        retrying=len(retrying),
        failed=len(failed),
        failing=bool(now),
        since=min((one.called_at for one in now), default=None),
        error=last.error if last else "",
        target=last.target if last else "",
        arrived_at=arrived_at,
    )
