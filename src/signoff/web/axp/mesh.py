"""AXP's mesh: agents send heartbeats, everybody in the workspace sees which agents are running, and owners and admins
kill and resume them.
"""

from datetime import datetime

from signoff.core.directory.actors import ActorKind
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Account
from signoff.core.directory.workers import PRESENT, Worker
from signoff.core.errors import Invalid, NotFound
from signoff.core.text import json_value
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call
from signoff.web.reading import address_of, directory_of
from signoff.web.shapes import accounts as shapes
from signoff.wire.common import ABSENT
from signoff.wire.mesh import (
    ACTIVE,
    EVENTS,
    HEALTH,
    HEALTHY,
    KILLED,
    KILLED_EVENT,
    METRICS_IGNORED,
    RESUMED_EVENT,
    UNKNOWN,
    UNREACHABLE,
    Heartbeat,
    HeartbeatAnswer,
    KillAnswer,
    MeshAgent,
    MeshAgentAnswer,
    MeshAgentsAnswer,
    MeshEvent,
    MeshEventsAnswer,
    MeshSummary,
)


async def heartbeat(call: Call) -> HeartbeatAnswer:
    """POST /v1/mesh/heartbeat"""
    request = bodies.axp(Heartbeat, json_intake.parse_object(call.body or b"{}"))
    authorize(call.actor, Action.SEND_HEARTBEAT)
    call.state.workers.note(call.actor.workspace, call.actor.address, call.client)
    health = HEALTHY if call.actor.killed_at is None else KILLED
    return HeartbeatAnswer(
        status=health, health_status=health, warnings=[METRICS_IGNORED] if request.metrics else ABSENT
    )


async def agents(call: Call) -> MeshAgentsAnswer:
    """GET /v1/mesh/agents"""
    wanted = call.query.get("health", "")
    if wanted and wanted not in HEALTH:
        raise Invalid(
            "validation_error",
            f"{wanted[:32]!r} is not a health status.",
            field="health",
            hint="Known: " + ", ".join(HEALTH) + ".",
        )
    found = await call.state.accounts.accounts(call.actor, ActorKind.AGENT)
    workers, now = await call.state.workers.of(call.actor.workspace), call.state.clock.now()
    shown = [_out(account, workers.get(account.address), now) for account in found]
    counts = dict.fromkeys(HEALTH, 0)
    for agent in shown:
        counts[agent.health_status] += 1
    matching = [agent for agent in shown if not wanted or agent.health_status == wanted]
    return MeshAgentsAnswer(
        agents=matching[: call.number("limit", 1000, 1, 1000)],
        summary=MeshSummary(
            total=len(shown),
            healthy=counts[HEALTHY],
            unreachable=counts[UNREACHABLE],
            killed=counts[KILLED],
            unknown=counts[UNKNOWN],
        ),
    )


async def agent(call: Call) -> MeshAgentAnswer:
    """GET /v1/mesh/agents/{address}"""
    return MeshAgentAnswer(agent=await _shown(call, await _named(call)))


async def kill(call: Call) -> KillAnswer:
    """POST /v1/mesh/agents/{address}/kill"""
    authorize(call.actor, Action.KILL_AGENT)
    account = await call.state.kill_switch.kill(call.actor, (await _named(call, exactly=True)).id)
    return KillAnswer(status=KILLED, agent=await _shown(call, account))


async def resume(call: Call) -> KillAnswer:
    """POST /v1/mesh/agents/{address}/resume"""
    authorize(call.actor, Action.KILL_AGENT)
    account = await call.state.kill_switch.resume(call.actor, (await _named(call, exactly=True)).id)
    return KillAnswer(status=ACTIVE, agent=await _shown(call, account))


async def events(call: Call) -> MeshEventsAnswer:
    """GET /v1/mesh/events"""
    wanted = call.query.get("event_type", "")
    if wanted and wanted not in EVENTS:
        raise Invalid(
            "validation_error",
            f"{wanted[:32]!r} is not an event of the mesh.",
            field="event_type",
            hint="Known: " + ", ".join(EVENTS) + ".",
        )
    killed = wanted == KILLED_EVENT if wanted else None
    found = await call.state.kill_switch.events(call.actor, call.number("limit", 50, 1, 200), killed)
    return MeshEventsAnswer(
        events=[
            MeshEvent(
                event_id=one.id,
                address=one.name,
                event_type=KILLED_EVENT
                if json_value.decode(one.after)["status"] == KILLED
                else RESUMED_EVENT,
                actor_id=one.actor_id,
                created_at=one.at,
            )
            for one in found
        ]
    )


async def _named(call: Call, *, exactly: bool = False) -> Account:
    """The agent that the path names by its address, its name or the id of its address. ``exactly``: the address of
    another workspace does not mean the agent here with the same name, which would be the wrong one to stop.
    """
    given = call.params["address"]
    directory, address = await directory_of(call), await address_of(call)
    by_id = (account for account in directory.by_address.values() if shapes.address_id(account) == given)
    by_name = directory.registered(given) if exactly else directory.by_address.get(address)
    account = next(by_id, None) or by_name
    if account is None or account.kind != ActorKind.AGENT.value:
        raise NotFound("agent_not_found", f"There is no agent {given[:128]}.")
    return account


async def _shown(call: Call, account: Account) -> MeshAgent:
    workers = await call.state.workers.of(call.actor.workspace)
    return _out(account, workers.get(account.address), call.state.clock.now())


def _out(account: Account, worker: Worker | None, now: datetime) -> MeshAgent:
    out = MeshAgent(
        address_id=shapes.address_id(account),
        address=account.address,
        display_name=account.display_name or account.name,
        health_status=UNKNOWN,
        created_at=account.created_at,
    )
    if worker is not None:
        out.health_status = HEALTHY if now - worker.seen_at < PRESENT else UNREACHABLE
        out.last_heartbeat_at = worker.seen_at
    if account.killed_at is not None:
        out.health_status, out.killed_at = KILLED, account.killed_at
    return out
