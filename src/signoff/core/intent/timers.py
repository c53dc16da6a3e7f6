"""What time does: a tick makes everything happen that is due by now, in order, each thing once.

An outage does not multiply anything: reminders that were missed become one, a deadline that has passed ends the
wait before any reminder of it.
"""

from datetime import datetime
from typing import Final

from signoff.core.intent import events as e
from signoff.core.intent import routing
from signoff.core.intent.model import Delay, Delivery, Hold, Task
from signoff.core.intent.snoozed import ending
from signoff.core.intent.transition import Ledger
from signoff.core.intent.wake import escalation_at, reminder_at, spec_of, wake_at
from signoff.core.plan.schedules import LONGEST_LEASE, PUSH_BACKOFF, PUSH_LEASE
from signoff.core.plan.task_types import Ending, Sign

_AT_ONCE: Final = 1000  # more than any plan can have due at one moment; a loop beyond it would be a bug


def tick(book: Ledger) -> None:
    """Let everything that is due by ``book.now`` happen. Nothing due: nothing happens."""
    _correct(book)
    for _ in range(_AT_ONCE):
        due = wake_at(book.intent)
        if due is None or due > book.now:
            return
        _happen(book)
    raise RuntimeError(f"intent {book.intent.id} is due again and again at one moment")


def _correct(book: Ledger) -> None:
    """Take back what a clock that was far ahead has put off: a rest that is longer than any is over, and a lease that
    runs longer than any does runs from now.
    """
    held = book.intent.open
    if not isinstance(held, Delivery):
        return
    if held.retry_at is not None:
        step = book.intent.plan.agent_step(held.step)
        longest = max(step.retry_delay, *step.backoff.delays, *PUSH_BACKOFF.delays)
        if held.retry_at > book.now + longest:
            _try_again(book, held)
    elif held.lease_until is not None:
        longest = PUSH_LEASE if held.hold is Hold.ACCEPTED else LONGEST_LEASE
        if held.lease_until > book.now + longest:
            book.add(e.Renewed(book.now + longest))


def _try_again(book: Ledger, held: Delivery) -> None:
    book.add(e.Delivered(held.visit, held.step, held.agent, held.attempt + 1, held.deadline_at, held.push))


def _happen(book: Ledger) -> None:
    intent = book.intent
    if _past(intent.deadline_at, book.now):
        _time_out_all(book)
        return
    match intent.open:
        case Task() as task:
            _happen_to_task(book, task)
        case Delivery() as held:
            _happen_to_delivery(book, held)
        case Delay() as delay:
            book.add(e.Elapsed(delay.visit, delay.step))
            routing.start(book, intent.plan.after_success(intent.plan.by_id[delay.step]))
        case None:
            raise TypeError("an intent without an open step has no wake-up but its deadline")


def _past(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def _time_out_all(book: Ledger) -> None:
    task = book.intent.open
    if isinstance(task, Task):
        book.add(e.Decided(task.visit, task.step, Ending.EXPIRED.value, Ending.EXPIRED, Sign.NEGATIVE))
    book.add(e.TimedOut())


def _happen_to_task(book: Ledger, task: Task) -> None:
    intent = book.intent
    if _past(task.deadline_at, book.now):
        routing.time_out(book, intent.plan.by_id[task.step])
    elif over := next((one for one in ending(task) if one.until <= book.now), None):
        book.add(e.Woken(task.visit, over.person))
    elif _past(escalation_at(intent, task), book.now):
        rung = spec_of(intent, task).escalate[task.escalated]
        book.add(e.Escalated(task.visit, task.escalated + 1, rung.to))
    elif _past(reminder_at(intent, task), book.now):
        book.add(e.Reminded(task.visit, task.reminded + 1))


def _happen_to_delivery(book: Ledger, held: Delivery) -> None:
    if _past(held.deadline_at, book.now):
        routing.time_out(book, book.intent.plan.by_id[held.step])
    elif _past(held.lease_until, book.now):
        lapse(book, "lease_expired")
    elif _past(held.retry_at, book.now):
        _try_again(book, held)


def lapse(book: Ledger, reason: str) -> None:
    """The present attempt came to nothing: rest and try again, or give the step up after the last one."""
    held = book.intent.open
    if not isinstance(held, Delivery):
        raise TypeError("no delivery is open")
    step = book.intent.plan.agent_step(held.step)
    if held.attempt < step.max_attempts:
        pause = (PUSH_BACKOFF if held.push else step.backoff).after(held.attempt)
        book.add(e.Lapsed(held.visit, held.attempt, reason, book.now + pause))
        return
    routing.over(book, e.Lapsed(held.visit, held.attempt, reason))
