"""What a person can do with a task beside answering it: hand it over, say something, take it, ask other people, change
what is asked, withdraw it.
"""

from collections.abc import Awaitable, Callable
from typing import Final

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
from signoff.engine.read.view import SeenTask
from signoff.web.http import json_intake
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest
from signoff.web.pages.task.page import CORRECTABLE, task_page
from signoff.web.pages.task.revise_form import changed_values
from signoff.web.pages.task.snooze_times import chosen


async def act(request: PageRequest) -> Page:
    """POST /tasks/{task_id}/{act}"""
    run = _ACTS.get(request.params["act"])
    if run is None:
        raise NotFound("not_found", "There is nothing to do by this name.")
    found = await request.state.view.task(request.actor, request.params["task_id"])
    here = f"/tasks/{step_run_id(found.seen.stored.intent.id, found.history.step_run)}"
    try:
        await run(request, found)
    except Refused as refusal:
        if refusal.status not in CORRECTABLE:
            raise
        again = await request.state.view.task(request.actor, request.params["task_id"])
        return await task_page(request, request.actor, again, here=here, refusal=refusal)
    return request.to(here)


async def _do(request: PageRequest, found: SeenTask, command: Command) -> None:
    await request.state.engine.handle(request.actor, found.seen.stored.intent.id, command)


async def _hand_over(request: PageRequest, found: SeenTask) -> None:
    await _do(request, found, Delegate(request.field("to"), found.history.step_run, request.words("words")))


async def _ask_others(request: PageRequest, found: SeenTask) -> None:
    to = tuple(value for name, value in request.form if name == "party" and value)
    if not to:
        raise Invalid("nobody_named", "Choose who is asked instead.", field="party")
    await _do(request, found, Reassign(to, found.history.step_run, request.words("words")))


async def _withdraw(request: PageRequest, found: SeenTask) -> None:
    await _do(request, found, Cancel(request.words("words") or "withdrawn", found.history.step_run))


async def _remark(request: PageRequest, found: SeenTask) -> None:
    words = request.words("words")
    if not words:
        raise Invalid("comment_required", "There is nothing said yet.", field="words")
    await _do(request, found, AddComment(words, found.history.step_run))


async def _take(request: PageRequest, found: SeenTask) -> None:
    await _do(request, found, MarkReviewing(found.history.step_run, free=request.field("free") == "1"))


async def _snooze(request: PageRequest, found: SeenTask) -> None:
    directory = await request.state.directory.of(request.actor.workspace)
    await _do(
        request, found, Snooze(chosen(request, directory.people[request.actor.id]), found.history.step_run)
    )


async def _wake(request: PageRequest, found: SeenTask) -> None:
    await _do(request, found, Unsnooze(found.history.step_run))


async def _revise(request: PageRequest, found: SeenTask) -> None:
    stored = found.seen.stored
    parsed = json_intake.parse_object(request.field("payload").encode())
    changed = changed_values(stored.payload, request.form)
    payload = json_intake.canonical(parsed.value | changed, plain=parsed.plain and not changed)
    if payload == stored.payload:
        raise Invalid(
            "nothing_changed", "This is what is asked already; nothing was recorded.", field="payload"
        )
    command = Revise(
        json_intake.digest(payload),
        found.history.step_run,
        comment=request.words("words"),
        digest=request.field("digest") or "-",
    )
    ref = step_run_id(stored.intent.id, found.history.step_run)
    await request.state.engine.revise(request.actor, ref, command, stored.payload, payload)


_ACTS: Final[dict[str, Callable[[PageRequest, SeenTask], Awaitable[None]]]] = {
    "hand-over": _hand_over,
    "remark": _remark,
    "take": _take,
    "snooze": _snooze,
    "wake": _wake,
    "revise": _revise,
    "ask-others": _ask_others,
    "withdraw": _withdraw,
}
