"""Workflows and agents, for everyone who is signed in; keys, for owners and admins."""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from signoff.core.directory.actors import ActorKind
from signoff.core.directory.agent_limits import MICROS
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Account, Person
from signoff.core.directory.senders import ALLOWLIST, OPEN
from signoff.core.errors import Invalid, Refused
from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, NotifyStep, Step
from signoff.core.plan.policy_choice import PolicyChoice
from signoff.core.policy.conditions import conditions_text
from signoff.core.text import json_value
from signoff.core.text.masking import masked
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.directory.workers import absent
from signoff.engine.off_loop import SHORT
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest

_PAGE: Final = 25
_LIVES: Final = {"30": timedelta(days=30), "90": timedelta(days=90), "365": timedelta(days=365), "": None}


async def workflows(request: PageRequest) -> Page:
    """GET /workflows"""
    directory, query = await request.directory(), request.query
    words = query.get("q", "").strip()[:200]
    after = (query["after"][:255].lower(), query.get("type", "")[:255]) if query.get("after") else None
    page = directory.listed_workflows.page(words, after, _PAGE)
    plans = await request.state.planner.plans_of(page.entries)
    size = sum(len(workflow.source) for workflow in page.entries)

    def listed() -> list[dict[str, Any]]:
        return [
            {
                "workflow": workflow,
                "by": directory.display(workflow.applied_by),
                "steps": [{"id": step.id, "says": _does(step, directory)} for step in plan.steps],
                "source": _masked_source(workflow.source),
            }
            for workflow, plan in zip(page.entries, plans, strict=True)
        ]

    rows = await request.state.off_loop.run(request.actor, listed, size)
    search = {"q": words} if words else {}
    last = page.entries[-1] if page.more else None
    return await request.page(
        "workflows.html",
        in_thread=size > SHORT,
        rows=rows,
        q=words,
        count=len(directory.listed_workflows),
        next=urlencode(search | {"after": last.name, "type": last.intent_type}) if last else "",
        first=f"/workflows?{urlencode(search)}" if after is not None else "",
    )


def _masked_source(source: bytes) -> str:
    """A workflow's source with secrets masked, which an agent's ``input`` may contain. The API returns it unmasked."""
    return msgspec.json.format(msgspec.json.encode(masked(json_value.decode(source))), indent=2).decode()


def _does(step: Step, directory: Snapshot) -> str:
    """Who runs or decides a step, and under which policy."""
    match step:
        case AgentStep(agent=agent):
            account = directory.registered(agent)
            return (account.display_name or account.name) if account else agent
        case HumanStep(task=spec, choices=choices):
            named = f"policy {spec.policy}" if spec.policy else ", ".join(spec.stages[0].approvers)
            asked = "; ".join(_choice(one) for one in choices) or named
            return f"{spec.type.value.replace('_', ' ')}, {asked or 'anyone who may approve'}"
        case DelayStep():
            return "waits"
        case NotifyStep():
            return "notifies people"


def _choice(choice: PolicyChoice) -> str:
    return (
        f"policy {choice.use} if {conditions_text(choice.when)}"
        if choice.when
        else f"otherwise policy {choice.use}"
    )


async def agents(request: PageRequest) -> Page:
    """GET /agents"""
    found = await request.state.accounts.accounts(request.actor)
    directory = await request.directory()
    now, live, work = request.state.clock.now(), dict[str, int](), await _given_work(request, directory)
    workers = await request.state.workers.of(request.actor.workspace)
    for key in await request.state.accounts.keys(request.actor):
        usable = key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
        live[key.actor_id] = live.get(key.actor_id, 0) + usable
    used = await request.state.usage.of(request.actor.workspace)
    rows = [
        {
            "account": account,
            "live": live.get(account.id, 0),
            "by": directory.display(account.created_by) if account.created_by else "",
            "flows": work.get(account.address, ()),
            "absent": absent(account.address, directory, workers, now) if account.kind == "agent" else "",
            "worker": workers.get(account.address),
            "used": used.get(account.address),
            "restricted": _restricted(account),
            "receives": _receives(account) if account.kind == "agent" else "",
        }
        for account in sorted(found, key=lambda one: (one.kind, one.name))
    ]
    return await request.page("agents.html", rows=rows)


