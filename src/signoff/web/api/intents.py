"""Intents: submit, read, act on, end. No lifecycle rules here: JSON becomes a command, and a change becomes JSON."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff import wire
from signoff.core.directory.actors import ActorKind
from signoff.core.errors import Busy, Conflict, Invalid, Refused
from signoff.core.formats.axp_intent import compile_axp_intent
from signoff.core.ids import step_run_id
from signoff.core.intent.advance import Change
from signoff.core.intent.answer_target import names_all
from signoff.core.intent.answering_rights import requesters_side
from signoff.core.intent.authorization import allowed, authorize_command, may_use
from signoff.core.intent.commands import Answer, Cancel, Command, PatchControls, Report, Resolve
from signoff.core.intent.deleted_payload import refuse_deleted
from signoff.core.intent.model import FINAL, Failure, Intent, Status
from signoff.core.plan.task_types import Ending
from signoff.core.text import canonical_json
from signoff.core.text.document_reader import refuse_unprintable
from signoff.core.text.hidden_characters import shows
from signoff.engine.commit.jobs import CommandSource
from signoff.engine.off_loop import SHORT
from signoff.engine.planning.planner import Submission
from signoff.engine.read.lists import LOOKED_AT
from signoff.engine.read.search import fits, search_terms
from signoff.engine.read.view import Seen
from signoff.store.transaction import Filter, Stored
from signoff.web.axp.resume import meaning, refuse_no
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call
from signoff.web.reading import (
    NOT_FINAL,
    ShownRecorder,
    cached_or_read,
    cursor_of,
    directory_of,
    outdated,
    record_shown,
    shown,
    statuses,
    visible,
)
from signoff.web.shapes.common import encode, maybe
from signoff.web.shapes.events import trail_of, walk
from signoff.web.shapes.intent_responses import acted, created_out, got_intent, not_applied
from signoff.web.shapes.intents import intent_out
from signoff.wire.intents import (
    BulkCancelResponse,
    EventsResponse,
    IntentResponse,
    IntentsResponse,
    RerunResponse,
    RetryResponse,
    UsedResponse,
)

_STALE: Final = "stale_policy_generation"
_NOTHING: Final = "nothing_to_apply"
_KEPT: Final = "It is stored with the intent and shown, but has no effect."
_MANY_EVENTS: Final = 50
_MADE_UP: Final = ("correlation_id", "correlationId")


async def create(call: Call) -> bytes:
    """POST /v1/intents"""
    body = json_intake.parse_object(call.body)
    bodies.refuse_dry_run(
        body.value, "payload", "GET /v1/policies/{name}/explain shows what would happen to a task."
    )
    request = compile_axp_intent(body.value, checked=True)
    payload = canonical_json.ordered(request.payload, plain=body.plain)
    digest = canonical_json.digest(canonical_json.canonical(request.payload, plain=body.plain))
    state, actor = call.state, call.actor

    def render(change: Change) -> bytes:
        return encode(created_out(change.after, payload, submission.warnings))

    # AXP's clients create a new correlation id for each call, even when a restarted program repeats one
    asked = {name: value for name, value in body.value.items() if name not in _MADE_UP}
    reply = call.idempotent_reply(asked, render, plain=body.plain)
    try:
        submission = await state.planner.plan_request(
            actor.workspace, request, payload, digest, actor.sponsors, actor
        )
    except Refused as refusal:
        return reply.of(await state.engine.refuse(actor, refusal, reply.once))
    traceparent = traced(call, request.intent_type)
    if traceparent:
        submission = replace(submission, traceparent=traceparent)
    return reply.of(await state.engine.submit(actor, submission, reply.once))


def traced(call: Call, intent_type: str) -> str:
    """The trace that an intent belongs to: the requester's, or else a new one if this server is traced."""
    traceparent = call.traceparent
    if traceparent or call.state.tracer is None:
        return traceparent
    return call.state.tracer.begun(intent_type)


async def get(call: Call) -> IntentResponse:
    """GET /v1/intents/{intent_id}"""
    seen = await visible(call, call.params["intent_id"])
    await call.state.view.note_read(call.actor, seen.stored.intent)
    if seen.step_run in (0, getattr(seen.stored.intent.open, "step_run", 0)):
        await record_shown(call, seen.stored.intent)
    return got_intent(await shown(call, seen))


