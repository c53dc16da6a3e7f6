"""The next steps on the card: who runs them, and their input in addition to the payload. Pure."""

from collections.abc import Callable
from typing import Final

import msgspec

from signoff.core.plan.lookahead import After, UpcomingStep, upcoming_steps
from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, NotifyStep, Plan
from signoff.core.plan.wording import label
from signoff.core.text.durations import format_duration
from signoff.core.text.json_diff import Group, group

_AFTER: Final = {After.NO: "a rejection", After.CHANGES: "a request for changes", After.SILENCE: "expiry"}


class NextStepLine(msgspec.Struct, frozen=True):
    """One step. ``does``: what happens in it; agent: its address; instead: the answers that lead to it, if not an
    approval; detour: whether it runs only if an earlier step does not succeed; given: its input in addition to the
    payload; absent: a note that its agent has no worker; retries: how often it is retried after a retryable error.
    """

    step: str
    does: str
    agent: str
    instead: str
    detour: bool
    given: Group
    absent: str = ""
    retries: int = 0

    @property
    def unseen(self) -> bool:
        """Whether some input cannot be read in full. The reason may also be its name, which the author chooses."""
        return self.given.folded or self.given.masked


def next_step_lines(
    plan: Plan, gate: HumanStep, opened: bool, missing: Callable[[str], str] = lambda agent: ""
) -> tuple[NextStepLine, ...]:
    """First the steps after an approval, in order; then those that follow only other answers. missing: returns the
    note for an agent without a worker.
    """
    return tuple(_following(one, gate, opened, missing) for one in upcoming_steps(plan, gate))


def _following(
    one: UpcomingStep, gate: HumanStep, opened: bool, missing: Callable[[str], str]
) -> NextStepLine:
    step = one.step
    agent = step.agent if isinstance(step, AgentStep) else ""
    others = [_AFTER[after] for after in one.after if after is not After.YES]
    chosen = [f"“{label(gate.task, name)}”" for name in one.outcomes]
    instead = " or ".join([*chosen, *others]) if chosen or After.YES not in one.after else ""
    inputs = group(one.given, opened) if one.given else Group()
    retries = step.max_retries if isinstance(step, AgentStep) else 0
    value = missing(agent) if agent else ""
    return NextStepLine(step.id, _does(one), agent, instead, one.detour, inputs, value, retries)


def _does(one: UpcomingStep) -> str:
    match one.step:
        case AgentStep():
            return "runs it."
        case HumanStep():
            return "People are asked again."
        case DelayStep(lasts=lasts):
            return f"Waits for {format_duration(lasts, exact=True)}."
        case NotifyStep():
            return "People are notified."
