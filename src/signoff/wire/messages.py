"""Notifications that were sent, and the channels."""

from datetime import datetime

from msgspec import Struct

from signoff.wire.common import ABSENT, Ok, OrNone, Text


class MessageOut(Struct, kw_only=True):
    """state: waiting, sent, skipped (there was nothing to say any more) or failed; called_at: when what it tells of
    happened; at: of its last change; next_attempt_at: when it is tried, or tried again; instead: the channel that took
    over; summary: what became of it, in words. Without a person it went to a service.
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
    """In the order in which they were called for."""

    messages: list[MessageOut]


class ChannelOut(Struct, kw_only=True):
    """set_up: whether this server sends by it; failing: whether what is sent now fails; since: when the oldest of that
    was called for; retrying: messages that are tried again; failed: for good, within a day; last_error: of those.
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
    """Those that this server sends by, and whatever else has failed lately."""

    channels: list[ChannelOut]
