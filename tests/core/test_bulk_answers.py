"""Which tasks may be answered together, and which are equal."""

from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict, Forbidden
from signoff.core.intent import commands as c
from signoff.core.intent.bulk_answers import alone, differs, form_of, shape, unequal, why_alone
from signoff.core.intent.events import Answered
from signoff.core.intent.receipts import bulk_receipt
from signoff.core.plan.task_types import Risk, Stage, Strength, TaskType
from tests.builders import ANN, OTTO, Story, gate, validate
from tests.core.asking import asking, refused, review, step

LOW: dict[str, Any] = {"risk": Risk.LOW}
TOGETHER = c.Answer("approved", bulk=7)


def test_bulk_answer_to_low_risk_tasks_is_recorded_as_such() -> None:
    story = asking(**LOW)
    [answered, *_] = story.do(TOGETHER, ANN).facts
    assert isinstance(answered.fact.event, Answered)
    assert answered.fact.event.bulk == 7
    assert b'"bulk":7' in answered.body


def test_single_answer_is_recorded_without_a_bulk_mark() -> None:
    [answered, *_] = asking(**LOW).do(c.Answer("approved"), ANN).facts
    assert b"bulk" not in answered.body


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({}, "Its risk is medium, not low."),
        ({"risk": Risk.HIGH}, "Its risk is high, not low."),
        ({"risk": Risk.CRITICAL}, "Its risk is critical, not low."),
        ({**LOW, "strength": Strength.SESSION}, "Its policy requires a sign-in by e-mail."),
        ({**LOW, "strength": Strength.STEP_UP}, "Its policy requires a sign-in by e-mail."),
        ({**LOW, "comment_required": True}, "It requires a comment."),
        ({**LOW, "evidence_required": True}, "It requires evidence."),
        ({**LOW, "form": {"properties": {"approved": {"type": "boolean"}}}}, "It requires a completed form."),
        (
            {**LOW, "type": TaskType.MANUAL_ACTION, "outcomes": ("completed",)},
            "It is a task of type manual_action.",
        ),
    ],
)
def test_task_that_needs_more_than_one_click_is_answered_separately(spec: dict[str, Any], why: str) -> None:
    story = asking(**spec)
    assert why_alone(story.intent, story.task) == why
    sure = c.Answer("rejected", bulk=2, stage=0, revision=1, digest=story.task.digest)
    met = refused(story, sure, ANN)
    assert isinstance(met, Forbidden)
    assert (met.code, met.message) == ("bulk_not_allowed", f"{why} Such a task is not decided in bulk.")


def test_review_is_answered_separately() -> None:
    story = review(**LOW)
    assert why_alone(story.intent, story.task) == "It is a task of type review."


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"passed": True}, ""),
        ({"passed": True, "risk": "high"}, "Its risk is high, not low."),
        ({"passed": False}, "A check failed."),
        ({"error": "broken"}, "A check failed."),
    ],
)
def test_check_can_require_a_separate_answer(result: dict[str, Any], why: str) -> None:
    story = Story(gate(validate(), step(**LOW)))
    story.do(c.Report(result=result))
    assert why_alone(story.intent, story.task) == why


def test_earlier_form_field_is_no_failed_check_but_its_risk_counts() -> None:
    form = {"type": "object", "properties": {"ok": {"type": "boolean"}, "risk": {"type": "string"}}}
    for data, why in (({"ok": False}, ""), ({"risk": "high"}, "Its risk is high, not low.")):
        story = Story(gate(step(name="survey", form=form), step(**LOW)))
        story.do(c.Answer("approved", data=data), ANN)
        assert why_alone(story.intent, story.task) == why


