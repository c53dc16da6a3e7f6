"""What may still run once a person has answered: every step ahead of a human step, and which answers lead to it.

Whoever decides is shown all of it, for an agent's ``input`` is as much a part of what runs as the payload is.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from signoff.core.plan import AgentStep, HumanStep, NotifyStep, Plan, Step
from signoff.core.tasks import Fallback, Sign, sign_of


class After(StrEnum):
    """What a step may follow: a yes, a no, a request for changes, or nobody's answer in time."""

    YES = "yes"
    NO = "no"
    CHANGES = "changes"
    SILENCE = "silence"


class Ahead(msgspec.Struct, frozen=True):
    """A step, and what it may follow. ``detour``: it runs only where a step before it does not succeed."""

    step: Step
    after: tuple[After, ...]
    detour: bool = False

    @property
    def given(self) -> dict[str, Any]:
        """What the step hands over that stands in the plan and not in the payload."""
        match self.step:
            case AgentStep(input=given):
                return given or {}
            case NotifyStep(to=to, message=message):
                return {"to": list(to), "message": message}
        return {}


def ahead(plan: Plan, gate: HumanStep) -> tuple[Ahead, ...]:
    """Every step that an answer to the gate may lead to, directly or by way of others: what a yes leads to first, each
    way in the order in which it would be gone.
    """
    found: dict[str, list[After]] = {}
    straight: set[str] = set()
    for after, target in _ways(plan, gate):
        straight |= _straight(plan, gate, target)
        for step_id in _reached(plan, gate, target):
            found.setdefault(step_id, []).append(after)
    return tuple(
        Ahead(plan.by_id[step_id], tuple(after), step_id not in straight) for step_id, after in found.items()
    )


def _ways(plan: Plan, gate: HumanStep) -> Iterator[tuple[After, str | None]]:
    yield After.YES, plan.after_success(gate)
    yield After.CHANGES, _on_changes(plan, gate)
    yield After.NO, gate.on_failure
    yield After.SILENCE, _on_silence(plan, gate)


def _on_changes(plan: Plan, gate: HumanStep) -> str | None:
    asked = any(sign_of(outcome, {}) is Sign.CHANGES for outcome in gate.task.outcomes)
    return plan.after_changes(gate) if asked else None


def _on_silence(plan: Plan, gate: HumanStep) -> str | None:
    """Nobody's answer ends the task where its policy or the request sets a time; what it leads to is shown anyway."""
    spec = gate.task
    if spec.fallback is Fallback.EXPIRE:
        return gate.on_timeout
    says_yes = spec.fallback is Fallback.OUTCOME and sign_of(spec.fallback_outcome, {}) is Sign.POSITIVE
    return plan.after_success(gate) if says_yes else gate.on_failure


def _straight(plan: Plan, gate: HumanStep, target: str | None) -> set[str]:
    """The steps of a way while each of them succeeds."""
    gone: set[str] = set()
    while (step := plan.by_id.get(target or "")) and step.id not in (*gone, gate.id):
        gone.add(step.id)
        target = plan.after_success(step)
    return gone


def _reached(plan: Plan, gate: HumanStep, target: str | None) -> list[str]:
    """Where a way leads, up to where it comes to the gate again: that is asked anew. The way of success is followed
    before the others.
    """
    reached: dict[str, None] = {}
    waiting = [target]
    while waiting:
        step = plan.by_id.get(waiting.pop() or "")  # none: the end
        if step is None or step.id == gate.id or step.id in reached:
            continue
        reached[step.id] = None
        changes = _on_changes(plan, step) if isinstance(step, HumanStep) else None
        waiting += [changes, step.on_timeout, step.on_failure, plan.after_success(step)]
    return list(reached)
