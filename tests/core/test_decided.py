"""What a decision shows afterwards: who made it, when and with which comment; and outcomes that nobody decided."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict
from signoff.core.intent import commands as c
from signoff.core.intent.advance import Change
from signoff.core.plan.task_types import Ending, Stage
from tests.builders import ANN, OTTO, SERVICE, Story, approve, gate, minutes, person, validate

TWO = approve(task=replace(approve().task, stages=(Stage(need=2, reject_after=2),)))


@pytest.mark.parametrize(
    "end", [lambda story: story.tick(minutes(480)), lambda story: story.do(c.Cancel(), SERVICE)]
)
def test_ending_without_a_decision_has_no_decider(end: Callable[[Story], Change]) -> None:
    story = Story(gate(TWO))
    story.do(c.Answer("approved", comment="fine by me", data={"approved": True, "ticket": "OPS-1"}), ANN)
    end(story)
    result = story.intent.results["approve"]
    assert set(result) == {"outcome", "ending", "decided_at"}
    assert result["ending"] == story.intent.ending in (Ending.EXPIRED, Ending.WITHDRAWN)


def test_decision_lists_only_the_comments_of_those_who_made_it() -> None:
    story = Story(gate(TWO))
    third = person("tess", "approver")
    story.do(c.Answer("rejected", comment="never", data={"approved": False, "why": "late"}), ANN)
    story.do(c.Answer("approved", comment="go", data={"approved": True}), OTTO)
    story.do(c.Answer("approved", data={"ticket": "OPS-1"}), third)
    result = dict(story.intent.results["approve"])
    assert result.pop("decided_at").startswith("2026-03-02T09:00")
    assert result == {
        "outcome": "approved",
        "ending": "approved",
        "approved": True,
        "ticket": "OPS-1",
        "comment": "go",
        "decided_by": third.id,
        "via": "api",
    }


def test_late_answer_after_expiry_reports_the_expiry() -> None:
    story = Story(gate(approve(), approve(id="again")))
    story.do(c.Answer("approved"), ANN)
    story.tick(minutes(480))
    with pytest.raises(Conflict) as refusal:
        story.do(c.Answer("approved"), OTTO)
    assert (refusal.value.details["outcome"], "decided_by" in refusal.value.details) == ("expired", False)


def test_late_answer_reports_who_decided_what_and_when() -> None:
    story = Story().validated()
    step_run = story.task.step_run
    story.do(c.Answer("approved", step_run), ANN)
    with pytest.raises(Conflict) as refusal:
        story.do(c.Answer("rejected", step_run), OTTO)
    assert refusal.value.code == "already_decided"
    assert refusal.value.details["decided_by"] == "per_ann"
    assert refusal.value.details["outcome"] == "approved"


def test_agent_cannot_forge_who_decided() -> None:
    plan = gate(approve(), validate(id="after"), approve(id="again"))
    story = Story(plan)
    first = story.task.step_run
    story.do(c.Answer("approved"), ANN)
    story.do(c.Report(result={"ending": "rejected", "decided_by": "per_rita", "outcome": "rejected"}))
    with pytest.raises(Conflict) as refusal:
        story.do(c.Answer("rejected", first), OTTO)
    assert refusal.value.details["decided_by"] == "per_ann"
