"""Tasks and answers. Every answer is the same command, no matter which endpoint receives it."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from signoff import wire
from signoff.core.directory.actors import ActorKind
from signoff.core.directory.authorization import Action, authorize
from signoff.core.errors import Invalid, NotFound, Refused
from signoff.core.ids import step_run_id
from signoff.core.intent import events as e
from signoff.core.intent import worklist
from signoff.core.intent.advance import Change
from signoff.core.intent.answer_target import names_all
from signoff.core.intent.answering_rights import waits_for
from signoff.core.intent.commands import Answer
from signoff.core.intent.contradictions import one_meaning
from signoff.core.intent.deleted_payload import payload_deleted
from signoff.core.intent.model import Task
from signoff.core.intent.task_filter import TaskFilter
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.title_template import has_fields
from signoff.core.text import json_value
from signoff.core.text.json_diff import Leaf
from signoff.engine.bulk_answers import BulkTarget, bulk_form, parts
from signoff.engine.commit.jobs import Done, Idempotency
from signoff.engine.read.lists import DecidedPosition, decided_position
from signoff.engine.read.revisions import RevisionChange, SinceApproved, changes, since_approved
from signoff.engine.read.search import fits, search_terms
from signoff.engine.read.task_filters import NAMES, task_filter
from signoff.engine.read.task_history import task_history
from signoff.engine.read.view import Seen, SeenTask
from signoff.store.transaction import Filter, Stored
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call, IdempotentReply
from signoff.web.reading import (
    cached_or_read,
    cursor_of,
    directory_of,
    no_cursor,
    outdated,
    record_shown,
    visible,
)
from signoff.web.shapes.common import Display, encode, maybe
from signoff.web.shapes.intents import intent_out
from signoff.web.shapes.tasks import bulk_answer, bulk_refusal, bulk_result, my_task, receipt_out, task_out
from signoff.wire.common import ABSENT
from signoff.wire.tasks import (
    ApprovalOut,
    ApprovalResponse,
    BulkResult,
    MyTasksResponse,
    RevisionOut,
    SinceApprovedOut,
    TaskChangedResponse,
    TaskOut,
    TaskResponse,
    TasksResponse,
    ValueOut,
)

_ROUNDS: Final = 25
_MOST_MINE: Final = 200
_MOST_DIFFERENT: Final = 200
# The response for one item of an earlier bulk answer, as this server stored it.
_RESULT: Final = msgspec.json.Decoder(BulkResult)
_DECISIONS: Final = {
    "approve": "approved",
    "approved": "approved",
    "reject": "rejected",
    "rejected": "rejected",
}


async def page(call: Call) -> TasksResponse:
    """GET /v1/tasks"""
    limit, query = call.number("limit", 50, 1, 200), call.query
    display = (await directory_of(call)).display
    state = query.get("state", "open")
    if state not in ("open", "closed"):
        hint = "open or closed."
        raise Invalid("validation_error", f"{state[:32]!r} is not a state.", field="state", hint=hint)
    _no_agent(call)
    wanted_tasks = task_filter(query, await directory_of(call))
    if state == "closed" and (name := next((name for name in NAMES if query.get(name)), "")):
        raise Invalid(
            "validation_error",
            f"{name} filters open tasks only.",
            field=name,
            hint="Omit it, or list the open tasks.",
        )
    matches = _matcher(call, display, wanted_tasks)
    if query.get("intent_id"):
        found = [one for one in await _of_intent(call, query["intent_id"]) if matches(one)]
        return TasksResponse(tasks=await _shown(call, found, display))
    if state == "closed":
        return await _closed_page(call, matches, limit, display)
    search = wanted_tasks.among(call.actor, worklist.mine if call.flag("mine") else None)
    walked = await call.state.lists.walk_tasks(call.actor, cursor_of(call), matches, limit, search)
    return TasksResponse(tasks=await _shown(call, walked.found, display), next_cursor=maybe(walked.last))


async def _closed_page(
    call: Call, matches: Callable[[Stored], bool], limit: int, display: Display
) -> TasksResponse:
    """Closed tasks, the newest decision first."""
    query, after = call.query, _decided_position(call)
    wanted = Filter(
        workspace=call.actor.workspace,
        type=query.get("intent_type", ""),
        correlation=query.get("correlation_id", ""),
    )
    tasks: list[TaskOut] = []
    for _ in range(_ROUNDS):  # who has answered a closed task is only known when it is rendered
        page = await call.state.lists.decided(call.actor, wanted, matches, after, limit - len(tasks))
        tasks += await _shown(call, page.found, display)
        after = page.last
        if after is None or len(tasks) >= limit:  # the next page continues where this one stopped
            break
    return TasksResponse(tasks=tasks, next_cursor=maybe(str(after or "")))


def _decided_position(call: Call) -> DecidedPosition | None:
    """The decision after which a page continues, None for the first page; raises Invalid for a cursor that no page
    returned.
    """
    cursor = call.query.get("cursor", "")
    try:
        return decided_position(cursor) if cursor else None
    except NotFound as error:
        raise no_cursor(cursor) from error


async def _shown(call: Call, found: Sequence[Stored], display: Display) -> list[TaskOut]:
    """The open tasks of these intents, or the last closed ones; with ``mine`` those that the caller answered."""
    is_open, view = call.query.get("state", "open") == "open", call.state.view
    histories = await (view.open_histories if is_open else view.last_decided)(call.actor, found)
    names = (await directory_of(call)).active_people
    shown = [
        (stored, task_out(stored.intent, stored.payload, history, display, names))
        for stored, history in zip(found, histories, strict=True)
        if history is not None
    ]
    if is_open:
        await record_shown(call, *(stored.intent for stored in found))
        for stored, out in shown:
            out.bulk_form = maybe(bulk_form(stored))
        return [out for _, out in shown]
    me, mine = call.actor.id, call.flag("mine")
    return [out for _, out in shown if not mine or any(vote.person == me for vote in out.votes)]


async def _of_intent(call: Call, ref: str) -> list[Stored]:
    """The intent that a filter names; none if the caller cannot see it."""
    try:
        return [(await visible(call, ref)).stored]
    except NotFound:
        return []


def _matcher(call: Call, display: Display, wanted: TaskFilter) -> Callable[[Stored], bool]:
    """Whether a task of an intent matches the query."""
    query, actor = call.query, call.actor
    words, mine = search_terms(query.get("q", "")), call.flag("mine")
    kind, correlation = query.get("intent_type", ""), query.get("correlation_id", "")
    open_ones = query.get("state", "open") == "open"

    def matches(stored: Stored) -> bool:
        intent = stored.intent
        task = intent.open
        if open_ones:
            state = (
                isinstance(task, Task)
                and (not mine or waits_for(actor, intent, task))
                and wanted.fits(intent, task)
            )
        else:
            state = intent.ending is not None
        return (
            state
            and kind in ("", intent.type)
            and correlation in ("", intent.correlation_id)
            and fits(stored, words, display)
        )

    return matches


def _no_agent(call: Call) -> None:
    authorize(call.actor, Action.LIST_TASKS)


async def get(call: Call) -> TaskResponse:
    """GET /v1/tasks/{task_id}"""
    _no_agent(call)
    found = await call.state.view.task(call.actor, call.params["task_id"])
    seen = found.seen
    directory = await directory_of(call)
    display = directory.display
    out = task_out(seen.stored.intent, seen.stored.payload, found.history, display, directory.active_people)
    out.changes = await _changes(call, found, display) or ABSENT
    if out.state == "open":
        out.since_approved = await _since_approved(call, seen) or ABSENT
        out.bulk_form = maybe(bulk_form(seen.stored))
    if seen.step_run in (0, getattr(seen.stored.intent.open, "step_run", 0)):
        await record_shown(call, seen.stored.intent)
    if out.state == "open":
        await call.state.card_openings.opened(call.actor, seen.stored.intent.id, found.history.step_run)
    return TaskResponse(task=out)


async def _changes(call: Call, found: SeenTask, display: Display) -> tuple[RevisionOut, ...]:
    """The changes from revision to revision, up to this task's."""
    seen, history = found.seen, found.history
    intent = seen.stored.intent
    if intent.revision == 1 or payload_deleted(intent, seen.stored.payload):
        return ()
    kept = await call.state.view.old_payloads(call.actor, intent.id)

    def compared() -> tuple[RevisionOut, ...]:
        old = {revision: json_value.decode(payload) for revision, payload in kept.items()}
        present = json_value.decode(seen.stored.payload)
        changed = changes(found.facts, history.step, history.digest, present, old)
        return tuple(_revision_out(one, display) for one in changed)

    return await call.state.off_loop.run(call.actor, compared)


