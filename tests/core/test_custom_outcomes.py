"""Outcomes that a workflow defines: each has a meaning, and none is read as its opposite."""

from typing import Any

import pytest

from signoff.core.errors import Invalid
from signoff.core.formats.workflow import compile_workflow
from signoff.core.plan.answers import (
    canonical_outcome,
    check_answer,
    could_mean_yes,
    meaning_of_answer,
    usual_meaning,
)
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Meaning, Outcome, TaskSpec, meaning_of
from tests.core.asking import REVIEW_WORDS, refusal

YES: dict[str, Any] = {"name": "ship", "means": "approve"}
NO: dict[str, Any] = {"name": "hold", "means": "reject"}


def compiled(*outcomes: Any, kind: str = "approval") -> TaskSpec:
    human = {"type": kind, "outcomes": [*outcomes]}
    if kind == "form":
        human["form"] = {"properties": {"why": {"type": "string"}}}
    tell = {"id": "tell", "notify": {"to": "ops@acme.example", "message": "x"}}
    source = {"workflow": "w", "intent_type": "i.v1", "steps": [{"id": "ok", "human": human}, tell]}
    step = compile_workflow(source).plan.steps[0]
    assert isinstance(step, HumanStep)
    return step.task


def refused(*outcomes: Any, kind: str = "approval") -> tuple[str, str]:
    met = refusal(lambda: compiled(*outcomes, kind=kind))
    assert isinstance(met, Invalid)
    return (met.field or "").removeprefix("steps.ok.human."), str(met)


def test_workflow_defines_outcomes_with_labels_and_routes() -> None:
    led = {"name": "park", "means": "reject", "label": "Park it", "goto": "tell", "as": "success"}
    spec = compiled({**YES, "label": "Ship it"}, NO, led, "changes_requested")
    assert spec.outcomes == ("ship", "hold", "park", "changes_requested")
    assert spec.own == (
        Outcome("ship", Meaning.APPROVES, "Ship it"),  # a word that means no by itself needs no definition
        Outcome("park", Meaning.REJECTS, "Park it", "tell", True),
    )
    assert [spec.meaning(word) for word in spec.outcomes] == [
        Meaning.APPROVES,
        Meaning.REJECTS,
        Meaning.REJECTS,
        Meaning.REQUESTS_CHANGES,
    ]


def test_built_in_outcome_may_get_a_label_and_keeps_its_meaning() -> None:
    spec = compiled({"name": "approved", "label": "Go"}, {"name": "rejected", "means": "reject"})
    assert spec.own == (Outcome("approved", Meaning.APPROVES, "Go"),)
    assert spec.outcomes_meaning(Meaning.REJECTS) == ("rejected",)


@pytest.mark.parametrize(
    ("outcomes", "field", "said"),
    [
        ([YES, YES, NO], "outcomes", "is listed twice"),
        ([{**YES, "label": "Same"}, {**NO, "label": "Same"}], "outcomes", "have the label 'Same'"),
        ([YES, {**NO, "name": "SHIP"}], "outcomes", "except for case"),
        ([NO], "outcomes", "none of these approves"),
        ([YES], "outcomes", "no one could reject"),
        (["ship", "rejected"], "outcomes[0]", "the meaning of 'ship' is missing"),
        (["aproved", "rejected"], "outcomes[0]", "the meaning of 'aproved' is missing"),
        ([{"name": "two words", "means": "approve"}, NO], "outcomes[0].name", "is not a name"),
        (
            [{"name": "expired", "means": "reject"}, YES],
            "outcomes[0].name",
            "is reserved for tasks that end without an answer",
        ),
        (
            [{"name": "superseded", "means": "changes"}, YES],
            "outcomes[0].name",
            "is reserved for tasks that end without an answer",
        ),
        ([{"name": "ship"}, NO], "outcomes[0].means", "is required"),
        ([{"name": "ship", "means": "approv"}, NO], "outcomes[0].means", "is unknown"),
        ([{"name": "ship", "means": "xyz"}, NO], "outcomes[0].means", "is unknown"),
        ([{"name": "rejected", "means": "approve"}, YES], "outcomes[0].means", "always means reject"),
        ([{"name": "yes", "means": "reject"}, YES], "outcomes[0].name", "is read as approve"),
        ([{**NO, "label": "Approve"}, YES], "outcomes[0].label", "is read as approve"),
        ([{**YES, "label": "changes_requested"}, NO], "outcomes[0].label", "is read as changes"),
        ([{**NO, "as": "failure", "goto": "tell"}, YES], "outcomes[0].as", "is unknown"),
        ([{**NO, "as": "success"}, YES], "outcomes[0].as", "only has an effect together with goto"),
        (
            [{**YES, "as": "success", "goto": "tell"}, NO],
            "outcomes[0].as",
            "only has an effect together with goto",
        ),
    ],
)
def test_ambiguous_outcome_names_are_refused(outcomes: list[Any], field: str, said: str) -> None:
    assert refused(*outcomes)[0] == field
    assert said in refused(*outcomes)[1]


