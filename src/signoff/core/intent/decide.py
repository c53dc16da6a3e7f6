"""The rules. ``states.ALLOWED`` says which command is possible in which state; one short function per command decides
its effect, or why it is refused, here or in the module that the table at the end names.

Everything here is pure: the time is the transition's ``now``, the actor has already been authorized by
``authorize_command``, and a refusal (``Refused``) leaves no fact behind. A final intent accepts only a late tick, which
has no effect.
"""

from collections.abc import Callable
from typing import Any, Final

from signoff.core.errors import Conflict, Invalid
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent import rerun, routing, task_commands, understaffed
from signoff.core.intent.contradictions import refuse_contradiction
from signoff.core.intent.eligibility import named
from signoff.core.intent.history_limit import refuse_overgrown, refuse_overlong
from signoff.core.intent.model import Delivery, DeliveryState, Failure, Status, Task
from signoff.core.intent.states import ALLOWED, IGNORED_LATE, OF_TASK, State, state_of
from signoff.core.intent.timers import fail_attempt, tick
from signoff.core.intent.transition import Transition
from signoff.core.plan.answers import check_answer
from signoff.core.plan.plan import AgentStep, HumanStep, Plan
from signoff.core.plan.schedules import PUSH_LEASE
from signoff.core.plan.task_types import Ending, Meaning, TaskSpec


def decide(tx: Transition, command: c.Command) -> None:
    """Add to the transition the facts that follow from the command; raises Refused if it is not allowed now."""
    if isinstance(command, c.Submit):
        submit(tx, command)
        return
    state = state_of(tx.intent)
    if type(command) in ALLOWED[state]:
        refuse_overlong(tx.intent, command)
        _RULES[type(command)](tx, command)
        understaffed.after(tx)
    elif state is State.FINAL or type(command) not in IGNORED_LATE:
        raise _refusal(tx, state, command)


def _refusal(tx: Transition, state: State, command: c.Command) -> Conflict:
    """The refusal of a command that the table does not allow, as specific as the state permits."""
    intent = tx.intent
    of_task = type(command) in OF_TASK or (isinstance(command, c.Cancel) and command.step_run)
    if of_task and intent.ending is not None:
        return task_commands.already_decided(intent)
    if state is State.FINAL:
        return Conflict(
            "intent_terminal",
            f"The intent is {intent.status.value} and final.",
            details={"status": intent.status.value},
            hint="Send a new one."
            if intent.status is Status.COMPLETED
            else "Send a new one, for example with signoff intents retry.",
        )
    if of_task:
        return task_commands.nothing_open(intent)
    _delivery(tx, getattr(command, "step_run", 0))
    return _NOT_READY if isinstance(command, c.Claim) else _STALE


AGENT_KILLED: Final = "agent_killed"  # why an attempt failed
_NOT_READY: Final = Conflict("not_ready", "There is nothing to claim now.")
_STALE: Final = Conflict(
    "stale_delivery",
    "This delivery is no longer yours: its lease expired, or another worker claimed it.",
    hint="Drop the work; the current worker reports it.",
)


def submit(tx: Transition, command: c.Submit) -> None:
    if command.deadline_at is not None and command.deadline_at <= tx.now:
        raise Invalid("deadline_passed", "deadline_at is in the past.", field="deadline_at")
    if command.rerun_until is not None and command.rerun_until <= tx.now:
        raise rerun.too_old()
    tx.create(
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
            rerun_of=command.rerun.source if command.rerun else "",
            deadline_at=command.deadline_at,
            delegates=_delegates(tx, command.plan),
            self_approval=_self_approval(tx, command.plan),
            traceparent=command.traceparent,
            by_admin=_by_admin(tx, command),
        ),
        command.plan,
    )
    if command.rerun is None:
        routing.start_step(tx, command.plan.entry or command.plan.steps[0].id)
    else:
        tx.add(command.rerun)
        routing.start_step(tx, command.rerun.start)


