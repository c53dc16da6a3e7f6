"""``signoff apply -f``: applies one manifest of people, teams, policies and workflows, after showing the difference and
asking for confirmation.
"""

from collections.abc import Mapping
from typing import Any

import click

from signoff.cli.commands import RemoteCommand
from signoff.cli.documents import read_document
from signoff.cli.output import as_moment
from signoff.cli.people import warned
from signoff.cli.session import Remote
from signoff.cli.tasks.changes import difference_lines
from signoff.cli.text_safety import visible
from signoff.core.text.times import utc_text

_STALE = ("stale_manifest", "changed_meanwhile")
_SIGNS = {"create": "+", "change": "~", "remove": "-", "unchanged": " "}


@click.command("apply", cls=RemoteCommand, fields=("dry_run", "changed", "changes", "proposal"))
@click.option(
    "--file", "-f", "file", required=True, metavar="FILE", help="JSON or YAML; - is standard input."
)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt (required without a terminal).")
@click.pass_obj
def apply(session: Remote, file: str, dry_run: bool, yes: bool) -> None:
    """Apply people, teams, policies and workflows from a file: all of it, or nothing.

    What was shown is applied, or nothing: if part of it has changed meanwhile, the new difference is shown.

    In a protected workspace, a change that relaxes who decides becomes a proposal, applied when another admin has
    confirmed it.
    """
    document = read_document(file)
    directory = session.client.directory
    planned = directory.apply(document, dry_run=True)
    if dry_run or not planned.get("changed"):
        session.out.one(planned, "changed", preview_lines(planned))
        return
    session.show(preview_lines(planned), yes)
    apply_shown(session, document, planned, yes, "Apply this?")


def apply_shown(
    session: Remote, document: dict[str, Any], planned: Mapping[str, Any], yes: bool, question: str
) -> None:
    """Ask, and apply what a dry run has ``planned``; nothing, if it would do something else by now."""
    from signoff.client.errors import Conflict

    directory = session.client.directory
    session.confirm("Propose this?" if planned.get("proposal") else question, yes)
    try:
        applied = directory.apply(document, seen=planned.get("seen") or None)
    except Conflict as refused:
        if refused.code in _STALE:  # what it would do now, for the person who decides again
            session.show(preview_lines(directory.apply(document, dry_run=True)), yes)
        raise
    if proposal := applied.get("proposal"):
        told = f"proposed: another admin confirms it on the pages: signoff changes confirm {proposal['id']}"
        session.out.one(applied, "changed", [visible(told), *relaxed(proposal), until(proposal)])
        return
    count = sum(change["action"] != "unchanged" for change in applied.get("changes") or ())
    session.out.one(applied, "changed", [f"applied: {count} changed"])


def relaxed(proposal: Mapping[str, Any]) -> list[str]:
    """Why a second admin is needed, in plain words."""
    why = proposal.get("why") or [", ".join(proposal.get("relaxations") or ())]
    return [visible(f"relaxes who decides: {one}") for one in why]


def until(proposal: Mapping[str, Any]) -> str:
    """When the proposal expires."""
    return visible(f"waits for another admin until {moment_text(proposal.get('expires_at'))}")


def moment_text(value: object) -> str:
    """An RFC 3339 time as people read it."""
    at = as_moment(value)
    return utc_text(at) if at else ""


def preview_lines(planned: Mapping[str, Any]) -> list[str]:
    """What an apply would change, one line per change."""
    lines = [*changed_lines(planned), *warned(planned)]
    if planned.get("proposal"):
        return [*lines, *relaxed(planned["proposal"]), "Applying it proposes this to another admin."]
    return lines if planned.get("changed") else [*lines, "No changes."]


def changed_lines(said: Mapping[str, Any]) -> list[str]:
    """What changes, one line per change."""
    lines = []
    for change in said.get("changes") or ():
        fields = (
            f" ({', '.join(change['fields'])})" if change["action"] == "change" and change["fields"] else ""
        )
        text = f"{_SIGNS.get(change['action'], '?')} {change['action']} {change['kind']} {change['name']}{fields}"
        lines.append(visible(text))
        if change["action"] == "change":
            lines += difference_lines(change.get("before") or {}, change.get("after") or {})
    return lines
