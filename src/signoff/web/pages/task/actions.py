"""Actions on a task other than answering: delegate, comment, mark as reviewing, snooze, reassign, revise, withdraw."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from signoff.core.directory.model import Person
from signoff.core.errors import Invalid, NotFound, Refused
from signoff.core.ids import step_run_id
from signoff.core.intent.commands import (
    AddComment,
    Cancel,
    Command,
    Delegate,
    MarkReviewing,
    Reassign,
    Revise,
    Snooze,
    Unsnooze,
)
from signoff.core.text import canonical_json
from signoff.core.text.document_reader import in_utc
from signoff.engine.commit.jobs import Done
from signoff.engine.read.view import SeenTask
from signoff.web.http import json_intake
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest
from signoff.web.pages.task.answer import CORRECTABLE, after_act, count, how_viewed
from signoff.web.pages.task.page import task_page
from signoff.web.pages.task.revise_form import changed_values


async def act(request: PageRequest) -> Page:
    """POST /tasks/{task_id}/{act}"""
    run = _ACTS.get(request.params["act"])
    if run is None:
        raise NotFound("not_found", "There is no such action.")
    found = await request.state.view.task(request.actor, request.params["task_id"])
    here = f"/tasks/{step_run_id(found.seen.stored.intent.id, found.history.step_run)}"
    try:
        done = await run(request, found)
    except Refused as refusal:
        if refusal.status not in CORRECTABLE:
            raise
        again = await request.state.view.task(request.actor, request.params["task_id"])
        return await task_page(request, request.actor, again, here=here, refusal=refusal)
    return request.to(after_act(here, done, request.actor))


async def _do(request: PageRequest, found: SeenTask, command: Command) -> Done:
    return await request.state.engine.handle(request.actor, found.seen.stored.intent.id, command)


async def _delegate(request: PageRequest, found: SeenTask) -> Done:
    return await _do(
        request, found, Delegate(request.field("to"), found.history.step_run, request.words("words"))
    )


async def _reassign(request: PageRequest, found: SeenTask) -> Done:
    to = tuple(value for name, value in request.form if name == "approver" and value)
    if not to:
        raise Invalid("nobody_named", "Choose at least one approver.", field="approver")
    stage = count(request, "stage")
    command = Reassign(to, found.history.step_run, request.words("words"), stage=stage - 1 if stage else None)
    return await _do(request, found, command)


async def _withdraw(request: PageRequest, found: SeenTask) -> Done:
    return await _do(request, found, Cancel(request.words("words") or "withdrawn", found.history.step_run))


async def _comment(request: PageRequest, found: SeenTask) -> Done:
    words = request.words("words")
    if not words:
        raise Invalid("comment_required", "The comment is empty.", field="words")
    return await _do(request, found, AddComment(words, found.history.step_run))


async def _mark_reviewing(request: PageRequest, found: SeenTask) -> Done:
    return await _do(
        request, found, MarkReviewing(found.history.step_run, free=request.field("clear") == "1")
    )


async def _snooze(request: PageRequest, found: SeenTask) -> Done:
    directory = await request.directory()
    return await _do(
        request,
        found,
        Snooze(_snoozed_until(request, directory.people[request.actor.id]), found.history.step_run),
    )


def _snoozed_until(request: PageRequest, person: Person) -> datetime:
    """The posted time in UTC: one of the suggested times, or a date and time in the reader's zone."""
    offered, own = request.field("until"), request.field("at").strip()
    try:
        at = datetime.fromisoformat(own or offered)
    except ValueError as error:
        raise Invalid(
            "moment_required", "Choose a time.", field="until", hint="Select one, or enter a date and time."
        ) from error
    return in_utc(at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(person.zone or "UTC")), "until")


async def _unsnooze(request: PageRequest, found: SeenTask) -> Done:
    return await _do(request, found, Unsnooze(found.history.step_run))


async def _revise(request: PageRequest, found: SeenTask) -> Done:
    stored = found.seen.stored
    parsed = json_intake.parse_object(request.field("payload").encode())
    changed = changed_values(stored.payload, request.form)
    payload = canonical_json.ordered(parsed.value | changed, plain=parsed.plain and not changed)
    revised = canonical_json.content_digest(payload)
    if revised == stored.intent.payload_digest:
        raise Invalid("nothing_changed", "The payload is unchanged. Nothing was recorded.", field="payload")
    stage, outcome = count(request, "stage"), request.field("outcome")
    digest = request.field("digest") or "-"
    command = Revise(
        revised,
        found.history.step_run,
        comment=request.words("words"),
        digest=digest,
        outcome=outcome,
        stage=stage - 1 if stage else None,
        viewed=await how_viewed(request, request.actor, found, outcome, digest) if outcome else None,
    )
    ref = step_run_id(stored.intent.id, found.history.step_run)
    return await request.state.engine.revise(request.actor, ref, command, stored.payload, payload)


_ACTS: Final[dict[str, Callable[[PageRequest, SeenTask], Awaitable[Done]]]] = {
    "delegate": _delegate,
    "comment": _comment,
    "mark-reviewing": _mark_reviewing,
    "snooze": _snooze,
    "unsnooze": _unsnooze,
    "revise": _revise,
    "reassign": _reassign,
    "withdraw": _withdraw,
}
