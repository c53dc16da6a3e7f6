"""AXP's one resume endpoint has four meanings; the shape of the body says which. Pure: body and intent in,
one core command out. Whether that command may happen is not judged here: while a person is waited for,
``core`` takes no agent's result for a decision, and an agent's key never decides, whatever shape it sends.

First match wins:
1. ``task_result`` (with or without ``outcome`` beside it): a person's decision
2. ``approve_current_step``: a decision while a person is waited for, else "go on"
3. ``action`` complete or fail: an agent's result
4. any other members: an agent's result (a lone ``outcome`` that the open task knows is a decision)
5. nothing: "go on"
"""

from typing import Any, Final

from signoff.core.commands import Answer, Command, Progress, Report
from signoff.core.errors import Invalid
from signoff.core.model import Fault, Intent, Task
from signoff.core.tasks import canonical_outcome
from signoff.core.wake import spec_of

# Members that steer the request and are no part of anybody's result.
_META: Final = frozenset({"expected_policy_generation", "internal_scheduler", "owner_agent"})
_MAX_TEXT: Final = 2000


def meaning(body: dict[str, Any], intent: Intent, visit: int = 0) -> Command:
    """The command that a resume body stands for; ``visit`` as the id in the path named it (0: the intent
    itself).

    Raises Invalid for a decision without an outcome and for members of a wrong type.
    """
    task = intent.open if isinstance(intent.open, Task) and visit in (0, intent.open.visit) else None
    if "task_result" in body:
        return _decision(body, visit)
    if "approve_current_step" in body:
        return _control(body, task, visit)
    rest = {name: value for name, value in body.items() if name not in _META}
    if rest.get("action") in ("complete", "fail"):
        return _report(rest, visit)
    if task is not None and _is_outcome(rest.get("outcome"), intent, task):
        return _decision({"outcome": rest["outcome"], "task_result": rest}, visit)
    if rest:
        return Report(visit=visit, result=rest)
    return Progress()


def _decision(body: dict[str, Any], visit: int) -> Answer:
    given = body["task_result"]
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise Invalid("validation_error", "task_result has to be an object.", field="task_result")
    outcome = body.get("outcome") or given.get("outcome") or _from_flag(given.get("approved"))
    if not isinstance(outcome, str) or not outcome:
        raise Invalid(
            "outcome_required",
            "A decision names its outcome.",
            field="task_result.outcome",
            hint="Send one of the task's allowed_outcomes.",
        )
    comment = _text(given.get("comment"), "task_result.comment")
    data = {k: v for k, v in given.items() if k not in ("outcome", "comment", "data")}
    inner = given.get("data")
    if isinstance(inner, dict):
        data |= inner
    elif inner is not None:
        data["data"] = inner
    return Answer(outcome=outcome, visit=visit, comment=comment, data=data)


def _from_flag(approved: Any) -> str | None:
    return {True: "approved", False: "rejected"}.get(approved) if isinstance(approved, bool) else None


def _control(body: dict[str, Any], task: Task | None, visit: int) -> Command:
    flag = body["approve_current_step"]
    if not isinstance(flag, bool):
        raise Invalid(
            "validation_error", "approve_current_step has to be true or false.", field="approve_current_step"
        )
    reason = _text(body.get("reason"), "reason")
    if task is None:
        return Progress(reason)
    known = _META | {"approve_current_step", "reason", "actor"}
    data = {name: value for name, value in body.items() if name not in known}
    return Answer(outcome="approved" if flag else "rejected", visit=visit, comment=reason, data=data)


def _report(rest: dict[str, Any], visit: int) -> Report:
    result = {name: value for name, value in rest.items() if name != "action"}
    if rest["action"] == "complete":
        return Report(visit=visit, result=result)
    reason = rest.get("reason")
    message = reason[:_MAX_TEXT] if isinstance(reason, str) and reason.strip() else "The agent gave up."
    return Report(visit=visit, result=result, fault=Fault("agent_failed", message))


def _is_outcome(outcome: Any, intent: Intent, task: Task) -> bool:
    if not isinstance(outcome, str):
        return False
    try:
        canonical_outcome(spec_of(intent, task), outcome, task.agreed)
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
