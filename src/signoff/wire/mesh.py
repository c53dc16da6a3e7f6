"""AXP's mesh: the heartbeats of agents and their health."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

from msgspec import Struct

from signoff.wire.common import ABSENT, Ok, OrEmpty, OrNone
from signoff.wire.fields import AgentAddress, At, CreatedAt, DisplayName, KilledAt, about, time

HEALTHY, UNREACHABLE, KILLED, UNKNOWN = "healthy", "unreachable", "killed", "unknown"
HEALTH: Final = (HEALTHY, "degraded", UNREACHABLE, KILLED, UNKNOWN)
ACTIVE: Final = "active"
KILLED_EVENT, RESUMED_EVENT = EVENTS = ("agent.killed", "agent.resumed")
METRICS_IGNORED: Final = "metrics have no effect: this server does not keep them"


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
    warnings: Annotated[OrEmpty[list[str]], about("What had no effect, as text.", [METRICS_IGNORED])] = ABSENT


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
