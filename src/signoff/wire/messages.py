"""Notifications that were sent, and the channels."""

from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Struct

from signoff.wire.common import ABSENT, JsonObject, Ok, OrEmpty, OrNone, Strict, Text
from signoff.wire.fields import ChannelName, PersonName, TaskId, about, time


class MessageOut(Struct, kw_only=True):
    """state: waiting, sent, skipped (no longer needed) or failed; called_at: when its event happened; at: when it
    last changed; next_attempt_at: when it is tried or retried; instead: the channel that was used instead; summary:
    the status as text. A message without a person was sent to a service.
    """

    _EXAMPLE: ClassVar = ("task_id", "person", "name", "target")

    message_id: Annotated[str, about("The message's id.", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0002.7.1")]
    task_id: OrEmpty[TaskId] = ABSENT
    kind: Annotated[str, about("What it is about.", "task.opened")]
    person: Annotated[
        Text,
        about(
            "The id of the person; absent if it went to a service.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20"
        ),
    ] = ABSENT
    name: OrEmpty[PersonName] = ABSENT
    channel: ChannelName
    target: Annotated[Text, about("Where it was sent.", "ann@acme.example")] = ABSENT
    state: Annotated[str, about("Whether it was sent; skipped means that it was no longer needed.", "sent")]
    summary: Annotated[str, about("The status, as text.", "accepted by the mail server")]
    attempts: Annotated[int, about("The number of attempts.", 1)]
    reference: Annotated[Text, about("The channel's own id for it.", "<7f3c@signoff.acme.example>")] = ABSENT
    error: Annotated[Text, about("Why the last attempt failed.", "The mailbox is full.")] = ABSENT
    instead: Annotated[Text, about("The channel that was used instead.", "slack")] = ABSENT
    called_at: Annotated[datetime, time("When its event happened.")]
    at: Annotated[datetime, time("When it last changed.")]
    next_attempt_at: Annotated[OrNone[datetime], time("When it is tried, or retried.")] = ABSENT


class MessagesResponse(Ok, kw_only=True):
    """Messages, in the order of their events."""

    messages: Annotated[list[MessageOut], about("The messages.")]


class NotificationOut(Struct, kw_only=True):
    """What a webhook carries about one event. ``body``: the body of its request, unsigned."""

    id: Annotated[
        str,
        about(
            "Names the notification; the same whenever it is read.",
            "01998a3c-7d40-7b1e-9c52-6f0e8a4d0000.7.0",
        ),
    ]
    seq: Annotated[int, about("The number of its event in the history.", 7)]
    type: Annotated[str, about("The kind of notification.", "task.opened")]
    title: Annotated[str, about("Its first line.", "Decision needed: Run the migration?")]
    body: Annotated[
        JsonObject,
        about(
            "The body of the webhook's request.", {"type": "task.opened", "title": "Decision needed: Run it?"}
        ),
    ]


class NotificationsResponse(Ok, kw_only=True):
    """Notifications about an intent, in the order of its events. seq: the number of the last event so far."""

    seq: Annotated[int, about("The number of the last event; pass it as `since` the next time.", 7)]
    notifications: Annotated[list[NotificationOut], about("The notifications.")]


class ChannelOut(Struct, kw_only=True):
    """set_up: whether this server sends over it; failing: whether sends are currently failing; since: when the oldest
    failing message was triggered; retrying: how many messages are retried; failed: how many failed permanently
    within a day; last_error: the last of their errors.
    """

    channel: ChannelName
    set_up: Annotated[bool, about("Whether this server sends over it.", True)]
    failing: Annotated[bool, about("Whether sends are currently failing.", False)]
    since: Annotated[OrNone[datetime], time("When the oldest failing message was triggered.")] = ABSENT
    retrying: Annotated[int, about("The number of messages that are retried.", 0)]
    failed: Annotated[int, about("The number that failed permanently within a day.", 0)]
    last_error: Annotated[
        Text, about("The last of their errors.", "The mail server refused the address.")
    ] = ABSENT
    target: Annotated[Text, about("The recipient of the last message that failed.", "ann@acme.example")] = (
        ABSENT
    )
    last_arrived_at: Annotated[
        OrNone[datetime],
        time("When the mail server, the chat service or the receiver last accepted a message."),
    ] = ABSENT


class ChannelsResponse(Ok, kw_only=True):
    """The channels that this server sends over, and any other that has failed lately."""

    channels: Annotated[list[ChannelOut], about("The channels.")]


class TestMessageRequest(Strict, kw_only=True):
    """A test message to a person."""

    channel: Annotated[
        str, about("The channel to test; by default the one that is tried first for this person.", "email")
    ] = ""


class TestMessageResponse(Ok, kw_only=True):
    """The queued message."""

    message: Annotated[MessageOut, about("The queued message. The list shows its delivery status.")]