def _delegates(tx: Transition, plan: Plan) -> dict[str, tuple[str, ...]] | None:
    """The current delegates of the people whom the plan names."""
    asking = [named(step.task) for step in plan.steps if isinstance(step, HumanStep)]
    if tx.membership is None or not asking:
        return None
    return tx.membership.delegates(frozenset().union(*asking), tx.now)


def _by_admin(tx: Transition, command: c.Submit) -> bool:
    if tx.membership is None or not command.plan.has_gate:
        return False
    return tx.membership.any_admin(command.requester.persons)


def _self_approval(tx: Transition, plan: Plan) -> bool | None:
    asks = any(isinstance(step, HumanStep) for step in plan.steps)
    return tx.membership.new_self_approval if tx.membership is not None and asks else None


# -- agents


def _delivery(tx: Transition, step_run: int) -> tuple[Delivery, AgentStep]:
    """The open delivery that a command refers to; raises Conflict if the intent has moved on."""
    held = tx.intent.open
    if isinstance(held, Task) and step_run in (0, held.step_run):
        raise Conflict(
            "awaiting_decision",
            "The intent is waiting for a person's decision, not for an agent's result.",
            hint="A person answers the task.",
        )
    if not isinstance(held, Delivery) or step_run not in (0, held.step_run):
        raise Conflict("step_finished", "This step has ended: its result was recorded, or it was abandoned.")
    return held, tx.intent.plan.agent_step(held.step)


def _holding(tx: Transition, step_run: int, token: int) -> Delivery:
    held, _ = _delivery(tx, step_run)
    if held.state is not DeliveryState.LEASED or held.token != token:
        raise _STALE
    return held


def claim(tx: Transition, command: c.Claim) -> None:
    held, _ = _delivery(tx, 0)
    token = tx.next_seq
    tx.add(e.Claimed(held.step_run, held.attempt, token, command.holder, tx.now + command.lease))


def renew(tx: Transition, command: c.Renew) -> None:
    _holding(tx, command.step_run, command.token)
    tx.add(e.Renewed(tx.now + command.lease))


def release(tx: Transition, command: c.Release) -> None:
    held = _holding(tx, command.step_run, command.token)
    tx.add(e.Released(held.step_run, held.token))


def recall(tx: Transition, command: c.Recall) -> None:
    held = tx.intent.open
    if isinstance(held, Delivery) and (held.agent, held.step_run) == (command.agent, command.step_run):
        fail_attempt(tx, AGENT_KILLED)


def report(tx: Transition, command: c.Report) -> None:
    held, step = _delivery(tx, command.step_run)
    if held.state is DeliveryState.LEASED or command.token:
        _holding(tx, command.step_run, command.token)
    fault, revision = command.fault, tx.intent.revision
    if fault is None:
        routing.finish_step(tx, e.Reported(held.step_run, held.step, command.result, revision=revision))
    elif fault.retryable and held.failures < step.max_retries:
        again = tx.now + step.retry_delay
        tx.add(e.Reported(held.step_run, held.step, command.result, fault, again, revision))
    else:
        routing.finish_step(
            tx, e.Reported(held.step_run, held.step, command.result, fault, revision=revision)
        )


def accept_push(tx: Transition, command: c.AcceptPush) -> None:
    if _pushed(tx, command.step_run, command.attempt):
        tx.add(e.PushAccepted(command.step_run, command.attempt, tx.now + PUSH_LEASE))


def fail_push(tx: Transition, command: c.FailPush) -> None:
    if _pushed(tx, command.step_run, command.attempt):
        fail_attempt(tx, command.reason, command.retry_after)


def _pushed(tx: Transition, step_run: int, attempt: int) -> bool:
    """Whether a push result is for the current attempt; older ones have no effect."""
    held = tx.intent.open
    return isinstance(held, Delivery) and (held.step_run, held.attempt, held.state) == (
        step_run,
        attempt,
        DeliveryState.OFFERED,
    )


def report_progress(tx: Transition, command: c.ReportProgress) -> None:
    held = tx.intent.open
    if isinstance(held, Task):
        raise Conflict(
            "awaiting_decision", "The intent waits for a person's decision.", hint="Answer its task."
        )
    pushed = isinstance(held, Delivery) and held.state is DeliveryState.ACCEPTED
    tx.add(e.ProgressReported(command.reason, tx.now + PUSH_LEASE if pushed else None))


