"""What may run after a decision, on the wire: the steps ahead of a task, with what their agents will be given."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from signoff.core.plan.lookahead import Ahead, ahead
from signoff.core.plan.plan import AgentStep, HumanStep, NotifyStep, Plan
from signoff.web.shapes.common import Text, maybe
from signoff.web.shapes.intents import kind_of


class NextStep(Struct, kw_only=True):
    """A step that an answer may lead to. after: yes, no, changes and silence, those of them that lead to it;
    off_main_path: it runs only if a step before it does not succeed; agent: who runs it; input: what that agent gets
    with the payload; to, message: who is notified of what.
    """

    step_id: str
    kind: str
    after: tuple[str, ...]
    off_main_path: bool
    agent: Text = UNSET
    input: dict[str, Any] | UnsetType = UNSET
    to: tuple[str, ...] | UnsetType = UNSET
    message: Text = UNSET


def next_steps(plan: Plan, gate: HumanStep) -> tuple[NextStep, ...]:
    """What a yes leads to first, in order; then what only other answers lead to."""
    return tuple(_next_step(one) for one in ahead(plan, gate))


def _next_step(one: Ahead) -> NextStep:
    step = one.step
    after = tuple(after.value for after in one.after)
    out = NextStep(step_id=step.id, kind=kind_of(step), after=after, off_main_path=one.detour)
    match step:
        case AgentStep():
            out.agent, out.input = step.agent, step.input or UNSET
        case NotifyStep():
            out.to, out.message = step.to, maybe(step.message)
    return out
