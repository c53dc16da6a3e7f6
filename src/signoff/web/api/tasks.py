"""Tasks: what waits for people, and their answers. Every answer is the same command, whichever endpoint takes
it.
"""

from typing import Final

from signoff.core.advance import Change
from signoff.core.commands import Answer
from signoff.core.errors import Forbidden, Invalid, NotFound
from signoff.core.events import Decided, TaskOpened
from signoff.core.ids import visit_ref
from signoff.core.model import ActorKind, Task
from signoff.core.standing import eligible
from signoff.engine.view import Seen
from signoff.store.work import Filter, Stored
from signoff.web import bodies, strict
from signoff.web.api.reading import all_facts, book_of, cursor_of, glimpsed, outdated, visible
from signoff.web.api.shapes import requests as r
from signoff.web.api.shapes.answers import ApprovalAnswer, ApprovalOut
from signoff.web.api.shapes.common import Display, encode, maybe
from signoff.web.api.shapes.intents import intent_out
from signoff.web.api.shapes.tasks import (
    Answered,
    MyTask,
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

_READ: Final = 200
_MOST_MINE: Final = 200
_DECISIONS: Final = {
    "approve": "approved",
    "approved": "approved",
    "reject": "rejected",
    "rejected": "rejected",
}


async def page(call: Call) -> Tasks:
    """GET /v1/tasks"""
    limit = call.number("limit", 50, 1, 200)
    cursor = cursor_of(call)
    display = (await book_of(call)).display
    match call.query.get("state", "open"):
        case "open":
            found = await call.parts.view.tasks(call.actor, after=cursor, limit=limit)
            tasks = [await _open(call, stored, display) for stored in found if _wanted(call, stored)]
        case "closed":
            _no_agent(call)
            wanted = Filter(workspace=call.actor.workspace, before=cursor, limit=limit)
            found = await call.parts.view.page(call.actor, wanted)
            closed = [await _closed(call, stored, display) for stored in found if stored.intent.ending]
            tasks = [task for task in closed if task is not None]
        case other:
            hint = "open or closed."
            raise Invalid("validation_error", f"{other[:32]!r} is not a state.", field="state", hint=hint)
    more = found[-1].intent.id if len(found) == limit else None
    return Tasks(tasks=tasks, next_cursor=maybe(more))


def _wanted(call: Call, stored: Stored) -> bool:
    task = stored.intent.open
    return isinstance(task, Task) and (not call.flag("mine") or eligible(call.actor, stored.intent, task))


def _no_agent(call: Call) -> None:
    if call.actor.kind is ActorKind.AGENT:
        raise Forbidden("person_required", "An agent's key has no tasks.")


async def _open(call: Call, stored: Stored, display: Display) -> TaskOut:
    task = stored.intent.open
    if not isinstance(task, Task):
        raise TypeError("no task is open")
    story = story_of(task)
    if task.votes:
        story = tell(await all_facts(call, Seen(stored, 0)), task.visit) or story
    return task_out(stored.intent, stored.payload, story, display)


async def _closed(call: Call, stored: Stored, display: Display) -> TaskOut | None:
    """The last task of the intent that is decided."""
    facts = await all_facts(call, Seen(stored, 0))
    visits = [fact.event.visit for fact in facts if isinstance(fact.event, Decided)]
    story = tell(facts, visits[-1]) if visits else None
    return task_out(stored.intent, stored.payload, story, display) if story else None


async def get(call: Call) -> TaskAnswer:
    """GET /v1/tasks/{task_id}"""
    _no_agent(call)
    seen, story = await found_task(call, call.params["task_id"], whole=True)
    display = (await book_of(call)).display
    return TaskAnswer(task=task_out(seen.stored.intent, seen.stored.payload, story, display))


async def found_task(
    call: Call, ref: str, seen: Seen | None = None, *, whole: bool = False
) -> tuple[Seen, Story]:
    """What a task's id names. An intent's own id names its open task, else its last one. ``seen``: when known;
    ``whole``: with what was said about it.
    """
    seen = seen or await visible(call, ref)
    task = seen.stored.intent.open
    if isinstance(task, Task) and seen.visit in (0, task.visit) and not (task.votes or whole):
        return seen, story_of(task)
    facts = await all_facts(call, seen)
    visits = [fact.event.visit for fact in facts if isinstance(fact.event, TaskOpened)]
    visit = seen.visit or (task.visit if isinstance(task, Task) else (visits or [0])[-1])
    story = tell(facts, visit)
    if story is None:
        raise no_task(ref)
    return seen, story


def no_task(ref: str) -> NotFound:
    return NotFound("task_not_found", f"There is no task {ref[:64]}.")


async def answer(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/answer"""
    body = strict.parse_object(call.body)
    given = bodies.convert(r.Answer, body.value)
    # read before the form is looked at: who may not see the task learns nothing about it
    seen, story = await found_task(call, call.params["task_id"], await glimpsed(call, call.params["task_id"]))
    command = Answer(
        outcome=given.outcome,
        visit=story.visit,
        comment=given.comment,
        data=given.data,
        revision=given.revision,
        digest=given.digest,
    )
    display = (await book_of(call)).display

    def render(change: Change) -> bytes:
        known = seen.stored.intent.seq
        told = tell((s.fact for s in change.facts if s.fact.seq > known), story.visit, story)
        payload = seen.stored.payload
        task = task_out(change.after, payload, told or story, display)
        return encode(Answered(task=task, intent=intent_out(change.after, payload)))

    said = call.said(body.value, render, plain=body.plain)
    done = await call.parts.engine.handle(call.actor, seen.stored.intent.id, command, said.once)
    if outdated(seen, done):
        seen, story = await found_task(call, visit_ref(seen.stored.intent.id, story.visit))
    return said.of(done)


async def mine(call: Call) -> MyTasks:
    """GET /v1/me/tasks: no pages here, so it is looked for among all that is open, not only on the first."""
    person = call.actor.kind is ActorKind.PERSON
    found: list[MyTask] = []
    after: str | None = ""
    while after is not None and len(found) < _MOST_MINE:
        page = await call.parts.view.tasks(call.actor, after, _READ)
        found += [
            my_task(stored.intent, task)
            for stored in page
            if isinstance(task := stored.intent.open, Task)
            and (not person or eligible(call.actor, stored.intent, task))
        ]
        after = page[-1].intent.id if len(page) == _READ else None
    return MyTasks(tasks=found[:_MOST_MINE])


async def decide(call: Call) -> bytes:
    """POST /v1/approvals/{approval_id}/decision"""
    body = strict.parse_object(call.body)
    given, _ = bodies.vendor(r.Decision, body)
    ref = call.params["approval_id"]
    seen = await visible(call, ref)
    outcome = _DECISIONS.get(given.decision.strip().lower())
    if outcome is None:
        hint = "approve or reject."
        raise Invalid(
            "validation_error", f"{given.decision[:32]!r} is no decision.", field="decision", hint=hint
        )
    comment = given.comment or given.reason
    command = Answer(outcome=outcome, visit=seen.visit, comment=comment)

    def render(change: Change) -> bytes:
        after = change.after
        approval = ApprovalOut(
            approval_id=ref,
            decision="approve" if outcome == "approved" else "reject",
            comment=comment or None,
            decided_at=after.updated_at,
        )
        out = intent_out(after, seen.stored.payload)
        return encode(
            ApprovalAnswer(
                approval=approval,
                approval_id=ref,
                status=outcome,
                decided_at=after.updated_at,
                intent=out,
            )
        )

    said = call.said(body.value, render, plain=body.plain)
    return said.of(await call.parts.engine.handle(call.actor, ref, command, said.once))
