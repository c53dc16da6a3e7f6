"""Texts to people in the server's name: nothing that a requester wrote, and a timeout is never called consent."""

from datetime import datetime
from typing import Any

import pytest

from signoff.core.plan.plan import After, HumanStep, Plan, Route, check_plan
from signoff.core.plan.task_types import Ending, Fallback, Meaning, Outcome, TaskSpec, TaskType
from signoff.core.plan.wording import (
    after_no,
    ended,
    from_workflow,
    label,
    later_stages_text,
    on_expiry_text,
    outcome_text,
    question,
    type_text,
    what_now,
)
from tests.builders import START, minutes, validate

LATER = START + minutes(60)


def ask(**fields: Any) -> HumanStep:
    routes = {name: fields.pop(name) for name in [*fields] if name.startswith("on_")}
    return HumanStep(id="ask", task=TaskSpec(title="DROP everything?", **fields), **routes)


def clock(at: datetime) -> str:
    return f"{at:%H:%M}"


def expiry_text(
    due: datetime | None = LATER, ends: datetime | None = None, refused: bool = False, **fields: Any
) -> str:
    return on_expiry_text(ask(**fields), due, ends, clock, refused)


def test_approval_by_expiry_says_that_an_earlier_rejection_remains() -> None:
    fields: dict[str, Any] = {"fallback": Fallback.OUTCOME, "fallback_outcome": "approved"}
    assert expiry_text(**fields).endswith("continues as 'approved', as its policy defines.")
    assert expiry_text(refused=True, **fields).endswith(
        "as its policy defines and then fails, unless somebody approves."
    )


@pytest.mark.parametrize("kind", TaskType)
def test_title_of_a_requester_is_not_shown_as_our_question(kind: TaskType) -> None:
    words = question(Plan((ask(type=kind),)), ask(type=kind), "intent.infra.change_approval.v1", {})
    assert words.endswith(": infra change approval")
    assert "DROP" not in words


def test_title_of_an_admin_is_the_question() -> None:
    plan = Plan((ask(),), source="workflow:migrate@3")
    assert from_workflow(plan)
    assert question(plan, ask(), "intent.a.v1", {}) == "DROP everything?"
    assert not from_workflow(Plan((ask(),)))


@pytest.mark.parametrize(
    ("intent_type", "words"),
    [
        ("intent.infra.change_approval.v1", "infra change approval"),
        ("intent.refund-order.v12", "refund order"),
        ("billing.refund", "billing refund"),
        ("intent.v1", "v1"),
        ("refund.vital", "refund vital"),
        ("refund.v", "refund v"),
        ("refund.2024", "refund 2024"),
        ("intent", "intent"),
        ("x" * 200, "x" * 120),
    ],
)
def test_intent_type_is_shown_in_words(intent_type: str, words: str) -> None:
    assert type_text(intent_type) == words


def test_button_label_says_what_its_outcome_does() -> None:
    own = (
        Outcome("ship_it", Meaning.APPROVES),
        Outcome("no", Meaning.REJECTS, label="Never"),
        Outcome("failed", Meaning.REJECTS),
    )
    spec = TaskSpec(outcomes=("ship_it", "no", "failed", "approved"), own=own)
    assert [label(spec, word) for word in spec.outcomes] == ["Ship it", "Never", "Mark as failed", "Approve"]
    assert label(spec, "whatever") == "Answer “whatever”"


@pytest.mark.parametrize(
    ("ending", "outcome", "words"),
    [
        (Ending.APPROVED, "approved", "Approved"),
        (Ending.APPROVED, "override_approved", "Override approved"),
        (Ending.APPROVED, "", "Approved"),
        (Ending.REJECTED, "rejected", "Rejected"),
        (Ending.REJECTED, "submitted", "Rejected"),
        (Ending.REJECTED, "not_now", "Not now (rejected)"),
        (Ending.APPROVED, "ship_it", "Ship it (approved)"),
        (Ending.SUPERSEDED, "again", "Again (changes requested)"),
        (Ending.EXPIRED, "approved", "Expired"),
        (Ending.WITHDRAWN, "withdrawn", "Withdrawn"),
        (Ending.UNDELIVERABLE, "undeliverable", "No approver could be reached"),
    ],
)
def test_ending_is_described_with_the_given_outcome(ending: Ending, outcome: str, words: str) -> None:
    assert ended(ending, outcome) == words