async def page(call: Call) -> IntentsResponse:
    """GET /v1/intents"""
    limit = call.number("limit", 50, 1, 200)
    query = call.query
    words = search_terms(query.get("q", ""))
    wanted = Filter(
        workspace=call.actor.workspace,
        statuses=statuses(query["status"].split(",")) if query.get("status") else (),
        type=query.get("intent_type", ""),
        correlation=query.get("correlation_id", ""),
        before=cursor_of(call),
        limit=LOOKED_AT if words else limit,
    )
    display = (await directory_of(call)).display
    walked = await call.state.lists.walk(call.actor, wanted, lambda one: fits(one, words, display), limit)
    await record_shown(call, *(stored.intent for stored in walked.found))
    return IntentsResponse(
        intents=[intent_out(s.intent, s.payload) for s in walked.found], next_cursor=maybe(walked.last)
    )


async def events(call: Call) -> bytes:
    """GET /v1/intents/{intent_id}/events"""
    seen = await visible(call, call.params["intent_id"])
    since = call.number("since", 0, 0, 2**53)
    trail = trail_of(seen.stored.intent, seen.step_run)
    facts = await call.state.view.all_facts(seen)
    await ShownRecorder(call, seen.stored.intent.id, since, seen.step_run).read(facts)

    def made() -> bytes:
        return encode(EventsResponse(events=walk(trail, facts, since)))

    return await call.state.off_loop.run(call.actor, made, SHORT + (len(facts) > _MANY_EVENTS))


async def resume(call: Call) -> bytes:
    """POST /v1/intents/{intent_id}/resume"""
    body = json_intake.parse_object(call.body)
    seen = await cached_or_read(call, call.params["intent_id"])
    value = body.value.get("expected_policy_generation")
    expected = value if isinstance(value, int) and not isinstance(value, bool) else None
    person = call.actor.kind is ActorKind.PERSON
    named = names_all(body.value.get("digest"), body.value.get("stage"))
    dedup_scope = step_run_id(seen.stored.intent.id, seen.step_run) if person and not named else ""

    def meant(intent: Intent) -> Command:
        command = meaning(body.value, _current(intent, expected), seen.step_run, person=person)
        if not isinstance(command, Answer):
            return command
        step_run = seen.step_run or getattr(intent.open, "step_run", 0)
        return msgspec.structs.replace(
            command, viewed=call.state.card_openings.remembered(call.actor, intent.id, step_run)
        )

    return await _act(call, seen, meant, body, dedup_scope=dedup_scope)


async def resolve(call: Call) -> bytes:
    """POST /v1/intents/{intent_id}/resolve"""
    body = json_intake.parse_object(call.body)
    request = bodies.axp(wire.intents.ResolveRequest, body)
    seen = await cached_or_read(call, call.params["intent_id"])
    ending = _ending(request, seen.step_run)
    unused = _unused(request, seen.step_run)
    if call.actor.kind is ActorKind.PERSON and request.status.strip().upper() == "COMPLETED":
        refuse_no("status", "COMPLETED", request.result, "result.")

    def meant(intent: Intent) -> Command:
        _current(intent, request.expected_policy_generation)
        return ending

    return await _act(call, seen, meant, body, unused)


def _current(intent: Intent, expected: int | None) -> Intent:
    """Return the intent; raises Conflict if its policy generation is not the expected one."""
    if expected is not None and expected != intent.generation:
        raise Conflict(
            _STALE,
            f"The policy generation is now {intent.generation}.",
            field="expected_policy_generation",
        )
    return intent


def _ending(request: wire.intents.ResolveRequest, step_run: int) -> Command:
    """The command that ends what the id names: the intent, or only one of its steps (which an agent sees as an
    intent).
    """
    match request.status.strip().upper():
        case "COMPLETED":
            return (
                Report(step_run=step_run, result=request.result)
                if step_run
                else Resolve(result=request.result)
            )
        case "FAILED":
            fault = _fault(request.error, request.reason)
            if step_run:
                return Report(step_run=step_run, result=request.result, fault=fault)
            return Resolve(result=request.result, fault=fault)
        case "CANCELED" | "CANCELLED":
            reason = request.reason if shows(request.reason) else "canceled"
            return (
                Report(step_run=step_run, fault=Failure("canceled", reason)) if step_run else Cancel(reason)
            )
    raise Invalid(
        "validation_error",
        f"{request.status[:32]!r} is not a final status.",
        field="status",
        hint="COMPLETED, FAILED or CANCELED.",
    )


