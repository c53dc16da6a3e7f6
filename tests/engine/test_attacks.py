"""Attempts to get an approval that must not be given, each by the person who would gain from it."""

from datetime import timedelta
from typing import Any

import pytest

from signoff.core.directory.actors import system
from signoff.core.errors import Invalid, Refused
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Ending, Escalation, Risk, Stage, Strength, TaskSpec
from signoff.engine.directory.contact_schedule import explain
from signoff.engine.directory.eligible_people import addressed
from tests.builders import WORKSPACE
from tests.engine.approval_env import PEOPLE, ApprovalEnv

A, B, C, D, E = PEOPLE
HOUR = timedelta(hours=1)


def approval_env(
    *stages: Stage,
    side: tuple[str, ...] = (),
    owners: tuple[str, ...] = (),
    away: tuple[str, ...] = (),
    **fields: Any,
) -> ApprovalEnv:
    """Team one is a and b, team two is c, d and e; ``side`` requests the approval."""
    made = ApprovalEnv({"one": (A, B), "two": (C, D, E)}, owners)
    if away:
        made.away(*away)
    made.submit(TaskSpec(stages=stages, **fields), side)
    return made


def refusal(made: ApprovalEnv, *op: Any) -> str:
    with pytest.raises(Refused) as refused:
        made.do(op, 9)
    return refused.value.code


def yes(made: ApprovalEnv, *who: str) -> None:
    for person in who:
        made.do(("vote", person, "approved"), 1)


def open_still(made: ApprovalEnv) -> bool:
    return made.here.open is not None


# -- who asks does not decide


def test_requesters_side_cannot_decide_in_any_role() -> None:
    made = approval_env(Stage(("role:owner", "team:one")), side=(A,), owners=(A, C))
    assert refusal(made, "vote", A, "approved") == "self_approval"
    yes(made, C)
    assert made.here.ending is Ending.APPROVED


def test_delegate_of_the_requester_cannot_decide_for_them() -> None:
    made = approval_env(Stage(("team:one",)), side=(A,))
    made.do(("away", A, E), 1)
    assert refusal(made, "vote", E, "approved") == "not_an_approver"


def test_vote_cannot_be_delegated_to_the_requester() -> None:
    made = approval_env(Stage(("team:one",)), side=(C,))
    assert refusal(made, "delegate", A, C) == "self_approval"
    made.do(("away", A, C), 1)
    assert refusal(made, "vote", C, "approved") == "self_approval"
    assert addressed(made.here, made.task, ("team:one",), made.directory, made.now) == (B,)


def test_editor_cannot_decide_and_earlier_votes_are_void() -> None:
    made = approval_env(Stage(("team:one", "team:two"), 2))
    yes(made, A)
    made.do(("revise", B), 1)
    yes(made, C)
    assert open_still(made)
    assert refusal(made, "vote", B, "approved") == "self_approval"
    yes(made, D)
    assert made.here.ending is Ending.APPROVED


def test_request_whose_stage_only_its_own_side_could_decide_is_refused() -> None:
    with pytest.raises(
        Invalid, match=r"stage 2: 2 different people are needed, and there is 1 apart"
    ) as short:
        approval_env(Stage(("team:two",)), Stage(("team:one",), 2), side=(A,))
    assert short.value.code == "nobody_eligible"
    with pytest.raises(Invalid, match=r"3 rejections would end it, and there are 2") as never:
        approval_env(Stage(("team:two",), 1, 3), side=(C,))
    assert never.value.code == "never_rejected"


def test_delegate_adds_no_seat() -> None:
    made = ApprovalEnv({"one": (A, B), "two": (C, D, E)}, ())
    made.do(("away", A, E), 1)
    with pytest.raises(Invalid) as refused:
        made.submit(TaskSpec(stages=(Stage(("team:one",), 3),)), ())
    assert refused.value.code == "nobody_eligible"


@pytest.mark.parametrize("shown", ["", "other", "upper", "before"])
def test_answer_counts_only_for_the_shown_digest(shown: str) -> None:
    made = approval_env(Stage(("team:one",)), risk=Risk.HIGH, strength=Strength.SESSION)
    before = made.task.digest
    made.do(("revise", B), 1)
    other = approval_env(Stage(("team:one",)), title="Another question")
    other.do(("revise", B), 7)
    digest = {"": "", "other": other.task.digest, "upper": made.task.digest.upper(), "before": before}[shown]
    with pytest.raises(Refused) as stale:
        made.apply(made.actor(A), c.Answer("approved", digest=digest))
    assert (stale.value.code, stale.value.details["digest"]) == ("stale_revision", made.task.digest)
    with pytest.raises(Refused) as unseen:  # who names none has seen nothing, however good the key
        made.apply(made.actor(A), c.Answer("approved"))
    assert unseen.value.code == "stronger_sign_in_required"
    assert made.task.votes == ()


