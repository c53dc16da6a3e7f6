"""The rules. ``states.ALLOWED`` says which command is possible in which state; one short function per command says
what it brings about or why not. Nothing else in the product judges these questions.

Everything here is pure: the moment is the ledger's ``now``, the actor was let in by ``access.may`` before, and a
refusal (``Refused``) leaves no fact behind. Final is final: only a late tick is accepted, and it does nothing.
"""

from collections.abc import Callable
from typing import Any, Final

from signoff.core.errors import Conflict, Invalid
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent import rerun, routing, task_commands, understaffed
from signoff.core.intent.contradictions import refuse_contradiction
from signoff.core.intent.eligibility import named
from signoff.core.intent.model import Delivery, Fault, Hold, Status, Task
from signoff.core.intent.states import ALLOWED, IGNORED_LATE, OF_TASK, State, state_of
from signoff.core.intent.timers import lapse, tick
from signoff.core.intent.transition import Ledger
from signoff.core.plan.plan import AgentStep, HumanStep, Plan
from signoff.core.plan.schedules import PUSH_LEASE
from signoff.core.plan.task_types import Ending, Sign, TaskSpec, check_answer


def decide(book: Ledger, command: c.Command) -> None:
    """Write into the book what follows from the command; raises Refused when it may not happen now."""
    if isinstance(command, c.Submit):
        submit(book, command)
        return
    state = state_of(book.intent)
    if type(command) in ALLOWED[state]:
        _RULES[type(command)](book, command)
        understaffed.after(book)
    elif state is State.FINAL or type(command) not in IGNORED_LATE:
        raise _refusal(book, state, command)


def _refusal(book: Ledger, state: State, command: c.Command) -> Conflict:
    """Why the table does not allow the command, as precisely as the state lets us say."""
    intent = book.intent
    of_task = type(command) in OF_TASK or (isinstance(command, c.Cancel) and command.visit)
    if of_task and intent.ending is not None:
        return task_commands.already_decided(intent)
    if state is State.FINAL:
        return Conflict(
            "intent_terminal",
            f"The intent is {intent.status.value} and final.",
            details={"status": intent.status.value},
            hint="Send a new one."
            if intent.status is Status.COMPLETED
            else "Send a new one; signoff intents retry does.",
        )
    if of_task:
        return task_commands.nothing_open(intent)
    _delivery(book, getattr(command, "visit", 0))
    return _NOT_READY if isinstance(command, c.Claim) else _STALE


_NOT_READY: Final = Conflict("not_ready", "There is nothing to take here now.")
_STALE: Final = Conflict(
    "stale_delivery",
    "This delivery is no longer yours: its lease ran out, or it was handed to another worker.",
    hint="Drop the work; the current holder reports it.",
)


def submit(book: Ledger, command: c.Submit) -> None:
    if command.deadline_at is not None and command.deadline_at <= book.now:
        raise Invalid("deadline_passed", "deadline_at lies in the past.", field="deadline_at")
    if command.carried_until is not None and command.carried_until <= book.now:
        raise rerun.too_old()
    book.create(
        command.id,
        e.Created(
            workspace=command.workspace,
            intent_type=command.type,
            requester=command.requester,
            payload_digest=command.payload_digest,
            plan_digest=command.plan_digest,
            to_agent=command.to_agent,
            reply_to=command.reply_to,
            correlation_id=command.correlation_id,
            scenario_id=command.scenario_id,
            retry_of=command.retry_of,
            rerun_of=command.carried.source if command.carried else "",
            deadline_at=command.deadline_at,
            stand_ins=_covered(book, command.plan),
            self_approval=_self_approval(book, command.plan),
        ),
        command.plan,
    )
    if command.carried is None:
        routing.start(book, command.plan.entry or command.plan.steps[0].id)
    else:
        book.add(command.carried)
        routing.start(book, command.carried.start)


def _covered(book: Ledger, plan: Plan) -> dict[str, tuple[str, ...]] | None:
    """Who is named to stand in for those whom the plan asks, now."""
    asking = [named(step.task) for step in plan.steps if isinstance(step, HumanStep)]
    if book.membership is None or not asking:
        return None
    return book.membership.stand_ins(frozenset().union(*asking), book.now)


def _self_approval(book: Ledger, plan: Plan) -> bool | None:
    asks = any(isinstance(step, HumanStep) for step in plan.steps)
    return book.membership.self_approval if book.membership is not None and asks else None


# -- agents


def _delivery(book: Ledger, visit: int) -> tuple[Delivery, AgentStep]:
    """The open delivery that a command speaks of; Conflict when the intent is elsewhere by now."""
    held = book.intent.open
    if isinstance(held, Task) and visit in (0, held.visit):
        raise Conflict(
            "awaiting_decision",
            "The intent waits for a person's decision; an agent's result is not one.",
            hint="A person answers the task.",
        )
    if not isinstance(held, Delivery) or visit not in (0, held.visit):
        raise Conflict(
            "step_finished", "This step is over; its result was recorded before or it was given up."
        )
    return held, book.intent.plan.agent_step(held.step)


def _holding(book: Ledger, visit: int, token: int) -> Delivery:
    held, _ = _delivery(book, visit)
    if held.hold is not Hold.LEASED or held.token != token:
        raise _STALE
    return held


def claim(book: Ledger, command: c.Claim) -> None:
    held, _ = _delivery(book, 0)
    token = book.next_seq
    book.add(e.Claimed(held.visit, held.attempt, token, command.holder, book.now + command.lease))


