"""Commands of ``signoff tasks`` other than answering: delegate, reassign, comment, withdraw, and watch the inbox."""

import threading
from collections.abc import Mapping
from typing import Any, Final

import click

from signoff.cli.arguments import short_id
from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.complete import of_approvers, of_intents, of_people, of_tasks
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.output import Column, as_moment, column, time_column, titled
from signoff.cli.session import Remote
from signoff.cli.tasks.receipts import receipt_lines
from signoff.cli.text_safety import visible
from signoff.wire.messages import MessageOut
from signoff.wire.tasks import TaskOut

_COLUMNS: Final = (
    time_column("AT", "at"), Column("TO", lambda one: str(one.get("name") or one.get("target") or "")),
    column("CHANNEL", whole=True, drop=2),
    column("WHAT", "kind"), column("STATE", whole=True), column("STATUS", "summary"),
    time_column("NEXT TRY", "next_attempt_at", drop=1),
)  # fmt: skip
_STATE: Final = ("state", "outcome", "revision", "stage", "reminders_sent", "reviewed_by", "votes")


@click.command("delegate", cls=ChangingCommand, fields=TaskOut)
@click.argument("task", shell_complete=of_tasks)
@click.argument("to", shell_complete=of_people)
@click.option("--comment", "-m", metavar="TEXT", help="Reason, recorded in the history.")
@click.pass_obj
def delegate(session: Remote, task: str, to: str, comment: str | None) -> None:
    """Delegate your vote to the person TO (address or id)."""
    after = session.client.tasks.delegate(session.task_id(task), to, comment)
    session.out.one(after, "task_id", receipt_lines(after, f"delegated to {to}"))


@click.command("reassign", cls=ChangingCommand, fields=TaskOut)
@click.argument("task", shell_complete=of_tasks)
@click.argument("to", nargs=-1, required=True, shell_complete=of_approvers)
@click.option("--comment", "-m", metavar="TEXT", help="Reason, recorded in the history.")
@click.pass_obj
def reassign(session: Remote, task: str, to: tuple[str, ...], comment: str | None) -> None:
    """Ask other people, team:NAME or role:NAME instead (owners and admins)."""
    after = session.client.tasks.reassign(session.task_id(task), to, comment)
    session.out.one(after, "task_id", receipt_lines(after, f"asked {', '.join(to)}"))


@click.command("snooze", cls=ChangingCommand, fields=TaskOut)
@click.argument("task", shell_complete=of_tasks)
@click.option("--until", metavar="WHEN", help="Time, such as 2026-03-02T09:00+01:00.")
@click.option("--for", "lasts", metavar="DURATION", help="Duration: 90m, 2h, 1d.")
@click.pass_obj
def snooze(session: Remote, task: str, until: str | None, lasts: str | None) -> None:
    """Suppress reminders to you about a task until a time.

    Its deadline and escalation, and the other approvers, are unaffected.
    """
    if (until is None) == (lasts is None):
        raise CommandFailed(
            ExitCode.USAGE, "An end time is required.", hint="Pass --until WHEN or --for DURATION."
        )
    after = session.client.tasks.snooze(session.task_id(task), until, lasts)
    session.out.one(after, "task_id", receipt_lines(after, "snoozed"))


@click.command("unsnooze", cls=ChangingCommand, fields=TaskOut)
@click.argument("task", shell_complete=of_tasks)
@click.pass_obj
def unsnooze(session: Remote, task: str) -> None:
    """Cancel a snooze."""
    after = session.client.tasks.unsnooze(session.task_id(task))
    session.out.one(after, "task_id", receipt_lines(after, "unsnoozed"))


@click.command("comment", cls=ChangingCommand, fields=TaskOut)
@click.argument("task", shell_complete=of_tasks)
@click.argument("text")
@click.pass_obj
def comment(session: Remote, task: str, text: str) -> None:
    """Comment on a task without answering it. Notifies the requester and earlier commenters."""
    after = session.client.tasks.comment(session.task_id(task), text)
    session.out.one(after, "task_id", receipt_lines(after, "commented"))


