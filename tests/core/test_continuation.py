"""The last decision on its path ends an intent: continuing after a rejection, a timeout or a failure is no success."""

from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.errors import Conflict, Invalid, Refused
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent.continuation import Continuation, at_expiry, continuation
from signoff.core.intent.evolve import fold
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Delay, Delivery, Failure, Status, Task
from signoff.core.plan.answers import required_answer
from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, NotifyStep, Plan, Step, check_plan
from signoff.core.plan.task_types import (
    Ending,
    Fallback,
    Meaning,
    Outcome,
    Risk,
    Stage,
    TaskSpec,
    TaskType,
    expiry_approves,
)
from signoff.core.policy.fields import compile_policy, why_relaxed
from signoff.core.policy.policy import applied
from tests.builders import AGENT, ANN, OTTO, START, SYSTEM, Story, approve, gate, minutes, person, validate

EMMA = person("emma", "approver")
TELL = NotifyStep(id="tell", to=("per_ann",), message="It was not approved.", on_success="end")
SILENT = TaskSpec(fallback=Fallback.OUTCOME, fallback_outcome="approved", risk=Risk.LOW)
REVIEW = TaskSpec(type=TaskType.REVIEW, outcomes=("approved", "changes_requested", "rejected"))


def asked(*more: Step, task: TaskSpec | None = None, **routes: Any) -> Story:
    """A gate with routes, then steps that follow a rejection or a timeout."""
    fields = routes | ({"task": task} if task else {})
    return Story(gate(approve(on_success="end", **fields), *(more or (TELL,))))


def ended(story: Story) -> tuple[Status, Ending | None, str]:
    intent = story.intent
    return intent.status, intent.ending, intent.fault.code if intent.fault else ""


def test_rejection_with_a_route_ends_as_rejected() -> None:
    story = asked(on_failure="tell")
    story.do(c.Answer("rejected"), ANN)
    assert ended(story) == (Status.FAILED, Ending.REJECTED, "human_rejected")


def test_route_does_not_change_the_ending() -> None:
    for act in (lambda s: s.do(c.Answer("rejected"), ANN), lambda s: s.tick(minutes(500))):
        with_route, without = asked(on_failure="tell", on_timeout="tell"), Story(gate(approve()))
        act(with_route)
        act(without)
        assert ended(with_route) == ended(without)


@pytest.mark.parametrize(
    "between",
    [
        (NotifyStep(id="tell", message="no"), NotifyStep(id="again", message="no", on_success="end")),
        (DelayStep(id="tell", lasts=minutes(1), on_success="end"),),
        (AgentStep(id="tell", agent="agent://acme/prod/validator", on_success="end"),),
    ],
)
def test_later_steps_do_not_turn_a_rejection_into_an_approval(between: tuple[Step, ...]) -> None:
    story = asked(*between, on_failure="tell")
    story.do(c.Answer("rejected"), ANN)
    if isinstance(story.intent.open, Delivery):
        story.do(c.Report(result={"passed": True, "outcome": "approved"}))
    if isinstance(story.intent.open, Delay):
        story.tick(minutes(1))
    assert ended(story) == (Status.FAILED, Ending.REJECTED, "human_rejected")


def test_rejection_routed_to_the_end_fails_the_intent() -> None:
    story = asked(on_failure="end", on_timeout="end")
    story.do(c.Answer("rejected"), ANN)
    assert ended(story)[0] is Status.FAILED
    silent = asked(on_failure="end", on_timeout="end")
    silent.tick(minutes(500))
    assert ended(silent) == (Status.FAILED, Ending.EXPIRED, "step_timeout")


def test_later_approval_completes_the_intent() -> None:
    appeal = approve(id="appeal", on_success="end")
    story = asked(appeal, on_failure="appeal")
    story.do(c.Answer("rejected"), ANN)
    story.do(c.Answer("approved"), OTTO)
    assert ended(story) == (Status.COMPLETED, Ending.APPROVED, "")


def test_failed_agent_step_fails_the_intent_unless_a_person_approves_later() -> None:
    fix = AgentStep(id="fix", agent="agent://acme/prod/validator", on_success="end")
    story = Story(gate(validate(on_failure="fix", on_success="end"), fix))
    story.do(c.Report(fault=Failure("broken", "it broke")))
    story.do(c.Report(result={"fixed": True}))
    assert ended(story) == (Status.FAILED, None, "broken")

    looked_at = Story(gate(validate(on_failure="approve"), approve(on_success="end")))
    looked_at.do(c.Report(fault=Failure("broken", "it broke")))
    looked_at.do(c.Answer("approved"), ANN)
    assert ended(looked_at) == (Status.COMPLETED, Ending.APPROVED, "")


