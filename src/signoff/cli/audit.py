"""``signoff audit``: shows an intent's history and proves that it is complete and unchanged.

``verify`` does not trust the server: it recomputes the hash chain from the stored bytes on this machine, with RFC
6962's domain separation: SHA-256("signoff/event/v1" || 0 || previous hash || body).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import click

from signoff.cli.apply import moment_text
from signoff.cli.commands import RemoteCommand
from signoff.cli.complete import of_intents
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, column, time_column
from signoff.cli.session import Remote
from signoff.wire.audit import AuditEventOut

_STEP: Final = 4
_PREFIX: Final = b"signoff/event/v1\0"


@click.group(cls=SuggestingGroup)
def audit() -> None:
    """Show and verify an intent's history."""


@audit.command("show", cls=RemoteCommand, fields=AuditEventOut)
@click.argument("intent", shell_complete=of_intents)
@click.pass_obj
def show(session: Remote, intent: str) -> None:
    """Show who did what, when and through which channel."""
    trail = session.client.audit(session.intent_id(intent))
    session.out.many(trail.events, _COLUMNS, "hash", "This intent has no history.")
    for one in trail.get("views") or ():
        session.out.note(
            f"{one.get('name')} opened it through {one.get('channel')}, {moment_text(one.get('first_at'))}"
            + (f", {one.get('times')} times" if int(one.get("times") or 0) > 1 else "")
        )


@audit.command("verify", cls=RemoteCommand, fields=("intent_id", "events", "head", "verified", "problem"))
@click.argument("intent", shell_complete=of_intents)
@click.pass_obj
def verify(session: Remote, intent: str) -> ExitCode:
    """Recompute the hash chain here and compare. Exit code 1 if it does not match."""
    asked = session.intent_id(intent)
    trail = session.client.audit(asked)
    problem = (
        _another(trail.intent_id, asked)
        or broken(trail)
        or ("" if trail.verified else f"the server reports: {trail.problem or 'not verified'}")
    )
    found = {
        "intent_id": trail.intent_id,
        "events": len(trail.events),
        "head": trail.head,
        "verified": not problem,
        "problem": problem,
    }
    if problem and session.out.for_people:
        raise CommandFailed(
            ExitCode.FAILURE, f"The history of {trail.intent_id} failed verification: {problem}."
        )
    session.out.one(found, "head", [f"verified: {len(trail.events)} events, head {trail.head}"])
    return ExitCode.FAILURE if problem else ExitCode.OK


def _another(found: str, asked: str) -> str:
    """The problem if the received history belongs to another intent, else "". The suffix of an id names a step run."""
    same = found[:-_STEP] == asked[:-_STEP]
    return "" if same else f"the server sent the history of another intent, {found}"


def broken(trail: Mapping[str, Any]) -> str:
    """What is wrong with an audit trail as the server sent it; "" if every hash is valid."""
    previous = ""
    for number, event in enumerate(trail.get("events") or (), start=1):
        body, private = str(event.get("body", "")).encode(), event.get("private")
        if hashlib.sha256(_PREFIX + bytes.fromhex(previous) + body).hexdigest() != event.get("hash"):
            return f"event {number}: its bytes do not match its hash"
        fact = _fact(body)
        if fact.get("seq") != number or fact.get("intent") != trail.get("intent_id"):
            return f"event {number}: its body belongs to another position"
        if private and hashlib.sha256(str(private).encode()).hexdigest() != fact.get("note_digest"):
            return f"event {number}: its private text does not match its hash"
        previous = str(event["hash"])
    if previous != trail.get("head"):
        return "the head in the intent's row is not the last event's hash"
    return "" if previous else "it has no events"


def _fact(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _actor(event: Mapping[str, Any]) -> str:
    actor = event.get("actor")
    if not isinstance(actor, Mapping):
        return str(actor or "")
    return str(actor.get("name") or actor.get("email") or actor.get("id") or actor.get("kind") or "")


_COLUMNS: Final = (
    column("SEQ", whole=True),
    time_column("AT", "at"),
    column("EVENT", "type", whole=True),
    Column("BY", _actor),
    column("VIA", drop=2),
    column("SUMMARY"),
    column("COMMENT", drop=1),
    Column("HASH", lambda event: str(event.get("hash", ""))[:12], whole=True, drop=3),
)
