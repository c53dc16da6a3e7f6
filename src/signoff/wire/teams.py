"""Teams and their rotations."""

from datetime import date, datetime

from msgspec import Struct

from signoff.wire.common import ABSENT, Object, Ok, OrNone, Strict


class RotationOut(Struct, kw_only=True):
    """Who is on call when: ``handover`` is a weekday and a local time."""

    order: list[str]
    handover: str
    zone: str
    anchor: date
    on_call: str
    next_handover_at: datetime


class TeamOut(Struct, kw_only=True):
    """A team; people by address."""

    name: str
    members: list[str]
    rotation: OrNone[RotationOut] = ABSENT


class TeamAnswer(Ok, kw_only=True):
    """One team. warnings: open tasks that the change leaves understaffed."""

    team: TeamOut
    warnings: tuple[str, ...] = ()


class TeamsAnswer(Ok, kw_only=True):
    """All teams, by name."""

    teams: list[TeamOut]


class PutTeam(Strict, kw_only=True):
    """A team to create or replace. rotation: order, handover (``mon 09:00``), zone, anchor (a day)."""

    members: list[str]
    rotation: Object | None = None
