"""Scenario bundles: what a bundle compiles to, what is invalid in it, and that no gate is lost."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.errors import Invalid
from signoff.core.formats.axp_scenario import BundleAgent, Scenario, compile_scenario, validate_scenario
from signoff.core.plan.plan import UNSAID, AgentStep, HumanStep, Plan, check_plan
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Stage, TaskSpec, TaskType
from tests.core.bundles import (
    CHECK,
    CHECKER,
    LEAD,
    ONCALL,
    SIGN,
    bundle,
    compiled,
    errors_of,
    intent,
    only,
    seconds,
    task_of,
    warnings_of,
)
from tests.core.documents import anything, json_objects, tried

# -- the usual bundle


def test_agent_step_then_human_step_is_compiled() -> None:
    scenario = compiled(
        {**CHECK, "step_deadline_seconds": 120},
        {
            **SIGN,
            "requires_approval": True,
            "step_deadline_seconds": 3600,
            "remind_after_seconds": 300,
            "human_task": {"title": "Ship it?", "description": "All checks passed."},
        },
        intent=intent(
            payload={"target": "db"},
            max_delivery_attempts=5,
            deadline_at="2030-01-01T00:00:00Z",
            reply_to="initiator://me",
        ),
        title="Change approval",
        description="Demo",
        idempotency_key="k-1",
    )
    assert scenario == Scenario(
        scenario_id="change-approval.demo.v1",
        intent_type="intent.change.v1",
        payload={"target": "db"},
        agents=(BundleAgent(role="checker", address="change-checker", create_if_missing=True),),
        deadline_at=datetime(2030, 1, 1, tzinfo=UTC),
        reply_to="initiator://me",
        idempotency_key="k-1",
        plan=Plan(
            source="scenario",
            steps=(
                AgentStep(
                    id="check",
                    agent="change-checker",
                    deadline=seconds(120),
                    max_retries=UNSAID,
                    max_attempts=5,
                ),
                HumanStep(
                    id="sign",
                    deadline=seconds(3600),
                    task=TaskSpec(
                        title="Ship it?",
                        description="All checks passed.",
                        remind=Reminders(seconds(300), seconds(300), 3),
                        holder="On-call engineer",
                    ),
                ),
            ),
        ),
    )


def test_omitted_on_success_means_the_next_step() -> None:
    plan = compiled(CHECK, SIGN).plan
    assert [plan.after_success(step) for step in plan.steps] == ["sign", "end"]


def test_routes_and_entry_are_compiled() -> None:
    check, sign = {**CHECK, "on_success": "end", "on_failure": "sign"}, {**SIGN, "on_success": "check"}
    plan = compile_scenario(bundle() | {"workflow": {"entry_step": "sign", "steps": [check, sign]}}).plan
    assert plan.entry == "sign"
    assert plan.steps[0].on_failure == "sign"
    assert plan.steps[0].on_timeout == "sign", "passing the deadline is one way to fail"
    assert plan.steps[1].on_success == "check"


def test_missing_scenario_id_is_derived_from_the_content() -> None:
    first, again = compiled(CHECK, scenario_id=None), compiled(CHECK, scenario_id="")
    assert first.scenario_id.startswith("scenario_")
    assert first.scenario_id == compiled(CHECK, scenario_id=None).scenario_id != again.scenario_id


def test_retry_and_push_agent_are_compiled() -> None:
    hook = {
        "role": "hook",
        "address": "hook",
        "delivery_mode": "http",
        "callback_url": "https://x.example/intent",
    }
    step = {
        "step_id": "s",
        "assigned_to": "hook",
        "tool_id": "tool.agent.task.v1",
        "input": {"a": 1},
        "retry": {"max_retries": "2", "retry_delay_seconds": 5},
    }
    assert only(step, agents=[hook]) == AgentStep(
        id="s", agent="hook", input={"a": 1}, max_retries=2, retry_delay=seconds(5), push=True
    )


# -- without a workflow


def test_first_agent_gets_the_intent_if_there_is_no_workflow() -> None:
    other = {"address": "other"}
    made = compiled(agents=[CHECKER, other], humans=[], intent=intent(max_delivery_attempts=2))
    assert made.plan == Plan(
        source="scenario",
        direct=True,
        steps=(AgentStep(id="agent", agent="change-checker", max_retries=UNSAID, max_attempts=2),),
    )
    assert made.agents[1].role == "other"
    assert made.payload == {}
    assert made.warnings == ("agents: without a workflow only 'checker' is called.",)


def test_human_task_of_the_intent_follows_the_agent_if_there_is_no_workflow() -> None:
    made = compiled(intent=intent(human_task={"task_type": "review"}), humans=[LEAD])
    agent, human = made.plan.steps
    assert isinstance(agent, AgentStep)
    assert isinstance(human, HumanStep)
    assert human.task.type is TaskType.REVIEW
    assert human.task.stages == (Stage(("lea@acme.example",)),)
    assert not made.plan.direct
    assert isinstance(only(agents=[], intent=intent(human_task={})), HumanStep)


def test_humans_without_a_task_are_a_warning() -> None:
    assert any("no one is asked" in warning for warning in warnings_of())


def test_bundle_without_steps_is_an_error() -> None:
    (error,) = errors_of(agents=[])
    assert error.startswith("workflow: missing")


def test_human_task_is_never_dropped_silently() -> None:
    (error,) = errors_of(CHECK, intent=intent(human_task={"title": "Sure?"}))
    assert error.startswith("intent.human_task: ")
    assert task_of(SIGN, intent=intent(human_task={"title": "Sure?"})).title == "Sure?"
    (error,) = errors_of(workflow_steps=[SIGN])
    assert error.startswith("workflow_steps: ")


# -- errors and warnings


def test_all_problems_are_collected_one_per_step() -> None:
    errors = errors_of(
        {"step_id": ""},
        {**CHECK, "input": [], "retry": 7},
        {"step_id": "x", "tool_id": "t"},
        agents=[CHECKER, CHECKER, {"address": "a//b"}, {"address": "h", "callback_url": "ftp://x"}],
        humans=[{"contact": "x"}],
        intent={"payload": [], "deadline_at": "soon", "max_delivery_attempts": "many"},
    )
    assert [error.split(": ")[0] for error in errors] == [
        "agents[1].role",
        "agents[2].address",
        "agents[3].callback_url",
        "humans[0].role",
        "intent.max_delivery_attempts",
        "workflow.steps[0].step_id",
        "steps.check.retry",
        "steps.x.tool_id",
        "intent.type",
        "intent.payload",
        "intent.deadline_at",
    ]


def test_compile_raises_the_first_problem() -> None:
    with pytest.raises(Invalid) as refusal:
        compiled(CHECK, intent={})
    assert refusal.value.field == "intent.type"


def test_unreachable_step_is_a_warning() -> None:
    """Published bundles are accepted unchanged, with a warning about what would never run."""
    first = {**SIGN, "step_id": "first", "on_success": "end"}
    assert "workflow.steps: no route leads to step 'sign', so it will never run." in warnings_of(first, SIGN)


def test_unknown_fields_are_warnings_with_a_suggestion() -> None:
    warnings = warnings_of({**SIGN, "description": "x", "notes": "x"}, model="A", intent=intent(paylod={}))
    assert "steps.sign.notes: unknown field, ignored." in warnings
    assert "model: unknown field, ignored." in warnings
    assert any("'payload'" in warning for warning in warnings)
    assert len(warnings_of(SIGN, **{f"x{n}": 1 for n in range(500)})) == 11


MEANT = [
    {"depends_on": ["sign"]},
    {"gate": True},
    {"manual": "yes"},
    {"confirm": True},
    {"when": "approved"},
    {"type": "gate"},
    {"mode": "dry_run"},
    {"dependsOn": "sign"},
    {"skip": True},
]


@pytest.mark.parametrize("said", MEANT)
def test_unknown_field_that_could_change_a_step_is_refused(said: dict[str, Any]) -> None:
    (name,) = said
    for steps in ([{**CHECK, **said}, SIGN], [CHECK, {**SIGN, **said}]):
        with pytest.raises(Invalid) as refused:
            compiled(*steps)
        assert str(refused.value.field).endswith(name)
    quiet: dict[str, Any] = {
        "type": "task",
        "gate": False,
        "labels": {"a": "b"},
        "x-team": "c",
        "confirm": None,
    }
    assert compiled({**CHECK, **quiet}, SIGN).plan == compiled(CHECK, SIGN).plan


def test_unknown_delivery_mode_means_stream() -> None:
    made = compiled(CHECK, agents=[{**CHECKER, "delivery_mode": "pigeon"}])
    assert made.agents[0].delivery_mode == "stream"
    assert "pigeon" in made.warnings[0]


def test_push_agent_without_a_callback_url_is_a_warning() -> None:
    (warning,) = warnings_of(SIGN, agents=[{**CHECKER, "delivery_mode": "http"}])
    assert warning.startswith("agents[0].callback_url: is missing")


def test_role_shared_by_two_humans_is_refused() -> None:
    assert "two humans have the role 'oncall'" in errors_of(SIGN, humans=[ONCALL, ONCALL])[0]
    both = [{**ONCALL, "role": "checker"}]
    assert "ask the human" in warnings_of({"step_id": "s", "assigned_to": "checker"}, humans=both)[0]


@pytest.mark.parametrize("levels", [40, 100_000])
def test_deeply_nested_document_is_refused(levels: int) -> None:
    payload: dict[str, Any] = {}
    for _ in range(levels):
        payload = {"a": payload}
    assert errors_of(SIGN, intent=intent(payload=payload)) == [
        f"intent.payload{'.a' * 30}: is nested deeper than 32 levels."
    ]


# -- properties

words = st.sampled_from(["a", "b", "checker", "oncall", "end", "agent_core", "human", "agent://x/y/z"])
kinds = {
    "tool_id": st.sampled_from(
        ["tool.agent.task.v1", "tool.approval.human_signoff", "tool.internal.delay", "t"]
    ),
    "runtime_type": st.sampled_from(["delay", "notification", "human_approval"]),
}
numbers = st.one_of(st.integers(0, 10**9), st.sampled_from(["300", "5m", 0.5]))
human_tasks = json_objects(
    {
        "title": st.text(max_size=9),
        "assignees": st.lists(words, max_size=3),
        "form_schema": st.just({"type": "object"}),
    }
)
bundle_steps = json_objects(
    {
        "step_id": words,
        "assigned_to": words,
        "requires_approval": st.booleans(),
        "human_task": human_tasks,
        "step_deadline_seconds": numbers,
        "remind_after_seconds": numbers,
        "max_reminders": st.integers(0, 9),
        "escalate_to": words,
        "on_success": words,
        "on_failure": words,
        "config": json_objects({"seconds": numbers}),
        **kinds,
    }
)
bundles = json_objects(
    {
        "agents": st.lists(json_objects({"role": words, "address": words}), max_size=3),
        "humans": st.lists(json_objects({"role": words, "contact": words}), max_size=3),
        "workflow": json_objects({"steps": st.lists(bundle_steps, max_size=3), "entry_step": words}),
        "intent": json_objects(
            {"type": st.just("intent.a.v1"), "human_task": human_tasks, "payload": st.just({})}
        ),
    }
)


@given(st.one_of(anything, bundles))
def test_validation_never_raises_and_agrees_with_compilation(source: Any) -> None:
    errors, warnings = validate_scenario(source)
    msgspec.json.encode([errors, warnings])
    scenario, refusal = tried(lambda: compile_scenario(source))
    if scenario is None:
        assert refusal is not None
        assert refusal.message in errors[0]
        return
    assert errors == []
    plan = check_plan(scenario.plan)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


@given(
    st.lists(
        st.fixed_dictionaries(
            {"assigned_to": words, "requires_approval": st.booleans()},
            optional={**kinds, "human_task": st.just({})},
        ),
        min_size=1,
        max_size=4,
    )
)
def test_every_form_of_an_approval_becomes_a_human_step(steps: list[dict[str, Any]]) -> None:
    numbered = [{"step_id": f"s{n}", "step_deadline_seconds": 9, **step} for n, step in enumerate(steps)]
    scenario, _ = tried(lambda: compiled(*numbered))
    for written, made in zip(numbered, scenario.plan.steps, strict=True) if scenario else ():
        if written["requires_approval"]:
            assert isinstance(made, HumanStep)


def test_all_errors_are_reported_at_once() -> None:
    steps = [
        {"step_id": "a", "assigned_to": "x", "step_deadline_seconds": "soon"},
        {"step_id": "a", "assigned_to": "x", "on_success": "nowhere"},
        {"step_id": "b", "assigned_to": "x", "on_failure": "gone"},
    ]
    agents = [{"role": "x", "address": "x"}]
    errors, _ = validate_scenario(
        {"agents": agents, "workflow": {"steps": steps}, "intent": {"type": "a.b.v1"}}
    )
    for words in ("step_deadline_seconds", "'a'", "'nowhere'", "'gone'"):
        assert any(words in error for error in errors), (words, errors)
