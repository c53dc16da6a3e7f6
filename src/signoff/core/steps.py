"""How an intent walks its plan: starting a step, and where each way of ending one leads.

Positive leads to ``on_success`` (else the next step), a failure to ``on_failure`` (else FAILED), a timeout to
``on_timeout`` (else FAILED), a request for changes to ``on_changes`` (else back to the last agent step, a bounded
number of times).
"""

from signoff.core import events as e
from signoff.core.envelope import envelope_digest
from signoff.core.ledger import Ledger
from signoff.core.model import Delivery, Fault, Task
from signoff.core.plan import END, MAX_STEP_VISITS, AgentStep, DelayStep, HumanStep, NotifyStep, Step
from signoff.core.tasks import Ending, Sign


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
        deadline_at = book.now + step.deadline if step.deadline else None
        match step:
            case AgentStep():
                book.add(e.Delivered(visit, step.id, step.agent, 1, deadline_at, step.push))
            case HumanStep():
                book.add(
                    e.TaskOpened(
                        visit=visit,
                        step=step.id,
                        digest=envelope_digest(intent, step.id),
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
        case Task(visit=visit):
            book.add(e.Decided(visit, step.id, Ending.EXPIRED.value, Ending.EXPIRED, Sign.NEGATIVE))
        case Delivery(visit=visit):
            book.add(e.StepTimedOut(visit, step.id, step.deadline))
        case _:
            raise TypeError("nothing with a deadline is open")
    if step.on_timeout:
        start(book, step.on_timeout)
    else:
        book.add(e.Failed(Fault("step_timeout", f"Step {step.id!r} passed its deadline.")))


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
    else:
        fail(book, step, Fault("human_rejected", f"{step.task.title}: {outcome}."))
