"""People, their sessions and their open tasks."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from signoff.wire.common import ABSENT, Object, Ok, OrEmpty, OrNone, Strict, Text


class AbsenceOut(Struct, kw_only=True):
    """Away from ``from`` until ``until``, exclusive; the delegate may answer meanwhile."""

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
    """A person. ``teams``: their memberships; ``away``: whether they are absent now. addresses, zone, hours, absences
    and preferences are visible to the person and to owners, admins and auditors.
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
    """One person. warnings: open tasks that the change leaves understaffed."""

    person: PersonOut
    warnings: tuple[str, ...] = ()


class WaitingTask(Struct, kw_only=True):
    """An open task that the person may answer; only_eligible: nobody else may give the same vote."""

    task_id: str
    title: str
    only_eligible: bool


class PersonWaiting(Ok, kw_only=True):
    """A person's open tasks: to be reassigned before they leave. complete: whether these are all."""

    tasks: list[WaitingTask]
    complete: bool


class ReassignAll(Strict, kw_only=True):
    """Who replaces the person in every open task that asks the person."""

    to: str
    comment: str = ""


class NotReassigned(Struct, kw_only=True):
    task_id: str
    code: str
    message: str


class ReassignedAll(Ok, kw_only=True):
    """The reassigned tasks, and those left unchanged, with the reason."""

    reassigned: list[str]
    refused: list[NotReassigned]
    complete: bool


class PeopleAnswer(Ok, kw_only=True):
    """Everyone in the workspace, by address."""

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
    """The fields to change; the rest is unchanged. People may change their own zone, hours, absences and
    preferences.
    """

    name: str | None = None
    roles: list[str] | None = None
    active: bool | None = None
    addresses: Object | None = None
    zone: str | None = None
    hours: Object | bool | None = None
    absences: list[Object] | None = None
    preferences: Object | None = None


class SessionOut(Struct, kw_only=True):
    """A session on the pages. ``by``: ``key`` or ``link``; ``used_at``: the time of its person's last action."""

    session_id: str
    by: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


class SessionList(Ok, kw_only=True):
    """Newest first."""

    sessions: list[SessionOut]


class SessionsEnded(Ok, kw_only=True):
    """How many sessions were ended."""

    ended: int
