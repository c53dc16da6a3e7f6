"""Our own workflow template, compiled into a plan. A template decides what runs and who must say yes, so
nothing in it is guessed: an unknown, misplaced or ineffective field is refused by name.
"""

import re
from datetime import timedelta
from typing import Any, Final

import msgspec

from signoff.core import address, taskspec
from signoff.core.durations import show_duration
from signoff.core.errors import Invalid
from signoff.core.fields import Fields, document, shown, suggestion
from signoff.core.plan import (
    END,
    MAX_STEPS,
    AgentStep,
    DelayStep,
    HumanStep,
    NotifyStep,
    Plan,
    Step,
    check_plan,
)
from signoff.core.tasks import OUTCOMES, Escalation, TaskSpec, TaskType
from signoff.core.timing import Reminders

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,99}")
_INTENT_TYPE: Final = re.compile(r"[A-Za-z0-9_.\-]{1,255}")
_MAILBOX: Final = re.compile(r"[^@\s]+@[^@\s]+")
_ROLE: Final = re.compile(r"role:[a-z][a-z0-9_\-]*")
_PERSON: Final = re.compile(r"per_[A-Za-z0-9_\-]+")
_LATER: Final = (
    "stages",
    "approve",
    "policy",
    "policies",
    "reject_after",
    "self_approval",
    "hours",
    "strength",
    "risk",
)

# What a step may carry beside its id and its kind; elsewhere the field would be without effect.
_ROUTES: Final = ("on_success", "on_failure", "on_timeout", "on_changes")
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "agent": ("input", "deadline", "max_attempts", "retry", *_ROUTES),
    "human": ("deadline", *_ROUTES),
    "delay": ("on_success",),
    "notify": ("on_success",),
}
_HUMAN: Final = (
    "type", "title", "description", "approvers", "need", "outcomes", "comment_required", "evidence_required",
    "form", "notify", "remind", "escalate",
)  # fmt: skip


class WorkflowTemplate(msgspec.Struct, frozen=True):
    """A compiled template. Agents' addresses stand as written; submitting resolves them."""

    name: str
    intent_type: str
    plan: Plan


def compile_workflow(source: object) -> WorkflowTemplate:
    """Compile a template (a JSON-able dict); raises Invalid naming the field, with a hint."""
    top = document(source)
    _refuse_later(top)
    top.known("workflow", "intent_type", "max_revisions", "steps")
    name = top.need("workflow", longest=100)
    if not _NAME.fullmatch(name):
        raise top.invalid("workflow", f"{name!r} is not a name", hint="Letters, digits, '.', '_' and '-'.")
    intent_type = top.need("intent_type")
    if not _INTENT_TYPE.fullmatch(intent_type):
        raise top.invalid("intent_type", f"{intent_type!r} holds more than letters, digits, '_', '.' and '-'")
    steps = top.each("steps", most=MAX_STEPS)
    if not steps:
        raise top.invalid("steps", "a workflow has at least one step", code="missing_field")
    compiled = tuple(_step(top.item("steps", index, step)) for index, step in enumerate(steps))
    revisions = top.count("max_revisions", 0, 100)
    plan = Plan(steps=compiled, source="workflow", max_revisions=5 if revisions is None else revisions)
    return WorkflowTemplate(name, intent_type, check_plan(plan))


def _refuse_later(fields: Fields) -> None:
    for name in _LATER:
        if name in fields.value:
            hint = "For now a human step takes one decision by one of its approvers."
            raise fields.invalid(name, "is not yet supported in a workflow", hint=hint, code="not_supported")


def _step(step: Fields) -> Step:
    step_id = step.need("id", longest=100)
    if not _NAME.fullmatch(step_id):
        raise step.invalid("id", f"{step_id!r} is not a step id", hint="Letters, digits, '.', '_' and '-'.")
    if step_id == END:
        raise step.invalid("id", f"{END!r} is where a workflow ends, not a step", code="invalid_step_id")
    step = step.moved(f"steps.{step_id}")
    kinds = [kind for kind in _FIELDS if step.has(kind)]
    if len(kinds) != 1:
        problem = "names " + " and ".join(kinds) if kinds else "says nothing about what it does"
        hint = "Give exactly one of agent, human, delay, notify."
        raise Invalid("invalid_step", f"{step.path}: {problem}.", field=step.path, hint=hint)
    _refuse_misplaced(step, kinds[0])
    base: dict[str, Any] = {"id": step_id}
    base |= {route: step.text(route, longest=100) or None for route in _ROUTES}
    if kinds[0] == "agent":
        return _agent(step, base)
    if kinds[0] == "human":
        deadline = step.duration("deadline")
        return HumanStep(**base, deadline=deadline, task=_task(step.need_inner("human"), deadline))
    if kinds[0] == "delay":
        return DelayStep(**base, lasts=step.need_duration("delay"))
    return _notify(step.need_inner("notify"), base)


def _refuse_misplaced(step: Fields, kind: str) -> None:
    for name in step.value:
        homes = [other for other, names in _FIELDS.items() if name in names]
        if homes and kind not in homes:
            hint = f"It goes with {' and '.join(homes)} steps."
            raise step.invalid(
                name, f"has no effect on a step of kind {kind}", hint=hint, code="unknown_field"
            )
    step.known("id", kind, *_FIELDS[kind])


