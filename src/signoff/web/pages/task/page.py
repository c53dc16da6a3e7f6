"""The page of one task: the decision card, and after the decision its record. It can be opened with a session, or with
a link to the task (``signed_link``).
"""

from datetime import datetime, time, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from signoff.core.directory.actors import Actor
from signoff.core.directory.model import Person
from signoff.core.directory.roles import DECIDING
from signoff.core.errors import Refused
from signoff.core.ids import step_run_id
from signoff.core.intent.answer_target import given, own_vote
from signoff.core.intent.answering_rights import answered_by, lets_requesters_decide, on_requesters_side
from signoff.core.intent.authorization import may_cancel, meets_assurance
from signoff.core.intent.deleted_payload import payload_deleted
from signoff.core.intent.events import Answered
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.receipts import UNCHANGED, Formats, Receipt, act_in, receipt
from signoff.core.intent.snoozes import active_snooze
from signoff.core.intent.wake import ends_at
from signoff.core.plan.answers import required_answer
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Edits, TaskSpec, TaskType
from signoff.core.plan.wording import outcome_text
from signoff.core.text import json_value
from signoff.engine.off_loop import SHORT, populous
from signoff.engine.read.answer_buttons import AnswerButton
from signoff.engine.read.decision_card import Card, card, difference_since
from signoff.engine.read.revisions import SinceApproved, payload_at, since_approved
from signoff.engine.read.task_context import TaskContext
from signoff.engine.read.task_history import TaskHistory
from signoff.engine.read.view import SeenTask
from signoff.store.transaction import Filter
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest
from signoff.web.pages.lists.inbox import next_for
from signoff.web.pages.task import sign_in_required
from signoff.web.pages.task.revise_form import RevisionForm, draft_of
from signoff.web.pages.task.schema_form import faults_of, fields_of

_EARLIER: Final = 20
_MANY_EVENTS: Final = 20
_MORNING: Final = time(9)
_SOON: Final = ((timedelta(hours=1), "for an hour"), (timedelta(hours=4), "for four hours"))


async def load_task_context(
    request: PageRequest, reader: Actor, found: SeenTask, opened: bool
) -> TaskContext:
    intent = found.seen.stored.intent
    wanted = Filter(
        workspace=intent.workspace,
        type=intent.type,
        requester=intent.requester.id,
        before=intent.id,
        limit=_EARLIER,
    )
    kept = await request.state.view.old_payloads(reader, intent.id) if intent.revision > 1 else {}
    compared = _is_open(found) and not _by_link(request)  # a link shows this one request alone
    before = await request.state.view.approved_before(reader, found.seen.stored) if compared else None

    def decoded() -> tuple[Any, dict[int, Any], SinceApproved | None]:
        old = {revision: json_value.decode(payload) for revision, payload in kept.items()}
        present = payload_at(found.history.revision, json_value.decode(found.seen.stored.payload), old)
        if before is None:
            return present, old, None
        approved = json_value.decode(before.payload)
        return present, old, since_approved(intent.plan.target, before.intent, approved, present)

    size = len(found.seen.stored.payload) + sum(len(payload) for payload in kept.values())
    size += len(before.payload) if before is not None else 0
    payload, old, approved = await request.state.off_loop.run(reader, decoded, size)
    return TaskContext(
        intent=intent,
        deleted=payload_deleted(intent, found.seen.stored.payload),
        payload=payload,
        old=old,
        approved=approved,
        facts=found.facts,
        history=found.history,
        directory=await request.state.directory.of(intent.workspace),
        reader=reader,
        now=request.state.clock.now(),
        messages=await request.state.view.messages(reader, intent.id, found.history.step_run),
        earlier=[stored.intent for stored in await request.state.lists.page(reader, wanted)],
        opened=opened,
        workers=await request.state.workers.of(intent.workspace),
    )


async def show(request: PageRequest) -> Page:
    """GET /tasks/{task_id}"""
    found = await request.state.view.task(request.actor, request.params["task_id"])
    if _is_open(found) and navigates(request):
        unfolded = "open" in request.query
        intent_id, step_run = found.seen.stored.intent.id, found.history.step_run
        await request.state.card_openings.opened(request.actor, intent_id, step_run, unfolded=unfolded)
    return await task_page(request, request.actor, found, here=f"/tasks/{task_ref(found)}")


def _is_open(found: SeenTask) -> bool:
    task = found.seen.stored.intent.open
    return isinstance(task, Task) and task.step_run == found.history.step_run


def _by_link(request: PageRequest) -> bool:
    return request.call.path.startswith("/t/")


def navigates(request: PageRequest) -> bool:
    """Whether a person opened the page, as opposed to a browser's prefetch or the page reloading itself."""
    header = request.call.header
    ahead = "prefetch" in header(b"sec-purpose") + header(b"purpose")
    return request.call.method == "GET" and header(b"sec-fetch-dest") in ("", "document") and not ahead


