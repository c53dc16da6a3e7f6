"""What was sent and what became of it, as it stands on the wire; and the one sentence that says it to a person."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from signoff.core.ids import visit_ref
from signoff.engine.read.delivery_status import ChannelState, message_result, replaced_channel
from signoff.store.tables.messages import OnItsWay
from signoff.web.shapes.common import Display, Ok, Text, maybe


class MessageOut(Struct, kw_only=True):
    """state: waiting, sent, skipped (there was nothing to say any more) or failed; called_at: when what it tells of
    happened; at: of its last change; next_attempt_at: when it is tried, or tried again; instead: the channel that took
    over; summary: what became of it, in words. Without a person it went to a service.
    """

    message_id: str
    task_id: Text = UNSET
    kind: str
    person: Text = UNSET
    name: Text = UNSET
    channel: str
    target: Text = UNSET
    state: str
    summary: str
    attempts: int
    reference: Text = UNSET
    error: Text = UNSET
    instead: Text = UNSET
    called_at: datetime
    at: datetime
    next_attempt_at: datetime | UnsetType = UNSET


class MessagesAnswer(Ok, kw_only=True):
    """In the order in which they were called for."""

    messages: list[MessageOut]


class ChannelOut(Struct, kw_only=True):
    """set_up: whether this server sends by it; failing: whether what is sent now fails; since: when the oldest of that
    was called for; retrying: messages that are tried again; failed: for good, within a day; last_error: of those.
    """

    channel: str
    set_up: bool
    failing: bool
    since: datetime | UnsetType = UNSET
    retrying: int
    failed: int
    last_error: Text = UNSET
    target: Text = UNSET
    last_arrived_at: datetime | UnsetType = UNSET


class ChannelsAnswer(Ok, kw_only=True):
    """Those that this server sends by, and whatever else has failed lately."""

    channels: list[ChannelOut]


def messages_out(found: Sequence[OnItsWay], display: Display) -> list[MessageOut]:
    return [_out(one, found, display) for one in found]


def _out(one: OnItsWay, found: Sequence[OnItsWay], display: Display) -> MessageOut:
    message = one.message
    return MessageOut(
        message_id=message.id, task_id=visit_ref(message.intent_id, message.visit) if message.visit else UNSET,
        kind=message.kind, person=maybe(message.person),
        name=display(message.person) if message.person else UNSET, channel=message.channel,
        target=maybe(message.target), state=message.state, summary=message_result(one, found),
        attempts=message.attempts,
        reference=maybe(message.reference), error=maybe(message.error),
        instead=maybe(replaced_channel(message, found)),
        called_at=message.called_at, at=message.at,
        next_attempt_at=one.next_at if one.next_at is not None else UNSET,
    )  # fmt: skip


def channel_out(state: ChannelState, set_up: Sequence[str]) -> ChannelOut:
    return ChannelOut(
        channel=state.channel, set_up=state.channel in set_up, failing=state.failing,
        since=state.since if state.since is not None else UNSET, retrying=state.retrying, failed=state.failed,
        last_error=maybe(state.error), target=maybe(state.target),
        last_arrived_at=state.arrived_at if state.arrived_at is not None else UNSET,
    )  # fmt: skip
