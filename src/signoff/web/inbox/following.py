"""What may run after the answer, as the card shows it: who does it, and what is given beside the payload. Pure."""

from typing import Final

import msgspec

from signoff.core.ahead import After, Ahead, ahead
from signoff.core.durations import show_duration
from signoff.core.plan import AgentStep, DelayStep, HumanStep, NotifyStep, Plan
from signoff.web.inbox.changes import Group, group

_AFTER: Final = {After.NO: "a no", After.CHANGES: "a request for changes", After.SILENCE: "silence"}


class Following(msgspec.Struct, frozen=True):
    """One step. ``does``: what happens there; agent: the address of who does it; instead: the answers that lead to it,
    where a yes does not; detour: it runs only if a step before it does not succeed; given: what is handed over beside
    the payload.
    """

    step: str
    does: str
    agent: str
    instead: str
    detour: bool
    given: Group

    @property
    def unseen(self) -> bool:
        """Whether what is handed over is not all there to be read: also for its name, which anybody can give it."""
        return self.given.folded or self.given.masked


def following(plan: Plan, gate: HumanStep, opened: bool) -> tuple[Following, ...]:
    """What a yes leads to first, in order; then what only other answers lead to."""
    return tuple(_following(one, opened) for one in ahead(plan, gate))


def _following(one: Ahead, opened: bool) -> Following:
    step = one.step
    agent = step.agent if isinstance(step, AgentStep) else ""
    instead = "" if After.YES in one.after else " or ".join(_AFTER[after] for after in one.after)
    given = group(one.given, opened) if one.given else Group()
    return Following(step.id, _does(one), agent, instead, one.detour, given)


def _does(one: Ahead) -> str:
    match one.step:
        case AgentStep():
            return "runs it."
        case HumanStep():
            return "People are asked again."
        case DelayStep(lasts=lasts):
            return f"It waits for {show_duration(lasts)}."
        case NotifyStep():
            return "People are told."