def test_form_may_have_only_an_approving_outcome() -> None:
    assert compiled("submitted", kind="form").outcomes == ("submitted",)


# -- what an answer means


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("approved", Meaning.APPROVES),
        (" Approve ", Meaning.APPROVES),
        ("OK", Meaning.APPROVES),
        ("no", Meaning.REJECTS),
        ("denied", Meaning.REJECTS),
        ("changes_requested", Meaning.REQUESTS_CHANGES),
        ("blue", None),
        ("", None),
    ],
)
def test_common_words_have_their_usual_meaning(word: str, meaning: Meaning | None) -> None:
    assert usual_meaning(word) is meaning


def test_undefined_outcome_does_not_approve_but_could_in_a_workflow() -> None:
    assert meaning_of("ship") is Meaning.REJECTS
    assert could_mean_yes("ship")
    assert could_mean_yes("confirmed")
    assert not could_mean_yes("denied")
    assert not could_mean_yes("changes_requested")


def test_form_field_that_rejects_makes_the_answer_a_rejection() -> None:
    spec = TaskSpec(outcomes=("submitted",), form={"properties": {"approved": {}, "acknowledged": {}}})
    assert meaning_of_answer(spec, "submitted", {}) is Meaning.APPROVES
    assert meaning_of_answer(spec, "submitted", {"approved": True, "acknowledged": True}) is Meaning.APPROVES
    assert meaning_of_answer(spec, "submitted", {"approved": False}) is Meaning.REJECTS
    assert meaning_of_answer(spec, "submitted", {"acknowledged": False}) is Meaning.REJECTS
    assert (
        meaning_of_answer(TaskSpec(outcomes=REVIEW_WORDS), "changes_requested", {"approved": False})
        is Meaning.REQUESTS_CHANGES
    )


def test_approved_and_rejected_are_aliases_of_the_tasks_own_outcomes() -> None:
    confirm = TaskSpec(outcomes=("confirmed", "denied"))
    assert [canonical_outcome(confirm, word) for word in ("approved", "rejected", "denied")] == [
        "confirmed",
        "denied",
        "denied",
    ]
    form = TaskSpec(outcomes=("submitted",), form={"properties": {"acknowledged": {}}})
    assert canonical_outcome(form, "rejected") == "rejected"
    plain = TaskSpec(outcomes=("submitted",), form={"properties": {"why": {}}})
    assert refusal(lambda: canonical_outcome(plain, "rejected")).code == "outcome_not_allowed"


def test_approved_is_refused_as_an_alias_of_several_outcomes() -> None:
    own = (Outcome("blue", Meaning.APPROVES), Outcome("green", Meaning.APPROVES))
    spec = TaskSpec(outcomes=("blue", "green", "rejected"), own=own)
    assert refusal(lambda: canonical_outcome(spec, "approved")).code == "outcome_not_allowed"
    assert canonical_outcome(spec, "approved", agreed="blue") == "blue"
    late = refusal(lambda: canonical_outcome(spec, "green", agreed="blue"))
    assert (late.details, "has chosen 'blue'" in (late.hint or "")) == (
        {"allowed_outcomes": ["blue", "rejected"]},
        True,
    )
    assert "has chosen" not in (refusal(lambda: canonical_outcome(spec, "red", agreed="blue")).hint or "")


def test_evidence_and_form_are_required_for_approval_and_a_comment_for_any_answer() -> None:
    def code(spec: TaskSpec, outcome: str, comment: str = "", **data: Any) -> str:
        try:
            check_answer(spec, outcome, comment, data)
        except Invalid as met:
            return met.code
        return ""

    commented = TaskSpec(comment_required=True)
    assert [code(commented, word) for word in ("approved", "rejected")] == ["comment_required"] * 2
    assert code(commented, "rejected", "no") == ""
    shown = TaskSpec(evidence_required=True)
    assert (code(shown, "approved"), code(shown, "rejected"), code(shown, "approved", evidence="x")) == (
        "evidence_required",
        "",
        "",
    )
    form = TaskSpec(form={"properties": {"why": {}}, "required": ["why"]})
    assert (code(form, "approved", why=" "), code(form, "rejected", why=" ")) == ("form_invalid", "")
    assert (code(form, "approved", why="so"), code(form, "approved", why=5)) == ("", "")
    assert code(TaskSpec(form={"required": "why"}), "approved", why=" ") == "", "a schema that names none"
