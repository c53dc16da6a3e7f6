"""``signoff tasks mark-reviewing`` and ``revise``, which shows the difference before it asks."""

import click

from signoff.cli.commands import ChangingCommand
from signoff.cli.complete import of_tasks
from signoff.cli.documents import read_inline
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.session import Remote
from signoff.cli.tasks.assurance import refuse_what_a_key_cannot
from signoff.cli.tasks.differences import difference_lines
from signoff.cli.tasks.receipts import receipt_lines
from signoff.wire.tasks import TaskOut


@click.command("mark-reviewing", cls=ChangingCommand, fields=TaskOut)
@click.argument("task", shell_complete=of_tasks)
@click.option("--clear", is_flag=True, help="Clear the mark.")
@click.pass_obj
def mark_reviewing(session: Remote, task: str, clear: bool) -> None:
    """Mark a task as being reviewed by you. Does not lock it."""
    after = session.client.tasks.mark_reviewing(session.task_id(task), clear)
    sentence = "review mark cleared" if clear else "marked as being reviewed by you"
    session.out.one(after, "task_id", receipt_lines(after, sentence))


@click.command("revise", cls=ChangingCommand, fields=TaskOut)
@click.argument("task", shell_complete=of_tasks)
@click.option("--payload", required=True, metavar="JSON", help="The whole new payload as JSON, or @FILE.")
@click.option("--comment", "-m", metavar="TEXT", help="Reason, recorded in the history.")
@click.option("--approve", is_flag=True, help="Also approve the change, if the policy allows it.")
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt (required without a terminal).")
@click.pass_obj
def revise(session: Remote, task: str, payload: str, comment: str | None, approve: bool, yes: bool) -> None:
    """Propose a change: creates a new revision that others decide, and voids earlier votes.

    With --approve you also approve the changed request, if its policy says edits: approve.
    """
    from signoff.client.call_request import same_json

    found, new = session.client.tasks.get(session.task_id(task)), read_inline(payload, "--payload")
    old = found.get("payload") or {}
    if same_json(old, new):
        raise CommandFailed(
            ExitCode.USAGE, "The payload is unchanged.", hint=f"See: signoff tasks get {task}"
        )
    if approve and found.edits != "approve":
        raise CommandFailed(
            ExitCode.FORBIDDEN,
            "The policy of this task lets people propose a change, not approve their own.",
            hint="Omit --approve; somebody else then decides.",
        )
    if approve:
        refuse_what_a_key_cannot(session, found, yes)
    session.show(difference_lines(old, new), yes)
    session.confirm(f"Create revision {found.revision + 1}{' and approve it' if approve else ''}?", yes)
    after = session.client.tasks.revise(
        found.task_id, new, comment, found.digest, outcome="approved" if approve else None
    )
    session.out.one(after, "task_id", receipt_lines(after, f"revision {after.get('revision')}"))
