"""A plan: the steps an intent goes through, frozen when it was submitted.

``check_plan`` is where a plan is refused: an unknown route, a step nobody can reach an end from, a duplicate id.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.choice import Choice
from signoff.core.errors import Invalid
from signoff.core.ids import MAX_VISITS
from signoff.core.tasks import TaskSpec
from signoff.core.timing import Backoff

MAX_STEPS: Final = 100
DEFAULT_LEASE: Final = timedelta(seconds=30)
END: Final = "end"


class StepBase(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What every step has. Routes name a step or ``end``; None means the default of section 4 of the design."""

    id: str
    on_success: str | None = None
    on_failure: str | None = None
    on_timeout: str | None = None
    on_changes: str | None = None
    deadline: timedelta | None = None


class AgentStep(StepBase, frozen=True, tag="agent", omit_defaults=True, kw_only=True):
    """Hand the intent to an agent and take its result. ``push`` when the agent is called by HTTP."""

    agent: str
    input: dict[str, Any] | None = None
    max_attempts: int = 3
    max_retries: int = 0
    retry_delay: timedelta = timedelta(seconds=30)
    backoff: Backoff = Backoff()
    push: bool = False


class HumanStep(StepBase, frozen=True, tag="human", omit_defaults=True, kw_only=True):
    """Open a task for people and wait for their decision. ``choices``: of policies, by what is in the payload;
    ``chosen``: which of them it was, once the task names a policy; ``lent``: which of the step's fields a policy filled
    in, so that another version of it, or another one, can take them back.
    """

    task: TaskSpec
    choices: tuple[Choice, ...] = ()
    chosen: int = 0
    lent: tuple[str, ...] = ()

    @property
    def own(self) -> "HumanStep":
        """The step without what a policy has lent it."""
        return replace(self, **dict.fromkeys(self.lent, None), lent=()) if self.lent else self


class DelayStep(StepBase, frozen=True, tag="delay", omit_defaults=True, kw_only=True):
    """Wait for a while."""

    lasts: timedelta


class NotifyStep(StepBase, frozen=True, tag="notify", omit_defaults=True, kw_only=True):
    """Tell somebody and go on."""

    to: tuple[str, ...] = ()
    message: str = ""


Step = AgentStep | HumanStep | DelayStep | NotifyStep


