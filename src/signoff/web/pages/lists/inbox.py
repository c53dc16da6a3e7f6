"""The lists: the reader's open tasks, all open tasks, decided tasks, and all intents."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.errors import NotFound
from signoff.core.ids import split_ref, step_run_id
from signoff.core.intent.answering_rights import waits_for
from signoff.core.intent.checks import checked, current_verdicts, worst_risk
from signoff.core.intent.model import FINAL, Intent, Status, Task, last_decision
from signoff.core.intent.snoozes import active_snooze
from signoff.core.intent.wake import ends_at
from signoff.core.intent.worklist import Search, everything, mine, of_my_teams
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.wording import from_workflow, question, type_text
from signoff.core.text import json_value
from signoff.core.text.subject import subject
from signoff.engine.bulk_answers import bulk_form
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.evidence import masked_text
from signoff.engine.read.lists import LOOKED_AT, START, DecidedPosition, WorklistPosition, decided_position
from signoff.engine.read.search import fits, stands_in
from signoff.engine.read.task_filters import NAMES, task_filter
from signoff.store.transaction import Filter, Stored
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest

_PAGE: Final = 100
_OPEN: Final = 30  # open tasks on a page
_READ: Final = 200
_READ_SIZE: Final = 64 * 1024  # maximum bytes of a payload that a list reads
_MOST_READS: Final = 25
_SUBJECT: Final = 3
_SEARCHES: Final[dict[str, Callable[[Actor], Search]]] = {
    "mine": mine,
    "team": of_my_teams,
    "all": everything,
}
VIEWS: Final = (*_SEARCHES, "done")
_PLACE: Final = re.compile(r"([012])\.(-1|[0-9]{1,18})\.([0-9a-f-]{36})")


class InboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the inbox. ``form``: the digest that it shares with the tasks that may be decided together with it;
    ``form_question``: their question, with the names of the fields in which they may differ; ``overtaken``: how the
    request ended instead of completing, if it was approved.
    """

    ref: str
    question: str
    form_question: str
    requesters_title: str
    subject: tuple[tuple[str, str], ...]
    type: str
    kind: str
    requester: str
    risk: str
    failed: bool
    at: datetime
    due_at: datetime | None = None
    votes: int = 0
    ending: str = ""
    overtaken: str = ""
    decided_by: str = ""
    mine: bool = False
    reviewed_by: str = ""
    snoozed_until: datetime | None = None
    stage: str = ""
    form: str = ""


class InboxQuery(msgspec.Struct, frozen=True):
    """The filter of the list; ``sort``: ``due`` for the nearest deadline first, or ``age`` for the oldest first."""

    view: str
    words: str
    kind: str
    sort: str
    after: WorklistPosition
    before: DecidedPosition | None
    more: dict[str, str]

    @property
    def later(self) -> bool:
        """Whether this is not the first page."""
        return self.after != START or self.before is not None


async def inbox(request: PageRequest) -> Page:
    """GET /"""
    wanted = _query(request)
    directory = await request.state.directory.of(request.actor.workspace)
    after: WorklistPosition | None = None
    before: DecidedPosition | None = None
    if wanted.view == "done":
        entries, before = await _done(request, directory, wanted.words, wanted.kind, wanted.before)
    else:
        entries, after = await _open(request, directory, wanted)
    kinds = sorted(
        {workflow.intent_type for workflow in directory.workflows.values()} | {e.kind for e in entries}
    )
    return await request.page(
        "inbox.html",
        view=wanted.view,
        q=wanted.words,
        kind=wanted.kind,
        sort=wanted.sort,
        kinds=kinds,
        entries=entries,
        next=_next(wanted, after, before),
        equal=_equal(entries),
        teams=[n for n in request.actor.names if n.startswith("team:")],
        more=wanted.more,
        first=urlencode(_query_of(wanted)) if wanted.later else "",
        all_teams=sorted(directory.teams),
        workflows=sorted({one.name for one in directory.workflows.values()}),
    )


def _query(request: PageRequest) -> InboxQuery:
    query = request.query
    view = query.get("view", "mine")
    return InboxQuery(
        view=view if view in VIEWS else "mine",
        words=query.get("q", "").strip()[:200],
        kind=query.get("type", "")[:255],
        sort="age" if query.get("sort") == "age" else "due",
        after=_place(query["after"]) if query.get("after") else START,
        before=decided_position(query["before"]) if query.get("before") else None,
        more={name: value for name in NAMES if (value := query.get(name, "").strip()[:255])}
        if view != "done"
        else {},
    )


