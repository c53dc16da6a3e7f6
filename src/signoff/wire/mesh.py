"""AXP's mesh: the heartbeats of agents and their health."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

from msgspec import Meta, Struct

from signoff.wire.common import ABSENT, Ok, OrEmpty, OrNone
from signoff.wire.fields import AgentAddress, At, CreatedAt, DisplayName, KilledAt, about, time

HEALTHY, UNREACHABLE, KILLED, UNKNOWN = "healthy", "unreachable", "killed", "unknown"
HEALTH: Final = (HEALTHY, "degraded", UNREACHABLE, KILLED, UNKNOWN)
ACTIVE: Final = "active"
KILLED_EVENT, RESUMED_EVENT = EVENTS = ("agent.killed", "agent.resumed")
DAY, WEEK, MONTH = WINDOWS = ("day", "week", "month")
OPEN, ALLOWLIST, DENYLIST = SENDER_MODES = ("open", "allowlist", "denylist")
BLOCK: Final = "block"
METRICS: Final = ("intents_total", "intents_succeeded", "intents_failed", "avg_latency_ms", "cost_usd")


class Heartbeat(Struct, kw_only=True):
    """An agent's heartbeat; the body may be empty."""

    _EXAMPLE: ClassVar = ()

    metrics: Annotated[
        dict[str, Any],
        about(
            "What the agent did since its last heartbeat: " + ", ".join(METRICS) + ". A repeat with the same "
            "X-Trace-Id is not counted again.",
            {"intents_total": 3, "intents_succeeded": 3, "avg_latency_ms": 210.5, "cost_usd": 0.04},
        ),
    ] = {}


class HeartbeatResponse(Ok, kw_only=True):
    """The heartbeat was recorded."""

    status: Annotated[
        str, about("healthy, or killed: then it must stop its work.", HEALTHY, words=(HEALTHY, KILLED))
    ] = HEALTHY
    health_status: Annotated[str, about("The same.", HEALTHY, words=(HEALTHY, KILLED))] = HEALTHY
    warnings: Annotated[
        OrEmpty[list[str]], about("What had no effect, as text.", ["metrics.llm_calls is not kept"])
    ] = ABSENT


class AgentMetrics(Struct, kw_only=True):
    """What an agent has reported in its heartbeats."""

    intents_total: Annotated[int, about("How many requests it worked on.", 12)]
    intents_succeeded: Annotated[int, about("How many of them succeeded.", 11)]
    intents_failed: Annotated[int, about("How many of them failed.", 1)]
    avg_latency_ms: Annotated[
        OrNone[float], about("How long one took on average, in milliseconds.", 210.5)
    ] = ABSENT
    cost_usd: Annotated[float, about("What they cost, in US dollars.", 0.42)]
    reported_at: Annotated[OrNone[datetime], time("When it last reported.")] = ABSENT


class CostPolicy(Struct, kw_only=True):
    """How much work an agent is given; each limit is absent if there is none. Days and hours are those of UTC."""

    _EXAMPLE: ClassVar = ("max_intents_per_day", "max_cost_per_day_usd")

    max_intents_per_hour: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000_000)] | None,
        about("The most new requests with work for it in an hour.", 20),
    ] = None
    max_intents_per_day: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000_000)] | None,
        about("The most new requests with work for it in a day.", 100),
    ] = None
    max_cost_per_day_usd: Annotated[
        Annotated[float, Meta(gt=0, le=1_000_000)] | None,
        about("The cost that it may report in a day before it is given no more work.", 50.0),
    ] = None
    action_on_breach: Annotated[
        str, about("What happens at a limit: block, which refuses new requests.", BLOCK, words=(BLOCK,))
    ] = BLOCK


