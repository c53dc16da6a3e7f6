"""Random policies, people, handovers and votes: every decision was valid. The oracle does not use ``quorum`` or
``answer_right``; it counts from the facts on its own.
"""

import itertools
from datetime import timedelta
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from signoff.core.errors import Invalid, Refused
from signoff.core.intent import events as e
from signoff.core.intent.model import spec_of
from signoff.core.plan.task_types import Ending, Escalation, Meaning, Stage, TaskSpec
from signoff.engine.directory.snapshot import Snapshot
from tests.engine.approval_env import PEOPLE, ApprovalEnv

PARTIES = ("team:one", "team:two", "team:one", "role:owner", *PEOPLE[:2])
one = st.sampled_from(PEOPLE)
parties = st.lists(st.sampled_from(PARTIES), min_size=1, max_size=3, unique=True).map(tuple)
stages = st.one_of(
    st.builds(Stage, parties, st.sampled_from([1, 2, 2, 3]), st.sampled_from([1, 1, 2])),
    st.builds(Stage, parties, every=st.just(True)),
)
members = st.lists(one, min_size=2, max_size=4, unique=True).map(tuple)
group = st.sampled_from(["one", "two"])
# Mostly somebody who may answer then (counted among those), so that most examples come to a decision.
someone = st.one_of(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), one)
vote = st.tuples(st.just("vote"), someone, st.sampled_from(["approved"] * 7 + ["rejected"]))
ops = st.one_of(
    *[vote] * 8,
    st.tuples(st.just("delegate"), someone, one),
    st.tuples(st.just("away"), one, one),
    st.tuples(st.just("away"), someone, one),
    st.tuples(st.just("leave"), someone, group),
    st.tuples(st.just("join"), one, group),
    st.tuples(st.just("end"), one),
    st.tuples(st.just("revise"), someone),
    st.tuples(st.just("escalate")),
    st.tuples(st.just("reassign"), parties),
)


class Judge:
    """Counts from the facts alone by which votes each stage was passed."""

    def __init__(self, spec: TaskSpec, side: set[str]) -> None:
        self.spec = spec
        self.barred = set(side)
        self.begin(0)

    def begin(self, stage: int, assigned: tuple[str, ...] = ()) -> None:
        self.stage, self.assigned, self.escalated = stage, assigned, 0
        if not assigned:  # those asked instead were asked for the stage that is over, and so was who they are
            self.pinned_members = dict(self.spec.pinned_members)
        self.votes: dict[str, e.Fact] = {}

    @property
    def asked(self) -> Stage:
        stage = self.spec.stages[self.stage]
        return Stage(self.assigned, stage.need, stage.reject_after, stage.every) if self.assigned else stage

    def hear(self, fact: e.Fact, directory: Snapshot) -> None:
        match fact.event:
            case e.Answered() as event:
                self.answered(fact, event)
            case e.Escalated(level=level):
                self.escalated = level
            case e.Reassigned() as event:
                self.assigned, self.pinned_members = (
                    event.to,
                    {**self.spec.pinned_members, **event.pinned_members},
                )
            case e.Revised():
                self.barred.add(fact.actor.id)
                self.begin(0, self.assigned if self.stage == 0 else ())
            case e.StagePassed() as event:
                passed_rightly(self.asked, self.votes, directory, self.spec.escalate[: self.escalated])
                self.begin(event.stage)
            case e.Decided(ending=Ending.APPROVED):
                assert self.stage == len(self.spec.stages) - 1
                passed_rightly(self.asked, self.votes, directory, self.spec.escalate[: self.escalated])

    def answered(self, fact: e.Fact, event: e.Answered) -> None:
        seat = event.principal or fact.actor.id
        assert not self.barred & {fact.actor.id, seat}
        rungs = self.spec.escalate[: self.escalated]
        assert event.for_names <= {*self.asked.approvers, *(name for rung in rungs for name in rung.to)}
        assert all(seat in self.pinned_members.get(name, PEOPLE) for name in event.for_names)
        self.votes.pop(fact.actor.id, None)
        self.votes[fact.actor.id] = fact


