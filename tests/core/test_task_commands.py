"""Actions on an open task: answer, delegate, reassign, review, comment, revise; and the case that nobody is reached."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import AbsentPerson, Actor
from signoff.core.errors import Conflict, Forbidden, Invalid
from signoff.core.intent import commands as c
from signoff.core.intent.answering_rights import answer_right, answered_by, later_stages, waits_for
from signoff.core.intent.decide import decide
from signoff.core.intent.events import Commented
from signoff.core.intent.model import Delegation, Status, Task
from signoff.core.intent.task_commands import already_decided, nothing_open
from signoff.core.intent.transition import Transition
from signoff.core.plan.plan import DelayStep
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import (
    Ending,
    Escalation,
    Fallback,
    Meaning,
    Outcome,
    Risk,
    Stage,
    Strength,
    TaskType,
)
from tests.builders import (
    ADA,
    AGENT,
    ANN,
    OTTO,
    RITA,
    SERVICE,
    START,
    SYSTEM,
    Story,
    approve,
    gate,
    happened,
    minutes,
    person,
    validate,
)
from tests.core.asking import asking, people, refusal, refused, review, step

EMMA = person("emma", "approver")
HOUR = timedelta(hours=1)
TWO = Stage(need=2)


# -- which task, and whether it is still open


def test_answer_without_an_open_task_names_the_current_state() -> None:
    pause = DelayStep(id="pause", lasts=HOUR)
    waiting, checking, asked = Story(gate(pause, approve())), Story(), asking()
    assert "waiting for something else" in str(refused(waiting, c.Answer("approved"), ANN))
    met = refused(checking, c.Answer("approved"), ANN)
    assert (met.code, "'validate' is still with an agent" in str(met)) == ("no_open_task", True)
    assert "another task is" in str(refused(asked, c.Answer("approved", step_run=7), ANN))


def test_late_answer_reports_the_decision() -> None:
    story = asking()
    story.do(c.Answer("rejected", comment="not today"), ANN)
    met = refused(story, c.Answer("approved"), OTTO)
    assert isinstance(met, Conflict)
    assert (met.code, met.details["outcome"], met.details["ending"]) == (
        "already_decided",
        "rejected",
        "rejected",
    )
    assert (met.details["decided_by"], met.details["via"]) == ("per_ann", "api")
    assert "comment" not in met.details


def test_later_of_two_decisions_is_reported() -> None:
    story = Story(gate(step(name="one"), step(name="two"), validate()))
    story.do(c.Answer("approved"), ANN)
    story.do(c.Answer("approved"), OTTO, after=HOUR)
    met = refused(story, c.Answer("approved", step_run=1), EMMA)
    assert met.details["decided_by"] == "per_otto"


@pytest.mark.parametrize("whose", ["task", "intent"])
def test_answer_after_the_deadline_is_refused_before_expiry_is_recorded(whose: str) -> None:
    story = asking(deadline=HOUR) if whose == "task" else asking(deadline_at=START + HOUR)
    story.now += HOUR
    met = refused(story, c.Answer("approved"), ANN)
    assert (met.code, met.details["ending"]) == ("already_decided", "expired")
    assert met.details["decided_at"] == "2026-03-02T10:00:00.000000Z"


def test_approval_at_the_deadline_counts() -> None:
    story = asking(deadline=HOUR)
    story.do(c.Answer("approved"), ANN, after=HOUR - timedelta(microseconds=1))
    assert story.intent.status is Status.COMPLETED


# -- one vote a person


def test_quorum_of_two_needs_two_people() -> None:
    story = asking(TWO)
    assert happened(story.do(c.Answer("approved"), ANN)) == ["Answered"]
    assert happened(story.do(c.Answer("approved"), OTTO)) == ["Answered", "Decided", "Completed"]


def test_repeated_answer_is_one_vote() -> None:
    story = asking(TWO)
    story.do(c.Answer("approved", comment="fine"), ANN)
    again = story.do(c.Answer("approved", comment="fine"), ANN)
    assert (again.facts, again.repeated) == ([], True)


@pytest.mark.parametrize(
    "other", [c.Answer("approved", comment="hm"), c.Answer("approved", data={"x": 1}), c.Answer("rejected")]
)
def test_different_answer_replaces_the_earlier_one(other: c.Answer) -> None:
    story = asking(Stage(need=2, reject_after=2))
    story.do(c.Answer("approved"), ANN)
    story.do(other, ANN)
    (vote,) = story.task.votes
    assert (vote.outcome, vote.comment or "", vote.data or {}) == (other.outcome, other.comment, other.data)
    assert (vote.number, vote.replaced) == (2, ("approved",))


def test_two_approvals_that_may_be_one_persons_are_refused() -> None:
    keyed = replace(EMMA, sponsors=("per_emma", "per_ann"))  # Ann made the key that Emma uses
    story = asking(TWO)
    story.do(c.Answer("approved"), ANN)
    met = refused(story, c.Answer("approved"), keyed)
    assert (type(met), met.code) == (Forbidden, "same_person")
    story.do(c.Answer("approved"), EMMA)
    assert story.intent.ending is Ending.APPROVED


def test_same_person_rule_ignores_the_order_of_answers() -> None:
    keyed = replace(EMMA, sponsors=("per_emma", "per_ann"))
    story = asking(TWO)
    story.do(c.Answer("approved"), keyed)
    assert refused(story, c.Answer("approved"), ANN).code == "same_person"


def test_next_stage_also_needs_another_natural_person() -> None:
    keyed = replace(EMMA, sponsors=("per_emma", "per_ann"))
    story = asking(Stage(("per_ann",)), Stage(("per_emma",)))
    story.do(c.Answer("approved"), ANN)
    assert refused(story, c.Answer("approved"), keyed).code == "same_person"


def test_rejection_is_accepted_although_it_may_be_the_same_persons() -> None:
    keyed = replace(EMMA, sponsors=("per_emma", "per_ann"))
    story = asking(TWO)
    story.do(c.Answer("approved"), ANN)
    story.do(c.Answer("rejected"), keyed)
    assert story.intent.ending is Ending.REJECTED


def test_approval_repeated_with_a_session_no_longer_depends_on_the_key() -> None:
    keyed = replace(EMMA, sponsors=("per_emma", "per_ann"))
    story = asking(TWO)
    story.do(c.Answer("approved"), keyed)
    assert happened(story.do(c.Answer("approved"), EMMA)) == ["Answered"]
    (vote,) = story.task.votes
    assert vote.behind == ()
    assert story.do(c.Answer("approved"), keyed).repeated, "a weaker one changes nothing"
    story.do(c.Answer("approved"), ANN)
    assert story.intent.ending is Ending.APPROVED


def test_sent_alias_of_an_outcome_is_recorded() -> None:
    story = asking(TWO, type=TaskType.CONFIRMATION, outcomes=("confirmed", "denied"))
    change = story.do(c.Answer("approved"), ANN)
    event = change.facts[0].fact.event
    assert (getattr(event, "outcome", ""), getattr(event, "sent", "")) == ("confirmed", "approved")


def test_answer_without_a_digest_is_recorded_as_unseen() -> None:
    story = asking(TWO)
    blind = story.do(c.Answer("approved"), ANN).facts[0].fact.event
    seen = story.do(c.Answer("approved", digest=story.task.digest), OTTO).facts[0].fact.event
    assert (getattr(blind, "unseen", None), getattr(seen, "unseen", None)) == (True, False)


# -- stages


def test_passed_stage_opens_the_next_and_the_last_decides() -> None:
    story = asking(Stage(("per_ann",)), Stage(("per_otto",)))
    assert happened(story.do(c.Answer("approved"), ANN)) == ["Answered", "StagePassed"]
    assert (story.task.stage, story.task.agreed) == (1, "")
    assert refused(story, c.Answer("approved"), EMMA).code == "not_an_approver"
    assert happened(story.do(c.Answer("approved"), OTTO)) == ["Answered", "Decided", "Completed"]


def test_rejection_at_the_first_stage_ends_the_task() -> None:
    story = asking(Stage(), Stage())
    assert happened(story.do(c.Answer("rejected"), ANN)) == ["Answered", "Decided", "Failed"]


def test_later_stage_can_only_confirm_the_chosen_outcome() -> None:
    own = (Outcome("blue", Meaning.APPROVES), Outcome("green", Meaning.APPROVES))
    story = asking(Stage(("per_ann",)), Stage(("per_otto",)), outcomes=("blue", "green", "rejected"), own=own)
    story.do(c.Answer("blue"), ANN)
    assert story.task.agreed == "blue"
    met = refused(story, c.Answer("green"), OTTO)
    assert (type(met), met.code) == (Invalid, "outcome_not_allowed")
    story.do(c.Answer("blue"), OTTO)
    assert story.intent.outcome == "blue"


def test_votes_are_counted_by_membership_at_the_last_vote() -> None:
    story = asking(Stage(("team:dba",), need=2))
    ann, otto, emma = (replace(one, names=one.names | {"team:dba"}) for one in (ANN, OTTO, EMMA))
    dba = frozenset({"team:dba"})
    story.do(c.Answer("approved", active_people={"per_ann": dba}), ann)
    story.do(c.Answer("approved", active_people={"per_otto": dba}), otto)
    assert story.intent.ending is None, "Ann has left the team"
    story.do(c.Answer("approved", active_people={"per_otto": dba, "per_emma": dba}), emma)
    assert story.intent.ending is Ending.APPROVED


# -- handing it over


def handed_over() -> Story:
    story = asking(Stage(("per_ann", "per_emma")))
    story.do(c.Delegate("per_otto"), ANN)
    return story


def test_delegating_moves_the_vote_to_the_delegate() -> None:
    story = handed_over()
    assert story.task.delegations == (Delegation("per_ann", "per_otto", frozenset({"per_ann"})),)
    assert refused(story, c.Answer("approved"), ANN).code == "not_an_approver"
    story.do(c.Answer("approved"), OTTO)
    assert story.intent.ending is Ending.APPROVED
    assert story.intent.results["ask"]["decided_by"] == "per_otto"


def test_delegation_to_oneself_onward_or_in_a_circle_is_refused() -> None:
    story = handed_over()
    assert refused(story, c.Delegate("per_emma"), EMMA).code == "delegate_to_oneself"
    assert refused(story, c.Delegate("per_emma"), OTTO).code == "delegation_not_transitive"
    assert refused(story, c.Delegate("per_ann"), OTTO).code == "delegate_to_oneself"
    met = refused(story, c.Delegate("per_ann"), EMMA)
    assert (type(met), met.code, met.field) == (Invalid, "delegation_cycle", "to")


def test_delegate_cannot_pass_on_the_vote_of_an_absent_person() -> None:
    story = asking(
        Stage(("per_ann",)), membership=people({"ann": "otto"}, ann="role:approver", otto="role:approver")
    )
    instead = replace(OTTO, delegate_for=(AbsentPerson("per_ann", ANN.names),))
    assert refused(story, c.Delegate("per_emma"), instead).code == "delegation_not_transitive"
    assert refused(story, c.Delegate("per_ann"), instead).code == "delegate_to_oneself"
    story.do(c.Answer("approved"), instead)
    assert story.intent.ending is Ending.APPROVED


# -- asking others


def test_reassigning_replaces_the_approvers() -> None:
    story = asking(Stage(("per_ann",)))
    story.do(c.Delegate("per_emma"), ANN)
    story.do(c.MarkReviewing(), EMMA)
    story.do(c.Reassign(("per_otto",)), ADA)
    task = story.task
    assert (task.assigned, task.delegations, task.reviewed_by) == (("per_otto",), (), "")
    assert refused(story, c.Answer("approved"), ANN).code == "not_an_approver"
    story.do(c.Answer("approved"), OTTO)
    assert story.intent.ending is Ending.APPROVED


@pytest.mark.parametrize(
    ("outcome", "ending"), [("rejected", Ending.REJECTED), ("changes_requested", Ending.SUPERSEDED)]
)
def test_rejection_counts_even_if_earlier_approvals_suffice_by_now(outcome: str, ending: Ending) -> None:
    """Ann has left the team when Emma approves, and is back in it when Otto answers."""
    team = frozenset({"team:dba", "role:approver"})
    without, everybody = (
        {"per_emma": team, "per_otto": team},
        dict.fromkeys(("per_ann", "per_emma", "per_otto"), team),
    )
    story = review(Stage(("team:dba",), need=2))
    for who, said, names in ((ANN, "approved", everybody), (EMMA, "approved", without)):
        story.do(c.Answer(said, active_people=names), replace(who, names=team))
    assert story.task.votes, "one approval counted"
    story.do(c.Answer(outcome, active_people=everybody), replace(OTTO, names=team))
    assert story.intent.ending is ending


def test_all_stage_is_not_reassigned_to_fewer_entries() -> None:
    story = asking(Stage(("per_ann", "per_emma"), every=True))
    story.do(c.Answer("approved"), ANN)
    for to in (("per_otto",), ("per_otto", "per_otto")):
        met = refused(story, c.Reassign(to), ADA)
        assert (met.code, met.field) == ("too_few_approvers", "to")
    story.do(c.Reassign(("per_otto", "per_emma")), ADA)
    assert not story.intent.ending
    story.do(c.Answer("approved"), EMMA)
    assert not story.intent.ending, "Otto is asked, and Ann's vote does not stand for his"
    story.do(c.Answer("approved"), OTTO)
    assert story.intent.ending is Ending.APPROVED


def test_vote_remains_if_its_entry_is_asked_again() -> None:
    story = asking(Stage(("per_ann", "per_emma"), every=True))
    story.do(c.Answer("approved"), ANN)
    story.do(c.Reassign(("per_ann", "per_otto")), ADA)
    story.do(c.Answer("approved"), OTTO)
    assert story.intent.ending is Ending.APPROVED


def test_vote_of_a_former_approver_still_counts_towards_a_number() -> None:
    story = asking(Stage(("per_ann", "per_emma"), need=2))
    story.do(c.Answer("approved"), ANN)
    story.do(c.Reassign(("per_otto", "per_emma")), ADA)
    story.do(c.Answer("approved"), EMMA)
    assert story.intent.ending is Ending.APPROVED


def test_only_an_admin_reassigns_and_must_name_somebody() -> None:
    story = asking()
    assert refused(story, c.Reassign(("per_emma",)), ANN).code == "admin_required"
    met = refused(story, c.Reassign(()), ADA)
    assert (type(met), met.code, met.field) == (Invalid, "nobody_named", "to")


def test_team_and_delegates_are_pinned_at_reassignment() -> None:
    story = asking(Stage(("per_ann",)))
    story.membership = people({"otto": "emma"}, otto="team:dba role:approver", emma="role:approver")
    story.do(c.Reassign(("team:dba",)), ADA)
    assert story.task.pinned_members == {"team:dba": ("per_otto",)}
    assert story.task.asked_delegates == {"per_otto": ("per_emma",)}


def test_entries_already_named_by_the_task_keep_their_pinned_members() -> None:
    now = people(ann="team:dba role:approver")
    story = asking(Stage(("team:dba",)), membership=now)
    story.membership = people(ann="role:approver", emma="team:dba team:sec role:approver")
    kept, anew = ("team:dba", "team:sec"), ("team:dba",)
    story.do(c.Reassign(kept, keep=True), ADA)
    assert story.task.pinned_members == {"team:dba": ("per_ann",), "team:sec": ("per_emma",)}
    story.do(c.Reassign(anew), ADA)
    assert story.task.pinned_members["team:dba"] == ("per_emma",)


def test_requester_cannot_reassign() -> None:
    story = asking(by=replace(ADA, id="per_boss", sponsors=("per_boss",)))
    met = refused(story, c.Reassign(("per_emma",)), replace(ADA, id="per_boss", sponsors=("per_boss",)))
    assert (met.code, "choose who decides" in str(met)) == ("self_approval", True)


# -- taking, commenting


def test_review_mark_is_recorded_once_and_locks_nothing() -> None:
    story = asking()
    assert happened(story.do(c.MarkReviewing(), ANN)) == ["ReviewMarked"]
    assert story.task.reviewed_by == "per_ann"
    assert story.do(c.MarkReviewing(), ANN).facts == []
    assert happened(story.do(c.MarkReviewing(), OTTO)) == ["ReviewMarked"]
    assert happened(story.do(c.MarkReviewing(free=True), OTTO)) == ["ReviewMarked"]
    assert story.task.reviewed_by == ""
    assert story.do(c.MarkReviewing(free=True), OTTO).facts == []


def test_comment_decides_nothing_and_must_not_be_empty() -> None:
    story = asking()
    assert happened(story.do(c.AddComment("Why today?"), ANN)) == ["Commented"]
    assert happened(story.do(c.AddComment("Because."), SERVICE)) == ["Commented"]
    assert story.task.votes == ()
    met = refused(story, c.AddComment(" \u200b\n"), ANN)
    assert (type(met), met.code, met.field) == (Invalid, "comment_required", "comment")


# -- changing what is decided


def test_revision_voids_votes_restarts_stages_and_bars_its_editor() -> None:
    story = review(
        Stage(("per_ann", "per_otto", "per_emma")), Stage(), remind=Reminders(minutes(5), minutes(5), 3)
    )
    story.do(c.Answer("approved"), ANN)
    digest = story.task.digest
    story.do(c.Revise("e" * 64, digest=digest), OTTO)
    task, intent = story.task, story.intent
    assert (task.stage, task.votes, task.revision, task.reminded) == (0, (), 2, 0)
    assert task.digest != digest
    assert (intent.payload_digest, intent.revision, intent.editors) == ("e" * 64, 2, ("per_otto",))
    assert refused(story, c.Answer("approved"), OTTO).code == "self_approval"
    story.do(c.Answer("approved"), EMMA)
    assert story.task.stage == 1


def test_creator_of_the_editors_key_is_an_editor_too() -> None:
    story = review()
    story.do(c.Revise("e" * 64), replace(OTTO, sponsors=("per_otto", "per_ann")))
    assert story.intent.editors == ("per_otto", "per_ann")
    assert answer_right(ANN, story.intent, story.task) is None


def test_revision_needs_the_shown_digest_and_a_change() -> None:
    story = review()
    assert refused(story, c.Revise("e" * 64, digest="f" * 64), ANN).code == "stale_revision"
    met = refused(story, c.Revise("d" * 64), ANN)
    assert (type(met), met.code, met.field) == (Invalid, "nothing_changed", "payload")


def test_reassignment_at_a_later_stage_does_not_apply_to_the_first_after_a_revision() -> None:
    later, first = review(Stage(), Stage()), review(Stage(), Stage())
    later.do(c.Answer("approved"), ANN)
    for story in (later, first):
        story.do(c.Reassign(("per_otto", "per_emma")), ADA)
        story.do(c.Delegate("per_bob"), EMMA)
        story.do(c.Revise("e" * 64), OTTO)
    assert (later.task.assigned, later.task.delegations) == ((), ())
    assert first.task.assigned == ("per_otto", "per_emma")
    assert [given.delegate for given in first.task.delegations] == ["per_bob"]


# -- nobody is reached


LADDER = (Escalation(HOUR, ("per_otto",)), Escalation(2 * HOUR, ("per_emma",)))


def test_escalation_without_reachable_people_continues_and_ends_undeliverable() -> None:
    story = asking(Stage(("per_ann",)), escalate=LADDER)
    first = story.do(c.ReportUnreachable(1, "no address"), SYSTEM)
    assert happened(first) == ["NobodyReached", "Escalated"]
    assert story.task.escalated == 1
    assert happened(story.do(c.ReportUnreachable(1, "no address", level=1), SYSTEM)) == [
        "NobodyReached",
        "Escalated",
    ]
    last = story.do(c.ReportUnreachable(1, "no address", level=2), SYSTEM)
    assert happened(last) == ["NobodyReached", "Decided", "Failed"]
    assert (story.intent.ending, story.intent.outcome) == (Ending.UNDELIVERABLE, "undeliverable")


def test_stale_report_of_an_escalation_level_changes_nothing() -> None:
    story = asking(Stage(("per_ann",)), escalate=LADDER)
    story.do(c.ReportUnreachable(1, "no address"), SYSTEM)
    assert happened(story.do(c.ReportUnreachable(1, "no address"), SYSTEM)) == ["NobodyReached"]
    assert story.task.escalated == 1


def test_task_stays_open_while_somebody_was_reached() -> None:
    story = asking(Stage(("per_ann",)))
    assert happened(story.do(c.ReportUnreachable(1, "no address", others_reached=True), SYSTEM)) == [
        "NobodyReached"
    ]
    story.do(c.Answer("approved"), ANN)
    assert story.intent.ending is Ending.APPROVED


@pytest.mark.parametrize("news", [c.ReportUnreachable(7, "x"), c.ReportUnreachable(1, "x", stage=1)])
def test_unreachable_report_of_another_task_or_stage_is_ignored(news: c.ReportUnreachable) -> None:
    assert asking().do(news, SYSTEM).facts == []


def test_unreachable_report_after_the_end_of_the_task_is_ignored() -> None:
    story = Story(gate(step(), validate()))
    story.do(c.Answer("approved"), ANN)
    assert story.do(c.ReportUnreachable(1, "x"), SYSTEM).facts == []


# -- the answers that are nobody's


def test_approval_by_fallback_is_recorded_as_expired() -> None:
    story = asking(deadline=HOUR, fallback=Fallback.OUTCOME, fallback_outcome="approved", risk=Risk.LOW)
    story.tick(HOUR)
    assert (story.intent.status, story.intent.ending) == (Status.COMPLETED, Ending.EXPIRED)
    assert "decided_by" not in story.intent.results["ask"]


@pytest.mark.parametrize("who", [AGENT, SERVICE, RITA])
def test_programs_and_the_requesters_side_cannot_answer(who: Actor) -> None:
    assert refused(asking(), c.Answer("approved"), who).code in (
        "person_required",
        "self_approval",
        "intent_not_found",
    )


def test_eligibility_is_checked_by_the_rule_itself() -> None:
    story = asking(Stage(("per_ann",)))
    transition = Transition(OTTO, story.now, "", story.intent)
    met = refusal(lambda: decide(transition, c.Answer("approved", shown=frozenset({(1, 0, 1)}))))
    assert (type(met), met.code) == (Forbidden, "not_an_approver")
    assert transition.trail == []


def test_task_waits_for_eligible_people_only() -> None:
    story = asking(Stage(("per_ann",)))
    assert waits_for(ANN, story.intent, story.task)
    assert not waits_for(OTTO, story.intent, story.task)
    assert not waits_for(
        replace(SERVICE, id="per_ann", names=frozenset({"per_ann"})), story.intent, story.task
    )


def test_task_does_not_wait_for_people_who_answered_or_edited() -> None:
    story = review(Stage(("per_ann", "per_otto", "per_emma"), need=2))
    story.do(c.Revise("e" * 64, digest=story.task.digest), OTTO)
    story.do(c.Answer("approved"), ANN)
    assert [waits_for(who, story.intent, story.task) for who in (ANN, OTTO, EMMA)] == [False, False, True]
    keyed = replace(EMMA, sponsors=("per_emma", "per_otto"))  # by a key that Otto made
    assert not waits_for(keyed, story.intent, story.task)


def test_task_does_not_wait_for_a_person_whose_delegate_answered() -> None:
    story = asking(Stage(("per_ann", "per_emma"), need=2))
    story.do(c.Delegate("per_otto"), ANN)
    assert [waits_for(who, story.intent, story.task) for who in (ANN, OTTO)] == [False, True]
    story.do(c.Answer("approved"), OTTO)
    assert answered_by(story.task) == {"per_ann", "per_otto"}
    assert not waits_for(OTTO, story.intent, story.task)


def test_task_waits_for_a_person_who_needs_a_stronger_sign_in() -> None:
    story = asking(Stage(("per_ann",)), strength=Strength.SESSION)
    by_link = replace(ANN, strength=Strength.LINK)
    assert refused(story, c.Answer("approved"), by_link).code == "stronger_sign_in_required"
    assert waits_for(by_link, story.intent, story.task)


def test_comment_is_recorded_with_its_task_and_an_empty_one_refused() -> None:
    story = asking(Stage(need=2))
    [said] = story.do(c.AddComment("Why now?"), ANN).facts
    assert isinstance(said.fact.event, Commented)
    assert said.fact.note is not None
    assert (said.fact.event.step_run, said.fact.note.comment) == (story.task.step_run, "Why now?")
    for empty in ("", " \n"):
        met = refused(story, c.AddComment(empty), ANN)
        assert (met.code, met.field, met.message) == ("comment_required", "comment", "The comment is empty.")


def test_late_answer_reports_what_was_decided_by_whom_and_when() -> None:
    story = Story(gate(step(name="first"), step(name="second")))
    story.do(c.Answer("approved"), OTTO)
    story.do(c.Answer("rejected"), ANN, after=HOUR)
    met = refused(story, c.Answer("approved"), OTTO)
    assert met.message == "This has already been decided: rejected."
    last = story.intent.results["second"]
    assert met.details == {
        name: last[name] for name in ("outcome", "ending", "decided_by", "decided_at", "via")
    }
    assert met.details["decided_at"] > story.intent.results["first"]["decided_at"]


def test_late_answer_without_a_decision_reports_the_ending() -> None:
    story = asking()
    story.intent = replace(story.intent, results={})
    assert already_decided(story.intent).details == {}
    undated: dict[str, Any] = {"ask": {"outcome": "approved"}}  # as old releases recorded it
    story.intent = replace(story.intent, results=undated)
    assert already_decided(story.intent).details == {"outcome": "approved"}
    gates = Story(gate(step(name="first"), step(name="second")))
    dated = {"outcome": "rejected", "decided_at": "2026-03-02T10:00:00.000000Z"}
    gates.intent = replace(gates.intent, results={"first": undated["ask"], "second": dated})
    assert already_decided(gates.intent).details == dated


def test_answer_without_an_open_task_says_where_the_request_is() -> None:
    gates = Story(gate(step(name="first"), validate(), step(name="second")))
    assert "here: another task is." in nothing_open(gates.intent).message
    gates.do(c.Answer("approved"), ANN)
    assert "step 'validate' is still with an agent." in nothing_open(gates.intent).message
    nowhere = replace(gates.intent, open=None)
    assert "here: the intent is waiting for something else." in nothing_open(nowhere).message


def test_later_stages_are_those_whose_approvers_include_the_person() -> None:
    stages = (Stage(("per_ann", "per_otto")), Stage(("per_otto",)), Stage(("role:approver",)))
    story = asking(*stages)
    task = story.intent.open
    assert isinstance(task, Task)
    seen = [later_stages(one, story.intent, task) for one in (ANN, OTTO, AGENT)]
    assert seen == [(3,), (2, 3), ()]
