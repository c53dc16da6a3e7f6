"""What a person can do with a task beside answering it: hand it over, say something, take it, ask other people, change
what is asked, withdraw it.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from signoff.core.errors import Invalid, NotFound, Refused
from signoff.core.ids import visit_ref
from signoff.core.intent.commands import (
    Cancel,
    Command,
    Delegate,
    Reassign,
    Remark,
    Revise,
    Snooze,
    Take,
    Wake,
)
from signoff.engine.read.view import SeenTask
from signoff.web.http import json_intake
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import Visit
from signoff.web.pages.task.page import CORRECTABLE, task_page
from signoff.web.pages.task.revise_form import changed_values
from signoff.web.pages.task.snooze_times import chosen


async def act(visit: Visit) -> Page:
    """POST /tasks/{task_id}/{act}"""
    run = _ACTS.get(visit.params["act"])
    if run is None:
        raise NotFound("not_found", "There is nothing to do by this name.")
    found = await visit.parts.view.task(visit.actor, visit.params["task_id"])
    here = f"/tasks/{visit_ref(found.seen.stored.intent.id, found.history.visit)}"
    try:
        await run(visit, found)
    except Refused as refusal:
        if refusal.status not in CORRECTABLE:
            raise
        again = await visit.parts.view.task(visit.actor, visit.params["task_id"])
        return await task_page(visit, visit.actor, again, here=here, refusal=refusal)
    return visit.to(here)


async def _do(visit: Visit, found: SeenTask, command: Command) -> None:
    await visit.parts.engine.handle(visit.actor, found.seen.stored.intent.id, command)


async def _hand_over(visit: Visit, found: SeenTask) -> None:
    await _do(visit, found, Delegate(visit.field("to"), found.history.visit, visit.words("words")))


async def _ask_others(visit: Visit, found: SeenTask) -> None:
    to = tuple(value for name, value in visit.form if name == "party" and value)
    if not to:
        raise Invalid("nobody_named", "Choose who is asked instead.", field="party")
    await _do(visit, found, Reassign(to, found.history.visit, visit.words("words")))


async def _withdraw(visit: Visit, found: SeenTask) -> None:
    await _do(visit, found, Cancel(visit.words("words") or "withdrawn", found.history.visit))


async def _remark(visit: Visit, found: SeenTask) -> None:
    words = visit.words("words")
    if not words:
        raise Invalid("comment_required", "There is nothing said yet.", field="words")
    await _do(visit, found, Remark(words, found.history.visit))


async def _take(visit: Visit, found: SeenTask) -> None:
    await _do(visit, found, Take(found.history.visit, free=visit.field("free") == "1"))


async def _snooze(visit: Visit, found: SeenTask) -> None:
    book = await visit.parts.directory.of(visit.actor.workspace)
    await _do(visit, found, Snooze(chosen(visit, book.people[visit.actor.id]), found.history.visit))


async def _wake(visit: Visit, found: SeenTask) -> None:
    await _do(visit, found, Wake(found.history.visit))


async def _revise(visit: Visit, found: SeenTask) -> None:
    stored = found.seen.stored
    parsed = json_intake.parse_object(visit.field("payload").encode())
    changed = changed_values(stored.payload, visit.form)
    payload = json_intake.canonical(parsed.value | changed, plain=parsed.plain and not changed)
    if payload == stored.payload:
        raise Invalid(
            "nothing_changed", "This is what is asked already; nothing was recorded.", field="payload"
        )
    command = Revise(
        json_intake.digest(payload),
        found.history.visit,
        comment=visit.words("words"),
        digest=visit.field("digest") or "-",
    )
    ref = visit_ref(stored.intent.id, found.history.visit)
    await visit.parts.engine.revise(visit.actor, ref, command, stored.payload, payload)


_ACTS: Final[dict[str, Callable[[Visit, SeenTask], Awaitable[None]]]] = {
    "hand-over": _hand_over,
    "remark": _remark,
    "take": _take,
    "snooze": _snooze,
    "wake": _wake,
    "revise": _revise,
    "ask-others": _ask_others,
    "withdraw": _withdraw,
}
