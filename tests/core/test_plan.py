"""Where each way of ending a step leads; plans that cannot run are refused."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.plan import plan as plans
from signoff.core.plan.plan import END, MAX_STEPS, After, DelayStep, NotifyStep, Plan, Route, check_plan
from signoff.core.plan.task_types import Fallback, Meaning, Outcome
from tests.builders import validate
from tests.core.asking import REVIEW_WORDS, refusal, step


def refused(*steps: Any, **fields: Any) -> str:
    return refusal(lambda: check_plan(Plan(steps, **fields))).code


def test_plan_has_one_to_a_hundred_steps() -> None:
    assert refused() == "invalid_plan"
    assert refused(*(validate(id=f"s{n}") for n in range(MAX_STEPS + 1))) == "invalid_plan"
    assert len(check_plan(Plan(tuple(validate(id=f"s{n}") for n in range(MAX_STEPS)))).steps) == MAX_STEPS


def test_outline_lists_each_step_with_kind_and_agent() -> None:
    check, gate = validate(), step()
    plan = Plan(
        (check, gate, DelayStep(id="wait", lasts=timedelta(hours=1)), NotifyStep(id="tell", to=("ops",)))
    )
    assert plan.outline == (
        (check.id, "agent", check.agent),
        (gate.id, "human", ""),
        ("wait", "delay", ""),
        ("tell", "notify", ""),
    )


def test_step_ids_are_unique() -> None:
    assert refused(validate(), validate()) == "duplicate_step"
    assert refused(validate(id=END)) == "invalid_step_id"


@pytest.mark.parametrize("route", ["on_success", "on_failure", "on_timeout", "on_changes"])
def test_route_to_an_unknown_step_is_refused(route: str) -> None:
    met = refusal(lambda: check_plan(Plan((validate(**{route: "nowhere"}),))))
    assert (met.code, met.field) == ("unknown_step", f"steps.validate.{route}")
    check_plan(Plan((validate(**{route: END}),)))


def test_unknown_entry_or_outcome_route_is_refused() -> None:
    assert refused(validate(), entry="nowhere") == "unknown_step"
    own = (Outcome("ship", Meaning.APPROVES, goto="nowhere"),)
    met = refusal(lambda: check_plan(Plan((step(outcomes=("ship", "rejected"), own=own),))))
    assert met.field == "steps.ask.human.outcomes[0].goto"


def test_plan_without_a_route_to_the_end_is_refused() -> None:
    one, two = validate(id="one", on_success="two"), validate(id="two", on_success="one")
    assert "one of one, two" in (refusal(lambda: check_plan(Plan((one, two)))).hint or "")
    assert "step one a route" in (
        refusal(lambda: check_plan(Plan((replace(one, on_success="one"),)))).hint or ""
    ) or (refused(replace(one, on_success="one")) == "cycle_without_exit")
    check_plan(Plan((one, replace(two, on_failure=END))))


def test_route_for_changes_alone_is_no_exit() -> None:
    ask = step(outcomes=REVIEW_WORDS)
    looping = replace(ask, on_success="ask", on_changes="end")
    assert refused(looping) == "cycle_without_exit"


def test_outcomes_without_an_approval_need_a_route_for_rejection() -> None:
    ask = step(outcomes=("ship", "hold"))
    met = refusal(lambda: check_plan(Plan((validate(), ask))))
    assert (met.code, met.field) == ("no_approving_outcome", "human_task.allowed_outcomes")
    met = refusal(lambda: check_plan(Plan((validate(), ask), source="scenario")))
    assert (met.code, met.field) == ("no_approving_outcome", "steps.ask")
    check_plan(Plan((validate(), replace(ask, on_failure=END))))


# -- where what leads


def test_each_meaning_follows_its_route_or_the_default() -> None:
    ask, tell = step(outcomes=REVIEW_WORDS), NotifyStep(id="tell", message="x")
    plan = check_plan(Plan((validate(), ask, tell)))
    assert plan.after_outcome(ask, "approved") == Route(After.YES, "tell", success=True)
    assert plan.after_outcome(ask, "rejected") is None
    assert plan.after_outcome(ask, "changes_requested") == Route(After.CHANGES, "validate")
    assert plan.after_meaning(ask, Meaning.APPROVES) == Route(After.YES, "tell", success=True)
    assert plan.after_expiry(ask) is None
    alone = check_plan(Plan((ask,)))
    assert alone.after_outcome(ask, "changes_requested") is None
    routed = replace(ask, on_failure="tell", on_timeout=END, on_timeout_as="success", on_changes="tell")
    plan = check_plan(Plan((validate(), routed, tell)))
    assert plan.after_outcome(routed, "rejected") == Route(After.NO, "tell")
    assert plan.after_outcome(routed, "changes_requested") == Route(After.CHANGES, "tell")
    assert plan.after_expiry(routed) == Route(After.SILENCE, END, success=True)


def test_outcome_with_its_own_route_follows_it() -> None:
    own = (
        Outcome("ship", Meaning.APPROVES, goto="tell"),
        Outcome("park", Meaning.REJECTS, goto="tell", success=True),
        Outcome("again", Meaning.REQUESTS_CHANGES, goto="tell"),
    )
    ask = step(outcomes=("ship", "park", "again"), own=own)
    plan = check_plan(Plan((ask, NotifyStep(id="tell", message="x"))))
    assert plan.after_outcome(ask, "ship") == Route(After.YES, "tell", success=True)
    assert plan.after_outcome(ask, "park") == Route(After.NO, "tell", success=True)
    assert plan.after_outcome(ask, "again") == Route(After.CHANGES, "tell")
    assert plan.after_meaning(ask, Meaning.REJECTS) is None


@pytest.mark.parametrize(
    ("fallback", "word", "target"),
    [
        (Fallback.EXPIRE, "", "late"),
        (Fallback.REJECT, "", "no"),
        (Fallback.OUTCOME, "rejected", "no"),
        (Fallback.OUTCOME, "approved", "yes"),
    ],
)
def test_expiry_follows_the_fallback(fallback: Fallback, word: str, target: str) -> None:
    ask = replace(
        step(fallback=fallback, fallback_outcome=word), on_success="yes", on_failure="no", on_timeout="late"
    )
    tells = tuple(NotifyStep(id=name, message="x") for name in ("yes", "no", "late"))
    route = Plan((ask, *tells)).after_expiry(ask)
    assert route is not None
    assert (route.after, route.target) == (After.SILENCE, target)


def test_routes_of_a_step_are_listed_once_with_approval_first() -> None:
    ask = replace(step(outcomes=("approved", "confirmed", "rejected")), on_failure="tell", on_timeout="tell")
    plan = Plan((ask, NotifyStep(id="tell", message="x")))
    assert [(one.after.value, one.target) for one in plan.routes(ask)] == [
        ("yes", "tell"),
        ("no", "tell"),
        ("silence", "tell"),
    ]
    elsewhere = replace(ask, on_failure=None, on_timeout=None)
    assert [one.after.value for one in plan.routes(elsewhere)] == ["yes"], (
        "of a step that stands in no plan too"
    )


def test_step_is_looked_up_by_its_kind() -> None:
    plan = Plan((validate(), step()))
    assert (plan.human_step("ask").id, plan.agent_step("validate").id) == ("ask", "validate")
    with pytest.raises(TypeError, match="not a human step"):
        plan.human_step("validate")
    with pytest.raises(TypeError, match="not an agent step"):
        plan.agent_step("ask")
    assert (plan.has_gate, plan.calls_agents, plan.has_choices) == (True, True, False)


def test_unreachable_step_is_refused_unless_another_variant_runs_it() -> None:
    lost, run = Plan((validate(on_success=END), step())), Plan((validate(), step()))
    assert plans.unreached(lost) == ["ask"]
    met = refusal(lambda: plans.refuse_unreached(lost))
    assert (met.code, met.field) == ("unreached_step", "steps.ask")
    plans.refuse_unreached(lost, run)
    plans.refuse_unreached(run)
    assert refusal(lambda: plans.refuse_unreached(lost, lost)).code == "unreached_step"


def test_steps_that_run_before_an_approval_are_found() -> None:
    pause = DelayStep(id="pause", lasts=timedelta(hours=1))
    plan = Plan((validate(), step(), pause))
    assert plans.reached(plan) == {"validate", "ask", "pause"}
    assert plans.reached(plan, holds=lambda one: one.id == "ask") == {"validate", "ask"}