def test_agent_step_that_is_given_up_or_times_out_counts_as_failed() -> None:
    lost = Story(gate(validate(on_failure="tell", max_attempts=1, on_success="end"), TELL))
    lost.do(c.Claim("worker", minutes(1)))
    lost.tick(minutes(2))
    assert ended(lost)[::2] == (Status.FAILED, "delivery_failed")
    late = Story(gate(validate(on_timeout="tell", deadline=minutes(5), on_success="end"), TELL))
    late.tick(minutes(6))
    assert ended(late)[::2] == (Status.FAILED, "step_timeout")


def test_request_for_changes_routed_to_the_end_is_no_approval() -> None:
    story = asked(task=REVIEW, on_changes="tell")
    story.do(c.Answer("changes_requested", comment="rename it"), ANN)
    assert ended(story) == (Status.FAILED, Ending.SUPERSEDED, "changes_requested")


def test_approval_after_requested_changes_completes_the_intent() -> None:
    story = Story(gate(validate(), approve(task=REVIEW))).validated()
    story.do(c.Answer("changes_requested", comment="rename it"), ANN)
    story.validated()
    story.do(c.Answer("approved"), ANN)
    assert ended(story) == (Status.COMPLETED, Ending.APPROVED, "")


def test_route_declared_a_success_completes_the_intent_with_the_peoples_ending() -> None:
    story = asked(on_failure="tell", on_failure_as="success", on_timeout="tell")
    story.do(c.Answer("rejected"), ANN)
    assert ended(story) == (Status.COMPLETED, Ending.REJECTED, "")
    silent = asked(on_failure="tell", on_failure_as="success", on_timeout="tell")
    silent.tick(minutes(500))
    assert ended(silent) == (Status.FAILED, Ending.EXPIRED, "step_timeout"), "only that route is declared"
    declared = asked(on_timeout="tell", on_timeout_as="success")
    declared.tick(minutes(500))
    assert ended(declared) == (Status.COMPLETED, Ending.EXPIRED, "")


def test_expiry_does_not_clear_changes_requested_by_the_same_people() -> None:
    silent = {"on_timeout": "end", "on_timeout_as": "success", "on_success": "end", "task": REVIEW}
    first, second = (
        approve(id="first", on_changes="second", **silent),
        approve(id="second", on_changes="second", **silent),
    )
    story = Story(gate(first, second))
    story.do(c.Answer("changes_requested", comment="rename it"), ANN)
    story.do(c.Answer("changes_requested", comment="and shorten it"), OTTO, minutes(1))
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "changes_requested")


def test_expiry_after_a_repeated_question_clears_requested_changes() -> None:
    silent = {"on_timeout_as": "success", "on_success": "end", "task": REVIEW}
    first = approve(id="first", on_changes="second", on_timeout="end", **silent)
    second = approve(id="second", on_changes="second", on_timeout="first", **silent)
    story = Story(gate(first, second))
    story.do(c.Answer("changes_requested", comment="rename it"), ANN)
    story.do(c.Answer("changes_requested", comment="and shorten it"), OTTO, minutes(1))
    story.tick(minutes(500))
    story.tick(minutes(500))
    assert ended(story) == (Status.COMPLETED, Ending.EXPIRED, "")


SWEEP = AgentStep(
    id="tell",
    agent="agent://acme/prod/validator",
    deadline=minutes(5),
    max_attempts=1,
    on_success="end",
    on_failure="end",
    on_failure_as="success",
    on_timeout="end",
    on_timeout_as="success",
)


def test_failure_declared_harmless_clears_no_earlier_rejection() -> None:
    """A step's route does not change what people decided before it."""
    for how in ("reported", "lapsed", "late"):
        story = asked(SWEEP, on_failure="tell")
        story.do(c.Answer("rejected"), ANN)
        if how == "reported":
            story.do(c.Report(fault=Failure("gone", "nothing to sweep")))
        elif how == "lapsed":
            story.do(c.Claim("worker", minutes(1)))
            story.tick(minutes(2))
        else:
            story.tick(minutes(6))
        assert ended(story) == (Status.FAILED, Ending.REJECTED, "human_rejected"), how
    unasked = Story(gate(replace(SWEEP, id="only")))
    unasked.do(c.Report(fault=Failure("gone", "nothing to sweep")))
    assert ended(unasked) == (Status.COMPLETED, None, "")


