"""``signoff tasks``: lists and answers a person's tasks. An answer names the revision and digest that were shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import click

from signoff.cli.arguments import form_data, short_id
from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.complete import of_intents, of_tasks, of_types
from signoff.cli.documents import Document, read_inline
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, Output, as_moment, block, column, time_column, utc
from signoff.cli.session import RECENT, Remote
from signoff.cli.tasks.act import (
    comment,
    delegate,
    messages,
    reassign,
    snooze,
    unsnooze,
    watch,
    withdraw,
)
from signoff.cli.tasks.assurance import refuse_what_a_key_cannot
from signoff.cli.tasks.bulk import FILTERS, answer_many, bulk_options, chosen
from signoff.cli.tasks.differences import payload_lines, value_lines
from signoff.cli.tasks.filters import filter_options
from signoff.cli.tasks.receipts import receipt_lines
from signoff.cli.tasks.revise import mark_reviewing, revise
from signoff.cli.tasks.subject import about
from signoff.cli.text_safety import safe_json, visible
from signoff.core.intent.deleted_payload import PAYLOAD_DELETED
from signoff.core.plan.task_types import BUILT_IN
from signoff.core.text.masking import hides
from signoff.wire.tasks import TaskOut

if TYPE_CHECKING:
    from signoff.client.types import Task


@click.group(cls=SuggestingGroup)
def tasks() -> None:
    """List and answer tasks."""


for _act in (
    delegate,
    reassign,
    mark_reviewing,
    snooze,
    unsnooze,
    comment,
    revise,
    withdraw,
    messages,
    watch,
):
    tasks.add_command(_act)


@tasks.command("list", cls=RemoteCommand, fields=TaskOut)
@click.option("--mine", is_flag=True, help="Only those that you may answer, or answered.")
@click.option(
    "--state",
    type=click.Choice(["open", "closed"]),
    default="open",
    show_default=True,
    help="State of the tasks.",
)
@click.option("--intent", metavar="INTENT", shell_complete=of_intents, help="Only tasks of this intent.")
@click.option("--type", "intent_type", metavar="TYPE", shell_complete=of_types, help="Only of this type.")
@click.option("--correlation-id", metavar="ID", help="Only with this correlation id.")
@click.option("--search", metavar="WORDS", help="Full-text search: all of these words.")
@filter_options
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="How many.")
@click.pass_obj
def list_tasks(session: Remote, /, mine: bool, state: str, intent: str | None, **wanted: Any) -> None:
    """List tasks: the open ones oldest first, or the closed ones, the newest decision first.

    With --state closed, one task of each request is listed: the one that was decided last.
    """
    intent_id = session.intent_id(intent) if intent else None
    limit = wanted.pop("limit")
    found = session.client.tasks.list(mine, state=state, intent_id=intent_id, limit=limit + 1, **wanted)
    empty = f"There are no {state} tasks{' for you' if mine else ''}."
    columns = _CLOSED_COLUMNS if state == "closed" else _COLUMNS
    session.out.many(found[:limit], columns, "task_id", empty)
    session.out.more(found, limit)


@tasks.command("get", cls=RemoteCommand, fields=TaskOut)
@click.argument("task", shell_complete=of_tasks)
@click.option("--whole", is_flag=True, help="Also show the unchanged values of a difference.")
@click.pass_obj
def get(session: Remote, task: str, whole: bool) -> None:
    """Show one task. TASK is its id or the intent's, or a unique prefix or suffix of it."""
    found = session.client.tasks.get(session.task_id(task))
    session.out.one(found, "task_id", task_lines(found, session.out, whole))