class LimitsOut(Struct, kw_only=True):
    """How much work an agent is given; each limit is absent if there is none. Days and hours are those of UTC."""

    max_intents_per_hour: Annotated[
        OrNone[int], about("The most new requests with work for it in an hour.", 20)
    ] = ABSENT
    max_intents_per_day: Annotated[
        OrNone[int], about("The most new requests with work for it in a day.", 100)
    ] = ABSENT
    max_cost_per_day_usd: Annotated[
        OrNone[float], about("The cost that it may report in a day before it is given no more work.", 50.0)
    ] = ABSENT
    action_on_breach: Annotated[
        str, about("What happens at a limit: block, which refuses new requests.", BLOCK, words=(BLOCK,))
    ] = BLOCK
    intents_this_hour: Annotated[int, about("New requests counted in this hour.", 3)]
    intents_today: Annotated[int, about("New requests counted today.", 12)]
    cost_today_usd: Annotated[float, about("The cost reported today, in US dollars.", 0.42)]


class CostPolicyResponse(Ok, kw_only=True):
    """The limits of an agent, and what counts against them now."""

    address: AgentAddress
    policy: Annotated[LimitsOut, about("Its limits.")]


class SenderEntry(Struct, kw_only=True):
    """A pattern of senders."""

    entry_id: Annotated[str, about("The id of the entry.", "snd_01998a3c6f007d1e8a4bc35d9e7f1b21")]
    sender_pattern: Annotated[
        str,
        about(
            "An address, agent://organization/workspace/*, agent://organization/*, or * for any sender.",
            "agent://acme/prod/*",
        ),
    ]


class SendPolicy(Struct, kw_only=True):
    """Who may send work to an agent."""

    address: AgentAddress
    policy_type: Annotated[
        str,
        about(
            "open: anyone; allowlist: only senders that match an entry; denylist: all others.",
            ALLOWLIST,
            words=SENDER_MODES,
        ),
    ]
    entries: Annotated[list[SenderEntry], about("The patterns; they have no effect if it is open.")]


class SendPolicyResponse(Ok, kw_only=True):
    """Who may send work to an agent."""

    policy: Annotated[SendPolicy, about("Who may send work to it.")]
    warnings: Annotated[
        OrEmpty[list[str]], about("What has no effect now, as text.", ["the agent is open to any sender"])
    ] = ABSENT


class SetSendPolicy(Struct, kw_only=True):
    """Who may send work to an agent; its entries stay."""

    policy_type: Annotated[
        str,
        about(
            "open: anyone; allowlist: only senders that match an entry; denylist: all others.",
            ALLOWLIST,
            words=SENDER_MODES,
        ),
    ]


class AddSenderEntry(Struct, kw_only=True):
    """One more pattern of senders; one that is there already is not added again."""

    sender_pattern: Annotated[
        str,
        about(
            "An address, agent://organization/workspace/*, agent://organization/*, or * for any sender.",
            "agent://acme/prod/*",
        ),
    ]


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
    intents_period: Annotated[
        OrNone[int], about("How many requests it reported in the window; absent if none, or for others.", 12)
    ] = ABSENT
    cost_period: Annotated[OrNone[float], about("The cost that it reported in the window.", 0.42)] = ABSENT
    metrics: Annotated[OrNone[AgentMetrics], about("What it reported in the window.")] = ABSENT


class MeshSummary(Struct, kw_only=True):
    """How many agents of the workspace there are, by health."""

    total: Annotated[int, about("All agents.", 3)]
    healthy: Annotated[int, about("Those seen in the last three minutes.", 1)]
    degraded: Annotated[int, about("Always 0.", 0)] = 0
    unreachable: Annotated[int, about("Those seen before that.", 1)]
    killed: Annotated[int, about("Those that were killed and not resumed.", 0)] = 0
    unknown: Annotated[int, about("Those never seen.", 1)]


class MeshAgentsResponse(Ok, kw_only=True):
    """The agents of the workspace."""

    agents: Annotated[list[MeshAgent], about("The agents.")]
    summary: Annotated[
        MeshSummary, about("All agents of the workspace, regardless of the filter and the limit.")
    ]


class MeshAgentResponse(Ok, kw_only=True):
    """One agent."""

    agent: Annotated[MeshAgent, about("The agent.")]


class KillResponse(Ok, kw_only=True):
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


class MeshEventsResponse(Ok, kw_only=True):
    """The kills and resumes of agents, newest first."""

    events: Annotated[list[MeshEvent], about("The events.")]
