"""Whether an open task still has enough eligible people; if not, it moves on at once."""

from datetime import timedelta

from msgspec.structs import replace

from signoff.core.directory.actors import AbsentPerson
from signoff.core.intent import commands as c
from signoff.core.intent.eligibility import AbsenceCover, Membership, named, pin
from signoff.core.intent.understaffed import MissingApprovers, missing_approvers
from signoff.core.plan.task_types import Ending, Escalation, Stage, TaskSpec
from tests.builders import ADA, ANN, OTTO, START, SYSTEM, Story, happened
from tests.core.asking import FAR, asking, people
from tests.work import calls

HOUR = timedelta(hours=1)
ANN_OR_EMMA = Stage(("per_ann", "per_emma"), need=2)


def lack(story: Story) -> MissingApprovers | None:
    assert story.membership is not None
    return missing_approvers(story.intent, story.task, story.membership)


def team(*stages: Stage, **names: str) -> Story:
    return asking(*stages, membership=people(**names))


def test_stage_is_understaffed_if_fewer_people_remain_than_it_needs() -> None:
    story = team(ANN_OR_EMMA, ann="", emma="")
    assert lack(story) is None
    story.membership = people(ann="")
    assert lack(story) == MissingApprovers(0, 2, 1)


def test_delegate_of_two_people_counts_as_one_person() -> None:
    story = team(ANN_OR_EMMA, ann="", emma="", otto="role:approver")
    story.do(c.Delegate("per_otto"), ANN)
    assert lack(story) is None
    emma = replace(ANN, id="per_emma", names=frozenset({"per_emma"}), sponsors=("per_emma",))
    story.do(c.Delegate("per_otto"), emma)
    assert lack(story) == MissingApprovers(0, 2, 1)


def test_understaffing_check_cost_does_not_grow_with_the_team() -> None:
    def cost(count: int) -> int:
        story = team(
            Stage(("team:dba", "team:ops"), every=True),
            Stage(("team:dba",), need=3),
            **{f"p{number}": "role:approver team:dba team:ops" for number in range(count)},
        )
        assert lack(story) is None
        return calls(lambda: lack(story))

    assert cost(600) == cost(60)


def test_people_with_two_entries_are_counted_for_one_each() -> None:
    both = Stage(("team:dba", "team:ops"), every=True)
    one = team(both, ann="team:dba team:ops")
    assert lack(one) == MissingApprovers(0, 2, 1)
    # Two of the same entry, and one who alone is in both.
    assert lack(team(both, ann="team:dba team:ops", bob="team:dba", cid="team:dba")) is None
    assert lack(team(both, ann="team:dba", bob="team:dba", cid="team:dba")) == MissingApprovers(0, 2, 3)


def test_requesters_side_does_not_count_as_staff() -> None:
    names = {"rita": "role:approver", "ann": "role:approver"}
    story = team(Stage(need=2), **names)
    assert lack(story) == MissingApprovers(0, 2, 1), "Rita made the key that asked"
    allowed = asking(Stage(need=2), self_approval=True, membership=people(**names))
    assert lack(allowed) is None


def test_later_stage_counts_everybody_whom_escalation_can_reach() -> None:
    rung = (Escalation(HOUR, ("per_otto",)),)
    staged = asking(
        Stage(("per_ann",)), Stage(("per_emma",)), escalate=rung, membership=people(ann="", otto="")
    )
    assert lack(staged) is None, "the ladder can reach Otto for the second stage"
    without = asking(Stage(("per_ann",)), Stage(("per_emma",)), membership=people(ann="", otto=""))
    assert lack(without) == MissingApprovers(1, 1, 0)
    assert happened(without.do(c.CheckStaffing(1), SYSTEM)) == ["Understaffed", "Decided", "Failed"]


