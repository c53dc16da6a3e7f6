"""Check results before a decision: a missing result never counts as passed, and no check lowers a risk."""

from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.intent import commands as c
from signoff.core.intent.checks import (
    check_verdicts,
    checked,
    current_verdicts,
    grave,
    revisions_of,
    verdict_of,
    with_check_results,
    worst_risk,
)
from signoff.core.plan.task_types import Risk, Strength
from tests.builders import ANN, Story, approve, gate, validate
from tests.core.asking import step


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        ({"passed": True}, "passed"),
        ({"valid": False}, "failed"),
        ({"passed": True, "safe": False}, "failed"),
        ({"passed": True, "safe": True}, "passed"),
        ({"passed": True, "error": "timeout"}, "failed"),
        ({"passed": True, "error": ""}, "passed"),
        ({"passed": "yes"}, "reported"),
        ({"rows": 3}, "reported"),
        ({}, "reported"),
        (None, "reported"),
        (["passed"], "reported"),
        (True, "reported"),
    ],
)
def test_check_passes_only_with_an_explicit_result(result: Any, verdict: str) -> None:
    assert verdict_of(result) == verdict


@pytest.mark.parametrize(
    ("policy", "results", "worst"),
    [
        (Risk.MEDIUM, {}, (Risk.MEDIUM, "")),
        (Risk.MEDIUM, {"a": {"risk": "low"}}, (Risk.MEDIUM, "")),
        (Risk.MEDIUM, {"a": {"risk": "medium"}}, (Risk.MEDIUM, "")),
        (Risk.LOW, {"a": {"risk": "medium"}}, (Risk.MEDIUM, "a")),
        (Risk.LOW, {"a": {"risk": "HIGH"}, "b": {"risk": "critical"}}, (Risk.CRITICAL, "b")),
        (Risk.LOW, {"a": {"risk": "critical"}, "b": {"risk": "high"}}, (Risk.CRITICAL, "a")),
        (Risk.LOW, {"a": {"risk": "unheard of"}, "b": "high", "c": {}}, (Risk.LOW, "")),
    ],
)
def test_risk_is_the_highest_of_policy_and_checks(
    policy: Risk, results: dict[str, Any], worst: tuple[Risk, str]
) -> None:
    assert worst_risk(policy, results) == worst


@pytest.mark.parametrize(
    ("risk", "verdicts", "is_grave"),
    [
        (Risk.LOW, [], False),
        (Risk.MEDIUM, ["passed", "reported"], False),
        (Risk.LOW, ["passed", "failed"], True),
        (Risk.HIGH, ["passed"], True),
        (Risk.CRITICAL, [], True),
    ],
)
def test_approval_is_grave_at_high_risk_or_after_a_failed_check(
    risk: Risk, verdicts: list[str], is_grave: bool
) -> None:
    assert grave(risk, verdicts) is is_grave


def test_high_risk_requires_a_session_and_nothing_lowers_it() -> None:
    high = {"a": {"risk": "high"}}
    assert with_check_results(Strength.LINK, Risk.MEDIUM, {}) is Strength.LINK
    assert with_check_results(Strength.LINK, Risk.MEDIUM, high) is Strength.SESSION
    assert with_check_results(Strength.LINK, Risk.CRITICAL, {}) is Strength.SESSION
    assert with_check_results(Strength.STEP_UP, Risk.LOW, high) is Strength.STEP_UP
    assert with_check_results(Strength.SESSION, Risk.LOW, {}) is Strength.SESSION


def test_check_of_an_earlier_revision_is_stale_until_repeated() -> None:
    story = Story(gate(validate(), approve(), step(name="later"))).validated()
    fresh = checked(story.intent, "approve")
    assert (fresh.current, fresh.stale, fresh.of) == ({"validate": {"passed": True}}, {}, {"validate": 1})
    story.do(c.Revise("e" * 64), ANN)
    stale = checked(story.intent, "approve")
    assert (stale.current, stale.stale, stale.of) == ({}, {"validate": {"passed": True}}, {"validate": 1})
    assert stale.all == {"validate": {"passed": True}}
    assert checked(story.intent, "approve", 1).current == {"validate": {"passed": True}}
    assert checked(story.intent, "validate").all == {}


def test_only_agent_steps_are_checks_of_the_current_revision() -> None:
    form = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    story = Story(gate(validate(), step(name="survey", form=form), step())).validated()
    story.do(c.Answer("approved", data={"ok": False}), ANN)
    assert story.intent.results["survey"]["ok"] is False
    assert current_verdicts(story.intent, "ask") == {"validate": "passed"}
    assert check_verdicts(story.plan, {**story.intent.results, "unknown": {"ok": False}}) == {
        "validate": "passed"
    }
    story.do(c.Revise("e" * 64), ANN)
    assert current_verdicts(story.intent, "ask") == {}
    assert check_verdicts(story.plan, checked(story.intent, "ask").all) == {"validate": "passed"}


def test_result_without_a_revision_belongs_to_the_only_one() -> None:
    intent = replace(Story().intent, results={"old": {}, "new": {}}, reported={"new": 1})
    assert revisions_of(intent) == {"old": 1, "new": 1}
    later = replace(intent, revision=2, reported={"new": 2})
    assert revisions_of(later) == {"new": 2}
    assert checked(later, "ask").stale == {"old": {}}
