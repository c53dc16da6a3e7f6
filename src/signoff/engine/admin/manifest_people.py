"""The people, absences and teams of a manifest, added to the draft of the new state."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.mailboxes import refuse_no_mailbox
from signoff.core.directory.model import (
    Person,
    Team,
)
from signoff.core.directory.rotation import Absence, Rotation
from signoff.core.errors import Conflict, Invalid, NotFound
from signoff.core.formats.manifest import (
    PersonSpec,
    TeamSpec,
    begins,
    ends,
)
from signoff.engine.admin.manifest_diff import (
    ManifestDiff,
    shown_person,
    shown_team,
)
from signoff.engine.directory.eligible_people import (
    known_person,
)
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.identity.key_restrictions import (
    refuse_new_address,
    refuse_new_delegate,
)
from signoff.engine.planning.resolve_command import deciding_person


def plan_person(draft: ManifestDiff, spec: PersonSpec) -> None:
    known = _found(draft, spec.who)
    if known is None:
        email = spec.who.strip().lower()
        refuse_no_mailbox(email, "people")
        known = Person(draft.fresh_id("per_"), draft.actor.workspace, email, "", ("approver",), draft.now)
        before = None
    else:
        before = shown_person(known)
    changes = {
        name: value
        for name in ("name", "roles", "active", "addresses", "zone", "preferences")
        if (value := getattr(spec, name)) is not None
    }
    if spec.hours is not None:
        changes["hours"] = spec.hours or None
    after = replace(known, **changes)
    touched = "owner" in (set(known.roles) ^ set(after.roles)) or (
        "owner" in known.roles and known.active != after.active
    )
    if touched:
        authorize(draft.actor, Action.CHANGE_OWNERS)
    if before is not None:
        refuse_new_address(draft.actor, draft.before, known, after)
    back = after.active and not known.active
    if before is None or back or after.mail_address != known.mail_address:
        if after.mail_address != after.email:
            refuse_no_mailbox(after.mail_address, "addresses.email")
        _refuse_shared_mailbox(draft, after)
    draft.note("person", after.email, before, shown_person(after), after)
    draft.put_person(after)


def refuse_twice(draft: ManifestDiff, people: Sequence[PersonSpec]) -> None:
    """Raise Invalid if a manifest describes one person twice: only one of the descriptions could apply."""
    seen: set[str] = set()
    for spec in people:
        known = _found(draft, spec.who)
        key = known.email if known else spec.who.strip().removeprefix("person:").lower()
        if key in seen:
            raise Invalid(
                "duplicate_person",
                f"{key[:128]} is described twice.",
                field=f"people.{spec.who[:128]}",
                hint="Merge the entries into one.",
            )
        seen.add(key)


def _refuse_shared_mailbox(draft: ManifestDiff, person: Person) -> None:
    """Raise Invalid if another person has the same mailbox: its reader could sign in as both and would count twice."""
    other = draft.with_same_mailbox(person)
    if other is not None:
        raise Invalid(
            "mailbox_taken",
            f"{person.mail_address} is the mailbox of {other.email}, who would count twice.",
            field="people",
            hint="Give each person a separate mailbox, or use a single person.",
        )


def _found(draft: ManifestDiff, who: str) -> Person | None:
    """The person with that address or id, active or not. Raises NotFound for a removed person, who cannot be brought
    back: nobody could sign in as them.
    """
    found = draft.directory.anybody(who.strip().removeprefix("person:"))
    if found is not None and found.removed:
        raise NotFound(
            "person_not_found", f"The person {found.id} was removed.", hint="Add the address as a new person."
        )
    return found


def plan_absences(draft: ManifestDiff, spec: PersonSpec) -> None:
    if spec.absences is None:
        return
    person = _found(draft, spec.who)
    if person is None:
        raise TypeError("a person of the manifest was not added")
    absences = []
    for index, away in enumerate(spec.absences):
        start, end = begins(away.start, person.zone), ends(away.end, person.zone)
        field = f"absences[{index}]"
        if end <= start:
            raise Invalid("invalid_absence", f"{field}: it ends before it begins.", field=f"{field}.until")
        delegate = _delegate(draft, person.id, away.delegate, start, end, f"{field}.delegate")
        if delegate == person.id:
            raise Invalid("delegate_to_oneself", "Choose another delegate.", field=f"{field}.delegate")
        absences.append(Absence(start, end, delegate))
    after = replace(person, absences=tuple(absences))
    known = draft.before.people.get(person.id)
    if known is not None:
        refuse_new_delegate(draft.actor, draft.before, known, after)
    draft.put_person(after)
    if after == person:
        return
    # the person's current values become part of this change
    [noted] = [p for p in draft.planned if (p.kind, p.name) == ("person", person.email)]
    draft.planned.remove(noted)
    draft.note("person", person.email, noted.before, shown_person(after), after)


def _delegate(draft: ManifestDiff, person: str, name: str, start: datetime, end: datetime, field: str) -> str:
    """The delegate's id. The delegate must be somebody who may decide, unless they were already this absence's
    delegate.
    """
    if not name:
        return ""
    found, known = _found(draft, name), draft.before.people.get(person)
    if found is not None and known is not None and Absence(start, end, found.id) in known.absences:
        return found.id
    if found is not None and not found.active and found.id not in draft.before.people:
        return found.id  # added as inactive by the same manifest, so nobody decides for them by mistake
    return deciding_person(draft.directory, name, field).id


def keep_an_owner(draft: ManifestDiff) -> None:
    """Refuse a manifest that removes the last owner."""
    if _owned(draft.before) and not _owned(draft.directory):
        raise Conflict(
            "last_owner",
            "The workspace would no longer have an owner.",
            field="people",
            hint="Make another person an owner first: signoff people set EMAIL --role owner.",
        )


def _owned(directory: Snapshot) -> bool:
    return any(person.active and "owner" in person.roles for person in directory.people.values())


def plan_team(draft: ManifestDiff, spec: TeamSpec) -> None:
    field = f"teams.{spec.name}"
    known = draft.directory.teams.get(spec.name)
    members = tuple(_member(draft, name, f"{field}.members", known) for name in spec.members)
    rotation = _turns(draft, spec, members, known)
    team = Team(
        spec.name,
        members,
        rotation,
        draft.actor.workspace,
        draft.now,
        channel=spec.channel,
        mailbox=spec.mailbox,
    )
    before = None if known is None else shown_team(known)
    draft.note("team", spec.name, before, shown_team(team), team)
    draft.directory = draft.directory.but(teams={**draft.directory.teams, spec.name: team})


def _member(draft: ManifestDiff, name: str, field: str, team: Team | None) -> str:
    """The id of a person. An inactive person, who does not count, is accepted only if they are already a member, or if
    the manifest itself adds them as inactive, as the export of another server does.
    """
    found = _found(draft, name)
    if found is not None and (
        (team is not None and found.id in team.members) or found.id not in draft.before.people
    ):
        return found.id
    return known_person(draft.directory, name, field).id


def _turns(
    draft: ManifestDiff, spec: TeamSpec, members: tuple[str, ...], known: Team | None
) -> Rotation | None:
    turns, field = spec.rotation, f"teams.{spec.name}.rotation.order"
    if turns is None:
        return None
    order = tuple(_member(draft, name, field, known) for name in turns.order) or members
    if stranger := next(
        (name for name, person in zip(turns.order, order, strict=False) if person not in members), ""
    ):
        raise Invalid("not_a_member", f"{field}: {stranger!r} is not a member of the team.", field=field)
    anchor = turns.anchor or draft.now.astimezone(ZoneInfo(turns.zone)).date()
    rotation = Rotation(order, anchor, *turns.handover, turns.zone)
    if turns.anchor is None:
        rotation = replace(rotation, anchor=rotation.began_on(draft.now))
        held = known.rotation if known else None
        if held is not None and replace(held, anchor=anchor) == replace(rotation, anchor=anchor):
            return held  # without a new anchor the rotation continues as before
    return rotation