def _place(text: str) -> WorklistPosition:
    """The place in the list that a page's address names; raises NotFound for text that ``_next`` did not write."""
    if not (found := _PLACE.fullmatch(text)):
        raise NotFound("page_not_found", "There is no such page.")
    return WorklistPosition(int(found[1]), int(found[2]), split_ref(found[3])[0])


def _next(wanted: InboxQuery, after: WorklistPosition | None, before: DecidedPosition | None) -> str:
    """The query of the next page, "" if there is none."""
    if after is None and before is None:
        return ""
    query = _query_of(wanted)
    return urlencode(
        query | ({"before": str(before)} if after is None else {"after": ".".join(map(str, after))})
    )


def _query_of(wanted: InboxQuery) -> dict[str, str]:
    """The query of the first page of this list."""
    return {"view": wanted.view, "q": wanted.words, "type": wanted.kind, "sort": wanted.sort, **wanted.more}


async def _open(
    request: PageRequest, directory: Snapshot, wanted: InboxQuery
) -> tuple[list[InboxEntry], WorklistPosition | None]:
    """Return a page of the open tasks in the requested order, and where the next page starts."""
    actor = request.actor
    only = task_filter(wanted.more, directory)

    def keep(stored: Stored) -> bool:
        task = stored.intent.open
        step = stored.intent.plan.by_id[task.step] if isinstance(task, Task) else None
        if not isinstance(step, HumanStep) or wanted.kind not in ("", stored.intent.type):
            return False
        if not isinstance(task, Task) or not only.fits(stored.intent, task):
            return False
        return not wanted.words or _fits(stored, _row(stored, step, directory), wanted.words)

    search = only.among(actor, _SEARCHES[wanted.view]) or everything(actor)
    page = await request.state.lists.worklist(
        actor, search, keep, wanted.after, _OPEN, by_age=wanted.sort == "age"
    )
    size = sum(len(one.payload) for one in page.found)
    entries = await request.state.off_loop.run(
        actor, lambda: [entry for one in page.found for entry in _entries(one, actor, directory)], size
    )
    return entries, page.last


def _equal(entries: Sequence[InboxEntry]) -> list[tuple[int, InboxEntry]]:
    """The groups of tasks on this page that may be decided together, each with its size and its first task. The
    largest group comes first.
    """
    counts = Counter(entry.form for entry in entries if entry.form)
    first = {entry.form: entry for entry in reversed(entries)}
    return [(count, first[form]) for form, count in counts.most_common() if count > 1]


async def next_for(request: PageRequest) -> InboxEntry | None:
    """The reader's open task with the nearest deadline, which is offered after an answer."""
    directory = await request.state.directory.of(request.actor.workspace)
    actor = request.actor
    page = await request.state.lists.worklist(actor, mine(actor), lambda stored: True, START, 1)
    return next((entry for one in page.found for entry in _entries(one, actor, directory)), None)


async def _done(
    request: PageRequest, directory: Snapshot, words: str, kind: str, after: DecidedPosition | None
) -> tuple[list[InboxEntry], DecidedPosition | None]:
    def keep(stored: Stored) -> bool:
        entry = _closed(stored, directory)
        return entry is not None and _fits(stored, entry, words)

    wanted = Filter(workspace=request.actor.workspace, type=kind)
    page = await request.state.lists.decided(request.actor, wanted, keep, after, _PAGE)
    return [entry for one in page.found if (entry := _closed(one, directory))], page.last


def _entries(stored: Stored, actor: Actor, directory: Snapshot) -> Iterator[InboxEntry]:
    task = stored.intent.open
    step = stored.intent.plan.by_id[task.step] if isinstance(task, Task) else None
    if isinstance(task, Task) and isinstance(step, HumanStep):
        yield _entry(stored, task, step, actor, directory)


def _entry(stored: Stored, task: Task, step: HumanStep, actor: Actor, directory: Snapshot) -> InboxEntry:
    intent = stored.intent
    waits = waits_for(actor, intent, task)
    return replace(
        _row(stored, step, directory),
        ref=step_run_id(intent.id, task.step_run),
        at=task.opened_at,
        due_at=ends_at(intent, task),
        votes=len(task.votes),
        mine=waits,
        form=bulk_form(stored) if waits else "",
        snoozed_until=held.until if (held := active_snooze(task, actor.id)) else None,
        reviewed_by=(
            "you"
            if task.reviewed_by == actor.id
            else directory.display(task.reviewed_by)
            if task.reviewed_by
            else ""
        ),
        stage=f"stage {task.stage + 1} of {len(step.task.stages)}" if len(step.task.stages) > 1 else "",
    )


