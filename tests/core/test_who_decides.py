"""Who may decide cannot be moved under an open task: held against random companies by a judge of its own.

The judge is told what the directory held at each moment and what was asked for; it works out from the documents' words
who could decide, and asks the rules nothing. A decision that it cannot account for is a hole in them.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any, Final

import msgspec
import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import AbsentPerson, Actor, ActorKind
from signoff.core.errors import Refused
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent.advance import advance
from signoff.core.intent.answer_target import target_of
from signoff.core.intent.eligibility import AbsenceCover, Membership
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Task
from signoff.core.plan.plan import AgentStep, HumanStep, Plan, check_plan
from signoff.core.plan.task_types import Escalation, Stage, TaskSpec, TaskType
from tests.builders import AGENT, SYSTEM, VALIDATOR, WORKSPACE, Story, minutes

SALT: Final = b"0123456789abcdef"
NAMES: Final = ("ann", "bob", "cid", "dan", "eve", "fay")
IDS: Final = tuple(f"per_{name}" for name in NAMES)
TEAMS: Final = ("team:a", "team:b")
ROLES: Final = ("role:approver", "role:admin", "role:member")
DECIDERS: Final = frozenset({"role:approver", "role:admin", "role:owner"})
PARTIES: Final = (*TEAMS, "role:approver", "role:admin", *IDS)
FOREVER: Final = timedelta(days=9)
Called = dict[str, frozenset[str]]
Pinned = dict[str, frozenset[str]]
"""Who was meant by each name."""


class Absent(msgspec.Struct, frozen=True):
    delegate: str
    start: datetime
    end: datetime


class Company:
    """People who join, leave, are promoted and go on leave."""

    def __init__(self, chance: random.Random, at: datetime) -> None:
        self.chance = chance
        self.active = set(IDS)
        self.teams = {team: set(chance.sample(IDS, 3)) for team in TEAMS}
        self.roles = {one: {chance.choice(ROLES)} for one in IDS}
        self.roles[IDS[0]] = {"role:admin"}
        self.away: dict[str, Absent] = {}
        for _ in range(3):
            self.moves(at)

    def moves(self, at: datetime) -> None:
        one, team = self.chance.choice(IDS), self.chance.choice(TEAMS)
        match self.chance.randrange(6):
            case 0 | 1:
                self.teams[team] ^= {one}
            case 2:
                self.roles[one] ^= {self.chance.choice(ROLES)}
            case 3:
                self.active ^= {one}
            case 4 | 5:
                start = at + self.chance.choice((-1, 0, 1)) * minutes(10)
                self.away[one] = Absent(
                    self.chance.choice(IDS), start, start + self.chance.choice((1, 9)) * minutes(20)
                )
                if self.away[one].delegate == one:
                    del self.away[one]

    @property
    def called(self) -> Called:
        """Each active person's current roles and teams."""
        return {
            one: frozenset(
                {one, *self.roles[one], *(t for t, members in self.teams.items() if one in members)}
            )
            for one in sorted(self.active)
        }

    @property
    def membership(self) -> Membership:
        called = self.called
        covers = (AbsenceCover(one, a.delegate, a.end) for one, a in self.away.items() if one in called)
        return Membership(called, covers)

    def meant(self) -> Pinned:
        called = self.called
        return {
            name: frozenset(one for one in called if name in called[one]) for name in (*PARTIES, "role:owner")
        }

    def covering(self, at: datetime) -> Pinned:
        """The eligible delegates of each person whose absence has not ended."""
        called = self.called
        found: dict[str, frozenset[str]] = {}
        for one, away in self.away.items():
            if one in called and away.end > at and called.get(away.delegate, frozenset()) & DECIDERS:
                found[one] = frozenset({away.delegate})
        return found

    def actor(self, one: str, at: datetime, maker: str = "") -> Actor | None:
        """The person, by their own sign-in or by a key that ``maker`` created."""
        called = self.called
        if one not in called:
            return None
        absent = [
            AbsentPerson(giver, called[giver])
            for giver, away in self.away.items()
            if away.delegate == one and giver in called and away.start <= at < away.end
        ]
        roles = frozenset(role.removeprefix("role:") for role in self.roles[one])
        return Actor(
            ActorKind.PERSON,
            one,
            WORKSPACE,
            names=called[one],
            roles=roles,
            sponsors=(one, maker) if maker and maker != one else (one,),
            delegate_for=tuple(absent) if called[one] & DECIDERS else (),
        )


