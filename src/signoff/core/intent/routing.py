"""How an intent walks its plan: starting a step, and where each way of ending one leads.

A yes leads to ``on_success`` (else the next step), a no and a failure to ``on_failure`` (else FAILED), a timeout to
``on_timeout`` (else FAILED), a request for changes to ``on_changes`` (else back to the last agent step, a bounded
number of times); an outcome with a step of its own leads there. ``conclusion`` says so, and what it leaves behind.
"""

from datetime import datetime

from signoff.core.intent import events as e
from signoff.core.intent.conclusion import Decisive, turn
from signoff.core.intent.decision_digest import envelope_digest
from signoff.core.intent.eligibility import NOTHING, pin
from signoff.core.intent.model import Delivery, Fault, Task
from signoff.core.intent.transition import Ledger
from signoff.core.plan.plan import END, MAX_STEP_VISITS, AgentStep, DelayStep, HumanStep, NotifyStep, Step
from signoff.core.plan.task_types import Ending, Fallback, Sign
from signoff.core.plan.working_hours import later


def start(book: Ledger, step_id: str) -> None:
    """Start a step; ``end`` ends the intent by the last decision on its path. What needs no waiting runs through."""
    while True:
        intent = book.intent
        if step_id == END:
            book.add(e.Completed() if intent.setback is None else e.Failed(intent.setback))
            return
        visit = intent.visits + 1
        if visit > MAX_STEP_VISITS:
            book.add(e.Failed(Fault("too_many_steps", f"More than {MAX_STEP_VISITS} steps were started.")))
            return
        step = intent.plan.by_id[step_id]
        deadline_at = _deadline(step, book.now)
        match step:
            case AgentStep():
                book.add(e.Delivered(visit, step.id, step.agent, 1, deadline_at, step.push))
            case HumanStep():
                who = pin(intent, step.task, book.membership, book.now) if book.membership else NOTHING
                book.add(
                    e.TaskOpened(
                        visit=visit,
                        step=step.id,
                        digest=envelope_digest(
                            intent, step.id, visit, intent.revision, intent.payload_digest
                        ),
                        revision=intent.revision,
                        title=step.task.title,
                        deadline_at=deadline_at,
                        joined=who.joined,
                        left=who.left,
                        stand_ins=who.stand_ins,
                    )
                )
            case DelayStep():
                book.add(e.Delayed(visit, step.id, book.now + step.lasts))
            case NotifyStep():
                book.add(e.Notified(visit, step.id, step.to, step.message))
                step_id = intent.plan.after_success(step)
                continue
        return


def _deadline(step: Step, now: datetime) -> datetime | None:
    """When the step's time is over; a task's policy may count it in working time."""
    if step.deadline is None:
        return None
    hours = step.task.hours if isinstance(step, HumanStep) and step.task.deadline_in_hours else None
    return later(hours, now, step.deadline)


def over(book: Ledger, event: Decisive, comment: str = "") -> None:
    """Record the end of a step and go where it leads."""
    following = turn(book.intent, event)
    book.add(event, comment)
    if following.target is not None:
        start(book, following.target)
    elif book.intent.setback is not None:
        book.add(e.Failed(book.intent.setback))


def time_out(book: Ledger, step: Step) -> None:
    """The step's deadline has passed: a task expires (silence is never consent), a delivery is given up."""
    match book.intent.open:
        case Task(visit=visit) if isinstance(step, HumanStep):
            spec = step.task
            outcome = spec.fallback_outcome if spec.fallback is Fallback.OUTCOME else Ending.EXPIRED.value
            over(book, e.Decided(visit, step.id, outcome, Ending.EXPIRED, spec.sign(outcome)))
        case Delivery(visit=visit):
            over(book, e.StepTimedOut(visit, step.id, step.deadline))
        case _:
            raise TypeError("nothing with a deadline is open")


def decided(book: Ledger, step: HumanStep, outcome: str, ending: Ending, sign: Sign) -> None:
    """Close the open task with a decision and follow its route."""
    task = book.intent.open
    if not isinstance(task, Task):
        raise TypeError("no task is open")
    over(book, e.Decided(task.visit, step.id, outcome, ending, sign))
