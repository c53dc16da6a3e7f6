"""``signoff webhooks``: develop a receiver of webhooks on this machine, and see what became of the server's."""

import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import click

from signoff.cli.arguments import short_id
from signoff.cli.commands import DataCommand, RemoteCommand
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, as_moment, column, time_column, utc
from signoff.cli.session import CommandContext, Remote
from signoff.cli.text_safety import visible
from signoff.cli.webhook_receiver import Answered, open_receiver
from signoff.core.text.masking import mask_text, masked

_EVERY: Final = 2.0  # seconds between two looks at the server
_LONGEST_PAUSE: Final = 30.0
_FOLLOWED: Final = 200
_NOWHERE: Final = "00000000-0000-7000-8000-000000000000"
_TYPES: Final = (
    "task.opened", "task.reminder", "task.escalated", "task.revised", "task.commented", "task.decided", "message",
    "intent.finished",
)  # fmt: skip
_TITLES: Final = {
    "task.opened": "Decision needed: Run the migration?",
    "task.reminder": "Reminder 1, still waiting: Run the migration?",
    "task.escalated": "Escalated, still waiting: Run the migration?",
    "task.revised": "Changed, new decision needed: Run the migration?",
    "task.commented": "Comment: Run the migration?",
    "task.decided": "Approved: Run the migration?",
    "message": "For your information: sample",
    "intent.finished": "Finished: sample is COMPLETED",
}
_secret_file: Final = click.option(
    "--secret-file",
    metavar="FILE",
    help="File that holds the secret that signs (whsec_...); default: SIGNOFF_WEBHOOK_SECRET, else unsigned.",
)
_only: Final = click.option(
    "--event", "events", multiple=True, type=click.Choice(_TYPES), help="Only this event; may be repeated."
)


@click.group(cls=SuggestingGroup)
def webhooks() -> None:
    """Develop a receiver of webhooks, and see what became of the server's."""


@webhooks.command("listen", cls=RemoteCommand, fields=("id", "type", "title", "status", "problem", "body"))
@click.option("--forward-to", metavar="URL", help="Post each to this address of this machine.")
@_secret_file
@_only
@click.pass_obj
def listen(session: Remote, forward_to: str | None, secret_file: str | None, events: tuple[str, ...]) -> None:
    """Show what webhooks would carry, as it happens, until Ctrl-C.

    Only of intents that your key may see, from now on; the server needs no webhook for it. With --forward-to, each is
    posted to your receiver with the body that the server would send. After an interruption it goes on where it was.
    """
    if secret_file and not forward_to:
        raise CommandFailed(ExitCode.USAGE, "--secret-file has an effect only with --forward-to.")
    receiver = open_receiver(forward_to, secret_file) if forward_to else None
    following = Following(session)
    following.look()
    session.out.note(f"Listening to {session.settings.url}. Ctrl-C stops.")
    if receiver is not None:
        session.ctx.call_on_close(receiver.close)
    for one in following.notifications():
        if events and one["type"] not in events:
            continue
        body = json.dumps(one["body"], ensure_ascii=False, separators=(",", ":")).encode()
        answered = receiver.post(str(one["id"]), body) if receiver is not None else None
        _show(session, one, answered)


def _show(session: CommandContext, one: Mapping[str, Any], answered: Answered | None) -> None:
    data = one["body"].get("data") or {}
    at = as_moment(data.get("at"))
    stamp = at.astimezone().strftime("%H:%M:%S") if at and session.out.now else utc(at) if at else "-"
    parts = [
        stamp,
        f"{visible(one['type']):<15}",
        short_id(data.get("intent")),
        visible(mask_text(str(one["title"]))),
    ]
    if answered is not None:
        parts.append(f"-> {answered}")
    record = {
        **one,
        "title": mask_text(str(one["title"])),
        "body": masked(one["body"]),  # what is forwarded is unchanged
        "status": answered.status if answered else None,
        "problem": answered.problem if answered else "",
    }
    session.out.one(record, "id", ["  ".join(parts)], followed=True)


