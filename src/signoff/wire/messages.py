"""Notifications that were sent, and the channels."""

from datetime import datetime

from msgspec import Struct

from signoff.wire.common import ABSENT, Ok, OrNone, Text


class MessageOut(Struct, kw_only=True):
    """state: waiting, sent, skipped (there was nothing left to say) or failed; called_at: when its event happened; at:
    of its last change; next_attempt_at: when it is tried, or retried; instead: the channel that took over; summary: the
    status as text. Without a person it was sent to a service.
    """

    message_id: str
    task_id: Text = ABSENT
    kind: str
    person: Text = ABSENT
    name: Text = ABSENT
    channel: str
    target: Text = ABSENT
    state: str
    summary: str
    attempts: int
    reference: Text = ABSENT
    error: Text = ABSENT
    instead: Text = ABSENT
    called_at: datetime
    at: datetime
    next_attempt_at: OrNone[datetime] = ABSENT


class MessagesAnswer(Ok, kw_only=True):
    """In the order of their events."""

    messages: list[MessageOut]


class ChannelOut(Struct, kw_only=True):
    """set_up: whether this server sends by it; failing: whether current sends fail; since: when the oldest failing
    message was called for; retrying: messages that are retried; failed: permanently, within a day; last_error: of
    those.
    """

    channel: str
    set_up: bool
    failing: bool
    since: OrNone[datetime] = ABSENT
    retrying: int
    failed: int
    last_error: Text = ABSENT
    target: Text = ABSENT
    last_arrived_at: OrNone[datetime] = ABSENT


class ChannelsAnswer(Ok, kw_only=True):
    """The channels that this server sends by, and any other that has failed lately."""

    channels: list[ChannelOut]
