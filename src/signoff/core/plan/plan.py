"""A plan: the steps of an intent, frozen when it was submitted.

``check_plan`` refuses an invalid plan: an unknown route, a step from which the end cannot be reached, a duplicate id.
"""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.errors import Invalid
from signoff.core.ids import MAX_STEP_RUNS
from signoff.core.plan.policy_choice import PolicyChoice
from signoff.core.plan.schedules import Backoff
from signoff.core.plan.task_types import Fallback, Meaning, TaskSpec

MAX_STEPS: Final = 100
# The default retries of an agent step, set when the plan is frozen.
UNSAID: Final = -1
RETRIES_AFTER_YES: Final = 2
DEFAULT_LEASE: Final = timedelta(seconds=30)
END: Final = "end"
SUCCESS: Final = "success"  # the value of ``as`` that lets the intent complete on a route


class After(StrEnum):
    """The endings that a route may follow: an approval, a rejection, a request for changes, or expiry."""

    YES = "yes"
    NO = "no"
    CHANGES = "changes"
    SILENCE = "silence"


class Route(msgspec.Struct, frozen=True):
    """A route out of a step. ``success``: whether it is declared a success even though the step did not
    succeed.
    """

    after: After
    target: str
    success: bool = False


class StepBase(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The fields of every step. Routes name a step or ``end``; None means the default. ``on_failure_as``,
    ``on_timeout_as``: ``success`` if the workflow declares that route a success.
    """

    id: str
    on_success: str | None = None
    on_failure: str | None = None
    on_timeout: str | None = None
    on_changes: str | None = None
    deadline: timedelta | None = None
    on_failure_as: str | None = None
    on_timeout_as: str | None = None


class AgentStep(StepBase, frozen=True, tag="agent", omit_defaults=True, kw_only=True):
    """Deliver the intent to an agent and take its result. ``max_retries``: attempts after retryable failures (an
    exception, or an error that the agent reports as retryable), in addition to the first one; ``push``: whether the
    agent is called by HTTP.
    """

    agent: str
    input: dict[str, Any] | None = None
    max_attempts: int = 3
    max_retries: int = 0
    retry_delay: timedelta = timedelta(seconds=30)
    backoff: Backoff = Backoff()
    push: bool = False


class HumanStep(StepBase, frozen=True, tag="human", omit_defaults=True, kw_only=True):
    """Open a task for people and wait for their decision. ``choices``: policies to choose from by the payload;
    ``chosen``: which of them was chosen, once the task names a policy; ``from_policy``: the fields that a policy filled
    in, so that another version or policy can replace them.
    """

    task: TaskSpec
    choices: tuple[PolicyChoice, ...] = ()
    chosen: int = 0
    from_policy: tuple[str, ...] = msgspec.field(default=(), name="lent")

    @property
    def without_policy_defaults(self) -> "HumanStep":
        """The step without the fields that a policy filled in."""
        return (
            replace(self, **dict.fromkeys(self.from_policy, None), from_policy=())
            if self.from_policy
            else self
        )


class DelayStep(StepBase, frozen=True, tag="delay", omit_defaults=True, kw_only=True):
    """Wait for a time."""

    lasts: timedelta


class NotifyStep(StepBase, frozen=True, tag="notify", omit_defaults=True, kw_only=True):
    """Notify someone and continue."""

    to: tuple[str, ...] = ()
    message: str = ""


Step = AgentStep | HumanStep | DelayStep | NotifyStep


def kind_of(step: Step) -> str:
    """``agent``, ``human``, ``delay`` or ``notify``."""
    return str(step.__struct_config__.tag)


class Plan(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """Steps in order. ``direct``: whether the agent gets the intent itself, as one implied step. ``target``: the
    payload fields that say what a request is about.
    """

    steps: tuple[Step, ...] = ()
    entry: str = ""
    source: str = "intent"
    direct: bool = False
    max_revisions: int = 5
    target: tuple[str, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, Step]:
        return {step.id: step for step in self.steps}

    @cached_property
    def tasks(self) -> dict[str, TaskSpec]:
        """The task spec of each human step, by the step's id."""
        return {step.id: step.task for step in self.steps if isinstance(step, HumanStep)}

    @cached_property
    def agents(self) -> frozenset[str]:
        """The addresses of all agents that the plan calls."""
        return frozenset(step.agent for step in self.steps if isinstance(step, AgentStep))

    @cached_property
    def outline(self) -> tuple[tuple[str, str, str], ...]:
        """The id, the kind and the agent of each step, in order; "" without an agent."""
        return tuple(
            (step.id, kind_of(step), step.agent if isinstance(step, AgentStep) else "") for step in self.steps
        )

    @cached_property
    def next_of(self) -> dict[str, str]:
        """The next step of each step; the last one's is ``end``."""
        ids = [step.id for step in self.steps]
        return dict(zip(ids, [*ids[1:], END], strict=True))

    @cached_property
    def _ways(self) -> dict[str, tuple[Route, ...]]:
        return {step.id: self._routes(step) for step in self.steps}

    @cached_property
    def has_gate(self) -> bool:
        return any(isinstance(step, HumanStep) for step in self.steps)

    @cached_property
    def calls_agents(self) -> bool:
        return any(isinstance(step, AgentStep) for step in self.steps)

    @cached_property
    def has_choices(self) -> bool:
        return any(isinstance(step, HumanStep) and step.choices for step in self.steps)

    def human_step(self, step_id: str) -> HumanStep:
        """The human step with this id."""
        step = self.by_id[step_id]
        if not isinstance(step, HumanStep):
            raise TypeError(f"step {step_id!r} is not a human step")
        return step

    def agent_step(self, step_id: str) -> AgentStep:
        """The agent step with this id."""
        step = self.by_id[step_id]
        if not isinstance(step, AgentStep):
            raise TypeError(f"step {step_id!r} is not an agent step")
        return step

    def after_success(self, step: Step) -> str:
        return step.on_success or self.next_of[step.id]

    def after_outcome(self, step: HumanStep, word: str) -> Route | None:
        """The route of a decision: to the outcome's own step, or else by its meaning; None if there is no route."""
        outcome = step.task.outcome(word)
        return self._way(step, outcome.meaning, outcome.goto, success=outcome.success)

    def after_meaning(self, step: HumanStep, meaning: Meaning) -> Route | None:
        """The route of a decision with this meaning, for any outcome."""
        return self._way(step, meaning, "", success=False)

    def _way(self, step: HumanStep, meaning: Meaning, goto: str, *, success: bool) -> Route | None:
        match meaning:
            case Meaning.APPROVES:
                return Route(After.YES, goto or self.after_success(step), success=True)
            case Meaning.REQUESTS_CHANGES:
                target = goto or self.after_changes(step)
                return Route(After.CHANGES, target) if target else None
            case Meaning.REJECTS:
                return Route(After.NO, goto, success) if goto else after_failure(step)

    def after_expiry(self, step: HumanStep) -> Route | None:
        """The route of an expiry, by the policy's fallback or by the step."""
        fallback, word = step.task.fallback, step.task.fallback_outcome
        if fallback is Fallback.EXPIRE:
            return after_timeout(step)
        route = after_failure(step) if fallback is Fallback.REJECT else self.after_outcome(step, word)
        return msgspec.structs.replace(route, after=After.SILENCE) if route else None

    def routes(self, step: Step) -> tuple[Route, ...]:
        """All possible routes out of a step, the one after an approval first."""
        return self._ways[step.id] if self.by_id.get(step.id) is step else self._routes(step)

    def _routes(self, step: Step) -> tuple[Route, ...]:
        found: list[Route | None] = []
        if isinstance(step, HumanStep):
            found = [self.after_outcome(step, word) for word in step.task.outcomes]
            found += [after_failure(step), self.after_expiry(step)]  # a task may also end by expiry
        else:
            found = [Route(After.YES, self.after_success(step), success=True), after_failure(step)]
        found.append(after_timeout(step))
        ways = {(route.after, route.target): route for route in found if route is not None}
        return tuple(sorted(ways.values(), key=lambda route: _ORDER.index(route.after)))

    def after_changes(self, step: Step) -> str | None:
        """The route of a request for changes: as set, or else back to the nearest earlier agent step."""
        if step.on_changes:
            return step.on_changes
        before = self.steps[: [s.id for s in self.steps].index(step.id)]
        return next((s.id for s in reversed(before) if isinstance(s, AgentStep)), None)


def after_failure(step: Step) -> Route | None:
    """The route of a step that failed, if there is one."""
    return Route(After.NO, step.on_failure, step.on_failure_as == SUCCESS) if step.on_failure else None


def after_timeout(step: Step) -> Route | None:
    """The route of a step that timed out, if there is one."""
    return Route(After.SILENCE, step.on_timeout, step.on_timeout_as == SUCCESS) if step.on_timeout else None


_ORDER: Final = (After.YES, After.CHANGES, After.NO, After.SILENCE)
NO_PLAN: Final = Plan()


def with_default_retries(plan: Plan) -> Plan:
    """The plan with a number of retries for each agent step that does not set it: two after a person's approval, so
    that one exception does not waste an approval; otherwise none.
    """
    behind: set[str] = set()
    ahead = [
        route.target
        for gate in plan.steps
        if isinstance(gate, HumanStep)
        for route in plan.routes(gate)
        if route.after is After.YES
    ]
    while ahead:
        step = plan.by_id.get(ahead.pop())  # none: the end
        if step is not None and step.id not in behind:
            behind.add(step.id)
            ahead += [route.target for route in plan.routes(step)]
    steps = tuple(
        replace(step, max_retries=RETRIES_AFTER_YES if step.id in behind else 0)
        if isinstance(step, AgentStep) and step.max_retries == UNSAID
        else step
        for step in plan.steps
    )
    return replace(plan, steps=steps)


def check_plan(plan: Plan) -> Plan:
    """Return the plan if it is valid; raise Invalid with the step and the field otherwise."""
    if not 1 <= len(plan.steps) <= MAX_STEPS:
        raise Invalid(
            "invalid_plan", f"A plan has 1 to {MAX_STEPS} steps, this one {len(plan.steps)}.", field="steps"
        )
    if len(plan.by_id) != len(plan.steps):
        ids = [step.id for step in plan.steps]
        twice = next(i for i in ids if ids.count(i) > 1)
        raise Invalid(
            "duplicate_step",
            f"Two steps have the id {twice!r}.",
            field="steps",
            hint="Step ids must be unique.",
        )
    if END in plan.by_id:
        raise Invalid(
            "invalid_step_id",
            f"{END!r} is reserved for the end of a plan.",
            field="steps",
            hint="Rename the step.",
        )
    if plan.entry and plan.entry not in plan.by_id:
        raise Invalid("unknown_step", f"The entry step {plan.entry!r} does not exist.", field="entry_step")
    for step in plan.steps:
        for route in ("on_success", "on_failure", "on_timeout", "on_changes"):
            target = getattr(step, route)
            if target is not None:
                _check_target(plan, step, target, route, f"steps.{step.id}.{route}")
        for number, outcome in enumerate(step.task.own if isinstance(step, HumanStep) else ()):
            if outcome.goto:
                field = f"steps.{step.id}.human.outcomes[{number}].goto"
                _check_target(plan, step, outcome.goto, f"outcome {outcome.name!r}", field)
    _check_exits(plan)
    return plan


def _check_target(plan: Plan, step: Step, target: str, route: str, field: str) -> None:
    if target != END and target not in plan.by_id:
        raise Invalid(
            "unknown_step",
            f"Step {step.id!r}: {route} points to {target!r}, which does not exist.",
            field=field,
            hint="Known steps: " + ", ".join([*plan.by_id, END]) + ".",
        )


def _check_exits(plan: Plan) -> None:
    before: dict[str, list[str]] = {}
    for step in plan.steps:
        for route in plan.routes(step):
            if route.after is not After.CHANGES:
                before.setdefault(route.target, []).append(step.id)
    ends: set[str] = set()
    reaching = [END]
    while reaching:
        target = reaching.pop()
        if target not in ends:
            ends.add(target)
            reaching += before.get(target, ())
    stuck = [step.id for step in plan.steps if step.id not in ends]
    for step in plan.steps:
        if (
            step.id in stuck
            and isinstance(step, HumanStep)
            and not step.task.outcomes_meaning(Meaning.APPROVES)
        ):
            own = plan.source == "intent"
            raise Invalid(
                "no_approving_outcome",
                f"Step {step.id!r}: none of its outcomes approves ({', '.join(step.task.outcomes)}), "
                "so nothing could ever be approved.",
                field="human_task.allowed_outcomes" if own else f"steps.{step.id}",
                hint="Add approved; or apply a workflow for the intent type, which says what its outcomes mean: "
                "{name: ship, means: approve}.",
            )
    if stuck:
        raise Invalid(
            "cycle_without_exit",
            f"No route leads from step {stuck[0]!r} to the end.",
            field=f"steps.{stuck[0]}",
            hint=f"Give {_one_of(stuck)} a route to 'end', or to a step that leads there.",
        )


def _one_of(steps: list[str]) -> str:
    return f"one of {', '.join(steps)}" if len(steps) > 1 else f"step {steps[0]!r}"


def unreached(plan: Plan) -> list[str]:
    """The steps that no route leads to, in order."""
    found = reached(plan)
    return [step.id for step in plan.steps if step.id not in found]


def reached(plan: Plan, holds: Callable[[Step], bool] = lambda step: False) -> set[str]:
    """The steps that routes reach from the start. ``holds``: says for which steps the success route is not followed."""
    found: set[str] = set()
    ahead: list[str | None] = [plan.entry or plan.steps[0].id]
    while ahead:
        step = plan.by_id.get(ahead.pop() or END)  # none: the end
        if step is None or step.id in found:
            continue
        found.add(step.id)
        held = holds(step)
        ahead.append(step.on_changes)
        ahead += [route.target for route in plan.routes(step) if not (held and route.after is After.YES)]
    return found


def refuse_unreached(*plans: Plan) -> None:
    """Raise Invalid if a step could never run, so that a plan cannot show an approval that all routes avoid. If the
    plans are variants, a step must run in at least one of them.
    """
    first, *others = map(unreached, plans)
    if lost := [step for step in first if all(step in other for other in others)]:
        raise Invalid(
            "unreached_step",
            f"No route leads to step {lost[0]!r}, so it would never run.",
            field=f"steps.{lost[0]}",
            hint="Route a step to it, or remove it.",
        )


MAX_STEP_RUNS_PER_INTENT: Final = min(500, MAX_STEP_RUNS)
