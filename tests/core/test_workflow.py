"""Workflow templates: what compiles runs, and everything else is refused with the field's name."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.errors import Invalid
from signoff.core.formats.workflow import WorkflowTemplate, compile_workflow
from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, NotifyStep, Plan, check_plan
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Escalation, Stage, Strength, TaskSpec, TaskType
from tests.core.documents import anything, json_objects, tried

MIGRATION: dict[str, Any] = {
    "workflow": "database-migration",
    "intent_type": "intent.infra.change_approval.v1",
    "max_revisions": 2,
    "steps": [
        {
            "id": "validate",
            "agent": "infra-validator",
            "deadline": "5m",
            "input": {"strict": True},
            "max_attempts": 5,
            "retry": {"max": 2, "delay": "10s"},
            "on_failure": "tell",
            "on_timeout": "tell",
        },
        {
            "id": "approve",
            "human": {
                "type": "review",
                "title": "Ship the migration?",
                "description": "Two\nlines.",
                "approvers": ["Ann@acme.example", "role:approver", "person:bob@acme.example", "per_7"],
                "comment_required": True,
                "form": {"type": "object", "properties": {"window": {"type": "string"}}},
                "notify": "slack:#ops",
                "remind": {"after": "5m", "every": "30m", "at_most": 5},
                "escalate": [
                    {"after": "30m", "to": ["bob@acme.example"]},
                    {"after": "2h", "to": "role:owner"},
                ],
            },
            "deadline": "8h",
            "on_changes": "validate",
        },
        {"id": "pause", "delay": "10m", "on_success": "end"},
        {"id": "tell", "notify": {"to": "ops@acme.example", "message": "It failed."}},
    ],
}


def step(**fields: Any) -> dict[str, Any]:
    return {"workflow": "w", "intent_type": "intent.a.v1", "steps": [{"id": "one", **fields}]}


def human(deadline: str = "8h", **fields: Any) -> dict[str, Any]:
    return step(human=fields, deadline=deadline)


def task_of(source: dict[str, Any]) -> TaskSpec:
    (only,) = compile_workflow(source).plan.steps
    assert isinstance(only, HumanStep)
    return only.task


def refused(source: object) -> Invalid:
    with pytest.raises(Invalid) as refusal:
        compile_workflow(source)
    return refusal.value


# -- what a template says


def test_workflow_with_all_fields_is_compiled() -> None:
    template = compile_workflow(MIGRATION)
    assert isinstance(template, WorkflowTemplate)
    assert (template.name, template.intent_type) == ("database-migration", "intent.infra.change_approval.v1")
    validate, approve, pause, tell = template.plan.steps
    assert template.plan.source == "workflow"
    assert template.plan.max_revisions == 2
    assert validate == AgentStep(
        id="validate",
        agent="infra-validator",
        deadline=timedelta(minutes=5),
        input={"strict": True},
        max_attempts=5,
        max_retries=2,
        retry_delay=timedelta(seconds=10),
        on_failure="tell",
        on_timeout="tell",
    )
    assert approve == HumanStep(
        id="approve",
        deadline=timedelta(hours=8),
        on_changes="validate",
        task=TaskSpec(
            type=TaskType.REVIEW,
            title="Ship the migration?",
            description="Two\nlines.",
            outcomes=TaskType.REVIEW.outcomes,
            comment_required=True,
            form={"type": "object", "properties": {"window": {"type": "string"}}},
            stages=(Stage(("ann@acme.example", "role:approver", "bob@acme.example", "per_7")),),
            notify=("slack:#ops",),
            remind=Reminders(timedelta(minutes=5), timedelta(minutes=30), 5),
            escalate=(
                Escalation(timedelta(minutes=30), ("bob@acme.example",)),
                Escalation(timedelta(hours=2), ("role:owner",)),
            ),
        ),
    )
    assert pause == DelayStep(id="pause", lasts=timedelta(minutes=10), on_success="end")
    assert tell == NotifyStep(id="tell", to=("ops@acme.example",), message="It failed.")


def test_minimal_human_step_asks_every_approver() -> None:
    assert task_of(human()) == TaskSpec()


@pytest.mark.parametrize("kind", list(TaskType))
def test_each_task_type_sets_outcomes_title_and_requirements(kind: TaskType) -> None:
    more = {"form": {"properties": {"ticket": {"type": "string"}}}} if kind is TaskType.FORM else {}
    task = task_of(human(type=kind.value, **more))
    assert task.outcomes == kind.outcomes
    assert task.title
    assert task.comment_required is (kind in (TaskType.CLARIFICATION, TaskType.OVERRIDE))
    assert task.evidence_required is (kind is TaskType.MANUAL_ACTION)
    explicit = task_of(human(type=kind.value, comment_required=False, evidence_required=False, **more))
    assert not explicit.comment_required
    assert not explicit.evidence_required


def test_string_stands_for_a_list_of_one() -> None:
    task = task_of(
        human(approvers="ann@acme.example", remind="5m", escalate={"after": "1h", "to": "role:owner"})
    )
    assert task.stages == (Stage(("ann@acme.example",)),)
    assert task.remind == Reminders(timedelta(minutes=5), timedelta(minutes=5), 3)
    assert task.escalate == (Escalation(timedelta(hours=1), ("role:owner",)),)


@pytest.mark.parametrize(
    "name", ["title", "remind", "escalate", "form", "need", "approvers", "policy", "type"]
)
@pytest.mark.parametrize("empty", [None, "", "  "])
def test_empty_field_is_refused_except_in_stored_workflows(name: str, empty: str | None) -> None:
    with pytest.raises(Invalid, match=f"{name}: is empty") as refused:
        compile_workflow(human(**{name: empty}))
    assert refused.value.code == "empty_field"
    if empty is None:
        assert compile_workflow(human(**{name: None}), kept=True) == compile_workflow(human())


def test_durations_may_be_seconds() -> None:
    (only,) = compile_workflow(step(delay=90)).plan.steps
    assert only == DelayStep(id="one", lasts=timedelta(seconds=90))


# -- what it refuses


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels - 3):
        schema = {"type": "array", "items": schema}
    return {"type": "object", "properties": {"a": schema}}


@pytest.mark.parametrize(
    ("source", "field", "hint"),
    [
        (step(agent="a", deadlin="5m"), "steps.one.deadlin", "Did you mean 'deadline'?"),
        (human(aprovers=[]), "steps.one.human.aprovers", "Did you mean 'approvers'?"),
        (human(zzz=1), "steps.one.human.zzz", "Known: type"),
        ({**MIGRATION, "step": []}, "step", "Did you mean 'steps'?"),
        (human(remind={"after": "1m", "evry": "1m"}), "steps.one.human.remind.evry", "'every'"),
        (step(notify={"to": "x", "message": "m", "text": "m"}), "steps.one.notify.text", "Known"),
        (step(agent="a", retry={"max": 1, "dalay": "1s"}), "steps.one.retry.dalay", "'delay'"),
        (human(input={}), "steps.one.human.input", "Known"),
        (step(human={}, input={}), "steps.one.input", "It belongs to agent steps."),
        (step(delay="1m", deadline="1m"), "steps.one.deadline", "It belongs to agent and human steps."),
        (human(type="aproval"), "steps.one.human.type", "Did you mean 'approval'?"),
        (human(type="vibes"), "steps.one.human.type", "Known: approval"),
        (human(outcomes=["ship", "hold"]), "steps.one.human.outcomes[0]", "{name: ship, means: approve}"),
        (human(outcomes=["rejected", "denied"]), "steps.one.human.outcomes", "For example: approved"),
        (human(approvers=["boss"]), "steps.one.human.approvers", "role:approver"),
    ],
)
def test_refusal_names_the_field_and_the_next_step(source: Any, field: str, hint: str) -> None:
    refusal = refused(source)
    assert refusal.field == field
    assert refusal.message.startswith(f"{field}: ")
    assert hint in (refusal.hint or "")


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ([], None),
        ({}, "workflow"),
        ({"workflow": "no spaces", "intent_type": "a", "steps": [1]}, "workflow"),
        ({"workflow": "w", "intent_type": "a b", "steps": [1]}, "intent_type"),
        ({"workflow": "w", "intent_type": "a"}, "steps"),
        ({"workflow": "w", "intent_type": "a", "steps": {}}, "steps"),
        ({"workflow": "w", "intent_type": "a", "steps": [{}] * 101}, "steps"),
        ({"workflow": "w", "intent_type": "a", "steps": ["x"]}, "steps[0]"),
        ({"workflow": "w", "intent_type": "a", "steps": [{"agent": "a"}]}, "steps[0].id"),
        ({"workflow": "w", "intent_type": "a", "steps": [{"id": "end", "agent": "a"}]}, "steps[0].id"),
        ({"workflow": "w", "intent_type": "a", "steps": [{"id": "a b", "agent": "a"}]}, "steps[0].id"),
        ({**step(agent="a"), "max_revisions": -1}, "max_revisions"),
        ({"workflow": "w", "intent_type": "a", "steps": [{"id": "a", "agent": "a"}] * 2}, "steps"),
        (step(), "steps.one"),
        (step(agent="a", human={}), "steps.one"),
        (step(agent=7), "steps.one.agent"),
        (step(agent="a/b/c/d"), "steps.one.agent"),
        (step(agent="a", on_success="two"), "steps.one.on_success"),
        (step(agent="a", on_success="one", on_failure="one", on_timeout="one"), "steps.one"),
        (step(agent="a", on_success=7), "steps.one.on_success"),
        (step(agent="a", max_attempts=0), "steps.one.max_attempts"),
        (step(agent="a", max_attempts="3"), "steps.one.max_attempts"),
        (step(agent="a", max_attempts=True), "steps.one.max_attempts"),
        (step(agent="a", retry={}), "steps.one.retry.max"),
        (step(agent="a", retry=3), "steps.one.retry"),
        (step(agent="a", input=[]), "steps.one.input"),
        (step(agent="a", input={"x": float("nan")}), "steps[0].input.x"),
        (step(agent="a", input={"x": {1: 2}}), "steps[0].input.x.1"),
        (step(agent="a", input={"x": [1, object()]}), "steps[0].input.x[1]"),
        (step(agent="a", deadline="soon"), "steps.one.deadline"),
        (step(agent="a", deadline=0), "steps.one.deadline"),
        (step(agent="a", deadline=1e-9), "steps.one.deadline"),
        (step(delay=[]), "steps.one.delay"),
        (step(delay="9" * 50), "steps.one.delay"),
        (step(notify="ops"), "steps.one.notify"),
        (step(notify={"message": "m"}), "steps.one.notify.to"),
        (step(notify={"to": "x"}), "steps.one.notify.message"),
        (step(human="approve"), "steps.one.human"),
        (human(title="x" * 256), "steps.one.human.title"),
        (human(title="two\nlines"), "steps.one.human.title"),
        (human(title="\x07"), "steps.one.human.title"),
        (human(description="\x00"), "steps.one.human.description"),
        (human(description=["a"]), "steps.one.human.description"),
        (human(approvers=["a@b", ""]), "steps.one.human.approvers[1]"),
        (human(approvers={"a": 1}), "steps.one.human.approvers"),
        (human(outcomes=["x" * 65]), "steps.one.human.outcomes[0]"),
        (human(comment_required="yes"), "steps.one.human.comment_required"),
        (human(remind={"every": "5m"}), "steps.one.human.remind.after"),
        (human(remind={"after": "5m", "at_most": 0}), "steps.one.human.remind.at_most"),
        (human(escalate=[{"to": "a@b"}]), "steps.one.human.escalate[0].after"),
        (human(escalate={"after": "5m"}), "steps.one.human.escalate.to"),
        (human(escalate={"after": "5m", "to": []}), "steps.one.human.escalate.to"),
    ],
)
def test_invalid_workflow_is_refused_by_field(source: Any, field: str | None) -> None:
    assert refused(source).field == field


@pytest.mark.parametrize(
    ("source", "field"),
    [
        (human(stages=[]), "steps.one.human.stages"),
        (human(self_approval=False), "steps.one.human.self_approval"),
        (human(risk="low"), "steps.one.human.risk"),
        ({**step(human={}), "policies": {}}, "policies"),
    ],
)
def test_policy_field_outside_a_policy_is_refused(source: Any, field: str) -> None:
    refusal = refused(source)
    assert (refusal.code, refusal.field) == ("unknown_field", field)
    assert refusal.hint


@pytest.mark.parametrize("beside", [{"approvers": "a@b"}, {"need": 2}, {"remind": "5m"}, {"escalate": []}])
def test_field_that_conflicts_with_a_policy_is_refused(beside: dict[str, Any]) -> None:
    refusal = refused(human(policy="prod-change", **beside))
    assert (refusal.code, refusal.field) == ("conflicts_with_policy", f"steps.one.human.{next(iter(beside))}")


def test_policy_is_named_or_written_in_the_step() -> None:
    assert task_of(human(policy="prod-change")) == TaskSpec(policy="prod-change")
    inline = task_of(human(policy={"approve": [{"any": ["team:dba"], "need": 2}], "risk": "high"}))
    assert inline.stages == (Stage(("team:dba",), 2),)
    assert inline.strength is Strength.SESSION
    assert refused(human(policy={"aprove": []})).field == "steps.one.human.policy.aprove"


def test_step_may_need_several_people_and_teams() -> None:
    assert task_of(human(approvers=["team:sre", "person:Ann@Acme.Example"], need=2)).stages == (
        Stage(("team:sre", "ann@acme.example"), 2),
    )


def test_need_of_one_is_the_default() -> None:
    assert task_of(human(need=1)) == TaskSpec()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"remind": "8h"}, "steps.one.human.remind"),
        ({"remind": {"after": "9h"}}, "steps.one.human.remind.after"),
        ({"escalate": {"after": "8h", "to": "a@b"}}, "steps.one.human.escalate.after"),
        ({"escalate": [{"after": 9, "to": "a@b"}] * 2}, "steps.one.human.escalate[1].after"),
    ],
)
def test_impossible_schedule_is_refused(fields: dict[str, Any], field: str) -> None:
    assert refused(human(**fields)).field == field


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({}, "form"),
        ({"type": "array"}, "form"),
        ({"type": "object", "properties": []}, "form.properties"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}}, "form.properties.a.$ref"),
        ({"type": "object", "allOf": [{"$ref": "file:///etc/passwd"}]}, "form.allOf"),
        ({"type": "object", "$defs": {}}, "form.$defs"),
        ({"type": "object", "properties": {"a": {"anyOf": []}}}, "form.properties.a.anyOf"),
        ({"type": "object", "properties": {"a": {"pattern": "x"}}}, "form.properties.a.pattern"),
        ({"type": "object", "patternProperties": {}}, "form.patternProperties"),
        ({"type": "object", "additionalProperties": {}}, "form.additionalProperties"),
        ({"type": "object", "properties": {"a": {"items": [{}]}}}, "form.properties.a.items"),
        ({"type": "object", "properties": {"a": {"format": "regex"}}}, "form.properties.a.format"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "form.properties.a.type"),
        ({"type": "object", "properties": {"a": {"minLength": -1}}}, "form.properties.a.minLength"),
        ({"type": "object", "properties": {"a": {"minimum": "1"}}}, "form.properties.a.minimum"),
        ({"type": "object", "properties": {"a": {"multipleOf": 0}}}, "form.properties.a.multipleOf"),
        ({"type": "object", "properties": {"a": {"enum": []}}}, "form.properties.a.enum"),
        ({"type": "object", "properties": {"a": True}}, "form.properties.a"),
        ({"type": "object", "required": "a"}, "form.required"),
        ({"type": "object", "description": "x" * 17_000}, "form"),
        (deep(9), "form.properties.a" + ".items" * 6),
        # readable, but of no use: nobody could submit it, or a keyword has no effect
        (
            {"type": "object", "properties": {"a": {"enum": ["x"], "const": "y"}}, "required": ["a"]},
            "form.properties.a.const",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string", "minimum": 1}}},
            "form.properties.a.minimum",
        ),
    ],
)
def test_form_is_a_closed_schema_of_an_object(form: dict[str, Any], field: str) -> None:
    refusal = refused(human(form=form))
    assert (refusal.code, refusal.field) == ("invalid_form_schema", f"steps.one.human.{field}")


def test_form_may_be_eight_levels_deep() -> None:
    assert task_of(human(form=deep(8))).form == deep(8)


def test_stored_form_is_read_although_it_would_be_refused_now() -> None:
    unfillable = {"type": "object", "properties": {"a": {"enum": ["x"], "const": "y"}}, "required": ["a"]}
    refused(human(form=unfillable))
    step = compile_workflow(human(form=unfillable), kept=True).plan.human_step("one")
    assert step.task.form == unfillable


def test_compiling_does_not_change_the_document() -> None:
    before = deepcopy(MIGRATION)
    compile_workflow(MIGRATION)
    assert before == MIGRATION


# -- properties

ids = st.sampled_from(["a", "b", "c"])
routes = {"on_success": st.sampled_from(["a", "b", "c", "end"]), "on_failure": ids}
tasks = json_objects(
    {
        "type": st.sampled_from([kind.value for kind in TaskType]),
        "title": st.text(max_size=20),
        "approvers": st.sampled_from(["ann@acme.example", ["role:approver"], []]),
        "remind": st.sampled_from(["5m", {"after": 60, "at_most": 2}]),
        "escalate": st.sampled_from([[], {"after": "1h", "to": "role:owner"}]),
        "form": st.just({"type": "object"}),
    }
)
steps = st.one_of(
    json_objects({"id": ids, "agent": st.just("a"), "deadline": st.sampled_from(["5m", 90]), **routes}),
    json_objects({"id": ids, "human": tasks, "deadline": st.just("8h"), **routes}),
    st.fixed_dictionaries({"id": ids, "human": tasks}),
    json_objects({"id": ids, "delay": st.just("5m")}),
    json_objects({"id": ids, "notify": st.just({"to": "a@b", "message": "m"})}),
)
templates = st.fixed_dictionaries(
    {"workflow": st.just("w"), "intent_type": st.just("a"), "steps": st.lists(steps, max_size=3)}
)


@given(templates)
def test_compiled_workflow_survives_encoding(source: dict[str, Any]) -> None:
    template, refusal = tried(lambda: compile_workflow(source))
    if template is None:
        assert refusal is not None
        assert refusal.field
        return
    plan = check_plan(template.plan)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
    assert plan.has_gate is any("human" in step for step in source["steps"])


@given(anything)
def test_any_document_compiles_or_is_refused(source: Any) -> None:
    with pytest.raises(Invalid):
        compile_workflow(source)


def test_encoding_of_a_plan_is_stable() -> None:
    """Plans are stored by the digest of these bytes: encoded differently, the same workflow would count as changed."""
    source = {
        "workflow": "w",
        "intent_type": "t.v1",
        "steps": [{"id": "a", "human": {}}, {"id": "b", "agent": "x"}],
    }
    assert msgspec.json.encode(compile_workflow(source).plan) == (
        b'{"steps":[{"type":"human","id":"a","task":{"title":"Approval required","stages":[{}]}},'
        b'{"type":"agent","id":"b","agent":"x","max_retries":-1}],"source":"workflow"}'
    )
    assert msgspec.json.encode(TaskSpec()) == b"{}"


def test_empty_approvers_list_does_not_mean_everybody() -> None:
    human = {"title": "Run it?", "approvers": []}
    source = {"workflow": "w", "intent_type": "w.v1", "steps": [{"id": "ok", "human": human}]}
    with pytest.raises(Invalid, match="names nobody") as refused:
        compile_workflow(source)
    assert refused.value.field == "steps.ok.human.approvers"
    assert compile_workflow(source, kept=True).plan.human_step("ok").task.stages == (Stage(),)
