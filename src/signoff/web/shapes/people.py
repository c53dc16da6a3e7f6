"""The directory on the wire: people, teams, policies, the changes made by an apply and the change log."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from signoff.core.directory.model import DirectoryChange, Person, Team
from signoff.core.directory.rotation import absence_at
from signoff.core.plan.hours_reader import DAYS
from signoff.core.text import json_value
from signoff.engine.admin.manifest_diff import PlannedChange
from signoff.engine.admin.proposals import Proposal, ProposedChange, reasons
from signoff.engine.directory.snapshot import NamedPolicy, Snapshot
from signoff.engine.identity.sessions import OpenSession
from signoff.web.shapes.common import maybe, verbatim
from signoff.wire.common import ABSENT, ActorOut
from signoff.wire.manifests import ChangeOut, ProposalOut, RecordedChange
from signoff.wire.people import AbsenceOut, HoursOut, PersonOut, SessionOut
from signoff.wire.policies import PolicyOut
from signoff.wire.teams import RotationOut, TeamOut

Display = Callable[[str], str]


def person_out(person: Person, directory: Snapshot, now: datetime, whole: bool = True) -> PersonOut:
    """One person. ``whole``: include their personal settings."""
    out = PersonOut(
        id=person.id,
        email=person.email,
        name=person.name,
        roles=person.roles,
        active=person.active,
        teams=list(directory.teams_of(person.id)),
        away=absence_at(person.absences, now) is not None,
        created_at=person.created_at,
    )
    if not whole:
        return out
    out.addresses, out.zone, out.preferences = person.addresses, person.zone, person.preferences
    out.absences = [
        AbsenceOut(begins=away.start, until=away.end, delegate=maybe(email_of(directory, away.delegate)))
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


def email_of(directory: Snapshot, person_id: str) -> str:
    """The address of a person; the id if it is unknown."""
    person = directory.people.get(person_id)
    return person.email if person else person_id


def team_out(team: Team, directory: Snapshot, now: datetime) -> TeamOut:
    out = TeamOut(name=team.name, members=[email_of(directory, member) for member in team.members])
    out.channel, out.mailbox = maybe(team.channel), maybe(team.mailbox)
    turns = team.rotation
    if turns is not None:
        out.rotation = RotationOut(
            order=[email_of(directory, person) for person in turns.order],
            handover=f"{DAYS[turns.weekday]} {turns.at:%H:%M}",
            zone=turns.zone,
            anchor=turns.anchor,
            on_call=email_of(directory, turns.on_call(now)),
            next_handover_at=turns.handover_after(now),
        )
    return out


def policy_out(found: NamedPolicy, directory: Snapshot) -> PolicyOut:
    row = found.row
    return PolicyOut(
        name=row.name,
        version=row.version,
        strength=found.compiled.strength.value if found.compiled else "",
        source=verbatim(row.source),
        applied_by=directory.display(row.applied_by),
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
        proposed_by=ActorOut(kind=row.actor_kind, id=row.actor_id, name=display(row.actor_id)),
        proposed_at=row.at,
        expires_at=row.expires_at,
        changes=[change_out(shown) for shown in proposal.changes],
        relaxations=[f"{shown.kind} {shown.name}" for shown in proposal.changes if shown.loosens],
        why=reasons(proposal.changes),
    )
    if end is not None:
        out.ended_by, out.ended_at = _person(end.actor_id, display), end.at
    return out


def _person(id: str, display: Display) -> ActorOut:
    return ActorOut(kind="person", id=id, name=display(id))


def change_out(planned: PlannedChange | ProposedChange) -> ChangeOut:
    return ChangeOut(
        action=planned.action,
        kind=planned.kind,
        name=planned.name,
        fields=_differing(planned.before, planned.after),
        before=ABSENT if planned.before is None else planned.before,
        after=ABSENT if planned.after is None else planned.after,
    )


def agent_registered(address: str) -> ChangeOut:
    after = {"address": address}
    return ChangeOut(action="create", kind="agent", name=address, fields=list(after), after=after)


def recorded_out(change: DirectoryChange, display: Display) -> RecordedChange:
    before = json_value.decode(change.before) if change.before else None
    after = json_value.decode(change.after) if change.after else None
    return RecordedChange(
        id=change.id,
        number=change.number,
        at=change.at,
        actor=ActorOut(kind=change.actor_kind, id=change.actor_id, name=display(change.actor_id)),
        via=change.via,
        action="create" if before is None else "change" if after is not None else "remove",
        kind=change.kind,
        name=change.name,
        fields=_differing(before, after),
        before=ABSENT if before is None else before,
        after=ABSENT if after is None else after,
        confirmed_by=_person(change.confirmed_by, display) if change.confirmed_by else ABSENT,
    )


def session_out(one: OpenSession) -> SessionOut:
    return SessionOut(
        session_id=one.id,
        by=one.by,
        created_at=one.created_at,
        used_at=one.used_at,
        expires_at=one.expires_at,
    )