def _restricted(account: Account) -> str:
    """Who may send to an agent, and how much work it is given, as sentences."""
    found: list[str] = []
    senders, limits = account.senders, account.limits
    if senders is not None and senders.mode != OPEN:
        names = ", ".join(entry.pattern for entry in senders.entries) or "nobody"
        found.append(
            f"Accepts work only from {names}." if senders.mode == ALLOWLIST else f"Refuses work from {names}."
        )
    if limits is not None:
        bounds = (
            (limits.per_hour, f"{_requests(limits.per_hour)} an hour"),
            (limits.per_day, f"{_requests(limits.per_day)} a day"),
            (limits.cost_per_day, f"{limits.cost_per_day / MICROS:.2f} USD a day"),
        )
        if texts := ", ".join(text for bound, text in bounds if bound):
            found.append(f"Limited to {texts}.")
    return " ".join(found)


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


def _receives(account: Account) -> str:
    """How an agent gets its work."""
    return "is called with its work" if account.delivery_mode == "http" else "asks for its work"


async def _given_work(request: PageRequest, directory: Snapshot) -> dict[str, list[str]]:
    """The workflows that use each agent, by its address."""
    found: dict[str, list[str]] = {}
    flows = sorted(directory.workflows.values(), key=lambda flow: flow.name)
    for flow, plan in zip(flows, await request.state.planner.plans_of(flows), strict=True):
        for address in {directory.resolve(step.agent) for step in plan.steps if isinstance(step, AgentStep)}:
            found.setdefault(address, []).append(flow.name)
    return found


async def kill_agent(request: PageRequest) -> Page:
    """POST /agents/{account_id}/kill"""
    await request.state.kill_switch.kill(request.actor, request.params["account_id"])
    return request.to("/agents")


async def resume_agent(request: PageRequest) -> Page:
    """POST /agents/{account_id}/resume"""
    await request.state.kill_switch.resume(request.actor, request.params["account_id"])
    return request.to("/agents")


async def remove_agent(request: PageRequest) -> Page:
    """POST /agents/{account_id}/remove: also revokes its keys."""
    authorize(request.actor, Action.MANAGE_KEYS)
    await request.state.accounts.remove_account(request.actor, request.params["account_id"])
    return request.to("/agents")


# -- keys


async def keys(request: PageRequest) -> Page:
    """GET /keys"""
    return await _keys(request)


async def _keys(
    request: PageRequest, refusal: Refused | None = None, secret: str = "", whose: str = ""
) -> Page:
    authorize(request.actor, Action.MANAGE_KEYS)
    directory = await request.directory()
    found = await request.state.accounts.keys(request.actor)
    found.sort(key=lambda key: (key.revoked_at is not None, -key.created_at.timestamp()))
    rows = [
        {
            "key": key,
            "holder": directory.display(key.actor_id),
            "by": directory.display(key.created_by) if key.created_by else "",
        }
        for key in found
    ]
    return await request.page(
        "keys.html",
        refusal.status if refusal is not None else 200,
        rows=rows,
        refusal=refusal,
        secret=secret,
        whose=whose,
        people=sorted(p.email for p in directory.people.values() if not p.removed),
        posted=dict(request.form) if refusal is not None else {},
    )


async def add_key(request: PageRequest) -> Page:
    """POST /keys: the response shows the secret once; it is not stored and cannot be fetched again."""
    authorize(request.actor, Action.MANAGE_KEYS)
    try:
        life = lasts(request.field("life", "90"))
        holder = await _holder(request)
        made = await request.state.accounts.add_key(request.actor, holder, life)
    except Refused as refusal:
        return await _keys(request, refusal)
    whose = holder.email if isinstance(holder, Person) else holder.address or holder.name
    return await _keys(request, secret=made.secret, whose=whose)


def lasts(chosen: str) -> timedelta | None:
    """The lifetime of a key for the choice in the form."""
    if chosen not in _LIVES:
        raise Invalid("validation_error", "Choose how long the key lasts.", field="life")
    return _LIVES[chosen]


async def _holder(request: PageRequest) -> Account | Person:
    kind, name = request.field("kind"), request.field("name").strip()
    directory = await request.directory()
    if kind == ActorKind.PERSON.value:
        person = directory.by_email.get(name.lower())
        if person is None:
            sentence = f"No person has the address {name[:100]!r}."
            raise Invalid("person_not_found", sentence, field="name", hint="Add the person first.")
        return person
    if kind not in (ActorKind.AGENT.value, ActorKind.SERVICE.value):
        raise Invalid("validation_error", "Choose whom the key is for.", field="kind")
    account, _ = await request.state.accounts.add_account(request.actor, ActorKind(kind), name)
    return account


async def revoke_key(request: PageRequest) -> Page:
    """POST /keys/{key_id}/revoke"""
    authorize(request.actor, Action.MANAGE_KEYS)
    await request.state.accounts.revoke_key(request.actor, request.params["key_id"])
    return request.to("/keys")
