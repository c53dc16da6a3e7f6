"""A row of the outbox, decoded once. Its type determines which sender sends it, and what each result means."""

from datetime import datetime
from typing import assert_never

import msgspec

from signoff.core.intent.notifications import Notification
from signoff.engine.admin.proposals import ProposalNotification
from signoff.store.transaction import OutboxKind, OutboxRow


class UnreadableRowError(Exception):
    """Raised for a row that this release cannot decode, perhaps because a later release wrote it."""


class PushDelivery(msgspec.Struct, frozen=True):
    """A delivery for an agent that is called by HTTP."""

    row: OutboxRow
    notification: Notification


class ServiceNotification(msgspec.Struct, frozen=True):
    """A notification for a service channel, sent once for everyone who reads it."""

    row: OutboxRow
    notification: Notification


class PeopleNotification(msgspec.Struct, frozen=True):
    """A notification whose recipients are not yet determined; it is expanded into one row per person."""

    row: OutboxRow
    notification: Notification


class PersonNotification(msgspec.Struct, frozen=True):
    """A notification for one person over one channel."""

    row: OutboxRow
    notification: Notification


class UnreachedTask(msgspec.Struct, frozen=True):
    """No message about a task reached anyone; the task then escalates."""

    row: OutboxRow
    notification: Notification


class AdminNotification(msgspec.Struct, frozen=True):
    """A proposal's state, for the admins who must know. Without ``notification.person`` it is expanded into one row per
    admin.
    """

    row: OutboxRow
    notification: ProposalNotification


class LinkRequest(msgspec.Struct, frozen=True, tag="link"):
    """Mail ``person`` a sign-in link. onward: the page that it leads to. The link itself is created when the mail is
    sent.
    """

    person: str
    at: datetime
    onward: str = "/"


class AddressChanged(msgspec.Struct, frozen=True, tag="address"):
    """Notify the former address ``to`` that mail for ``person`` goes to a new address."""

    person: str
    to: str
    by: str
    at: datetime


class KeyCreated(msgspec.Struct, frozen=True, tag="key"):
    """Tell ``person`` that a key of theirs was created. by: the name of who created it, "" if they did; terminal and
    address: what it is for, if it was created by signing in a terminal.
    """

    person: str
    by: str
    at: datetime
    until: datetime | None = None
    terminal: str = ""
    address: str = ""


class SignInMail(msgspec.Struct, frozen=True):
    """A mail about signing in."""

    row: OutboxRow
    request: LinkRequest | AddressChanged | KeyCreated


class TestRequest(msgspec.Struct, frozen=True):
    """A test message to ``person``; ``by``: the actor who sent it."""

    person: str
    by: str
    at: datetime


class TestDelivery(msgspec.Struct, frozen=True):
    """A test message for one person over one channel."""

    row: OutboxRow
    request: TestRequest


OutboxItem = (
    PushDelivery
    | ServiceNotification
    | PeopleNotification
    | PersonNotification
    | UnreachedTask
    | AdminNotification
    | SignInMail
    | TestDelivery
)

_NOTIFICATION = msgspec.json.Decoder(Notification)
_PROPOSAL = msgspec.json.Decoder(ProposalNotification)
_TEST = msgspec.json.Decoder(TestRequest)
_SIGN_IN = msgspec.json.Decoder(LinkRequest | AddressChanged | KeyCreated)


def decode(row: OutboxRow) -> OutboxItem:
    """Raises UnreadableRowError."""
    try:
        return _decoded(OutboxKind(row.kind), row)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnreadableRowError(f"{row.kind or 'unknown'} row {row.id}") from error


def _decoded(kind: OutboxKind, row: OutboxRow) -> OutboxItem:
    match kind:
        case OutboxKind.PUSH:
            return PushDelivery(row, _NOTIFICATION.decode(row.notification))
        case OutboxKind.SERVICE:
            return ServiceNotification(row, _NOTIFICATION.decode(row.notification))
        case OutboxKind.PEOPLE:
            return PeopleNotification(row, _NOTIFICATION.decode(row.notification))
        case OutboxKind.PERSON:
            return PersonNotification(row, _NOTIFICATION.decode(row.notification))
        case OutboxKind.NOBODY_REACHED:
            return UnreachedTask(row, _NOTIFICATION.decode(row.notification))
        case OutboxKind.ADMIN:
            return AdminNotification(row, _PROPOSAL.decode(row.notification))
        case OutboxKind.SIGN_IN:
            return SignInMail(row, _SIGN_IN.decode(row.notification))
        case OutboxKind.TEST:
            return TestDelivery(row, _TEST.decode(row.notification))
    assert_never(kind)
