"""The outbox rows and records that one notification for people becomes: a row per person, now, in their working hours
or in a roundup, and the report that nobody was reached.
"""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from signoff.core.intent.notifications import Notification, NotificationKind
from signoff.engine.delivery.recipients import Recipient
from signoff.engine.delivery.sender import stable_id
from signoff.store.tables.messages import Message
from signoff.store.transaction import OutboxKind, OutboxRow


def row_to(row: OutboxRow, person: str, channel: str, now: datetime, notification: Notification) -> OutboxRow:
    """The row of a message to one person, made from the notification's row. Its id follows from what it is about, so
    that expanding a row twice sends nothing twice.
    """
    # One event may cause two messages to a person: one that asks, and one that rewrites an earlier one.
    rewrites = (notification.kind,) if notification.kind is NotificationKind.PROGRESS else ()
    id = stable_id(row.intent, row.seq, person, channel, *rewrites)
    return OutboxRow(
        id, row.workspace, row.intent, row.seq, OutboxKind.PERSON, channel, person, row.notification, now
    )


def row_at(row: OutboxRow, notification: Notification, one: Recipient, now: datetime) -> OutboxRow:
    """The row of a message that waits for working hours. Several messages about one task share a row, so they become
    one.
    """
    id = stable_id(
        row.intent,
        notification.step_run,
        notification.stage,
        notification.revision,
        one.person,
        one.not_before,
    )
    due_at = max(now, one.not_before or now)
    return replace(row_to(row, one.person, one.channels[0], due_at, notification), id=id)


def roundup_row(row: OutboxRow, notification: Notification, one: Recipient, due_at: datetime) -> OutboxRow:
    """The row of a message that waits to be sent in a roundup."""
    marked = msgspec.json.encode(replace(notification, roundup=True))
    # the prefix is older than the word roundup; rows that wait must keep their ids
    made = row_to(row, one.person, one.channels[0], due_at, notification)
    return replace(made, id=stable_id("digest", made.id), notification=marked)


def nobody_reached_row(row: OutboxRow, now: datetime) -> OutboxRow:
    """The row that reports that no message about the task reached anyone."""
    id = stable_id(row.intent, row.seq, "nobody")
    kind = OutboxKind.NOBODY_REACHED
    return OutboxRow(id, row.workspace, row.intent, row.seq, kind, "nobody", "", row.notification, now)


def message_of(row: OutboxRow, notification: Notification, now: datetime) -> Message:
    """The record of a message to a person, for its delivery status."""
    return Message(
        id=row.id,
        workspace=row.workspace,
        intent_id=row.intent,
        visit=notification.step_run,
        seq=row.seq,
        kind=notification.kind.value,
        person=row.target,
        channel=row.channel,
        at=now,
        called_at=notification.at,
    )
