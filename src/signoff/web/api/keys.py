"""Keys of agents, services and people."""

from datetime import timedelta

from signoff import wire
from signoff.core.directory.actors import ActorKind
from signoff.core.directory.model import Account, Person
from signoff.core.errors import Conflict, Invalid
from signoff.engine.admin.accounts import sponsor
from signoff.engine.admin.workspace_warnings import workspace_warnings
from signoff.web.http import bodies
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.web.shapes import accounts as shapes

_DEFAULT_ROLES = ("approver",)
_CREATED_FOR_ANOTHER = (
    "answers with this key do not count for your own requests, because you created it; for those, the person signs "
    "in with signoff login, or on the pages"
)


async def create_key(call: Call) -> wire.keys.NewKeyOut:
    """POST /v1/keys"""
    wanted = bodies.ours(wire.keys.CreateKey, call.body)
    holders = [holder for holder in (wanted.agent, wanted.service, wanted.person) if holder is not None]
    if len(holders) != 1:
        raise Invalid(
            "validation_error",
            "A key is for exactly one of agent, service and person.",
            field="agent",
            hint='Send one of them, such as {"agent": "infra-validator"}.',
        )
    before = await directory_of(call)
    holder = await _holder(call, wanted)
    after = await directory_of(call)
    warnings = workspace_warnings(before, after)
    seconds = wanted.expires_in_seconds
    life = timedelta(seconds=seconds) if seconds is not None else None
    made = await call.state.accounts.add_key(call.actor, holder, life)
    if isinstance(holder, Person) and not after.self_approval and sponsor(call.actor) not in ("", holder.id):
        warnings = (*warnings, _CREATED_FOR_ANOTHER)
    return shapes.new_key_out(made, holder.email if isinstance(holder, Person) else holder.address, warnings)


async def _holder(call: Call, wanted: wire.keys.CreateKey) -> Account | Person:
    """The key's holder; created if missing."""
    for name in ("name", "roles") if wanted.person is None else ():
        if getattr(wanted, name):
            raise Invalid(
                "unknown_field",
                f"{name}: has no effect; it is only for a person's key.",
                field=name,
                hint="Leave it out.",
            )
    if wanted.person is not None:
        roles = tuple(wanted.roles) or _DEFAULT_ROLES
        person, created = await call.state.manifests.add_person(call.actor, wanted.person, wanted.name, roles)
        if not created and wanted.roles and set(wanted.roles) != set(person.roles):
            raise Conflict(
                "person_exists",
                f"{person.email} already exists, with {', '.join(person.roles) or 'no'} as roles.",
                hint="Omit the roles, or change them first: signoff people set, PATCH /v1/people/{id}.",
            )
        if not created and wanted.name and wanted.name != person.name:
            raise Conflict(
                "person_exists",
                f"{person.email} already exists, under another name.",
                hint="Omit the name, or change it first: signoff people set, PATCH /v1/people/{id}.",
            )
        return person
    if wanted.agent is not None:
        known = (await directory_of(call)).registered(wanted.agent, "agent")
        if known is not None and known.kind == ActorKind.AGENT.value:
            return known
        return (await call.state.accounts.add_account(call.actor, ActorKind.AGENT, wanted.agent))[0]
    return (await call.state.accounts.add_account(call.actor, ActorKind.SERVICE, wanted.service or ""))[0]


async def keys(call: Call) -> wire.keys.KeysResponse:
    """GET /v1/keys"""
    now, directory = call.state.clock.now(), await directory_of(call)
    found = await call.state.accounts.keys(call.actor)
    return wire.keys.KeysResponse(
        keys=[shapes.key_out(key, now, holder=directory.display(key.actor_id)) for key in found]
    )


async def revoke_key(call: Call) -> wire.keys.KeyResponse:
    """POST /v1/keys/{key_id}/revoke"""
    key = await call.state.accounts.revoke_key(call.actor, call.params["key_id"])
    return wire.keys.KeyResponse(key=shapes.key_out(key, call.state.clock.now()))
