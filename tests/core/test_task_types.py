"""A task type is declared once, with everything specific to it."""

import pytest

from signoff.core.errors import Invalid
from signoff.core.formats.workflow import compile_workflow
from signoff.core.plan.answers import check_answer
from signoff.core.plan.task_types import BUILT_IN, Meaning, TaskSpec, TaskType, Trait, meaning_of
from signoff.core.plan.wording import label


@pytest.mark.parametrize("kind", TaskType)
def test_task_type_has_everything_that_each_surface_needs(kind: TaskType) -> None:
    assert kind.outcomes == tuple(outcome.name for outcome in kind.built_in)
    assert [meaning_of(word) for word in kind.outcomes].count(Meaning.APPROVES) == 1
    assert kind.default_title
    assert kind.question
    assert kind.comment_label
    assert Trait.INPUT not in kind.traits or Trait.CONSENT not in kind.traits
    spec = TaskSpec(type=kind, outcomes=kind.outcomes)
    assert [label(spec, word) for word in kind.outcomes] == [outcome.label for outcome in kind.built_in]
    form = {"form": {"properties": {"ticket": {"type": "string"}}}} if kind is TaskType.FORM else {}
    step = {"id": "a", "human": {"type": kind.value, **form}}
    [made] = compile_workflow({"workflow": "w", "intent_type": "t.v1", "steps": [step]}).plan.steps
    task = made.task  # type: ignore[union-attr]
    assert (task.type, task.outcomes, task.title) == (kind, kind.outcomes, kind.default_title)
    assert task.comment_required is (Trait.COMMENT in kind.traits)
    assert task.evidence_required is (Trait.EVIDENCE in kind.traits)


def test_outcome_has_the_same_meaning_in_every_task_type() -> None:
    for kind in TaskType:
        for outcome in kind.built_in:
            assert BUILT_IN[outcome.name] is outcome


def test_assignment_names_the_assignee() -> None:
    spec = TaskSpec(type=TaskType.ASSIGNMENT, outcomes=TaskType.ASSIGNMENT.outcomes)
    for data in ({}, {"assignee": " "}, {"assignee": None}, {"note": "Ann"}):
        with pytest.raises(Invalid) as refused:
            check_answer(spec, "assigned", "", data)
        assert (refused.value.code, refused.value.field) == ("assignee_required", "data.assignee")
    for data in ({"assignee": "Ann"}, {"assignee_email": "ann@acme.example"}, {"assignedTo": ["Ann"]}):
        assert check_answer(spec, "assigned", "", data) == ("assigned", Meaning.APPROVES)
    assert check_answer(spec, "declined", "", {}) == ("declined", Meaning.REJECTS)