@tasks.command("next", cls=ChangingCommand, fields=TaskOut)
@click.pass_obj
def next_task(session: Remote) -> None:
    """Show the most urgent task that waits for you, and ask for your answer.

    That is the one that is due first. Without a terminal it is only shown. Exit code 5 if none waits for you.
    """
    found = _most_urgent(session)
    if found is None:
        raise CommandFailed(ExitCode.NOT_FOUND, "No task waits for you.")
    task = session.client.tasks.get(found.task_id)
    session.out.one(task, "task_id", task_lines(task, session.out, whole=task.risk != "low"))
    if not session.out.for_people:
        return
    if task.form_schema:
        command = f"signoff tasks submit {task.task_id} --field NAME=VALUE"
        session.out.note(f"It has a form. Answer it with: {command}")
        return
    refuse_what_a_key_cannot(session, task, yes=False)
    if not session.interactive:
        session.out.note("Answer it with one of these commands:")
        for outcome in task.allowed_outcomes:
            session.out.note(f"  {_command(task, outcome)}")
        return
    word = session.ask(f"Answer with {', '.join(task.allowed_outcomes)}, or press Enter to skip it:")
    if word:
        outcome = _named(task, word)
        _send(session, task, outcome, GivenAnswer(outcome, None, None, False, False))


def _command(task: "Task", outcome: str) -> str:
    """The command that gives this answer, as it can be pasted into a shell: a line for each outcome, no ``|``."""
    short = {"approved": "approve", "rejected": "reject"}.get(outcome)
    command = f"signoff tasks {short} {task.task_id}" if short else f"signoff tasks submit {task.task_id}"
    if not short:
        command += f" --outcome {quote(outcome)}"
    return command + (" -m TEXT" if outcome == "rejected" or task.get("comment_required") else "")


def _most_urgent(session: Remote) -> "Task | None":
    """Of the tasks that this key's person has neither answered nor snoozed, the one that is due first."""
    me = session.client.me().actor.id
    waiting = [
        task
        for task in session.client.tasks.list(mine=True, limit=RECENT)
        # an answer at one stage does not count at the next
        if (task.stages > 1 or me not in {vote.person for vote in task.votes})
        and me not in {one["person"] for one in task.get("snoozed") or ()}
    ]
    return min(waiting, key=_urgency, default=None)


def _urgency(task: "Task") -> tuple[bool, str, int, str]:
    due = as_moment(task.get("due_at"))
    risk = _RISKS.index(task.risk) if task.risk in _RISKS else len(_RISKS)
    return due is None, utc(due) if due else "", risk, str(task.get("opened_at"))


def _named(task: "Task", word: str) -> str:
    """The outcome for a typed word: an outcome's name, or an unambiguous prefix of one."""
    fits = [name for name in task.allowed_outcomes if name.startswith(word.lower())]
    if word in task.allowed_outcomes or len(fits) == 1:
        return word if word in task.allowed_outcomes else fits[0]
    raise CommandFailed(
        ExitCode.USAGE, f"There is no outcome {word!r}.", f"Use one of: {', '.join(task.allowed_outcomes)}"
    )


@dataclass(frozen=True)
class GivenAnswer:
    """The answer given on the command line. data: a form's data; ``None`` if it is given by fields."""

    outcome: str
    comment: str | None
    digest: str | None
    yes: bool
    open_page: bool
    evidence: str | None = None
    data: Document | None = None
    fields: Sequence[str] = ()
    number: int | None = None


def _answer_options(command: Any) -> Any:
    """The options of every command that answers a task."""
    for decorate in (
        click.option("--comment", "-m", metavar="TEXT", help="Reason, recorded in the history."),
        click.option("--digest", metavar="DIGEST", help="Fail unless this is the current digest."),
        click.option(
            "--number",
            type=click.IntRange(1),
            metavar="N",
            help="The number of your answer at this stage; only needed to return to an earlier answer.",
        ),
        click.option(
            "--yes",
            "-y",
            is_flag=True,
            help="Skip the confirmation prompt (required without a terminal). Not possible for a high risk.",
        ),
        click.option(
            "--open",
            "open_page",
            is_flag=True,
            help="Open the task's page if it can only be decided there.",
        ),
        click.pass_obj,
    )[::-1]:
        command = decorate(command)
    return command


@tasks.command("approve", cls=ChangingCommand, fields=TaskOut)
@click.option("--evidence", metavar="TEXT", help="Text or link that shows it was done.")
@bulk_options
@filter_options
@_answer_options
def approve(session: Remote, /, evidence: str | None, **options: Any) -> None:
    """Approve a task, or several similar low-risk ones (shows them first).

    Each is recorded separately, for exactly what was shown.
    """
    _one_or_more(session, "approved", options, evidence)


