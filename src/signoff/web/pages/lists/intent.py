"""The page of an intent: its state, its content and its timeline; and the page of its audit trail with the hash
chain.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from signoff.core.directory.actors import ActorKind
from signoff.core.directory.agent_address import is_internal
from signoff.core.errors import Conflict, Forbidden, NotFound
from signoff.core.ids import step_run_id
from signoff.core.intent import events as e
from signoff.core.intent.authorization import may_cancel, may_rerun
from signoff.core.intent.commands import Cancel
from signoff.core.intent.deleted_payload import payload_deleted
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Delivery, DeliveryState, Intent, Status, Task
from signoff.core.intent.rerun import rerun_start
from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, Step
from signoff.core.plan.wording import type_text
from signoff.core.text import json_value
from signoff.core.text.json_diff import Group, group
from signoff.core.text.masking import mask_text, masked
from signoff.core.text.subject import subject
from signoff.core.text.times import utc_text
from signoff.engine.card_openings import may_see_openings
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.directory.workers import absent
from signoff.engine.off_loop import SHORT
from signoff.engine.read.event_summary import event_summary
from signoff.engine.read.evidence import masked_text
from signoff.engine.read.view import Seen, size_of
from signoff.engine.rerun import VALID_FOR
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest
from signoff.web.pages.kit.render import channel_name
from signoff.web.pages.lists.messages import lines

_CHUNK: Final = 1000
_LATEST: Final = 30  # facts in which the failure of the last attempt is looked for
_SUBJECT: Final = 4
_CAPITAL: Final = re.compile("(?<!^)(?=[A-Z])")


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One event on the timeline. ``sign``: the symbol: good, bad, waiting or plain; ``at``: None if the stored bytes
    are no longer an event; ``body``: the stored bytes with secrets masked; ``masked``: whether there were any
    secrets.
    """

    seq: int
    at: datetime | None
    what: str
    text: str
    who: str
    via: str
    comment: str
    sign: str
    body: str
    masked: bool
    hash: str


class PlanStepLine(msgspec.Struct, frozen=True):
    """One step of the plan. ``state``: done, failed, open or ahead; ``doing``: what an open one does or waits for;
    ``absent``: a note that its agent has no worker; ``error``: why its last attempt failed; ``again_at``: when the next
    one is due.
    """

    id: str
    kind: str
    with_: str
    state: str
    result: Group | None
    absent: str = ""
    doing: str = ""
    error: str = ""
    again_at: datetime | None = None


_DOING: Final = {
    DeliveryState.OFFERED: "waits for a worker",
    DeliveryState.LEASED: "in progress",
    DeliveryState.ACCEPTED: "accepted by the agent",
    DeliveryState.BACKING_OFF: "waits for the next attempt",
}
_NO_AGENT: Final = (
    "The request names no agent, and no workflow handles its type: it waits until the step's result is reported "
    "through the API."
)


async def intent(request: PageRequest) -> Page:
    """GET /intents/{intent_id}"""
    ref = request.params["intent_id"]
    seen = await request.state.view.intent(request.actor, ref)
    found = seen.stored.intent
    directory = await request.state.directory.of(request.actor.workspace)
    opened = "open" in request.query
    messages = await request.state.view.messages_about(request.actor, Seen(seen.stored, 0))
    workers, now = await request.state.workers.of(found.workspace), request.state.clock.now()
    error = await _last_error(request, seen)

    def shown() -> tuple[Group, list[PlanStepLine], Any]:
        payload = json_value.decode(seen.stored.payload)
        stops = [
            _stop(step, found, directory, opened, lambda agent: absent(agent, directory, workers, now), error)
            for step in found.plan.steps
        ]
        return group(payload, opened), stops, subject(payload, _SUBJECT)

    payload, stops, about = await request.state.off_loop.run(request.actor, shown)
    moments, long = await _moments(request, found, directory)
    return await request.page(
        "intent.html",
        in_thread=opened or long,
        intent=found,
        words=type_text(found.type),
        requester=directory.display(found.requester.id),
        moments=moments,
        payload=payload,
        stops=stops,
        opened=opened,
        folded=payload.folded or any(stop.result is not None and stop.result.folded for stop in stops),
        subject=about,
        deleted=payload_deleted(found, seen.stored.payload),
        task=step_run_id(found.id, found.open.step_run) if isinstance(found.open, Task) else "",
        may_cancel=may_cancel(request.actor, found),
        may_rerun=await _may_rerun(request, seen),
        messages=lines(messages, directory),
    )


