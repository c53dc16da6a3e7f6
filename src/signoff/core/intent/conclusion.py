"""How an intent ends: by the last decision on its path.

A no, silence and an agent step that finally failed leave a *setback*. It stays, whatever runs after it, until people
decide again: by a yes, or by a no whose route is declared a success. An intent that reaches its end with a setback
fails with it, as it would have without the route; one without a setback completes. A failure or a silence whose route
is declared a success, and a silence that a policy counts as approved, leave nothing behind, but take nothing back
either: what was refused or failed before stays so, until a person approves.

``continuation`` is asked twice about each fact: by ``steps``, for where to go on, and by ``evolve``, for what is left
behind.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.intent import events as e
from signoff.core.intent.model import Intent, StepError
from signoff.core.plan.plan import HumanStep, Plan, Route, after_failure, after_timeout
from signoff.core.plan.task_types import Ending, Fallback, Meaning

_CHANGES: Final = "changes_requested"
Decisive = e.Decided | e.Reported | e.AttemptFailed | e.StepTimedOut


class Continuation(msgspec.Struct, frozen=True):
    """Where a plan goes on after a fact (``target`` None: nowhere, it fails), and the setback that is left; ``wanted``:
    the steps whose people want changes, and have not been asked again since.
    """

    target: str | None
    setback: StepError | None
    wanted: tuple[str, ...] = ()


def continuation(intent: Intent, event: Decisive) -> Continuation:
    """What follows from a step's end; ``intent`` as it was before. A result and a retry are no decision: they leave
    what was there.
    """
    found = _turn(intent, event)
    return replace(found, wanted=_wanted(intent, event)) if found.setback is not None else found


def _wanted(intent: Intent, event: Decisive) -> tuple[str, ...]:
    if not isinstance(event, e.Decided):
        return intent.wanted
    others = tuple(step for step in intent.wanted if step != event.step)
    return (*others, event.step) if event.ending is Ending.SUPERSEDED else others


def _turn(intent: Intent, event: Decisive) -> Continuation:
    plan = intent.plan
    match event:
        case e.Decided():
            return _decided(intent, plan.human_step(event.step), event)
        case e.Reported():
            step = plan.by_id[event.step]
            if event.fault is None:
                return Continuation(plan.after_success(step), intent.setback)
            if event.retry_at is None:
                return _set_back(after_failure(step), _of_agent(event.fault), intent.setback)
        case e.AttemptFailed(retry_at=None):
            step = plan.agent_step(intent.open.step if intent.open else "")
            said = f"{step.agent} did not finish step {step.id!r} in {event.attempt} attempts."
            return _set_back(after_failure(step), StepError("delivery_failed", said, True), intent.setback)
        case e.StepTimedOut():
            return _set_back(after_timeout(plan.by_id[event.step]), _late(event.step), intent.setback)
    return Continuation(None, intent.setback)


def _set_back(route: Route | None, fault: StepError, before: StepError | None) -> Continuation:
    """``before``: the setback that stays where the route is declared a success."""
    if route is None:
        return Continuation(None, fault)
    return Continuation(route.target, before if route.success else fault)


def _never(route: Route | None, fault: StepError) -> Continuation:
    """For an ending that is no no: what is declared of the route of a no is not declared of it."""
    return Continuation(route.target if route else None, fault)


def _decided(intent: Intent, step: HumanStep, event: e.Decided) -> Continuation:
    plan, title = intent.plan, step.task.title
    match event.ending:
        case Ending.EXPIRED:
            late = step.task.fallback is Fallback.EXPIRE
            fault = _late(step.id) if late else StepError("expired", f"{title}: nobody decided in time.")
            # also where the policy counts it as approved: that is no person's yes
            return _set_back(plan.after_silence(step), fault, failure_kept(intent, step))
        case Ending.UNDELIVERABLE:  # nobody was asked, so nobody's no was declared a success
            return _never(
                after_failure(step), StepError("undeliverable", f"{title}: nobody could be reached.")
            )
        case Ending.WITHDRAWN:
            return Continuation(None, StepError("withdrawn", f"{title}: withdrawn."))
    if event.meaning is Meaning.REQUESTS_CHANGES:
        return _changes(intent, step, event)
    return _set_back(
        _route(plan, step, event), StepError("human_rejected", f"{title}: {event.outcome}."), None
    )


def failure_kept(intent: Intent, step: HumanStep) -> StepError | None:
    """The setback that silence at this step leaves as it was. Changes that were asked for here are none: whoever did
    was asked again. Of those that other steps' people asked for, silence here says nothing.
    """
    wanted = intent.setback is not None and intent.setback.code == _CHANGES
    return None if wanted and intent.wanted == (step.id,) else intent.setback


def _route(plan: Plan, step: HumanStep, event: e.Decided) -> Route | None:
    """A form may say no with an outcome that means yes; then its own step is not where it leads."""
    if step.task.meaning(event.outcome) is event.meaning:
        return plan.after_outcome(step, event.outcome)
    return plan.after_meaning(step, event.meaning)


def _changes(intent: Intent, step: HumanStep, event: e.Decided) -> Continuation:
    """Back to whoever does it again, a bounded number of times. To want changes is no yes: an earlier no stays."""
    refused = None if intent.setback is None or intent.setback.code == _CHANGES else intent.setback
    bounded = intent.revisions < intent.plan.max_revisions
    route = _route(intent.plan, step, event)
    if bounded and route is not None:
        return Continuation(route.target, refused or StepError(_CHANGES, "Changes were requested."))
    reason = "Changes were requested." if bounded else "Changes were requested once too often."
    return _never(after_failure(step), refused or StepError(_CHANGES, reason))


def _of_agent(fault: StepError) -> StepError:
    """Whatever an agent calls its failure: that changes were requested is for people to say, and is looked for here."""
    return replace(fault, code="agent_failed") if fault.code == _CHANGES else fault


def _late(step_id: str) -> StepError:
    return StepError("step_timeout", f"Step {step_id!r} passed its deadline.")
