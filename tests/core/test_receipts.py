"""The receipt of every action: what was recorded, what happens next, how to undo it; still correct when read again."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from signoff.core.intent import commands as c
from signoff.core.intent.events import ReviewMarked
from signoff.core.intent.model import Status
from signoff.core.intent.receipts import Formats, Receipt, act_in, place, receipt
from signoff.core.intent.states import OF_TASK
from signoff.core.plan.task_types import Ending, Meaning, Outcome, Stage, TaskType
from signoff.core.text.times import utc_text
from tests.builders import ADA, ANN, OTTO, RITA, START, Story, approve, gate, person, validate
from tests.core.asking import asking, review, step

EMMA = person("emma", "approver")
HOUR = timedelta(hours=1)
WORDS = Formats({"per_ann": "Ann", "per_otto": "Otto"}.get, utc_text)  # type: ignore[arg-type]
OPEN = " Until the decision you can change your answer."


def receipt_of(story: Story, by: str, name: str = "ask") -> Receipt:
    """The current receipt of this person's last action."""
    fact = act_in((sealed.fact for sealed in story.facts), by)
    assert fact is not None
    made = receipt(fact, story.intent, name, WORDS)
    assert made.seq == fact.seq
    return made


def did(story: Story, command: c.Command, by: str = "per_ann") -> tuple[str, str, str]:
    story.do(command, {"per_ann": ANN, "per_otto": OTTO, "per_ada": ADA, "per_rita": RITA}[by])
    made = receipt_of(story, by)
    return made.recorded, made.then, made.undo


def test_vote_among_several_says_what_is_missing_and_can_be_changed() -> None:
    story = asking(Stage(need=3))
    assert did(story, c.Answer("approved")) == (
        "Recorded: approved.",
        f"2 more approvals are needed.{OPEN}",
        "answer",
    )
    assert did(story, c.Answer("approved"), "per_otto")[1] == f"1 more approval is needed.{OPEN}"
    story.do(c.Answer("approved"), EMMA)
    for person_id in ("per_ann", "per_emma"):
        assert (receipt_of(story, person_id).then, receipt_of(story, person_id).undo) == (
            "This is decided: approved. The request is completed.",
            "",
        )


def test_rejection_among_several_says_how_many_more_end_the_task() -> None:
    story = asking(Stage(need=2, reject_after=3))
    assert did(story, c.Answer("rejected"))[1] == f"2 more rejections end the task.{OPEN}"
    assert did(story, c.Answer("rejected"), "per_otto")[1] == f"1 more rejection ends the task.{OPEN}"
    story.do(c.Answer("rejected"), EMMA)
    assert receipt_of(story, "per_ann").then == "This is decided: rejected. The request has failed."


def test_only_equal_outcomes_in_one_stage_are_counted_together() -> None:
    own = tuple(Outcome(name, Meaning.APPROVES) for name in ("canary", "full"))
    story = asking(Stage(need=3), outcomes=("canary", "full"), own=own)
    story.do(c.Answer("canary"), ANN)
    story.do(c.Answer("full"), OTTO)
    for person_id in ("per_ann", "per_otto"):
        assert receipt_of(story, person_id).then == f"2 more approvals are needed.{OPEN}"
    story = asking(Stage(reject_after=2), Stage(need=2, reject_after=2))
    story.do(c.Answer("rejected"), EMMA)
    story.do(c.Answer("approved"), OTTO)
    assert did(story, c.Answer("rejected"))[1] == f"1 more rejection ends the task.{OPEN}"


def test_request_for_changes_among_several_decides_nothing_yet() -> None:
    story = review(Stage(need=2, reject_after=2))
    said = did(story, c.Answer("changes_requested", comment="why?"))
    assert said[0] == "Recorded: changes requested."
    assert said[1].startswith(("It has not been decided yet.", "This is decided: "))


def test_completed_stage_is_reported() -> None:
    story = asking(Stage(), Stage())
    assert did(story, c.Answer("approved"))[:2] == (
        "Recorded in stage 1 of 2: approved.",
        "Stage 1 is complete; stage 2 is open now.",
    )


