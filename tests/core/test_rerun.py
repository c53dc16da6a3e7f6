"""What failed after an approval is rerun once under the same decision; anything else asks people again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.ids import split_ref
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Failure, Intent, Status
from signoff.core.intent.rerun import ASK_AGAIN, rerun_id, rerun_start
from signoff.core.plan.plan import NotifyStep
from signoff.core.plan.task_types import Ending, Fallback, Risk
from tests.builders import (
    ANN,
    OTTO,
    SERVICE,
    START,
    Story,
    approve,
    gate,
    happened,
    minutes,
    validate,
)
from tests.core.asking import refusal, step

LATER = START + timedelta(days=1)
BROKE = Failure("boom", "it broke")
APPLY = validate(id="apply")


def facts(story: Story) -> list[e.Fact]:
    return [unseal(body, private) for _, body, private, _ in story.rows]


def failed(*steps: Any, how: Callable[[Story], object] | None = None) -> Story:
    """A check, an approval, and a step that failed."""
    story = Story(gate(*(steps or (validate(), approve(), APPLY)))).validated()
    story.do(c.Answer("approved"), ANN)
    how(story) if how else story.do(c.Report(fault=BROKE))
    return story


def begun_by(story: Story, intent: Intent | None = None) -> e.RerunStarted:
    source = intent or story.intent
    return rerun_start(source, facts(story), source.payload_digest, LATER)


def code(story: Story, intent: Intent | None = None) -> str:
    met = refusal(lambda: begun_by(story, intent))
    return met.code


def test_rerun_starts_at_the_failed_step_with_the_earlier_results() -> None:
    story = failed()
    assert story.intent.status is Status.FAILED
    found = begun_by(story)
    assert (found.source, found.start, found.step, found.outcome) == (
        story.intent.id,
        "apply",
        "approve",
        "approved",
    )
    assert set(found.results) == {"validate", "approve"}
    decided = next(fact for fact in facts(story) if isinstance(fact.event, e.Decided))
    assert (found.seq, found.decided_at) == (decided.seq, decided.at)


@pytest.mark.parametrize(
    "how",
    [
        lambda story: story.tick(minutes(30)),
        lambda story: (story.do(c.Claim("w")), story.tick(minutes(5))),
    ],
    ids=["its deadline passed", "no worker finished it"],
)
def test_timed_out_or_exhausted_step_can_be_rerun(how: Callable[[Story], object]) -> None:
    story = failed(validate(), approve(), validate(id="apply", deadline=minutes(30), max_attempts=1), how=how)
    assert story.intent.status is Status.FAILED
    assert begun_by(story).start == "apply"


def test_rerun_asks_nobody_and_cannot_be_rerun() -> None:
    story = failed()
    begun = begun_by(story)
    submit = c.Submit(
        id=rerun_id(story.intent),
        workspace=story.intent.workspace,
        type=story.intent.type,
        requester=story.intent.requester,
        plan=story.plan,
        plan_digest="p" * 64,
        payload_digest="d" * 64,
        rerun=begun,
        rerun_until=START + timedelta(days=7),
    )
    again = Story(story.plan)
    change = again._apply(SERVICE, submit, None)
    assert happened(change) == ["Created", "RerunStarted", "Offered"]
    assert (change.after.rerun_of, change.after.ending) == (story.intent.id, Ending.APPROVED)
    again.do(c.Report(fault=BROKE))
    assert code(again) == "decision_used"
    late = replace(submit, rerun_until=START)
    assert refusal(lambda: again._apply(SERVICE, late, None)).code == "decision_too_old"


def test_intent_has_one_rerun() -> None:
    story = failed()
    assert rerun_id(story.intent) == rerun_id(story.intent)
    assert rerun_id(story.intent) != rerun_id(replace(story.intent, id=Story().intent.id[:-8] + "ffff0000"))
    assert split_ref(rerun_id(story.intent))[1] == 0
    assert rerun_id(story.intent) != story.intent.id


def test_intent_that_did_not_fail_cannot_be_rerun() -> None:
    assert code(Story()) == "not_rerunnable"
    story = failed(how=lambda story: story.do(c.Report(result={})))
    assert story.intent.status is Status.COMPLETED
    assert code(story) == "not_rerunnable"


def test_failure_without_an_approval_cannot_be_rerun() -> None:
    direct = Story(gate(validate(), direct=True))
    direct.do(c.Report(fault=BROKE))
    assert "No one had approved" in str(refusal(lambda: begun_by(direct)))
    rejected = Story(gate(step(), APPLY))
    rejected.do(c.Answer("rejected"), ANN)
    assert "did not end with a failed agent step" in str(refusal(lambda: begun_by(rejected)))


def test_approval_by_expiry_cannot_be_rerun() -> None:
    ask = step(deadline=minutes(60), fallback=Fallback.OUTCOME, fallback_outcome="approved", risk=Risk.LOW)
    story = Story(gate(ask, APPLY))
    story.tick(minutes(60))
    story.do(c.Report(fault=BROKE))
    met = refusal(lambda: begun_by(story))
    assert (met.code, met.hint) == ("not_rerunnable", ASK_AGAIN)
    assert "not a person's approval: expired" in str(met)


def test_earlier_failure_of_another_step_requires_a_new_approval() -> None:
    undo = validate(id="undo")
    story = failed(validate(), approve(), validate(id="apply", on_failure="undo"), undo)
    story.do(c.Report(fault=BROKE))
    assert "Another step had failed" in str(refusal(lambda: begun_by(story)))


def test_step_that_ran_after_the_failure_requires_a_new_approval() -> None:
    undo = validate(id="undo")
    story = failed(validate(), approve(), validate(id="apply", on_failure="undo"), undo)
    story.do(c.Report(result={}))
    assert code(story) == "not_rerunnable"


def test_notify_step_after_the_failure_does_not_prevent_a_rerun() -> None:
    tell = NotifyStep(id="tell", message="It failed.")
    plan = (validate(), approve(), validate(id="apply", on_failure="tell", on_success="end"), tell)
    story = failed(*plan)
    assert story.intent.status is Status.FAILED
    assert begun_by(story).start == "apply"


def test_changed_payload_plan_or_controls_require_a_new_approval() -> None:
    story = failed()
    source = story.intent
    met = refusal(lambda: rerun_start(source, facts(story), "e" * 64, LATER))
    assert met.code == "digest_mismatch"
    assert code(story, replace(source, deadline_at=LATER)) == "deadline_passed"
    assert begun_by(story, replace(source, deadline_at=LATER + timedelta(seconds=1)))
    patched = failed(
        how=lambda story: (story.do(c.PatchControls({"x": 1}), SERVICE), story.do(c.Report(fault=BROKE)))
    )
    assert code(patched) == "policy_changed"


def test_rerun_carries_the_decided_revision() -> None:
    story = Story(gate(validate(), approve(), APPLY)).validated()
    story.do(c.Revise("e" * 64), OTTO)
    story.do(c.Answer("approved"), ANN)
    story.do(c.Report(fault=BROKE))
    assert begun_by(story).revision == 2
    assert refusal(lambda: rerun_start(story.intent, facts(story), "d" * 64, LATER)).code == "digest_mismatch"


def test_last_approval_before_the_failure_is_carried() -> None:
    story = Story(gate(step(name="one"), step(name="two"), APPLY))
    story.do(c.Answer("approved"), ANN)
    story.do(c.Answer("approved"), OTTO, after=minutes(1))
    story.do(c.Report(fault=BROKE))
    assert begun_by(story).step == "two"
