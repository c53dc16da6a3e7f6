"""What may run after the answer, as the card shows it: who does it, and what is given beside the payload. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from signoff.core.directory.workers import Worker, missing_worker_text
from signoff.core.plan.lookahead import After, UpcomingStep, upcoming_steps
from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, NotifyStep, Plan
from signoff.core.text.durations import format_duration
from signoff.core.text.json_diff import Group, group
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.directory.workers import asks

_AFTER: Final = {After.NO: "a rejection", After.CHANGES: "a request for changes", After.SILENCE: "expiry"}


class NextStepLine(msgspec.Struct, frozen=True):
    """One step. ``does``: what happens there; agent: the address of who does it; instead: the answers that lead to it,
    where a yes does not; detour: it runs only if a step before it does not succeed; given: what is handed over beside
    the payload; absent: that nobody works as this agent, in words;
    retries: how often it is tried again after a failure that may pass.
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
        """Whether what is handed over is not all there to be read: also for its name, which anybody can give it."""
        return self.given.folded or self.given.masked


def next_step_lines(
    plan: Plan, gate: HumanStep, opened: bool, missing: Callable[[str], str] = lambda agent: ""
) -> tuple[NextStepLine, ...]:
    """What a yes leads to first, in order; then what only other answers lead to. missing: what to say of an agent."""
    return tuple(_following(one, opened, missing) for one in upcoming_steps(plan, gate))


def absent(agent: str, directory: Snapshot, workers: Mapping[str, Worker], now: datetime) -> str:
    """That nobody works as this agent, in words; "" where somebody does, or where it is called."""
    return missing_worker_text(agent, workers.get(agent), now) if asks(agent, directory) else ""


def _following(one: UpcomingStep, opened: bool, missing: Callable[[str], str]) -> NextStepLine:
    step = one.step
    agent = step.agent if isinstance(step, AgentStep) else ""
    instead = "" if After.YES in one.after else " or ".join(_AFTER[after] for after in one.after)
    given = group(one.given, opened) if one.given else Group()
    retries = step.max_retries if isinstance(step, AgentStep) else 0
    said = missing(agent) if agent else ""
    return NextStepLine(step.id, _does(one), agent, instead, one.detour, given, said, retries)


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
