"""Remove people, teams, policies and workflows through a manifest. An entry that a policy, a workflow or a setting
still names cannot be removed. Open tasks keep their policy; if too few eligible people are left, the tasks escalate as
it says, just as when people leave. Histories keep the names.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import REMOVED, NamedWorkflow, Person, PolicyVersion, RemovedTeam, Team
from signoff.core.errors import Conflict, Invalid
from signoff.core.formats.manifest import Removals
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.policy.policy import Policy
from signoff.core.text import json_value
from signoff.engine.admin.manifest_diff import ManifestDiff, shown_flow, shown_person, shown_team
from signoff.engine.directory.snapshot import Snapshot

_SHOWN: Final = 10
Plans = dict[str, Plan]


def remove(draft: ManifestDiff, removals: Removals, plans: Plans) -> None:
    """Add the removals to the draft; raises Conflict (``in_use``), and Invalid for an entry that the manifest describes
    too. ``plans``: the workflows' plans, by intent type.
    """
    described = {(one.kind, one.name) for one in draft.planned}
    people = {
        _email(draft.directory, who): who for who in removals.people
    }  # each once, however often it is named
    for kind, section, names in (
        ("workflow", "workflows", removals.workflows),
        ("policy", "policies", removals.policies),
        ("team", "teams", removals.teams),
        ("person", "people", people),
    ):
        if both := next((name for name in names if (kind, name) in described), ""):
            raise Invalid(
                "invalid_field",
                f"remove.{section}: the {kind} {both[:128]} is also described under {section}.",
                field=f"remove.{section}",
                hint="Leave it in one of the two: what a manifest describes is there after it was applied.",
            )
    for type in dict.fromkeys(removals.workflows):
        _workflow(draft, type)
    for name in dict.fromkeys(removals.policies):
        _policy(draft, name, plans)
    for name in dict.fromkeys(removals.teams):
        _team(draft, name, plans)
    for who in people.values():
        _person(draft, who, plans)


def _email(directory: Snapshot, who: str) -> str:
    """The address of a person who is there, otherwise the name as given."""
    found = directory.anybody(who.strip().removeprefix("person:"))
    return who if found is None or found.removed else found.email


def _workflow(draft: ManifestDiff, type: str) -> None:
    found = draft.directory.workflows.get(type)
    if found is None:
        draft.absent("workflow", type)
        return
    rest = {key: flow for key, flow in draft.directory.workflows.items() if key != type}
    draft.note("workflow", type, shown_flow(found), None, _ended(found, draft.actor.id, draft.now))
    draft.directory = draft.directory.but(workflows=rest)


def _ended(row: NamedWorkflow | PolicyVersion, by: str, now: datetime) -> NamedWorkflow | PolicyVersion:
    """The version that marks the removal: it has no source. A later version continues the numbering."""
    return replace(row, version=row.version + 1, source=b"", applied_by=by, applied_at=now)


def _policy(draft: ManifestDiff, name: str, plans: Plans) -> None:
    found = draft.directory.policies.get(name)
    if found is None:
        draft.absent("policy", name)
        return
    users = [f"workflow {type}" for type, plan in _flows(draft.directory, plans) if name in policies_of(plan)]
    if draft.directory.workspace.default_policy == name:
        users.append("workspace.default_policy")
    _refuse_used("policy", name, users)
    rest = {key: policy for key, policy in draft.directory.policies.items() if key != name}
    before = {"version": found.row.version, "source": json_value.decode(found.row.source)}
    draft.note("policy", name, before, None, _ended(found.row, draft.actor.id, draft.now))
    draft.directory = draft.directory.but(policies=rest)


def _team(draft: ManifestDiff, name: str, plans: Plans) -> None:
    found = draft.directory.teams.get(name)
    if found is None:
        draft.absent("team", name)
        return
    _refuse_used("team", name, _users(draft.directory, plans, {f"team:{name}"}))
    rest = {key: team for key, team in draft.directory.teams.items() if key != name}
    draft.note("team", name, shown_team(found), None, RemovedTeam(draft.actor.workspace, name))
    draft.directory = draft.directory.but(teams=rest)


def _person(draft: ManifestDiff, who: str, plans: Plans) -> None:
    found = draft.directory.anybody(who.strip().removeprefix("person:"))
    if found is None or found.removed:
        draft.absent("person", who)
        return
    if "owner" in found.roles:
        authorize(draft.actor, Action.CHANGE_OWNERS)
    users = _users(draft.directory, plans, {found.id, found.email})
    alone = [
        f"team {t.name} (its only member)" for t in draft.directory.teams.values() if t.members == (found.id,)
    ]
    _refuse_used("person", found.email, [*users, *alone])
    for team in list(draft.directory.teams.values()):
        if found.id in team.members:
            _leave(draft, team, found.id)
    for other in [one for one in draft.directory.people.values() if _stands_in(one, found.id)]:
        kept = tuple(
            replace(a, delegate="" if a.delegate == found.id else a.delegate) for a in other.absences
        )
        after = replace(other, absences=kept)
        draft.note("person", other.email, shown_person(other), shown_person(after), after)
        draft.put_person(after)
    after = without_settings(found)
    draft.note("person", found.email, shown_person(found), None, after)
    draft.put_person(after)


def without_settings(person: Person) -> Person:
    """The person as histories need them: with their name, but without access and without an address, so that another
    person may use that address.
    """
    return Person(
        person.id,
        person.workspace,
        f"{REMOVED}{person.id}",
        person.name or person.email,
        (),
        person.created_at,
        False,
    )


def _stands_in(person: Person, delegate: str) -> bool:
    return any(absence.delegate == delegate for absence in person.absences)


def _leave(draft: ManifestDiff, team: Team, person: str) -> None:
    members = tuple(one for one in team.members if one != person)
    turns = team.rotation
    if turns is not None:
        order = tuple(one for one in turns.order if one != person) or members
        turns = replace(turns, order=order)
    after = replace(
        team, members=members, rotation=turns, updated_at=draft.now, workspace=draft.actor.workspace
    )
    draft.note("team", team.name, shown_team(team), shown_team(after), after)
    draft.directory = draft.directory.but(teams={**draft.directory.teams, team.name: after})


def _users(directory: Snapshot, plans: Plans, names: set[str]) -> list[str]:
    """The policies and workflows that name one of these approvers."""
    found = [
        f"policy {policy.row.name}"
        for policy in directory.policies.values()
        if policy.compiled is not None and names & named_in(policy.compiled)
    ]
    return found + [f"workflow {type}" for type, plan in _flows(directory, plans) if names & asked_in(plan)]


def _flows(directory: Snapshot, plans: Plans) -> Iterable[tuple[str, Plan]]:
    return ((type, plan) for type, plan in plans.items() if type in directory.workflows)


def named_in(policy: Policy) -> set[str]:
    """Everybody whom a policy names."""
    return {name for stage in policy.stages for name in stage.approvers} | {
        name for level in policy.escalate for name in level.to
    }


def asked_in(plan: Plan) -> set[str]:
    """Everybody whom the workflow's own steps name, except those that its policies name."""
    specs = [step.task for step in plan.steps if isinstance(step, HumanStep)]
    return {name for spec in specs for stage in spec.stages for name in stage.approvers} | {
        name for spec in specs for level in spec.escalate for name in level.to
    }


def policies_of(plan: Plan) -> set[str]:
    """The names of the policies that a workflow uses."""
    steps = [step for step in plan.steps if isinstance(step, HumanStep)]
    named = {step.task.policy for step in steps} | {choice.use for step in steps for choice in step.choices}
    return {name.partition("@")[0] for name in named if name}


def _refuse_used(kind: str, name: str, users: list[str]) -> None:
    if not users:
        return
    more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
    raise Conflict(
        "in_use",
        f"The {kind} {name} is still named by {', '.join(users[:_SHOWN])}{more}.",
        field="remove",
        hint="Change or remove those first; both may be in one file.",
        details={"used_by": users},
    )
