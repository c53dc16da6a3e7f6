"""The options that filter open tasks, shared by all commands that select some."""

from typing import Any, Final

import click

from signoff.core.plan.task_types import Risk

NAMES: Final = ("risk", "team", "requester", "workflow")


def filter_options(command: Any) -> Any:
    """``--risk``, ``--team``, ``--requester`` and ``--workflow``."""
    for decorate in (
        click.option("--risk", type=click.Choice([one.value for one in Risk]), help="Only of this risk."),
        click.option("--team", metavar="TEAM", help="Only those that ask this team."),
        click.option("--requester", metavar="WHO", help="Only of this person (address), agent or service."),
        click.option("--workflow", metavar="NAME", help="Only of this workflow."),
    )[::-1]:
        command = decorate(command)
    return command