# -- a person counts once


def test_person_with_several_entries_and_a_delegation_has_one_vote() -> None:
    made = approval_env(Stage(("team:one", "per_a", "role:approver"), 2))
    made.do(("away", B, A), 1)
    yes(made, A, A)
    assert len(made.task.votes) == 1
    assert open_still(made)


def test_person_and_delegate_share_one_seat() -> None:
    made = approval_env(Stage(("team:one",), 2))
    made.do(("delegate", A, E), 1)
    yes(made, E)
    assert refusal(made, "vote", A, "approved") == "not_an_approver"
    assert open_still(made)
    yes(made, B)
    assert made.here.ending is Ending.APPROVED


def test_delegating_to_another_approver_is_refused_if_too_few_remain() -> None:
    assert refusal(approval_env(Stage(("team:one",), 2)), "delegate", A, B) == "understaffed"
    made = approval_env(Stage(("team:one",)))
    made.do(("delegate", A, B), 1)
    yes(made, B)
    assert made.here.ending is Ending.APPROVED


def test_two_approvers_cannot_delegate_to_one_person_if_two_are_needed() -> None:
    made = approval_env(Stage(("per_a", "per_b", "per_c"), 3))
    made.do(("delegate", A, E), 1)
    assert refusal(made, "delegate", B, E) == "understaffed"
    able = approval_env(Stage(("per_a", "per_b", "per_c"), 2))
    able.do(("delegate", A, E), 1)
    able.do(("delegate", B, C), 1)  # E and C are two
    yes(able, E)
    yes(able, C)
    assert able.here.ending is Ending.APPROVED


def test_delegating_to_a_reassigned_approver_follows_the_same_rules() -> None:
    both = (D, E)
    two = approval_env(Stage(("team:one",), 2))
    two.do(("reassign", both), 1)
    assert refusal(two, "delegate", D, E) == "understaffed"
    made = approval_env(Stage(("team:one",)))
    made.do(("reassign", both), 1)
    made.do(("delegate", D, E), 2)
    yes(made, E)
    assert made.here.ending is Ending.APPROVED


def test_delegation_onward_or_in_a_circle_is_refused() -> None:
    made = approval_env(Stage(("team:one",)))
    made.do(("delegate", A, D), 1)
    assert refusal(made, "delegate", D, E) == "delegation_not_transitive"
    made.do(("away", D, E), 1)
    assert refusal(made, "vote", E, "approved") == "not_an_approver"
    assert refusal(made, "delegate", B, A) == "delegation_cycle"


def test_delegate_decides_until_the_absence_ends() -> None:
    made = approval_env(Stage(("team:one",)))
    made.do(("away", A, E), 1)
    [absence] = made.people[A].absences
    made.now = absence.end - timedelta(seconds=1)
    assert refusal(made, "vote", E, "approved") == "not_an_approver"


def test_vote_in_a_later_stage_does_not_count_in_an_earlier_one_after_a_revision() -> None:
    made = approval_env(Stage(("team:one",)), Stage(("team:two",), 2))
    yes(made, A)
    made.do(("delegate", C, A), 1)
    made.do(("reassign", ("per_d", "per_e")), 2)
    made.do(("revise", D), 3)
    assert made.task.stage == 0
    assert refusal(made, "vote", E, "approved") == "not_an_approver"
    yes(made, A)
    assert made.task.stage == 1
    assert refusal(made, "vote", A, "approved") == "not_an_approver"


# -- who has left does not count, who came later may not decide


@pytest.mark.parametrize("gone", [("leave", A, "one"), ("end", A)])
def test_vote_of_a_person_who_left_does_not_count_towards_the_quorum(gone: tuple[Any, ...]) -> None:
    made = ApprovalEnv({"one": (A, B, C), "two": (D, E)}, ())
    made.submit(TaskSpec(stages=(Stage(("team:one",), 2),)), ())
    yes(made, A)
    made.do(gone, 1)
    yes(made, B)
    assert open_still(made)
    yes(made, C)
    assert made.here.ending is Ending.APPROVED


