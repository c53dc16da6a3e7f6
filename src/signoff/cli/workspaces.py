"""``signoff workspaces``: the workspaces of an organization."""

from typing import Any, Final

import click

from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, column
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible
from signoff.wire.workspaces import NewWorkspaceOut, WorkspaceOut


@click.group(cls=SuggestingGroup)
def workspaces() -> None:
    """List, create and rename workspaces."""


@workspaces.command("list", cls=RemoteCommand, fields=WorkspaceOut)
@click.pass_obj
def list_workspaces(session: Remote) -> None:
    """List the key's workspace; for an owner, also the others of its organization."""
    found = session.client.directory.workspaces()
    session.out.many(found, _COLUMNS, "workspace_id", "There are no workspaces here.")


@workspaces.command("create", cls=ChangingCommand, fields=NewWorkspaceOut)
@click.argument("name")
@click.option("--owner", default="", metavar="EMAIL", help="Its first owner; default: you.")
@click.option("--owner-name", default="", metavar="NAME", help="The owner's name.")
@click.pass_obj
def create_workspace(session: Remote, /, name: str, owner: str, owner_name: str) -> None:
    """Create a workspace in your organization.

    If you are its owner, your key for it is shown, once. Any other owner signs in by e-mail.
    """
    made = session.client.directory.create_workspace(name, owner, owner_name)
    full = _full_name(made.get("workspace") or {})
    session.out.note(f"Created {visible(full)}; its owner is {visible(made.get('owner'))}.")
    key = made.get("api_key")
    if key:
        session.out.note("The owner's key is shown once:")
    session.out.one(made, "api_key", [visible(key)] if key else [])


@workspaces.command("rename", cls=ChangingCommand, fields=WorkspaceOut)
@click.argument("name")
@click.pass_obj
def rename_workspace(session: Remote, /, name: str) -> None:
    """Rename the key's workspace to NAME, or to ORGANIZATION/NAME.

    Agents keep their addresses, and addresses with the former name continue to resolve.
    """
    organization, _, last = name.rpartition("/")
    if "/" in organization or not last:
        raise CommandFailed(ExitCode.USAGE, "Write NAME or ORGANIZATION/NAME.")
    renamed = session.client.directory.rename_workspace("current", last, organization)
    former = ", ".join(renamed.get("former_names") or ())
    line = f"{_full_name(renamed)}" + (f" (formerly {former})" if former else "")
    session.out.one(renamed, "workspace_id", [visible(line)])


def _full_name(space: Any) -> str:
    return f"{space.get('organization')}/{space.get('name')}"


_COLUMNS: Final = (
    Column("NAME", _full_name),
    column("ID", "workspace_id", whole=True),
    Column("YOURS", lambda space: "yes" if space.get("own") else ""),
    Column("FORMERLY", lambda space: ", ".join(space.get("former_names") or ())),
)
