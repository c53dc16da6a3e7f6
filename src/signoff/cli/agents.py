"""``signoff agents``: the agents that do work in this workspace."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import click

from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.complete import of_agents
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, column, time_column
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible
from signoff.client.calls import ApiCall, agent_path
from signoff.wire.accounts import AccountOut
from signoff.wire.mesh import SENDER_MODES, LimitsOut, MeshAgent, SendPolicy


@click.group(cls=SuggestingGroup)
def agents() -> None:
    """List agents, kill and resume them, and limit their work."""


@agents.command("list", cls=RemoteCommand, fields=AccountOut)
@click.pass_obj
def list_agents(session: Remote) -> None:
    """List registered agents and when they last asked for work."""
    session.out.many(session.client.agents(), _COLUMNS, "address", "There are no agents in this workspace.")


@agents.command("kill", cls=ChangingCommand, fields=MeshAgent)
@click.argument("agent", metavar="ADDRESS", shell_complete=of_agents)
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt.")
@click.pass_obj
def kill(session: Remote, agent: str, yes: bool) -> None:
    """Kill an agent: it gets no work, and nothing that it sends is accepted.

    What it is working on has failed there: it is retried or fails, by its step's rules. Other work waits for it until
    it is resumed. Its keys are kept. Only owners and admins may do this.
    """
    session.confirm(f"Kill the agent {visible(agent)}? It can do nothing more until it is resumed.", yes)
    killed = session.client.kill_agent(agent)
    session.out.one(killed, "health_status", [f"killed: {visible(killed.address)}"])


@agents.command("resume", cls=ChangingCommand, fields=MeshAgent)
@click.argument("agent", metavar="ADDRESS", shell_complete=of_agents)
@click.pass_obj
def resume(session: Remote, agent: str) -> None:
    """Resume a killed agent: it gets the work that has waited for it."""
    resumed = session.client.resume_agent(agent)
    session.out.one(resumed, "health_status", [f"resumed: {visible(resumed.address)}"])


@agents.command("senders", cls=RemoteCommand, fields=SendPolicy)
@click.argument("agent", metavar="ADDRESS", shell_complete=of_agents)
@click.pass_obj
def senders(session: Remote, agent: str) -> None:
    """Show who may send work to an agent."""
    _show_senders(session, "GET", agent)


@agents.command("set-senders", cls=ChangingCommand, fields=SendPolicy)
@click.argument("agent", metavar="ADDRESS", shell_complete=of_agents)
@click.argument("mode", type=click.Choice(SENDER_MODES))
@click.pass_obj
def set_senders(session: Remote, agent: str, mode: str) -> None:
    """Set who may send work to an agent.

    open: anyone; allowlist: only the listed senders; denylist: everybody except them. A sender is the agent or service
    whose key submits a request. Only owners and admins may do this.
    """
    _show_senders(session, "PUT", agent, body={"policy_type": mode})


@agents.command("add-sender", cls=ChangingCommand, fields=SendPolicy)
@click.argument("agent", metavar="ADDRESS", shell_complete=of_agents)
@click.argument("pattern", shell_complete=of_agents)
@click.pass_obj
def add_sender(session: Remote, agent: str, pattern: str) -> None:
    """Add a sender to the list of an agent.

    PATTERN is an address, agent://organization/workspace/*, agent://organization/*, or * for anyone, people included.
    """
    _show_senders(session, "POST", agent, "/entries", {"sender_pattern": pattern})


@agents.command("remove-sender", cls=ChangingCommand, fields=SendPolicy)
@click.argument("agent", metavar="ADDRESS", shell_complete=of_agents)
@click.argument("pattern", shell_complete=of_agents)
@click.pass_obj
def remove_sender(session: Remote, agent: str, pattern: str) -> None:
    """Remove a sender from the list of an agent, by its pattern or the id of its entry."""
    _show_senders(session, "DELETE", agent, f"/entries/{quote(pattern, safe='')}")


def _show_senders(
    session: Remote, method: str, agent: str, more: str = "", body: dict[str, Any] | None = None
) -> None:
    path = f"/v1/agents/{agent_path(agent)}/policy{more}"
    found = session.client.call(ApiCall(method, path, dict, body=body, repeatable=True))
    policy = found["policy"]
    lines = [f"{visible(policy['address'])}: {policy['policy_type']}"]
    lines += [f"  {visible(entry['sender_pattern'])}" for entry in policy["entries"]]
    for warning in found.get("warnings", ()):
        session.out.note(f"warning: {warning}")
    session.out.one(policy, "policy_type", lines)


@agents.command("limits", cls=RemoteCommand, fields=LimitsOut)
@click.argument("agent", metavar="ADDRESS", shell_complete=of_agents)
@click.pass_obj
def limits(session: Remote, agent: str) -> None:
    """Show how much work an agent is given, and what counts against it now."""
    _show_limits(session, "GET", agent)


@agents.command("set-limits", cls=ChangingCommand, fields=LimitsOut)
@click.argument("agent", metavar="ADDRESS", shell_complete=of_agents)
@click.option("--per-hour", type=click.IntRange(1), metavar="N", help="New requests in an hour.")
@click.option("--per-day", type=click.IntRange(1), metavar="N", help="New requests in a day.")
@click.option(
    "--cost-per-day",
    type=click.FloatRange(0, min_open=True),
    metavar="USD",
    help="The cost that it may report in a day.",
)
@click.option("--none", "unlimited", is_flag=True, help="Remove its limits.")
@click.pass_obj
def set_limits(
    session: Remote,
    agent: str,
    per_hour: int | None,
    per_day: int | None,
    cost_per_day: float | None,
    unlimited: bool,
) -> None:
    """Set how much work an agent is given.

    At a limit, new requests with work for it are refused until the hour or day (in UTC) ends. Limits that are not named
    are removed. The cost is what it reports in its heartbeats. Only owners and admins may do this.
    """
    asked = {
        "max_intents_per_hour": per_hour,
        "max_intents_per_day": per_day,
        "max_cost_per_day_usd": cost_per_day,
    }
    chosen = {name: value for name, value in asked.items() if value is not None}
    if not chosen and not unlimited:
        raise click.UsageError("Name at least one limit, or --none.")
    if chosen and unlimited:
        raise click.UsageError("--none removes all limits and cannot be combined with a limit.")
    _show_limits(session, "PUT", agent, chosen)


def _show_limits(session: Remote, method: str, agent: str, body: dict[str, Any] | None = None) -> None:
    path = f"/v1/mesh/agents/{agent_path(agent)}/policies/cost"
    found = session.client.call(ApiCall(method, path, dict, body=body, repeatable=True))
    policy = found["policy"]
    rows = (
        ("requests in an hour", "max_intents_per_hour", f"{policy['intents_this_hour']} now"),
        ("requests in a day", "max_intents_per_day", f"{policy['intents_today']} today"),
        ("reported cost in a day, USD", "max_cost_per_day_usd", f"{policy['cost_today_usd']:.2f} today"),
    )
    lines = [f"{label}: {policy.get(name, 'no limit')} ({now})" for label, name, now in rows]
    session.out.one(policy, "max_intents_per_day", [visible(found["address"]), *lines])


def today_text(agent: Mapping[str, Any]) -> str:
    """What an agent reported today: ``12 requests, 1 failed, 0.42 USD``."""
    metrics = agent.get("metrics")
    if not metrics:
        return ""
    failed = f", {metrics['intents_failed']} failed" if metrics["intents_failed"] else ""
    cost = f", {metrics['cost_usd']:.2f} USD" if metrics["cost_usd"] else ""
    return f"{metrics['intents_total']} requests{failed}{cost}"


def killed_text(agent: Mapping[str, Any]) -> str:
    """``killed``, by whom if that is known, or the other status of an agent."""
    by = agent.get("killed_by")
    return f"killed by {by}" if by else str(agent.get("status") or "")


_COLUMNS: Final = (
    column("ADDRESS", whole=True),
    Column("STATUS", killed_text, whole=True),
    column("DELIVERY", "delivery_mode", drop=3),
    column("LAST SEEN", "last_seen", drop=1),
    Column("REPORTED TODAY", today_text, drop=6),
    column("DESCRIPTION", drop=2),
    time_column("KILLED", "killed_at", drop=5),
    time_column("CREATED", "created_at", drop=4),
)
