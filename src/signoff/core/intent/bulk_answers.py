"""Answers to many tasks at once: only for similar low-risk tasks that one press answers.

If a policy requires more (a stronger sign-in, a form, a reason, evidence), or the request has changed, each task has to
be opened: only a task's own page shows what has changed. Tasks are similar if they ask the same people the same
question about payloads of the same shape. Pure.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from signoff.core.errors import Conflict, Forbidden
from signoff.core.intent.checks import checked, current_verdicts, with_check_results, worst_risk
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.plan.answers import required_answer
from signoff.core.plan.task_types import Risk, Strength, Trait

MOST: Final = 500  # tasks in one bulk answer; wire.tasks.MOST_TASKS for clients
ALONE: Final = "Decide it separately: on its page, or with signoff tasks approve ID."
_SORTED: Final = msgspec.json.Encoder(order="sorted")


def refuse_bulk(intent: Intent, task: Task) -> None:
    """Raise Forbidden, with the reason, unless this task may be decided together with others."""
    if why := why_alone(intent, task):
        raise alone(why)


def alone(why: str) -> Forbidden:
    return Forbidden("bulk_not_allowed", f"{why} Such a task is not decided in bulk.", hint=ALONE)


def unequal(what: str) -> Conflict:
    """The refusal of a task that differs from the first one."""
    return Conflict(
        "not_equal",
        f"It differs from the first task: {what}.",
        hint="Decide similar tasks together, and the others separately.",
    )


def why_alone(intent: Intent, task: Task) -> str:
    """A sentence that says why this task may not be decided together with others; "" if it may."""
    spec, results = spec_of(intent, task), checked(intent, task.step)
    risk = worst_risk(spec.risk, results.all)[0]
    if risk is not Risk.LOW:
        return f"Its risk is {risk.value}, not low."
    if with_check_results(spec.strength, spec.risk, results.all) is not Strength.LINK:
        return "Its policy requires a sign-in by e-mail."
    if required := required_answer(spec):
        return f"It requires {required}."
    if Trait.ONE_PRESS not in spec.type.traits:
        return f"It is a task of type {spec.type.value}."
    if "failed" in current_verdicts(intent, task.step).values():
        return "A check failed."
    if task.revision > 1:
        return "It has changed since it was first asked."
    return ""


def differs(one: Intent, other: Intent) -> str:
    """How the open tasks of two intents differ, apart from their payloads, as text; "" if they do not differ."""
    mine, theirs = one.open, other.open
    if not isinstance(mine, Task) or not isinstance(theirs, Task):
        return "it is not open"
    if one.type != other.type or one.plan_digest != other.plan_digest:
        return "another workflow, or another version of it or of its policy"
    if mine.step != theirs.step or mine.stage != theirs.stage:
        return "another step or stage"
    if mine.agreed != theirs.agreed or mine.assigned != theirs.assigned:
        return "other people are asked, or another outcome was agreed"
    return ""


def shape(value: Any) -> str:
    """A digest of the names and the types of values in a JSON value, but not of the values. Linear in its size."""
    if isinstance(value, Mapping):
        parts = ["object", *(f"{name}\0{shape(inner)}" for name, inner in sorted(value.items()))]
    elif isinstance(value, list | tuple):
        parts = ["list", *sorted({shape(inner) for inner in value})]
    else:
        parts = [_kind(value)]
    return hashlib.sha256(_SORTED.encode(parts)).hexdigest()


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    return "text" if isinstance(value, str) else "number"


def form_of(intent: Intent, task: Task, payload: Any) -> str:
    """The digest that similar tasks share."""
    members = (
        intent.type,
        intent.plan_digest,
        task.step,
        task.stage,
        task.agreed,
        task.assigned,
        shape(payload),
    )
    return hashlib.sha256(_SORTED.encode(members)).hexdigest()
