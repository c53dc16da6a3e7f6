"""How an intent walks its plan: starting a step, and where each way of ending one leads.

Positive leads to ``on_success`` (else the next step), a failure to ``on_failure`` (else FAILED), a timeout to
``on_timeout`` (else FAILED), a request for changes to ``on_changes`` (else back to the last agent step, a bounded
number of times).
"""

from datetime import datetime

from signoff.core import events as e
from signoff.core.envelope import envelope_digest
from signoff.core.hours import later
from signoff.core.ledger import Ledger
from signoff.core.model import Delivery, Fault, Task
from signoff.core.plan import END, MAX_STEP_VISITS, AgentStep, DelayStep, HumanStep, NotifyStep, Step
from signoff.core.tasks import Ending, Fallback, Sign, sign_of


def start(book: Ledger, step_id: str) -> None:
    """Start a step; ``end`` completes the intent. Steps that need no waiting run through."""
    while True:
        intent = book.intent
        if step_id == END:
            book.add(e.Completed())
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
                book.add(
                    e.TaskOpened(
                        visit=visit,
                        step=step.id,
                        digest=envelope_digest(intent, step.id, intent.revision, intent.payload_digest),
                        revision=intent.revision,
                        title=step.task.title,
                        deadline_at=deadline_at,
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


def succeed(book: Ledger, step: Step) -> None:
    start(book, book.intent.plan.after_success(step))


def fail(book: Ledger, step: Step, fault: Fault) -> None:
    if step.on_failure:
        start(book, step.on_failure)
    else:
        book.add(e.Failed(fault))


def time_out(book: Ledger, step: Step) -> None:
    """The step's deadline has passed: a task expires (silence is never consent), a delivery is given up."""
    match book.intent.open:
        case Task(visit=visit) if isinstance(step, HumanStep):
            if _fell_back(book, step, visit):
                return
        case Delivery(visit=visit):
            book.add(e.StepTimedOut(visit, step.id, step.deadline))
        case _:
            raise TypeError("nothing with a deadline is open")
    if step.on_timeout:
        start(book, step.on_timeout)
    else:
        book.add(e.Failed(Fault("step_timeout", f"Step {step.id!r} passed its deadline.")))


def _fell_back(book: Ledger, step: HumanStep, visit: int) -> bool:
    """Record the silence, whatever follows; True when the policy's fallback has said where to go."""
    fallback = step.task.fallback
    outcome = step.task.fallback_outcome if fallback is Fallback.OUTCOME else Ending.EXPIRED.value
    sign = sign_of(outcome, {})
    book.add(e.Decided(visit, step.id, outcome, Ending.EXPIRED, sign))
    if fallback is Fallback.EXPIRE:
        return False
    if sign is Sign.POSITIVE:
        succeed(book, step)
    else:
        fail(book, step, Fault("expired", f"{step.task.title}: nobody decided in time."))
    return True


def decided(book: Ledger, step: HumanStep, outcome: str, ending: Ending, sign: Sign) -> None:
    """Close the open task with a decision and follow its route."""
    task = book.intent.open
    if not isinstance(task, Task):
        raise TypeError("no task is open")
    plan = book.intent.plan
    bounded = book.intent.revisions < plan.max_revisions
    book.add(e.Decided(task.visit, step.id, outcome, ending, sign))
    if sign is Sign.POSITIVE:
        succeed(book, step)
    elif sign is Sign.CHANGES and bounded and (target := plan.after_changes(step)):
        start(book, target)
    elif sign is Sign.CHANGES:
        reason = "Changes were requested once too often." if not bounded else "Changes were requested."
        fail(book, step, Fault("changes_requested", reason))
    elif ending is Ending.UNDELIVERABLE:
        fail(book, step, Fault("undeliverable", f"{step.task.title}: nobody could be reached."))
    else:
        fail(book, step, Fault("human_rejected", f"{step.task.title}: {outcome}."))
