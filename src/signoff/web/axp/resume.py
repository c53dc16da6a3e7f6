"""AXP's resume endpoint has four meanings, depending on the shape of the body. Pure: body and intent in, one core
command out. The rules decide whether that command is allowed: while a task is open, ``core`` does not accept an
agent's result as a decision, and an agent's key never decides, no matter what it sends.

First match wins:
1. ``task_result`` (with or without ``outcome`` next to it): a person's decision
2. ``approve_current_step``: a decision; in a plan that asks nobody it means "continue"
3. ``action`` complete or fail: an agent's result
4. any other members: an agent's result, unless it says that it ended as FAILED. But a lone ``outcome`` that the open
   task knows is a decision. A person has no agent's result to report, so anything from a person that reads as a
   decision is one, even if no task is open.
5. nothing: "continue"

A decision may name its target (``stage``, ``revision``, ``digest`` next to it). Members that contradict each other are
refused.
"""

from collections.abc import Mapping
from typing import Any, Final

from signoff.core.errors import Invalid
from signoff.core.intent.commands import Answer, Command, Report, ReportProgress
from signoff.core.intent.contradictions import (
    as_flag,
    contradiction,
    decides,
    flags,
    form_fields,
    one_meaning,
    refusals,
    rejecting_member,
    spelled,
)
from signoff.core.intent.model import Failure, Intent, Task, spec_of
from signoff.core.plan.answers import canonical_outcome
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.plan.task_types import TaskSpec
from signoff.core.text.describe import printable
from signoff.core.text.document_reader import refuse_two_spellings
from signoff.core.text.hidden_characters import shows

# Members that control the request and are not part of a result.
_META: Final = frozenset({"expected_policy_generation", "internal_scheduler", "owner_agent"})
# Members by which AXP's other clients state a decision.
_CAMEL: Final = {"taskResult": "task_result", "approveCurrentStep": "approve_current_step"}
_DECIDING: Final = {spelled(name): name for name in _CAMEL.values()}
_ACTIONS: Final = ("complete", "fail")
_UNDONE: Final = ("FAILED", "CANCELED", "CANCELLED", "TIMED_OUT")  # statuses as written on the wire
_MAX_TEXT: Final = 2000


def meaning(body: dict[str, Any], intent: Intent, step_run: int = 0, *, person: bool = False) -> Command:
    """The command for a resume body. ``step_run``: the one that the id in the path names, 0 for the intent itself;
    ``person``: whether a person's key sends it.

    Raises Invalid for a decision without an outcome or with two, and for members of a wrong type.
    """
    task = intent.open if isinstance(intent.open, Task) and step_run in (0, intent.open.step_run) else None
    spec = spec_of(intent, task) if task is not None else None
    agreed = task.agreed if task is not None else ""
    body = _with_known_action(_renamed(body, spec, person=person), spec, agreed)
    if "task_result" in body:
        _refuse_misnamed(body, spec)
        return _decision(body, spec, agreed, step_run)
    if "approve_current_step" in body:
        _refuse_misnamed(body, spec)
        return _control(body, intent, task, step_run)
    rest = {name: value for name, value in body.items() if name not in _META}
    if rest.get("action") in _ACTIONS and "action" not in form_fields(spec):
        if person:
            _refuse_completed_no(rest)
        return _report(rest, step_run)
    if spec is not None and _is_outcome(rest.get("outcome"), spec, agreed):
        _refuse_misnamed(rest, spec)
        named = {name: rest.pop(name) for name in _naming(rest, spec)}
        whole = {"outcome": rest["outcome"], "decision": rest.get("decision"), "task_result": rest, **named}
        return _decision(whole, spec, agreed, step_run)
    if person and task is None and decides(rest, _words_of(intent.plan)):
        whole = {"outcome": rest.get("outcome"), "decision": rest.get("decision"), "task_result": rest}
        return _decision(whole, None, "", step_run)
    if rest:
        _refuse_unended(rest)
        return Report(step_run=step_run, result=rest)
    return ReportProgress()