def _closed(stored: Stored, directory: Snapshot) -> InboxEntry | None:
    """The task of an intent that was decided last."""
    intent, last = stored.intent, last_decision(stored.intent)
    if intent.ending is None or last is None:
        return None
    at, step = last
    by = intent.results[step.id].get("decided_by")
    return replace(
        _row(stored, step, directory),
        ending=intent.ending.value,
        overtaken=intent.status.value.lower() if intent.approval_overtaken else "",
        at=at,
        decided_by=directory.display(by) if isinstance(by, str) else "",
    )


def _row(stored: Stored, step: HumanStep, directory: Snapshot) -> InboxEntry:
    intent = stored.intent
    payload = _brief(stored.payload)
    others = checked(intent, step.id).current
    return InboxEntry(
        ref=intent.id,
        question=question(intent.plan, step, intent.type, payload),
        form_question=question(intent.plan, step, intent.type, None),
        requesters_title="" if from_workflow(intent.plan) else masked_text(step.task.title),
        subject=subject(payload, _SUBJECT),
        type=step.task.type.value,
        kind=intent.type,
        requester=directory.display(intent.requester.id),
        risk=worst_risk(step.task.risk, others)[0].value,
        failed="failed" in current_verdicts(intent, step.id).values(),
        at=intent.updated_at,
    )


def _brief(payload: bytes) -> dict[str, Any]:
    """The payload, if it is small enough for a list."""
    found = json_value.decode(payload) if 0 < len(payload) <= _READ_SIZE else None
    return found if isinstance(found, dict) else {}


def _fits(stored: Stored, entry: InboxEntry, words: str) -> bool:
    text = " ".join((entry.question, entry.requesters_title, entry.requester, entry.kind, stored.intent.id))
    return stands_in(stored.payload, text, tuple(words.casefold().split()))


# -- intents


class IntentLine(msgspec.Struct, frozen=True):
    """One intent in the list."""

    id: str
    kind: str
    words: str
    requester: str
    status: str
    place: str
    at: datetime
    subject: tuple[tuple[str, str], ...]


async def intents(request: PageRequest) -> Page:
    """GET /intents"""
    typed = (request.query.get("q") or request.query.get("id", "")).strip()[:200]
    if _is_id(typed):
        return request.to(f"/intents/{quote(typed, safe='')}")
    words = tuple(typed.casefold().split())[:10]
    status = request.query.get("status", "")
    kind = request.query.get("type", "")[:255]
    before = split_ref(request.query["before"])[0] if request.query.get("before") else ""
    directory = await request.state.directory.of(request.actor.workspace)
    wanted = Filter(
        workspace=request.actor.workspace,
        statuses=_statuses(status),
        type=kind,
        before=before,
        limit=LOOKED_AT if words else _PAGE,
    )
    walked = await request.state.lists.walk(
        request.actor, wanted, lambda one: fits(one, words, directory.display), _PAGE
    )
    lines = await request.state.off_loop.run(
        request.actor,
        lambda: [_line(one, directory) for one in walked.found],
        sum(len(one.payload) for one in walked.found),
    )
    return await request.page(
        "intents.html",
        chosen=status,
        kind=kind,
        kinds=_kinds(directory, walked.found),
        q=typed,
        lines=lines,
        more=walked.last,
    )


def _is_id(text: str) -> bool:
    try:
        split_ref(text)
    except NotFound:
        return False
    return True


def _kinds(directory: Snapshot, found: Sequence[Stored]) -> list[str]:
    return sorted({w.intent_type for w in directory.workflows.values()} | {s.intent.type for s in found})


def _statuses(word: str) -> tuple[str, ...]:
    if word == "running":
        return tuple(s.value for s in Status if s not in FINAL)
    return (word,) if word in Status.__members__ else ()


def _line(stored: Stored, directory: Snapshot) -> IntentLine:
    intent = stored.intent
    return IntentLine(
        intent.id,
        intent.type,
        type_text(intent.type),
        directory.display(intent.requester.id),
        intent.status.value,
        _where(intent),
        intent.updated_at,
        subject(_brief(stored.payload), _SUBJECT),
    )


def _where(intent: Intent) -> str:
    if intent.final:
        return intent.outcome
    return f"step {intent.open.step}" if intent.open is not None else ""
