"""AXP's mesh: agents send heartbeats, and everybody in the workspace sees which agents are running."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

from msgspec import Struct

from signoff.core.directory.actors import ActorKind
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Account
from signoff.core.directory.workers import PRESENT, Worker
from signoff.core.errors import Invalid, NotFound
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call
from signoff.web.reading import address_of, asks_for_work, directory_of
from signoff.web.shapes import directory as d
from signoff.wire.common import ABSENT, Ok, OrEmpty, OrNone
from signoff.wire.fields import AgentAddress, CreatedAt, DisplayName, about, time

HEALTHY, UNREACHABLE, UNKNOWN = "healthy", "unreachable", "unknown"
HEALTH: Final = (HEALTHY, "degraded", UNREACHABLE, "killed", UNKNOWN)
_METRICS_IGNORED: Final = "metrics have no effect: this server does not keep them"


class Heartbeat(Struct, kw_only=True):
    """An agent's heartbeat; the body may be empty."""

    _EXAMPLE: ClassVar = ()

    metrics: Annotated[
        dict[str, Any],
        about("As AXP's clients send them; they are not kept, and a warning says so.", {"intents_total": 3}),
    ] = {}


class HeartbeatAnswer(Ok, kw_only=True):
    """The heartbeat is recorded."""

    status: Annotated[str, about("That the agent is healthy.", HEALTHY)] = HEALTHY
    health_status: Annotated[str, about("The same.", HEALTHY)] = HEALTHY
    warnings: Annotated[OrEmpty[list[str]], about("What had no effect, as text.", [_METRICS_IGNORED])] = (
        ABSENT
    )


class MeshAgent(Struct, kw_only=True):
    """An agent, and whether it is there."""

    address_id: Annotated[str, about("The id of the address.", "addr_01998a3c6f007d1e8a4bc35d9e7f1b21")]
    address: AgentAddress
    display_name: DisplayName
    health_status: Annotated[
        str,
        about(
            "healthy: it was seen in the last three minutes; unreachable: before that; unknown: never. "
            "This server never sends degraded and killed.",
            HEALTHY,
            words=HEALTH,
        ),
    ]
    last_heartbeat_at: Annotated[
        OrNone[datetime],
        time("When it last sent a heartbeat or asked for work, to the minute; absent if never."),
    ] = ABSENT
    created_at: CreatedAt


class MeshSummary(Struct, kw_only=True):
    """How many agents of the workspace there are, by health."""

    total: Annotated[int, about("All agents.", 3)]
    healthy: Annotated[int, about("Those seen in the last three minutes.", 1)]
    degraded: Annotated[int, about("Always 0.", 0)] = 0
    unreachable: Annotated[int, about("Those seen before that.", 1)]
    killed: Annotated[int, about("Always 0.", 0)] = 0
    unknown: Annotated[int, about("Those never seen.", 1)]


class MeshAgentsAnswer(Ok, kw_only=True):
    """The agents of the workspace."""

    agents: Annotated[list[MeshAgent], about("The agents.")]
    summary: Annotated[MeshSummary, about("All agents of the workspace, whatever the filter and the limit.")]


class MeshAgentAnswer(Ok, kw_only=True):
    """One agent."""

    agent: Annotated[MeshAgent, about("The agent.")]


async def heartbeat(call: Call) -> HeartbeatAnswer:
    """POST /v1/mesh/heartbeat"""
    said = bodies.axp(Heartbeat, json_intake.parse_object(call.body or b"{}"))
    authorize(call.actor, Action.SEND_HEARTBEAT)
    await asks_for_work(call, call.actor.address)
    return HeartbeatAnswer(warnings=[_METRICS_IGNORED] if said.metrics else ABSENT)


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
            unknown=counts[UNKNOWN],
        ),
    )


async def agent(call: Call) -> MeshAgentAnswer:
    """GET /v1/mesh/agents/{address}"""
    said = call.params["address"]
    directory = await directory_of(call)
    by_id = (account for account in directory.by_address.values() if d.address_id(account) == said)
    account = next(by_id, None) or directory.by_address.get(await address_of(call))
    if account is None or account.kind != ActorKind.AGENT.value:
        raise NotFound("agent_not_found", f"There is no agent {said[:128]}.")
    workers = await call.state.workers.of(call.actor.workspace)
    return MeshAgentAnswer(agent=_out(account, workers.get(account.address), call.state.clock.now()))


def _out(account: Account, worker: Worker | None, now: datetime) -> MeshAgent:
    out = MeshAgent(
        address_id=d.address_id(account),
        address=account.address,
        display_name=account.display_name or account.name,
        health_status=UNKNOWN,
        created_at=account.created_at,
    )
    if worker is not None:
        out.health_status = HEALTHY if now - worker.seen_at < PRESENT else UNREACHABLE
        out.last_heartbeat_at = worker.seen_at
    return out