def test_open_stage_counts_only_people_whom_escalation_has_reached() -> None:
    rung = (Escalation(HOUR, ("per_otto",)),)
    story = asking(Stage(("per_ann",)), escalate=rung, membership=people(ann="", otto=""))
    story.membership = people(otto="")
    assert lack(story) == MissingApprovers(0, 1, 0)
    assert happened(story.do(c.CheckStaffing(1), SYSTEM)) == ["Understaffed", "Escalated"]
    assert lack(story) is None
    story.do(c.Answer("approved"), OTTO)
    assert story.intent.ending is Ending.APPROVED


def test_understaffed_task_after_the_last_escalation_is_undeliverable() -> None:
    story = team(Stage(("per_ann",)), ann="")
    story.membership = people(otto="")
    change = story.do(c.CheckStaffing(1), SYSTEM)
    assert happened(change) == ["Understaffed", "Decided", "Failed"]
    assert story.intent.ending is Ending.UNDELIVERABLE
    told = [
        notification
        for notification in change.notifications
        if notification.to == ("role:owner", "role:admin")
    ]
    assert ["nobody is left" in notification.text for notification in told] == [True]


def test_delegated_vote_counts_while_the_delegate_is_eligible() -> None:
    names = {"ann": "", "emma": "", "otto": "role:approver"}
    story = team(ANN_OR_EMMA, **names)
    story.do(c.Delegate("per_otto"), ANN)
    assert lack(story) is None
    story.membership = people(**names | {"otto": "role:member"})
    assert lack(story) == MissingApprovers(0, 2, 1)
    story.membership = people(emma="", otto="role:approver")
    assert lack(story) == MissingApprovers(0, 2, 1), "who handed it over is not there any more"


def test_delegate_who_is_also_an_approver_counts_once() -> None:
    story = team(Stage(("per_ann", "per_otto"), need=2), ann="", otto="role:approver")
    story.do(c.Delegate("per_otto"), ANN)
    assert lack(story) == MissingApprovers(0, 2, 1)


def test_given_approval_counts_while_its_person_is_an_approver() -> None:
    stage = Stage(("team:dba", "per_emma"), need=2)
    ann = replace(ANN, names=ANN.names | {"team:dba"})
    story = team(stage, ann="team:dba", emma="", sue="team:dba")
    story.do(c.Answer("approved"), ann)
    story.membership = people(ann="team:dba", emma="")
    assert lack(story) is None
    story.membership = people(ann="", emma="")
    assert lack(story) == MissingApprovers(0, 2, 1)


def test_approval_by_a_delegate_keeps_the_seat() -> None:
    names = {"ann": "", "emma": "", "otto": "role:approver"}
    story = asking(ANN_OR_EMMA, membership=people({"ann": "otto"}, **names))
    story.do(
        c.Answer("approved"), replace(OTTO, delegate_for=(AbsentPerson("per_ann", frozenset({"per_ann"})),))
    )
    assert lack(story) is None


def test_requesting_admin_cannot_advance_escalation_by_removing_approvers() -> None:
    rung = (Escalation(HOUR, ("per_otto",)),)
    names = {"ann": "", "otto": "", "ada": "role:admin"}
    story = asking(Stage(("per_ann",)), by=ADA, escalate=rung, membership=people(**names))
    story.membership = people(otto="", ada="role:admin")
    assert story.do(c.CheckStaffing(1), SYSTEM).facts == []
    assert happened(story.tick(HOUR)) == ["Escalated"], "the rung is reached at its time"


def test_staffing_check_does_nothing_if_the_directory_is_unknown() -> None:
    story = asking(Stage(("per_ann",)))
    assert story.do(c.CheckStaffing(1), SYSTEM).facts == []


# -- who is meant, and pinned


def test_membership_cache_returns_the_same_after_it_is_cleared() -> None:
    now = people(ann="team:dba")
    first = now.members_of(("team:dba", "team:none"))
    assert first == {"team:dba": ("per_ann",), "team:none": ()}
    assert now.members_of(["team:none", "team:dba", "team:dba"]) is first
    for number in range(300):
        now.members_of((f"team:{number}",))
    assert now.members_of(("team:dba", "team:none")) == first