@tasks.command("reject", cls=ChangingCommand, fields=TaskOut)
@bulk_options
@filter_options
@_answer_options
def reject(session: Remote, /, **options: Any) -> None:
    """Reject a task, or several similar low-risk ones (shows them first).

    Each is recorded separately, for exactly what was shown.
    """
    _one_or_more(session, "rejected", options)


def _one_or_more(session: Remote, outcome: str, options: dict[str, Any], evidence: str | None = None) -> None:
    names, matching = options.pop("tasks"), options.pop("matching")
    wanted = {name: options.pop(name) for name in FILTERS}
    if len(names) == 1 and not matching and all(wanted[name] is None for name in FILTERS if name != "limit"):
        _answer(session, names[0], GivenAnswer(outcome, evidence=evidence, **options))
        return
    answer = GivenAnswer(outcome, evidence=evidence, **options)
    alone = {
        "--evidence": answer.evidence,
        "--digest": answer.digest,
        "--number": answer.number,
        "--open": answer.open_page,
    }
    if option := next((name for name, value in alone.items() if value), ""):
        raise CommandFailed(
            ExitCode.USAGE, f"{option} is for a single task.", hint="Answer that task separately."
        )
    found = chosen(session, names, matching, wanted)
    answer_many(session, found, outcome, answer.comment, answer.yes)


@tasks.command("submit", cls=ChangingCommand, fields=TaskOut)
@click.option("--outcome", metavar="OUTCOME", help="One of the task's outcomes; required if it has several.")
@click.option(
    "--field", "-f", "pairs", multiple=True, metavar="NAME=VALUE", help="One field of the form; repeatable."
)
@click.option("--data", metavar="JSON", help="All fields of the form as JSON, or @FILE.")
@click.argument("task", shell_complete=of_tasks)
@_answer_options
def submit(
    session: Remote, /, task: str, outcome: str | None, pairs: tuple[str, ...], **options: Any
) -> None:
    """Answer a task with any of its outcomes and form fields."""
    data = options.pop("data")
    values = read_inline(data, "--data") if data else None
    _answer(session, task, GivenAnswer(outcome or "", data=values, fields=pairs, **options))


def _answer(session: Remote, text: str, answer: GivenAnswer) -> None:
    task = session.client.tasks.get(session.task_id(text))
    if not task.open:
        raise CommandFailed(ExitCode.CONFLICT, f"Already decided: {_decision(task)}.")
    if answer.digest and not task.digest.startswith(answer.digest.lower()):
        raise CommandFailed(
            ExitCode.CONFLICT,
            f"What is being decided has the digest {task.digest}, not {answer.digest}.",
            hint=f"Read it again: signoff tasks get {task.task_id}",
        )
    outcome = _meant(task, answer.outcome) if answer.outcome else _only_outcome(task)
    refuse_what_a_key_cannot(session, task, answer.yes, answer.open_page)
    session.show(task_lines(task, session.out, whole=task.risk != "low"), answer.yes)
    _send(session, task, outcome, answer)


def _send(session: Remote, task: "Task", outcome: str, answer: GivenAnswer) -> None:
    """Answer a task that was shown, after a confirmation."""
    comment = answer.comment
    if comment is None and task.comment_required:
        comment = _ask_comment(session)
    session.confirm(f"Answer {outcome!r}?", answer.yes)
    data = _data(task, answer)
    after = session.client.answer(task, outcome, comment, data or None, answer_number=answer.number)
    sentence = f"{_decision(after)}" if not after.open else f"{outcome}: counted, the task is still open"
    stage = f"stage {task.stage} of {task.stages}, " if task.stages > 1 else ""
    shown = f"{stage}revision {task.revision}, digest {task.digest}"
    session.out.one(after, "task_id", [*receipt_lines(after, sentence), visible(shown)])


def _meant(task: "Task", word: str) -> str:
    """The task's own outcome for ``approved`` or ``rejected``; if several approve, the caller must name one."""
    means = {"approved": "approve", "rejected": "reject"}.get(word)
    names = [one.name for one in task.outcomes if one.means == means]
    if means != "approve" or word in names or len(names) < 2:
        return word
    raise CommandFailed(
        ExitCode.USAGE,
        "This task has several outcomes that approve.",
        hint=f"Choose one: signoff tasks submit {task.task_id} --outcome {' | '.join(names)}",
    )