def _agent(step: Fields, base: dict[str, Any]) -> AgentStep:
    more: dict[str, Any] = {}
    retry = step.inner("retry")
    if retry:
        retry.known("max", "delay")
        more["max_retries"] = retry.count("max", 0, 100)
        more["retry_delay"] = retry.duration("delay")
        if more["max_retries"] is None:
            raise retry.invalid("max", "is required", code="missing_field")
    more["max_attempts"] = step.count("max_attempts", 1, 1000)
    return AgentStep(
        **base,
        agent=address.written(step.need("agent", longest=383), step.at("agent")),
        input=step.data("input"),
        deadline=step.duration("deadline"),
        **{name: value for name, value in more.items() if value is not None},
    )


def _notify(notify: Fields, base: dict[str, Any]) -> NotifyStep:
    notify.known("to", "message")
    to = notify.texts("to", longest=383)
    if not to:
        raise notify.invalid("to", "is required", code="missing_field")
    message = notify.prose("message")
    if not message:
        raise notify.invalid("message", "is required", code="missing_field")
    return NotifyStep(**base, to=to, message=message)


def _task(human: Fields, deadline: timedelta | None) -> TaskSpec:
    _refuse_later(human)
    human.known(*_HUMAN)
    if (human.count("need", 1, 100) or 1) > 1:
        problem = "more than one decision is not yet supported in a workflow"
        raise human.invalid("need", problem, hint="Leave it out, or set it to 1.", code="not_supported")
    kind = _kind(human)
    allowed = taskspec.outcomes(human, "outcomes", kind)
    if not taskspec.can_say_yes(allowed):
        hint = f"For example: {', '.join(OUTCOMES[kind])}."
        raise human.invalid("outcomes", "none of these is a yes, so nothing could ever pass", hint=hint)
    return TaskSpec(
        type=kind,
        title=human.text("title") or taskspec.TITLES[kind],
        description=human.prose("description"),
        outcomes=allowed,
        comment_required=taskspec.comment_required(human.flag("comment_required"), kind),
        evidence_required=taskspec.evidence_required(human.flag("evidence_required"), kind),
        form=taskspec.form(human, "form"),
        stages=taskspec.one_decision(_people(human, "approvers")),
        notify=human.texts("notify", longest=383),
        remind=_remind(human, deadline),
        escalate=_escalate(human, deadline),
    )


def _kind(human: Fields) -> TaskType:
    word = human.text("type", longest=64) or TaskType.APPROVAL.value
    known = [kind.value for kind in TaskType]
    if word not in known:
        hint = suggestion(word, known) or "Known: " + ", ".join(known) + "."
        raise human.invalid("type", f"{shown(word)!r} is not a type of task", hint=hint)
    return TaskType(word)


def _people(fields: Fields, name: str) -> tuple[str, ...]:
    """Names of people: e-mail addresses (in lower case), person ids, ``role:NAME``."""
    people = []
    for written in fields.texts(name):
        person = written.removeprefix("person:")
        if person.startswith("team:"):
            hint = "Name people, or a role: role:approver."
            raise fields.invalid(
                name,
                f"{person!r}: teams are not yet supported in a workflow",
                hint=hint,
                code="not_supported",
            )
        if _MAILBOX.fullmatch(person):
            person = person.lower()
        elif not (_ROLE.fullmatch(person) or _PERSON.fullmatch(person)):
            hint = "Write an e-mail address, or a role such as role:approver."
            raise fields.invalid(name, f"{person!r} names nobody", hint=hint)
        people.append(person)
    return tuple(dict.fromkeys(people))


def _remind(human: Fields, deadline: timedelta | None) -> Reminders | None:
    if not isinstance(human.value.get("remind"), dict):
        after = human.duration("remind")
        every, most, where = after, None, human.at("remind")
    else:
        remind = human.need_inner("remind")
        remind.known("after", "every", "at_most")
        after = remind.need_duration("after")
        every = remind.duration("every")
        most, where = remind.count("at_most", 1, taskspec.MAX_REMINDERS), remind.at("after")
    if after is None:
        return None
    _refuse_too_late(where, after, deadline)
    return Reminders(after=after, every=every or after, at_most=most or 3)


def _escalate(human: Fields, deadline: timedelta | None) -> tuple[Escalation, ...]:
    single = isinstance(human.value.get("escalate"), dict)
    rungs = (
        [human.need_inner("escalate")]
        if single
        else [
            human.item("escalate", index, rung) for index, rung in enumerate(human.each("escalate", most=20))
        ]
    )
    compiled: list[Escalation] = []
    for rung in rungs:
        rung.known("after", "to")
        after = rung.need_duration("after")
        if compiled and after <= compiled[-1].after:
            raise rung.invalid("after", "must be later than the one before")
        _refuse_too_late(rung.at("after"), after, deadline)
        to = _people(rung, "to")
        if not to:
            raise rung.invalid("to", "is required", code="missing_field")
        compiled.append(Escalation(after=after, to=to))
    return tuple(compiled)


def _refuse_too_late(path: str, after: timedelta, deadline: timedelta | None) -> None:
    if deadline is not None and after >= deadline:
        message = f"{path}: never happens, because the step's deadline is {show_duration(deadline)}."
        raise Invalid("never_happens", message, field=path, hint="Make it shorter, or the deadline longer.")
