"""Whatever changes in the directory while a task is open: only people count who were pinned when it opened, or assigned
on record by an admin who is not on the requester's side.
"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from signoff.core.directory.actors import AbsentPerson, Actor, ActorKind
from signoff.core.directory.roles import DECIDING
from signoff.core.errors import Refused
from signoff.core.intent import commands as c
from signoff.core.intent.answering_rights import _covers, answer_right, delegates, pinned_members
from signoff.core.intent.eligibility import AbsenceCover, Membership
from signoff.core.intent.model import Task
from signoff.core.intent.understaffed import missing_approvers
from signoff.core.plan.task_types import Ending, Escalation, Stage, TaskSpec
from tests.builders import ADA, AGENT, START, SYSTEM, WORKSPACE, Story, approve, gate, validate

PEOPLE = tuple(f"per_{name}" for name in "abcdef")
PARTIES = ("team:one", "team:two", "role:approver", "a@acme.example", "per_c")
LATER = START + timedelta(days=30)

one = st.sampled_from(PEOPLE)
called = st.frozensets(st.sampled_from((*PARTIES[:4], "role:member")), min_size=1, max_size=3)
towns = st.tuples(st.dictionaries(one, called, min_size=2), st.lists(st.tuples(one, one), max_size=4))
parties = st.lists(st.sampled_from(PARTIES), min_size=1, max_size=2, unique=True).map(tuple)


class Town:
    """A directory: people with their roles and teams, and delegates (everyone who has one is away)."""

    def __init__(self, made: Any) -> None:
        names, away = made
        self.called = {who: frozenset({*names, who}) for who, names in names.items()}
        self.away = [(absent, delegate) for absent, delegate in away if absent != delegate]
        self.membership = Membership(self.called, [AbsenceCover(*pair, LATER) for pair in self.away])

    def actor(self, who: str) -> Actor:
        held = self.called.get(who, frozenset())
        roles = frozenset(name.removeprefix("role:") for name in held if name.startswith("role:"))
        stead = tuple(
            AbsentPerson(absent, self.called.get(absent, frozenset()))
            for absent, delegate in self.away
            if delegate == who and roles & DECIDING
        )
        return Actor(
            ActorKind.PERSON, who, WORKSPACE, names=held, roles=roles, sponsors=(who,), delegate_for=stead
        )

    def meant(self, names: set[str]) -> set[str]:
        """The people whom the names refer to, and their possible delegates."""
        people = {who for who, held in self.called.items() if held & names}
        return people | {
            delegate
            for absent, delegate in self.away
            if absent in people and "role:approver" in self.called.get(delegate, ())
        }


def able(story: Story, town: Town) -> set[str]:
    """The people whose answers count now."""
    task = story.intent.open
    if not isinstance(task, Task):
        return set()
    return {who for who in town.called if answer_right(town.actor(who), story.intent, task)}


@settings(max_examples=150, deadline=None)
@given(
    asked=st.lists(parties, min_size=1, max_size=2),
    rung=parties,
    at_first=towns,
    at_opening=towns,
    later=st.lists(st.tuples(towns, st.none() | parties), min_size=1, max_size=5),
)
def test_eligible_people_were_pinned_or_reassigned_on_record(
    asked: list[tuple[str, ...]], rung: tuple[str, ...], at_first: Any, at_opening: Any, later: list[Any]
) -> None:
    names = {name for stage in asked for name in stage} | {*rung}
    first, opened = Town(at_first), Town(at_opening)
    spec = TaskSpec(
        stages=tuple(Stage(stage) for stage in asked),
        escalate=(Escalation(timedelta(hours=1), rung),),
        pinned_members=first.membership.members_of(names),
    )
    story = Story(gate(validate(), approve(task=spec, deadline=None)), by=AGENT, membership=first.membership)
    story.membership = opened.membership
    story.do(c.Report(result={}))
    allowed = opened.meant(names)
    assert able(story, opened) <= allowed
    for made, instead in later:
        town = Town(made)
        story.membership = town.membership
        task = story.intent.open
        if not isinstance(task, Task):
            assert story.intent.ending is Ending.UNDELIVERABLE
            return
        if instead:
            story.do(c.Reassign(instead), ADA)
            allowed |= town.meant(set(instead))
        assert able(story, town) <= allowed
        story.do(c.CheckStaffing(task.step_run), SYSTEM)
        task = story.intent.open
        if isinstance(task, Task):
            assert missing_approvers(story.intent, task, town.membership) is None
            assert able(story, town), "somebody who can decide is left"
            assert able(story, town) <= allowed


def test_requester_who_is_admin_adds_nobody_between_request_and_task() -> None:
    boss = Actor(ActorKind.PERSON, "per_f", WORKSPACE, roles=frozenset({"admin"}), sponsors=("per_f",))
    admin, member = {"role:admin"}, {"role:member"}
    cases: list[tuple[set[str], set[str] | None, set[str]]] = [
        (admin, admin, set()),
        (admin, member, set()),
        (admin, None, set()),
        (member, admin, set()),
        (member, member, {"per_b"}),
    ]
    for was, now, joined in cases:
        first = Town(({"per_a": {"team:one"}, "per_b": {"role:member"}, "per_f": was}, []))
        left = {"per_a": {"team:one"}, "per_b": {"team:one"}}
        then = Town((left if now is None else {**left, "per_f": now}, []))
        spec = TaskSpec(
            stages=(Stage(("team:one",)),), pinned_members=first.membership.members_of(("team:one",))
        )
        story = Story(gate(validate(), approve(task=spec)), by=boss, membership=first.membership)
        story.membership = then.membership
        story.do(c.Report(result={}))
        assert able(story, then) == {"per_a"} | joined


def test_admin_who_edited_adds_nobody_before_a_later_task() -> None:
    admin, member = {"role:admin", "team:one"}, {"role:member", "team:one"}
    for was, now, joined in ((admin, admin, set()), (admin, member, set()), (member, member, {"per_b"})):
        names = {"per_a": {"team:one"}, "per_b": {"role:member"}, "per_c": {"team:one"}}
        first = Town(({**names, "per_f": was}, []))
        then = Town(({**names, "per_b": {"team:one"}, "per_f": now}, []))
        spec = TaskSpec(
            stages=(Stage(("team:one",)),), pinned_members=first.membership.members_of(("team:one",))
        )
        steps = (replace(approve(task=spec), id="first"), replace(approve(task=spec), id="second"))
        story = Story(gate(*steps), by=AGENT, membership=first.membership)
        story.do(c.Revise("b" * 64), first.actor("per_f"))
        task = story.intent.open
        assert isinstance(task, Task)
        story.membership = then.membership
        story.do(c.Answer("approved", stage=0, revision=2, digest=task.digest), first.actor("per_a"))
        assert able(story, then) == {"per_a", "per_c"} | joined, (was, now)


def test_delegate_in_a_task_without_pinned_delegates_must_be_an_approver() -> None:
    names = {"per_a": {"team:one"}, "per_b": {"role:approver"}, "per_c": {"role:approver", "team:two"}}
    town = Town((names, [("per_a", "per_b"), ("per_a", "per_c")]))
    spec = TaskSpec(
        stages=(Stage(("team:one",)),),
        escalate=(Escalation(timedelta(hours=1), ("team:two",)),),
        pinned_members=town.membership.members_of(("team:one", "team:two")),
    )
    story = Story(
        gate(approve(task=spec)), by=AGENT
    )  # without what the directory says: as it was recorded then
    assert story.intent.delegates is None
    assert able(story, town) == {"per_a", "per_c"}


def test_delegate_for_an_unpinned_entry_must_be_an_approver_of_the_task() -> None:
    town = Town(({"per_a": {"team:one"}}, []))
    spec = TaskSpec(
        stages=(Stage(("team:one", "per_d")),),
        escalate=(Escalation(timedelta(hours=1), ("team:two",)),),
        pinned_members=town.membership.members_of(("team:one",)),
    )
    story = Story(gate(approve(task=spec)), by=AGENT)
    assert "team:two" not in pinned_members(story.intent, story.task)
    for delegate, covers in (("per_d", True), ("per_a", True), ("per_e", False)):
        assert _covers(delegate, "per_b", story.intent, story.task) is covers


def test_delegates_of_the_task_override_those_of_the_request() -> None:
    story = Story(gate(approve()))
    intent = replace(story.intent, delegates={"per_a": ("per_b",)})
    for of_task, asked, held in (
        (None, {}, {"per_a": ("per_b",)}),
        ({}, {}, {}),
        ({"per_a": ("per_c",)}, {}, {"per_a": ("per_c",)}),
        ({"per_a": ("per_c",)}, {"per_a": ("per_d", "per_c")}, {"per_a": ("per_c", "per_d")}),
    ):
        task = replace(story.task, delegates=of_task, asked_delegates=asked)
        assert delegates(intent, task) == held


def test_staffing_check_is_a_system_command_about_the_open_task() -> None:
    town = Town(({"per_otto": {"role:approver"}}, []))
    story = Story(gate(approve()), membership=town.membership)
    with pytest.raises(Refused) as refusal:
        story.do(c.CheckStaffing(1), ADA)
    assert refusal.value.code == "system_only"
    assert not story.do(c.CheckStaffing(7), SYSTEM).facts
    story.membership = Membership({})
    story.do(c.CheckStaffing(1), SYSTEM)
    assert story.intent.ending is Ending.UNDELIVERABLE
