"""Removes people, teams, policies and workflows, after showing what still uses them and asking for confirmation."""

from typing import Any

import click

from signoff.cli.commands import ChangingCommand
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible

_NAMES = {"people": "person", "teams": "team", "policies": "policy", "workflows": "workflow"}
_KEPT = {
    "teams": "Its members can no longer decide as members; tasks without enough eligible people follow their policy.",
    "policies": "Open tasks keep this policy.",
    "workflows": "Open requests continue with it; new ones of the type are requests without a workflow.",
}


def add_removal(group: click.Group, kind: str, metavar: str) -> None:
    """Add ``remove`` to the group of commands for people, teams, policies or workflows."""

    def remove(session: Remote, /, name: str, yes: bool) -> None:
        _remove(session, kind, name, yes)

    group.add_command(
        ChangingCommand(
            "remove",
            callback=click.pass_obj(remove),
            help=f"""Remove a {_NAMES[kind]}.

            Refused if a policy, a workflow or a setting still names it. Open tasks continue; histories keep its name.
            """,
            params=[
                click.Argument(["name"], metavar=metavar),
                click.Option(["--yes", "-y"], is_flag=True, help="Skip the confirmation prompt."),
            ],
            fields=("dry_run", "changed", "changes", "proposal"),
            judged=True,
        )
    )


def _remove(session: Remote, kind: str, name: str, yes: bool) -> None:
    from signoff.cli.apply import apply_shown, preview_lines, with_addresses
    from signoff.cli.directory_lines import waiting_lines

    document: dict[str, Any] = {"remove": {kind: [name]}}
    planned = session.client.directory.apply(document, dry_run=True)
    if not planned.get("changed"):
        raise CommandFailed(
            ExitCode.NOT_FOUND, f"There is no {_NAMES[kind]} {name}.", hint=f"See: signoff {kind} list"
        )
    lines = preview_lines(with_addresses(session, planned))
    if kind == "people":
        waits = waiting_lines(session.client.directory.open_tasks_of(name))
        if waits:
            hint = f"Reassign them first: signoff people reassign {visible(name)} EMAIL"
            lines += ["open tasks:", *waits, hint]
    else:
        lines.append(_KEPT[kind])
    if session.dry_run:
        session.out.one(planned, "changed", lines)
        return
    session.show(lines, yes)
    apply_shown(session, document, planned, yes, f"Remove the {_NAMES[kind]} {name}?")
