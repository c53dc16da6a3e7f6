"""``signoff workflows``: applies workflows from files in the user's repository."""

from typing import Final

import click

from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.documents import read_document
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, column, time_column
from signoff.cli.removal import add_removal
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible
from signoff.wire.workflows import WorkflowOut


@click.group(cls=SuggestingGroup)
def workflows() -> None:
    """Apply and list workflows."""


@workflows.command("apply", cls=ChangingCommand, fields=("file", "changed", "workflow"), judged=True)
@click.argument("files", nargs=-1, required=True)
@click.pass_obj
def apply(session: Remote, files: tuple[str, ...]) -> None:
    """Apply the workflows in FILES (JSON or YAML; - is standard input)."""
    # All files are read before the first is applied, so that a typo in the last one changes nothing.
    templates = [(file, read_document(file)) for file in files]
    for file, template in templates:
        applied = session.client.apply_workflow(template, session.dry_run)
        flow = applied.workflow
        word = ("would change" if session.dry_run else "in force") if applied.changed else "unchanged"
        line = f"{word}: {flow.name} for {flow.intent_type}, version {flow.version}"
        if session.out.for_people:
            session.out.line(visible(line))
            for agent in applied.raw.get("agents") or ():
                session.out.line(visible(f"{'would register' if session.dry_run else 'registered'}: {agent}"))
        else:
            session.out.each({"file": file, **applied.raw}, "file")
        for warning in applied.warnings:
            session.out.note(visible(f"warning: {warning}"))


@workflows.command("list", cls=RemoteCommand, fields=WorkflowOut)
@click.pass_obj
def list_workflows(session: Remote) -> None:
    """List the active workflows."""
    found = session.client.workflows()
    session.out.many(found, _COLUMNS, "intent_type", "There are no workflows here.")


add_removal(workflows, "workflows", "TYPE")


_COLUMNS: Final = (
    column("NAME", whole=True),
    column("INTENT TYPE", whole=True),
    column("VERSION"),
    Column(
        "STEPS",
        lambda flow: [step.get("step_id") or step.get("id") for step in flow.get("steps") or ()],
        drop=3,
    ),
    column("APPLIED BY", drop=2),
    time_column("APPLIED", "applied_at", drop=1),
)