def test_expiry_declared_a_success_clears_no_earlier_rejection() -> None:
    second = approve(id="second", on_success="end", on_timeout="end", on_timeout_as="success")
    story = asked(second, on_failure="second")
    story.do(c.Answer("rejected"), ANN)
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "human_rejected")
    silent = Story(gate(approve(on_success="second"), second))
    silent.do(c.Answer("approved"), ANN)
    silent.tick(minutes(500))
    assert ended(silent) == (Status.COMPLETED, Ending.EXPIRED, "")
    broken = Story(gate(validate(on_failure="second", on_success="end"), second))
    broken.do(c.Report(fault=Failure("broken", "it broke")))
    broken.tick(minutes(500))
    assert ended(broken) == (Status.FAILED, Ending.EXPIRED, "broken")


def test_requested_changes_are_no_earlier_rejection() -> None:
    routes = {"on_timeout": "end", "on_timeout_as": "success"}
    story = Story(gate(validate(), approve(task=REVIEW, on_success="end", **routes))).validated()
    story.do(c.Answer("changes_requested", comment="rename it"), ANN)
    story.validated()
    story.tick(minutes(500))
    assert ended(story) == (Status.COMPLETED, Ending.EXPIRED, "")


def test_exhausted_changes_are_no_rejection_declared_a_success() -> None:
    routes = {"on_failure": "end", "on_failure_as": "success"}
    story = Story(
        gate(validate(), approve(task=REVIEW, on_success="end", **routes), max_revisions=1)
    ).validated()
    story.do(c.Answer("changes_requested", comment="rename it"), ANN)
    story.validated()
    story.do(c.Answer("changes_requested", comment="once more"), ANN)
    assert ended(story) == (Status.FAILED, Ending.SUPERSEDED, "changes_requested")


QUIET: dict[str, Any] = {"on_timeout": "end", "on_timeout_as": "success"}


def test_requested_changes_clear_no_earlier_rejection() -> None:
    second = approve(id="second", task=REVIEW, on_success="end", on_changes="redo", **QUIET)
    redo = AgentStep(id="redo", agent="agent://acme/prod/validator", on_success="second")
    story = asked(second, redo, on_failure="second")
    story.do(c.Answer("rejected"), ANN)
    story.do(c.Answer("changes_requested", comment="rename it"), OTTO)
    story.do(c.Report(result={}))
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "human_rejected")


@pytest.mark.parametrize("bound", [0, 1])
def test_exhausted_changes_clear_no_earlier_rejection(bound: int) -> None:
    """Nor if there is no earlier step to go back to."""
    routes = {"on_failure": "second", "on_changes": None if bound else "second"}
    second = approve(id="second", task=REVIEW, on_success="end", **routes, **QUIET)
    story = Story(gate(approve(on_success="end", on_failure="second"), second, max_revisions=bound))
    story.do(c.Answer("rejected"), ANN)
    story.now += timedelta(milliseconds=1)
    story.do(c.Answer("changes_requested", comment="rename it"), OTTO)
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "human_rejected")


def test_agent_failure_code_is_no_request_for_changes() -> None:
    second = approve(id="second", task=REVIEW, on_success="end", on_changes="redo", **QUIET)
    redo = AgentStep(id="redo", agent="agent://acme/prod/validator", on_success="second", on_failure="second")
    story = asked(second, redo, on_failure="second")
    story.do(c.Answer("rejected"), ANN)
    story.now += timedelta(milliseconds=1)
    story.do(c.Answer("changes_requested", comment="rename it"), OTTO)
    story.do(c.Report(fault=Failure("changes_requested", "it broke")))
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "agent_failed")


def test_expiry_of_other_approvers_leaves_requested_changes_open() -> None:
    second = approve(id="second", on_success="end", **QUIET)
    story = asked(second, task=REVIEW, on_changes="second")
    story.do(c.Answer("changes_requested", comment="rename it"), ANN)
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "changes_requested")


def test_later_rejection_declared_a_success_is_the_last_decision() -> None:
    second = approve(id="second", on_success="end", on_failure="end", on_failure_as="success")
    story = asked(second, on_failure="second")
    story.do(c.Answer("rejected"), ANN)
    story.do(c.Answer("rejected"), OTTO)
    assert ended(story) == (Status.COMPLETED, Ending.REJECTED, "")


