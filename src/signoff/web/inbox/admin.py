"""Who and what there is: workflows and agents for everybody signed in, people and keys for owners and admins."""

from datetime import timedelta
from typing import Any, Final

import msgspec

from signoff.core.access import RUNNING
from signoff.core.errors import Forbidden, Invalid, Refused
from signoff.core.model import ActorKind
from signoff.core.standing import ROLES
from signoff.core.workflow import compile_workflow
from signoff.engine.planning import plan_summary
from signoff.store.entries import Account, Person
from signoff.web import strict
from signoff.web.call import Page
from signoff.web.inbox.door import Visit

_LIVES: Final = {"30": timedelta(days=30), "90": timedelta(days=90), "365": timedelta(days=365), "": None}


async def workflows(visit: Visit) -> Page:
    """GET /workflows"""
    book = await visit.parts.directory.of(visit.actor.workspace)
    rows = []
    for workflow in sorted(book.workflows.values(), key=lambda w: w.name):
        template = compile_workflow(strict.parse(workflow.source).value)
        rows.append({
            "workflow": workflow,
            "by": book.display(workflow.applied_by),
            "steps": plan_summary(template.plan),
            "source": msgspec.json.format(workflow.source, indent=2).decode(),
        })  # fmt: skip
    return await visit.page("workflows.html", rows=rows)


async def agents(visit: Visit) -> Page:
    """GET /agents"""
    found = await visit.parts.registry.accounts(visit.actor)
    return await visit.page("agents.html", accounts=found)


def _admin(visit: Visit) -> None:
    if not visit.actor.roles & RUNNING:
        raise Forbidden(
            "admin_required",
            "Only an owner or an admin may see this.",
            hint="Ask one of them; your inbox is yours.",
        )


# -- people


async def people(visit: Visit) -> Page:
    """GET /people"""
    return await _people(visit)


async def _people(visit: Visit, refusal: Refused | None = None, said: str = "") -> Page:
    book = await visit.parts.directory.of(visit.actor.workspace)
    posted: dict[str, Any] = dict(visit.form) if refusal is not None else {}
    return await visit.page(
        "people.html", refusal.status if refusal is not None else 200,
        people=sorted(book.people.values(), key=lambda p: (p.name or p.email).lower()),
        roles=ROLES, refusal=refusal, posted=posted, said=said, may_add=bool(visit.actor.roles & RUNNING),
    )  # fmt: skip


async def add_person(visit: Visit) -> Page:
    """POST /people"""
    roles = tuple(value for name, value in visit.form if name == "role") or ("approver",)
    try:
        person, created = await visit.parts.registry.add_person(
            visit.actor, visit.field("email"), visit.field("name").strip()[:255], roles
        )
    except Refused as refusal:
        return await _people(visit, refusal)
    if not created:
        exists = Invalid("person_exists", f"{person.email} is here already.", field="email")
        return await _people(visit, exists)
    return visit.to("/people")


# -- keys


async def keys(visit: Visit) -> Page:
    """GET /keys"""
    return await _keys(visit)


async def _keys(visit: Visit, refusal: Refused | None = None, secret: str = "", whose: str = "") -> Page:
    _admin(visit)
    book = await visit.parts.directory.of(visit.actor.workspace)
    found = await visit.parts.registry.keys(visit.actor)
    found.sort(key=lambda key: (key.revoked_at is not None, -key.created_at.timestamp()))
    rows = [
        {
            "key": key,
            "holder": book.display(key.actor_id),
            "by": book.display(key.created_by) if key.created_by else "",
        }
        for key in found
    ]
    return await visit.page(
        "keys.html", refusal.status if refusal is not None else 200, rows=rows, refusal=refusal, secret=secret,
        whose=whose, people=sorted(p.email for p in book.people.values()),
        posted=dict(visit.form) if refusal is not None else {},
    )  # fmt: skip


async def add_key(visit: Visit) -> Page:
    """POST /keys: the answer shows the secret, once; it is kept nowhere and cannot be fetched again."""
    _admin(visit)
    try:
        life = visit.field("life", "90")
        if life not in _LIVES:
            raise Invalid("validation_error", "Choose how long the key lasts.", field="life")
        holder = await _holder(visit)
        made = await visit.parts.registry.add_key(visit.actor, holder, _LIVES[life])
    except Refused as refusal:
        return await _keys(visit, refusal)
    whose = holder.email if isinstance(holder, Person) else holder.address or holder.name
    return await _keys(visit, secret=made.secret, whose=whose)


async def _holder(visit: Visit) -> Account | Person:
    kind, name = visit.field("kind"), visit.field("name").strip()
    book = await visit.parts.directory.of(visit.actor.workspace)
    if kind == ActorKind.PERSON.value:
        person = next((p for p in book.people.values() if p.email == name.lower()), None)
        if person is None:
            said = f"There is nobody with the address {name[:100]!r}."
            raise Invalid("person_not_found", said, field="name", hint="Add the person first.")
        return person
    if kind not in (ActorKind.AGENT.value, ActorKind.SERVICE.value):
        raise Invalid("validation_error", "Choose for whom the key is.", field="kind")
    account, _ = await visit.parts.registry.add_account(visit.actor, ActorKind(kind), name)
    return account


async def revoke_key(visit: Visit) -> Page:
    """POST /keys/{key_id}/revoke"""
    _admin(visit)
    await visit.parts.registry.revoke_key(visit.actor, visit.params["key_id"])
    return visit.to("/keys")
