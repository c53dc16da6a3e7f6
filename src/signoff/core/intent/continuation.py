"""How an intent ends: by the last decision on its path.

A rejection, an expired task, and an agent step that failed permanently leave a *setback*. No matter what runs after it,
the setback stays until people decide again: by an approval, or by a rejection whose route is declared a success. An
intent that reaches its end with a setback fails with it, as it would have without the route; one without a setback
completes. A failure or expiry whose route is declared a success, and an expiry that a policy counts as approved,
neither leave nor remove a setback: after an earlier rejection or failure, a person must still approve.

``continuation`` is called twice for each fact: by ``routing``, for the next step, and by ``evolve``, for the
setback.
"""

import msgspec
from msgspec.structs import replace

from signoff.core.intent import events as e
from signoff.core.intent.checks import checked, verdict_of, worst_risk
from signoff.core.intent.model import Failure, Intent, Task
from signoff.core.plan.answers import required_answer
from signoff.core.plan.plan import HumanStep, Plan, Route, after_failure, after_timeout
from signoff.core.plan.task_types import (
    CHANGES_REQUESTED,
    Ending,
    Fallback,
    Meaning,
    Risk,
    Vote,
    expiry_approves,
)
from signoff.core.plan.wording import record_title

Decisive = e.Decided | e.Reported | e.AttemptFailed | e.StepTimedOut


class Continuation(msgspec.Struct, gc=False, frozen=True):
    """Where a plan continues after a fact, and the remaining setback. ``target``: the next step, None if the intent
    fails; ``changes_requested_by``: the steps whose approvers requested changes and have not been asked again since.
    """

    target: str | None
    setback: Failure | None
    changes_requested_by: tuple[str, ...] = ()


def continuation(intent: Intent, event: Decisive) -> Continuation:
    """What follows the end of a step. ``intent``: its state before the event. A result and a retry are not decisions,
    so they leave the setback unchanged.
    """
    found = _turn(intent, event)
    return (
        replace(found, changes_requested_by=_changes_requested_by(intent, event))
        if found.setback is not None
        else found
    )


def _changes_requested_by(intent: Intent, event: Decisive) -> tuple[str, ...]:
    if not isinstance(event, e.Decided):
        return intent.changes_requested_by
    # this step's approvers have been asked again, so their request for changes is dealt with
    others = tuple(step for step in intent.changes_requested_by if step != event.step)
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
            # retryable: nobody refused the work, it was only not finished
            sentence = f"{step.agent} did not finish step {step.id!r} in {event.attempt} attempts."
            return _set_back(after_failure(step), Failure("delivery_failed", sentence, True), intent.setback)
        case e.StepTimedOut():
            return _set_back(after_timeout(plan.by_id[event.step]), _late(event.step), intent.setback)
    return Continuation(None, intent.setback)


def _set_back(route: Route | None, fault: Failure, before: Failure | None) -> Continuation:
    """Follow a route after a rejection, failure or expiry. ``before``: the setback that stays if the route is
    declared a success.
    """
    if route is None:
        return Continuation(None, fault)
    # a route alone does not undo what happened; only one that is declared a success does
    return Continuation(route.target, before if route.success else fault)


def _never(route: Route | None, fault: Failure) -> Continuation:
    """Follow the route of a rejection after another ending, for which the route does not count as a success."""
    return Continuation(route.target if route else None, fault)


def _decided(intent: Intent, step: HumanStep, event: e.Decided) -> Continuation:
    plan, title = intent.plan, record_title(intent.plan, step)
    match event.ending:
        case Ending.EXPIRED:
            if event.outcome != step.task.fallback_outcome:  # the fallback's outcome did not apply
                step = _expiring(step)
            # two codes, so that a caller can tell a plain timeout from a fallback that was chosen
            late = step.task.fallback is Fallback.EXPIRE
            fault = _late(step.id) if late else Failure("expired", f"{title}: nobody decided in time.")
            # even if the policy counts it as approved, no person has approved
            return _set_back(plan.after_expiry(step), fault, failure_kept(intent, step))
        # no one was asked, so a rejection that is declared a success does not apply
        case Ending.UNDELIVERABLE:
            return _never(after_failure(step), Failure("undeliverable", f"{title}: nobody could be reached."))
        case Ending.WITHDRAWN:
            return Continuation(None, Failure("withdrawn", f"{title}: withdrawn."))
    if event.meaning is Meaning.REQUESTS_CHANGES:
        return _changes(intent, step, event)
    return _set_back(_route(plan, step, event), Failure("human_rejected", f"{title}: {event.outcome}."), None)


