"""AXP's mesh: agents send heartbeats, everybody in the workspace sees which agents are running, and owners and admins
kill and resume them.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

from msgspec import Struct

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
from signoff.wire.common import ABSENT, Ok, OrEmpty, OrNone
from signoff.wire.fields import AgentAddress, At, CreatedAt, DisplayName, KilledAt, about, time

HEALTHY, UNREACHABLE, KILLED, UNKNOWN = "healthy", "unreachable", "killed", "unknown"
HEALTH: Final = (HEALTHY, "degraded", UNREACHABLE, KILLED, UNKNOWN)
ACTIVE: Final = "active"
KILLED_EVENT, RESUMED_EVENT = EVENTS = ("agent.killed", "agent.resumed")
_METRICS_IGNORED: Final = "metrics have no effect: this server does not keep them"


class Heartbeat(Struct, kw_only=True):
    """An agent's heartbeat; the body may be empty."""

    _EXAMPLE: ClassVar = ()

    metrics: Annotated[
        dict[str, Any],
        about("As AXP's clients send them; they are not kept, and a warning says so.", {"intents_total": 3}),
    ] = {}


class HeartbeatAnswer(Ok, kw_only=True):
    """The heartbeat was recorded."""

    status: Annotated[
        str, about("healthy, or killed: then it must stop its work.", HEALTHY, words=(HEALTHY, KILLED))
    ] = HEALTHY
    health_status: Annotated[str, about("The same.", HEALTHY, words=(HEALTHY, KILLED))] = HEALTHY
    warnings: Annotated[OrEmpty[list[str]], about("What had no effect, as text.", [_METRICS_IGNORED])] = (
        ABSENT
    )


class MeshAgent(Struct, kw_only=True):
    """An agent, and its health."""

    address_id: Annotated[str, about("The id of the address.", "addr_01998a3c6f007d1e8a4bc35d9e7f1b21")]
    address: AgentAddress
    display_name: DisplayName
    health_status: Annotated[
        str,
        about(
            "healthy: it was seen in the last three minutes; unreachable: before that; unknown: never; killed: "
            "it was killed and not resumed. This server never sends degraded.",
            HEALTHY,
            words=HEALTH,
        ),
    ]
    last_heartbeat_at: Annotated[
        OrNone[datetime],
        time("When it last sent a heartbeat or asked for work, to the minute; absent if never."),
    ] = ABSENT
    created_at: CreatedAt
    killed_at: OrNone[KilledAt] = ABSENT


class MeshSummary(Struct, kw_only=True):
    """How many agents of the workspace there are, by health."""

    total: Annotated[int, about("All agents.", 3)]
    healthy: Annotated[int, about("Those seen in the last three minutes.", 1)]
    degraded: Annotated[int, about("Always 0.", 0)] = 0
    unreachable: Annotated[int, about("Those seen before that.", 1)]
    killed: Annotated[int, about("Those that were killed and not resumed.", 0)] = 0
    unknown: Annotated[int, about("Those never seen.", 1)]


class MeshAgentsAnswer(Ok, kw_only=True):
    """The agents of the workspace."""

    agents: Annotated[list[MeshAgent], about("The agents.")]
    summary: Annotated[
        MeshSummary, about("All agents of the workspace, regardless of the filter and the limit.")
    ]


class MeshAgentAnswer(Ok, kw_only=True):
    """One agent."""

    agent: Annotated[MeshAgent, about("The agent.")]


class KillAnswer(Ok, kw_only=True):
    """The agent is killed, or active again."""

    status: Annotated[str, about("killed, or active.", KILLED, words=(KILLED, ACTIVE))]
    agent: Annotated[MeshAgent, about("The agent.")]


class MeshEvent(Struct, kw_only=True):
    """An agent was killed or resumed."""

    event_id: Annotated[
        str, about("The id of the entry in the change log.", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0000")
    ]
    address: AgentAddress
    event_type: Annotated[str, about("agent.killed, or agent.resumed.", KILLED_EVENT, words=EVENTS)]
    actor_id: Annotated[
        str, about("The id of the person who did it.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")
    ]
    created_at: At
    details: Annotated[dict[str, Any], about("Always empty.", {})] = {}


class MeshEventsAnswer(Ok, kw_only=True):
    """The kills and resumes of agents, newest first."""

    events: Annotated[list[MeshEvent], about("The events.")]


async def heartbeat(call: Call) -> HeartbeatAnswer:
    """POST /v1/mesh/heartbeat"""
    said = bodies.axp(Heartbeat, json_intake.parse_object(call.body or b"{}"))
    authorize(call.actor, Action.SEND_HEARTBEAT)
    call.state.workers.note(call.actor.workspace, call.actor.address, call.client)
    health = HEALTHY if call.actor.killed_at is None else KILLED
    return HeartbeatAnswer(
        status=health, health_status=health, warnings=[_METRICS_IGNORED] if said.metrics else ABSENT
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
    account = await call.state.kill_switch.kill(call.actor, (await _named(call)).id)
    return KillAnswer(status=KILLED, agent=await _shown(call, account))


async def resume(call: Call) -> KillAnswer:
    """POST /v1/mesh/agents/{address}/resume"""
    authorize(call.actor, Action.KILL_AGENT)
    account = await call.state.kill_switch.resume(call.actor, (await _named(call)).id)
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


async def _named(call: Call) -> Account:
    """The agent that the path names by its address, its name or the id of its address."""
    said = call.params["address"]
    directory = await directory_of(call)
    by_id = (account for account in directory.by_address.values() if shapes.address_id(account) == said)
    account = next(by_id, None) or directory.by_address.get(await address_of(call))
    if account is None or account.kind != ActorKind.AGENT.value:
        raise NotFound("agent_not_found", f"There is no agent {said[:128]}.")
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
