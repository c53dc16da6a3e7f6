"""``signoff intents``: submit durable requests, watch them, and see how they ended."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from signoff.cli.arguments import seconds, short_id
from signoff.cli.commands import ChangingCommand, RemoteCommand
from signoff.cli.complete import of_agents, of_intents, of_types
from signoff.cli.documents import Document, read_document, read_inline
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.last_intent import remember
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, as_moment, block, column, time_column
from signoff.cli.session import Remote
from signoff.cli.tasks.act import intent_messages
from signoff.cli.watching import approval_overtaken, refuse_timeout_alone, watch_intent
from signoff.core.intent.deleted_payload import PAYLOAD_DELETED
from signoff.wire.intents import EventOut, IntentOut

if TYPE_CHECKING:
    from signoff.client.calls import SubmittedIntent


@click.group(cls=SuggestingGroup)
def intents() -> None:
    """Send, watch, cancel and retry intents."""


intents.add_command(intent_messages)


@intents.command("send", cls=ChangingCommand, fields=("intent_id", "warnings"))
@click.argument("file", required=False)
@click.option("--data", metavar="JSON", help="The whole intent as JSON, or @FILE.")
@click.option(
    "--type",
    "intent_type",
    metavar="TYPE",
    shell_complete=of_types,
    help="Intent type, such as intent.infra.change_approval.v1.",
)
@click.option(
    "--to",
    "to_agent",
    metavar="AGENT",
    shell_complete=of_agents,
    help="The agent it is for: a name or agent://org/workspace/name.",
)
@click.option("--payload", metavar="JSON", help="Its payload as JSON, or @FILE.")
@click.option("--idempotency-key", metavar="KEY", help="Idempotency key.")
@click.option("--watch", is_flag=True, help="Follow it until it is final; the exit code tells how it ended.")
@click.option(
    "--timeout", callback=seconds, metavar="DURATION", help="With --watch: maximum time to follow it."
)
@click.option(
    "--unchanged",
    is_flag=True,
    help="With --watch: exit code 15 if it completed with a payload that people changed.",
)
@click.pass_obj
def send(
    session: Remote,
    /,
    file: str | None,
    data: str | None,
    idempotency_key: str | None,
    watch: bool,
    timeout: float | None,
    unchanged: bool,
    **parts: str | None,
) -> int:
    """Send an intent and print its id.

    It is read from FILE (JSON or YAML; - is standard input) or from --data, or composed from --type, --to and
    --payload, which override FILE.
    """
    from signoff.client import calls

    refuse_timeout_alone(watch, timeout)
    if unchanged and not watch:
        raise CommandFailed(ExitCode.USAGE, "--unchanged has an effect only with --watch.")
    intent = _intent(file, data, parts)
    if unchanged and "payload" not in intent:
        raise CommandFailed(ExitCode.USAGE, "--unchanged needs a payload to compare.", hint="Pass --payload.")
    sent = session.client.call(calls.send_intent(intent, idempotency_key))
    _print(session, sent, followed=watch)
    if not watch:
        return ExitCode.OK
    code = watch_intent(session, sent.intent_id, timeout)
    if code is ExitCode.OK and unchanged:
        from signoff.client.call_request import same_json

        if not same_json(session.client.get_intent(sent.intent_id).get("payload"), intent["payload"]):
            session.out.note("The payload that was approved is not the one that was sent.")
            return ExitCode.CHANGED
    return code


def _print(session: Remote, sent: "SubmittedIntent", *, followed: bool = False) -> None:
    """Print the intent. ``followed``: its events follow, so in JSON it is the first of many lines."""
    for warning in sent.warnings:
        session.out.note(f"warning: {warning}")
    remember(session.settings.url, sent.intent_id)
    record = {"intent_id": sent.intent_id, "warnings": sent.warnings}
    session.out.one(record, "intent_id", [sent.intent_id], followed=followed)


def _intent(file: str | None, data: str | None, parts: Mapping[str, str | None]) -> Document:
    if file and data:
        raise CommandFailed(ExitCode.USAGE, "FILE and --data cannot be combined.")
    intent = read_document(file) if file else read_inline(data, "--data") if data else {}
    for name in ("intent_type", "to_agent"):
        if parts.get(name):
            intent[name] = parts[name]
    payload = parts.get("payload")
    if payload:
        intent["payload"] = read_inline(payload, "--payload")
    if not intent.get("intent_type"):
        raise CommandFailed(
            ExitCode.USAGE,
            "An intent needs a type.",
            hint="Pass --type intent.infra.change_approval.v1, or a FILE.",
        )
    return intent


@intents.command("list", cls=RemoteCommand, fields=IntentOut)
@click.option("--status", metavar="STATUS", help="One status, several separated by commas, or pending.")
@click.option("--type", "intent_type", metavar="TYPE", shell_complete=of_types, help="Only of this type.")
@click.option("--correlation-id", metavar="ID", help="Only with this correlation id.")
@click.option("--search", metavar="WORDS", help="Full-text search: all of these words.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="Maximum number, newest first."
)
@click.pass_obj
def list_intents(session: Remote, /, **wanted: Any) -> None:
    """List intents, newest first."""
    limit = wanted.pop("limit")
    found = session.client.list_intents(limit=limit + 1, **wanted)
    session.out.many(found[:limit], _COLUMNS, "intent_id", "There are no intents here.")
    session.out.more(found, limit)


@intents.command("get", cls=RemoteCommand, fields=IntentOut)
@click.argument("intent", shell_complete=of_intents)
@click.pass_obj
def get(session: Remote, intent: str) -> None:
    """Show one intent. INTENT is its id, or a unique prefix or suffix of it."""
    found = session.client.get_intent(session.intent_id(intent))
    session.out.one(found, "intent_id", _lines(session, found))


@intents.command("watch", cls=RemoteCommand, fields=EventOut)
@click.argument("intent", shell_complete=of_intents)
@click.option(
    "--timeout", callback=seconds, metavar="DURATION", help="Maximum time to follow it; default: forever."
)
@click.option(
    "--until",
    metavar="WORD",
    help="Stop at this status or event: WAITING, answered, ... (exit code 0).",
)
@click.pass_obj
def watch(session: Remote, intent: str, timeout: float | None, until: str | None) -> int:
    """Follow an intent until it is final.

    Exit code: 0 only if completed; 10 rejected, 11 expired or timed out, 12 withdrawn or canceled, 13 changes
    requested, 14 no approver reached, 1 failed otherwise; 7 when --timeout elapses first.
    """
    return watch_intent(session, session.intent_id(intent), timeout, until)


@intents.command("cancel", cls=ChangingCommand, fields=IntentOut)
@click.argument("intent", shell_complete=of_intents)
@click.option("--reason", default="canceled", show_default=True, help="Reason, recorded in the history.")
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt.")
@click.pass_obj
def cancel(session: Remote, intent: str, reason: str, yes: bool) -> None:
    """Cancel an intent."""
    found = session.client.get_intent(session.intent_id(intent))
    session.confirm(f"Cancel {found.intent_type} {found.intent_id}?", yes)
    after = session.client.cancel(found.intent_id, reason)
    session.out.one(after, "intent_id", [f"{session.out.paint('CANCELED')} {found.intent_id}"])


@intents.command("retry", cls=ChangingCommand, fields=("intent_id", "warnings"))
@click.argument("intent", shell_complete=of_intents)
@click.pass_obj
def retry(session: Remote, intent: str) -> None:
    """Resubmit an intent that failed, timed out or was canceled, as a new intent. Prints the new id."""
    from signoff.client import calls

    _print(session, session.client.call(calls.retry(session.intent_id(intent))))


@intents.command("rerun", cls=ChangingCommand, fields=("intent_id", "rerun_of"))
@click.argument("intent", shell_complete=of_intents)
@click.pass_obj
def rerun(session: Remote, intent: str) -> None:
    """Rerun the step that failed after an approval, once, under the same decision.

    Prints the new intent's id.

    It is refused if the decision is older than a day, if the workflow or its policy has changed since, or if something
    else has run after the failure: then use `signoff intents retry`, which asks people again.
    """
    source = session.intent_id(intent)
    made = session.client.rerun(source)
    remember(session.settings.url, made)
    session.out.one({"intent_id": made, "rerun_of": source}, "intent_id", [made])


def state(intent: Mapping[str, Any]) -> str:
    """The status and what it means: ``WAITING for human``, ``FAILED (rejected)``, ``CANCELED after approval``."""
    status = str(intent.get("status", ""))
    reason = str(intent.get("waiting_reason") or "").removeprefix("WAITING_FOR_").lower()
    if status == "WAITING" and reason:
        return f"{status} for {reason}"
    if approval_overtaken(intent):
        return f"{status} after approval"
    ending = intent.get("ending") or intent.get("outcome")
    return f"{status} ({ending})" if ending and status != "WAITING" else status


def _lines(session: Remote, intent: Mapping[str, Any]) -> list[str]:
    out = session.out
    lines = [
        *block("intent", intent.get("intent_id")),
        *block("type", intent.get("intent_type")),
        f"{'status':<12} {out.paint(out.cell(state(intent)))}",
        *block("from", intent.get("from_agent")),
        *block("to", intent.get("to_agent")),
    ]
    for label in ("created_at", "updated_at", "deadline_at"):
        at = as_moment(intent.get(label))
        lines += block(label.removesuffix("_at"), out.cell(at)) if at else []
    pending = intent.get("pending_with")
    if isinstance(pending, Mapping):
        asked = pending.get("name") or pending.get("ref")
        human = intent.get("waiting_reason") == "WAITING_FOR_HUMAN"
        lines += block("waits for", (_waits_for(session, intent, asked) if human else "") or asked)
        lines += _votes(session, intent) if human else []
    for label in ("decided_by", "via", "comment", "payload", "result", "error"):
        lines += block(label.replace("_", " "), intent.get(label))
        if label == "payload" and intent.get("payload_deleted"):
            lines += block(label, PAYLOAD_DELETED)
    return lines


def _waits_for(session: Remote, intent: Mapping[str, Any], asked: object) -> str:
    """The people who may answer and have not yet done so, and by which entries they are asked; "" if this key may not
    see that.
    """
    from signoff.client.errors import SignoffError

    with suppress(SignoffError):
        made = session.client.tasks.explain(str(intent.get("intent_id")))
        names = [
            str(one.get("name") or one.get("person"))
            for one in made.get("may_decide") or ()
            if not one.get("voted")
        ]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"{', '.join(names[:_NAMED])}{more} ({asked})" if names else ""
    return ""


def _votes(session: Remote, intent: Mapping[str, Any]) -> list[str]:
    """Who has already answered the open task; nothing if this key may not see that."""
    from signoff.client.errors import SignoffError

    with suppress(SignoffError):
        task = session.client.tasks.get(str(intent.get("intent_id")))
        return [
            line
            for vote in task.votes
            for line in block("answered", f"{vote.outcome} by {vote.name or vote.person}")
        ]
    return []


_NAMED = 3  # people, on one line
_COLUMNS = (
    Column("ID", lambda intent: short_id(intent.get("intent_id")), whole=True),
    Column("STATUS", state),
    column("TYPE", "intent_type"),
    column("TO", "to_agent", drop=2),
    time_column("CREATED", "created_at", drop=1),
    time_column("CHANGED", "updated_at", drop=3),
)