def test_only_an_eligible_delegate_counts_and_only_during_the_absence() -> None:
    held = {
        "per_ann": frozenset({"team:dba"}),
        "per_otto": frozenset({"role:approver"}),
        "per_sue": frozenset({"x"}),
    }
    covers = [
        AbsenceCover("per_ann", "per_otto", FAR),
        AbsenceCover("per_ann", "per_sue", FAR),
        AbsenceCover("per_otto", "per_ann", FAR),
    ]
    now = Membership(held, covers)
    assert now.delegates(("team:dba",), START) == {"per_ann": ("per_otto",)}
    assert now.delegates(("team:sec",), START) == {}
    assert now.delegates(("team:dba",), FAR) == {}
    assert Membership(held).delegates(("team:dba",), START) == {}


def test_everybody_whom_a_task_may_ask_is_listed() -> None:
    spec = TaskSpec(stages=(Stage(("per_ann",)), Stage()), escalate=(Escalation(HOUR, ("team:x",)),))
    assert named(spec) == {"per_ann", "role:owner", "role:admin", "role:approver", "team:x"}


def test_members_pinned_at_the_opening_are_the_difference_to_the_request() -> None:
    spec = TaskSpec(
        stages=(Stage(("team:dba", "team:sec")),), pinned_members={"team:dba": ("per_ann", "per_bob")}
    )
    intent = Story().intent
    now = people({"ann": "otto"}, ann="team:dba", sue="team:dba", otto="role:approver")
    found = pin(intent, spec, now, START)
    assert found.joined == {"team:dba": ("per_sue",), "team:sec": ()}
    assert found.left == {"team:dba": ("per_bob",)}
    assert found.delegates == {"per_ann": ("per_otto",)}
    same = pin(replace(intent, delegates={"per_ann": ("per_otto",)}), spec, now, START)
    assert same.delegates is None


def test_later_members_do_not_count_if_the_requester_is_an_admin() -> None:
    spec = TaskSpec(stages=(Stage(("team:dba",)),), pinned_members={"team:dba": ("per_ann",)})
    intent = replace(Story().intent, delegates={"per_ann": ("per_sue",), "per_bob": ("per_x",)})
    held = {"ann": "team:dba", "new": "team:dba", "sue": "role:approver", "otto": "role:approver"}
    covers = {"ann": "otto"}
    admin = pin(intent, spec, people(covers, **held, rita="role:admin"), START)
    assert (admin.joined, admin.left, admin.delegates) == ({}, {}, {})
    member = pin(intent, spec, people(covers, **held, rita="role:member"), START)
    assert member.joined == {"team:dba": ("per_new",)}
    assert member.delegates == {"per_ann": ("per_otto",)}
    both = replace(intent, delegates={"per_ann": ("per_otto", "per_sue")})
    kept = pin(both, spec, people(covers, **held, rita="role:owner"), START)
    assert kept.delegates == {"per_ann": ("per_otto",)}


def test_unknown_delegate_or_absent_person_is_ignored() -> None:
    covers = [AbsenceCover("per_ann", "per_gone", FAR), AbsenceCover("per_gone", "per_otto", FAR)]
    now = Membership({"per_ann": frozenset({"x"}), "per_otto": frozenset({"role:approver"})}, covers)
    assert now.delegates(("x", "per_gone"), START) == {}


def test_delegate_of_an_unknown_person_is_dropped_if_the_requester_is_an_admin() -> None:
    spec = TaskSpec(stages=(Stage(("team:dba",)),), pinned_members={"team:dba": ("per_ann",)})
    now = people({"ann": "otto"}, ann="team:dba", otto="role:approver", rita="role:admin")
    found = pin(replace(Story().intent, delegates={"per_bob": ("per_otto",)}), spec, now, START)
    assert found.delegates == {}


def test_request_keeps_the_self_approval_setting_of_its_workspace() -> None:
    assert asking(membership=Membership({}, self_approval=True)).intent.self_approval is True
    assert asking(membership=Membership({})).intent.self_approval is False


def test_request_keeps_the_settings_of_its_creation() -> None:
    ended = Membership({}, self_approval=True, new_self_approval=False)
    assert asking(membership=ended).intent.self_approval is False