def test_receipt_names_the_outcome() -> None:
    story = asking(type=TaskType.FORM, outcomes=("submitted",), form={"type": "object"})
    assert did(story, c.Answer("submitted", data={"x": 1}))[:2] == (
        "Recorded: submitted.",
        "This is decided: submitted. The request is completed.",
    )
    own = Outcome("go", Meaning.APPROVES, label="Let it run")
    story = asking(outcomes=("go",), own=(own,))
    assert did(story, c.Answer("go"))[:2] == (
        "Recorded: Let it run.",
        "This is decided: let it run (approved). The request is completed.",
    )


def test_answer_for_another_person_names_them() -> None:
    story = asking(Stage(("per_ann",)))
    assert did(story, c.Delegate("per_otto", comment="on leave")) == (
        "Delegated to Otto.",
        "Otto now decides for you; you no longer can. An owner or an admin can reassign it.",
        "",
    )
    story.do(c.Answer("approved"), OTTO)
    assert receipt_of(story, "per_otto").recorded == "Recorded for Ann: approved."
    fact = act_in((sealed.fact for sealed in story.facts), "per_otto")
    assert fact is not None
    own = replace(fact, event=replace(fact.event, principal="per_otto"))
    assert receipt(own, story.intent, "ask", WORDS).recorded == "Recorded: approved."


def test_answer_to_a_revised_task_is_reported_as_void() -> None:
    story = asking(Stage(need=2))
    story.do(c.Answer("approved"), ANN)
    assert did(story, c.Revise("e" * 64), "per_otto")[:2] == (
        "Revision 2 is recorded.",
        "Earlier votes are void, and those who gave them are notified. You are now on the requester's side: somebody "
        "else decides, unless self-approval is on.",
    )
    assert receipt_of(story, "per_ann") == replace(
        receipt_of(story, "per_ann"),
        then="The request has changed since, so this answer no longer counts.",
        undo="",
    )
    story.do(c.Revise("f" * 64), ANN)
    assert receipt_of(story, "per_otto").then == "It has since been changed again, to revision 3."


def test_marks_and_snoozes_can_be_undone_while_they_last() -> None:
    story = asking(Stage(need=2))
    mark, cleared = c.MarkReviewing(), c.MarkReviewing(free=True)
    assert did(story, mark) == (
        "It is marked as being reviewed by you.",
        "Others see that. Nothing is locked.",
        "unmark-reviewing",
    )
    story.do(mark, OTTO)
    assert (receipt_of(story, "per_ann").then, receipt_of(story, "per_ann").undo) == (
        "The mark is no longer set.",
        "",
    )
    assert did(story, cleared, "per_otto")[:2] == (
        "Your review mark is cleared.",
        "Others see that no one is reviewing it.",
    )
    said, then, undo = did(story, c.Snooze(START + HOUR))
    assert (said, undo) == ("Snoozed until 2026-03-02 10:00 UTC.", "unsnooze")
    assert then.startswith("You get no reminders until then")
    story.tick(2 * HOUR)
    assert (receipt_of(story, "per_ann").then, receipt_of(story, "per_ann").undo) == (
        "The snooze has ended.",
        "",
    )
    story.do(c.Snooze(START + 4 * HOUR), ANN)
    assert did(story, c.Unsnooze()) == ("The snooze is canceled.", "Reminders resume.", "")


def test_comments_reassignments_and_withdrawals_have_a_receipt() -> None:
    story = asking(Stage(need=2))
    assert did(story, c.AddComment("why?"))[0] == "Your comment was recorded."
    assert did(story, c.Reassign(("per_ann", "per_otto")), "per_ada")[:2] == (
        "Reassigned to Ann, Otto.",
        "They replace the approvers of this stage. Existing votes are kept.",
    )
    story.do(c.Snooze(START + HOUR), ANN)
    assert did(story, c.Cancel("withdrawn"), "per_ada")[:2] == (
        "The request is withdrawn.",
        "Everyone who was asked is notified.",
    )
    assert receipt_of(story, "per_ann").undo == ""