def _renamed(body: dict[str, Any], spec: TaskSpec | None, *, person: bool) -> dict[str, Any]:
    """The body with the members that decide in snake_case. Raises Invalid if a person's body has one in another
    spelling: it would otherwise count for nothing, and a rejection could become part of a result.
    """
    refuse_two_spellings(body, _CAMEL)
    own = form_fields(spec)
    renamed: dict[str, Any] = {}
    for name, value in body.items():
        ours = name if name in own else _CAMEL.get(name, name)
        meant = _DECIDING.get(spelled(name).removesuffix("s"), ours)
        if person and name not in own and meant != ours:
            raise _misspelt(name, meant)
        if ours == name or value is not None:
            renamed[ours] = value
    return renamed


def _misspelt(name: str, meant: str) -> Invalid:
    return Invalid(
        "unknown_field",
        f"Unknown field {printable(name)!r}.",
        field=printable(name),
        hint=f"Did you mean {meant!r}? Nothing was recorded.",
    )


def _refuse_misnamed(body: dict[str, Any], spec: TaskSpec | None) -> None:
    """Raise Invalid if a member that names the target of a decision is misspelled: the decision would then count for
    another target.
    """
    for name in body:
        meant = spelled(name).strip().removesuffix("s")
        if meant in _NAMING and name != meant and name not in form_fields(spec):
            raise _misspelt(name, meant)


def _refuse_unended(body: dict[str, Any]) -> None:
    """Raise Invalid for a body that, like one of ``resolve``, says that the intent did not complete: without an
    action it would count as the result of a success.
    """
    status = body.get("status")
    if isinstance(status, str) and status.strip() in _UNDONE:
        raise Invalid(
            "action_required",
            f"status says {status.strip()}, but no action says whether the work failed.",
            field="status",
            hint='Send {"action": "fail", "reason": ...}, or {"action": "complete"} if status is part of a result.',
        )


def _with_known_action(body: dict[str, Any], spec: TaskSpec | None, agreed: str) -> dict[str, Any]:
    """Return the body with its ``action`` in lower case. Raises Invalid for an unknown action: a misspelled ``fail``
    would otherwise become part of a result that counts as a success, and a rejection could contradict the decision
    next to it. If the form has a field with that name, it is part of the answer.
    """
    action = body.get("action")
    if action is None or "action" in form_fields(spec):
        return body
    word = action.strip().lower() if isinstance(action, str) else action
    if word not in _ACTIONS:
        _refuse_contradicted(body, spec, agreed)
        raise Invalid(
            "validation_error",
            f"{str(action)[:32]!r} is not an action.",
            field="action",
            hint="complete or fail; a member of the result with that name has to be renamed.",
        )
    return {**body, "action": word}


def _refuse_contradicted(body: dict[str, Any], spec: TaskSpec | None, agreed: str) -> None:
    """Raise Invalid if a body decides but another member contradicts the decision."""
    result = body.get("task_result")
    if isinstance(result, dict):
        one_meaning({"task_result.outcome": result.get("outcome"), **_words(body, None)}, spec, agreed)
    elif "approve_current_step" in body or (
        spec is not None and _is_outcome(body.get("outcome"), spec, agreed)
    ):
        one_meaning(_words(body, spec), spec, agreed)


def _words_of(plan: Plan) -> frozenset[str]:
    """Every outcome of the plan's tasks."""
    tasks = (step.task for step in plan.steps if isinstance(step, HumanStep))
    return frozenset(word for task in tasks for word in task.outcomes)


def _refuse_completed_no(body: dict[str, Any]) -> None:
    """Raise Invalid if the action of a body is ``complete`` but another of its members rejects."""
    if body.get("action") == "complete":
        refuse_no("action", "complete", body)


def refuse_no(member: str, value: str, body: Mapping[str, Any], place: str = "") -> None:
    """Raise Invalid if ``member`` of a person's body says that the intent completed, but the rest rejects. ``place``:
    the path of the rest.
    """
    if (found := rejecting_member(body)) is not None:
        raise contradiction(member, value, place + found[0], found[1])


