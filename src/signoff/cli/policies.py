"""``signoff policies``: lists policies and previews their effects."""

import re
from collections.abc import Mapping
from typing import Any, Final

import click

from signoff.cli.commands import RemoteCommand
from signoff.cli.complete import of_policies
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, block, column, time_column
from signoff.cli.removal import add_removal
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible
from signoff.wire.policies import PolicyOut
from signoff.wire.tasks import ExplainOut

_TASK: Final = re.compile(r"[0-9a-f-]{6,36}", re.IGNORECASE)


@click.group(cls=SuggestingGroup)
def policies() -> None:
    """List policies and preview their effects."""


@policies.command("list", cls=RemoteCommand, fields=PolicyOut)
@click.pass_obj
def list_policies(session: Remote) -> None:
    """List the policies."""
    session.out.many(session.client.directory.policies(), _COLUMNS, "name", "There are no policies here.")


@policies.command("show", cls=RemoteCommand, fields=PolicyOut)
@click.argument("name", shell_complete=of_policies)
@click.pass_obj
def show(session: Remote, name: str) -> None:
    """Show a policy as it was applied."""
    found = _named(session, name)
    if found is None:
        raise CommandFailed(
            ExitCode.NOT_FOUND, f"There is no policy {name}.", hint="See: signoff policies list"
        )
    lines = block("policy", f"{name}, version {found.get('version')}") + block("source", found.get("source"))
    lines += block("broken", found.get("broken"))
    session.out.one(found, "name", lines)


@policies.command("explain", cls=RemoteCommand, fields=ExplainOut)
@click.argument("task_or_name", shell_complete=of_policies)
@click.option("--at", metavar="WHEN", help="For a policy: assume that a task opens at this time (RFC 3339).")
@click.pass_obj
def explain(session: Remote, task_or_name: str, at: str | None) -> None:
    """Show who may decide, and each scheduled contact, for an open task or a policy."""
    if _named(session, task_or_name) is not None:
        made = session.client.directory.explain_policy(task_or_name, at)
    elif at and _TASK.fullmatch(task_or_name):
        raise CommandFailed(
            ExitCode.USAGE, "--at needs a policy's name; a task is explained in its current state."
        )
    elif at or not _TASK.fullmatch(task_or_name):
        raise CommandFailed(
            ExitCode.NOT_FOUND, f"There is no policy {task_or_name}.", hint="See: signoff policies list"
        )
    else:
        made = session.client.tasks.explain(session.task_id(task_or_name))
    session.out.one(made, "task_id", explained(made))


def _named(session: Remote, name: str) -> dict[str, Any] | None:
    return next((found for found in session.client.directory.policies() if found.get("name") == name), None)


def explained(made: Mapping[str, Any]) -> list[str]:
    """An explanation as text for people."""
    because = f", because {made['because']}" if made.get("because") else ""
    lines = block("policy", f"{made['policy']}{because}" if made.get("policy") else None)
    for stage in made.get("stages") or ():
        of = ("each of " if stage["every"] else "any of ") + ", ".join(stage["of"])
        lines += block(
            f"stage {stage['number']}",
            f"{stage['state']}: {stage['need']} of {of}; {stage['missing']} missing",
        )
    for one in made.get("may_decide") or ():
        instead = f" for {one['instead_of']}" if one.get("instead_of") else ""
        voted = f", answered {one['voted']}" if one.get("voted") else ""
        lines += block("may decide", f"{one['person']}{instead} ({one['why']}{voted})")
    lines += block("proof", made.get("proof"))
    lines += block("may not", ", ".join(made.get("requesters_side") or ()))
    lines += block("asked", ", ".join(made.get("asked") or ()))
    for contact in made.get("contacts") or ():
        lines.append(visible(f"{contact['local']:<26} {_contact(contact)}"))
    return lines + block("silence", made.get("on_expiry"))


def _contact(contact: Mapping[str, Any]) -> str:
    """What will happen at a contact, and who is notified."""
    what = f"{contact['kind']} {contact['number']}" if contact["kind"] != "deadline" else "the task expires"
    return f"{what}; notified:  {', '.join(contact['people']) or 'no one'}"


add_removal(policies, "policies", "NAME")


_COLUMNS: Final = (
    column("NAME", whole=True),
    column("VERSION"),
    column("APPLIED BY", drop=2),
    time_column("APPLIED", "applied_at", drop=1),
    Column("STATE", lambda policy: "broken" if policy.get("broken") else "in force"),
)