def task_ref(found: SeenTask) -> str:
    """The id of the task that the page shows."""
    return step_run_id(found.seen.stored.intent.id, found.history.step_run)


def _step(intent: Intent, history: TaskHistory) -> HumanStep:
    return intent.plan.human_step(history.step)


def _long(known: TaskContext, found: SeenTask) -> bool:
    """Whether rendering the page may be slow: for a long request, reports of agents, revisions, or many people to
    ask.
    """
    intent = found.seen.stored.intent
    more = known.opened or known.approved or intent.results or intent.revision > 1
    more = more or len(found.facts) > _MANY_EVENTS
    return bool(more) or len(found.seen.stored.payload) > SHORT or populous(known.directory)


async def task_card(request: PageRequest, known: TaskContext, found: SeenTask) -> Card:
    if not _long(known, found):
        return card(known)
    return await request.state.off_loop.run(known.reader, partial(card, known))


async def task_page(
    request: PageRequest,
    reader: Actor,
    found: SeenTask,
    *,
    here: str,
    refusal: Refused | None = None,
    done: int | None = None,
) -> Page:
    intent = found.seen.stored.intent
    stale = refusal is not None and refusal.code == "stale_revision"
    known = await load_task_context(request, reader, found, _opened(request, stale))
    shown = await task_card(request, known, found)
    posted = _written(request, reader, found, shown, refusal)
    by_link = _by_link(request)
    lacks, refusal = await sign_in_required.missing_sign_in(
        request, reader, task_ref(found), shown.needs_sign_in, refusal
    )
    problem = refusal or (lacks.refused if lacks else None)
    faults, fields = faults_of(refusal, fields_of(shown.form, posted))
    mine = _own_answer(found, reader, intent.plan.human_step(found.history.step).task)

    def compared() -> tuple[RevisionForm, Any]:
        since = difference_since(known, request.field("digest")) if stale else ()
        return _draft(request, found, shown, refusal), since

    draft, since = await request.state.off_loop.run(reader, compared, SHORT + _long(known, found))
    return await request.page(
        "task.html",
        problem.status if problem is not None else 200,
        in_thread=_long(known, found),
        card=shown,
        fields=fields,
        faults=faults,
        next=await next_for(request) if not by_link and _answered(shown, mine) else None,
        written=dict(posted),
        lacks=lacks,
        refusal=refusal,
        zone=reader_zone(known),
        stale=since,
        here=here,
        by_link=by_link,
        self_approval_here=lets_requesters_decide(
            intent.plan.human_step(known.history.step).task, intent, known.directory.workspace.self_approval
        ),
        people=_assignable(known) if shown.type is TaskType.ASSIGNMENT else (),
        draft=draft,
        approving=_approving(intent, found.history, shown) if draft.text else (),
        approvers=_reassignable_names(known) if request.actor_runs and _sure(known) else (),
        act_of=request.params.get("act", ""),
        may_withdraw=shown.open and not by_link and may_cancel(reader, intent),
        deciders=_deciders(known) if shown.may_answer and not by_link else (),
        newer=_newer(intent, found, shown),
        mine=mine,
        number=given(own_vote(reader, known.task) if known.task else None) + 1,
        own=on_requesters_side(reader, intent),
        receipt=_receipt(request, known, done),
        **_snoozing(known, shown, by_link),
    )


def _opened(request: PageRequest, stale: bool) -> bool:
    """Whether to expand everything: expanded parts stay expanded while a form is corrected, but not after a new
    revision.
    """
    return "open" in request.query or (bool(request.field("opened") or request.field("show")) and not stale)


def _receipt(request: PageRequest, known: TaskContext, done: int | None) -> Receipt | None:
    """The receipt of the reader's last action, from the history, if the address names it or this is its response."""
    number = request.query.get("done", "") if done is None else str(done)
    act = act_in(known.facts, known.reader.id, known.history.step_run)
    if act is None:  # the address proves nothing, because anybody may have written it
        return None
    if number == "0":
        return UNCHANGED
    if str(act.seq) != number:
        return None
    words = Formats(
        known.directory.display, partial(_moment, reader_zone(known)), known.directory.active_people
    )
    return receipt(act, known.intent, known.history.step, words)


def _moment(zone: str, at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo(zone or 'UTC')):%d %b %Y, %H:%M %Z}".lstrip("0")


def _written(
    request: PageRequest, reader: Actor, found: SeenTask, shown: Card, refusal: Refused | None
) -> sign_in_required.Pairs:
    """The content of the form: the posted content if the form is shown again, or else the draft saved before a
    sign-in.
    """
    if refusal is not None or request.field("show") or request.field("mail"):
        return request.form
    return sign_in_required.saved_answer(request, reader, task_ref(found)) if shown.open else []