async def _since_approved(call: Call, seen: Seen) -> SinceApprovedOut | None:
    """The difference from what was last approved for the same target."""
    before = await call.state.view.approved_before(call.actor, seen.stored)
    if before is None:
        return None
    intent = seen.stored.intent

    def compared() -> SinceApproved:
        approved, present = json_value.decode(before.payload), json_value.decode(seen.stored.payload)
        return since_approved(intent.plan.target, before.intent, approved, present)

    size = len(before.payload) + len(seen.stored.payload)
    found = await call.state.off_loop.run(call.actor, compared, size)
    return SinceApprovedOut(
        intent_id=found.before.id,
        created_at=found.before.created_at,
        target=tuple(name for name, _ in found.target),
        changed=tuple(_value_out(leaf) for leaf in found.leaves[:_MOST_DIFFERENT]),
        more=max(0, len(found.leaves) - _MOST_DIFFERENT),
    )


def _value_out(leaf: Leaf) -> ValueOut:
    return ValueOut(
        path=leaf.path,
        before=ABSENT if leaf.change == "added" else leaf.before or "",
        after=ABSENT if leaf.change == "removed" else leaf.text,
    )


def _revision_out(one: RevisionChange, display: Display) -> RevisionOut:
    return RevisionOut(
        from_revision=one.before.revision,
        to_revision=one.after.revision,
        at=one.after.fact.at,
        by=maybe(one.by),
        by_name=maybe(display(one.by) if one.by else ""),
        comment=maybe(one.comment),
        changed=tuple(map(_value_out, one.leaves)),
    )


