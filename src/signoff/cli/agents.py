"""``signoff agents``: the agents that claim deliveries in this workspace."""

from typing import Final

import click

from signoff.cli.commands import RemoteCommand
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import column, time_column
from signoff.cli.session import Remote
from signoff.wire.accounts import AccountOut


@click.group(cls=SuggestingGroup)
def agents() -> None:
    """List registered agents."""


@agents.command("list", cls=RemoteCommand, fields=AccountOut)
@click.pass_obj
def list_agents(session: Remote) -> None:
    """List registered agents and when they last asked for work."""
    session.out.many(session.client.agents(), _COLUMNS, "address", "There are no agents here.")


_COLUMNS: Final = (
    column("ADDRESS", whole=True),
    column("STATUS", whole=True),
    column("DELIVERY", "delivery_mode", drop=3),
    column("LAST SEEN", "last_seen", drop=1),
    column("DESCRIPTION", drop=2),
    time_column("CREATED", "created_at", drop=4),
)
