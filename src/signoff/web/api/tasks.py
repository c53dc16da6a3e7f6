"""Tasks: what waits for people, and their answers. Every answer is the same command, whichever endpoint takes it."""

from signoff.core.advance import Change
from signoff.core.commands import Answer
from signoff.core.errors import Invalid, NotFound
from signoff.core.ids import split_ref
from signoff.core.model import Intent, Task
from signoff.engine.view import Seen
from signoff.store.work import Filter, Stored
from signoff.web import bodies, strict
from signoff.web.api.reading import all_facts, book_of, visible
from signoff.web.api.shapes import requests as r
from signoff.web.api.shapes.common import encode, maybe
from signoff.web.api.shapes.intents import intent_out
from signoff.web.api.shapes.tasks import (
    Answered,
    Display,
    MyTasks,
    Story,
    TaskAnswer,
    TaskOut,
    Tasks,
    my_task,
    story_of,
    task_out,
    tell,
)
from signoff.web.call import Call


async def page(call: Call) -> Tasks:
    """GET /v1/tasks"""
    limit = call.number("limit", 50, 1, 200)
    cursor = split_ref(call.query["cursor"])[0] if call.query.get("cursor") else ""
    match call.query.get("state", "open"):
        case "open":
            found = await call.parts.view.tasks(call.actor, call.flag("mine"), cursor, limit)
        case "closed":
            wanted = Filter(workspace=call.actor.workspace, before=cursor, limit=limit)
            found = await call.parts.view.page(call.actor, wanted)
        case other:
            raise Invalid("validation_error", f"{other[:32]!r} is not a state.", field="state", hint="open or closed.")
    return Tasks(tasks=await _listed(call, found), next_cursor=maybe(_after(call, found, limit)))


def _after(call: Call, found: list[Stored], limit: int) -> str | None:
    """Where the next page starts. A page narrowed to one's own tasks may be short of its limit and still go on."""
    return found[-1].intent.id if found and len(found) >= limit else None


async def _listed(call: Call, found: list[Stored]) -> list[TaskOut]:
    display = (await book_of(call)).display
    tasks = []
    for stored in found:
        intent = stored.intent
        if isinstance(intent.open, Task):
            story = await _open_story(call, intent, intent.open)
        elif intent.ending is not None:
            story = _last(intent, await _stories(call, intent))
        else:
            continue
        if story is not None:
            tasks.append(task_out(intent, stored.payload, story, display))
    return tasks
