"""``signoff tasks approve`` and ``reject`` for many tasks: shows them, then answers up to 500 at once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from signoff.cli.complete import of_tasks
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.output import block, titled
from signoff.cli.session import Remote
from signoff.cli.tasks.differences import payload_lines
from signoff.cli.tasks.filters import NAMES
from signoff.cli.text_safety import visible
from signoff.wire.tasks import MOST_TASKS

if TYPE_CHECKING:
    from signoff.client.types import Task

FILTERS: Final = ("intent_type", "search", *NAMES, "limit")
_ALONE: Final = "can only be decided one by one, without --all"


def bulk_options(command: Any) -> Any:
    """The options that select many tasks."""
    for decorate in (
        click.argument("tasks", nargs=-1, metavar="TASK...", shell_complete=of_tasks),
        click.option("--all", "matching", is_flag=True, help="All your open tasks that match the filters."),
        click.option("--type", "intent_type", metavar="TYPE", help="With --all: only of this type."),
        click.option("--search", metavar="WORDS", help="With --all: full-text search, all of these words."),
        click.option(
            "--limit",
            type=click.IntRange(1, 1000),
            default=MOST_TASKS,
            show_default=True,
            help="With --all: maximum number.",
        ),
    )[::-1]:
        command = decorate(command)
    return command


def chosen(session: Remote, names: Sequence[str], matching: bool, wanted: Mapping[str, Any]) -> "list[Task]":
    """The tasks that the command line names, or that match its filters."""
    limit, filters = wanted["limit"], {k: v for k, v in wanted.items() if k != "limit" and v is not None}
    if bool(names) == matching:
        raise CommandFailed(
            ExitCode.USAGE, "Which tasks?", hint="Name them, or pass --all with filters: not both."
        )
    if filters and not matching:
        raise CommandFailed(ExitCode.USAGE, "A filter has no effect without --all.", hint="Add --all.")
    if not matching:
        ids = list(dict.fromkeys(session.task_id(name) for name in names))
        return [session.client.tasks.get(task_id) for task_id in ids]
    found = session.client.tasks.list(True, limit=limit, **filters)
    equal = [task for task in found if task.get("bulk_form")]
    if len(found) > len(equal):
        session.out.note(f"{len(found) - len(equal)} of {len(found)} tasks left out: they {_ALONE}.")
    if not equal:
        raise CommandFailed(ExitCode.NOT_FOUND, "No task matches that can be decided together with others.")
    return equal


def answer_many(
    session: Remote, tasks: "Sequence[Task]", outcome: str, comment: str | None, yes: bool
) -> None:
    """Show the tasks, ask once, and answer them; exit code 6 if one was refused."""
    kinds = Counter(str(task.get("bulk_form") or "") for task in tasks)
    if len(kinds) > 1:
        groups = "\n".join(f"  {count} x {_of_kind(tasks, kind)}" for kind, count in kinds.most_common(10))
        raise CommandFailed(
            ExitCode.USAGE,
            f"These tasks differ too much to be answered together:\n{groups}",
            hint="Answer similar ones together: name them, or narrow the filters. Answer the others one by one.",
        )
    session.show([line for task in tasks for line in _lines(task)], yes)
    session.confirm(f"Answer {outcome!r} to {len(tasks)} tasks?", yes)
    refused = 0
    for start in range(0, len(tasks), MOST_TASKS):
        with session.one_of_several(several := len(tasks) > MOST_TASKS):
            done = session.client.tasks.answer_many(tasks[start : start + MOST_TASKS], outcome, comment)
            refused += int(done.get("refused") or 0)
            session.out.one(done, "recorded", _outcome_lines(done, tasks), followed=several)
    if refused:
        rest = "nothing was recorded" if refused == len(tasks) else "the others were recorded"
        raise CommandFailed(ExitCode.CONFLICT, f"{refused} of {len(tasks)} were refused; {rest}.")


def _of_kind(tasks: "Sequence[Task]", kind: str) -> str:
    first = next(task for task in tasks if str(task.get("bulk_form") or "") == kind)
    return visible(f"{first.intent_type}: {titled(first)}") + ("" if kind else " (decided one by one)")


def _lines(task: "Task") -> list[str]:
    """The lines of one task among many: what it is about, and each of its values."""
    lines = block("task", f"{task.task_id}  {titled(task)}")
    return lines + payload_lines("payload", task.get("payload"), whole=True)


def _outcome_lines(done: Mapping[str, Any], tasks: "Sequence[Task]") -> list[str]:
    receipt: Mapping[str, Any] = done.get("receipt") or {}
    lines = [str(receipt.get("said", "")), str(receipt.get("next", ""))]
    lines += [
        f"refused {one.get('task_id')}: {one.get('message')}"
        for one in done.get("results") or ()
        if one.get("code")
    ]
    return [visible(line) for line in lines if line]
