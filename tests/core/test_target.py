"""What a request is about: the payload fields that its workflow declares as its target."""

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.errors import Invalid
from signoff.core.formats.workflow import compile_workflow
from signoff.core.intent import commands as c
from signoff.core.intent.model import consented, last_decision
from signoff.core.plan.target import target_of
from signoff.core.plan.task_types import Ending, TaskType
from tests.builders import ANN, Story, gate
from tests.core.asking import asking, step

STEP = {"id": "ask", "human": {"title": "Run it?"}}


def target(payload: Any, *declared: str, intent_type: str = "intent.a.v1") -> str:
    return target_of(declared, intent_type, json.dumps(payload).encode())


def compiled(said: Any, **more: Any) -> tuple[str, ...]:
    source = {"workflow": "w", "intent_type": "intent.a.v1", "steps": [STEP], "target": said, **more}
    return compile_workflow(source).plan.target


def test_equal_values_are_one_target() -> None:
    first = target({"cluster": "a", "sql": "x", "to": {"id": 7}}, "cluster", "to.id")
    assert first == target({"to": {"id": 7, "n": 1}, "sql": "y", "cluster": "a"}, "cluster", "to.id")
    assert first == target({"cluster": "a", "to": {"id": 7}}, "to.id", "cluster")
    assert len(first) == 64
    others = [
        target({"cluster": "b", "to": {"id": 7}}, "cluster", "to.id"),
        target({"cluster": "a", "to": {"id": "7"}}, "cluster", "to.id"),
        target({"database": "a", "to": {"id": 7}}, "database", "to.id"),  # another field
        target({"cluster": "a", "to": {"id": 7}}, "cluster", "to.id", intent_type="intent.b.v1"),
    ]
    assert len({first, *others}) == 5


@pytest.mark.parametrize(
    "payload", [{}, {"a": None}, {"a": ""}, {"a": {}}, {"a": {"b": None}}, {"a": {"b": [1]}}, {"a": "b"}, []]
)
def test_missing_value_means_no_target(payload: Any) -> None:
    assert target(payload, "a.b") == ""
    assert target(payload) == ""


def test_workflow_declares_one_target_field_or_several() -> None:
    assert compiled("cluster") == ("cluster",)
    assert compiled(["cluster", "customer.id"]) == ("cluster", "customer.id")
    assert (
        compile_workflow({"workflow": "w", "intent_type": "intent.a.v1", "steps": [STEP]}).plan.target == ()
    )


@pytest.mark.parametrize(
    "said", ["", [], ["a b"], ["{a}"], "a.", ["a", "b", "c", "d", "e", "f"], 3, {"a": 1}, ["a", ""]]
)
def test_invalid_target_field_is_refused(said: Any) -> None:
    if said == []:
        assert compiled(said) == ()
        return
    with pytest.raises(Invalid) as refused:
        compiled(said)
    assert (refused.value.field or "").startswith("target")


def test_target_without_a_human_step_is_refused() -> None:
    steps = [{"id": "run", "agent": "a"}]
    with pytest.raises(Invalid) as refused:
        compiled("cluster", steps=steps)
    assert refused.value.field == "target"


def test_consent_requires_that_the_last_decision_approved_the_current_payload() -> None:
    story = Story(gate(step(), step(name="form", type=TaskType.FORM, outcomes=("submitted",))))
    assert not consented(story.intent)
    story.do(c.Answer("approved"), ANN)
    assert not consented(story.intent)  # the form is open: the payload can be changed in it
    story.do(c.Answer("submitted", data={"at": "noon"}), ANN)
    assert story.intent.ending is Ending.APPROVED
    assert not consented(story.intent)
    for outcome, agreed in (("approved", True), ("rejected", False)):
        story = asking()
        story.do(c.Answer(outcome), ANN)
        assert consented(story.intent) is agreed


def test_last_decision_is_that_of_the_task_decided_last() -> None:
    story = Story(gate(step(name="first"), step(name="second")))
    assert last_decision(story.intent) is None
    story.do(c.Answer("approved"), ANN)
    first = story.now
    found = last_decision(story.intent)
    assert found is not None
    assert (found[0], found[1].id) == (first, "first")
    story.do(c.Answer("approved"), ANN, timedelta(minutes=5))
    found = last_decision(story.intent)
    assert found is not None
    assert (found[0], found[1].id) == (story.now, "second")
    # a rerun starts with the results of the request that it repeats
    rerun = replace(story.intent, created_at=story.now + timedelta(minutes=1))
    assert last_decision(rerun) is None