def renew(book: Ledger, command: c.Renew) -> None:
    _holding(book, command.visit, command.token)
    book.add(e.Renewed(book.now + command.lease))


def release(book: Ledger, command: c.Release) -> None:
    held = _holding(book, command.visit, command.token)
    book.add(e.Released(held.visit, held.token))


def report(book: Ledger, command: c.Report) -> None:
    held, step = _delivery(book, command.visit)
    if held.hold is Hold.LEASED or command.token:
        _holding(book, command.visit, command.token)
    fault, revision = command.fault, book.intent.revision
    if fault is None:
        routing.over(book, e.Reported(held.visit, held.step, command.result, revision=revision))
    elif fault.retryable and held.failures < step.max_retries:
        again = book.now + step.retry_delay
        book.add(e.Reported(held.visit, held.step, command.result, fault, again, revision))
    else:
        routing.over(book, e.Reported(held.visit, held.step, command.result, fault, revision=revision))


def accept(book: Ledger, command: c.Accept) -> None:
    if _pushed(book, command.visit, command.attempt):
        book.add(e.Accepted(command.visit, command.attempt, book.now + PUSH_LEASE))


def miss(book: Ledger, command: c.Miss) -> None:
    if _pushed(book, command.visit, command.attempt):
        lapse(book, command.reason)


def _pushed(book: Ledger, visit: int, attempt: int) -> bool:
    """Whether the courier's news is about the present attempt; old news changes nothing."""
    held = book.intent.open
    return isinstance(held, Delivery) and (held.visit, held.attempt, held.hold) == (
        visit,
        attempt,
        Hold.READY,
    )


def progress(book: Ledger, command: c.Progress) -> None:
    held = book.intent.open
    if isinstance(held, Task):
        raise Conflict(
            "awaiting_decision", "The intent waits for a person's decision.", hint="Answer its task."
        )
    pushed = isinstance(held, Delivery) and held.hold is Hold.ACCEPTED
    book.add(e.Progressed(command.reason, book.now + PUSH_LEASE if pushed else None))


# -- people


def answer(book: Ledger, command: c.Answer) -> None:
    held = book.intent.open
    if isinstance(held, Delivery) and book.intent.plan.direct and command.visit in (0, held.visit):
        _operate(book, held, command)
    else:
        task_commands.answer(book, command)


def _operate(book: Ledger, held: Delivery, command: c.Answer) -> None:
    """A person ends a direct intent in its agent's place (AXP: ``tasks approve`` on an intent without a task)."""
    refuse_contradiction(TaskSpec(), command.outcome, command.data)
    outcome, sign = check_answer(TaskSpec(), command.outcome, command.comment, command.data)
    result = {**command.data, "outcome": outcome}
    no = Fault("human_rejected", f"A person decided: {outcome}.") if sign is not Sign.POSITIVE else None
    reported = e.Reported(held.visit, held.step, result, no, revision=book.intent.revision)
    routing.over(book, reported, command.comment)


# -- from outside


def resolve(book: Ledger, command: c.Resolve) -> None:
    _withdraw(book)
    if command.fault is not None:
        book.add(e.Failed(command.fault))
        return
    if book.intent.setback is not None:
        raise Conflict(
            "step_failed",
            f"This intent cannot be declared completed: {book.intent.setback.message}",
            details={"code": book.intent.setback.code},
            hint="Report the open step's result, or end the intent as FAILED or CANCELED.",
        )
    if book.intent.status is not Status.IN_PROGRESS:
        book.add(e.Progressed("resolved"))
    book.add(e.Completed(command.result))


def cancel(book: Ledger, command: c.Cancel) -> None:
    if command.visit:
        task_commands.open_task(book, command.visit)
    _withdraw(book)
    book.add(e.Canceled(command.reason))


def _withdraw(book: Ledger) -> None:
    task = book.intent.open
    if isinstance(task, Task):
        book.add(e.Decided(task.visit, task.step, Ending.WITHDRAWN.value, Ending.WITHDRAWN, Sign.NEGATIVE))


def recheck(book: Ledger, command: c.Recheck) -> None:
    task = book.intent.open
    if isinstance(task, Task) and task.visit == command.visit:
        understaffed.move_on(book)


def patch(book: Ledger, command: c.Patch) -> None:
    generation = book.intent.generation
    if command.expected not in (None, generation):
        raise Conflict(
            "stale_policy_generation",
            f"The generation is {generation}, not {command.expected}.",
            details={"policy_generation": generation},
        )
    book.add(e.Patched(generation + 1, command.controls, command.grants, command.envelope))


_RULES: Final[dict[type, Callable[[Ledger, Any], None]]] = {
    c.Claim: claim,
    c.Renew: renew,
    c.Release: release,
    c.Report: report,
    c.Accept: accept,
    c.Miss: miss,
    c.Answer: answer,
    c.Delegate: task_commands.delegate,
    c.Reassign: task_commands.reassign,
    c.Take: task_commands.take,
    c.Snooze: task_commands.snooze,
    c.Wake: task_commands.wake,
    c.Remark: task_commands.remark,
    c.Revise: task_commands.revise,
    c.Unreachable: task_commands.unreachable,
    c.Recheck: recheck,
    c.Progress: progress,
    c.Resolve: resolve,
    c.Cancel: cancel,
    c.Patch: patch,
    c.Tick: lambda book, _: tick(book),
}
