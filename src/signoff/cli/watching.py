"""Follows an intent on a terminal or in a script, and returns an exit code for how it ended."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.output import as_moment, utc
from signoff.cli.session import Remote
from signoff.cli.text_safety import visible

# The widths of the longest ones: ACKNOWLEDGED and human_task_assigned.
_STATUS_WIDTH: Final = 12
_KIND_WIDTH: Final = 19


class ActorNames:
    """Names for the ids in an intent's events; each id is looked up once."""

    def __init__(self, session: Remote, intent_id: str) -> None:
        self._session = session
        self._intent_id = intent_id
        self._known: dict[str, str] = {}

    def of(self, actor: str) -> str:
        """The name for an id; the id itself if this key cannot see the name."""
        from signoff.client.errors import SignoffError

        if actor and actor not in self._known:
            self._known[actor] = actor
            with suppress(SignoffError):
                trail = self._session.client.audit(self._intent_id)
                self._known |= {one.actor.id: one.actor.name or one.actor.id for one in trail.events}
        return self._known.get(actor, actor)


def refuse_timeout_alone(watch: bool, timeout: float | None) -> None:
    """Refuse --timeout without ``--watch``, because the command then waits for nothing."""
    if timeout is not None and not watch:
        raise CommandFailed(ExitCode.USAGE, "--timeout has an effect only with --watch.")


def watch_intent(
    session: Remote, intent_id: str, timeout: float | None, until: str | None = None
) -> ExitCode:
    """Print each event until the final one; returns the exit code for how the intent ended. until: a status or an
    event at which to stop earlier.
    """
    client, stop = session.client, _stop_word(until) if until else ""
    # Following survives restarts of the server; the first request checks that a server exists.
    intent_id = _whole(session, client.get_intent(intent_id), intent_id)
    names = ActorNames(session, intent_id)
    for event in client.observe(intent_id, timeout=timeout):
        if session.out.for_people:
            session.out.line(_line(session, event, names.of(event.actor)))
        else:
            session.out.each(event, "event_type")
        if stop and stop in (event.status, event.event_type.removeprefix("intent.")):
            return ExitCode.OK
    intent = client.get_intent(intent_id)
    code = ending(intent)
    if code is not ExitCode.OK:
        overtaken = approval_overtaken(intent)
        ended = f"{intent.status} after approval" if overtaken else intent.status
        why = intent.error.message if intent.error else "" if overtaken else intent.ending
        session.out.note(f"The intent ended {ended}{f': {why}' if why else '.'}")
    return code


def _stop_word(until: str) -> str:
    """Check a status or the name of an event; the command would wait forever for anything else."""
    from signoff.core.intent.model import Status
    from signoff.core.intent.states import EFFECTS
    from signoff.core.text.describe import suggestion

    events = {effect.wire.removeprefix("intent.") for effect in EFFECTS.values() if effect.wire}
    known = sorted({status.value for status in Status} | events)
    word = until.removeprefix("intent.")
    found = next((one for one in known if one.lower() == word.lower()), "")
    if not found:
        hint = suggestion(word, known) or f"Use one of: {', '.join(known)}"
        raise CommandFailed(ExitCode.USAGE, f"--until: there is no status or event {until!r}.", hint)
    return found


def _whole(session: Remote, intent: Mapping[str, Any], intent_id: str) -> str:
    """The id of the request that a step belongs to, because a step can end before its request does."""
    whole = intent.get("parent_intent_id")
    if not isinstance(whole, str) or not whole:
        return intent_id
    session.out.note(f"{visible(intent_id)} is a step of {visible(whole)}; following that.")
    return whole


def approval_overtaken(intent: Mapping[str, Any]) -> bool:
    """Whether people approved, but the request was then canceled, failed or timed out."""
    return intent.get("ending") == "approved" and intent.get("status") in ("CANCELED", "FAILED", "TIMED_OUT")


def ending(intent: Mapping[str, Any]) -> ExitCode:
    """The exit code of a final intent: 0 only if ``raise_for_status`` raises nothing, otherwise the code for its
    error.
    """
    from signoff.client import errors as e
    from signoff.client.types import Result

    by_kind = {
        e.IntentRejected: ExitCode.REJECTED,
        e.IntentTimedOut: ExitCode.EXPIRED,
        e.IntentExpired: ExitCode.EXPIRED,
        e.IntentCanceled: ExitCode.WITHDRAWN,
        e.IntentWithdrawn: ExitCode.WITHDRAWN,
        e.IntentSuperseded: ExitCode.SUPERSEDED,
        e.IntentUndeliverable: ExitCode.UNDELIVERABLE,
    }
    failure = Result.read(dict(intent)).failure
    return ExitCode.OK if failure is None else by_kind.get(failure, ExitCode.FAILURE)


def _line(session: Remote, event: Mapping[str, Any], who: str) -> str:
    at = as_moment(event.get("at"))
    stamp = at.astimezone().strftime("%H:%M:%S") if at and session.out.now else utc(at) if at else "-"
    status = visible(event.get("status") or "")
    kind = visible(str(event.get("event_type") or "").removeprefix("intent."))
    parts = [
        session.out.tint(stamp, "dim"),
        session.out.paint(status) + " " * (_STATUS_WIDTH - len(status)),
        f"{kind:<{_KIND_WIDTH}}",
    ]
    waits = event.get("pending_with")
    if event.get("status") == "WAITING" and isinstance(waits, Mapping):
        holder = waits.get("name") or waits.get("ref") or waits.get("type")
        # an earlier line names the actor whose action led to the task; this line names who acted on it
        acted = f"by {visible(who)}; " if who and kind != "human_task_assigned" else ""
        parts.append(f"{acted}waits for {visible(holder or 'an actor')}")
    elif who:
        parts.append("by " + visible(who))
    return "  ".join(parts).rstrip()
