"""The lists: what waits for me, all that waits, what was decided, and every intent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.access import may
from signoff.core.commands import Answer
from signoff.core.errors import Refused
from signoff.core.ids import split_ref, visit_ref
from signoff.core.model import FINAL, Actor, Intent, Status, Task
from signoff.core.plan import HumanStep
from signoff.engine.directory import Snapshot
from signoff.store.work import Filter, Stored
from signoff.web.call import Page
from signoff.web.inbox.card import from_workflow, kind_words, question, worst_risk
from signoff.web.inbox.door import Visit
from signoff.web.inbox.evidence import verdict_of

_PAGE: Final = 100
_READ: Final = 200
_MOST_READS: Final = 25
_SUBJECT: Final = 3
VIEWS: Final = ("mine", "all", "done")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the inbox."""

    ref: str
    question: str
    said: str
    subject: tuple[str, ...]
    type: str
    kind: str
    asker: str
    risk: str
    failed: bool
    at: datetime
    due_at: datetime | None = None
    votes: int = 0
    ending: str = ""
    mine: bool = False


async def inbox(visit: Visit) -> Page:
    """GET /"""
    view = visit.query.get("view", "mine")
    view = view if view in VIEWS else "mine"
    words, kind = visit.query.get("q", "").strip()[:200], visit.query.get("type", "")[:255]
    after = split_ref(visit.query["after"])[0] if visit.query.get("after") else ""
    book = await visit.parts.directory.of(visit.actor.workspace)
    if view == "done":
        entries, more = await _done(visit, book, words, kind, after)
    else:
        entries, more = await _open(visit, book, view == "mine", words, kind, after)
    kinds = sorted({workflow.intent_type for workflow in book.workflows.values()} | {e.kind for e in entries})
    return await visit.page(
        "inbox.html", view=view, q=words, kind=kind, kinds=kinds, entries=entries, more=more,
        self_approval=book.workspace.self_approval,
        urgent=sum(1 for e in entries if e.due_at and (e.due_at - visit.parts.clock.now()).total_seconds() < 3600),
    )  # fmt: skip


async def _open(
    visit: Visit, book: Snapshot, mine: bool, words: str, kind: str, after: str
) -> tuple[list[Entry], str]:
    """Open tasks, the most urgent first within a page; and where the next page begins."""
    found: list[Entry] = []
    for _ in range(_MOST_READS):
        stored = await visit.parts.view.tasks(visit.actor, after=after, limit=_READ)
        for one in stored:
            after = one.intent.id
            entry = _entry(one, visit.actor, book)
            if entry is not None and (entry.mine or not mine) and _fits(one, entry, words, kind):
                found.append(entry)
            if len(found) == _PAGE:
                return _by_urgency(found), after
        if len(stored) < _READ:
            return _by_urgency(found), ""
    return _by_urgency(found), after


def _by_urgency(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda e: (e.due_at is None, e.due_at or e.at, e.at))


async def _done(visit: Visit, book: Snapshot, words: str, kind: str, before: str) -> tuple[list[Entry], str]:
    found: list[Entry] = []
    for _ in range(_MOST_READS):
        wanted = Filter(workspace=visit.actor.workspace, type=kind, before=before, limit=_READ)
        stored = await visit.parts.view.page(visit.actor, wanted)
        for one in stored:
            before = one.intent.id
            entry = _closed(one, book)
            if entry is not None and _fits(one, entry, words, kind):
                found.append(entry)
            if len(found) == _PAGE:
                return found, before
        if len(stored) < _READ:
            return found, ""
    return found, before


def _entry(stored: Stored, actor: Actor, book: Snapshot) -> Entry | None:
    intent, task = stored.intent, stored.intent.open
    if not isinstance(task, Task):
        return None
    step = intent.plan.by_id[task.step]
    if not isinstance(step, HumanStep):
        return None
    due = min((at for at in (task.deadline_at, intent.deadline_at) if at is not None), default=None)
    mine = _mine(actor, intent, task)
    return replace(
        _row(stored, step, book), ref=visit_ref(intent.id, task.visit), at=task.opened_at, due_at=due,
        votes=len(task.votes), mine=mine,
    )  # fmt: skip


