"""``signoff agents``: the agents that do work in this workspace."""

from collections.abc import Mapping
from typing import Any, Final

import click

from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.complete import of_agents
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, column, time_column
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible
from signoff.wire.accounts import AccountOut
from signoff.wire.mesh import MeshAgent


@click.group(cls=SuggestingGroup)
def agents() -> None:
    """List, kill and resume agents."""


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


def killed_text(agent: Mapping[str, Any]) -> str:
    """``killed``, by whom if that is known, or the other status of an agent."""
    by = agent.get("killed_by")
    return f"killed by {by}" if by else str(agent.get("status") or "")


_COLUMNS: Final = (
    column("ADDRESS", whole=True),
    Column("STATUS", killed_text, whole=True),
    column("DELIVERY", "delivery_mode", drop=3),
    column("LAST SEEN", "last_seen", drop=1),
    column("DESCRIPTION", drop=2),
    time_column("KILLED", "killed_at", drop=5),
    time_column("CREATED", "created_at", drop=4),
)