def _sure(known: TaskContext) -> bool:
    """Whether the reader of an open task has sufficient assurance for any action on it."""
    return known.task is not None and meets_assurance(known.reader, known.intent, known.task)


def _assignable(known: TaskContext) -> list[str]:
    return sorted(p.email for p in known.directory.people.values() if p.active)


def reader_zone(known: TaskContext) -> str:
    """The reader's time zone, whether they signed in or use a link."""
    person = known.directory.people.get(known.reader.id)
    return person.zone if person else ""


def _draft(request: PageRequest, found: SeenTask, shown: Card, refusal: Refused | None) -> RevisionForm:
    """The content of the request in the form for changing it; only if all of it is shown on the page."""
    if not shown.may_answer or shown.masked or (shown.folded and not shown.opened):
        return RevisionForm()
    return draft_of(found.seen.stored.payload, dict(request.form) if refusal is not None else {})


def _snoozing(known: TaskContext, shown: Card, by_link: bool) -> dict[str, Any]:
    """The time until which the reader has snoozed the task, and the times that the page offers."""
    task, person = known.task, known.directory.people.get(known.reader.id)
    if task is None or person is None or by_link or not shown.may_answer:
        return {"snoozed_until": None, "snooze_times": ()}
    held = active_snooze(task, person.id)
    offered = (
        () if person.id in answered_by(task) else snooze_times(person, known.now, ends_at(known.intent, task))
    )
    return {
        "snoozed_until": held.until if held else None,
        "snooze_times": offered,
        "own_zone": person.zone or "UTC",
    }


def snooze_times(person: Person, now: datetime, ends: datetime | None) -> tuple[tuple[str, str], ...]:
    """(time, text) of each suggested snooze, in the reader's time zone; none that would end after ``ends``."""
    zone = ZoneInfo(person.zone or "UTC")
    offered = [(now + length, words) for length, words in _SOON]
    if person.hours is not None:
        day = datetime.combine(
            now.astimezone(ZoneInfo(person.hours.zone)).date(), time(0), ZoneInfo(person.hours.zone)
        )
        begins, about = person.hours.opens(day + timedelta(days=1)), ", when your working hours begin"
    else:
        day = datetime.combine(now.astimezone(zone).date(), _MORNING, zone)
        begins, about = day + timedelta(days=1), ""
    local = begins.astimezone(zone)
    offered.append((begins, f"until {local:%A %H:%M}{about}"))
    return tuple(
        (at.isoformat(timespec="seconds"), words) for at, words in offered if ends is None or at < ends
    )


def _deciders(known: TaskContext) -> tuple[tuple[str, str], ...]:
    """(address, name) of each person to whom the reader may delegate this."""
    able = [
        p
        for p in known.directory.people.values()
        if p.active and p.id != known.reader.id and set(p.roles) & DECIDING
    ]
    return tuple(sorted(((p.email, p.name or p.email) for p in able), key=lambda one: one[1].lower()))


def _reassignable_names(known: TaskContext) -> tuple[tuple[str, str], ...]:
    """(approver, text) of everyone whom an admin may ask instead."""
    teams = [(f"team:{name}", f"team {name}") for name in sorted(known.directory.teams)]
    people = [p for p in known.directory.people.values() if p.active and set(p.roles) & DECIDING]
    return (*teams, *sorted(((p.email, p.name or p.email) for p in people), key=lambda one: one[1].lower()))


def _newer(intent: Intent, found: SeenTask, shown: Card) -> str:
    """The id of the task that is now open in place of this closed one, or ""."""
    task = intent.open
    if shown.open or not isinstance(task, Task) or task.step_run <= found.history.step_run:
        return ""
    return step_run_id(intent.id, task.step_run)


def _approving(intent: Intent, history: TaskHistory, shown: Card) -> tuple[AnswerButton, ...]:
    """The answers with which the reader may approve a change while making it, if the policy allows that."""
    spec = _step(intent, history).task
    if spec.edits is not Edits.APPROVE or history.stage or required_answer(spec) not in ("", "a comment"):
        return ()
    return tuple(choice for choice in shown.answers if choice.tone == "yes")


class Mine(msgspec.Struct, frozen=True):
    """The reader's own answer. ``earlier``: it was given in a stage that is complete."""

    outcome: str
    stage: int
    earlier: bool


def _answered(shown: Card, mine: Mine | None) -> bool:
    return mine is not None or (shown.record is not None and shown.record.mine)


def _own_answer(found: SeenTask, reader: Actor, spec: TaskSpec) -> Mine | None:
    fact = found.history.votes.get(reader.id)
    if fact is None or not isinstance(fact.event, Answered):
        return None
    event = fact.event
    return Mine(outcome_text(spec, event.outcome), event.stage + 1, event.stage < found.history.stage)
