"""Moves an intent through its plan: starts steps, and follows the route for each ending.

An approval leads to ``on_success`` (else the next step), a rejection or failure to ``on_failure`` (else FAILED), a
timeout to ``on_timeout`` (else FAILED), a request for changes to ``on_changes`` (else back to the last agent step, a
limited number of times); an outcome with its own step leads there. ``continuation`` decides this, and the remaining
setback.
"""

from datetime import datetime

from signoff.core.intent import events as e
from signoff.core.intent.continuation import Decisive, at_expiry, continuation
from signoff.core.intent.decision_digest import envelope_digest
from signoff.core.intent.eligibility import NOTHING, pin
from signoff.core.intent.model import Delivery, Failure, Task
from signoff.core.intent.transition import Transition
from signoff.core.plan.plan import (
    END,
    MAX_STEP_RUNS_PER_INTENT,
    AgentStep,
    DelayStep,
    HumanStep,
    NotifyStep,
    Step,
)
from signoff.core.plan.task_types import Ending, Fallback, Meaning
from signoff.core.plan.wording import record_title
from signoff.core.plan.working_hours import later


def start_step(tx: Transition, step_id: str) -> None:
    """Start a step; ``end`` ends the intent by the last decision on its path. Steps that do not wait for anything run
    immediately.
    """
    while True:
        intent = tx.intent
        if step_id == END:
            tx.add(e.Completed() if intent.setback is None else e.Failed(intent.setback))
            return
        step_run = intent.step_runs + 1
        if step_run > MAX_STEP_RUNS_PER_INTENT:
            tx.add(
                e.Failed(
                    Failure("too_many_steps", f"More than {MAX_STEP_RUNS_PER_INTENT} steps were started.")
                )
            )
            return
        step = intent.plan.by_id[step_id]
        deadline_at = _deadline(step, tx.now)
        match step:
            case AgentStep():
                tx.add(e.Offered(step_run, step.id, step.agent, 1, deadline_at, step.push))
            case HumanStep():
                who = pin(intent, step.task, tx.membership, tx.now) if tx.membership else NOTHING
                tx.add(
                    e.TaskOpened(
                        step_run=step_run,
                        step=step.id,
                        digest=envelope_digest(
                            intent, step.id, step_run, intent.revision, intent.payload_digest
                        ),
                        revision=intent.revision,
                        title=record_title(intent.plan, step),
                        deadline_at=deadline_at,
                        joined=who.joined,
                        left=who.left,
                        delegates=who.delegates,
                    )
                )
            case DelayStep():
                tx.add(e.DelayStarted(step_run, step.id, tx.now + step.lasts))
            case NotifyStep():
                tx.add(e.Notified(step_run, step.id, step.to, step.message))
                step_id = intent.plan.after_success(step)
                continue
        return


def _deadline(step: Step, now: datetime) -> datetime | None:
    """The step's deadline; a task's policy may measure it in working time."""
    if step.deadline is None:
        return None
    hours = step.task.hours if isinstance(step, HumanStep) and step.task.deadline_in_hours else None
    return later(hours, now, step.deadline)


def finish_step(tx: Transition, event: Decisive, comment: str = "") -> None:
    """Record the end of a step and follow its route."""
    following = continuation(tx.intent, event)
    tx.add(event, comment)
    if following.target is not None:
        start_step(tx, following.target)
    elif tx.intent.setback is not None:
        tx.add(e.Failed(tx.intent.setback))


def time_out(tx: Transition, step: Step, *, asked: bool = True) -> None:
    """The step's deadline has passed: a task expires (silence is never consent), a delivery is abandoned. ``asked``:
    see ``commands.Tick``.
    """
    match tx.intent.open:
        case Task(step_run=step_run) if isinstance(step, HumanStep):
            step, _ = at_expiry(tx.intent, step, asked=asked)
            spec = step.task
            outcome = spec.fallback_outcome if spec.fallback is Fallback.OUTCOME else Ending.EXPIRED.value
            finish_step(tx, e.Decided(step_run, step.id, outcome, Ending.EXPIRED, spec.meaning(outcome)))
        case Delivery(step_run=step_run):
            finish_step(tx, e.StepTimedOut(step_run, step.id, step.deadline))
        case _:
            raise TypeError("nothing with a deadline is open")


def close_task(tx: Transition, step: HumanStep, outcome: str, ending: Ending, meaning: Meaning) -> None:
    """Close the open task with a decision and follow its route."""
    task = tx.intent.open
    if not isinstance(task, Task):
        raise TypeError("no task is open")
    finish_step(tx, e.Decided(task.step_run, step.id, outcome, ending, meaning))