async def cancel(request: PageRequest) -> Page:
    """POST /intents/{intent_id}/cancel"""
    ref = request.params["intent_id"]
    seen = await request.state.view.intent(request.actor, ref)
    reason = request.words("reason") or "canceled"
    await request.state.engine.handle(request.actor, seen.stored.intent.id, Cancel(reason))
    return request.to(f"/intents/{seen.stored.intent.id}")


async def rerun(request: PageRequest) -> Page:
    """POST /intents/{intent_id}/rerun"""
    seen = await request.state.view.intent(request.actor, request.params["intent_id"])
    source, facts = seen.stored.intent, await _facts(request, seen)
    directory = await request.state.directory.of(request.actor.workspace)
    after = await request.state.reruns.rerun(request.actor, source, seen.stored.payload, facts, directory)
    return request.to(f"/intents/{after.id}")


async def _facts(request: PageRequest, seen: Seen) -> list[e.Fact]:
    facts: list[e.Fact] = []
    while len(facts) < seen.stored.intent.seq:
        found = await request.state.view.history(Seen(seen.stored, 0), len(facts), _CHUNK)
        if not found:
            break
        facts += found
    return facts


async def _may_rerun(request: PageRequest, seen: Seen) -> bool:
    """Whether to show the button. If the workflow has changed in the meantime, pressing it reports that."""
    source = seen.stored.intent
    if source.status is not Status.FAILED or payload_deleted(source, seen.stored.payload):
        return False
    try:
        may_rerun(request.actor, source)
        rerun = rerun_start(
            source, await _facts(request, seen), source.payload_digest, request.state.clock.now()
        )
    except (Conflict, Forbidden, NotFound):
        return False
    return rerun.decided_at + VALID_FOR > request.state.clock.now()


async def _last_error(request: PageRequest, seen: Seen) -> str:
    """Why the last attempt of the open step failed, if it is tried again."""
    intent = seen.stored.intent
    held = intent.open
    if not isinstance(held, Delivery) or held.failures == 0:
        return ""
    latest = await request.state.view.history(Seen(seen.stored, 0), max(0, intent.seq - _LATEST), _LATEST)
    for fact in reversed(latest):
        if isinstance(fact.event, e.Reported) and fact.event.step_run == held.step_run and fact.event.fault:
            return fact.event.fault.message
    return ""


def _stop(
    step: Step, intent: Intent, directory: Snapshot, opened: bool, missing: Callable[[str], str], error: str
) -> PlanStepLine:
    kind = {AgentStep: "agent", HumanStep: "people", DelayStep: "wait"}.get(type(step), "message")
    with_ = step.agent if isinstance(step, AgentStep) else ""
    result = intent.results.get(step.id)
    if isinstance(step, HumanStep) and isinstance(result, dict) and "decided_by" in result:
        result = _readable(result, directory)
    open_now = intent.open is not None and intent.open.step == step.id
    state = "open" if open_now else "ahead"
    if result is not None and not open_now:
        bad = isinstance(result, dict) and (
            result.get("error")
            or result.get("ending") in ("rejected", "expired", "withdrawn", "undeliverable")
        )
        state = "failed" if bad else "done"
    problem = missing(with_) if with_ and state in ("open", "ahead") and not intent.final else ""
    held = intent.open if open_now else None
    if isinstance(held, Delivery) and is_internal(with_):
        problem = _NO_AGENT
    shown = group(result, opened) if result is not None else None
    if not isinstance(held, Delivery):
        doing = "waits for an answer" if isinstance(held, Task) else "in progress"
        return PlanStepLine(step.id, kind, with_, state, shown, problem, doing)
    return PlanStepLine(step.id, kind, with_, state, shown, problem, _DOING[held.state], error, held.retry_at)


