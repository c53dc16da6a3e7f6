"""People, their sessions and their open tasks."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from signoff.wire.common import ABSENT, Object, Ok, OrEmpty, OrNone, Strict, Text


class AbsenceOut(Struct, kw_only=True):
    """Away from ``from`` until ``until``, exclusive; whoever is the delegate may answer meanwhile."""

    begins: datetime = msgspec.field(name="from")
    until: datetime
    delegate: Text = ABSENT


class HoursOut(Struct, kw_only=True):
    """Working hours; ``until`` is in the zone's local time, like ``from``."""

    zone: str
    days: list[str]
    begins: str = msgspec.field(name="from")
    ends: str = msgspec.field(name="to")


class PersonOut(Struct, kw_only=True):
    """A person. ``teams``: where they are a member; ``away``: whether they are absent now. addresses, zone, hours,
    absences and preferences are there for the person and for owners, admins and auditors.
    """

    id: str
    email: str
    name: str
    roles: tuple[str, ...]
    active: bool
    teams: list[str]
    away: bool
    addresses: OrEmpty[dict[str, str]] = ABSENT
    zone: Text = ABSENT
    hours: OrNone[HoursOut] = ABSENT
    absences: OrEmpty[list[AbsenceOut]] = ABSENT
    preferences: OrEmpty[dict[str, Any]] = ABSENT
    created_at: datetime


class PersonAnswer(Ok, kw_only=True):
    """One person. warnings: which open tasks the change leaves with too few people."""

    person: PersonOut
    warnings: tuple[str, ...] = ()


class WaitingTask(Struct, kw_only=True):
    """An open task in which the person has a say; only_eligible: nobody else may give the vote that it is by."""

    task_id: str
    title: str
    only_eligible: bool


class PersonWaiting(Ok, kw_only=True):
    """What waits for a person: to be handed over before they go. complete: whether these are all."""

    tasks: list[WaitingTask]
    complete: bool


class ReassignAll(Strict, kw_only=True):
    """Who is asked in the person's place, in every open task that asks the person."""

    to: str
    comment: str = ""


class NotReassigned(Struct, kw_only=True):
    task_id: str
    code: str
    message: str


class ReassignedAll(Ok, kw_only=True):
    """The tasks that ask somebody else now, and those that stay as they were, with the reason."""

    reassigned: list[str]
    refused: list[NotReassigned]
    complete: bool


class PeopleAnswer(Ok, kw_only=True):
    """Everybody of the workspace, by address."""

    people: list[PersonOut]


class CreatePerson(Strict, kw_only=True):
    """A new person; roles default to ``approver``."""

    email: str
    name: str = ""
    roles: list[str] | None = None
    active: bool | None = None
    addresses: Object | None = None
    zone: str | None = None
    hours: Object | bool | None = None
    absences: list[Object] | None = None
    preferences: Object | None = None


class ChangePerson(Strict, kw_only=True):
    """What changes; the rest stays. People may change their own zone, hours, absences and preferences."""

    name: str | None = None
    roles: list[str] | None = None
    active: bool | None = None
    addresses: Object | None = None
    zone: str | None = None
    hours: Object | bool | None = None
    absences: list[Object] | None = None
    preferences: Object | None = None


class SessionOut(Struct, kw_only=True):
    """A sign-in on the pages. ``by``: ``key`` or ``link``; ``used_at``: when its person last did something."""

    session_id: str
    by: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


class SessionList(Ok, kw_only=True):
    """Newest first."""

    sessions: list[SessionOut]


class SessionsEnded(Ok, kw_only=True):
    """How many ended."""

    ended: int