def test_undeliverable_task_is_no_rejection() -> None:
    story = asked(task=TaskSpec(), on_failure="tell", on_failure_as="success")
    story.do(c.ReportUnreachable(story.task.step_run, "no address"), SYSTEM)
    assert ended(story) == (Status.FAILED, Ending.UNDELIVERABLE, "undeliverable")


def test_failure_after_a_declared_success_fails_the_intent() -> None:
    archive = AgentStep(id="archive", agent="agent://acme/prod/validator", on_success="end")
    story = asked(archive, on_failure="archive", on_failure_as="success")
    story.do(c.Answer("rejected"), ANN)
    story.do(c.Report(fault=Failure("full", "the archive is full")))
    assert ended(story) == (Status.FAILED, Ending.REJECTED, "full")


def test_approval_by_expiry_completes_as_expired() -> None:
    spec = SILENT
    story = asked(task=spec)
    story.tick(minutes(500))
    assert ended(story) == (Status.COMPLETED, Ending.EXPIRED, "")
    no = asked(task=replace(spec, fallback_outcome="rejected"), on_failure="tell")
    no.tick(minutes(500))
    assert ended(no) == (Status.FAILED, Ending.EXPIRED, "expired")


@pytest.mark.parametrize("word", ["approved", "canary"])
def test_approval_by_expiry_clears_no_earlier_rejection_or_failure(word: str) -> None:
    own = (Outcome("canary", Meaning.APPROVES, "Canary", "end"),)
    silent = replace(SILENT, outcomes=("approved", "canary", "rejected"), own=own, fallback_outcome=word)
    appeal = approve(id="appeal", task=silent, on_success="end")
    story = asked(appeal, on_failure="appeal")
    story.do(c.Answer("rejected"), ANN)
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "human_rejected")
    broken = Story(gate(validate(on_failure="approve"), approve(task=silent, on_success="end")))
    broken.do(c.Report(fault=Failure("broken", "it broke")))
    broken.tick(minutes(500))
    assert ended(broken) == (Status.FAILED, Ending.EXPIRED, "step_timeout")
    slow = Story(
        gate(validate(deadline=minutes(1), on_timeout="approve"), approve(task=silent, on_success="end"))
    )
    slow.tick(minutes(2))
    slow.tick(minutes(500))
    assert (ended(slow)[:2], slow.intent.outcome) == ((Status.FAILED, Ending.EXPIRED), word)


@pytest.mark.parametrize(
    "result", [{"risk": "medium"}, {"risk": "critical"}, {"passed": False}, {"error": "no"}]
)
def test_expiry_approves_nothing_that_a_check_opposes(result: dict[str, Any]) -> None:
    plan = gate(validate(), approve(task=SILENT))
    story = Story(plan)
    story.do(c.Report(result=result))
    step, _ = at_expiry(story.intent, plan.human_step("approve"))
    assert not expiry_approves(step.task)
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "step_timeout")
    assert story.intent.outcome == "expired"


def test_expiry_approves_nothing_that_a_person_rejected() -> None:
    three = Stage(approvers=("per_ann", "per_otto", "per_emma"), need=2, reject_after=2)
    story = asked(task=replace(SILENT, stages=(three,)), on_timeout="tell")
    story.do(c.Answer("rejected"), ANN)
    assert not story.intent.final
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "step_timeout")
    assert story.intent.last_step == "tell"
    changed = asked(task=replace(SILENT, stages=(three,)))
    changed.do(c.Answer("rejected"), ANN)
    changed.do(c.Answer("approved"), ANN)
    changed.tick(minutes(500))
    assert ended(changed) == (Status.COMPLETED, Ending.EXPIRED, "")


def objected() -> Story:
    """Ann has rejected the first revision of a task whose expiry approves, and two of three must reject it."""
    three = Stage(approvers=("per_ann", "per_otto", "per_emma"), need=2, reject_after=2)
    review = replace(SILENT, type=REVIEW.type, outcomes=REVIEW.outcomes, stages=(three,))
    story = Story(gate(validate(), approve(task=review))).validated()
    story.do(c.Answer("rejected"), ANN)
    return story


def revised(story: Story, by: Actor = OTTO) -> Story:
    story.do(c.Revise(f"sha256:{story.intent.revision}"), by)
    return story


def test_an_expiry_approves_no_revision_after_a_rejection_of_an_earlier_one() -> None:
    story = revised(revised(objected()), EMMA)
    assert (story.task.votes, story.intent.objected_by) == ((), ("per_ann",))
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "step_timeout")