class Vote(msgspec.Struct, frozen=True):
    """An approval or rejection that was counted, as the judge saw it. ``seats``: the people for whom it could count."""

    who: str
    keys: frozenset[str]
    yes: bool
    seats: frozenset[str]


class Judge:
    """Knows each person's roles and teams when the task opened, and what was done to the task since."""

    def __init__(self, company: Company, spec: TaskSpec, side: set[str], at: datetime) -> None:
        self.company = company
        self.spec = spec
        self.side = side
        self.submitted, self.covered = company.meant(), company.covering(at)
        self.step_run = 0

    def opens(self, task: Task, at: datetime) -> None:
        if self.step_run:
            return
        self.step_run = task.step_run
        self.meant, self.covers = self.company.meant(), self.company.covering(at)
        called = self.company.called
        if any(
            "role:admin" in called.get(one, ()) for one in self.side
        ):  # they could have chosen who came since
            self.meant = {name: people & self.submitted[name] for name, people in self.meant.items()}
            self.covers = {one: who & self.covered.get(one, frozenset()) for one, who in self.covers.items()}
        self.stage_begins(0)

    def stage_begins(self, number: int) -> None:
        self.stage, self.votes = number, dict[str, Vote]()
        self.asked = self.spec.stages[number].approvers or tuple(sorted(DECIDERS))
        self.instead: Pinned = {}
        self.instead_covers: Pinned = {}
        self.rungs = 0
        self.handed: dict[str, str] = {}

    def revised(self, by: Actor) -> None:
        """The first stage starts again; if it was the current one, those asked then stay asked."""
        self.side |= set(by.sponsors)
        asked, instead, covers, handed = self.asked, self.instead, self.instead_covers, self.handed
        first = self.stage == 0
        self.stage_begins(0)
        if first:
            self.asked, self.instead, self.instead_covers, self.handed = asked, instead, covers, handed

    def reassigned(self, to: tuple[str, ...], at: datetime) -> None:
        now = self.company.meant()
        self.asked, self.instead = to, {name: now[name] for name in to}
        self.instead_covers, self.handed = self.company.covering(at), {}

    def asked_names(self) -> tuple[str, ...]:
        return (*self.asked, *(name for rung in self.spec.escalate[: self.rungs] for name in rung.to))

    def has_own(self, one: str) -> bool:
        """Whether the person was asked when the task opened, and still has that role or team."""
        called = self.company.called.get(one, frozenset())
        pinned = self.meant | self.instead
        return any(name in called and one in pinned[name] for name in self.asked_names())

    def seats(self, one: str, at: datetime) -> frozenset[str]:
        """The people for whom this person could answer now: themselves, or those who delegated to them or are away."""
        if one in self.side or one not in self.company.active:
            return frozenset()
        found = {one} if self.has_own(one) else set()
        if self.company.called[one] & DECIDERS:
            found |= {giver for giver, taker in self.handed.items() if taker == one and self.has_own(giver)}
            for absent, away in self.company.away.items():
                named = self.covers.get(absent, frozenset()) | self.instead_covers.get(absent, frozenset())
                now = away.delegate == one and away.start <= at < away.end
                if now and one in named and self.has_own(absent):
                    found.add(absent)
        return frozenset(found - self.side)

    def still(self, vote: Vote) -> bool:
        """Whether the vote's author still decides: nobody who left counts."""
        called = self.company.called
        if vote.who not in called or vote.who in self.side:
            return False
        own = vote.who in vote.seats
        return own or (bool(called[vote.who] & DECIDERS) and any(seat in called for seat in vote.seats))

    def enough(self) -> bool:
        """So many people said yes of whom no two may be one, and who sit on as many seats."""
        stage = self.spec.stages[self.stage]
        yes = [vote for vote in self.votes.values() if vote.yes and self.still(vote)]
        return any(
            self._apart(some) and _seated([vote.seats for vote in some])
            for some in combinations(yes, stage.need)
        )

    @staticmethod
    def _apart(votes: tuple[Vote, ...]) -> bool:
        return all(not (one.keys & other.keys) for one, other in combinations(votes, 2))