def test_approval_by_expiry_is_attributed_to_nobody() -> None:
    assert "no person approved it" in what_now(Ending.EXPIRED, "approved")
    assert "no person approved it" in what_now(Ending.EXPIRED, "ship_it", "positive")
    assert "Silence is never consent" in what_now(Ending.EXPIRED, "expired")
    assert "Silence is never consent" in what_now(Ending.EXPIRED, "approved", "negative")
    assert what_now(Ending.APPROVED, "approved") == ""
    assert what_now(Ending.WITHDRAWN, "withdrawn") == "There is nothing left to decide."


# -- what silence will bring


def test_expiry_text_without_a_deadline_says_that_the_task_stays_open() -> None:
    assert expiry_text(None) == "Without an answer nothing happens: the task stays open."


@pytest.mark.parametrize("due", [None, LATER, LATER + minutes(1)])
def test_expiry_text_names_the_requests_deadline_if_it_is_earlier(due: datetime | None) -> None:
    assert (
        expiry_text(due, LATER) == "If nobody answers by 10:00, the request times out; nothing is approved."
    )
    assert "the task expires" in expiry_text(LATER, LATER + minutes(1))


def test_expiry_text_says_that_the_request_fails_by_default() -> None:
    said = "If nobody answers by 10:00, the task expires and the request fails; nothing is approved."
    assert expiry_text() == said
    assert expiry_text(fallback=Fallback.REJECT) == said
    assert expiry_text(fallback=Fallback.OUTCOME, fallback_outcome="rejected") == said


def test_expiry_text_says_where_an_approval_by_policy_continues() -> None:
    def goes_on(**fields: Any) -> str:
        return expiry_text(fallback=Fallback.OUTCOME, fallback_outcome="approved", **fields)

    assert "the request continues as 'approved', as its policy defines" in goes_on()
    assert "the request continues as 'approved'" in goes_on(on_success="end")
    assert "the request continues with step 'apply' as 'approved'" in goes_on(on_success="apply")
    own = (Outcome("ship", Meaning.APPROVES, goto="apply"),)
    said = expiry_text(
        fallback=Fallback.OUTCOME,
        fallback_outcome="ship",
        outcomes=("ship", "rejected"),
        own=own,
        on_success="other",
    )
    assert "the request continues with step 'apply' as 'ship'" in said
    assert "nothing is approved" not in said


def test_expiry_text_names_a_route_declared_a_success_unless_somebody_rejected() -> None:
    routed = {"on_timeout": "tell", "on_timeout_as": "success"}
    assert (
        "continues with step 'tell', which its plan declares a success; nothing is approved"
        in expiry_text(**routed)
    )
    assert "continues with step 'tell' and then fails, unless somebody approves there" in expiry_text(
        refused=True, **routed
    )
    ends = {"on_timeout": "end", "on_timeout_as": "success"}
    assert "the request completes, as its plan declares; nothing is approved" in expiry_text(**ends)
    assert "the request fails; nothing is approved" in expiry_text(refused=True, **ends)


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (None, "the request fails"),
        (Route(After.NO, "end"), "the request fails"),
        (Route(After.NO, "end", success=True), "the request completes, as its plan declares"),
        (
            Route(After.NO, "tell", success=True),
            "the request continues with step 'tell', which its plan declares a success",
        ),
        (
            Route(After.NO, "tell"),
            "the request continues with step 'tell' and then fails, unless somebody approves there",
        ),
    ],
)
def test_rejection_text_names_the_route(route: Route | None, words: str) -> None:
    assert after_no(route) == words


def test_rejection_text_agrees_with_the_plan() -> None:
    plan = check_plan(Plan((ask(on_failure="validate"), validate())))
    assert "step 'validate'" in after_no(plan.after_outcome(plan.human_step("ask"), "rejected"))


def test_custom_outcome_is_shown_by_its_label() -> None:
    spec = TaskSpec(own=(Outcome("canary", Meaning.APPROVES, label="Canary first"),))
    assert ended(Ending.APPROVED, "canary", spec) == "Canary first (approved)"
    assert outcome_text(spec, "canary") == "Canary first"
    assert outcome_text(spec, "changes_requested") == "changes requested"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((2,), "Stage 2 asks"),
        ((2, 4), "Stages 2 and 4 ask"),
        ((2, 3, 4), "Stages 2, 3 and 4 ask"),
        ((2, 3, 4, 5, 6), "Stages 2, 3, 4 and 2 more ask"),
    ],
)
def test_later_stages_are_named_or_counted(numbers: tuple[int, ...], text: str) -> None:
    assert later_stages_text(numbers) == text