def _unused(request: wire.intents.ResolveRequest, step_run: int) -> str:
    """The given fields that this ending does not keep, as text; "" if there are none. Raises Invalid if a success has
    an error.
    """
    status = request.status.strip().upper()
    if status == "COMPLETED" and request.error:
        raise Invalid(
            "contradictory_ending",
            "status is COMPLETED, but there is an error; nothing was recorded.",
            field="error",
            hint="End it as FAILED, or omit the error.",
        )
    kept = {"COMPLETED": {"result"}, "FAILED": {"error", "reason"}}.get(status, {"reason"})
    if step_run and status == "FAILED":
        kept = {"result", *kept}
    fields = (("result", request.result), ("error", request.error), ("reason", request.reason))
    rest = [name for name, value in fields if value and name not in kept]
    return f"{' and '.join(rest)}: not stored for {status}." if rest else ""


def _fault(error: dict[str, Any], reason: str) -> Failure:
    code, message = error.get("code"), error.get("message")
    return Failure(
        code if isinstance(code, str) and 0 < len(code) <= 128 else "failed",
        next((text for text in (message, reason) if isinstance(text, str) and shows(text)), "It failed.")[
            :2000
        ],
        error.get("retryable") is True,
    )


async def controls(call: Call) -> bytes:
    """POST /v1/intents/{intent_id}/controls"""
    body = json_intake.parse_object(call.body)
    request = bodies.axp(wire.intents.ControlsRequest, body)
    patch = PatchControls(controls=request.controls_patch, expected=request.expected_policy_generation)
    return await _patch(call, patch, body)


async def policy(call: Call) -> bytes:
    """POST /v1/intents/{intent_id}/policy"""
    body = json_intake.parse_object(call.body)
    request = bodies.axp(wire.intents.PolicyRequest, body)
    patch = PatchControls(
        grants=request.grants_patch,
        envelope=request.envelope_patch,
        expected=request.expected_policy_generation,
    )
    return await _patch(call, patch, body)


async def _patch(call: Call, patch: PatchControls, body: json_intake.Parsed) -> bytes:
    """Apply a patch to the free-form maps, if it changes anything."""

    def meant(intent: Intent) -> Command:
        authorize_command(call.actor, patch, intent)  # authorize before the response reveals anything
        _current(intent, patch.expected)
        maps = (
            (intent.controls, patch.controls),
            (intent.grants, patch.grants),
            (intent.envelope, patch.envelope),
        )
        if not intent.final and all({**there, **new} == there for there, new in maps):
            raise Conflict(_NOTHING, "The patch does not change anything.")
        return patch

    return await _act(call, await cached_or_read(call, call.params["intent_id"]), meant, body, _KEPT)


async def _act(
    call: Call,
    seen: Seen,
    command: CommandSource,
    body: json_intake.Parsed,
    warning: str = "",
    *,
    dedup_scope: str = "",
) -> bytes:
    """Give the command to the engine; returns AXP's response for the change. ``dedup_scope``:
    as in ``Call.idempotent_reply``.
    """
    ref = call.params["intent_id"]

    def render(change: Change) -> bytes:
        out = acted(change, seen.stored.payload)
        if warning:
            out.warnings = (warning,)
        return encode(out)

    reply = call.idempotent_reply(body.value, render, plain=body.plain, dedup_scope=dedup_scope)
    try:
        done = await call.state.engine.handle(call.actor, ref, command, reply.once)
    except Conflict as conflict:
        if conflict.code not in (_STALE, _NOTHING):
            raise
        now = (await visible(call, ref)).stored
        return encode(not_applied(now.intent, now.payload, conflict.code))
    if outdated(seen, done):
        seen = await visible(call, ref)
    return reply.of(done)


async def bulk_cancel(call: Call) -> BulkCancelResponse:
    """POST /v1/intents/bulk-cancel"""
    # A null or empty filter was probably left blank by a script, and must not mean everything.
    request = bodies.axp(wire.intents.BulkCancelRequest, json_intake.parse_object(call.body), nulls=False)
    words = search_terms(request.q or "")
    wanted = Filter(
        workspace=call.actor.workspace,
        statuses=statuses(request.status_filter, "status_filter") if request.status_filter else NOT_FINAL,
        type=request.intent_type or "",
        correlation=request.correlation_id or "",
        older_than=call.state.clock.now() - timedelta(hours=request.older_than_hours),
        oldest_first=True,
        limit=LOOKED_AT,
    )
    command = Cancel(request.reason if shows(request.reason) else "canceled in bulk")
    display = (await directory_of(call)).display

    def chosen(stored: Stored) -> bool:
        possible = not stored.intent.final and allowed(call.actor, command, stored.intent)
        return possible and fits(stored, words, display)

    walked = await call.state.lists.walk(call.actor, wanted, chosen, request.limit)
    found = [stored.intent.id for stored in walked.found]
    if request.dry_run:
        return BulkCancelResponse(dry_run=True, would_cancel=len(found), canceled=0, intent_ids=found)
    done = await asyncio.gather(*(_cancel(call, intent_id, command) for intent_id in found))
    gone = [intent_id for intent_id, why_not in zip(found, done, strict=True) if why_not is None]
    if busy := next((why_not for why_not in done if isinstance(why_not, Busy)), None):
        sentence = f"{len(gone)} of {len(found)} have been canceled, the others not yet: {busy.message}"
        raise Busy(busy.code, sentence, retry_after=busy.retry_after)
    return BulkCancelResponse(dry_run=False, would_cancel=len(found), canceled=len(gone), intent_ids=gone)