@dataclass
class Following:
    """The newest intents that the key may see, and the number of the last event of each that was shown."""

    session: Remote
    _known: dict[str, tuple[str, int]] = field(default_factory=dict)
    _since: datetime | None = None
    _first: bool = True

    def notifications(self) -> Iterator[dict[str, Any]]:
        """Every notification from now on, each once. Goes on after the server was away."""
        from signoff.client.errors import ConnectionFailed, RequestRefused

        pause, away = _EVERY, False
        while True:
            time.sleep(pause)
            try:
                yield from self.look()
                pause, away = _EVERY, False
            except (ConnectionFailed, RequestRefused) as error:
                if isinstance(error, RequestRefused) and not error.retryable:
                    raise
                if not away:
                    self.session.out.note(f"warning: {error} Trying again.")
                pause, away = min(pause * 2, _LONGEST_PAUSE), True

    def look(self) -> Iterable[dict[str, Any]]:
        """What has happened since the last look; on the first one, only notes where each intent is."""
        found = self.session.client.list_intents(limit=_FOLLOWED)
        changed = []
        for intent in reversed(found):
            stamp = f"{intent.updated_at} {intent.status}"
            known, seq = self._known.get(intent.intent_id, ("", 0))
            if known != stamp:
                changed.append((intent.intent_id, stamp, seq))
        if self._first:
            self._first = False
            self._known = {intent_id: (stamp, 0) for intent_id, stamp, _ in changed}
            self._since = max((at for one in found if (at := as_moment(one.updated_at))), default=None)
            return ()
        return self._read(changed)

    def _read(self, changed: list[tuple[str, str, int]]) -> Iterator[dict[str, Any]]:
        for intent_id, stamp, seq in changed:
            answer = notifications(self.session, intent_id, seq)
            self._known[intent_id] = (stamp, int(answer["seq"]))
            for one in answer["notifications"]:
                at = as_moment(one["body"].get("timestamp"))
                if self._since is None or at is None or at > self._since:
                    yield one
        while len(self._known) > 10 * _FOLLOWED:
            del self._known[next(iter(self._known))]


def notifications(session: Remote, intent_id: str, since: int) -> dict[str, Any]:
    """The notifications of an intent after an event."""
    from signoff.client.calls import ApiCall

    path = f"/v1/intents/{intent_id}/notifications"
    return session.client.call(ApiCall("GET", path, dict, query={"since": since}))


@webhooks.command("trigger", cls=DataCommand, fields=("id", "type", "url", "status", "problem"))
@click.argument("event", type=click.Choice(_TYPES))
@click.option(
    "--to", "url", metavar="URL", required=True, help="Your receiver, at an address of this machine."
)
@_secret_file
@click.pass_obj
def trigger(session: CommandContext, event: str, url: str, secret_file: str | None) -> int:
    """Post one sample to your receiver.

    It is marked as a sample and names an intent that no server has, so nothing can be taken for a decision: reading
    that intent answers 404. No server takes part.
    """
    receiver = open_receiver(url, secret_file)
    session.ctx.call_on_close(receiver.close)
    id = f"sample_{uuid.uuid4().hex}"
    answered = receiver.post(id, sample(event, datetime.fromtimestamp(time.time(), UTC)))
    record = {"id": id, "type": event, "url": url, "status": answered.status, "problem": answered.problem}
    session.out.one(record, "id", [f"{event} -> {answered}"])
    if answered.accepted:
        return ExitCode.OK
    return ExitCode.FAILURE if answered.status else ExitCode.UNREACHABLE