def failure_kept(intent: Intent, step: HumanStep) -> Failure | None:
    """The setback that an expiry at this step leaves unchanged. It includes changes requested by the approvers of other
    steps, but not changes requested at this step, because their author was asked again.
    """
    wanted = intent.setback is not None and intent.setback.code == CHANGES_REQUESTED
    return None if wanted and intent.changes_requested_by == (step.id,) else intent.setback


def at_expiry(intent: Intent, step: HumanStep, *, asked: bool = True) -> tuple[HumanStep, bool]:
    """Return the step with the fallback that applies at its deadline, and whether an earlier rejection or failure is
    kept. A fallback that approves does not apply if nobody was ``asked``, or if a person or a check contradicts the
    approval.
    """
    if expiry_approves(step.task) and (not asked or _objected(intent, step)):
        step = _expiring(step)
    return step, failure_kept(intent, step) is not None


def _objected(intent: Intent, step: HumanStep) -> bool:
    """Whether an approval by expiry would ignore a rejection, a failed check, a risk that a check found, or something
    that the task requires.
    """
    results = checked(intent, step.id).all  # also those of earlier revisions
    return (
        _outstanding(intent, step)
        or required_answer(step.task) != ""
        # an approval without a person is only for low risk
        or worst_risk(step.task.risk, results)[0] is not Risk.LOW
        or any(verdict_of(result) == "failed" for result in results.values())
    )


def _outstanding(intent: Intent, step: HumanStep) -> bool:
    """Whether somebody rejected this stage, an earlier revision or an earlier task, and has not approved since."""
    task, objected = intent.open, set(intent.objected_by)
    if isinstance(task, Task) and task.step == step.id:
        for vote in task.votes:
            if vote.meaning is Meaning.APPROVES:
                objected.discard(_voter(vote))
            elif vote.at_stage == task.stage:
                objected.add(_voter(vote))
    return bool(objected)


def objections(intent: Intent, event: e.Revised | e.Decided) -> tuple[str, ...]:
    """The people who voted against an earlier revision or task, and have neither approved nor been outvoted by a
    decision since. ``intent``: its state before the event, with the votes that the event voids.

    A decision to repeat the work, or that nobody made, outvotes nobody.
    """
    followed = {Meaning.APPROVES}
    if isinstance(event, e.Decided):
        if event.ending in (Ending.APPROVED, Ending.REJECTED):
            return ()
        if event.ending is Ending.SUPERSEDED:
            followed.add(event.meaning)
    objected = dict.fromkeys(intent.objected_by)
    for vote in intent.open.votes if isinstance(intent.open, Task) else ():
        objected.pop(_voter(vote), None)
        if vote.meaning not in followed:
            objected[_voter(vote)] = None
    return tuple(objected)


def _voter(vote: Vote) -> str:
    """The person whose vote it is, which a delegate may have cast."""
    return vote.principal or vote.person


def _expiring(step: HumanStep) -> HumanStep:
    if step.task.fallback is not Fallback.OUTCOME:
        return step
    return replace(step, task=replace(step.task, fallback=Fallback.EXPIRE, fallback_outcome=""))


def _route(plan: Plan, step: HumanStep, event: e.Decided) -> Route | None:
    """The route of a decision. A form may reject although the outcome means approve; then the outcome's own step is
    not the target.
    """
    if step.task.meaning(event.outcome) is event.meaning:
        return plan.after_outcome(step, event.outcome)
    return plan.after_meaning(step, event.meaning)


def _changes(intent: Intent, step: HumanStep, event: e.Decided) -> Continuation:
    """Go back to the step that repeats the work, a limited number of times. Requesting changes is not an approval, so
    an earlier rejection stays.
    """
    # an earlier rejection is stronger than a request for changes: it takes an approval to undo
    refused = None if intent.setback is None or intent.setback.code == CHANGES_REQUESTED else intent.setback
    # without a limit, an agent and an approver could send a request back and forth forever
    bounded = intent.revisions < intent.plan.max_revisions
    route = _route(intent.plan, step, event)
    if bounded and route is not None:
        return Continuation(route.target, refused or Failure(CHANGES_REQUESTED, "Changes were requested."))
    reason = (
        "Changes were requested." if bounded else "Changes were requested more often than the plan allows."
    )
    return _never(after_failure(step), refused or Failure(CHANGES_REQUESTED, reason))


def _of_agent(fault: Failure) -> Failure:
    """The failure of an agent's step. Its code must not be the code for requested changes, because only people can
    request changes.
    """
    return replace(fault, code="agent_failed") if fault.code == CHANGES_REQUESTED else fault


def _late(step_id: str) -> Failure:
    return Failure("step_timeout", f"Step {step_id!r} passed its deadline.")
