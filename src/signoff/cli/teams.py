"""``signoff teams``: teams and their on-call rotations."""

from typing import Any, Final

import click

from signoff.cli.commands import RemoteCommand
from signoff.cli.complete import of_teams
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, as_moment, column
from signoff.cli.people import warned
from signoff.cli.removal import add_removal
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible
from signoff.wire.teams import TeamOut


@click.group(cls=SuggestingGroup)
def teams() -> None:
    """List and change teams, and who is on call."""


@teams.command("list", cls=RemoteCommand, fields=TeamOut)
@click.pass_obj
def list_teams(session: Remote) -> None:
    """List the teams."""
    session.out.many(session.client.directory.teams(), _COLUMNS, "name", "There are no teams here.")


@teams.command("set", cls=RemoteCommand, fields=TeamOut)
@click.argument("name", shell_complete=of_teams)
@click.option("--member", "-m", "members", multiple=True, required=True, metavar="EMAIL", help="Repeatable.")
@click.option("--handover", metavar="WHEN", help='With --zone: a weekly rotation, such as "mon 09:00".')
@click.option("--zone", metavar="ZONE", help="Time zone of the handover.")
@click.option("--anchor", metavar="DAY", help="A day in a week in which the first member is on call.")
@click.option("--channel", default="", metavar="CHAT:ROOM", help="A room in a chat, such as slack:C0123456.")
@click.option("--mailbox", default="", metavar="ADDRESS", help="A shared mailbox.")
@click.pass_obj
def set_team(
    session: Remote, /, name: str, members: tuple[str, ...], channel: str, mailbox: str, **turns: str | None
) -> None:
    """Create or replace a team. With a rotation, only the person on call is notified; all members may decide.

    The team's tasks are also sent to its channel and its mailbox, if it has them.
    """
    rotation = {key: value for key, value in turns.items() if value}
    if rotation and not (turns["handover"] and turns["zone"]):
        raise CommandFailed(ExitCode.USAGE, "A rotation needs both --handover and --zone.")
    team = session.client.directory.set_team(
        name, members, rotation or None, channel=channel, mailbox=mailbox
    )
    call = _on_call(team)
    line = f"team {team.get('name')}: {', '.join(team.get('members') or ())}" + (
        f"; on call: {call}" if call else ""
    )
    session.out.one(team, "name", [visible(line), *warned(team)])


add_removal(teams, "teams", "NAME")


def _on_call(team: Any) -> str:
    return str((team.get("rotation") or {}).get("on_call") or "")


_COLUMNS: Final = (
    column("NAME", whole=True),
    column("MEMBERS"),
    Column("ON CALL", _on_call),
    Column(
        "HANDOVER",
        lambda team: as_moment((team.get("rotation") or {}).get("next_handover_at")),
        whole=True,
        drop=1,
    ),
)
