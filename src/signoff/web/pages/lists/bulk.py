"""The page on which a person gives one answer to many similar low-risk tasks. It shows all their values; values that
are the same in all tasks are shown once. Each task is submitted with the stage, revision and digest that were shown.
"""

import re
from collections.abc import Mapping, Sequence, Set
from functools import partial
from typing import Final

import msgspec

from signoff.core.errors import Invalid, NotFound, Refused
from signoff.core.ids import split_ref, step_run_id
from signoff.core.intent.answering_rights import on_requesters_side, waits_for
from signoff.core.intent.bulk_answers import MOST
from signoff.core.intent.model import Task
from signoff.core.intent.receipts import Receipt, bulk_receipt
from signoff.core.intent.worklist import mine
from signoff.core.plan.wording import question
from signoff.core.text import json_value
from signoff.core.text.hunks import TextDiff
from signoff.core.text.json_diff import Leaf, group
from signoff.core.text.subject import subject
from signoff.engine.bulk_answers import BulkTarget, Outcome, bulk_form, cautions, parts
from signoff.engine.commit.jobs import Done
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.answer_buttons import AnswerButton, answer_buttons
from signoff.engine.read.lists import START
from signoff.store.transaction import Stored
from signoff.web.http import query as queries
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest

_PICK: Final = re.compile(r"([0-9a-f-]{36})\.([0-9]{1,3})\.([0-9]{1,9})\.([0-9a-f]{64})")
_FORM: Final = re.compile(r"[0-9a-f]{64}")
_VALUES: Final = 3


class BulkEntry(msgspec.Struct, frozen=True):
    """One task. ``pick``: its target as shown; ``leaves``: the values that differ between the tasks;
    ``whole``: whether every value is on the page; ``own``: whether the reader is on the requester's side;
    ``cautions``: the warnings that not all of the tasks have.
    """

    ref: str
    pick: str
    requester: str
    leaves: tuple[Leaf, ...]
    whole: bool
    own: bool
    cautions: tuple[str, ...]


class Equal(msgspec.Struct, frozen=True):
    """Similar tasks. ``form``: what they have in common, "" if there are none; ``cautions``: the warnings that all
    of them have; ``others``: selected tasks that are not similar to the first, or have to be decided one by one.
    """

    form: str = ""
    question: str = ""
    type: str = ""
    entries: tuple[BulkEntry, ...] = ()
    same: tuple[Leaf, ...] = ()
    buttons: tuple[AnswerButton, ...] = ()
    cautions: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    more: bool = False


class BulkRefusal(msgspec.Struct, frozen=True):
    """A task whose answer was refused. ``name``: how people know it, or its id if the reader may not see it."""

    ref: str
    name: str
    code: str
    message: str
    hint: str


async def page(request: PageRequest) -> Page:
    """GET /bulk: the tasks that the address names, or the reader's own that have its ``form``."""
    named = [value for name, value in queries.pairs(request.call.query_string) if name == "task"]
    if named:
        return await _shown(request, await _selected(request, named[:MOST]))
    return await _shown(request, await _alike(request, request.query.get("form", "")))


async def decide(request: PageRequest) -> Page:
    """POST /bulk"""
    picks = [value for name, value in request.form if name == "pick"]
    form = request.field("form")
    shown = {value for name, value in request.form if name == "shown"}
    left_out = shown - {pick.partition(".")[0] for pick in picks}
    try:
        targets = _targets(picks)
        outcome, comment = request.field("outcome"), request.words("comment")
        done = await request.state.bulk.answer(request.actor, targets, outcome, comment)
    except Invalid as refusal:
        return await _shown(request, await _alike(request, form), refusal=refusal, left_out=left_out)
    refused = await _refused(request, targets, done)
    left_out |= {one.ref for one in refused}
    receipt = _receipt(targets, done, outcome)
    return await _shown(
        request, await _alike(request, form), receipt=receipt, refused=refused, left_out=left_out
    )


def _targets(picks: Sequence[str]) -> list[BulkTarget]:
    if not picks:
        raise Invalid(
            "nothing_selected", "No task was selected. Nothing was recorded.", hint="Select the tasks first."
        )
    found = []
    for pick in picks:
        if not (match := _PICK.fullmatch(pick)):
            raise Invalid("incomplete_form", "The form was incomplete. Nothing was recorded.", field="pick")
        found.append(BulkTarget(match[1], int(match[2]) - 1, int(match[3]), match[4]))
    return found


def _receipt(targets: Sequence[BulkTarget], done: Sequence[Outcome], outcome: str) -> Receipt:
    recorded = [one for one in zip(targets, done, strict=True) if isinstance(one[1], Done)]
    decided = sum(not _still_open(target, one) for target, one in recorded)
    return bulk_receipt(len(targets), len(recorded), decided, outcome)


def _still_open(target: BulkTarget, done: Outcome) -> bool:
    change = done.change if isinstance(done, Done) else None
    held = change.after.open if change else None
    return isinstance(held, Task) and held.step_run == split_ref(target.ref)[1]


async def _refused(
    request: PageRequest, targets: Sequence[BulkTarget], done: Sequence[Outcome]
) -> list[BulkRefusal]:
    refused = [(target, one) for target, one in zip(targets, done, strict=True) if isinstance(one, Refused)]
    named: list[BulkRefusal] = []
    for part in parts(refused):
        ids = list(dict.fromkeys(target.intent_id for target, _ in part))
        known = await request.state.view.some(request.actor, ids)
        size = sum(len(stored.payload) for stored in known.values())
        named += await request.state.off_loop.run(request.actor, partial(_named, part, known), size)
    return named


