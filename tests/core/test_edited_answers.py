"""``edits: approve``: an approver edits values and approves them in one act, and the record shows both."""

from typing import Any

import pytest

from signoff.core.errors import Forbidden
from signoff.core.intent import commands as c
from signoff.core.intent.answering_rights import requesters_side
from signoff.core.intent.edited_answers import same_fields
from signoff.core.intent.events import Answered, Revised
from signoff.core.intent.model import Status
from signoff.core.intent.receipts import Formats, act_in, receipt
from signoff.core.intent.worklist import keys_of
from signoff.core.plan.task_types import Edits, Stage, TaskType
from signoff.core.policy.fields import clauses, compile_policy, why_relaxed
from tests.builders import ANN, OTTO, RITA, Story, gate, happened, person
from tests.core.asking import asking, refused, review, step

EMMA = person("emma", "approver")
LETS: dict[str, Any] = {"edits": Edits.APPROVE}


def edit(story: Story, outcome: str = "approved", **more: Any) -> c.Revise:
    return c.Revise("e" * 64, outcome=outcome, **{"digest": story.task.digest, **more})


def test_edited_approval_records_a_revision_and_an_answer() -> None:
    story = asking(**LETS)
    was = story.task.digest
    change = story.do(edit(story, comment="30 is enough"), ANN)
    assert happened(change) == ["Revised", "Answered", "Decided", "Completed"]
    revised, answered = (sealed.fact.event for sealed in change.facts[:2])
    assert isinstance(revised, Revised)
    assert isinstance(answered, Answered)
    assert (revised.approved, revised.revision, answered.revision) == (True, 2, 2)
    assert answered.edited
    assert answered.digest == revised.digest != was
    assert (story.intent.status, story.intent.payload_digest, story.intent.editors) == (
        Status.COMPLETED,
        "e" * 64,
        (),
    )
    assert [sealed.fact.note.comment for sealed in change.facts[:2] if sealed.fact.note] == [
        "30 is enough"
    ] * 2


def test_editor_counts_once_and_earlier_votes_are_void() -> None:
    story = asking(Stage(need=2), **LETS)
    story.do(c.Answer("approved"), OTTO)
    story.do(edit(story), ANN)
    assert [vote.person for vote in story.task.votes] == ["per_ann"]
    fact = act_in((sealed.fact for sealed in story.facts), "per_ann")
    assert fact is not None
    told = receipt(fact, story.intent, "ask", Formats(str, str))
    assert told.recorded == "Recorded, with your change as revision 2: approved."
    story.do(c.Answer("approved"), OTTO)
    assert story.intent.status is Status.COMPLETED


def test_proposed_revision_puts_its_editor_on_the_requesters_side() -> None:
    story = asking(**LETS)
    story.do(c.Revise("e" * 64, digest=story.task.digest), ANN)
    assert story.intent.editors == ("per_ann",)
    assert refused(story, c.Answer("approved"), ANN).code == "self_approval"
    assert refused(story, edit(story), ANN).code == "self_approval"


def test_edited_approval_is_refused_without_the_policy() -> None:
    story = asking()
    met = refused(story, edit(story), ANN)
    assert isinstance(met, Forbidden)
    assert (met.code, "Propose the change instead" in str(met.hint)) == ("edit_not_approvable", True)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"digest": None}, "digest_required"),
        ({"digest": "0" * 64}, "stale_revision"),
        ({"stage": 1}, "stale_stage"),
        ({"same_fields": False}, "edit_changes_fields"),
        ({"outcome": "rejected"}, "edit_not_approved"),
        ({"outcome": "perhaps"}, "outcome_not_allowed"),
    ],
)
def test_invalid_edits_are_refused(more: dict[str, Any], code: str) -> None:
    story = asking(**LETS)
    assert refused(story, edit(story, **more), ANN).code == code


def test_edit_with_a_request_for_changes_is_refused() -> None:
    story = review(**LETS)
    assert refused(story, edit(story, "changes_requested"), ANN).code == "edit_not_approved"


