"""Next steps on the wire: the steps that may run after a decision, with the input of their agents."""

from signoff.core.plan.lookahead import UpcomingStep, upcoming_steps
from signoff.core.plan.plan import AgentStep, HumanStep, NotifyStep, Plan, kind_of
from signoff.web.shapes.common import maybe
from signoff.wire.common import ABSENT
from signoff.wire.tasks import NextStep


def next_steps(plan: Plan, gate: HumanStep) -> tuple[NextStep, ...]:
    """First the steps after an approval, in order; then those that follow only other answers."""
    return tuple(_next_step(one) for one in upcoming_steps(plan, gate))


def _next_step(one: UpcomingStep) -> NextStep:
    step = one.step
    after = tuple(after.value for after in one.after)
    out = NextStep(step_id=step.id, kind=kind_of(step), after=after, off_main_path=one.detour)
    match step:
        case AgentStep():
            out.agent, out.input = step.agent, step.input or ABSENT
        case NotifyStep():
            out.to, out.message = step.to, maybe(step.message)
    return out