def _readable(result: dict[str, Any], directory: Snapshot) -> dict[str, Any]:
    """The result of a human step with names, times and channels as the pages show them."""
    shown = result | {"decided_by": directory.display(str(result["decided_by"]))}
    if via := result.get("via"):
        shown["via"] = channel_name(str(via))
    if at := result.get("decided_at"):
        shown["decided_at"] = utc_text(datetime.fromisoformat(str(at)))
    return shown


async def _moments(
    request: PageRequest, intent: Intent, directory: Snapshot
) -> tuple[list[TimelineEntry], bool]:
    """Return the timeline, and whether it is long."""
    rows: list[Any] = []
    while len(rows) < intent.seq:
        page = await request.state.view.rows(request.actor, intent.id, rows[-1].seq if rows else 0, _CHUNK)
        if not page:
            break
        rows += page
    return await _timeline(
        request, [row for row in rows if row.seq <= intent.seq], directory, intent, stored_bytes=False
    )


async def _timeline(
    request: PageRequest, rows: list[Any], directory: Snapshot, intent: Intent, stored_bytes: bool
) -> tuple[list[TimelineEntry], bool]:
    def made() -> list[TimelineEntry]:
        return [moment(row, directory, intent.requester.id, stored_bytes) for row in rows]

    size = size_of(rows)
    return await request.state.off_loop.run(request.actor, made, size), size > SHORT


def moment(row: Any, directory: Snapshot, requester: str, stored_bytes: bool) -> TimelineEntry:
    """A stored row as a line for people. ``stored_bytes``: whether to include the stored bytes."""
    body, hidden = _masked_body(row.body) if stored_bytes else ("", False)
    try:
        fact = unseal(row.body, row.private)
    except (msgspec.DecodeError, ValueError):
        text = "the stored bytes cannot be read as an event"
        return TimelineEntry(
            seq=row.seq,
            at=None,
            what="unreadable",
            text=text,
            who="",
            via="",
            comment="",
            sign="bad",
            body=body,
            masked=hidden,
            hash=row.hash,
        )
    system = fact.actor.kind is ActorKind.SYSTEM
    return TimelineEntry(
        seq=fact.seq,
        at=fact.at,
        what=_CAPITAL.sub(" ", type(fact.event).__name__).lower(),
        text=event_summary(fact, directory, requester),
        who="the clock" if system else directory.display(fact.actor.id),
        via=fact.via,
        comment=masked_text(fact.note.comment) if fact.note else "",
        sign=_sign(fact.event),
        body=body,
        masked=hidden,
        hash=row.hash,
    )


def _masked_body(body: bytes) -> tuple[str, bool]:
    """Return stored bytes as text with secrets masked, and whether there were any. The API returns them unmasked, as
    evidence.
    """
    text = body.decode("utf-8", "replace")
    try:
        value = json_value.decode(body)
    except (msgspec.MsgspecError, ValueError):
        hidden = mask_text(text)
        return hidden, hidden != text
    hidden = masked(value)
    return (text, False) if hidden == value else (msgspec.json.encode(hidden, order="sorted").decode(), True)


def _sign(event: e.Event) -> str:
    match event:
        case e.Decided(ending=ending):
            return {"approved": "good", "superseded": "waiting"}.get(ending.value, "bad")
        case e.Completed():
            return "good"
        case e.Failed() | e.Canceled() | e.TimedOut() | e.StepTimedOut():
            return "bad"
        case e.Reported(fault=fault):
            return "bad" if fault else "plain"
        case e.TaskOpened() | e.Reminded() | e.Escalated():
            return "waiting"
    return "plain"


async def audit(request: PageRequest) -> Page:
    """GET /audit/{intent_id}"""
    stored_bytes = await request.state.view.audit(request.actor, request.params["intent_id"])
    directory = await request.state.directory.of(request.actor.workspace)
    finding = stored_bytes.finding
    moments, long = await _timeline(
        request, stored_bytes.rows, directory, stored_bytes.stored.intent, stored_bytes=True
    )
    return await request.page(
        "audit.html",
        in_thread=long,
        intent=stored_bytes.stored.intent,
        words=type_text(stored_bytes.stored.intent.type),
        moments=moments,
        problem=finding.text if finding is not None else "",
        views=[
            (directory.display(one.person), one)
            for one in await request.state.card_openings.of(stored_bytes.stored.intent.id)
            if may_see_openings(request.actor, one.person)
        ],
    )