@click.command(
    "withdraw",
    cls=ChangingCommand,
    fields=("intent_id", "intent_type", "status", "ending", "error", "receipt"),
)
@click.argument("task", shell_complete=of_tasks)
@click.option("--reason", "-m", metavar="TEXT", help="Reason, recorded in the history.")
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt (required without a terminal).")
@click.pass_obj
def withdraw(session: Remote, task: str, reason: str | None, yes: bool) -> None:
    """Withdraw your request."""
    task_id = session.task_id(task)
    found = session.client.tasks.get(task_id)
    session.confirm(f"Withdraw “{titled(found)}”?", yes)
    after = session.client.tasks.withdraw(task_id, reason)
    session.out.one(after, "intent_id", receipt_lines({**after, "title": found.title}, "withdrawn"))


@click.command("messages", cls=RemoteCommand, fields=MessageOut)
@click.argument("task", shell_complete=of_tasks)
@click.pass_obj
def messages(session: Remote, task: str) -> None:
    """List notifications sent for a task and their delivery status."""
    found = session.client.tasks.messages(session.task_id(task))
    session.out.many(found, _COLUMNS, "message_id", "No messages were sent about this task.")


@click.command("messages", cls=RemoteCommand, fields=MessageOut)
@click.argument("intent", shell_complete=of_intents)
@click.pass_obj
def intent_messages(session: Remote, intent: str) -> None:
    """List notifications sent for an intent and their delivery status."""
    found = session.client.messages(session.intent_id(intent))
    session.out.many(found, _COLUMNS, "message_id", "No messages were sent about this intent.")


@click.command("watch", cls=RemoteCommand, fields=TaskOut)
@click.option("--mine", is_flag=True, help="Only tasks that you may answer.")
@click.option(
    "--every", type=click.FloatRange(0.2, 60), default=2.0, show_default=True, help="Seconds between polls."
)
@click.option("--looks", type=click.IntRange(1), hidden=True, help="Stop after N polls.")
@click.pass_obj
def watch(session: Remote, mine: bool, every: float, looks: int | None) -> None:
    """Watch the inbox: one line for each task that opens, changes or closes."""
    from signoff.client.errors import SignoffError, may_pass

    known: dict[str, Mapping[str, Any]] | None = None
    trouble = False
    pause = threading.Event()
    while True:
        try:
            known = _look(session, mine, known or {})
            trouble = False
        except SignoffError as failure:
            if known is None or not may_pass(failure):
                raise
            if not trouble:
                session.out.note(f"warning: cannot read the inbox, still trying: {failure}")
            trouble = True
        looks = looks - 1 if looks else None
        if looks == 0:
            return
        pause.wait(every)


def _look(
    session: Remote, mine: bool, known: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """Report what has changed; returns the open tasks."""
    found: dict[str, Mapping[str, Any]] = {task.task_id: task for task in session.client.tasks.list(mine)}
    closed = [session.client.tasks.get(task_id) for task_id in known if task_id not in found]
    for gone in closed:
        _tell(session, gone, "-")
    for task_id, task in found.items():
        if task_id not in known:
            _tell(session, task, "+")
        elif _state(task) != _state(known[task_id]):
            _tell(session, task, "~")
    return found


def _state(task: Mapping[str, Any]) -> list[object]:
    return [task.get(name) for name in _STATE]


def _tell(session: Remote, task: Mapping[str, Any], sign: str) -> None:
    if not session.out.for_people:
        session.out.each(task, "task_id")
        return
    is_open, due = task.get("state") == "open", as_moment(task.get("due_at"))
    gone = "no longer yours" if sign == "-" else "open"
    parts = [gone if is_open else str(task.get("ending") or task.get("outcome"))]
    parts += [f"{len(task['votes'])} answered"] if task.get("votes") and is_open else []
    parts += [f"reminded {task['reminders_sent']}x"] if task.get("reminders_sent") else []
    parts += [f"due {session.out.cell(due)}"] if due and is_open else []
    session.out.line(visible(f"{sign} {short_id(task.get('task_id'))}  {titled(task)}  ({', '.join(parts)})"))
