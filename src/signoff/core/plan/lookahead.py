"""The steps that may run after an answer: every step that follows a human step, and the answers that lead to it.

Approvers see all of them, because an agent's ``input`` is part of what runs, just like the payload.
"""

from typing import Any

import msgspec

from signoff.core.plan.plan import After as After
from signoff.core.plan.plan import AgentStep, HumanStep, NotifyStep, Plan, Step
from signoff.core.plan.task_types import Meaning


class UpcomingStep(msgspec.Struct, frozen=True):
    """A step, and the answers that it may follow. ``detour``: whether it runs only if an earlier step does not
    succeed; ``outcomes``: the approving outcomes that lead to it, if not all of them do.
    """

    step: Step
    after: tuple[After, ...]
    detour: bool = False
    outcomes: tuple[str, ...] = ()

    @property
    def given(self) -> dict[str, Any]:
        """The step's input that is in the plan but not in the payload."""
        match self.step:
            case AgentStep(input=given):
                return given or {}
            case NotifyStep(to=to, message=message):
                return {"to": list(to), "message": message}
        return {}


def upcoming_steps(plan: Plan, gate: HumanStep) -> tuple[UpcomingStep, ...]:
    """Every step to which an answer to the task may lead, directly or through other steps: those after an approval
    first, each path in order.
    """
    found: dict[str, list[After]] = {}
    straight: set[str] = set()
    approved: dict[str, set[str]] = {}  # the steps that follow each target of an approving outcome
    for route in plan.routes(gate):
        straight |= _straight(plan, gate, route.target)
        reached = _reached(plan, gate, route.target)
        if route.after is After.YES:
            approved[route.target] = set(reached)
        for step_id in reached:
            after = found.setdefault(step_id, [])
            if route.after not in after:
                after.append(route.after)
    chosen = _chosen(plan, gate, approved)
    return tuple(
        UpcomingStep(plan.by_id[step_id], tuple(after), step_id not in straight, chosen.get(step_id, ()))
        for step_id, after in found.items()
    )


def _chosen(plan: Plan, gate: HumanStep, approved: dict[str, set[str]]) -> dict[str, tuple[str, ...]]:
    """For each step that only some approving outcomes lead to, those outcomes. ``approved``: the steps that follow
    each target.
    """
    if len(approved) < 2:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for name in gate.task.outcomes_meaning(Meaning.APPROVES):
        route = plan.after_outcome(gate, name)
        for step_id in approved.get(route.target, ()) if route else ():
            found[step_id] = (*found.get(step_id, ()), name)
    everywhere = set.intersection(*approved.values())
    return {step_id: names for step_id, names in found.items() if step_id not in everywhere}


def _straight(plan: Plan, gate: HumanStep, target: str) -> set[str]:
    """The steps of a path on which every step succeeds."""
    gone: set[str] = set()
    while (step := plan.by_id.get(target)) and step.id != gate.id and step.id not in gone:
        gone.add(step.id)
        target = plan.after_success(step)
    return gone


def _reached(plan: Plan, gate: HumanStep, target: str) -> list[str]:
    """The steps of a path, up to the human step itself, which would ask again. Success routes are followed first."""
    reached: dict[str, None] = {}
    waiting: list[str] = [target]
    while waiting:
        step = plan.by_id.get(waiting.pop())  # the end has no step
        if step is None or step.id == gate.id or step.id in reached:
            continue
        reached[step.id] = None
        waiting += [route.target for route in reversed(plan.routes(step))]
    return list(reached)