def _only_outcome(task: "Task") -> str:
    if len(task.allowed_outcomes) == 1:
        return task.allowed_outcomes[0]
    allowed = ", ".join(task.allowed_outcomes)
    raise CommandFailed(
        ExitCode.USAGE, "This task has several outcomes.", hint=f"Pass --outcome with one of: {allowed}"
    )


def _ask_comment(session: Remote) -> str:
    if not session.interactive:
        raise CommandFailed(ExitCode.USAGE, "This task asks for a comment.", hint="Pass --comment TEXT.")
    return session.ask("Comment:")


def _data(task: "Task", answer: GivenAnswer) -> Document:
    data = {**(answer.data or {}), **form_data(answer.fields, task.form_schema)}
    return {**data, "evidence": answer.evidence} if answer.evidence else data


def _decider(task: Mapping[str, Any]) -> str:
    who = task.get("decided_by_name") or task.get("decided_by")
    who = who.get("name") or who.get("id") if isinstance(who, Mapping) else who
    return str(who or "")


def _decision(task: Mapping[str, Any]) -> str:
    """``approved by Ann at 2026-03-01T12:00:00Z via web``."""
    who = _decider(task)
    at = as_moment(task.get("decided_at"))
    parts = [str(task.get("outcome") or task.get("ending") or "closed")]
    parts += [f"by {who}"] if who else []
    parts += [f"at {utc(at)}"] if at else []
    parts += [f"via {task['via']}"] if task.get("via") else []
    return " ".join(parts)


def task_lines(task: Mapping[str, Any], out: Output, whole: bool) -> list[str]:
    """The lines of a task for a person who has to decide: escaped text, with each value next to its name or below it.
    ``whole``: do not collapse the unchanged values of a difference.
    """
    lines = block("title", task.get("title"))
    lines += block("asked by", _requester(task.get("requester")))
    lines += block("task", f"{task.get('task_id')} ({task.get('task_type')}, {task.get('state')})")
    lines += block("intent", f"{task.get('intent_id')} ({task.get('intent_type')})")
    for name in ("description", "payload", "previous_results"):
        lines += payload_lines(name.replace("_", " "), task.get(name), whole)
        if name == "payload" and task.get("payload_deleted"):
            lines += block(name, PAYLOAD_DELETED)
    if any(hides(task.get(name), "") for name in ("payload", "previous_results")):
        lines += block(
            "masked", "secrets are shown by their length and fingerprint; the task's page can show them"
        )
    lines += _stale(task)
    for change in task.get("changes") or ():
        lines += _change(change)
    lines += _since_approved(task.get("since_approved"))
    for step in task.get("next_steps") or ():
        lines += _next_step(step)
    lines += block(
        "form schema", safe_json(task["form_schema"], indent=2) if task.get("form_schema") else None
    )
    lines += block("risk", task.get("risk"))
    lines += block("outcomes", _outcomes(task))
    needs = [name for name in ("comment", "evidence") if task.get(f"{name}_required")]
    lines += block("needs", " and ".join(needs))
    lines += block("approvers", ", ".join(map(str, task.get("approvers") or ())))
    missing = task.get("approvals_missing")
    lines += (
        block("needed", f"{missing} more {'approval' if missing == 1 else 'approvals'}") if missing else []
    )
    due = as_moment(task.get("due_at"))
    lines += block("due", out.cell(due)) if due else []
    for vote in task.get("votes") or ():
        lines += block("vote", f"{vote.get('outcome')} by {vote.get('name') or vote.get('person')}")
        lines += block("", vote.get("comment"))
    for entry in task.get("comments") or ():
        lines += block("said", f"by {entry.get('name') or entry.get('actor')}")
        lines += block("", entry.get("comment"))
    if (task.get("stages") or 1) > 1:
        lines += block("stage", f"{task.get('stage')} of {task.get('stages')}")
    lines += block("revision", task.get("revision"))
    lines += block("digest", task.get("digest"))
    lines += block("decision", _decision(task)) if task.get("state") == "closed" else []
    return lines + (block("silence", task.get("on_expiry")) if task.get("state") == "open" else [])


