"""People, teams, policies, and manifests. Each change is compared in the same way, is written atomically, and is
recorded with its author.
"""

from datetime import datetime
from typing import Any

import msgspec

from signoff import wire
from signoff.core.directory.authorization import Action, authorize, permits
from signoff.core.directory.model import Person
from signoff.core.errors import Conflict, Invalid, NotFound
from signoff.core.formats.manifest import (
    Manifest,
    compile_manifest,
    read_named_policy,
    read_person,
    read_team,
)
from signoff.core.text.document_reader import document, in_utc
from signoff.engine.admin.manifest_diff import UNCHANGED
from signoff.engine.admin.proposals import Proposal
from signoff.engine.directory.change_log import subject_of
from signoff.engine.directory.contact_schedule import preview
from signoff.engine.directory.eligible_people import known_person
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.planning.planner import remarks
from signoff.notify.registry import personal_channels
from signoff.web.http import bodies
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.web.shapes import people as p
from signoff.web.shapes.common import maybe
from signoff.web.shapes.desk import explain_out
from signoff.wire.tasks import ExplainOut


def _said(body: msgspec.Struct, *without: str) -> dict[str, Any]:
    """The given fields of a body, without the omitted ones."""
    given = msgspec.structs.asdict(body)
    return {name: value for name, value in given.items() if value is not None and name not in without}


# -- people


async def people(call: Call) -> wire.people.PeopleAnswer:
    """GET /v1/people"""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory = await directory_of(call)
    return wire.people.PeopleAnswer(
        people=[_out(call, person, directory) for person in directory.people.values()]
    )


def _out(call: Call, person: Person, directory: Snapshot) -> wire.people.PersonOut:
    """A person as this caller may see them: personal settings are visible to the person and to those who may read
    everything.
    """
    whole = permits(call.actor, Action.READ_PERSON, person)
    return p.person_out(person, directory, call.state.clock.now(), whole)


async def add_person(call: Call) -> wire.people.PersonAnswer:
    """POST /v1/people"""
    said = bodies.ours(wire.people.CreatePerson, call.body)
    authorize(call.actor, Action.CHANGE_DIRECTORY)  # first: else the answer would tell who is here
    directory = await directory_of(call)
    if any(person.email == said.email.strip().lower() for person in directory.people.values()):
        raise Conflict(
            "person_exists",
            f"{said.email[:255]} is here already.",
            hint="Change it: signoff people set, or PATCH /v1/people/{id}.",
        )
    return await _put_person(call, said.email, _said(said, "email"))


async def change_person(call: Call) -> wire.people.PersonAnswer:
    """PATCH /v1/people/{person_id}"""
    said = bodies.ours(wire.people.ChangePerson, call.body)
    authorize(call.actor, Action.READ_DIRECTORY)
    directory = await directory_of(call)
    who = call.params["person_id"].strip().lower()
    found = next((one for one in directory.people.values() if who in (one.id, one.email)), None)
    if found is None:
        raise NotFound("person_not_found", f"There is no person {who[:128]}.")
    return await _put_person(call, found.id, _said(said))


async def _put_person(call: Call, who: str, said: dict[str, Any]) -> wire.people.PersonAnswer:
    spec = read_person(who, document(said), personal_channels())
    before = await directory_of(call)
    await call.state.manifests.apply(call.actor, Manifest(people=(spec,)))
    directory = await directory_of(call)
    found = next(one for one in directory.people.values() if who.strip().lower() in (one.id, one.email))
    warnings = await call.state.staffed.warnings(
        call.actor.workspace, before.membership, directory.membership
    )
    return wire.people.PersonAnswer(
        person=_out(call, found, directory), warnings=(*warnings, *_not_alone(before, directory))
    )


