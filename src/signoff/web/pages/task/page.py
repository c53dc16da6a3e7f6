"""The page of one task: the decision card, the answer, and afterwards the receipt. By session, or by a link to it.

Every answer is the one command through the one engine. It names the revision and the digest that the page showed;
what is folded on the page must have been opened before a yes is taken, unless the risk is low.
"""

from functools import partial
from typing import Any, Final

import msgspec

from signoff.core.directory.roles import DECIDING
from signoff.core.errors import Conflict, Gone, Invalid, Refused
from signoff.core.ids import visit_ref
from signoff.core.intent.answer_target import given, own_vote
from signoff.core.intent.authorization import may_cancel, proves
from signoff.core.intent.commands import Answer
from signoff.core.intent.contradictions import contradiction
from signoff.core.intent.deleted_payload import payload_deleted
from signoff.core.intent.events import Answered
from signoff.core.intent.model import Actor, ActorKind, Intent, Task
from signoff.core.intent.snoozed import asleep
from signoff.core.intent.standing import on_requesters_side
from signoff.core.intent.wake import ends_at
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import TaskType
from signoff.core.text import json_value
from signoff.engine.read.decision_card import Card, card, difference_since
from signoff.engine.read.revisions import payload_at
from signoff.engine.read.task_context import Known
from signoff.engine.read.task_history import TaskHistory
from signoff.engine.read.view import SeenTask
from signoff.store.tables.entries import Link
from signoff.store.work import Filter
from signoff.web.http.call import Page
from signoff.web.off_loop import populous
from signoff.web.pages.kit.handler import Visit
from signoff.web.pages.lists.inbox import next_for
from signoff.web.pages.task import sign_in_required
from signoff.web.pages.task.form_errors import faults_of
from signoff.web.pages.task.revise_form import Draft, draft_of
from signoff.web.pages.task.schema_form import FLAGS, PREFIX, data_of, fields_of
from signoff.web.pages.task.snooze_times import moments

_EARLIER: Final = 20
_LONG: Final = 16 * 1024
CORRECTABLE: Final = (400, 403, 409, 413, 422, 503)


async def known_of(visit: Visit, reader: Actor, found: SeenTask, opened: bool) -> Known:
    intent = found.seen.stored.intent
    wanted = Filter(
        workspace=intent.workspace,
        type=intent.type,
        requester=intent.requester.id,
        before=intent.id,
        limit=_EARLIER,
    )
    old = {}
    if intent.revision > 1:
        kept = await visit.parts.view.old_payloads(reader, intent.id)
        old = {revision: json_value.decode(payload) for revision, payload in kept.items()}
    return Known(
        intent=intent,
        deleted=payload_deleted(intent, found.seen.stored.payload),
        payload=payload_at(found.history.revision, json_value.decode(found.seen.stored.payload), old),
        old=old,
        facts=found.facts,
        history=found.history,
        book=await visit.parts.directory.of(intent.workspace),
        reader=reader,
        now=visit.parts.clock.now(),
        messages=await visit.parts.view.messages(reader, intent.id, found.history.visit),
        earlier=[stored.intent for stored in await visit.parts.view.page(reader, wanted)],
        opened=opened,
        workers=await visit.parts.workers.of(intent.workspace),
    )


# -- by session


async def show(visit: Visit) -> Page:
    """GET /tasks/{task_id}"""
    found = await visit.parts.view.task(visit.actor, visit.params["task_id"])
    return await task_page(visit, visit.actor, found, here=f"/tasks/{_ref(found)}")


async def decide(visit: Visit) -> Page:
    """POST /tasks/{task_id}"""
    found = await visit.parts.view.task(visit.actor, visit.params["task_id"])
    here = f"/tasks/{_ref(found)}"
    if visit.field("show") or visit.field("mail"):
        return await task_page(visit, visit.actor, found, here=here)
    refusal = await _answer(visit, visit.actor, found)
    if refusal is None:
        sign_in_required.forget(visit, _ref(found))
        return visit.to(here)
    again = await visit.parts.view.task(visit.actor, visit.params["task_id"])
    return await task_page(visit, visit.actor, again, here=here, refusal=refusal)