def test_an_expiry_approves_after_the_person_who_rejected_has_approved() -> None:
    story = revised(objected())
    story.do(c.Answer("approved"), ANN)
    assert ended_at_deadline(story) == (Status.COMPLETED, Ending.EXPIRED, "")
    revised_again = revised(objected())
    revised_again.do(c.Answer("approved"), ANN)
    assert revised(revised_again, EMMA).intent.objected_by == ()


def test_repeated_work_does_not_void_a_rejection() -> None:
    three = Stage(approvers=("per_ann", "per_otto", "per_emma"), need=1, reject_after=2)
    review = replace(SILENT, type=REVIEW.type, outcomes=REVIEW.outcomes, stages=(three,))
    story = Story(gate(validate(), approve(task=review))).validated()
    story.do(c.Answer("rejected"), ANN)
    story.do(c.Answer("changes_requested", comment="rename it"), OTTO)
    assert story.validated().intent.objected_by == ("per_ann",)
    assert ended_at_deadline(story) == (Status.FAILED, Ending.EXPIRED, "step_timeout")


def test_an_expiry_does_not_approve_after_a_rejection_in_an_earlier_task_that_expired() -> None:
    three = Stage(approvers=("per_ann", "per_otto", "per_emma"), need=2, reject_after=2)
    expires = replace(SILENT, stages=(three,), fallback=Fallback.EXPIRE, fallback_outcome="")
    second = approve(id="second", task=SILENT, on_success="end")
    story = asked(second, task=expires, on_timeout="second", on_timeout_as="success")
    story.do(c.Answer("rejected"), ANN)
    story.tick(minutes(500))
    assert story.intent.objected_by == ("per_ann",)
    assert ended_at_deadline(story) == (Status.FAILED, Ending.EXPIRED, "step_timeout")


def ended_at_deadline(story: Story) -> tuple[Status, Ending | None, str]:
    story.tick(minutes(500))
    return ended(story)


@pytest.mark.parametrize(
    "asks",
    [
        {"form": {"properties": {"n": {"type": "integer"}}}},
        {"evidence_required": True},
        {"comment_required": True},
        {"type": TaskType.ASSIGNMENT},
    ],
)
def test_expiry_does_not_approve_a_task_that_requires_input(asks: dict[str, Any]) -> None:
    """For plans stored before such a policy was refused at apply."""
    spec = replace(SILENT, **asks)
    assert required_answer(spec)
    story = asked(task=spec)
    story.tick(minutes(500))
    assert ended(story) == (Status.FAILED, Ending.EXPIRED, "step_timeout")


def test_requested_changes_left_unanswered_do_not_fail_an_approval_by_expiry() -> None:
    spec = replace(SILENT, type=REVIEW.type, outcomes=REVIEW.outcomes)
    story = Story(gate(validate(), approve(task=spec))).validated()
    story.do(c.Answer("changes_requested", comment="rename it"), ANN)
    story.validated()
    story.tick(minutes(500))
    assert ended(story) == (Status.COMPLETED, Ending.EXPIRED, "")


def test_undeliverable_task_with_a_route_ends_as_undeliverable() -> None:
    story = asked(task=TaskSpec(), on_failure="tell")
    story.do(c.ReportUnreachable(story.task.step_run, "no address"), SYSTEM)
    assert ended(story) == (Status.FAILED, Ending.UNDELIVERABLE, "undeliverable")


def test_deadline_or_withdrawal_ends_the_intent_at_any_step() -> None:
    pause = DelayStep(id="tell", lasts=minutes(60), on_success="end")
    plan = gate(approve(on_success="end", on_failure="tell"), pause)
    late = Story(plan, deadline_at=Story().now + minutes(30))
    late.do(c.Answer("rejected"), ANN)
    late.tick(minutes(31))
    assert ended(late) == (Status.TIMED_OUT, Ending.REJECTED, "")
    gone = Story(plan)
    gone.do(c.Answer("rejected"), ANN)
    gone.do(c.Cancel(), replace(ANN, roles=frozenset({"owner"})))
    assert gone.intent.status is Status.CANCELED
    assert gone.intent.setback is None