async def _brief(call: Call, seen: Seen | None = None) -> SeenTask:
    return await call.state.view.task(call.actor, call.params["task_id"], seen, brief=True)


async def answer(call: Call) -> bytes:
    """POST /v1/tasks/{task_id}/answer"""
    body = json_intake.parse_object(call.body)
    request = bodies.convert(wire.tasks.AnswerRequest, body.value)
    # read before the form is checked, so that a caller who may not see the task learns nothing about it
    found = await _brief(call, await cached_or_read(call, call.params["task_id"]))
    seen = found.seen
    command = Answer(
        outcome=request.outcome,
        step_run=seen.step_run,
        comment=request.comment,
        data=request.data,
        stage=None if request.stage is None else request.stage - 1,
        revision=request.revision,
        digest=request.digest,
        number=request.number,
        viewed=call.state.card_openings.remembered(call.actor, seen.stored.intent.id, found.history.step_run),
    )
    directory = await directory_of(call)
    display = directory.display

    def render(change: Change) -> bytes:
        known = seen.stored.intent.seq
        new = (s.fact for s in change.facts if s.fact.seq > known)
        payload = seen.stored.payload
        history = task_history(new, found.history.step_run, found.history) or found.history
        task = task_out(change.after, payload, history, display, directory.active_people)
        task.receipt = receipt_out(change, call.actor.id, history.step, display, directory.active_people)
        return encode(TaskChangedResponse(task=task, intent=intent_out(change.after, payload)))

    reply = call.idempotent_reply(
        body.value, render, plain=body.plain, dedup_scope=_dedup_scope(call, seen, command)
    )
    done = await call.state.engine.handle(call.actor, seen.stored.intent.id, command, reply.once)
    if outdated(seen, done):
        ref = step_run_id(seen.stored.intent.id, _answered(done) or found.history.step_run)
        found = await call.state.view.task(call.actor, ref, brief=True)
        seen = found.seen
    return reply.of(done)


async def answer_many(call: Call) -> wire.tasks.BulkResponse:
    """POST /v1/tasks/answers"""
    body = json_intake.parse_object(call.body)
    request = bodies.convert(wire.tasks.BulkAnswerRequest, body.value)
    targets = [BulkTarget(one.task_id, one.stage - 1, one.revision, one.digest) for one in request.tasks]
    directory = await directory_of(call)
    replies: dict[str, IdempotentReply] = {}

    def render(target: BulkTarget, change: Change) -> bytes:
        return encode(
            bulk_result(target.ref, change, call.actor.id, directory.display, directory.active_people)
        )

    def once(target: BulkTarget) -> Idempotency | None:
        reply = call.idempotent_reply(body.value, partial(render, target), plain=body.plain)
        replies[target.ref] = reply
        if reply.once is None:
            return None
        return msgspec.structs.replace(reply.once, route=f"{reply.once.route} {target.intent_id}")

    done = await call.state.bulk.answer(call.actor, targets, request.outcome, request.comment, once)
    results = []
    for part in parts(list(zip(targets, done, strict=True))):
        results += [
            bulk_refusal(target.ref, one)
            if isinstance(one, Refused)
            else _RESULT.decode(replies[target.ref].of(one))
            for target, one in part
        ]
        await asyncio.sleep(0)  # let other requests run between two parts
    return bulk_answer(results, request.outcome)


