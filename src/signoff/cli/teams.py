"""``signoff teams``: teams and their on-call rotations."""

from typing import Any, Final

import click

from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.complete import of_teams
from signoff.cli.directory_lines import warned
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, as_moment, column
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


@teams.command("set", cls=ChangingCommand, fields=TeamOut)
@click.argument("name", shell_complete=of_teams)
@click.option("--member", "-m", "members", multiple=True, required=True, metavar="EMAIL", help="Repeatable.")
@click.option("--handover", metavar="WHEN", help='With --zone: a weekly rotation, such as "mon 09:00".')
@click.option("--zone", metavar="ZONE", help="Time zone of the handover.")
@click.option("--anchor", metavar="DAY", help="A day in a week in which the first member is on call.")
@click.option("--channel", default="", metavar="CHAT:ROOM", help="A room in a chat, such as slack:C0123456.")
@click.option("--mailbox", default="", metavar="ADDRESS", help="A shared mailbox.")
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt if the team loses something.")
@click.pass_obj
def set_team(
    session: Remote,
    /,
    name: str,
    members: tuple[str, ...],
    channel: str,
    mailbox: str,
    yes: bool,
    **turns: str | None,
) -> None:
    """Create or replace a team. With a rotation, only the person on call is notified; all members may decide.

    Name everything that the team shall have: what is not named is removed, after confirmation.

    The team's tasks are also sent to its channel and its mailbox, if it has them.
    """
    rotation = {key: value for key, value in turns.items() if value}
    if rotation and not (turns["handover"] and turns["zone"]):
        raise CommandFailed(ExitCode.USAGE, "A rotation needs both --handover and --zone.")
    _agree_to_lose(
        session, name, members, {"rotation": rotation, "channel": channel, "mailbox": mailbox}, yes
    )
    team = session.client.directory.set_team(
        name, members, rotation or None, channel=channel, mailbox=mailbox
    )
    call = _on_call(team)
    line = f"team {team.get('name')}: {', '.join(team.get('members') or ())}" + (
        f"; on call: {call}" if call else ""
    )
    session.out.one(team, "name", [visible(line), *warned(team)])


def _agree_to_lose(
    session: Remote, name: str, members: tuple[str, ...], has: dict[str, Any], yes: bool
) -> None:
    """Before a team loses members, its rotation, channel or mailbox, show them and the open tasks, and ask."""
    team = next((one for one in session.client.directory.teams() if one.get("name") == name), {})
    named = {member.removeprefix("person:").lower() for member in members}
    if any("@" not in member for member in named):
        named |= {
            str(one["email"]).lower() for one in session.client.directory.people() if one["id"] in named
        }
    gone = [str(member) for member in team.get("members") or () if str(member).lower() not in named]
    lines = [f"{member} leaves the team.{_waiting_for(session, member)}" for member in gone]
    lines += [f"The team loses its {what}." for what, value in has.items() if team.get(what) and not value]
    if lines:
        session.show([visible(line) for line in lines], yes)
        session.confirm(f"Replace the team {name}?", yes)


def _waiting_for(session: Remote, member: str) -> str:
    waits = session.client.directory.open_tasks_of(member)
    count = len(waits.get("tasks") or ())
    more = "" if waits.get("complete", True) else " or more"
    return f" Open tasks that ask them: {count}{more} (signoff people waiting {member})." if count else ""


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