def test_intent_with_a_failed_step_cannot_be_resolved_as_completed() -> None:
    fix = AgentStep(id="fix", agent=AGENT.address, on_success="end")
    story = Story(gate(validate(on_failure="fix", on_success="end"), fix))
    story.do(c.Report(fault=Failure("broken", "it broke")))
    with pytest.raises(Conflict, match="it broke") as refused:
        story.do(c.Resolve({"done": True}))
    assert refused.value.code == "step_failed"
    story.do(c.Resolve(fault=Failure("gave_up", "not worth it")))
    assert ended(story)[::2] == (Status.FAILED, "gave_up")


# -- outcomes of a workflow's own

CANARY = TaskSpec(
    outcomes=("approved", "canary", "redo", "rejected", "archive"),
    own=(
        Outcome("canary", Meaning.APPROVES, "Canary first", "few"),
        Outcome("redo", Meaning.REQUESTS_CHANGES, "Do it again", "validate"),
        Outcome("archive", Meaning.REJECTS, "Archive it", "tell", success=True),
    ),
)
FEW = AgentStep(id="few", agent="agent://acme/prod/validator", on_success="end")


def canary(stages: tuple[Stage, ...] = (Stage(),)) -> Story:
    return Story(
        gate(validate(), approve(task=replace(CANARY, stages=stages), on_success="end"), FEW, TELL)
    ).validated()


def test_custom_outcome_has_its_defined_meaning_and_route() -> None:
    story = canary()
    story.do(c.Answer("canary"), ANN)
    assert story.intent.outcome == "canary"
    assert story.intent.ending is Ending.APPROVED
    assert isinstance(story.intent.open, Delivery)
    assert story.intent.open.step == "few"
    story.do(c.Report(result={}))
    assert story.intent.status is Status.COMPLETED
    archived = canary()
    archived.do(c.Answer("archive"), ANN)
    assert ended(archived) == (Status.COMPLETED, Ending.REJECTED, "")
    again = canary()
    again.do(c.Answer("redo", comment="once more"), ANN)
    assert again.intent.ending is Ending.SUPERSEDED
    assert (again.intent.revision, again.intent.revisions) == (2, 1)


def test_approved_is_refused_if_several_outcomes_approve() -> None:
    spec = replace(
        CANARY,
        outcomes=("canary", "full", "rejected"),
        own=(CANARY.own[0], Outcome("full", Meaning.APPROVES)),
    )
    story = Story(gate(approve(task=spec, on_success="end"), FEW))
    with pytest.raises(Invalid, match="not an outcome"):
        story.do(c.Answer("approved"), ANN)


def test_quorum_agrees_on_one_outcome() -> None:
    story = canary((Stage(need=2),))
    story.do(c.Answer("approved"), ANN)
    story.do(c.Answer("canary"), OTTO)
    assert isinstance(story.intent.open, Task), "one of each is no quorum for either"
    story.do(c.Answer("canary"), ANN)
    assert story.intent.outcome == "canary"


def test_later_stage_can_only_confirm_the_chosen_outcome() -> None:
    story = canary((Stage(), Stage()))
    story.do(c.Answer("canary"), ANN)
    with pytest.raises(Invalid, match="not an outcome") as refused:
        story.do(c.Answer("approved"), OTTO)
    assert "canary" in str(refused.value.hint)
    story.do(c.Answer("canary"), OTTO)
    assert story.intent.outcome == "canary"


# -- any plan, any path


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    ids = [f"s{number}" for number in range(draw(st.integers(1, 5)))]
    targets = st.sampled_from([*ids, "end"]) | st.none()
    declared = st.sampled_from([None, None, "success"])
    steps: list[Step] = []
    for name in ids:
        on_failure, on_timeout = draw(targets), draw(targets)
        routes: dict[str, Any] = {
            "on_success": draw(targets),
            "on_failure": on_failure,
            "on_timeout": on_timeout,
            "on_failure_as": draw(declared) if on_failure else None,
            "on_timeout_as": draw(declared) if on_timeout else None,
        }
        match draw(st.sampled_from(["agent", "human", "human", "delay", "notify"])):
            case "agent":
                steps.append(validate(id=name, deadline=minutes(30), max_attempts=1, **routes))
            case "human":
                fallback, word = draw(
                    st.sampled_from(
                        [(Fallback.EXPIRE, ""), (Fallback.REJECT, ""), (Fallback.OUTCOME, "approved")]
                    )
                )
                spec = replace(REVIEW, fallback=fallback, fallback_outcome=word)
                steps.append(HumanStep(id=name, task=spec, deadline=minutes(30), **routes))
            case "delay":
                steps.append(DelayStep(id=name, lasts=minutes(5), on_success=routes["on_success"]))
            case _:
                steps.append(NotifyStep(id=name, message="hear", on_success=routes["on_success"]))
    return Plan(tuple(steps))