def passed_rightly(
    stage: Stage, votes: dict[str, e.Fact], directory: Snapshot, rungs: tuple[Escalation, ...]
) -> None:
    added = {name for rung in rungs for name in rung.to} - set(stage.approvers)
    seats: dict[str, tuple[str, frozenset[str]]] = {}
    for who, fact in votes.items():
        event = fact.event
        assert isinstance(event, e.Answered)
        seat = event.principal or who
        for_it = {
            n
            for n in event.for_names
            if n in directory.active_people.get(seat, ()) and who in directory.active_people
        }
        if for_it and event.meaning is Meaning.APPROVES:
            seats[seat] = (who, event.for_names)
        elif for_it:
            seats.pop(seat, None)
    voters = [who for who, _ in seats.values()]
    assert len(set(voters)) == len(voters), "one person, one vote"
    if not stage.every:
        assert len(voters) == stage.need
        return
    places = itertools.permutations([names for _, names in seats.values()], len(stage.approvers))
    assert any(
        all(party in names or names & added for party, names in zip(stage.approvers, row, strict=True))
        for row in places
    ), "a person of its own for every party"


@settings(max_examples=1000, deadline=None)
@given(
    asked=st.lists(stages, min_size=1, max_size=2).map(tuple),
    teams=st.tuples(members, members),
    owners=st.lists(one, max_size=2, unique=True).map(tuple),
    side=st.lists(one, max_size=1).map(tuple),
    rung=st.none() | parties,
    acts=st.lists(ops, min_size=8, max_size=40),
)
def test_approvals_come_from_enough_eligible_people(
    asked: tuple[Stage, ...], teams: Any, owners: Any, side: Any, rung: Any, acts: list[Any]
) -> None:
    approval_env = ApprovalEnv({"one": teams[0], "two": teams[1]}, owners)
    escalate = (Escalation(timedelta(minutes=30), rung),) if rung else ()
    try:
        approval_env.submit(TaskSpec(stages=asked, escalate=escalate), side)
    except Invalid as refusal:
        note(refusal.code)  # nobody could decide it, so it was never asked
        return
    spec = spec_of(approval_env.intent, approval_env.task) if approval_env.intent else TaskSpec()
    for number, op in enumerate(acts, 1):
        try:
            approval_env.do(op, number)
        except Refused:
            continue
    judge = Judge(spec, set(side))
    for fact, directory in approval_env.facts:
        judge.hear(fact, directory)


def test_approval_is_reachable_and_a_vote_of_a_former_member_does_not_count() -> None:
    approval_env = ApprovalEnv({"one": PEOPLE[:3], "two": PEOPLE[3:]}, ())
    approval_env.submit(TaskSpec(stages=(Stage(("team:one",), 2),)), ())
    approval_env.do(("vote", "per_a", "approved"), 1)
    approval_env.do(("leave", "per_a", "one"), 2)
    approval_env.do(("vote", "per_b", "approved"), 3)
    assert approval_env.task.votes
    approval_env.do(("vote", "per_c", "approved"), 4)
    assert approval_env.intent is not None
    assert approval_env.intent.ending is Ending.APPROVED


def test_absent_person_and_delegate_share_one_seat() -> None:
    approval_env = ApprovalEnv({"one": PEOPLE[:2], "two": PEOPLE[3:]}, ())
    approval_env.away("per_a", "per_e")
    approval_env.submit(TaskSpec(stages=(Stage(("team:one",), 2),)), ())
    approval_env.do(("vote", "per_e", "approved"), 2)
    approval_env.do(("vote", "per_a", "approved"), 3)
    assert len(approval_env.task.votes) == 2
    approval_env.do(("vote", "per_b", "approved"), 4)
    assert approval_env.intent is not None
    assert approval_env.intent.ending is Ending.APPROVED
