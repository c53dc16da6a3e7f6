"""People, their sessions, and the tasks that wait for them."""

from typing import Any

from signoff import wire
from signoff.core.directory.authorization import Action, authorize, permits
from signoff.core.directory.mailboxes import refuse_no_mailbox
from signoff.core.directory.model import Person
from signoff.core.errors import Conflict, Invalid, NotFound
from signoff.core.formats.manifest import (
    Manifest,
    read_person,
)
from signoff.core.text.document_reader import document
from signoff.engine.admin.workspace_warnings import workspace_warnings
from signoff.engine.directory.eligible_people import known_person
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.off_loop import populous
from signoff.notify.registry import personal_channels
from signoff.web.http import bodies
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.web.shapes import people as p
from signoff.web.shapes.messages import messages_out


async def people(call: Call) -> wire.people.PeopleResponse:
    """GET /v1/people"""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory = await directory_of(call)

    def shown() -> wire.people.PeopleResponse:
        return wire.people.PeopleResponse(
            people=[
                _out(call, person, directory) for person in directory.people.values() if not person.removed
            ]
        )

    return await call.state.off_loop.run(call.actor, shown) if populous(directory) else shown()


def _out(call: Call, person: Person, directory: Snapshot) -> wire.people.PersonOut:
    """A person as this caller may see them: personal settings are visible to the person and to actors that may read
    everything.
    """
    whole = permits(call.actor, Action.READ_PERSON, person)
    return p.person_out(person, directory, call.state.clock.now(), whole)


async def add_person(call: Call) -> wire.people.PersonResponse:
    """POST /v1/people"""
    request = bodies.ours(wire.people.CreatePerson, call.body)
    # authorize first: otherwise the response would reveal who exists
    authorize(call.actor, Action.CHANGE_DIRECTORY)
    email = request.email.strip().lower()
    refuse_no_mailbox(email, "email")
    directory = await directory_of(call)
    if email in directory.by_email:
        raise Conflict(
            "person_exists",
            f"{request.email[:255]} already exists.",
            hint="Change it: signoff people set, or PATCH /v1/people/{id}.",
        )
    return await _put_person(call, email, bodies.given(request, "email"))


async def change_person(call: Call) -> wire.people.PersonResponse:
    """PATCH /v1/people/{person_id}"""
    request = bodies.ours(wire.people.ChangePerson, call.body)
    authorize(call.actor, Action.READ_DIRECTORY)
    found = _person_named(await directory_of(call), call.params["person_id"])
    return await _put_person(call, found.id, bodies.given(request))


async def _put_person(call: Call, who: str, fields: dict[str, Any]) -> wire.people.PersonResponse:
    spec = read_person(who, document(fields), personal_channels())
    before = await directory_of(call)
    applied = await call.state.manifests.apply(call.actor, Manifest(people=(spec,)))
    directory = await directory_of(call)
    found = _person_named(directory, who)
    warnings = (*applied.warnings, *workspace_warnings(before, directory))
    return wire.people.PersonResponse(person=_out(call, found, directory), warnings=warnings)


async def waiting(call: Call) -> wire.people.PersonWaiting:
    """GET /v1/people/{person_id}/waiting"""
    authorize(call.actor, Action.READ_DIRECTORY)
    person = _person_named(await directory_of(call), call.params["person_id"])
    found, whole = await call.state.reassignments.waiting(call.actor, person)
    tasks = [
        wire.people.WaitingTask(task_id=one.task, title=one.title, only_eligible=one.alone) for one in found
    ]
    return wire.people.PersonWaiting(tasks=tasks, complete=whole)


async def erase(call: Call) -> wire.people.PersonErased:
    """POST /v1/people/{person_id}/erase"""
    done = await call.state.erasure.erase(call.actor, call.params["person_id"])
    return wire.people.PersonErased(
        person_id=done.person,
        comments=done.comments,
        messages=done.messages,
        records=done.records,
        waiting=done.waiting,
    )


async def reassign_all(call: Call) -> wire.people.ReassignedAll:
    """POST /v1/people/{person_id}/reassign"""
    request = bodies.ours(wire.people.ReassignAll, call.body)
    authorize(call.actor, Action.CHANGE_DIRECTORY)
    directory = await directory_of(call)
    person = _person_named(directory, call.params["person_id"])
    replacement = known_person(directory, request.to, "to")
    if replacement.id == person.id:
        raise Invalid("delegate_to_oneself", "Reassign it to someone else.", field="to")
    done = await call.state.reassignments.reassign_all(call.actor, person, replacement, request.comment)
    refused = [
        wire.people.NotReassigned(task_id=task, code=why.code, message=why.message)
        for task, why in done.refused
    ]
    return wire.people.ReassignedAll(reassigned=done.done, refused=refused, complete=done.whole)


def _person_named(directory: Snapshot, who: str) -> Person:
    """The person with that id or address, active or not; raises NotFound."""
    found = directory.anybody(who.strip().lower())
    if found is None:
        raise NotFound("person_not_found", f"There is no person {who[:128]}.")
    return found


# -- test messages


async def send_test(call: Call) -> wire.messages.TestMessageResponse:
    """POST /v1/people/{person_id}/test-messages"""
    request = bodies.ours(wire.messages.TestMessageRequest, call.body)
    person = await _person_or_me(call)
    made = await call.state.test_messages.send(call.actor, person, request.channel)
    [message] = messages_out([made], (await directory_of(call)).display)
    return wire.messages.TestMessageResponse(message=message)


async def tests(call: Call) -> wire.messages.MessagesResponse:
    """GET /v1/people/{person_id}/test-messages"""
    person = await _person_or_me(call)
    found = await call.state.test_messages.sent(call.actor, person)
    return wire.messages.MessagesResponse(messages=messages_out(found, (await directory_of(call)).display))


async def _person_or_me(call: Call) -> Person:
    """The person whom the path names by id or address, or as ``me``; raises NotFound."""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory, who = await directory_of(call), call.params["person_id"]
    own = directory.people.get(call.actor.id) if who.strip().lower() == "me" else None
    return own or _person_named(directory, who)


# -- sessions


async def sessions(call: Call) -> wire.people.SessionList:
    """GET /v1/people/{person_id}/sessions"""
    open_ones = await call.state.sessions.open_ones(call.actor, await _session_holder(call))
    return wire.people.SessionList(sessions=[p.session_out(one) for one in open_ones])


async def end_sessions(call: Call) -> wire.people.SessionsEnded:
    """POST /v1/people/{person_id}/sessions/end"""
    return wire.people.SessionsEnded(
        ended=await call.state.sessions.end_all(call.actor, await _session_holder(call))
    )


async def end_session(call: Call) -> wire.people.SessionsEnded:
    """POST /v1/people/{person_id}/sessions/{session_id}/end"""
    await call.state.sessions.end(call.actor, await _session_holder(call), call.params["session_id"])
    return wire.people.SessionsEnded(ended=1)


async def _session_holder(call: Call) -> str:
    """The id of the person whom the path names by id or address, or as ``me``; raises NotFound."""
    authorize(call.actor, Action.USE_SESSIONS)
    who = call.params["person_id"]
    if who.strip().lower() == "me":
        return call.actor.id
    return _person_named(await directory_of(call), who).id
