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


def test_a_stage_lacks_people_when_fewer_are_left_than_it_takes() -> None:
    story = team(ANN_OR_EMMA, ann="", emma="")
    assert lack(story) is None
    story.membership = people(ann="")
    assert lack(story) == MissingApprovers(0, 2, 1)


def test_a_person_to_whom_two_have_delegated_is_one_person() -> None:
    story = team(ANN_OR_EMMA, ann="", emma="", otto="role:approver")
    story.do(c.Delegate("per_otto"), ANN)
    assert lack(story) is None
    emma = replace(ANN, id="per_emma", names=frozenset({"per_emma"}), sponsors=("per_emma",))
    story.do(c.Delegate("per_otto"), emma)
    assert lack(story) == MissingApprovers(0, 2, 1)


def test_whether_a_stage_is_short_costs_what_it_takes_and_not_how_many_it_asks() -> None:
    def cost(count: int) -> int:
        story = team(
            Stage(("team:dba", "team:ops"), every=True),
            Stage(("team:dba",), need=3),
            **{f"p{number}": "role:approver team:dba team:ops" for number in range(count)},
        )
        assert lack(story) is None
        return calls(lambda: lack(story))

    assert cost(600) == cost(60)


def test_people_of_whom_each_could_take_two_entries_take_one_each() -> None:
    both = Stage(("team:dba", "team:ops"), every=True)
    one = team(both, ann="team:dba team:ops")
    assert lack(one) == MissingApprovers(0, 2, 1)
    # Two of the same entry, and one who alone is in both.
    assert lack(team(both, ann="team:dba team:ops", bob="team:dba", cid="team:dba")) is None
    assert lack(team(both, ann="team:dba", bob="team:dba", cid="team:dba")) == MissingApprovers(0, 2, 3)


def test_nobody_on_the_requesters_side_is_left() -> None:
    names = {"rita": "role:approver", "ann": "role:approver"}
    story = team(Stage(need=2), **names)
    assert lack(story) == MissingApprovers(0, 2, 1), "Rita made the key that asked"
    allowed = asking(Stage(need=2), self_approval=True, membership=people(**names))
    assert lack(allowed) is None


def test_a_later_stage_counts_everybody_whom_its_ladder_can_reach() -> None:
    rung = (Escalation(HOUR, ("per_otto",)),)
    staged = asking(
        Stage(("per_ann",)), Stage(("per_emma",)), escalate=rung, membership=people(ann="", otto="")
    )
    assert lack(staged) is None, "the ladder can reach Otto for the second stage"
    without = asking(Stage(("per_ann",)), Stage(("per_emma",)), membership=people(ann="", otto=""))
    assert lack(without) == MissingApprovers(1, 1, 0)
    assert happened(without.do(c.CheckStaffing(1), SYSTEM)) == ["Understaffed", "Decided", "Failed"]


def test_of_the_open_stage_only_whom_the_ladder_has_reached_counts() -> None:
    rung = (Escalation(HOUR, ("per_otto",)),)
    story = asking(Stage(("per_ann",)), escalate=rung, membership=people(ann="", otto=""))
    story.membership = people(otto="")
    assert lack(story) == MissingApprovers(0, 1, 0)
    assert happened(story.do(c.CheckStaffing(1), SYSTEM)) == ["Understaffed", "Escalated"]
    assert lack(story) is None
    story.do(c.Answer("approved"), OTTO)
    assert story.intent.ending is Ending.APPROVED


def test_at_the_end_of_the_ladder_the_task_is_undeliverable() -> None:
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


def test_a_say_that_was_handed_over_counts_while_its_taker_may_decide() -> None:
    names = {"ann": "", "emma": "", "otto": "role:approver"}
    story = team(ANN_OR_EMMA, **names)
    story.do(c.Delegate("per_otto"), ANN)
    assert lack(story) is None
    story.membership = people(**names | {"otto": "role:member"})
    assert lack(story) == MissingApprovers(0, 2, 1)
    story.membership = people(emma="", otto="role:approver")
    assert lack(story) == MissingApprovers(0, 2, 1), "who handed it over is not there any more"


def test_a_taker_who_is_asked_anyway_is_one_person_and_not_two() -> None:
    story = team(Stage(("per_ann", "per_otto"), need=2), ann="", otto="role:approver")
    story.do(c.Delegate("per_otto"), ANN)
    assert lack(story) == MissingApprovers(0, 2, 1)