def _decision(body: dict[str, Any], spec: TaskSpec | None, agreed: str, step_run: int) -> Answer:
    result = body["task_result"]
    if result is None:
        result = {}
    if not isinstance(result, dict):
        raise Invalid("validation_error", "task_result has to be an object.", field="task_result")
    inner = result.get("data")
    data = {k: v for k, v in result.items() if k not in ("outcome", "comment", "data")}
    if isinstance(inner, dict):
        for name, value in data.items():
            if name in inner and inner[name] != value:
                raise contradiction(f"task_result.{name}", value, f"task_result.data.{name}", inner[name])
        data |= inner
    elif inner is not None:
        data["data"] = inner
    outcome = one_meaning(
        {
            **_words(body, None),
            "task_result.outcome": result.get("outcome"),
            "task_result.approved": as_flag(data.get("approved")),
        },
        spec,
        agreed,
    )
    if outcome is None:
        raise Invalid(
            "outcome_required",
            "A decision must name its outcome.",
            field="task_result.outcome",
            hint="Send one of the task's allowed_outcomes.",
        )
    comment = _text(result.get("comment"), "task_result.comment")
    return Answer(outcome, step_run, comment, data, **_named(body, _NAMING))


def _words(body: dict[str, Any], spec: TaskSpec | None) -> dict[str, object]:
    """What the body's own members say about the decision, in any shape. ``spec``: the spec of the task whose form
    they may answer.
    """
    action = body.get("action")
    return {
        "approve_current_step": body.get("approve_current_step"),
        "outcome": body.get("outcome"),
        "decision": body.get("decision"),
        "action": False if action == "fail" else None,
        **{field: False for field, _ in refusals(body, spec)},
        **dict(flags(body, spec)),
    }


_NAMING: Final = ("stage", "revision", "digest")


def _naming(body: dict[str, Any], spec: TaskSpec | None) -> tuple[str, ...]:
    """The members that name the target, without those that the form itself asks for."""
    return tuple(name for name in _NAMING if name in body and name not in form_fields(spec))


def _named(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The target of an answer, as far as the body names it. The wire counts stages from 1."""
    found: dict[str, Any] = {}
    for name in names:
        value: Any = body.get(name)
        if value is None:
            continue
        if name == "digest" and isinstance(value, str):
            found[name] = value
        elif name != "digest" and isinstance(value, int) and not isinstance(value, bool):
            found[name] = value - 1 if name == "stage" else value
        else:
            kind = "text" if name == "digest" else "a whole number"
            raise Invalid("validation_error", f"{name} has to be {kind}.", field=name)
    return found


def _control(body: dict[str, Any], intent: Intent, task: Task | None, step_run: int) -> Command:
    """The command for ``approve_current_step``: a decision, which the rules refuse if no task is open yet. In a plan
    without people it is AXP's "continue", which decides nothing; a rejection is never read that way.
    """
    flag = body["approve_current_step"]
    if not isinstance(flag, bool):
        raise Invalid(
            "validation_error", "approve_current_step has to be true or false.", field="approve_current_step"
        )
    if body.get("action") == "complete" and not flag:
        raise contradiction("action", "complete", "approve_current_step", flag)
    reason = _text(body.get("reason"), "reason")
    spec, agreed = (spec_of(intent, task), task.agreed) if task is not None else (None, "")
    outcome = one_meaning(_words(body, spec), spec, agreed)
    if spec is None and flag and not intent.plan.has_gate:
        return ReportProgress(reason)
    named = _naming(body, spec)
    known = _META | {"approve_current_step", "reason", "actor", "outcome", "decision", "action", *named}
    data = {name: value for name, value in body.items() if name not in known}
    return Answer(outcome or "rejected", step_run, reason, data, **_named(body, named))


def _report(rest: dict[str, Any], step_run: int) -> Report:
    result = {name: value for name, value in rest.items() if name != "action"}
    if rest["action"] == "complete":
        return Report(step_run=step_run, result=result)
    reason = rest.get("reason")
    message = reason[:_MAX_TEXT] if isinstance(reason, str) and shows(reason) else "The agent gave up."
    return Report(step_run=step_run, result=result, fault=Failure("agent_failed", message))


def _is_outcome(outcome: Any, spec: TaskSpec, agreed: str) -> bool:
    if not isinstance(outcome, str):
        return False
    try:
        canonical_outcome(spec, outcome, agreed)
    except Invalid:
        return False
    return True


def _text(value: Any, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid("validation_error", f"{field} has to be text.", field=field)
    if len(value) > _MAX_TEXT:
        raise Invalid("validation_error", f"{field} is longer than {_MAX_TEXT} characters.", field=field)
    return value