ACTS = st.lists(
    st.sampled_from(["yes", "no", "changes", "wait", "done", "broken", "lose"]), min_size=30, max_size=30
)


def act(story: Story, word: str) -> None:
    held = story.intent.open
    story.now += timedelta(milliseconds=1)
    match word:
        case "yes" | "no" | "changes" if isinstance(held, Task):
            said = {"yes": "approved", "no": "rejected", "changes": "changes_requested"}[word]
            story.do(c.Answer(said), ANN)
        case "done" | "broken" if isinstance(held, Delivery):
            story.do(c.Report(fault=Failure("broken", "it broke") if word == "broken" else None))
        case "lose" if isinstance(held, Delivery):
            story.do(c.Claim("worker", timedelta(seconds=1)))
            story.tick(timedelta(seconds=2))
        case _:
            story.tick(minutes(31))


def expected(story: Story) -> bool:
    """Derived from the history alone, independently of the rule: was the last decision an approval, or declared one? An
    outcome that nobody decided does not undo an earlier rejection.
    """
    refused, wanted = False, ""  # wanted: at which step changes were asked for, and nothing decided since
    plan = story.plan
    fallbacks = {"expire": "on_timeout_as", "reject": "on_failure_as", "outcome": "on_failure_as"}
    for sealed in story.facts:
        event = sealed.fact.event
        match event:
            case e.Decided(meaning=Meaning.APPROVES, ending=Ending.APPROVED):
                refused, wanted = False, ""
            case e.Decided(meaning=Meaning.REQUESTS_CHANGES):
                wanted = event.step
            case e.Decided(ending=Ending.EXPIRED, step=step):
                task = plan.human_step(step)
                fallback = "expire" if event.outcome == "expired" else "outcome"
                fallback = "reject" if task.task.fallback is Fallback.REJECT else fallback
                declared = getattr(task, fallbacks[fallback]) == "success"
                refused |= wanted not in ("", step) or not (event.meaning is Meaning.APPROVES or declared)
                wanted = ""
            case e.Decided(step=step):
                refused, wanted = plan.by_id[step].on_failure_as != "success", ""
            case e.Reported(fault=Failure(), retry_at=None, step=step):
                refused |= plan.by_id[step].on_failure_as != "success"
            case e.AttemptFailed(retry_at=None):
                delivered = next(
                    s.fact.event
                    for s in story.facts
                    if getattr(s.fact.event, "step_run", 0) == event.step_run
                )
                refused |= plan.by_id[delivered.step].on_failure_as != "success"
            case e.StepTimedOut(step=step):
                refused |= plan.by_id[step].on_timeout_as != "success"
    return not refused and not wanted


@given(plans(), ACTS)
@settings(max_examples=400, deadline=None)
def test_any_path_through_any_plan_ends_by_its_last_decision(plan: Plan, acts: list[str]) -> None:
    story = Story(plan)
    for word in acts:
        if story.intent.final:
            break
        try:
            act(story, word)
        except Refused:
            continue
    if story.intent.status is Status.COMPLETED:
        assert expected(story)
    elif story.intent.fault is None or story.intent.fault.code != "too_many_steps":
        assert not (story.intent.final and expected(story))
    row = story.intent
    folded = fold((unseal(body, private) for _, body, private, _ in story.rows), plan)
    assert replace(folded, head=row.head) == row


def test_expiry_that_counts_as_success_is_a_named_relaxation() -> None:
    plain = compile_policy({"deadline": "1h", "on_timeout": "goto:tell"})
    long = compile_policy({"deadline": "1h", "on_timeout": {"goto": "tell"}})
    success = compile_policy({"deadline": "1h", "on_timeout": {"goto": "tell", "as": "success"}})
    assert plain == long
    assert why_relaxed(plain, success) == ["an unanswered task counts as a success, through step tell"]
    assert why_relaxed(success, plain) == why_relaxed(success, success) == []
    elsewhere = compile_policy({"deadline": "1h", "on_timeout": {"goto": "other", "as": "success"}})
    assert why_relaxed(success, elsewhere) != []
    for wrong in ({"goto": "tell", "as": "succes"}, {"as": "success"}, {"goto": "tell", "is": "success"}):
        with pytest.raises(Invalid):
            compile_policy({"deadline": "1h", "on_timeout": wrong})


