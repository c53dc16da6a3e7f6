"""Export the current state of a workspace as a manifest: a starting point, a file for a repository, or a copy for
another server.
"""

from typing import Any

from signoff.core.directory.model import ALONE, Person, Team
from signoff.core.plan.hours_reader import DAYS
from signoff.core.text import json_value
from signoff.engine.directory.snapshot import Snapshot


def manifest_of(directory: Snapshot) -> dict[str, Any]:
    """The document that describes this workspace; applying it to the workspace changes nothing."""
    space = directory.workspace
    settings: dict[str, Any] = {
        "positive_fallback": space.positive_fallback,
        "protected": space.protected,
        "default_policy": space.default_policy or False,
        "unlisted_types": space.unlisted_types,
    }
    if space.self_approval_setting != ALONE:  # only the first start of a server sets this, never a document
        settings["self_approval"] = space.self_approval
    people = sorted(directory.people.values(), key=lambda one: one.email)
    return {
        "workspace": settings,
        "people": {one.email: _person(one, directory) for one in people if not one.removed},
        "teams": {name: _team(team, directory) for name, team in sorted(directory.teams.items())},
        "policies": {
            name: json_value.decode(found.row.source) for name, found in sorted(directory.policies.items())
        },
        "workflows": [json_value.decode(flow.source) for _, flow in sorted(directory.workflows.items())],
    }


def _person(person: Person, directory: Snapshot) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": person.name, "roles": list(person.roles), "active": person.active}
    if person.addresses:
        fields["addresses"] = person.addresses
    if person.zone:
        fields["zone"] = person.zone
    if person.hours is not None:
        work = person.hours
        fields["hours"] = {
            "zone": work.zone,
            "days": [DAYS[day] for day in work.days],
            "from": f"{work.start:%H:%M}",
            "to": f"{work.end:%H:%M}",
        }
    if person.absences:
        fields["absences"] = [
            {"from": away.start.isoformat(), "until": away.end.isoformat()}
            | ({"delegate": _address(away.delegate, directory)} if away.delegate else {})
            for away in person.absences
        ]
    if person.preferences:
        fields["preferences"] = person.preferences
    return fields


def _team(team: Team, directory: Snapshot) -> dict[str, Any]:
    fields: dict[str, Any] = {"members": [_address(one, directory) for one in team.members]}
    fields |= {name: value for name in ("channel", "mailbox") if (value := getattr(team, name))}
    turns = team.rotation
    if turns is not None:
        fields["rotation"] = {
            "order": [_address(one, directory) for one in turns.order],
            "handover": f"{DAYS[turns.weekday]} {turns.at:%H:%M}",
            "zone": turns.zone,
            "anchor": turns.anchor.isoformat(),
        }
    return fields


def _address(person_id: str, directory: Snapshot) -> str:
    person = directory.people.get(person_id)
    return person.email if person is not None else person_id
