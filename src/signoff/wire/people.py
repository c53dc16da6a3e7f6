"""People, their sessions and their open tasks."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeAlias

import msgspec
from msgspec import Struct

from signoff.wire.common import ABSENT, Object, Ok, OrEmpty, OrNone, Strict, Text
from signoff.wire.fields import (
    Complete,
    CreatedAt,
    Email,
    ExpiresAt,
    PersonId,
    PersonName,
    TaskId,
    Title,
    Warnings,
    Zone,
    about,
    time,
)

GivenRoles: TypeAlias = Annotated[list[str] | None, about("The roles; approver by default.", ["approver"])]
MaySignIn: TypeAlias = Annotated[bool | None, about("Whether they may sign in.", True)]
Addresses: TypeAlias = Annotated[Object | None, about("Addresses by channel.", {"slack": "U02ABCDEF"})]
Hours: TypeAlias = Annotated[
    Object | bool | None,
    about(
        "Working hours: zone, days, from, to; false removes them.",
        {"zone": "Europe/Berlin", "days": ["mon", "tue"], "from": "09:00", "to": "17:30"},
    ),
]
Absences: TypeAlias = Annotated[
    list[Object] | None,
    about("Absences: from, until, delegate.", [{"from": "2030-02-01", "until": "2030-02-08"}]),
]
Preferences: TypeAlias = Annotated[Object | None, about("How to contact them.", {"digest": "15m"})]


class AbsenceOut(Struct, kw_only=True):
    """Absent from ``from`` until ``until``, exclusive; the delegate may answer in the meantime."""

    begins: Annotated[datetime, time("From when.", "2030-02-01T00:00:00Z")] = msgspec.field(name="from")
    until: Annotated[datetime, time("Until when, exclusive.", "2030-02-08T00:00:00Z")]
    delegate: Annotated[Text, about("Who may answer in the meantime.", "ben@acme.example")] = ABSENT


class HoursOut(Struct, kw_only=True):
    """Working hours, from ``from`` until ``until`` in the zone's local time."""

    zone: Zone
    days: Annotated[list[str], about("The days.", ["mon", "tue", "wed", "thu", "fri"])]
    begins: Annotated[str, about("From when, in local time.", "09:00")] = msgspec.field(name="from")
    ends: Annotated[str, about("Until when, in local time.", "17:30")] = msgspec.field(name="to")


class PersonOut(Struct, kw_only=True):
    """A person. ``teams``: their memberships; ``away``: whether they are absent now. addresses, zone, hours, absences
    and preferences are visible to the person and to owners, admins and auditors.
    """

    _EXAMPLE: ClassVar = ("zone",)

    id: PersonId
    email: Email
    name: PersonName
    roles: Annotated[tuple[str, ...], about("The roles.", ["approver"])]
    active: Annotated[bool, about("Whether they may sign in.", True)]
    teams: Annotated[list[str], about("Their teams.", ["sre"])]
    away: Annotated[bool, about("Whether they are absent now.", False)]
    addresses: Annotated[
        OrEmpty[dict[str, str]], about("Their addresses, by channel.", {"slack": "U02ABCDEF"})
    ] = ABSENT
    zone: OrEmpty[Zone] = ABSENT
    hours: Annotated[OrNone[HoursOut], about("Their working hours.")] = ABSENT
    absences: Annotated[OrEmpty[list[AbsenceOut]], about("Their absences.")] = ABSENT
    preferences: Annotated[
        OrEmpty[dict[str, Any]], about("How they want to be contacted.", {"channels": ["slack", "email"]})
    ] = ABSENT
    created_at: CreatedAt


class PersonResponse(Ok, kw_only=True):
    """One person. warnings: open tasks that the change leaves understaffed, and the end of self-approval."""

    person: Annotated[PersonOut, about("The person.")]
    warnings: Warnings = ()