async def _cancel(call: Call, intent_id: str, command: Cancel) -> Refused | None:
    """Cancel one of many. Returns the reason if that fails: the intent has changed since it was read, or the server
    is busy.
    """
    try:
        await call.state.engine.handle(call.actor, intent_id, command)
    except Refused as refusal:
        return refusal
    return None


async def retry(call: Call) -> bytes:
    """POST /v1/intents/{intent_id}/retry"""
    body = json_intake.parse_object(call.body)
    bodies.convert(wire.intents.RetryRequest, body.value)
    seen = await visible(call, call.params["intent_id"])
    old, payload = seen.stored.intent, seen.stored.payload
    if old.status not in FINAL or old.status is Status.COMPLETED:
        raise Conflict(
            "not_retryable",
            f"The intent is {old.status.value}; only one that failed, timed out or was canceled can be retried.",
            details={"status": old.status.value},
        )

    refuse_deleted(old, payload)

    def render(change: Change) -> bytes:
        after = change.after
        warnings = submission.warnings
        return encode(
            RetryResponse(intent_id=after.id, status=after.status.value, retry_of=old.id, warnings=warnings)
        )

    reply = call.idempotent_reply(body.value, render, plain=body.plain)
    try:
        submission = replace(
            await _again(call, old, payload), traceparent=call.traceparent or old.traceparent
        )
    except Refused as refusal:
        return reply.of(await call.state.engine.refuse(call.actor, refusal, reply.once))
    return reply.of(await call.state.engine.submit(call.actor, submission, reply.once))


async def _again(call: Call, old: Intent, payload: bytes) -> Submission:
    """Plan the same request again, with the current people and policies."""
    directory = await directory_of(call)
    # if another actor retries it, it is still a request of the original requester too
    behind = tuple(sorted(requesters_side(old)))
    plan, digest, warnings = await call.state.planner.again(
        old, payload, (*call.actor.sponsors, *behind), call.actor
    )
    lasted = old.deadline_at - old.created_at if old.deadline_at else None
    return Submission(
        type=old.type,
        payload=payload,
        payload_digest=old.payload_digest,
        plan=plan,
        plan_digest=digest,
        to_agent=old.to_agent,
        reply_to=old.reply_to,
        claimed_from=old.requester.claimed,
        behind=behind,
        deadline_at=call.state.clock.now() + lasted if lasted else None,
        scenario_id=old.scenario_id,
        retry_of=old.id,
        warnings=warnings,
        directory=directory,
    )


async def rerun(call: Call) -> RerunResponse:
    """POST /v1/intents/{intent_id}/rerun"""
    bodies.ours(wire.intents.RerunRequest, call.body)
    seen = await visible(call, call.params["intent_id"])
    source = seen.stored.intent
    facts = await call.state.view.all_facts(Seen(seen.stored, 0))
    after = await call.state.reruns.rerun(
        call.actor, source, seen.stored.payload, facts, await directory_of(call)
    )
    return RerunResponse(intent_id=after.id, status=after.status.value, rerun_of=source.id)


async def use(call: Call) -> UsedResponse:
    """POST /v1/intents/{intent_id}/use"""
    request = bodies.ours(wire.intents.UseRequest, call.body)
    refuse_unprintable(request.use, "use")
    intent = (await visible(call, call.params["intent_id"])).stored.intent
    may_use(call.actor, intent)
    held = await call.state.engine.use(call.actor, intent, request.use)
    return UsedResponse(
        intent_id=intent.id,
        use=held.use,
        used_at=held.used_at,
        status=intent.status.value,
        ending=maybe(intent.ending),
        approved=intent.status is Status.COMPLETED and intent.ending is Ending.APPROVED,
    )
