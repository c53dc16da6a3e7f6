"""Who decides, on the wire: people, teams, policies, what an apply changes and who changed what."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signoff.core.directory.rotation import Team, absence_at
from signoff.core.plan.hours_reader import DAYS
from signoff.core.text import json_value
from signoff.engine.admin.manifest_diff import Planned
from signoff.engine.admin.proposals import Proposal, Shown, reasons
from signoff.engine.directory.snapshot import NamedPolicy, Snapshot
from signoff.engine.identity.sessions import OpenSession
from signoff.store.tables.entries import DirectoryChange, Person
from signoff.web.shapes.common import JsonObject, Ok, Page, Text, Who, maybe
from signoff.web.shapes.requests import Object, Strict


class AbsenceOut(Struct, kw_only=True):
    """Away from ``from`` until ``until``, exclusive; whoever is the delegate may answer meanwhile."""

    begins: datetime = msgspec.field(name="from")
    until: datetime
    delegate: Text = UNSET


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
    addresses: dict[str, str] | UnsetType = UNSET
    zone: Text = UNSET
    hours: HoursOut | UnsetType = UNSET
    absences: list[AbsenceOut] | UnsetType = UNSET
    preferences: dict[str, Any] | UnsetType = UNSET
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


class UnderstaffedTask(Struct, kw_only=True):
    """Too few eligible people are left: its stage needs ``needed`` of them, and ``remaining`` could still decide."""

    task_id: str
    title: str
    stage: int
    needed: int
    remaining: int


class UnderstaffedTasks(Ok, kw_only=True):
    """The open tasks with too few eligible people left. complete: whether all were looked at."""

    tasks: list[UnderstaffedTask]
    complete: bool


class People(Ok, kw_only=True):
    """Everybody of the workspace, by address."""

    people: list[PersonOut]


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
    rotation: RotationOut | UnsetType = UNSET


class TeamAnswer(Ok, kw_only=True):
    """One team. warnings: which open tasks the change leaves with too few people."""

    team: TeamOut
    warnings: tuple[str, ...] = ()


class Teams(Ok, kw_only=True):
    """All teams, by name."""

    teams: list[TeamOut]


class PolicyOut(Struct, kw_only=True):
    """A named policy as it stands; ``source`` as it was applied; strength: how surely it must be known who decides;
    broken: why this release cannot use it.
    """

    name: str
    version: int
    strength: str
    source: JsonObject
    applied_by: str
    applied_at: datetime
    broken: Text = UNSET


class PolicyAnswer(Ok, kw_only=True):
    """One policy; ``changed`` is False when it stood so before."""

    policy: PolicyOut
    changed: bool


class Policies(Ok, kw_only=True):
    """All policies, by name."""

    policies: list[PolicyOut]


class ChangeOut(Struct, kw_only=True):
    """What an apply does to one thing: create, change or unchanged; ``fields``: what differs."""

    action: str
    kind: str
    name: str
    fields: list[str]
    before: dict[str, Any] | UnsetType = UNSET
    after: dict[str, Any] | UnsetType = UNSET


class ProposalOut(Struct, kw_only=True):
    """A change that takes a second admin, because it relaxes who decides. state: waiting, confirmed, refused, expired;
    ``relaxations``: kind and name of what is relaxed; ``why``: the reasons in plain words.
    """

    id: str
    state: str
    proposed_by: Who
    proposed_at: datetime
    expires_at: datetime
    changes: list[ChangeOut]
    relaxations: list[str]
    why: list[str]
    ended_by: Who | UnsetType = UNSET
    ended_at: datetime | UnsetType = UNSET


class ProposalAnswer(Ok, kw_only=True):
    """One proposed change."""

    proposal: ProposalOut


class ProposalList(Ok, kw_only=True):
    """The changes that wait for a second admin, newest first."""

    proposals: list[ProposalOut]


class AppliedCharter(Ok, kw_only=True):
    """What was, or (dry run) would be, changed, in order. ``proposal``: nothing is applied until another admin has
    confirmed it (its id is empty in a dry run). warnings: which open tasks it leaves with too few people.
    """

    dry_run: bool
    changed: bool
    changes: list[ChangeOut]
    warnings: tuple[str, ...] = ()
    proposal: ProposalOut | UnsetType = UNSET


class RecordedChange(ChangeOut, kw_only=True):
    """A change that was made, with who made it, and who confirmed it where it took two. action: create, change or
    remove; ``number``: its place in the workspace's record.
    """

    id: str
    number: int
    at: datetime
    actor: Who
    via: str
    confirmed_by: Who | UnsetType = UNSET


class Changes(Page, kw_only=True):
    """Who changed what, newest first."""

    changes: list[RecordedChange]


class CharterSource(Strict, kw_only=True):
    """One document with people (by address), teams and policies (by name), workflows, settings of the workspace."""

    people: Object = {}
    teams: Object = {}
    policies: Object = {}
    workflows: list[Object] = []
    workspace: Object = {}


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


class PutTeam(Strict, kw_only=True):
    """A team as it should be. rotation: order, handover (``mon 09:00``), zone, anchor (a day)."""

    members: list[str]
    rotation: Object | None = None


class PutPolicy(Strict, kw_only=True):
    """A policy as it stands in a file, under ``policy``."""

    name: str
    policy: Object


Display = Callable[[str], str]


def person_out(person: Person, book: Snapshot, now: datetime, whole: bool = True) -> PersonOut:
    """``whole``: with what they have set for themselves."""
    out = PersonOut(
        id=person.id,
        email=person.email,
        name=person.name,
        roles=person.roles,
        active=person.active,
        teams=[team.name for team in book.teams.values() if person.id in team.members],
        away=absence_at(person.absences, now) is not None,
        created_at=person.created_at,
    )
    if not whole:
        return out
    out.addresses, out.zone, out.preferences = person.addresses, person.zone, person.preferences
    out.absences = [
        AbsenceOut(begins=away.start, until=away.end, delegate=maybe(email_of(book, away.delegate)))
        for away in person.absences
    ]
    if person.hours is not None:
        work = person.hours
        out.hours = HoursOut(
            zone=work.zone,
            days=[DAYS[day] for day in work.days],
            begins=f"{work.start:%H:%M}",
            ends=f"{work.end:%H:%M}",
        )
    return out


def email_of(book: Snapshot, person_id: str) -> str:
    """The address of a person; the id itself where it is unknown."""
    person = book.people.get(person_id)
    return person.email if person else person_id


def team_out(team: Team, book: Snapshot, now: datetime) -> TeamOut:
    out = TeamOut(name=team.name, members=[email_of(book, member) for member in team.members])
    turns = team.rotation
    if turns is not None:
        out.rotation = RotationOut(
            order=[email_of(book, person) for person in turns.order],
            handover=f"{DAYS[turns.weekday]} {turns.at:%H:%M}",
            zone=turns.zone,
            anchor=turns.anchor,
            on_call=email_of(book, turns.on_call(now)),
            next_handover_at=turns.handover_after(now),
        )
    return out


def policy_out(found: NamedPolicy, book: Snapshot) -> PolicyOut:
    row = found.row
    return PolicyOut(
        name=row.name,
        version=row.version,
        strength=found.compiled.strength.value if found.compiled else "",
        source=msgspec.Raw(row.source),
        applied_by=book.display(row.applied_by),
        applied_at=row.applied_at,
        broken=maybe(found.fault),
    )


def _differing(before: Any, after: Any) -> list[str]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return []
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def proposal_out(proposal: Proposal, display: Display) -> ProposalOut:
    row, end = proposal.row, proposal.end
    out = ProposalOut(
        id=row.id,
        state=proposal.state,
        proposed_by=Who(kind=row.actor_kind, id=row.actor_id, name=display(row.actor_id)),
        proposed_at=row.at,
        expires_at=row.expires_at,
        changes=[change_out(shown) for shown in proposal.changes],
        relaxations=[f"{shown.kind} {shown.name}" for shown in proposal.changes if shown.loosens],
        why=reasons(proposal.changes),
    )
    if end is not None:
        out.ended_by, out.ended_at = _person(end.actor_id, display), end.at
    return out


def _person(id: str, display: Display) -> Who:
    return Who(kind="person", id=id, name=display(id))


def change_out(planned: Planned | Shown) -> ChangeOut:
    return ChangeOut(
        action=planned.action,
        kind=planned.kind,
        name=planned.name,
        fields=_differing(planned.before, planned.after),
        before=UNSET if planned.before is None else planned.before,
        after=planned.after,
    )


def recorded_out(change: DirectoryChange, display: Display) -> RecordedChange:
    before = json_value.decode(change.before) if change.before else None
    after = json_value.decode(change.after) if change.after else None
    return RecordedChange(
        id=change.id,
        number=change.number,
        at=change.at,
        actor=Who(kind=change.actor_kind, id=change.actor_id, name=display(change.actor_id)),
        via=change.via,
        action="create" if before is None else "change" if after is not None else "remove",
        kind=change.kind,
        name=change.name,
        fields=_differing(before, after),
        before=UNSET if before is None else before,
        after=UNSET if after is None else after,
        confirmed_by=_person(change.confirmed_by, display) if change.confirmed_by else UNSET,
    )


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


def session_out(one: OpenSession) -> SessionOut:
    return SessionOut(
        session_id=one.id,
        by=one.by,
        created_at=one.created_at,
        used_at=one.used_at,
        expires_at=one.expires_at,
    )