def _named(refused: Sequence[tuple[BulkTarget, Refused]], known: Mapping[str, Stored]) -> list[BulkRefusal]:
    return [
        BulkRefusal(
            target.ref,
            _known_as(known.get(target.intent_id), target.ref),
            one.code,
            one.message,
            one.hint or "",
        )
        for target, one in refused
    ]


def _known_as(stored: Stored | None, ref: str) -> str:
    """A name by which people recognize the task: its question while it is open, afterwards its request's type and first
    values.
    """
    if stored is None:
        return ref
    intent = stored.intent
    if isinstance(intent.open, Task) and step_run_id(intent.id, intent.open.step_run) == ref:
        return _other(stored, intent.open)[1]
    payload = json_value.decode(stored.payload)
    values = (f"{name} {text}" for name, text in subject(payload, _VALUES))
    return ", ".join((intent.type, *values))


# -- which tasks


async def _alike(request: PageRequest, form: str) -> Equal:
    """The reader's open tasks with this form, up to the maximum for one bulk answer."""
    if not _FORM.fullmatch(form):
        return Equal()
    actor = request.actor
    found = await request.state.lists.worklist(
        actor, mine(actor), lambda stored: bulk_form(stored) == form, START, MOST
    )
    return await _equal(request, found.found, more=found.last is not None)


async def _selected(request: PageRequest, refs: Sequence[str]) -> Equal:
    ids = []
    for ref in refs:
        try:
            ids.append(split_ref(ref)[0])
        except NotFound:
            continue
    found = await request.state.view.some(request.actor, list(dict.fromkeys(ids)))
    return await _equal(request, list(found.values()))


async def _equal(request: PageRequest, found: Sequence[Stored], *, more: bool = False) -> Equal:
    if not found:
        return Equal()
    directory = await request.directory()
    # always in a thread: besides the payloads it reads the input of the steps that may follow
    return await request.state.off_loop.run(request.actor, lambda: _grouped(request, found, directory, more))


def _grouped(request: PageRequest, found: Sequence[Stored], directory: Snapshot, more: bool) -> Equal:
    open_ones = [
        (stored, stored.intent.open)
        for stored in found
        if isinstance(stored.intent.open, Task)
        and waits_for(request.actor, stored.intent, stored.intent.open)
    ]
    forms = [(stored, task, bulk_form(stored)) for stored, task in open_ones]
    form = next((form for *_, form in forms if form), "")
    equal = [(stored, task) for stored, task, its in forms if form and its == form]
    others = tuple(_other(stored, task) for stored, task, its in forms if not form or its != form)
    if not equal:
        return Equal(others=others)
    payloads = [json_value.decode(stored.payload) for stored, _ in equal]
    shown = [group(payload, False) for payload in payloads]
    values = [{_key(leaf) for leaf in one.leaves if _comparable(leaf)} for one in shown]
    common = set.intersection(*values) if len(values) > 1 else set()
    warned = [cautions(*one, payload) for one, payload in zip(equal, payloads, strict=True)]
    for_all = tuple(caution for caution in warned[0] if all(caution in each for each in warned))
    entries = tuple(
        BulkEntry(
            ref=(ref := step_run_id(stored.intent.id, task.step_run)),
            pick=f"{ref}.{task.stage + 1}.{task.revision}.{task.digest}",
            requester=directory.display(stored.intent.requester.id),
            leaves=tuple(leaf for leaf in one.leaves if not _comparable(leaf) or _key(leaf) not in common),
            whole=not one.folded,
            own=on_requesters_side(request.actor, stored.intent),
            cautions=tuple(caution for caution in each if caution not in for_all),
        )
        for (stored, task), one, each in zip(equal, shown, warned, strict=True)
    )
    first, task = equal[0]
    step = first.intent.plan.human_step(task.step)
    return Equal(
        form=form,
        # with several requests, only the names of the fields in which they may differ
        question=question(
            first.intent.plan, step, first.intent.type, first.payload if len(equal) == 1 else None
        ),
        type=first.intent.type,
        entries=entries,
        cautions=for_all,
        same=tuple(leaf for leaf in shown[0].leaves if _comparable(leaf) and _key(leaf) in common),
        buttons=answer_buttons(first.intent, step, task, directory.active_people),
        others=others,
        more=more,
    )


def _other(stored: Stored, task: Task) -> tuple[str, str]:
    intent = stored.intent
    return step_run_id(intent.id, task.step_run), question(
        intent.plan, intent.plan.human_step(task.step), intent.type, stored.payload
    )


def _comparable(leaf: Leaf) -> bool:
    """Whether the leaf shows its whole value. A reader cannot tell whether collapsed or hidden values are the same."""
    return not (leaf.masked or leaf.hidden or leaf.fields)


def _key(leaf: Leaf) -> tuple[str, str, str | None, TextDiff | None]:
    return leaf.label, leaf.text, leaf.before, leaf.diff


async def _shown(
    request: PageRequest,
    equal: Equal,
    *,
    refusal: Refused | None = None,
    receipt: Receipt | None = None,
    refused: Sequence[BulkRefusal] = (),
    left_out: Set[str] = frozenset(),
) -> Page:
    """``left_out``: tasks that the reader has just cleared, or whose answer was refused: they stay cleared."""
    return await request.page(
        "bulk.html",
        refusal.status if refusal else 200,
        equal=equal,
        refusal=refusal,
        receipt=receipt,
        refused=refused,
        left_out=left_out,
        in_thread=len(equal.entries) > 10,
        most=MOST,
    )
