"""``signoff changes``: the change log of people, teams and policies, and proposals that wait for a second admin."""

from collections.abc import Mapping
from typing import Any, Final

import click

from signoff.cli.apply import changed_lines, moment_text, with_addresses
from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.directory_lines import warned
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, block, column, time_column
from signoff.cli.session import Remote
from signoff.wire.manifests import ProposalOut, RecordedChange


@click.group(cls=SuggestingGroup)
def changes() -> None:
    """List changes to people, teams and policies; confirm those that need a second admin."""


@changes.command("list", cls=RemoteCommand, fields=RecordedChange)
@click.option(
    "--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Maximum number of entries."
)
@click.option(
    "--about", metavar="KIND:NAME", help="Filter by subject, such as policy:prod-change or person:EMAIL."
)
@click.option("--before", type=click.IntRange(1), metavar="NUMBER", help="Only changes before this number.")
@click.pass_obj
def list_changes(session: Remote, limit: int, about: str | None, before: int | None) -> None:
    """List changes, newest first.

    KIND is one of person, agent, service, team, policy, workflow, or workspace for the workspace's own settings.
    Changes to a person or an agent include their keys and chat accounts.
    """
    found = session.client.directory.changes(limit, about, before)
    session.out.many(found, _RECORDED, "id", "There are no changes.")


@changes.command("pending", cls=RemoteCommand, fields=ProposalOut)
@click.pass_obj
def pending(session: Remote) -> None:
    """List proposals waiting for a second admin."""
    session.out.many(session.client.directory.proposals(), _PROPOSED, "id", "There are no pending proposals.")


@changes.command("show", cls=RemoteCommand, fields=ProposalOut)
@click.argument("change_id")
@click.pass_obj
def show(session: Remote, change_id: str) -> None:
    """Show what a proposal would change."""
    _show(session, session.client.directory.proposal(change_id))


@changes.command("confirm", cls=RemoteCommand, fields=ProposalOut)
@click.argument("change_id")
@click.option("--open", "open_page", is_flag=True, help="Open the page on which it can be confirmed.")
@click.pass_obj
def confirm(session: Remote, change_id: str, open_page: bool) -> None:
    """Show what another admin has proposed, and the page on which to confirm it after a sign-in by e-mail."""
    for line in _lines(with_addresses(session, session.client.directory.proposal(change_id))):
        session.out.note(line)
    page = f"{session.client.settings.url}/proposals/{change_id}"
    if open_page:
        click.launch(page)
    raise CommandFailed(
        ExitCode.FAILURE,
        "Confirming requires a sign-in by e-mail; a key is not enough, so nothing was changed.",
        hint=f"Confirm it on the page{'' if open_page else '; --open opens it here'}: {page}",
    )


@changes.command("refuse", cls=ChangingCommand, fields=ProposalOut)
@click.argument("change_id")
@click.pass_obj
def refuse(session: Remote, change_id: str) -> None:
    """Refuse a proposal, or withdraw your own."""
    _show(session, session.client.directory.refuse(change_id))


def _show(session: Remote, proposal: Mapping[str, Any]) -> None:
    session.out.one(proposal, "id", _lines(with_addresses(session, proposal)))


def _lines(proposal: Mapping[str, Any]) -> list[str]:
    lines = block("change", f"{proposal.get('id')}, {proposal.get('state')}")
    lines += block(
        "proposed by", f"{_name(proposal, 'proposed_by')}, {moment_text(proposal.get('proposed_at'))}"
    )
    if proposal.get("ended_by"):
        lines += block("ended by", f"{_name(proposal, 'ended_by')}, {moment_text(proposal.get('ended_at'))}")
    lines += block("expires", moment_text(proposal.get("expires_at")))
    lines += [line for why in proposal.get("why") or ("",) for line in block("relaxes", why)]
    return lines + changed_lines(proposal) + warned(proposal)


def _name(of: Any, field: str) -> str:
    who = of.get(field) or {}
    return str(who.get("name") or who.get("id") or "")


_RECORDED: Final = (
    column("NUMBER", whole=True),
    time_column("AT", "at"),
    Column("BY", lambda change: _name(change, "actor")),
    Column("CONFIRMED BY", lambda change: _name(change, "confirmed_by"), drop=2),
    column("ACTION"),
    column("KIND"),
    column("NAME"),
    Column("FIELDS", lambda change: ", ".join(change.get("fields") or ()), drop=1),
)
_PROPOSED: Final = (
    column("ID", whole=True),
    Column("BY", lambda proposal: _name(proposal, "proposed_by")),
    time_column("PROPOSED", "proposed_at", drop=2),
    time_column("EXPIRES", "expires_at", drop=1),
    Column("RELAXATIONS", lambda proposal: ", ".join(proposal.get("relaxations") or ())),
)