# -- by a link to this one task


async def show_by_link(visit: Visit) -> Page:
    """GET /t/{token}: the same card; looking uses nothing up."""
    link, reader = await _holder(visit)
    found = await visit.parts.view.task(reader, visit_ref(link.intent_id, link.visit))
    await _alive(visit, link, found)
    return await task_page(visit, reader, found, here=visit.call.path)


async def decide_by_link(visit: Visit) -> Page:
    """POST /t/{token}"""
    link, reader = await _holder(visit)
    ref = visit_ref(link.intent_id, link.visit)
    found = await visit.parts.view.task(reader, ref)
    try:
        await _alive(visit, link, found)
    except Gone:
        if not await _counted(visit, reader, found):
            raise
        return await task_page(visit, reader, found, here=visit.call.path)
    if visit.field("show") or visit.field("mail"):
        return await task_page(visit, reader, found, here=visit.call.path)
    refusal = await _answer(visit, reader, found)
    again = await visit.parts.view.task(reader, ref)
    if refusal is None:
        # the link may have died with its task: this answer is the only one that still shows the receipt
        return await task_page(visit, reader, again, here=visit.call.path)
    return await task_page(visit, reader, again, here=visit.call.path, refusal=refusal)


async def _holder(visit: Visit) -> tuple[Link, Actor]:
    link = await visit.parts.sessions.link(visit.params["token"], "task")
    return link, await visit.parts.sessions.holder(link)


async def _alive(visit: Visit, link: Link, found: SeenTask) -> None:
    """A link dies with its task, and with the revision that it was made for; its reader is told what came of it."""
    task = found.seen.stored.intent.open
    if isinstance(task, Task) and (task.visit, task.digest) == (link.visit, link.digest):
        return
    said = "This task is over."
    decided = found.history.decided
    if decided is not None:
        by = ""
        if decided.actor.kind is not ActorKind.SYSTEM:
            by = f", by {(await visit.parts.directory.of(link.workspace)).display(decided.actor.id)}"
        outcome = getattr(decided.event, "outcome", "closed")
        said = f"This was already decided: {outcome}{by}, {decided.at:%d %b %Y, %H:%M} UTC."
    elif isinstance(task, Task) and task.visit == link.visit:
        said = "What this link showed has been changed since. It cannot be decided by this link."
    raise Gone("link_over", said, hint="Sign in to see it, and whatever else is waiting for you.")


# -- answering


def _ref(found: SeenTask) -> str:
    return visit_ref(found.seen.stored.intent.id, found.history.visit)


def _step(intent: Intent, history: TaskHistory) -> HumanStep:
    return intent.plan.human_step(history.step)


async def _answer(visit: Visit, reader: Actor, found: SeenTask) -> Refused | None:
    """Give the engine what was posted; the refusal, where the person can do something about it."""
    intent, history = found.seen.stored.intent, found.history
    try:
        command = _command(visit, intent, history)
        shown = await _card(visit, await known_of(visit, reader, found, False), found)
        positive = next((c.tone == "yes" for c in shown.choices if c.outcome == command.outcome), False)
        if positive and shown.needs_opening and visit.field("opened") != command.digest:
            raise Conflict(
                "not_opened",
                "Parts of this request were folded away and not opened. Nothing was recorded.",
                hint="Show everything first; then decide.",
            )
        await visit.parts.engine.handle(reader, intent.id, command)
    except Refused as refusal:
        if refusal.status not in CORRECTABLE:
            raise
        return refusal
    return None


async def _counted(visit: Visit, reader: Actor, found: SeenTask) -> bool:
    """Whether what was posted is the very answer that ended the link: the same button pressed twice."""
    try:
        command = _command(visit, found.seen.stored.intent, found.history)
    except Refused:
        return False
    return await visit.parts.engine.repeated(reader, _ref(found), command) is not None