def test_undo_is_not_offered_in_the_next_task() -> None:
    story = Story(gate(step(name="first"), step(name="second")))
    story.do(c.MarkReviewing(), ANN)
    assert receipt_of(story, "per_ann", "first").undo == "unmark-reviewing"
    story.do(c.Answer("approved"), OTTO)
    story.do(c.MarkReviewing(), ANN)
    [old, new] = [
        sealed.fact
        for sealed in story.facts
        if sealed.fact.actor.id == "per_ann" and isinstance(sealed.fact.event, ReviewMarked)
    ]
    assert receipt(old, story.intent, "first", WORDS).undo == ""
    assert receipt(new, story.intent, "second", WORDS).undo == "unmark-reviewing"
    assert receipt_of(story, "per_otto", "first").then == (
        "This is decided: approved. The request is at step “second”."
    )
    assert act_in([old, new], "per_ann") is new
    assert act_in([old, new], "per_ann", getattr(old.event, "step_run", 0)) is old


def test_receipt_is_for_this_persons_action_on_this_task() -> None:
    story = asking(Stage(need=2))
    story.do(c.Answer("approved"), ANN)
    facts = [sealed.fact for sealed in story.facts]
    assert act_in(facts, "per_otto") is None
    assert act_in(facts, "per_ann", 7) is None
    assert act_in(facts, "per_ann", story.task.step_run) is facts[-1]


@pytest.mark.parametrize(
    "ask", [lambda: Story(gate(step(), validate())), lambda: Story(gate(validate(), approve()))]
)
def test_place_names_the_open_step(ask: object) -> None:
    story: Story = ask()  # type: ignore[operator]
    if hasattr(story.intent.open, "digest"):
        assert (
            did(story, c.Answer("approved"))[1]
            == "This is decided: approved. The request is at step “validate”."
        )
    else:
        assert place(story.intent) == "The request is at step “validate”"


def test_place_names_the_revision_of_a_repeated_question() -> None:
    story = asking(Stage(need=2))
    story.do(c.Revise("e" * 64), OTTO)
    again = replace(story.intent, ending=Ending.SUPERSEDED)
    assert place(story.intent) == "The request is at step “ask”"
    assert place(again) == "The request is at step “ask”, for revision 2"


def test_uncounted_request_for_changes_leaves_the_task_open() -> None:
    story = asking(Stage(need=2))
    story.do(c.Answer("approved"), ANN)
    fact = act_in((sealed.fact for sealed in story.facts), "per_ann")
    assert fact is not None
    wish = replace(fact, event=replace(fact.event, meaning=Meaning.REQUESTS_CHANGES))
    assert receipt(wish, story.intent, "ask", WORDS).then == f"It has not been decided yet.{OPEN}"
    closed = replace(story.intent, open=None, results={}, status=Status.CANCELED)
    assert receipt(fact, closed, "ask", WORDS).then == "The request was canceled."


ACTS: dict[type[c.Command], tuple[c.Command, str]] = {
    c.Answer: (c.Answer("approved"), "per_ann"),
    c.Delegate: (c.Delegate("per_otto"), "per_ann"),
    c.Reassign: (c.Reassign(("per_ann",)), "per_ada"),
    c.MarkReviewing: (c.MarkReviewing(), "per_ann"),
    c.Snooze: (c.Snooze(START + HOUR), "per_ann"),
    c.Unsnooze: (c.Unsnooze(), "per_ann"),
    c.AddComment: (c.AddComment("why?"), "per_ann"),
    c.Revise: (c.Revise("e" * 64), "per_ann"),
    c.Cancel: (c.Cancel("withdrawn"), "per_ada"),
}


@pytest.mark.parametrize(
    "kind", sorted({*OF_TASK, c.Cancel} - {c.ReportUnreachable, c.CheckStaffing}, key=str)
)
def test_every_action_of_a_person_has_a_receipt(kind: type[c.Command]) -> None:
    story = asking(Stage(need=2))
    if kind is c.Unsnooze:
        story.do(c.Snooze(START + HOUR), ANN)
    command, by = ACTS[kind]
    assert did(story, command, by)[0]