def test_edited_approval_requires_what_any_approval_requires() -> None:
    story = asking(**LETS, comment_required=True)
    assert refused(story, edit(story), ANN).code == "comment_required"
    story = asking(
        **LETS, type=TaskType.MANUAL_ACTION, outcomes=("completed", "failed"), evidence_required=True
    )
    assert refused(story, edit(story, "completed"), ANN).code == "evidence_required"
    story.do(edit(story, "completed", data={"evidence": "ticket 7"}), ANN)
    assert story.intent.status is Status.COMPLETED


def test_only_an_approver_may_edit_and_approve() -> None:
    story = asking(Stage(("per_ann",)), **LETS)
    assert refused(story, edit(story), OTTO).code == "not_an_approver"
    own = asking(by=person("ann", "approver"), **LETS)
    assert refused(own, edit(own), ANN).code == "self_approval"
    assert refused(asking(**LETS), c.Revise("e" * 64, outcome="approved"), RITA).code == "self_approval"


def test_edited_approval_at_a_later_stage_is_refused() -> None:
    story = asking(Stage(("per_ann",)), Stage(("per_otto",)), **LETS)
    story.do(c.Answer("approved"), ANN)
    assert refused(story, edit(story), OTTO).code == "edit_restarts"


def test_edit_without_a_change_is_refused() -> None:
    story = asking(**LETS)
    same = c.Revise(story.intent.payload_digest, outcome="approved", digest=story.task.digest)
    assert refused(story, same, ANN).code == "nothing_changed"


def test_edit_may_change_values_but_not_fields() -> None:
    assert same_fields({"amount": 1, "to": "a"}, {"amount": 2, "to": "b"})
    assert not same_fields({"amount": 1}, {"amount": "1"})
    assert not same_fields({"amount": 1}, {"amount": 1, "note": "x"})


# -- the policy


class Names:
    self_approval = False

    def approvers(self, names: Any) -> str:
        return ", ".join(names)

    def anyone(self) -> str:
        return "anyone"


def test_allowing_edited_approvals_is_a_relaxation() -> None:
    strict, lets = compile_policy({"approve": [{"any": ["team:sre"]}]}), compile_policy({"edits": "approve"})
    assert (strict.edits, lets.edits) == (Edits.PROPOSE, Edits.APPROVE)
    changed = compile_policy({"approve": [{"any": ["team:sre"]}], "edits": "approve"})
    assert why_relaxed(strict, changed) == [
        "approvers may change the request and approve the change in one step"
    ]
    assert why_relaxed(changed, strict) == []
    assert why_relaxed(changed, changed) == []
    told = [clause.text for clause in clauses(changed, Names()) if clause.about == "Changes"]
    assert told == [
        "approvers may also change values and approve the change in one step; the record says both"
    ]
    assert not [clause for clause in clauses(strict, Names()) if clause.about == "Changes"]


# -- what one task allows


def twice(second: Edits) -> Story:
    """Two tasks that ask the same people; the first lets them approve their own change."""
    return Story(gate(step(name="one", **LETS), step(name="two", edits=second)))


def test_editor_cannot_decide_a_later_task_whose_policy_forbids_it() -> None:
    story = twice(Edits.PROPOSE)
    story.do(edit(story), ANN)
    assert story.task.step == "two"
    assert refused(story, c.Answer("approved", digest=story.task.digest), ANN).code == "self_approval"
    assert ANN.id in requesters_side(story.intent)
    assert not any(key.startswith(f"for:{ANN.id}") for key in keys_of(story.intent))
    story.do(c.Answer("approved", digest=story.task.digest), OTTO)
    assert story.intent.status is Status.COMPLETED


def test_editor_may_decide_a_later_task_whose_policy_allows_it() -> None:
    story = twice(Edits.APPROVE)
    story.do(edit(story), ANN)
    assert ANN.id not in requesters_side(story.intent)
    story.do(c.Answer("approved", digest=story.task.digest), ANN)
    assert story.intent.status is Status.COMPLETED


def test_editor_stays_on_the_requesters_side_of_a_final_request() -> None:
    story = asking(**LETS)
    story.do(edit(story), ANN)
    assert ANN.id in requesters_side(story.intent)  # whoever tries it again