def sample(event: str, now: datetime) -> bytes:
    """The body of a sample."""
    data: dict[str, Any] = {
        "kind": event, "intent": _NOWHERE, "workspace": _NOWHERE, "seq": 1, "at": now,
        "intent_type": "intent.sample.v1",
    }  # fmt: skip
    if event.startswith("task."):
        data |= {"visit": 1, "step": "approve", "title": "Run the migration?", "to": ["ann@acme.example"]}
    if event == "task.decided":
        data |= {
            "outcome": "approved",
            "ending": "approved",
            "means": "positive",
            "by": "per_sample",
            "via": "web",
        }
    if event == "intent.finished":
        data |= {"status": "COMPLETED", "outcome": "approved", "ending": "approved"}
    if event == "message":
        data |= {"text": "This is a sample."}
    fields = {
        "type": event,
        "timestamp": now,
        "title": f"Sample: {_TITLES[event]}",
        "sample": True,
        "data": data,
    }
    return json.dumps(fields, default=lambda at: at.isoformat().replace("+00:00", "Z")).encode()


@webhooks.command(
    "logs",
    cls=RemoteCommand,
    fields=("at", "kind", "intent_id", "channel", "target", "state", "attempts", "error", "next_attempt_at"),
)
@click.option("--follow", "-f", is_flag=True, help="Go on showing changes until Ctrl-C.")
@click.option("--failed", is_flag=True, help="Only deliveries that failed or are retried.")
@click.option(
    "--limit",
    type=click.IntRange(1, 200),
    default=50,
    show_default=True,
    help="How many of the newest intents to look at.",
)
@click.pass_obj
def logs(session: Remote, follow: bool, failed: bool, limit: int) -> None:
    """Show the deliveries of webhooks and other service messages about the newest intents, oldest first.

    Each with its attempts, the last error, and the time of the next attempt. Only for intents that your key may see.
    """
    seen: dict[str, tuple[Any, ...]] = {}
    rows = _deliveries(session, limit, failed)
    if not follow:
        session.out.many(rows, _COLUMNS, "message_id", "No webhook deliveries for these intents.")
        return
    while True:
        for row in rows:
            state = (row["state"], row["attempts"], row["error"])
            if seen.get(row["message_id"]) != state:
                seen[row["message_id"]] = state
                session.out.one(row, "message_id", [_logged(session, row)], followed=True)
        time.sleep(_EVERY)
        rows = _deliveries(session, limit, failed)


def _deliveries(session: Remote, limit: int, failed: bool) -> list[dict[str, Any]]:
    rows = [
        {
            "message_id": one.get("message_id"),
            "at": one.get("at"),
            "kind": one.get("kind"),
            "intent_id": intent.intent_id,
            "channel": one.get("channel"),
            "target": one.get("target", ""),
            "state": one.get("state"),
            "attempts": one.get("attempts"),
            "error": one.get("error", ""),
            "next_attempt_at": one.get("next_attempt_at"),
        }
        for intent in session.client.list_intents(limit=limit)
        for one in session.client.messages(intent.intent_id)
        if not one.get("person") and (one.get("error") or not failed)
    ]
    return sorted(rows, key=lambda row: str(row["at"]))


def _logged(session: Remote, row: Mapping[str, Any]) -> str:
    cell = session.out.cell
    parts = [
        cell(as_moment(row["at"])), f"{cell(row['kind']):<15}", short_id(row["intent_id"]), cell(row["target"]),
        session.out.paint(cell(row["state"])), f"{row['attempts']} attempts" if row["attempts"] != 1 else "1 attempt",
    ]  # fmt: skip
    if row["error"]:
        parts.append(cell(row["error"]))
    if row["next_attempt_at"]:
        parts.append(f"next {cell(as_moment(row['next_attempt_at']))}")
    return "  ".join(parts)


_COLUMNS: Final = (
    time_column("AT", "at"),
    column("EVENT", "kind", whole=True),
    Column("INTENT", lambda row: short_id(row["intent_id"]), whole=True),
    column("TO", "target"),
    column("STATE", whole=True),
    column("ATTEMPTS", whole=True),
    time_column("NEXT", "next_attempt_at", drop=1),
    column("ERROR"),
)