def _command(visit: Visit, intent: Intent, history: TaskHistory) -> Answer:
    spec = _step(intent, history).task
    pressed = dict.fromkeys(value for name, value in visit.form if name == "outcome" and value)
    outcome, digest = next(iter(pressed), ""), visit.field("digest")
    revision, stage, number = (_count(visit, name) for name in ("revision", "stage", "number"))
    if not (outcome and digest and revision):
        said = "The page did not say what it showed, so nothing was recorded."
        raise Invalid("incomplete_form", said, field="digest")
    if other := next((value for value in pressed if value != outcome), ""):
        raise contradiction("outcome", outcome, "outcome", other)
    data: dict[str, Any] = data_of(spec.form, visit.form)
    data |= {name: visit.field(f"{PREFIX}{name}") for name in FLAGS if visit.field(f"{PREFIX}{name}")}
    for name in ("evidence", "assignee"):
        text = visit.field(f"x.{name}").strip()
        if text and name not in data:
            data[name] = text.replace("\r\n", "\n")
    if spec.type is TaskType.ASSIGNMENT and outcome == "assigned" and not data:
        raise Invalid("assignee_required", "Say to whom it is assigned.", field="assignee")
    return Answer(
        outcome=outcome,
        visit=history.visit,
        comment=visit.words("comment"),
        data=data,
        stage=stage - 1 if stage else None,
        revision=revision,
        digest=digest,
        number=number,
    )


def _count(visit: Visit, name: str) -> int | None:
    """A number that the form carries; None where it is not there. A page that is older than the field does not say."""
    text = visit.field(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text)):
        said = "The page did not say what it showed, so nothing was recorded."
        raise Invalid("incomplete_form", said, field=name)
    return int(text)


# -- the page


def _long(known: Known, found: SeenTask) -> bool:
    """Whether the page is long work: of a long request, or where many people may be asked."""
    return known.opened or len(found.seen.stored.payload) > _LONG or populous(known.book)


async def _card(visit: Visit, known: Known, found: SeenTask) -> Card:
    if not _long(known, found):
        return card(known)
    return await visit.parts.aside.run(known.reader, partial(card, known))


async def task_page(
    visit: Visit, reader: Actor, found: SeenTask, *, here: str, refusal: Refused | None = None
) -> Page:
    intent = found.seen.stored.intent
    stale = refusal is not None and refusal.code == "stale_revision"
    known = await known_of(visit, reader, found, _opened(visit, stale))
    shown = await _card(visit, known, found)
    posted = _written(visit, found, shown, refusal)
    by_link = visit.call.path.startswith("/t/")
    lacks, refusal = await sign_in_required.lacks(visit, reader, _ref(found), shown.weak, refusal)
    problem = refusal or (lacks.refused if lacks else None)
    faults, fields = faults_of(refusal, fields_of(shown.form, posted))
    mine = _own_answer(found, reader)
    return await visit.page(
        "task.html",
        problem.status if problem is not None else 200,
        in_thread=_long(known, found),
        card=shown,
        fields=fields,
        faults=faults,
        next=await next_for(visit) if not by_link and _answered(shown, mine) else None,
        written=dict(posted),
        lacks=lacks,
        refusal=refusal,
        zone=reader_zone(known),
        stale=difference_since(known, visit.field("digest")) if stale else (),
        here=here,
        by_link=by_link,
        self_approval_here=known.book.workspace.self_approval,
        people=_assignable(known) if shown.type is TaskType.ASSIGNMENT else (),
        draft=_draft(visit, found, shown, refusal),
        parties=_parties(known) if visit.actor_runs and _sure(known) else (),
        act_of=visit.params.get("act", ""),
        may_withdraw=shown.open and not by_link and may_cancel(reader, intent),
        deciders=_deciders(known) if shown.may_answer and not by_link else (),
        newer=_newer(intent, found, shown),
        mine=mine,
        number=given(own_vote(reader, known.task) if known.task else None) + 1,
        own=on_requesters_side(reader, intent),
        **_snoozing(known, shown, by_link),
    )


