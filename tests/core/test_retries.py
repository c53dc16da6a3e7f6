"""How often an agent step is attempted by default: set in one place, when the plan is frozen."""

from signoff.core.plan.plan import UNSAID, AgentStep, DelayStep, HumanStep, Plan, with_default_retries
from signoff.core.plan.task_types import TaskSpec
from tests.builders import minutes


def step(name: str, **fields: object) -> AgentStep:
    return AgentStep(id=name, agent=f"agent://acme/prod/{name}", **{"max_retries": UNSAID, **fields})  # type: ignore[arg-type]


def ask(name: str, **fields: object) -> HumanStep:
    return HumanStep(id=name, task=TaskSpec(title="May we?"), **fields)  # type: ignore[arg-type]


def retries(*steps: object) -> dict[str, int]:
    plan = with_default_retries(Plan(steps=steps))  # type: ignore[arg-type]
    return {one.id: one.max_retries for one in plan.steps if isinstance(one, AgentStep)}


def test_steps_after_a_human_step_retry_twice_and_others_never() -> None:
    wait = DelayStep(id="wait", lasts=minutes(5))
    assert retries(step("before"), ask("gate"), wait, step("act"), step("after")) == {
        "before": 0,
        "act": 2,
        "after": 2,
    }


def test_step_after_a_rejection_is_not_behind_the_human_step() -> None:
    gate = ask("gate", on_success="act", on_failure="undo")
    act, undo = step("act", on_success="end"), step("undo")
    assert retries(gate, act, undo) == {"act": 2, "undo": 0}


def test_failure_route_of_an_approved_step_is_behind_the_human_step() -> None:
    gate = ask("gate")
    assert retries(gate, step("act", on_failure="undo", on_success="end"), step("undo")) == {
        "act": 2,
        "undo": 2,
    }


def test_retries_in_the_plan_are_kept() -> None:
    assert retries(step("a", max_retries=4), ask("gate"), step("b", max_retries=0)) == {"a": 4, "b": 0}
