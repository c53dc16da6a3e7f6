"""One person's answer to many similar tasks at once. Each answer is a separate command with its own target, checks and
record; if one is refused, the others still count.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple, TypeVar

import msgspec

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.errors import Forbidden, Invalid, NotFound, Refused
from signoff.core.ids import split_ref
from signoff.core.intent.bulk_answers import MOST, alone, differs, form_of, shape, unequal, why_alone
from signoff.core.intent.checks import checked, current_verdicts
from signoff.core.intent.commands import Answer
from signoff.core.intent.model import Intent, Task
from signoff.core.plan.task_types import Trait
from signoff.core.text import json_value
from signoff.engine.card_openings import CardOpenings
from signoff.engine.commit.engine import Engine
from signoff.engine.commit.jobs import Done, Idempotency
from signoff.engine.off_loop import OffLoop
from signoff.engine.read.evidence import can_be_undone, effects, searched_text, warnings_for
from signoff.engine.read.view import View
from signoff.store.transaction import Stored

_FIELDS: Final = "its request has other fields"
_PART: Final = 100
T = TypeVar("T")


class BulkTarget(msgspec.Struct, frozen=True):
    """One task of a bulk answer, exactly as it was shown. ``stage``: counted from 0."""

    ref: str
    stage: int
    revision: int
    digest: str

    @property
    def intent_id(self) -> str:
        return split_ref(self.ref)[0]


class FirstTask(NamedTuple):
    """The task with which the others are compared; ``form``: the shape of its payload."""

    intent: Intent
    form: str


Outcome = Done | Refused
OnceFor = Callable[[BulkTarget], Idempotency | None]


class BulkAnswers:
    def __init__(self, engine: Engine, view: View, off_loop: OffLoop, openings: CardOpenings) -> None:
        self._engine = engine
        self._openings = openings
        self._view = view
        self._off_loop = off_loop

    async def answer(
        self,
        actor: Actor,
        targets: Sequence[BulkTarget],
        outcome: str,
        comment: str,
        once: OnceFor = lambda _: None,
    ) -> list[Outcome]:
        """Answer each of these tasks; returns the effect or the refusal for each, in the same order."""
        if actor.kind is not ActorKind.PERSON:
            raise Forbidden(
                "person_required",
                "Only a person can decide.",
                hint="Use a person's key: signoff keys create --person EMAIL.",
            )
        refuse_repeated(targets)

        async def one(target: BulkTarget, refused: Mapping[str, Refused]) -> Outcome:
            if (unfit := refused.get(target.ref)) is not None:
                return unfit
            try:
                intent_id, step_run = split_ref(target.ref)
                command = Answer(
                    outcome,
                    step_run,
                    comment,
                    stage=target.stage,
                    revision=target.revision,
                    digest=target.digest,
                    bulk=len(targets),
                    viewed=self._openings.remembered(actor, intent_id, step_run),
                )
                return await self._engine.handle(actor, target.intent_id, command, once(target))
            except Refused as refusal:
                return refusal

        outcomes: list[Outcome] = []
        first: FirstTask | None = None
        for part in parts(targets):
            found = await self._view.some(actor, [each.intent_id for each in part if _names_intent(each)])
            size = sum(len(each.payload) for each in found.values())
            compare = partial(_refusals, part, found, first)
            refused, first = await self._off_loop.run(actor, compare, size)
            # all of a part at once, so that the committer can take them in one transaction
            outcomes += await asyncio.gather(*(one(target, refused) for target in part))
        return outcomes


def refuse_repeated(targets: Sequence[BulkTarget]) -> None:
    """Raise Invalid if a bulk answer has too many tasks, or names one twice."""
    if len(targets) > MOST:
        raise Invalid("too_many_tasks", f"At most {MOST} tasks can be decided at once.", field="tasks")
    seen = set[str]()
    for number, target in enumerate(targets):
        # an intent has at most one open task, so two references to an intent are two answers to one task
        ref = target.intent_id if _names_intent(target) else target.ref
        if ref in seen:
            raise Invalid(
                "duplicate_task",
                f"{target.ref[:64]} is named twice.",
                field=f"tasks[{number}]",
                hint="Name each task once.",
            )
        seen.add(ref)


def _names_intent(target: BulkTarget) -> bool:
    try:
        split_ref(target.ref)
    except NotFound:
        return False
    return True


def bulk_form(stored: Stored) -> str:
    """The digest that similar open tasks share; "" if this intent's task is not decided in bulk."""
    task = stored.intent.open
    if not isinstance(task, Task) or why_alone(stored.intent, task):
        return ""
    payload = json_value.decode(stored.payload)
    return "" if irreversible(stored, payload) else form_of(stored.intent, task, payload)


def irreversible(stored: Stored, payload: object) -> bool:
    """Whether the request, or one of its checks, says that it cannot be undone."""
    task = stored.intent.open
    results = checked(stored.intent, task.step).all if isinstance(task, Task) else {}
    claims = effects(payload if isinstance(payload, dict) else {}, results)[1]
    return any(can_be_undone(claim) == "No" for claim in claims)


def cautions(stored: Stored, task: Task, payload: object) -> tuple[str, ...]:
    """The warnings that the task's own page shows before an approval."""
    intent, step = stored.intent, stored.intent.plan.human_step(task.step)
    verdicts, text = current_verdicts(intent, task.step), searched_text(intent, step, payload)
    results = {name: intent.results[name] for name in verdicts}
    undo = effects(payload if isinstance(payload, dict) else {}, results)[1]
    return warnings_for(undo, verdicts, text, Trait.INPUT not in step.task.type.traits)


def parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Successive parts of the tasks of a bulk answer, so that neither memory nor a turn of the event loop grows with
    their number.
    """
    return (items[begin : begin + _PART] for begin in range(0, len(items), _PART))


def _refusals(
    targets: Sequence[BulkTarget], found: Mapping[str, Stored], first: FirstTask | None
) -> tuple[dict[str, Refused], FirstTask | None]:
    """The refusals that follow from the requests: every task is compared with the first one that has not changed since
    it was shown, which is returned too. A task that has changed is refused later, on its locked row.
    """
    refused: dict[str, Refused] = {}
    for target in targets:
        try:
            stored = found.get(target.intent_id)
        except NotFound as refusal:
            refused[target.ref] = refusal
            continue
        task = stored.intent.open if stored is not None else None
        if stored is None or not isinstance(task, Task) or task.digest != target.digest:
            continue
        if task.stage != target.stage or why_alone(stored.intent, task):
            continue
        payload = json_value.decode(stored.payload)
        if irreversible(stored, payload):
            refused[target.ref] = alone("It is reported as irreversible.")
            continue
        form = shape(payload)
        if first is None:
            first = FirstTask(stored.intent, form)
        elif what := differs(first.intent, stored.intent) or ("" if form == first.form else _FIELDS):
            refused[target.ref] = unequal(what)
    return refused, first