def _stale(task: Mapping[str, Any]) -> list[str]:
    """The results of an earlier revision, which do not apply to this one."""
    of, now = task.get("result_revisions") or {}, task.get("revision")
    earlier = [f"{step} is of revision {number}" for step, number in of.items() if number != now]
    return block("not checked", f"{'; '.join(earlier)}: not of revision {now}") if earlier else []


def _change(change: Mapping[str, Any]) -> list[str]:
    """A change: from which revision to which, by whom, and each changed value."""
    who = change.get("by_name") or change.get("by")
    how = f"by {who}" if who else "asked again"
    lines = block("changed", f"revision {change.get('from_revision')} to {change.get('to_revision')}, {how}")
    lines += block("", change.get("comment"))
    for value in change.get("changed") or ():
        lines += value_lines(value)
    return lines


def _since_approved(since: Mapping[str, Any] | None) -> list[str]:
    """What differs from the last approved request with the same target."""
    if not since:
        return []
    same = ", ".join(map(str, since.get("target") or ()))
    changed = list(since.get("changed") or ())
    sentence = f"{since.get('intent_id')}, with the same {same}" + ("" if changed else "; nothing differs")
    lines = block("approved before", sentence)
    for value in changed:
        lines += value_lines(value)
    if since.get("more"):
        lines += block("", f"{since['more']} more values differ")
    return lines


def _outcomes(task: Mapping[str, Any]) -> str:
    """Each possible outcome, with its meaning and the label of its button if the name does not say so."""
    parts = []
    for one in task.get("outcomes") or ({"name": word} for word in task.get("allowed_outcomes") or ()):
        name, means, label = (str(one.get(key) or "") for key in ("name", "means", "label"))
        own = means and name not in BUILT_IN
        parts.append(f"{name} (means {means}: {label})" if own else name)
    return ", ".join(parts)


def _next_step(step: Mapping[str, Any]) -> list[str]:
    """A step that may run after the answer, and what it does, because the decision covers an agent's input too."""
    after = [str(word) for word in step.get("after") or ()]
    does = {"agent": f"{step.get('agent')} runs it", "human": "people are asked", "delay": "it waits"}
    action = does.get(str(step.get("kind")), f"tells {', '.join(map(str, step.get('to') or ()))}")
    label = "after a yes" if "yes" in after else f"after {' or '.join(after)}"
    off_main_path = ", only if an earlier step does not succeed" if step.get("off_main_path") else ""
    lines = block(label, f"{step.get('step_id')}: {action}{off_main_path}")
    lines += block("given", step.get("input"))
    return lines + block("told", step.get("message"))


def _requester(requester: object, *, brief: bool = False) -> str:
    """The requester's name and address. ``brief``: omit the id if there is a name."""
    if not isinstance(requester, Mapping):
        return str(requester or "")
    name, address = requester.get("name"), requester.get("address")
    address = address or ("" if brief and name else requester.get("id"))
    return f"{name} ({address})" if name and address and name != address else str(name or address or "")


_RISKS: Final = ("critical", "high", "medium", "low")
_COLUMNS: Final = (
    Column("ID", lambda task: short_id(task.get("task_id")), whole=True),
    column("TITLE"),
    Column("ABOUT", about),
    column("RISK", whole=True, drop=2),
    Column("ASKED BY", lambda task: _requester(task.get("requester"), brief=True), drop=3),
    column("TYPE", "task_type", whole=True, drop=5),
    column("STATE", whole=True, drop=6),
    time_column("OPENED", "opened_at", drop=4),
    time_column("DUE", "due_at", drop=1),
)
_CLOSED_COLUMNS: Final = (
    *_COLUMNS[:3],
    Column("OUTCOME", lambda task: task.get("outcome") or task.get("ending")),
    Column("DECIDED BY", _decider),
    time_column("DECIDED", "decided_at", drop=1),
    Column("ASKED BY", lambda task: _requester(task.get("requester"), brief=True), drop=3),
    column("RISK", whole=True, drop=4),
    column("TYPE", "task_type", whole=True, drop=5),
)
