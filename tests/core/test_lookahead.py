"""What may still run after an answer: every step that any answer leads to, and its inputs."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.intent.decision_digest import envelope_digest
from signoff.core.plan.lookahead import upcoming_steps
from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, NotifyStep, Plan, Step, check_plan
from signoff.core.plan.task_types import Fallback, Meaning, Outcome, TaskSpec, TaskType
from signoff.store.rows import plan_digest
from tests.builders import Story, approve, gate, validate


def work(name: str, **fields: Any) -> AgentStep:
    return AgentStep(id=name, agent=f"agent://acme/prod/{name}", **fields)


def upcoming(*steps: Step, at: str = "approve") -> list[tuple[str, str]]:
    """(step, the answers that lead to it)"""
    plan = check_plan(Plan(steps))
    return [(one.step.id, " ".join(one.after)) for one in upcoming_steps(plan, plan.human_step(at))]


def test_steps_after_an_approval_are_listed_in_order() -> None:
    wait, tell = DelayStep(id="wait", lasts=timedelta(hours=1)), NotifyStep(id="tell", message="Done.")
    assert upcoming(validate(), approve(), work("apply"), wait, tell) == [
        ("apply", "yes"),
        ("wait", "yes"),
        ("tell", "yes"),
    ]
    assert upcoming(validate(), approve()) == []


def test_steps_after_a_later_failure_are_listed() -> None:
    steps = (
        approve(),
        work("apply", on_success="end", on_failure="undo", on_timeout="call"),
        work("undo", on_success="end"),
        work("call"),
    )
    assert upcoming(*steps) == [("apply", "yes"), ("undo", "yes"), ("call", "yes")]
    plan = check_plan(Plan(steps))
    assert [one.detour for one in upcoming_steps(plan, plan.human_step("approve"))] == [False, True, True]


def test_approving_outcomes_that_lead_to_a_step_are_named_unless_all_do() -> None:
    own = (
        Outcome("full", Meaning.APPROVES),
        Outcome("canary", Meaning.APPROVES, goto="few"),
        Outcome("no", Meaning.REJECTS),
    )
    task = TaskSpec(outcomes=("full", "canary", "no"), own=own)
    steps = (
        HumanStep(id="ask", task=task, on_success="all"),
        work("all", on_success="tell"),
        work("few", on_success="tell"),
        work("tell"),
    )
    plan = check_plan(Plan(steps))
    assert {one.step.id: one.outcomes for one in upcoming_steps(plan, plan.human_step("ask"))} == {
        "all": ("full",),
        "few": ("canary",),
        "tell": (),
    }


def test_steps_after_a_second_task_are_listed_for_the_first() -> None:
    second = replace(approve(), id="again")
    assert upcoming(approve(), second, work("apply")) == [("again", "yes"), ("apply", "yes")]


def test_steps_after_rejection_or_expiry_are_listed_last_and_marked() -> None:
    steps = (
        approve(on_success="apply", on_failure="clean", on_timeout="ask"),
        work("apply", on_success="end"),
        work("clean", on_success="end"),
        work("ask"),
    )
    assert upcoming(*steps) == [("apply", "yes"), ("clean", "no"), ("ask", "silence")]


@pytest.mark.parametrize(
    ("fallback", "outcome", "after"),
    [
        (Fallback.REJECT, "", "no silence"),
        (Fallback.OUTCOME, "rejected", "no silence"),
        (Fallback.OUTCOME, "approved", "no"),
    ],
)
def test_expiry_follows_the_fallback_of_the_policy(fallback: Fallback, outcome: str, after: str) -> None:
    task = TaskSpec(title="Run it?", fallback=fallback, fallback_outcome=outcome)
    steps = (approve(task=task, on_failure="clean"), work("apply", on_success="end"), work("clean"))
    assert ("clean", after) in upcoming(*steps)


def test_request_for_changes_leads_back_and_stops_at_the_task() -> None:
    review = HumanStep(id="approve", task=TaskSpec(type=TaskType.REVIEW, title="Send it?"))
    changes = replace(
        review, task=replace(review.task, outcomes=("approved", "changes_requested", "rejected"))
    )
    assert upcoming(validate(), changes, work("send")) == [("send", "yes"), ("validate", "changes")]


def test_cyclic_plan_is_listed_once() -> None:
    again = work("apply", on_failure="check", on_success="end")
    assert upcoming(approve(), again, work("check", on_success="apply", on_failure="end")) == [
        ("apply", "yes"),
        ("check", "yes"),
    ]


def test_input_of_an_agent_is_part_of_the_digest() -> None:
    intent = Story(gate(approve(), work("apply", input={"run": "SELECT 1"}))).intent
    other = gate(approve(), work("apply", input={"run": "DROP TABLE users"}))
    digests = {
        envelope_digest(
            replace(intent, plan_digest=plan_digest(plan)), "approve", 1, 1, intent.payload_digest
        )
        for plan in (intent.plan, other)
    }
    assert len(digests) == 2


def test_input_passed_besides_the_payload_is_listed() -> None:
    wait = DelayStep(id="wait", lasts=timedelta(hours=1))
    tell = NotifyStep(id="tell", to=("ops@acme.example",), message="Done.")
    plan = check_plan(Plan((approve(), work("apply", input={"run": "x"}), work("check"), wait, tell)))
    assert [one.given for one in upcoming_steps(plan, plan.human_step("approve"))] == [
        {"run": "x"},
        {},
        {},
        {"to": ["ops@acme.example"], "message": "Done."},
    ]
