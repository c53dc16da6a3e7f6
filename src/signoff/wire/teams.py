"""Teams and their rotations."""

from datetime import date, datetime
from typing import Annotated, ClassVar

from msgspec import Struct

from signoff.wire.common import ABSENT, Object, Ok, OrNone, Strict, Text
from signoff.wire.fields import Warnings, Zone, about, time


class RotationOut(Struct, kw_only=True):
    """Who is on call, and when. ``handover``: a weekday and a local time."""

    order: Annotated[
        list[str], about("The on-call order of the members.", ["ann@acme.example", "ben@acme.example"])
    ]
    handover: Annotated[str, about("The weekday and local time of the handover.", "mon 09:00")]
    zone: Zone
    anchor: Annotated[date, about("A day in a week in which the first member is on call.", "2030-01-07")]
    on_call: Annotated[str, about("Who is on call now.", "ann@acme.example")]
    next_handover_at: Annotated[datetime, time("When the next one takes over.", "2030-02-04T08:00:00Z")]


class TeamOut(Struct, kw_only=True):
    """A team. Its people are given by e-mail address."""

    _EXAMPLE: ClassVar = ("rotation",)

    name: Annotated[str, about("The team's name.", "sre")]
    members: Annotated[list[str], about("Its members, by address.", ["ann@acme.example", "ben@acme.example"])]
    rotation: Annotated[OrNone[RotationOut], about("Its rotation.")] = ABSENT
    channel: Annotated[
        Text, about("Its room in a chat, to which its tasks are also sent.", "slack:C0123456789")
    ] = ABSENT
    mailbox: Annotated[
        Text, about("Its shared mailbox, to which its tasks are also sent.", "sre@acme.example")
    ] = ABSENT


class TeamResponse(Ok, kw_only=True):
    """One team. warnings: open tasks that the change leaves understaffed."""

    team: Annotated[TeamOut, about("The team.")]
    warnings: Warnings = ()


class TeamsResponse(Ok, kw_only=True):
    """All teams, by name."""

    teams: Annotated[list[TeamOut], about("The teams.")]


class PutTeam(Strict, kw_only=True):
    """A team to create or replace. rotation: order, handover (``mon 09:00``), zone, anchor (a day)."""

    _EXAMPLE: ClassVar = ("rotation",)

    members: Annotated[
        list[str], about("The members: addresses or ids.", ["ann@acme.example", "ben@acme.example"])
    ]
    rotation: Annotated[
        Object | None,
        about(
            "Order, handover, zone, anchor.",
            {
                "order": ["ann@acme.example", "ben@acme.example"],
                "handover": "mon 09:00",
                "zone": "Europe/Berlin",
                "anchor": "2030-01-07",
            },
        ),
    ] = None
    channel: Annotated[
        str | None, about("Its room in a chat: slack:ID, telegram:ID or msteams:ID.", "slack:C0123456789")
    ] = None
    mailbox: Annotated[str | None, about("Its shared mailbox.", "sre@acme.example")] = None
