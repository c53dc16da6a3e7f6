"""Workflows and agents, for everybody signed in; and their keys, for owners and admins."""

from datetime import timedelta
from typing import Final

import msgspec

from signoff.core.errors import Forbidden, Invalid, Refused
from signoff.core.intent.authorization import RUNNING
from signoff.core.intent.model import ActorKind
from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, NotifyStep, Step
from signoff.core.plan.policy_choice import Choice
from signoff.core.policy.conditions import said
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.next_steps import absent
from signoff.store.tables.entries import Account, Person
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import Visit

_LIVES: Final = {"30": timedelta(days=30), "90": timedelta(days=90), "365": timedelta(days=365), "": None}


async def workflows(visit: Visit) -> Page:
    """GET /workflows"""
    book = await visit.parts.directory.of(visit.actor.workspace)
    rows = []
    for workflow in sorted(book.workflows.values(), key=lambda w: w.name):
        plan = await visit.parts.planner.plan_of(workflow)
        rows.append({
            "workflow": workflow,
            "by": book.display(workflow.applied_by),
            "steps": [{"id": step.id, "says": _does(step, book)} for step in plan.steps],
            "source": msgspec.json.format(workflow.source, indent=2).decode(),
        })  # fmt: skip
    return await visit.page("workflows.html", rows=rows)


def _does(step: Step, book: Snapshot) -> str:
    """Who has a step, and under which policy."""
    match step:
        case AgentStep(agent=agent):
            account = book.registered(agent)
            return (account.display_name or account.name) if account else agent
        case HumanStep(task=spec, choices=choices):
            named = f"policy {spec.policy}" if spec.policy else ", ".join(spec.stages[0].approvers)
            asked = "; ".join(_choice(one) for one in choices) or named
            return f"{spec.type.value.replace('_', ' ')}, {asked or 'whoever may approve'}"
        case DelayStep():
            return "waits"
        case NotifyStep():
            return "tells people"


def _choice(choice: Choice) -> str:
    return (
        f"policy {choice.use} where {said(choice.when)}" if choice.when else f"otherwise policy {choice.use}"
    )


async def agents(visit: Visit) -> Page:
    """GET /agents"""
    found = await visit.parts.registry.accounts(visit.actor)
    book = await visit.parts.directory.of(visit.actor.workspace)
    now, live, work = visit.parts.clock.now(), dict[str, int](), await _given_work(visit, book)
    workers = await visit.parts.workers.of(visit.actor.workspace)
    for key in await visit.parts.registry.keys(visit.actor):
        usable = key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
        live[key.actor_id] = live.get(key.actor_id, 0) + usable
    rows = [
        {
            "account": account,
            "live": live.get(account.id, 0),
            "by": book.display(account.created_by) if account.created_by else "",
            "flows": work.get(account.address, ()),
            "absent": absent(account.address, book, workers, now) if account.kind == "agent" else "",
            "worker": workers.get(account.address),
        }
        for account in sorted(found, key=lambda one: (one.kind, one.name))
    ]
    return await visit.page("agents.html", rows=rows)


async def _given_work(visit: Visit, book: Snapshot) -> dict[str, list[str]]:
    """The workflows that give an agent work, by its address."""
    found: dict[str, list[str]] = {}
    for flow in sorted(book.workflows.values(), key=lambda flow: flow.name):
        steps = (await visit.parts.planner.plan_of(flow)).steps
        for address in {book.resolve(step.agent) for step in steps if isinstance(step, AgentStep)}:
            found.setdefault(address, []).append(flow.name)
    return found


async def remove_agent(visit: Visit) -> Page:
    """POST /agents/{account_id}/remove: its keys end with it."""
    _admin(visit)
    await visit.parts.registry.remove_account(visit.actor, visit.params["account_id"])
    return visit.to("/agents")


def _admin(visit: Visit) -> None:
    if not visit.actor.roles & RUNNING:
        raise Forbidden(
            "admin_required",
            "Only an owner or an admin may see this.",
            hint="Ask one of them; your inbox is yours.",
        )


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
        life = lasts(visit.field("life", "90"))
        holder = await _holder(visit)
        made = await visit.parts.registry.add_key(visit.actor, holder, life)
    except Refused as refusal:
        return await _keys(visit, refusal)
    whose = holder.email if isinstance(holder, Person) else holder.address or holder.name
    return await _keys(visit, secret=made.secret, whose=whose)


def lasts(chosen: str) -> timedelta | None:
    """How long a key lasts that is made with this choice of the form."""
    if chosen not in _LIVES:
        raise Invalid("validation_error", "Choose how long the key lasts.", field="life")
    return _LIVES[chosen]


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