def test_a_yes_that_was_given_counts_while_its_person_is_still_asked() -> None:
    stage = Stage(("team:dba", "per_emma"), need=2)
    ann = replace(ANN, names=ANN.names | {"team:dba"})
    story = team(stage, ann="team:dba", emma="", sue="team:dba")
    story.do(c.Answer("approved"), ann)
    story.membership = people(ann="team:dba", emma="")
    assert lack(story) is None
    story.membership = people(ann="", emma="")
    assert lack(story) == MissingApprovers(0, 2, 1)


def test_a_yes_in_somebodys_stead_keeps_their_seat() -> None:
    names = {"ann": "", "emma": "", "otto": "role:approver"}
    story = asking(ANN_OR_EMMA, membership=people({"ann": "otto"}, **names))
    story.do(
        c.Answer("approved"), replace(OTTO, delegate_for=(AbsentPerson("per_ann", frozenset({"per_ann"})),))
    )
    assert lack(story) is None


def test_an_admin_who_asks_does_not_move_the_ladder_by_taking_others_away() -> None:
    rung = (Escalation(HOUR, ("per_otto",)),)
    names = {"ann": "", "otto": "", "ada": "role:admin"}
    story = asking(Stage(("per_ann",)), by=ADA, escalate=rung, membership=people(**names))
    story.membership = people(otto="", ada="role:admin")
    assert story.do(c.CheckStaffing(1), SYSTEM).facts == []
    assert happened(story.tick(HOUR)) == ["Escalated"], "the rung is reached at its time"


def test_without_news_of_the_directory_nothing_moves() -> None:
    story = asking(Stage(("per_ann",)))
    assert story.do(c.CheckStaffing(1), SYSTEM).facts == []


# -- who is meant, and pinned


def test_a_directory_remembers_what_it_was_asked_and_answers_the_same_after_forgetting() -> None:
    now = people(ann="team:dba")
    first = now.members_of(("team:dba", "team:none"))
    assert first == {"team:dba": ("per_ann",), "team:none": ()}
    assert now.members_of(["team:none", "team:dba", "team:dba"]) is first
    for number in range(300):
        now.members_of((f"team:{number}",))
    assert now.members_of(("team:dba", "team:none")) == first


def test_only_who_may_decide_stands_in_and_only_while_the_absence_lasts() -> None:
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


def test_everybody_whom_a_task_may_ever_ask_is_named() -> None:
    spec = TaskSpec(stages=(Stage(("per_ann",)), Stage()), escalate=(Escalation(HOUR, ("team:x",)),))
    assert named(spec) == {"per_ann", "role:owner", "role:admin", "role:approver", "team:x"}


def test_what_is_pinned_at_the_opening_is_how_it_differs_from_the_request() -> None:
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


def test_where_who_asks_runs_the_workspace_nobody_who_came_later_counts() -> None:
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


def test_a_stand_in_or_an_absent_person_who_is_not_there_is_nobody() -> None:
    covers = [AbsenceCover("per_ann", "per_gone", FAR), AbsenceCover("per_gone", "per_otto", FAR)]
    now = Membership({"per_ann": frozenset({"x"}), "per_otto": frozenset({"role:approver"})}, covers)
    assert now.delegates(("x", "per_gone"), START) == {}


def test_who_stood_in_for_nobody_known_at_the_request_does_not_where_its_side_runs_the_workspace() -> None:
    spec = TaskSpec(stages=(Stage(("team:dba",)),), pinned_members={"team:dba": ("per_ann",)})
    now = people({"ann": "otto"}, ann="team:dba", otto="role:approver", rita="role:admin")
    found = pin(replace(Story().intent, delegates={"per_bob": ("per_otto",)}), spec, now, START)
    assert found.delegates == {}


def test_a_request_keeps_whether_its_workspace_let_its_side_decide() -> None:
    assert asking(membership=Membership({}, self_approval=True)).intent.self_approval is True
    assert asking(membership=Membership({})).intent.self_approval is False


def test_a_request_keeps_what_holds_for_new_ones_when_it_is_made() -> None:
    ended = Membership({}, self_approval=True, new_self_approval=False)
    assert asking(membership=ended).intent.self_approval is False
