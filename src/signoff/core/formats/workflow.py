"""Our own workflow template, compiled into a plan. A template decides what runs and who must say yes, so
nothing in it is guessed: an unknown, misplaced or ineffective field is refused by name.
"""

import re
from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory import agent_address
from signoff.core.directory.approver_names import parties
from signoff.core.errors import Invalid
from signoff.core.plan import task_reader
from signoff.core.plan.ineffective import refuse_ineffective
from signoff.core.plan.plan import (
    END,
    MAX_STEPS,
    UNSAID,
    AgentStep,
    DelayStep,
    HumanStep,
    NotifyStep,
    Plan,
    Step,
    check_plan,
)
from signoff.core.plan.policy_choice import read_choices
from signoff.core.plan.task_types import Stage, TaskSpec, TaskType
from signoff.core.policy.policy import applied, ladder, read_policy, reminders, route
from signoff.core.text.document_reader import Fields, document, shown, suggestion

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,99}")
_INTENT_TYPE: Final = re.compile(r"[A-Za-z0-9_.\-]{1,255}")
# What a policy says, and where it is said: beside one it would be said twice, without one only the first four.
_SIMPLE: Final = ("approvers", "need", "remind", "escalate")
_POLICY: Final = (
    "approve", "stages", "reject_after", "self_approval", "on_timeout", "hours", "strength", "risk", "policies",
)  # fmt: skip

# What a step may carry beside its id and its kind; elsewhere the field would be without effect.
_ROUTES: Final = ("on_success", "on_failure", "on_timeout", "on_changes")
_DECLARABLE: Final = ("on_failure", "on_timeout")
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "agent": ("input", "deadline", "max_attempts", "retry", "on_success", *_DECLARABLE),
    "human": ("deadline", *_ROUTES),
    "delay": ("on_success",),
    "notify": ("on_success",),
}
_HUMAN: Final = (
    "type", "title", "description", "approvers", "need", "outcomes", "comment_required", "evidence_required",
    "form", "notify", "remind", "escalate", "policy",
)  # fmt: skip


class WorkflowTemplate(msgspec.Struct, frozen=True):
    """A compiled template. Agents' addresses stand as written; submitting resolves them."""

    name: str
    intent_type: str
    plan: Plan


def compile_workflow(source: object, *, kept: bool = False) -> WorkflowTemplate:
    """Compile a template (a JSON-able dict); raises Invalid naming the field, with a hint. ``kept``: as in
    ``document``.
    """
    top = document(source, kept=kept)
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
    check_plan(plan)
    if not kept:
        refuse_ineffective(plan)
    return WorkflowTemplate(name, intent_type, plan)


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
    base |= _routes(step, kinds[0])
    if kinds[0] == "agent":
        return _agent(step, base)
    if kinds[0] == "human":
        return _human(step, base)
    if kinds[0] == "delay":
        return DelayStep(**base, lasts=step.need_duration("delay"))
    return _notify(step.need_inner("notify"), base)


def _routes(step: Fields, kind: str) -> dict[str, Any]:
    """Where the step leads. Only what follows a failure or silence can be declared a success."""
    found: dict[str, Any] = {}
    for name in _FIELDS[kind]:
        if name in _DECLARABLE:
            target, counts_as = route(step, name)
            found |= {name: target or None, f"{name}_as": counts_as or None}
        elif name in _ROUTES:
            found[name] = step.text(name, longest=100) or None
    return found


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
    more: dict[str, Any] = {"max_retries": UNSAID}
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
        agent=agent_address.written(step.need("agent", longest=383), step.at("agent")),
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
    task_reader.refuse_placeholders(notify, "message", message)
    return NotifyStep(**base, to=to, message=message)


def _human(step: Fields, base: dict[str, Any]) -> HumanStep:
    human = step.need_inner("human")
    deadline = step.duration("deadline")
    made = HumanStep(**base, deadline=deadline, task=_task(human, deadline))
    if isinstance(human.value.get("policy"), list):
        return replace(made, choices=read_choices(human, "policy"))
    if not isinstance(human.value.get("policy"), dict):
        return made
    return applied(made, read_policy(human.need_inner("policy")), "", human.at("policy"))


def _task(human: Fields, deadline: timedelta | None) -> TaskSpec:
    _refuse_outside_policy(human)
    human.known(*_HUMAN)
    kind = _kind(human)
    allowed, own = task_reader.own_outcomes(human, kind)
    return TaskSpec(
        type=kind,
        title=task_reader.title(human, kind),
        description=human.prose("description"),
        outcomes=allowed,
        own=own,
        comment_required=task_reader.comment_required(human.flag("comment_required"), kind),
        evidence_required=task_reader.evidence_required(human.flag("evidence_required"), kind),
        form=task_reader.asked_form(human, "form", kind),
        stages=(Stage(parties(human, "approvers"), human.count("need", 1, 100) or 1),),
        notify=human.texts("notify", longest=383),
        remind=reminders(human, deadline),
        escalate=ladder(human, deadline),
        policy=_policy_name(human),
    )


def _policy_name(human: Fields) -> str:
    """The policy that the step names; its own (an object) is applied to the step at once, one of several (a list)
    when it is known what is asked for.
    """
    if isinstance(human.value.get("policy"), dict | list):
        return ""
    name = human.text("policy", longest=100)
    if name and not _NAME.fullmatch(name):
        raise human.invalid("policy", f"{name!r} is not a name", hint="Letters, digits, '.', '_' and '-'.")
    return name


def _refuse_outside_policy(human: Fields) -> None:
    for name in human.value:
        if name in _SIMPLE and human.has(name) and human.has("policy"):
            hint = "Say it in the policy, or take the policy away."
            raise human.invalid(
                name, "stands beside a policy, which says it", hint=hint, code="conflicts_with_policy"
            )
        if name in _POLICY:
            hint = "Write policy: {approve: [...], ...}, or policy: NAME of one that was applied."
            raise human.invalid(name, "is said in a policy", hint=hint, code="unknown_field")


def _kind(human: Fields) -> TaskType:
    word = human.text("type", longest=64) or TaskType.APPROVAL.value
    known = [kind.value for kind in TaskType]
    if word not in known:
        hint = suggestion(word, known) or "Known: " + ", ".join(known) + "."
        raise human.invalid("type", f"{shown(word)!r} is not a type of task", hint=hint)
    return TaskType(word)
