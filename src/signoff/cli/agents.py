"""``signoff agents``: who takes deliveries in this workspace."""

from typing import Final

import click

from signoff.cli.commands import RemoteCommand
from signoff.cli.lazy_group import Group
from signoff.cli.output import column, moment
from signoff.cli.session import Remote

FIELDS: Final = (
    "service_account_id", "address", "name", "display_name", "description", "status", "delivery_mode",
    "callback_url", "created_at", "updated_at", "last_seen_at", "last_seen_client", "last_seen",
)  # fmt: skip


@click.group(cls=Group)
def agents() -> None:
    """See the registered agents."""


@agents.command("list", cls=RemoteCommand, fields=FIELDS)
@click.pass_obj
def list_agents(session: Remote) -> None:
    """List the registered agents, and when work was last asked for as each of them."""
    session.out.many(session.client.agents(), _COLUMNS, "address", "There are no agents here.")


_COLUMNS: Final = (
    column("ADDRESS"),
    column("STATUS"),
    column("DELIVERY", "delivery_mode"),
    column("LAST SEEN", "last_seen"),
    column("DESCRIPTION"),
    moment("CREATED", "created_at"),
)