def _seated(seats: list[frozenset[str]]) -> bool:
    """Whether each can be matched to a different seat."""
    if not seats:
        return True
    return any(_seated([others - {seat} for others in seats[1:]]) for seat in seats[0])


class Run:
    """One request in one company, until it is decided or no steps remain."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        start = Story().now
        self.company = Company(chance, start)
        stages = tuple(
            Stage(
                tuple(chance.sample(PARTIES, chance.choice((0, 1, 1, 2)))),
                need=chance.choice((1, 1, 2, 2, 3)),
            )
            for _ in range(chance.choice((1, 1, 2)))
        )
        rungs = tuple(
            Escalation(minutes(30 * number), (chance.choice(PARTIES),))
            for number in range(1, chance.choice((1, 2, 3)))
        )
        spec = TaskSpec(
            type=TaskType.REVIEW,
            outcomes=("approved", "rejected"),
            stages=stages,
            escalate=rungs,
        )
        names = {name for stage in stages for name in stage.approvers or tuple(DECIDERS)}
        names |= {name for rung in rungs for name in rung.to}
        meant = self.company.meant()
        pinned = {name: tuple(sorted(meant[name])) for name in sorted(names)}
        spec = replace(spec, pinned_members=pinned)
        ask = HumanStep(id="ask", task=spec, on_success="end", deadline=timedelta(days=2))
        steps = (AgentStep(id="work", agent=VALIDATOR), ask) if chance.random() < 0.7 else (ask,)
        self.requester = self._requester()
        self.story = Story(check_plan(Plan(steps)), self.requester, membership=self.company.membership)
        self.judge = Judge(self.company, spec, set(self.requester.sponsors), self.story.now)
        self._opened()
        self.said = 0

    def _requester(self) -> Actor:
        one, maker = self.chance.choice(IDS), self.chance.choice((*IDS, ""))
        actor = self.company.actor(one, Story().now, maker)
        if actor is None or self.chance.random() < 0.4 or actor.roles <= {"auditor"}:
            return Actor(ActorKind.SERVICE, "sa_ci", WORKSPACE, sponsors=(maker or one,))
        return actor

    def _opened(self) -> None:
        if isinstance(self.story.intent.open, Task):
            self.judge.opens(self.story.intent.open, self.story.now)

    def goes_on(self) -> None:
        chance, story = self.chance, self.story
        story.now += chance.choice((1, 1, 5, 20)) * minutes(1)
        if chance.random() < 0.25:
            self.company.moves(story.now)
        story.membership = self.company.membership
        before = story.intent.open
        if not isinstance(before, Task):
            if chance.random() < 0.5:
                story.do(c.Report(result={"fine": True}), AGENT)
            self._opened()
            return
        change = advance(SYSTEM, story.intent, c.Tick(), story.now, SALT, story.membership)
        story.intent = change.after
        task = story.intent.open
        if not isinstance(task, Task):
            return
        self.judge.rungs = task.escalated
        by = self.company.actor(chance.choice(IDS), story.now, chance.choice(("", "", *IDS)))
        if by is not None:
            self._does(by, task)

    def _does(self, by: Actor, task: Task) -> None:
        chance, judge, now = self.chance, self.judge, self.story.now
        match chance.randrange(10):
            case 0:
                to = tuple(chance.sample(PARTIES, chance.choice((1, 2))))
                if self._done(by, c.Reassign(to, task.step_run)):
                    assert "admin" in by.roles, "asked others without being an admin"
                    assert not judge.side & set(by.sponsors), "the requester's side chose who decides"
                    judge.reassigned(to, now)
            case 1:
                taker = chance.choice(IDS)
                could = judge.seats(by.id, now)
                if taker in self.company.active and self._done(by, c.Delegate(taker, task.step_run)):
                    assert by.id in could, "handed over what was not theirs"
                    judge.handed[by.id] = taker
            case 2 if chance.random() < 0.3:
                could = judge.seats(by.id, now)
                digest = f"{chance.getrandbits(64):064x}"
                if self._done(by, c.Revise(digest, task.step_run)):
                    assert could, "edited by somebody who was not asked"
                    judge.revised(by)
            case _:
                self._answers(by, task)

    def _answers(self, by: Actor, task: Task) -> None:
        judge = self.judge
        word = self.chance.choice(("approved", "approved", "approved", "rejected"))
        seats = judge.seats(by.id, self.story.now)
        answer = c.Answer(
            word,
            task.step_run,
            stage=task.stage,
            digest=task.digest,
            shown=frozenset({target_of(task)}),
            active_people=self.company.called,
        )
        done = self._done(by, answer)
        if not done:
            return
        told = (by.id, by.sponsors, word, judge.asked_names(), seats)
        if any(isinstance(event, e.Answered) for event in done):
            assert seats, f"counted, of somebody who may not decide: {told}"
            assert not judge.side & set(by.sponsors), f"by a key that the requester's side has: {told}"
            self.said += 1
            judge.votes[by.id] = Vote(by.id, frozenset(by.sponsors), word == "approved", seats)
        for event in done:
            if word == "rejected":
                passed = isinstance(event, e.StagePassed) or getattr(event, "ending", None) == "approved"
                assert not passed, f"a rejection completed the stage: {told} {judge.votes}"
            if isinstance(event, e.StagePassed):
                assert judge.enough(), f"the stage passed on too few: {told} {judge.votes}"
                judge.stage_begins(event.stage)
            elif isinstance(event, e.Decided) and event.ending == "approved":
                assert judge.enough(), f"approved by too few: {told} {judge.votes}"

    def _done(self, by: Actor, command: c.Command) -> list[Any]:
        """The result; None if it was refused."""
        try:
            change = advance(by, self.story.intent, command, self.story.now, SALT, self.story.membership)
        except Refused:
            return []
        self.story.intent = change.after
        return [unseal(one.body, one.private).event for one in change.facts]


def _runs(seeds: range) -> Iterator[Run]:
    for seed in seeds:
        run = Run(seed)
        for _ in range(40):
            if not run.story.intent.final:
                run.goes_on()
        yield run


@pytest.mark.parametrize("part", range(4))
def test_only_people_who_were_asked_decide_and_every_quorum_is_complete(part: int) -> None:
    said = approved = rejected = 0
    for run in _runs(range(part * 400, part * 400 + 400)):
        said += run.said
        approved += run.story.intent.outcome == "approved"
        rejected += run.story.intent.outcome == "rejected"
    assert said > 400
    assert min(approved, rejected) > 60, "the search has to come to both"


def _handed_over(called: Called) -> tuple[Story, Actor]:
    """Ann, who was asked, has delegated to Bob; then people's roles and teams change to ``called``."""
    ann, bob = IDS[:2]
    before = {ann: frozenset({ann, "team:a", "role:approver"}), bob: frozenset({bob, "role:approver"})}
    spec = TaskSpec(type=TaskType.REVIEW, outcomes=("approved", "rejected"), stages=(Stage(("team:a",)),))
    service = Actor(ActorKind.SERVICE, "sa_ci", WORKSPACE, sponsors=(IDS[2],))
    plan = check_plan(Plan((HumanStep(id="ask", task=spec, on_success="end"),)))
    story = Story(plan, service, membership=Membership(before))
    story.do(c.Delegate(bob), Actor(ActorKind.PERSON, ann, WORKSPACE, names=before[ann], sponsors=(ann,)))
    story.membership = Membership(called)
    return story, Actor(ActorKind.PERSON, bob, WORKSPACE, names=called[bob], sponsors=(bob,))


@pytest.mark.parametrize(
    "called",
    [
        {IDS[0]: frozenset({IDS[0], "team:a", "role:approver"}), IDS[1]: frozenset({IDS[1], "role:member"})},
        {IDS[0]: frozenset({IDS[0], "role:approver"}), IDS[1]: frozenset({IDS[1], "role:approver"})},
        {IDS[1]: frozenset({IDS[1], "role:approver"})},
    ],
    ids=["the taker's role is gone", "the giver left the team", "the giver left"],
)
def test_person_whose_vote_no_longer_counts_cannot_revise(called: Called) -> None:
    story, bob = _handed_over(called)
    with pytest.raises(Refused) as refused:
        story.do(c.Revise("f" * 64), bob)
    assert refused.value.code == "not_an_approver"
    assert story.intent.revision == 1