def _opened(visit: Visit, stale: bool) -> bool:
    """What was opened stays open while a form is corrected, but never across a change of what is decided."""
    return "open" in visit.query or (bool(visit.field("opened") or visit.field("show")) and not stale)


def _written(visit: Visit, found: SeenTask, shown: Card, refusal: Refused | None) -> sign_in_required.Pairs:
    """What stands in the form: as it was posted where it comes back, else what was kept over a sign-in."""
    if refusal is not None or visit.field("show") or visit.field("mail"):
        return visit.form
    return sign_in_required.kept(visit, _ref(found)) if shown.open else []


def _sure(known: Known) -> bool:
    """Whether it is known surely enough who reads an open task, for whatever may be done with it."""
    return known.task is not None and proves(known.reader, known.intent, known.task)


def _assignable(known: Known) -> list[str]:
    return sorted(p.email for p in known.book.people.values() if p.active)


def reader_zone(known: Known) -> str:
    """Where whoever reads it lives: signed in or by a link."""
    person = known.book.people.get(known.reader.id)
    return person.zone if person else ""


def _draft(visit: Visit, found: SeenTask, shown: Card, refusal: Refused | None) -> Draft:
    """What is asked, to be changed: only where all of it is on the page."""
    if not shown.may_answer or shown.masked or (shown.folded and not shown.opened):
        return Draft()
    return draft_of(found.seen.stored.payload, dict(visit.form) if refusal is not None else {})


def _snoozing(known: Known, shown: Card, by_link: bool) -> dict[str, Any]:
    """Until when the reader has put it off, and until when they may."""
    task, person = known.task, known.book.people.get(known.reader.id)
    if task is None or person is None or by_link or not shown.may_answer:
        return {"put_off": None, "moments": ()}
    held = asleep(task, person.id)
    answered = any(vote.person == person.id and vote.at_stage == task.stage for vote in task.votes)
    offered = () if answered else moments(person, known.now, ends_at(known.intent, task))
    return {"put_off": held.until if held else None, "moments": offered, "own_zone": person.zone or "UTC"}


def _deciders(known: Known) -> tuple[tuple[str, str], ...]:
    """(address, name) of those to whom the reader may hand this over."""
    able = [
        p
        for p in known.book.people.values()
        if p.active and p.id != known.reader.id and set(p.roles) & DECIDING
    ]
    return tuple(sorted(((p.email, p.name or p.email) for p in able), key=lambda one: one[1].lower()))


def _parties(known: Known) -> tuple[tuple[str, str], ...]:
    """(party, words) of all whom an admin may ask instead."""
    teams = [(f"team:{name}", f"team {name}") for name in sorted(known.book.teams)]
    people = [p for p in known.book.people.values() if p.active and set(p.roles) & DECIDING]
    return (*teams, *sorted(((p.email, p.name or p.email) for p in people), key=lambda one: one[1].lower()))


def _newer(intent: Intent, found: SeenTask, shown: Card) -> str:
    """The id of the task that is open now in place of this closed one, or ""."""
    task = intent.open
    if shown.open or not isinstance(task, Task) or task.visit <= found.history.visit:
        return ""
    return visit_ref(intent.id, task.visit)


class Mine(msgspec.Struct, frozen=True):
    """What the reader answered already. ``again``: a later stage asks them once more."""

    outcome: str
    stage: int
    again: bool


def _answered(shown: Card, mine: Mine | None) -> bool:
    return mine is not None or (shown.receipt is not None and shown.receipt.mine)


def _own_answer(found: SeenTask, reader: Actor) -> Mine | None:
    fact = found.history.votes.get(reader.id)
    if fact is None or not isinstance(fact.event, Answered):
        return None
    event = fact.event
    return Mine(event.outcome, event.stage + 1, event.stage < found.history.stage)