# -- people


def answer(tx: Transition, command: c.Answer) -> None:
    held = tx.intent.open
    if isinstance(held, Delivery) and tx.intent.plan.direct and command.step_run in (0, held.step_run):
        _operate(tx, held, command)
    else:
        task_commands.answer(tx, command)


def _operate(tx: Transition, held: Delivery, command: c.Answer) -> None:
    """End a direct intent on behalf of a person, in place of its agent (AXP's ``tasks approve`` on an intent without a
    task).
    """
    refuse_contradiction(TaskSpec(), command.outcome, command.data)
    outcome, meaning = check_answer(TaskSpec(), command.outcome, command.comment, command.data)
    result = {**command.data, "outcome": outcome}
    no = (
        Failure("human_rejected", f"A person decided: {outcome}.")
        if meaning is not Meaning.APPROVES
        else None
    )
    reported = e.Reported(held.step_run, held.step, result, no, revision=tx.intent.revision)
    routing.finish_step(tx, reported, command.comment)


# -- from outside


def resolve(tx: Transition, command: c.Resolve) -> None:
    _withdraw(tx)
    if command.fault is not None:
        tx.add(e.Failed(command.fault))
        return
    if tx.intent.setback is not None:
        raise Conflict(
            "step_failed",
            f"This intent cannot be marked as completed: {tx.intent.setback.message}",
            details={"code": tx.intent.setback.code},
            hint="Report the open step's result, or end the intent as FAILED or CANCELED.",
        )
    if tx.intent.status is not Status.IN_PROGRESS:
        tx.add(e.ProgressReported("resolved"))
    tx.add(e.Completed(command.result))


def cancel(tx: Transition, command: c.Cancel) -> None:
    if command.step_run:
        task_commands.open_task(tx, command.step_run)
    _withdraw(tx)
    tx.add(e.Canceled(command.reason))


def _withdraw(tx: Transition) -> None:
    task = tx.intent.open
    if isinstance(task, Task):
        tx.add(e.Decided(task.step_run, task.step, Ending.WITHDRAWN.value, Ending.WITHDRAWN, Meaning.REJECTS))


def check_staffing(tx: Transition, command: c.CheckStaffing) -> None:
    task = tx.intent.open
    if isinstance(task, Task) and task.step_run == command.step_run:
        understaffed.move_on(tx)


def patch_controls(tx: Transition, command: c.PatchControls) -> None:
    generation = tx.intent.generation
    if command.expected not in (None, generation):
        raise Conflict(
            "stale_policy_generation",
            f"The generation is {generation}, not {command.expected}.",
            details={"policy_generation": generation},
        )
    pairs = (
        (tx.intent.controls, command.controls),
        (tx.intent.grants, command.grants),
        (tx.intent.envelope, command.envelope),
    )
    refuse_overgrown(tx.intent, tuple({**there, **new} for there, new in pairs))
    tx.add(e.ControlsPatched(generation + 1, command.controls, command.grants, command.envelope))


_RULES: Final[dict[type, Callable[[Transition, Any], None]]] = {
    c.Claim: claim,
    c.Renew: renew,
    c.Release: release,
    c.Recall: recall,
    c.Report: report,
    c.AcceptPush: accept_push,
    c.FailPush: fail_push,
    c.Answer: answer,
    c.Delegate: task_commands.delegate,
    c.Reassign: task_commands.reassign,
    c.MarkReviewing: task_commands.mark_reviewing,
    c.Snooze: task_commands.snooze,
    c.Unsnooze: task_commands.unsnooze,
    c.AddComment: task_commands.add_comment,
    c.Revise: task_commands.revise,
    c.ReportUnreachable: task_commands.report_unreachable,
    c.CheckStaffing: check_staffing,
    c.ReportProgress: report_progress,
    c.Resolve: resolve,
    c.Cancel: cancel,
    c.PatchControls: patch_controls,
    c.Tick: lambda tx, command: tick(tx, asked=command.asked),
}
