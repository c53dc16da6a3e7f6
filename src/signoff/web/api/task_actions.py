"""Actions on a task other than answering: delegate, reassign, mark as reviewing, comment, revise, withdraw, explain.
Each is a command that takes the same path as an answer.
"""

import msgspec

from signoff import wire
from signoff.core.directory.authorization import Action, authorize
from signoff.core.errors import Conflict, Invalid
from signoff.core.ids import step_run_id
from signoff.core.intent.advance import Change
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
from signoff.core.intent.deleted_payload import payload_deleted
from signoff.core.intent.model import Task
from signoff.core.text import canonical_json
from signoff.core.text.document_reader import in_utc
from signoff.core.text.durations import parse_duration
from signoff.core.text.hidden_characters import shows
from signoff.engine.directory.contact_schedule import explain as explained
from signoff.engine.read.task_history import task_history
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call, IdempotentReply
from signoff.web.reading import directory_of, visible
from signoff.web.shapes.common import encode, verbatim
from signoff.web.shapes.explain import explain_out
from signoff.web.shapes.intent_responses import acted
from signoff.web.shapes.intents import intent_out
from signoff.web.shapes.tasks import receipt_out, task_out
from signoff.wire.tasks import TaskChangedResponse


async def delegate(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/delegate"""
    body = json_intake.parse_object(call.body)
    request = bodies.convert(wire.tasks.DelegateRequest, body.value)
    return await _act(call, Delegate(request.to, comment=request.comment), body)


async def reassign(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/reassign"""
    body = json_intake.parse_object(call.body)
    request = bodies.convert(wire.tasks.ReassignRequest, body.value)
    return await _act(call, Reassign(tuple(request.to), comment=request.comment), body)


async def mark_reviewing(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/mark-reviewing"""
    body = json_intake.parse_object(call.body)
    bodies.convert(wire.tasks.EmptyRequest, body.value)
    return await _act(call, MarkReviewing(), body)


async def unmark_reviewing(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/unmark-reviewing"""
    body = json_intake.parse_object(call.body)
    bodies.convert(wire.tasks.EmptyRequest, body.value)
    return await _act(call, MarkReviewing(free=True), body)


async def snooze(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/snooze"""
    body = json_intake.parse_object(call.body)
    request = bodies.convert(wire.tasks.SnoozeRequest, body.value)
    until = request.until
    if request.lasts is not None and until is None:
        until = call.state.clock.now() + parse_duration(request.lasts, "for")
    if until is None or (request.lasts is not None and request.until is not None):
        raise Invalid(
            "moment_required",
            "The end of the snooze is missing.",
            field="until",
            hint='Send either {"until": "2026-03-02T09:00:00Z"} or {"for": "2h"}.',
        )
    return await _act(call, Snooze(in_utc(until, "until")), body)


async def unsnooze(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/unsnooze"""
    body = json_intake.parse_object(call.body)
    bodies.convert(wire.tasks.EmptyRequest, body.value)
    return await _act(call, Unsnooze(), body)


async def comment(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/comment"""
    body = json_intake.parse_object(call.body)
    return await _act(call, AddComment(bodies.convert(wire.tasks.CommentRequest, body.value).comment), body)


async def revise(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/revise"""
    body = json_intake.parse_object(call.body)
    request = bodies.convert(wire.tasks.ReviseRequest, body.value)
    payload = canonical_json.ordered(request.payload, plain=body.plain)
    digest = canonical_json.digest(canonical_json.canonical(request.payload, plain=body.plain))
    for name in ("stage", "data"):
        if getattr(request, name) and request.outcome is None:
            raise Invalid(
                "unused_field",
                f"{name} has no effect without an outcome.",
                field=name,
                hint="Add outcome, or omit it.",
            )
    command = Revise(
        digest,
        comment=request.comment,
        digest=request.digest,
        outcome=request.outcome or "",
        data=request.data,
        stage=None if request.stage is None else request.stage - 1,
    )
    return await _act(call, command, body, payload)


async def _act(call: Call, command: Command, body: json_intake.Parsed, payload: bytes | None = None) -> bytes:
    """Give the command to the engine; returns the task and the intent afterwards. ``payload``: the new one, for a
    revision.
    """
    found = await call.state.view.task(call.actor, call.params["task_id"])
    seen, history = found.seen, found.history
    intent_id, before = seen.stored.intent.id, seen.stored.payload
    ref = step_run_id(intent_id, history.step_run)
    directory = await directory_of(call)
    display = directory.display

    def render(change: Change) -> bytes:
        now = task_history((s.fact for s in change.facts), history.step_run, history) or history
        shown = before if payload is None else payload
        task = task_out(change.after, shown, now, display, directory.active_people)
        task.receipt = receipt_out(change, call.actor.id, now.step, display, directory.active_people)
        return encode(TaskChangedResponse(task=task, intent=intent_out(change.after, shown)))

    reply: IdempotentReply = call.idempotent_reply(body.value, render, plain=body.plain)
    engine = call.state.engine
    if isinstance(command, Revise) and payload is not None:
        if command.outcome:
            viewed = call.state.card_openings.remembered(call.actor, intent_id, history.step_run)
            command = msgspec.structs.replace(command, viewed=viewed)
        return reply.of(await engine.revise(call.actor, ref, command, before, payload, reply.once))
    return reply.of(await engine.handle(call.actor, ref, command, reply.once))


async def withdraw(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/withdraw"""
    body = json_intake.parse_object(call.body)
    request = bodies.convert(wire.tasks.CommentRequest, body.value)
    found = await call.state.view.task(call.actor, call.params["task_id"], brief=True)
    seen, history = found.seen, found.history
    intent, payload = seen.stored.intent, seen.stored.payload

    directory = await directory_of(call)

    def render(change: Change) -> bytes:
        out = acted(change, payload)
        out.receipt = receipt_out(
            change, call.actor.id, history.step, directory.display, directory.active_people
        )
        return encode(out)

    reply = call.idempotent_reply(body.value, render, plain=body.plain)
    command = Cancel(request.comment if shows(request.comment) else "withdrawn", history.step_run)
    return reply.of(await call.state.engine.handle(call.actor, intent.id, command, reply.once))


async def explain(call: Call) -> wire.tasks.ExplainOut:
    """GET /v1/tasks/{task_id}/explain"""
    authorize(call.actor, Action.LIST_TASKS)
    found = await call.state.view.task(call.actor, call.params["task_id"], brief=True)
    seen, history = found.seen, found.history
    intent = seen.stored.intent
    task = intent.open
    if not isinstance(task, Task) or task.step_run != history.step_run:
        raise Conflict("no_open_task", "This task is closed; nothing more will happen.")
    directory, now = await directory_of(call), call.state.clock.now()

    def made() -> wire.tasks.ExplainOut:
        made = explained(intent, task, directory, now)
        return explain_out(made, directory, call.state.mails, step_run_id(intent.id, history.step_run))

    return await call.state.off_loop.run(call.actor, made)


async def revisions(call: Call) -> wire.intents.RevisionsResponse:
    """GET /v1/intents/{intent_id}/revisions"""
    seen = await visible(call, call.params["intent_id"])
    intent = seen.stored.intent
    if payload_deleted(intent, seen.stored.payload):
        return wire.intents.RevisionsResponse(intent_id=intent.id, payload_deleted=True, revisions=[])
    payloads = await call.state.view.old_payloads(call.actor, intent.id) | {
        intent.revision: seen.stored.payload
    }
    found = [
        wire.intents.PayloadOut(revision=number, payload=verbatim(body))
        for number, body in sorted(payloads.items())
    ]
    return wire.intents.RevisionsResponse(intent_id=intent.id, revisions=found)