def _dedup_scope(call: Call, seen: Seen, command: Answer) -> str:
    """The answered task, if only X-Trace-Id distinguishes a repeated answer from the person's next one; else ""."""
    if call.actor.kind is not ActorKind.PERSON or names_all(command.digest, command.stage):
        return ""
    return step_run_id(seen.stored.intent.id, seen.step_run)


def _answered(done: Done) -> int:
    """The step run that was answered, or 0 if no answer was recorded."""
    events = (sealed.fact.event for sealed in done.change.facts) if done.change else ()
    return next((event.step_run for event in events if isinstance(event, e.Answered)), 0)


def names_fields(stored: Stored) -> bool:
    """Whether the title of the open task needs the payload."""
    task = stored.intent.open
    step = stored.intent.plan.by_id[task.step] if isinstance(task, Task) else None
    return isinstance(step, HumanStep) and has_fields(step.task.title)


async def mine(call: Call) -> MyTasksResponse:
    """GET /v1/me/tasks: the list has no pages, so all open tasks are searched."""
    actor = call.actor

    def keep(stored: Stored) -> bool:
        return True

    search = worklist.mine(actor) if actor.kind is ActorKind.PERSON else worklist.requested(actor)
    walk = partial(call.state.lists.walk_tasks, actor, "", keep, _MOST_MINE, search)
    found = (await walk(bare=True)).found
    if any(map(names_fields, found)):  # payloads are read only for such titles
        found = (await walk()).found
    await record_shown(call, *(stored.intent for stored in found))
    return MyTasksResponse(
        tasks=[
            my_task(one.intent, one.payload, one.intent.open)
            for one in found
            if isinstance(one.intent.open, Task)
        ]
    )


async def decide(call: Call) -> bytes:
    """POST /v1/approvals/{approval_id}/decision"""
    body = json_intake.parse_object(call.body)
    request = bodies.axp(wire.tasks.DecisionRequest, body)
    ref = call.params["approval_id"]
    seen = await visible(call, ref)
    one_meaning(
        {"decision": request.decision, "outcome": request.outcome, "approved": request.approved}, None
    )
    outcome = _DECISIONS.get(request.decision.strip().lower())
    if outcome is None:
        hint = "approve or reject."
        raise Invalid(
            "validation_error", f"{request.decision[:32]!r} is not a decision.", field="decision", hint=hint
        )
    comment = request.comment or request.reason
    command = Answer(
        outcome=outcome,
        step_run=seen.step_run,
        comment=comment,
        stage=None if request.stage is None else request.stage - 1,
        revision=request.revision,
        digest=request.digest,
        viewed=call.state.card_openings.remembered(call.actor, seen.stored.intent.id, seen.step_run),
    )

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
            ApprovalResponse(
                approval=approval,
                approval_id=ref,
                status=outcome,
                decided_at=after.updated_at,
                intent=out,
            )
        )

    reply = call.idempotent_reply(
        body.value, render, plain=body.plain, dedup_scope=_dedup_scope(call, seen, command)
    )
    return reply.of(await call.state.engine.handle(call.actor, ref, command, reply.once))


async def understaffed(call: Call) -> wire.tasks.UnderstaffedTasksResponse:
    """GET /v1/tasks/understaffed"""
    authorize(call.actor, Action.CHANGE_DIRECTORY)
    directory = await directory_of(call)
    found, whole = await call.state.understaffed_checks.short(call.actor.workspace, directory.membership)
    short = [
        wire.tasks.UnderstaffedTask(
            task_id=one.task,
            title=one.title,
            stage=one.lack.stage + 1,
            needed=one.lack.takes,
            remaining=one.lack.left,
        )
        for one in found
    ]
    return wire.tasks.UnderstaffedTasksResponse(tasks=short, complete=whole)