class Plan(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """steps in order; ``direct`` when the intent itself is what the agent gets (one implied step)."""

    steps: tuple[Step, ...] = ()
    entry: str = ""
    source: str = "intent"
    direct: bool = False
    max_revisions: int = 5

    @cached_property
    def by_id(self) -> dict[str, Step]:
        return {step.id: step for step in self.steps}

    @cached_property
    def next_of(self) -> dict[str, str]:
        """Each step's neighbour in order; the last one's is ``end``."""
        ids = [step.id for step in self.steps]
        return dict(zip(ids, [*ids[1:], END], strict=True))

    @cached_property
    def has_gate(self) -> bool:
        return any(isinstance(step, HumanStep) for step in self.steps)

    @cached_property
    def has_choices(self) -> bool:
        return any(isinstance(step, HumanStep) and step.choices for step in self.steps)

    def human_step(self, step_id: str) -> HumanStep:
        """The step that a task was opened for."""
        step = self.by_id[step_id]
        if not isinstance(step, HumanStep):
            raise TypeError(f"step {step_id!r} is not a human step")
        return step

    def agent_step(self, step_id: str) -> AgentStep:
        """The step that a delivery is of."""
        step = self.by_id[step_id]
        if not isinstance(step, AgentStep):
            raise TypeError(f"step {step_id!r} is not an agent step")
        return step

    def after_success(self, step: Step) -> str:
        return step.on_success or self.next_of[step.id]

    def after_changes(self, step: Step) -> str | None:
        """Where a request for changes goes: as routed, else back to the nearest agent step before."""
        if step.on_changes:
            return step.on_changes
        before = self.steps[: [s.id for s in self.steps].index(step.id)]
        return next((s.id for s in reversed(before) if isinstance(s, AgentStep)), None)


NO_PLAN: Final = Plan()


def check_plan(plan: Plan) -> Plan:
    """The plan itself, if it can run; raises Invalid naming the step and the field."""
    if not 1 <= len(plan.steps) <= MAX_STEPS:
        raise Invalid(
            "invalid_plan", f"A plan has 1 to {MAX_STEPS} steps, this one {len(plan.steps)}.", field="steps"
        )
    if len(plan.by_id) != len(plan.steps):
        ids = [step.id for step in plan.steps]
        twice = next(i for i in ids if ids.count(i) > 1)
        raise Invalid(
            "duplicate_step", f"Two steps are called {twice!r}.", field="steps", hint="Step ids are unique."
        )
    if END in plan.by_id:
        raise Invalid("invalid_step_id", f"{END!r} is where a plan ends, not a step.", field="steps")
    if plan.entry and plan.entry not in plan.by_id:
        raise Invalid("unknown_step", f"The entry step {plan.entry!r} does not exist.", field="entry_step")
    for step in plan.steps:
        for route in ("on_success", "on_failure", "on_timeout", "on_changes"):
            target = getattr(step, route)
            if target is not None and target != END and target not in plan.by_id:
                raise Invalid(
                    "unknown_step",
                    f"Step {step.id!r}: {route} points to {target!r}, which does not exist.",
                    field=f"steps.{step.id}.{route}",
                    hint="Known steps: " + ", ".join([*plan.by_id, END]) + ".",
                )
    _check_exits(plan)
    return plan


def _check_exits(plan: Plan) -> None:
    ends = {END}
    grown = True
    while grown:
        grown = False
        for step in plan.steps:
            targets = {plan.after_success(step), step.on_failure, step.on_timeout}
            if step.id not in ends and targets & ends:
                ends.add(step.id)
                grown = True
    stuck = [step.id for step in plan.steps if step.id not in ends]
    if stuck:
        raise Invalid(
            "cycle_without_exit",
            f"From step {stuck[0]!r} no route leads to the end.",
            field=f"steps.{stuck[0]}",
            hint=f"Give {_one_of(stuck)} a route to 'end', or to a step that gets there.",
        )


def _one_of(steps: list[str]) -> str:
    return f"one of {', '.join(steps)}" if len(steps) > 1 else f"step {steps[0]!r}"


def unreached(plan: Plan) -> list[str]:
    """The steps that no route leads to, in order."""
    found = reached(plan)
    return [step.id for step in plan.steps if step.id not in found]


def reached(plan: Plan, holds: Callable[[Step], bool] = lambda step: False) -> set[str]:
    """The steps to which routes lead from the start. ``holds``: a step whose success is not followed."""
    found: set[str] = set()
    ahead: list[str | None] = [plan.entry or plan.steps[0].id]
    while ahead:
        step = plan.by_id.get(ahead.pop() or END)  # none: the end
        if step is None or step.id in found:
            continue
        found.add(step.id)
        ahead += [step.on_failure, step.on_timeout, step.on_changes]
        if not holds(step):
            ahead.append(plan.after_success(step))
        if isinstance(step, HumanStep) and "changes_requested" in step.task.outcomes:
            ahead.append(plan.after_changes(step))
    return found


def refuse_unreached(*plans: Plan) -> None:
    """Raise Invalid where a step could never run: an approval that is routed around must not look like one. Of several
    plans it is one in its variants, and a step has to run in one of them.
    """
    first, *others = map(unreached, plans)
    if lost := [step for step in first if all(step in other for other in others)]:
        raise Invalid(
            "unreached_step",
            f"No route leads to step {lost[0]!r}, so it would never run.",
            field=f"steps.{lost[0]}",
            hint="Route a step to it, or take it out.",
        )


MAX_STEP_VISITS: Final = min(500, MAX_VISITS)