def test_fallback_that_approves_requires_low_risk() -> None:
    policy = compile_policy({"deadline": "1h", "on_timeout": "outcome:canary"})
    step = approve(task=CANARY, on_success="end", deadline=None)
    with pytest.raises(Invalid, match="only if the risk is low"):
        applied(step, policy, "p", "policy")
    low = compile_policy({"deadline": "1h", "on_timeout": "outcome:canary", "risk": "low"})
    assert low.approves_on_expiry
    assert applied(step, low, "p", "policy").task.fallback_outcome == "canary"
    changes = compile_policy({"deadline": "1h", "on_timeout": "outcome:redo", "risk": "low"})
    with pytest.raises(Invalid, match="cannot request changes"):
        applied(step, changes, "p", "policy")


def test_form_that_rejects_does_not_follow_the_approval_route() -> None:
    own = (Outcome("sent", Meaning.APPROVES, goto="apply"),)
    spec = TaskSpec(type=TaskType.FORM, outcomes=("sent",), own=own, form={"properties": {"approved": {}}})
    ask = HumanStep(id="ask", task=spec, on_failure="undo")
    plan = check_plan(
        Plan((ask, validate(id="apply", on_success="end"), validate(id="undo", on_success="end")))
    )
    intent = Story(plan).intent
    yes = e.Decided(1, "ask", "sent", Ending.APPROVED, Meaning.APPROVES)
    no = e.Decided(1, "ask", "sent", Ending.REJECTED, Meaning.REJECTS)
    assert continuation(intent, yes) == Continuation("apply", None)
    assert continuation(intent, no) == Continuation(
        "undo", Failure("human_rejected", "Approval required: sent.")
    )


def test_retry_keeps_the_setback() -> None:
    intent = replace(Story().intent, setback=Failure("human_rejected", "no"))
    resting = e.AttemptFailed(1, 1, "lease_expired", START)
    assert continuation(intent, resting) == Continuation(None, intent.setback)
    assert continuation(intent, e.Reported(1, "validate", {}, Failure("x", "y"), START)) == Continuation(
        None, intent.setback
    )


@pytest.mark.parametrize(
    ("event", "following"),
    [
        (
            e.Decided(1, "ask", "withdrawn", Ending.WITHDRAWN, Meaning.REJECTS),
            Continuation(None, Failure("withdrawn", "Run it?: withdrawn.")),
        ),
        (
            e.Decided(1, "ask", "undeliverable", Ending.UNDELIVERABLE, Meaning.REJECTS),
            Continuation("tell", Failure("undeliverable", "Run it?: nobody could be reached.")),
        ),
        (
            e.Decided(1, "ask", "expired", Ending.EXPIRED, Meaning.REJECTS),
            Continuation(None, Failure("step_timeout", "Step 'ask' passed its deadline.")),
        ),
    ],
)
def test_unanswered_task_sets_its_own_failure(event: e.Decided, following: Continuation) -> None:
    plan = check_plan(Plan((HumanStep(id="ask", task=TaskSpec(title="Run it?"), on_failure="tell"), TELL)))
    assert continuation(Story(plan).intent, event) == following


def test_exhausted_changes_have_their_own_failure_code() -> None:
    ask = HumanStep(id="ask", task=REVIEW, on_changes="ask")
    once = Story(gate(ask, max_revisions=1)).intent
    changes = e.Decided(1, "ask", "changes_requested", Ending.SUPERSEDED, Meaning.REQUESTS_CHANGES)
    first, code = continuation(once, changes), "changes_requested"
    assert (first.target, first.setback) == ("ask", Failure(code, "Changes were requested."))
    again = replace(once, revisions=1, setback=first.setback)
    message = "Changes were requested more often than the plan allows."
    assert continuation(again, changes).setback == Failure(code, message)
    nowhere = Story(gate(HumanStep(id="ask", task=REVIEW))).intent
    last = continuation(nowhere, changes)
    assert (last.target, last.setback) == (None, Failure(code, "Changes were requested."))


def test_approval_clears_requested_changes() -> None:
    wished = replace(Story(gate(approve())).intent, changes_requested_by=("other",))
    yes = e.Decided(1, "approve", "approved", Ending.APPROVED, Meaning.APPROVES)
    no = e.Decided(1, "approve", "rejected", Ending.REJECTED, Meaning.REJECTS)
    assert continuation(wished, yes).changes_requested_by == ()
    assert continuation(wished, no).changes_requested_by == ("other",)