def test_revised_task_is_answered_separately() -> None:
    story = asking(**LOW)
    story.do(c.Revise("e" * 64), OTTO)
    assert why_alone(story.intent, story.task) == "It has changed since it was first asked."


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({"passed": True}, "It has changed since it was first asked."),
        ({"passed": True, "risk": "medium"}, "Its risk is medium, not low."),
        ({"passed": False}, "It has changed since it was first asked."),
    ],
)
def test_check_of_an_earlier_revision_still_requires_a_separate_answer(
    result: dict[str, Any], why: str
) -> None:
    story = Story(gate(validate(), step(**LOW)))
    story.do(c.Report(result=result))
    story.do(c.Revise("e" * 64), OTTO)
    assert story.task.revision == 2
    assert why_alone(story.intent, story.task) == why


def test_each_bulk_answer_targets_the_shown_state() -> None:
    story = asking(**LOW)
    stale = c.Answer("approved", bulk=2, stage=0, revision=1, digest="0" * 64)
    assert isinstance(refused(story, stale, ANN), Conflict)


# -- similar tasks


def test_equal_tasks_have_the_same_question_and_stage() -> None:
    one, other = asking(Stage(), Stage(), **LOW), asking(Stage(), Stage(), **LOW)
    assert differs(one.intent, other.intent) == ""
    assert form_of(one.intent, one.task, {"a": 1}) == form_of(other.intent, other.task, {"a": 2})
    other.do(c.Answer("approved"), OTTO)
    assert differs(one.intent, other.intent) == "another step or stage"
    assert form_of(one.intent, one.task, {"a": 1}) != form_of(other.intent, other.task, {"a": 1})
    other.do(c.Answer("approved"), ANN)
    assert differs(one.intent, other.intent) == "it is not open"


@pytest.mark.parametrize(
    ("of_intent", "of_task", "what"),
    [
        ({"type": "intent.other.v1"}, {}, "another workflow"),
        ({"plan_digest": "q" * 64}, {}, "another workflow"),
        ({}, {"step": "elsewhere"}, "another step or stage"),
        ({}, {"stage": 1}, "another step or stage"),
        ({}, {"agreed": "canary"}, "other people are asked, or another outcome was agreed"),
        ({}, {"assigned": ("per_otto",)}, "other people are asked"),
    ],
)
def test_difference_in_any_part_of_the_question_is_named(
    of_intent: dict[str, Any], of_task: dict[str, Any], what: str
) -> None:
    story = asking(Stage(), Stage(), **LOW)
    task = replace(story.task, **of_task)
    other = replace(story.intent, open=task, **of_intent)
    assert differs(story.intent, other).startswith(what)
    assert differs(other, story.intent).startswith(what)
    assert form_of(story.intent, story.task, {}) != form_of(other, task, {})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": "x"}, {"b": "y", "a": 2.5}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": True}, {"a": None}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, False),
        ({"a": [1, 2]}, {"a": [3]}, True),
        ({"a": [1, "x"]}, {"a": [1]}, False),
        ({"a": []}, {"a": {}}, False),
    ],
)
def test_shape_compares_names_and_types_of_a_payload(one: Any, other: Any, same: bool) -> None:
    assert (shape(one) == shape(other)) is same


def test_refusals_name_the_next_step() -> None:
    assert "separately" in str(alone("It is so.").hint)
    assert (unequal("another step").code, unequal("another step").status) == ("not_equal", 409)


# -- what the person is told


@pytest.mark.parametrize(
    ("counts", "said", "then"),
    [
        ((3, 3, 3), "Recorded for 3 of 3 tasks, each separately: approved.", "3 are decided."),
        ((3, 3, 0), "Recorded for 3 of 3 tasks, each separately: approved.", "3 are not decided yet."),
        (
            (3, 2, 1),
            "Recorded for 2 of 3 tasks, each separately: approved.",
            "1 is decided. 1 is not decided yet. 1 was refused; see the reason of each.",
        ),
        ((1, 1, 1), "Recorded for 1 of 1 task, each separately: approved.", "1 is decided."),
        ((2, 0, 0), "Nothing was recorded.", "All 2 are listed with the reason."),
    ],
)
def test_receipt_counts_the_recorded_answers(counts: tuple[int, int, int], said: str, then: str) -> None:
    made = bulk_receipt(*counts, "approved")
    assert (made.recorded, made.then) == (said, then)