def test_vote_of_a_delegate_who_lost_eligibility_does_not_count() -> None:
    made = approval_env(Stage(("team:one",), 2), away=(A, E))
    yes(made, E)
    made.demote(E)
    yes(made, B)
    assert open_still(made)
    yes(made, A)
    assert made.here.ending is Ending.APPROVED


def test_later_team_member_decides_nothing_older_even_after_a_reassignment() -> None:
    made = approval_env(Stage(("team:one",)))
    made.do(("join", C, "one"), 1)
    assert refusal(made, "vote", C, "approved") == "not_an_approver"
    made.do(("reassign", ("team:two",)), 2)
    made.do(("join", B, "two"), 3)
    assert refusal(made, "vote", B, "approved") == "not_an_approver"
    assert addressed(made.here, made.task, ("team:two",), made.directory, made.now) == (C, D, E)
    yes(made, C)
    assert made.here.ending is Ending.APPROVED


# -- the ladder


def test_escalation_adds_people_but_not_the_requester() -> None:
    made = approval_env(Stage(("team:one",), 2), side=(C,), escalate=(Escalation(HOUR, (C, D)),))
    made.do(("escalate",), 1)
    assert refusal(made, "vote", C, "approved") == "self_approval"
    yes(made, D)
    assert open_still(made)
    assert addressed(made.here, made.task, (C, D), made.directory, made.now) == (D,)
    yes(made, A)
    assert made.here.ending is Ending.APPROVED


def test_escalation_fills_one_entry_of_an_all_stage() -> None:
    made = approval_env(Stage(("team:one", "per_c"), every=True), escalate=(Escalation(HOUR, ("per_d",)),))
    assert refusal(made, "vote", D, "approved") == "not_an_approver"
    made.do(("escalate",), 1)
    yes(made, D, D)
    assert open_still(made)
    yes(made, A)
    assert made.here.ending is Ending.APPROVED


def test_escalation_level_without_people_is_a_warning_and_is_skipped() -> None:
    made = ApprovalEnv({"one": (A, B), "two": (C,)}, ())
    rungs = (Escalation(HOUR, ("team:two",)), Escalation(9 * HOUR, ("per_d",)))
    made.submit(TaskSpec(stages=(Stage(("team:one",)),), escalate=rungs), (C,))
    assert "escalation 1 (team:two) reaches no eligible person" in made.warnings[0]
    said = explain(made.here, made.task, made.directory, made.now)
    assert [one.people for one in said.contacts] == [(), (D,)]
    made.do(("escalate",), 1)
    made.apply(
        system(WORKSPACE), c.ReportUnreachable(1, "There is nobody to tell.", level=1, others_reached=True)
    )
    assert made.task.escalated == 2
    made.apply(
        system(WORKSPACE), c.ReportUnreachable(1, "There is nobody to tell.", level=2, others_reached=True)
    )
    assert open_still(made), "whoever was asked at first may still answer"
    made.apply(system(WORKSPACE), c.ReportUnreachable(1, "There is nobody to tell.", level=2))
    assert made.here.ending is Ending.UNDELIVERABLE


def test_stale_report_of_an_escalation_level_changes_nothing() -> None:
    rungs = tuple(Escalation(number * HOUR, ("per_d",)) for number in (1, 2, 3))
    made = approval_env(Stage(("team:one",)), escalate=rungs)
    made.do(("escalate",), 1)
    made.do(("escalate",), 2)
    made.apply(system(WORKSPACE), c.ReportUnreachable(1, "late news", level=1))
    assert made.task.escalated == 2


# -- time


def test_nobody_decides_after_the_deadline_even_if_no_loop_ran() -> None:
    made = ApprovalEnv({"one": (A, B), "two": (C,)}, ())
    made.submit(TaskSpec(stages=(Stage(("team:one",)),)), (), deadline=HOUR)
    made.now += HOUR - timedelta(seconds=2)
    made.do(("delegate", A, D), 1)
    made.now += timedelta(seconds=1)
    for op in (("vote", B, "approved"), ("delegate", B, E), ("revise", B)):
        assert refusal(made, *op) == "already_decided"
    made.apply(system(WORKSPACE), c.Tick())
    assert made.here.ending is Ending.EXPIRED
    [decided] = [fact.event for fact, _ in made.facts if isinstance(fact.event, e.Decided)]
    assert (decided.outcome, decided.ending) == ("expired", Ending.EXPIRED)
    assert isinstance(made.here.plan.steps[0], HumanStep)