class WaitingTask(Struct, kw_only=True):
    """An open task that the person may answer. only_eligible: whether nobody else may give the same vote."""

    task_id: TaskId
    title: Title
    only_eligible: Annotated[bool, about("Whether nobody else may give the same vote.", False)]


class PersonWaiting(Ok, kw_only=True):
    """A person's open tasks, which should be reassigned before they leave. complete: whether these are all."""

    tasks: Annotated[list[WaitingTask], about("The tasks.")]
    complete: Complete


class ReassignAll(Strict, kw_only=True):
    """The replacement for the person in every open task that asks them."""

    _EXAMPLE: ClassVar = ("comment",)

    to: Annotated[str, about("The replacement: an address or id.", "ben@acme.example")]
    comment: Annotated[str, about("Why.", "Ann has left.")] = ""


class NotReassigned(Struct, kw_only=True):
    """A task that was left unchanged, and why."""

    task_id: TaskId
    code: Annotated[str, about("A stable code.", "self_approval")]
    message: Annotated[str, about("Why it was left unchanged.", "Ben is on the requester's side.")]


class ReassignedAll(Ok, kw_only=True):
    """The reassigned tasks, and those left unchanged, with the reason."""

    reassigned: Annotated[
        list[str], about("The ids of the reassigned tasks.", ["01998a3c-7d40-7b1e-9c52-6f0e8a4d0002"])
    ]
    refused: Annotated[list[NotReassigned], about("The tasks left unchanged.")]
    complete: Complete


class PersonErased(Ok, kw_only=True):
    """How much was erased. waiting: open requests that still contain comments of the person; repeat the erasure when
    they are final.
    """

    person_id: PersonId
    comments: Annotated[int, about("Comments that were erased.", 12)]
    messages: Annotated[int, about("Messages whose address was erased.", 40)]
    records: Annotated[int, about("Entries of the change log and other records that were changed.", 5)]
    waiting: Annotated[int, about("Open requests that still contain comments of the person.", 0)]


class PeopleResponse(Ok, kw_only=True):
    """Everyone in the workspace, by address."""

    people: Annotated[list[PersonOut], about("The people.")]


class CreatePerson(Strict, kw_only=True):
    """A new person; roles default to ``approver``."""

    _EXAMPLE: ClassVar = ("name", "roles")

    email: Annotated[str, about("The e-mail address, which names the person.", "carla@acme.example")]
    name: Annotated[str, about("The display name.", "Carla Diaz")] = ""
    roles: GivenRoles = None
    active: MaySignIn = None
    addresses: Addresses = None
    zone: Zone | None = None
    hours: Hours = None
    absences: Absences = None
    preferences: Preferences = None


class ChangePerson(Strict, kw_only=True):
    """The fields to change; the rest is unchanged. People may change their own zone, hours, absences and
    preferences.
    """

    _EXAMPLE: ClassVar = ("zone", "hours")

    name: Annotated[str | None, about("The display name.", "Carla Diaz")] = None
    roles: GivenRoles = None
    active: MaySignIn = None
    addresses: Addresses = None
    zone: Zone | None = None
    hours: Hours = None
    absences: Absences = None
    preferences: Preferences = None


class SessionOut(Struct, kw_only=True):
    """A session on the pages. ``by``: ``key`` or ``link``; ``used_at``: the time of the person's last action."""

    session_id: Annotated[str, about("The session's id.", "ses_01998a3c6f007d1e8a4bc35d9e7f1b27")]
    by: Annotated[str, about("How it was begun.", "link", words=("key", "link"))]
    created_at: CreatedAt
    used_at: Annotated[datetime, time("The time of the person's last action.")]
    expires_at: ExpiresAt


class SessionList(Ok, kw_only=True):
    """Sessions, newest first."""

    sessions: Annotated[list[SessionOut], about("The sessions.")]


class SessionsEnded(Ok, kw_only=True):
    """How many sessions were ended."""

    ended: Annotated[int, about("How many were ended.", 1)]
