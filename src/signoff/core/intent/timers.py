"""Timers: a tick applies everything that is due by now, in order, each thing once.

After an outage nothing is repeated: missed reminders become one, and a passed deadline takes effect before any
reminder.
"""

from datetime import datetime, timedelta
from typing import Final

from signoff.core.intent import events as e
from signoff.core.intent import routing
from signoff.core.intent.model import Delay, Delivery, DeliveryState, Intent, Task, spec_of
from signoff.core.intent.snoozes import pending_snoozes
from signoff.core.intent.transition import Transition
from signoff.core.intent.wake import escalation_at, reminder_at, wake_at
from signoff.core.plan.schedules import LONGEST_LEASE, LONGEST_RETRY_AFTER, PUSH_BACKOFF, PUSH_LEASE
from signoff.core.plan.task_types import Ending, Meaning, expiry_approves

_AT_ONCE: Final = 1000  # more timers than any plan can have due at one time; more rounds would be a bug


def tick(tx: Transition, *, asked: bool = True) -> None:
    """Apply everything that is due by ``tx.now``; without effect if nothing is. ``asked``: see ``commands.Tick``."""
    _correct(tx)
    for _ in range(_AT_ONCE):
        due = wake_at(tx.intent)
        if due is None or due > tx.now:
            return
        _happen(tx, asked)
    raise RuntimeError(f"intent {tx.intent.id} is due repeatedly at the same time")


def expired_as_approved(intent: Intent, now: datetime) -> bool:
    """Whether the open task has expired and its policy counts an expiry as approved: then it matters whether anyone
    was asked.
    """
    task = intent.open
    return isinstance(task, Task) and _past(task.deadline_at, now) and expiry_approves(spec_of(intent, task))


def _correct(tx: Transition) -> None:
    """Correct timers that were set by a clock that was far ahead: an impossibly long back-off ends, and
    an impossibly long lease restarts now.
    """
    held = tx.intent.open
    if not isinstance(held, Delivery):
        return
    if held.retry_at is not None:
        step = tx.intent.plan.agent_step(held.step)
        longest = max(step.retry_delay, *step.backoff.delays, *PUSH_BACKOFF.delays, LONGEST_RETRY_AFTER)
        if held.retry_at > tx.now + longest:
            _try_again(tx, held)
    elif held.lease_until is not None:
        longest = PUSH_LEASE if held.state is DeliveryState.ACCEPTED else LONGEST_LEASE
        if held.lease_until > tx.now + longest:
            tx.add(e.Renewed(tx.now + longest))


def _try_again(tx: Transition, held: Delivery) -> None:
    tx.add(e.Offered(held.step_run, held.step, held.agent, held.attempt + 1, held.deadline_at, held.push))


def _happen(tx: Transition, asked: bool) -> None:
    intent = tx.intent
    if _past(intent.deadline_at, tx.now):
        _time_out_all(tx)
        return
    match intent.open:
        case Task() as task:
            _happen_to_task(tx, task, asked)
        case Delivery() as held:
            _happen_to_delivery(tx, held)
        case Delay() as delay:
            tx.add(e.DelayEnded(delay.step_run, delay.step))
            routing.start_step(tx, intent.plan.after_success(intent.plan.by_id[delay.step]))
        case None:
            raise TypeError("an intent without an open step has no timer except its deadline")


def _past(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def _time_out_all(tx: Transition) -> None:
    task = tx.intent.open
    if isinstance(task, Task):
        tx.add(e.Decided(task.step_run, task.step, Ending.EXPIRED.value, Ending.EXPIRED, Meaning.REJECTS))
    tx.add(e.TimedOut())


def _happen_to_task(tx: Transition, task: Task, asked: bool) -> None:
    intent = tx.intent
    if _past(task.deadline_at, tx.now):
        routing.time_out(tx, intent.plan.by_id[task.step], asked=asked)
    elif over := next((one for one in pending_snoozes(task) if one.until <= tx.now), None):
        tx.add(e.Unsnoozed(task.step_run, over.person))
    elif _past(escalation_at(intent, task), tx.now):
        level = spec_of(intent, task).escalate[task.escalated]
        tx.add(e.Escalated(task.step_run, task.escalated + 1, level.to))
    elif _past(reminder_at(intent, task), tx.now):
        tx.add(e.Reminded(task.step_run, task.reminded + 1))


def _happen_to_delivery(tx: Transition, held: Delivery) -> None:
    if _past(held.deadline_at, tx.now):
        routing.time_out(tx, tx.intent.plan.by_id[held.step])
    elif _past(held.lease_until, tx.now):
        fail_attempt(tx, "lease_expired")
    elif _past(held.retry_at, tx.now):
        _try_again(tx, held)


def fail_attempt(tx: Transition, reason: str, retry_after: timedelta = timedelta(0)) -> None:
    """Record that the current attempt failed: back off and retry, or fail the step after the last attempt.
    ``retry_after``: the minimum pause, limited to ``LONGEST_RETRY_AFTER``.
    """
    held = tx.intent.open
    if not isinstance(held, Delivery):
        raise TypeError("no delivery is open")
    step = tx.intent.plan.agent_step(held.step)
    if held.attempt < step.max_attempts:
        pause = (PUSH_BACKOFF if held.push else step.backoff).after(held.attempt)
        pause = max(pause, min(retry_after, LONGEST_RETRY_AFTER))
        tx.add(e.AttemptFailed(held.step_run, held.attempt, reason, tx.now + pause))
        return
    routing.finish_step(tx, e.AttemptFailed(held.step_run, held.attempt, reason))
