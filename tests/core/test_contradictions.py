"""If two parts of an answer contradict each other, nothing is recorded."""

from typing import Any

import pytest

from signoff.core.errors import Invalid
from signoff.core.intent.contradictions import (
    as_flag,
    decides,
    one_meaning,
    refuse_contradiction,
    rejecting_member,
)
from signoff.core.plan.task_types import Meaning, Outcome, TaskSpec
from tests.core.asking import REVIEW_WORDS, refusal

PLAIN = TaskSpec()
REVIEW = TaskSpec(outcomes=REVIEW_WORDS)


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True), (False, False), (1, True), (0, False), (1.0, True), (0.0, False), (2, None), (0.5, None),
        ("true", True), (" YES ", True), ("1", True), ("no", False), ("False", False), ("0", False), ("maybe", None),
        ("", None), (None, None), ([True], None),
    ],
)  # fmt: skip
def test_approval_flag_accepts_booleans_numbers_and_words(value: object, flag: bool | None) -> None:
    assert as_flag(value) is flag


AGREES: list[tuple[str, dict[str, Any]]] = [
    ("approved", {}), ("approved", {"approved": True}), ("approved", {"Approved": "yes"}),
    ("approved", {"rejected": False}),
    ("rejected", {"approved": False}), ("rejected", {"denied": 1}), ("approved", {"approved": "perhaps"}),
    ("approved", {"outcome": "approved"}), ("approved", {"decision": "approve"}), ("approved", {"decision": ""}),
    ("approved", {"decision": "yes"}), ("rejected", {"decision": "deny"}), ("approved", {"decision": "blue"}),
    ("approved", {"status": "ok"}), ("approved", {"status": "failed"}), ("approved", {"status": 5}),
    ("rejected", {"status": "approved"}), ("approved", {"note": "rejected"}), ("approved", {"decision": {"x": 1}}),
    ("approved", {"result": {"denied": 0, "rows": 3}}), ("approved", {"data": {"outcome": "approved"}}),
    ("approved", {"before": {"outcome": "rejected"}}),
]  # fmt: skip
DISAGREES: list[tuple[str, dict[str, Any], str]] = [
    ("approved", {"approved": False}, "approved"), ("approved", {"APPROVED": "no"}, "APPROVED"),
    ("approved", {"rejected": True}, "rejected"), ("rejected", {"acknowledged": True}, "acknowledged"),
    ("rejected", {"accept": 1}, "accept"), ("approved", {"decision": "rejected"}, "decision"),
    ("approved", {"outcome": "deny"}, "outcome"), ("rejected", {"outcome": "approve"}, "outcome"),
    ("approved", {"decision": "no"}, "decision"), ("approved", {"decision": False}, "decision"),
    ("rejected", {"decision": True}, "decision"), ("approved", {"status": "rejected"}, "status"),
    ("approved", {"Result": "denied"}, "Result"), ("approved", {"action": "reject"}, "action"),
    ("approved", {"action": "changes_requested"}, "action"), ("approved", {"Decision": "rejected"}, "Decision"),
    ("approved", {"approveCurrentStep": False}, "approveCurrentStep"),
    ("rejected", {"Approve-Current_Step": "yes"}, "Approve-Current_Step"),
    ("approved", {"taskResult": {"outcome": "rejected"}}, "taskResult.outcome"),
    ("approved", {"task_results": {"data": {"approved": False}}}, "task_results.data.approved"),
    ("approved", {"result": {"status": "denied"}}, "result.status"),
    ("rejected", {"data": {"approve_current_step": True}}, "data.approve_current_step"),
]  # fmt: skip


@pytest.mark.parametrize(("outcome", "data"), AGREES)
def test_consistent_or_silent_data_is_accepted(outcome: str, data: dict[str, Any]) -> None:
    refuse_contradiction(PLAIN, outcome, data)


@pytest.mark.parametrize(("outcome", "data", "field"), DISAGREES)
def test_contradictory_data_is_refused_with_both_names(
    outcome: str, data: dict[str, Any], field: str
) -> None:
    met = refusal(lambda: refuse_contradiction(PLAIN, outcome, data))
    assert isinstance(met, Invalid)
    assert (met.code, met.field) == ("contradictory_answer", f"data.{field}")
    assert met.details == {"fields": ["outcome", f"data.{field}"]}


def test_name_of_another_outcome_in_the_data_is_refused() -> None:
    refuse_contradiction(REVIEW, "changes_requested", {"decision": "changes_requested"})
    met = refusal(lambda: refuse_contradiction(REVIEW, "changes_requested", {"decision": "reject"}))
    assert met.code == "contradictory_answer"


