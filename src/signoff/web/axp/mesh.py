"""AXP's mesh: agents send heartbeats, everybody in the workspace sees which agents are running, and owners and admins
kill and resume them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from signoff.core.directory.actors import ActorKind
from signoff.core.directory.agent_limits import MICROS, Report, Usage
from signoff.core.directory.authorization import Action, authorize, permits
from signoff.core.directory.model import Account
from signoff.core.directory.workers import PRESENT, Worker
from signoff.core.errors import Invalid, NotFound
from signoff.core.text import json_value
from signoff.core.text.describe import printable
from signoff.engine.directory.agent_usage import DAYS
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call
from signoff.web.reading import address_of, directory_of
from signoff.web.shapes import accounts as shapes
from signoff.wire.common import ABSENT
from signoff.wire.mesh import (
    ACTIVE,
    DAY,
    EVENTS,
    HEALTH,
    HEALTHY,
    KILLED,
    KILLED_EVENT,
    METRICS,
    RESUMED_EVENT,
    UNKNOWN,
    UNREACHABLE,
    WINDOWS,
    Heartbeat,
    HeartbeatResponse,
    KillResponse,
    MeshAgent,
    MeshAgentResponse,
    MeshAgentsResponse,
    MeshEvent,
    MeshEventsResponse,
    MeshSummary,
)

LONGEST_TRACE: Final = 128
_MOST_WARNINGS: Final = 10
# Sums of a day stay far below what a column holds, however often an agent reports.
_MOST_REPORTED: Final = 1_000_000
_MOST_COST: Final = 1_000_000
_LONGEST_LATENCY: Final = 604_800_000


async def heartbeat(call: Call) -> HeartbeatResponse:
    """POST /v1/mesh/heartbeat"""
    request = bodies.axp(Heartbeat, json_intake.parse_object(call.body or b"{}"))
    authorize(call.actor, Action.SEND_HEARTBEAT)
    report = _report(request.metrics, call.header(b"x-trace-id")[:LONGEST_TRACE])
    call.state.workers.note(call.actor.workspace, call.actor.address, call.client)
    if request.metrics:
        await call.state.usage.report(call.actor.workspace, call.actor.address, report)
    health = HEALTHY if call.actor.killed_at is None else KILLED
    ignored = [f"metrics.{printable(name)} is not kept" for name in request.metrics if name not in METRICS]
    return HeartbeatResponse(
        status=health, health_status=health, warnings=ignored[:_MOST_WARNINGS] if ignored else ABSENT
    )


def _report(metrics: dict[str, Any], trace: str) -> Report:
    """What a heartbeat's metrics say; raises Invalid naming the one that is no such number."""
    total, succeeded, failed = (
        int(_number(metrics, name, _MOST_REPORTED, whole=True))
        for name in ("intents_total", "intents_succeeded", "intents_failed")
    )
    total = max(total, succeeded + failed)
    latency = _number(metrics, "avg_latency_ms", _LONGEST_LATENCY)
    if latency and not total:
        raise Invalid(
            "validation_error",
            "metrics.avg_latency_ms is an average over intents_total requests, and there are none.",
            field="metrics.avg_latency_ms",
            hint="Send intents_total with it.",
        )
    cost = round(_number(metrics, "cost_usd", _MOST_COST) * MICROS)
    return Report(total, succeeded, failed, latency * total, cost, trace)


def _number(metrics: dict[str, Any], name: str, most: int, *, whole: bool = False) -> float:
    value = metrics.get(name)
    if value is None:
        return 0
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= most or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise Invalid(
            "validation_error", f"metrics.{name} is {kind} from 0 to {most}.", field=f"metrics.{name}"
        )
    return float(value)


async def agents(call: Call) -> MeshAgentsResponse:
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
    days, workspace = _days(call), call.actor.workspace
    workers, now = await call.state.workers.of(workspace), call.state.clock.now()
    used = await call.state.usage.of(workspace, days)
    shown = [
        _out(account, workers.get(account.address), now, visible_usage(call, account, used))
        for account in found
    ]
    counts = dict.fromkeys(HEALTH, 0)
    for agent in shown:
        counts[agent.health_status] += 1
    matching = [agent for agent in shown if not wanted or agent.health_status == wanted]
    return MeshAgentsResponse(
        agents=matching[: call.number("limit", 1000, 1, 1000)],
        summary=MeshSummary(
            total=len(shown),
            healthy=counts[HEALTHY],
            unreachable=counts[UNREACHABLE],
            killed=counts[KILLED],
            unknown=counts[UNKNOWN],
        ),
    )


async def agent(call: Call) -> MeshAgentResponse:
    """GET /v1/mesh/agents/{address}"""
    return MeshAgentResponse(agent=await _shown(call, await named_agent(call)))


async def kill(call: Call) -> KillResponse:
    """POST /v1/mesh/agents/{address}/kill"""
    authorize(call.actor, Action.KILL_AGENT)
    account = await call.state.kill_switch.kill(call.actor, (await named_agent(call, exactly=True)).id)
    return KillResponse(status=KILLED, agent=await _shown(call, account))


async def resume(call: Call) -> KillResponse:
    """POST /v1/mesh/agents/{address}/resume"""
    authorize(call.actor, Action.KILL_AGENT)
    account = await call.state.kill_switch.resume(call.actor, (await named_agent(call, exactly=True)).id)
    return KillResponse(status=ACTIVE, agent=await _shown(call, account))


async def events(call: Call) -> MeshEventsResponse:
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
    return MeshEventsResponse(
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


async def named_agent(call: Call, *, exactly: bool = False) -> Account:
    """The agent that the path names by its address, its name or the id of its address. ``exactly``: the address of
    another workspace does not mean the agent here with the same name, which would be the wrong one to stop.
    """
    text = call.params["address"]
    directory, address = await directory_of(call), await address_of(call)
    by_id = (account for account in directory.by_address.values() if shapes.address_id(account) == text)
    by_name = directory.registered(text) if exactly else directory.by_address.get(address)
    account = next(by_id, None) or by_name
    if account is None or account.kind != ActorKind.AGENT.value:
        raise NotFound("agent_not_found", f"There is no agent {text[:128]}.")
    return account


async def _shown(call: Call, account: Account) -> MeshAgent:
    workers = await call.state.workers.of(call.actor.workspace)
    used = await call.state.usage.of(call.actor.workspace, _days(call), account.address)
    return _out(
        account, workers.get(account.address), call.state.clock.now(), visible_usage(call, account, used)
    )


def _days(call: Call) -> int:
    """How many days the query's ``window`` has."""
    window = call.query.get("window", "") or DAY
    if window not in DAYS:
        raise Invalid(
            "validation_error",
            f"{window[:32]!r} is not a window.",
            field="window",
            hint=f"Known: {', '.join(WINDOWS)}.",
        )
    return DAYS[window]


def visible_usage(call: Call, account: Account, used: Mapping[str, Usage]) -> Usage | None:
    """What an agent has reported, if it has, and if this caller may see it."""
    found = used.get(account.address)
    if found is None or found.reported_at is None:
        return None
    return found if permits(call.actor, Action.READ_RESTRICTIONS, account) else None


def _out(account: Account, worker: Worker | None, now: datetime, used: Usage | None = None) -> MeshAgent:
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
    if used is not None:
        out.intents_period, out.cost_period, out.metrics = used.total, used.dollars, shapes.metrics_out(used)
    return out