def _mine(actor: Actor, intent: Intent, task: Task) -> bool:
    """Whether this reader may answer now, and has not yet."""
    if any(vote.person == actor.id and vote.at_stage == task.stage for vote in task.votes):
        return False
    try:
        may(actor, Answer(outcome="", visit=task.visit, revision=task.revision, digest=task.digest), intent)
    except Refused:
        return False
    return True


def _closed(stored: Stored, book: Snapshot) -> Entry | None:
    """The last decided gate of an intent."""
    intent = stored.intent
    gates = [step for step in intent.plan.steps if isinstance(step, HumanStep) and step.id in intent.results]
    if intent.ending is None or not gates:
        return None
    return replace(_row(stored, gates[-1], book), ending=intent.ending.value)


def _row(stored: Stored, step: HumanStep, book: Snapshot) -> Entry:
    intent = stored.intent
    others = {name: result for name, result in intent.results.items() if name != step.id}
    return Entry(
        ref=intent.id,
        question=question(intent.plan, step, intent.type),
        said="" if from_workflow(intent.plan) else step.task.title,
        subject=_subject(stored.payload),
        type=step.task.type.value,
        kind=intent.type,
        asker=book.display(intent.requester.id),
        risk=worst_risk(step.task.risk, others)[0].value,
        failed=any(verdict_of(result) == "failed" for result in others.values()),
        at=intent.updated_at,
    )


def _subject(payload: bytes) -> tuple[str, ...]:
    if len(payload) > 64 * 1024:
        return ()
    values = msgspec.json.decode(payload)
    short = [v for v in values.values() if isinstance(v, str) and 0 < len(v) <= 60 and "\n" not in v]
    return tuple(short[:_SUBJECT])


def _fits(stored: Stored, entry: Entry, words: str, kind: str) -> bool:
    if kind and entry.kind != kind:
        return False
    if not words:
        return True
    text = " ".join((entry.question, entry.said, entry.asker, entry.kind, entry.ref))
    hay = (text + stored.payload.decode("utf-8", "replace")).lower()
    return all(word in hay for word in words.lower().split())


# -- intents


class Line(msgspec.Struct, frozen=True):
    """One intent in the list."""

    id: str
    kind: str
    words: str
    asker: str
    status: str
    place: str
    at: datetime


async def intents(visit: Visit) -> Page:
    """GET /intents"""
    status = visit.query.get("status", "")
    kind = visit.query.get("type", "")[:255]
    before = split_ref(visit.query["before"])[0] if visit.query.get("before") else ""
    book = await visit.parts.directory.of(visit.actor.workspace)
    wanted = Filter(
        workspace=visit.actor.workspace, statuses=_statuses(status), type=kind, before=before, limit=_PAGE
    )
    found = await visit.parts.view.page(visit.actor, wanted)
    return await visit.page(
        "intents.html", chosen=status, kind=kind, kinds=_kinds(book, found),
        lines=[_line(s.intent, book) for s in found], more=found[-1].intent.id if len(found) == _PAGE else "",
    )  # fmt: skip


def _kinds(book: Snapshot, found: Sequence[Stored]) -> list[str]:
    return sorted({w.intent_type for w in book.workflows.values()} | {s.intent.type for s in found})


def _statuses(word: str) -> tuple[str, ...]:
    if word == "running":
        return tuple(s.value for s in Status if s not in FINAL)
    return (word,) if word in Status.__members__ else ()


def _line(intent: Intent, book: Snapshot) -> Line:
    return Line(
        intent.id, intent.type, kind_words(intent.type), book.display(intent.requester.id), intent.status.value,
        _place(intent), intent.updated_at,
    )  # fmt: skip


def _place(intent: Intent) -> str:
    if intent.final:
        return intent.outcome
    return f"step {intent.open.step}" if intent.open is not None else ""