def _not_alone(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """The warning for a workspace that allows self-approval and now has more than one person, or whose self-approval
    ends with the second one.
    """
    if before.self_approval and after.workspace.self_approval and not after.self_approval:
        return (
            "from now on nobody decides their own requests: self-approval was on for one person, and now there are "
            "more; requests made before stay as they were; workspace: {self_approval: true} turns it on for everybody",
        )
    if not _shared(after) or _shared(before):
        return ()
    return (
        "whoever asks may also approve here, by themselves or with a key that they made: that was for one person, and "
        "now there are more; say workspace: {self_approval: false}, or self_approval: false in a policy",
    )


def _shared(directory: Snapshot) -> bool:
    return directory.self_approval and len(directory.active_people) > 1


async def waiting(call: Call) -> wire.people.PersonWaiting:
    """GET /v1/people/{person_id}/waiting"""
    person = await _person_named(call, call.params["person_id"])
    found, whole = await call.state.reassignments.waiting(call.actor, person)
    tasks = [
        wire.people.WaitingTask(task_id=one.task, title=one.title, only_eligible=one.alone) for one in found
    ]
    return wire.people.PersonWaiting(tasks=tasks, complete=whole)


async def reassign_all(call: Call) -> wire.people.ReassignedAll:
    """POST /v1/people/{person_id}/reassign"""
    said = bodies.ours(wire.people.ReassignAll, call.body)
    authorize(call.actor, Action.CHANGE_DIRECTORY)
    giver = await _person_named(call, call.params["person_id"])
    taker = known_person(await directory_of(call), said.to, "to")
    if taker.id == giver.id:
        raise Invalid("delegate_to_oneself", "Hand it over to somebody else.", field="to")
    done = await call.state.reassignments.reassign_all(call.actor, giver, taker, said.comment)
    refused = [
        wire.people.NotReassigned(task_id=task, code=why.code, message=why.message)
        for task, why in done.refused
    ]
    return wire.people.ReassignedAll(reassigned=done.done, refused=refused, complete=done.whole)


async def understaffed(call: Call) -> wire.tasks.UnderstaffedTasksAnswer:
    """GET /v1/tasks/understaffed"""
    authorize(call.actor, Action.CHANGE_DIRECTORY)
    directory = await directory_of(call)
    found, whole = await call.state.staffed.short(call.actor.workspace, directory.membership)
    short = [
        wire.tasks.UnderstaffedTask(
            task_id=one.task,
            title=one.title,
            stage=one.lack.stage + 1,
            needed=one.lack.takes,
            remaining=one.lack.left,
        )
        for one in found
    ]
    return wire.tasks.UnderstaffedTasksAnswer(tasks=short, complete=whole)


async def _person_named(call: Call, who: str) -> Person:
    """The person with that id or address, active or not."""
    authorize(call.actor, Action.READ_DIRECTORY)
    wanted = who.strip().lower()
    found = next(
        (one for one in (await directory_of(call)).people.values() if wanted in (one.id, one.email)), None
    )
    if found is None:
        raise NotFound("person_not_found", f"There is no person {who[:128]}.")
    return found


# -- where they are signed in


async def sessions(call: Call) -> wire.people.SessionList:
    """GET /v1/people/{person_id}/sessions"""
    found = await _known(call)
    open_ones = await call.state.sessions.open_ones(call.actor, found)
    return wire.people.SessionList(sessions=[p.session_out(one) for one in open_ones])


async def end_sessions(call: Call) -> wire.people.SessionsEnded:
    """POST /v1/people/{person_id}/sessions/end"""
    return wire.people.SessionsEnded(ended=await call.state.sessions.end_all(call.actor, await _known(call)))


async def end_session(call: Call) -> wire.people.SessionsEnded:
    """POST /v1/people/{person_id}/sessions/{session_id}/end"""
    await call.state.sessions.end(call.actor, await _known(call), call.params["session_id"])
    return wire.people.SessionsEnded(ended=1)


async def _known(call: Call) -> str:
    """The id of the person whom the path names by id or address, or as ``me``; NotFound if there is none."""
    authorize(call.actor, Action.USE_SESSIONS)
    who = call.params["person_id"].strip().lower()
    if who == "me":
        return call.actor.id
    directory = await directory_of(call)
    found = next((one.id for one in directory.people.values() if who in (one.id, one.email)), None)
    if found is None:
        raise NotFound("person_not_found", f"There is no person {who[:128]}.")
    return found


# -- teams


async def teams(call: Call) -> wire.teams.TeamsAnswer:
    """GET /v1/teams"""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory, now = await directory_of(call), call.state.clock.now()
    return wire.teams.TeamsAnswer(
        teams=[p.team_out(team, directory, now) for team in directory.teams.values()]
    )


async def team(call: Call) -> wire.teams.TeamAnswer:
    """GET /v1/teams/{name}"""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory = await directory_of(call)
    found = directory.teams.get(call.params["name"])
    if found is None:
        raise NotFound("team_not_found", f"There is no team {call.params['name'][:128]!r}.")
    return wire.teams.TeamAnswer(team=p.team_out(found, directory, call.state.clock.now()))


async def put_team(call: Call) -> wire.teams.TeamAnswer:
    """PUT /v1/teams/{name}"""
    said = bodies.ours(wire.teams.PutTeam, call.body)
    spec = read_team(call.params["name"], document(_said(said)))
    before = await directory_of(call)
    await call.state.manifests.apply(call.actor, Manifest(teams=(spec,)))
    after = await directory_of(call)
    answer = await team(call)
    answer.warnings = await call.state.staffed.warnings(
        call.actor.workspace, before.membership, after.membership
    )
    return answer


# -- policies


async def policies(call: Call) -> wire.policies.PoliciesAnswer:
    """GET /v1/policies"""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory = await directory_of(call)
    return wire.policies.PoliciesAnswer(
        policies=[p.policy_out(found, directory) for found in directory.policies.values()]
    )


async def put_policy(call: Call) -> wire.policies.PolicyAnswer:
    """POST /v1/policies"""
    said = bodies.ours(wire.policies.PutPolicy, call.body)
    spec = read_named_policy(said.name, document(said.policy).moved("policy"))
    [planned] = await call.state.manifests.apply(call.actor, Manifest(policies=(spec,)))
    directory = await directory_of(call)
    return wire.policies.PolicyAnswer(
        policy=p.policy_out(directory.policies[said.name], directory), changed=planned.action != UNCHANGED
    )


async def explain_policy(call: Call) -> ExplainOut:
    """GET /v1/policies/{name}/explain"""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory = await directory_of(call)
    found = directory.policies.get(call.params["name"])
    if found is None:
        raise NotFound("policy_not_found", f"There is no policy {call.params['name'][:128]!r}.")
    at = _at(call)

    def said() -> ExplainOut:
        return explain_out(preview(found, directory, at, call.actor.workspace), directory, call.state.mails)

    return await call.state.aside.run(call.actor, said)


def _at(call: Call) -> datetime:
    word = call.query.get("at", "")
    if not word:
        return call.state.clock.now()
    try:
        at = msgspec.convert(word.replace(" ", "+"), datetime)  # a plus in a query is a space
    except msgspec.ValidationError:
        at = None
    if at is None or at.tzinfo is None:
        hint = "Write it as 2030-01-31T18:00:00Z."
        raise Invalid("validation_error", f"at: {word[:64]!r} is not a moment.", field="at", hint=hint)
    return in_utc(at, "at")


# -- all of it


async def apply(call: Call) -> wire.changes.ManifestAnswer:
    """POST /v1/apply"""
    said = bodies.ours(wire.changes.ManifestRequest, call.body)
    source = {name: value for name, value in _said(said).items() if value}
    dry_run = call.flag("dry_run")
    before, manifest = await directory_of(call), compile_manifest(source, personal_channels())
    seen = call.query.get("seen", "")
    draft, proposal = await call.state.proposals.apply(call.actor, manifest, source, dry_run, seen)
    after = (
        (await call.state.manifests.drafted(call.actor, manifest)).directory
        if dry_run
        else await directory_of(call)
    )
    warnings = await call.state.staffed.warnings(call.actor.workspace, before.membership, after.membership)
    warnings = (*warnings, *_not_alone(before, after))
    for spec in manifest.workflows:
        absent = await call.state.workers.absent(spec.template.plan, after, call.state.clock.now())
        warnings = (*warnings, *absent, *remarks(spec.template.plan, after))
    out = wire.changes.ManifestAnswer(
        dry_run=dry_run,
        changed=bool(draft.changed),
        changes=[p.change_out(one) for one in draft.planned],
        seen=draft.seen(),
        warnings=warnings,
    )
    if proposal is not None:
        out.proposal = p.proposal_out(proposal, (await directory_of(call)).display)
    return out


async def proposals(call: Call) -> wire.changes.ProposalList:
    """GET /v1/proposals"""
    found = await call.state.proposals.waiting(call.actor, call.number("limit", 50, 1, 200))
    display = (await directory_of(call)).display
    return wire.changes.ProposalList(proposals=[p.proposal_out(one, display) for one in found])


async def proposal(call: Call) -> wire.changes.ProposalAnswer:
    """GET /v1/proposals/{proposal_id}"""
    return await _shown(call, await call.state.proposals.get(call.actor, call.params["proposal_id"]))


async def confirm(call: Call) -> wire.changes.ProposalAnswer:
    """POST /v1/proposals/{proposal_id}/confirm"""
    return await _shown(call, await call.state.proposals.confirm(call.actor, call.params["proposal_id"]))


async def refuse(call: Call) -> wire.changes.ProposalAnswer:
    """POST /v1/proposals/{proposal_id}/refuse"""
    ended = await call.state.proposals.refuse(call.actor, call.params["proposal_id"])
    return await _shown(call, ended)


async def _shown(call: Call, found: Proposal) -> wire.changes.ProposalAnswer:
    return wire.changes.ProposalAnswer(proposal=p.proposal_out(found, (await directory_of(call)).display))


async def changes(call: Call) -> wire.changes.ChangesAnswer:
    """GET /v1/changes"""
    authorize(call.actor, Action.READ_CHANGES)
    limit = call.number("limit", 50, 1, 200)
    directory, about = await directory_of(call), call.query.get("about", "")
    subject = subject_of(about, directory) if about else ""
    found = await call.state.manifests.changes(call.actor, limit + 1, _before(call), subject)
    more = str(found[limit - 1].number) if len(found) > limit else None
    return wire.changes.ChangesAnswer(
        changes=[p.recorded_out(change, directory.display) for change in found[:limit]],
        next_cursor=maybe(more),
    )


def _before(call: Call) -> int:
    """The number below which the next page starts, 0 for the first page; Invalid for one that no page returned."""
    said = call.query.get("cursor", "")
    if said and not (said.isascii() and said.isdigit() and len(said) < 19):
        raise Invalid(
            "validation_error", f"cursor: {said[:64]!r} is no next_cursor.", field="cursor",
            hint="Send next_cursor of the page before, as it is.",
        )  # fmt: skip
    return int(said or 0)
