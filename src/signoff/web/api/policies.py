"""Policies, and a preview of what happens to a task under one."""

from datetime import datetime

import msgspec

from signoff import wire
from signoff.core.directory.authorization import Action, authorize
from signoff.core.errors import Invalid, NotFound
from signoff.core.formats.manifest import (
    Manifest,
    read_named_policy,
)
from signoff.core.text.document_reader import document, in_utc
from signoff.engine.admin.manifest_diff import UNCHANGED
from signoff.engine.directory.contact_schedule import preview
from signoff.web.http import bodies
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.web.shapes import people as p
from signoff.web.shapes.explain import explain_out
from signoff.wire.tasks import ExplainOut


async def policies(call: Call) -> wire.policies.PoliciesResponse:
    """GET /v1/policies"""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory = await directory_of(call)
    return wire.policies.PoliciesResponse(
        policies=[p.policy_out(found, directory) for found in directory.policies.values()]
    )


async def put_policy(call: Call) -> wire.policies.PolicyResponse:
    """POST /v1/policies"""
    request = bodies.ours(wire.policies.PutPolicy, call.body)
    spec = read_named_policy(request.name, document(request.policy).moved("policy"))
    [planned] = (await call.state.manifests.apply(call.actor, Manifest(policies=(spec,)))).planned
    directory = await directory_of(call)
    return wire.policies.PolicyResponse(
        policy=p.policy_out(directory.policies[request.name], directory), changed=planned.action != UNCHANGED
    )


async def explain_policy(call: Call) -> ExplainOut:
    """GET /v1/policies/{name}/explain"""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory = await directory_of(call)
    found = directory.policies.get(call.params["name"])
    if found is None:
        raise NotFound("policy_not_found", f"There is no policy {call.params['name'][:128]!r}.")
    at = _at(call)

    def made() -> ExplainOut:
        return explain_out(preview(found, directory, at, call.actor.workspace), directory, call.state.mails)

    return await call.state.off_loop.run(call.actor, made)


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
        raise Invalid("validation_error", f"at: {word[:64]!r} is not a time.", field="at", hint=hint)
    return in_utc(at, "at")