def test_field_of_the_form_has_the_meaning_of_the_form() -> None:
    form = TaskSpec(form={"properties": {"status": {}, "accepted": {}, "decision": {}, "approved": {}}})
    refuse_contradiction(form, "approved", {"status": "rejected", "accepted": False, "decision": "rejected"})
    met = refusal(lambda: refuse_contradiction(form, "approved", {"approved": False}))
    assert met.field == "data.approved", "what a form calls so is the answer"
    within = TaskSpec(form={"properties": {"result": {}}})
    refuse_contradiction(within, "approved", {"result": {"outcome": "rejected"}})
    odd = TaskSpec(form={"properties": []})
    assert (
        refusal(lambda: refuse_contradiction(odd, "approved", {"status": "rejected"})).field == "data.status"
    )


def test_later_stage_compares_data_with_the_agreed_outcome() -> None:
    own = (Outcome("blue", Meaning.APPROVES), Outcome("green", Meaning.APPROVES))
    spec = TaskSpec(outcomes=("blue", "green", "rejected"), own=own)
    assert (
        refusal(lambda: refuse_contradiction(spec, "blue", {"decision": "green"})).code
        == "contradictory_answer"
    )
    refuse_contradiction(
        spec, "blue", {"decision": "green"}, agreed="blue"
    )  # it is none of what can be said now


# -- bodies that say it more than once


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ({}, None),
        ({"outcome": None, "approved": None}, None),
        ({"outcome": "  "}, None),
        ({"outcome": "blue"}, "blue"),
        ({"approved": True}, "approved"),
        ({"approved": False}, "rejected"),
        ({"outcome": "approve", "approved": True}, "approve"),
        ({"outcome": "rejected", "decision": "deny"}, "rejected"),
    ],
)
def test_members_of_a_body_name_one_outcome(said: dict[str, object], meaning: str | None) -> None:
    assert one_meaning(said, PLAIN) == meaning
    assert one_meaning(said, None) == meaning


def test_two_names_of_one_outcome_are_consistent() -> None:
    confirm = TaskSpec(outcomes=("confirmed", "denied"))
    assert one_meaning({"outcome": "confirmed", "approved": True}, confirm) == "confirmed"
    assert (
        refusal(lambda: one_meaning({"outcome": "confirmed", "approved": True}, None)).code
        == "contradictory_answer"
    )


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({"outcome": "approved", "approved": False}, ["outcome", "approved"]),
        ({"outcome": "approved", "decision": None, "action": "reject"}, ["outcome", "action"]),
        ({"outcome": "blue", "decision": "green"}, ["outcome", "decision"]),
    ],
)
def test_contradictory_members_are_both_named(said: dict[str, object], fields: list[str]) -> None:
    met = refusal(lambda: one_meaning(said, PLAIN))
    assert (met.code, met.details) == ("contradictory_answer", {"fields": fields})


def test_member_that_is_not_text_is_refused() -> None:
    met = refusal(lambda: one_meaning({"outcome": 5}, PLAIN))
    assert isinstance(met, Invalid)
    assert (met.code, met.field) == ("validation_error", "outcome")


# -- does a body decide anything


@pytest.mark.parametrize(
    ("data", "no"),
    [
        ({}, None), ({"outcome": "approved"}, None), ({"outcome": "rejected"}, "outcome"),
        ({"decision": "no"}, "decision"),
        ({"outcome": False}, "outcome"), ({"status": "declined"}, "status"), ({"status": False}, None),
        ({"approved": False}, "approved"), ({"rejected": True}, "rejected"), ({"approved": True}, None),
        ({"note": "no"}, None), ({"Outcome": "Rejected"}, "Outcome"), ({"approveCurrentStep": 0}, "approveCurrentStep"),
    ],
)  # fmt: skip
def test_rejecting_member_of_a_body_is_found(data: dict[str, Any], no: str | None) -> None:
    assert rejecting_member(data) == (None if no is None else (no, data[no]))


def test_nested_rejecting_member_is_found() -> None:
    assert rejecting_member({"note": 1, "taskResult": {"outcome": "denied"}}) == (
        "taskResult.outcome",
        "denied",
    )
    assert rejecting_member({"result": {"data": {"approved": False}}}) == ("result.data.approved", False)
    assert rejecting_member({"result": {"rows": 7}, "data": {"outcome": "approved"}}) is None
    assert rejecting_member({"Task.Result ": {"outcome": "denied"}}) == ("Task.Result .outcome", "denied")
    assert rejecting_member({"decision": {"outcome": "denied"}}) == ("decision.outcome", "denied")
    assert rejecting_member({"before": {"outcome": "rejected"}}) is None


@pytest.mark.parametrize(
    ("data", "reads"),
    [
        ({}, False), ({"note": "approved"}, False), ({"outcome": "blue"}, True), ({"outcome": "red"}, False),
        ({"decision": "yes"}, True), ({"action": "approve"}, True), ({"outcome": True}, True), ({"action": 7}, False),
        ({"approved": True}, True), ({"acknowledged": "yes"}, True), ({"accepted": True}, False),
        ({"accepted": False}, True), ({"status": "rejected"}, True), ({"status": "done"}, False),
    ],
)  # fmt: skip
def test_decides_tells_whether_members_alone_are_a_decision(data: dict[str, Any], reads: bool) -> None:
    assert decides(data, ("blue", "green")) is reads
