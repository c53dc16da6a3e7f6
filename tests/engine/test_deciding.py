"""Whatever the policy, whoever is who, however people hand over, leave and vote: what was decided was decided rightly.

The judge below knows nothing of ``quorum`` and ``standing``: it reads the facts and counts on its own.
"""

from datetime import timedelta
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from signoff.core import commands as c
from signoff.core import events as e
from signoff.core.advance import advance
from signoff.core.errors import Invalid, Refused
from signoff.core.ids import new_intent_id
from signoff.core.model import Actor, ActorKind, Intent, Requester, Task, system
from signoff.core.people import Absence, Team
from signoff.core.plan import HumanStep, Plan
from signoff.core.tasks import Ending, Escalation, Sign, Stage, TaskSpec
from signoff.core.wake import spec_of
from signoff.engine.directory import Snapshot
from signoff.engine.planning import freeze
from signoff.engine.prepared import prepared
from signoff.store.entries import Person, Workspace
from tests.builders import START, WORKSPACE

PEOPLE = tuple(f"per_{name}" for name in "abcde")
PARTIES = ("team:one", "team:two", "team:one", "role:owner", *PEOPLE[:2])
one = st.sampled_from(PEOPLE)
parties = st.lists(st.sampled_from(PARTIES), min_size=1, max_size=3, unique=True).map(tuple)
stages = st.one_of(
    st.builds(Stage, parties, st.integers(1, 3), st.integers(1, 2)),
    st.builds(Stage, parties, every=st.just(True)),
)
members = st.lists(one, min_size=1, max_size=4, unique=True).map(tuple)
vote = st.tuples(st.just("vote"), one, st.sampled_from(["approved", "approved", "approved", "rejected"]))
ops = st.one_of(
    vote,
    vote,
    vote,
    vote,
    st.tuples(st.just("delegate"), one, one),
    st.tuples(st.just("away"), one, one),
    st.tuples(st.just("leave"), one, st.sampled_from(["one", "two"])),
    st.tuples(st.just("join"), one, st.sampled_from(["one", "two"])),
    st.tuples(st.just("end"), one),
    st.tuples(st.just("revise"), one),
    st.tuples(st.just("escalate")),
)


class Office:
    """A workspace in memory and one gate in it; every act goes through the real rules."""

    def __init__(self, teams: dict[str, tuple[str, ...]], owners: tuple[str, ...]) -> None:
        self.now = START
        roles = {p: ("owner", "approver") if p in owners else ("approver",) for p in PEOPLE}
        self.people = {p: Person(p, WORKSPACE, f"{p[4:]}@acme.example", "", roles[p], START) for p in PEOPLE}
        self.teams = {name: Team(name, who) for name, who in teams.items()}
        self.facts: list[tuple[e.Fact, Snapshot]] = []
        self.intent: Intent | None = None

    @property
    def book(self) -> Snapshot:
        space = Workspace(WORKSPACE, "acme", "prod", False, START)
        return Snapshot(space, {}, {}, self.people, {}, self.teams)

    def actor(self, who: str) -> Actor:
        book = self.book
        names = book.standing.get(who, frozenset())
        roles = frozenset(self.people[who].roles) if names else frozenset()
        return Actor(
            ActorKind.PERSON,
            who,
            WORKSPACE,
            names=names,
            roles=roles,
            sponsors=(who,),
            stand_ins=book.stand_ins(who, self.now),
        )

    def submit(self, spec: TaskSpec, side: tuple[str, ...]) -> None:
        plan, _ = freeze(Plan((HumanStep(id="ok", task=spec),), source="workflow"), self.book, side)
        requester = Requester(ActorKind.SERVICE, "sa_ci", persons=side)
        command = c.Submit(
            id=new_intent_id(1_700_000_000_000, b"0123456789"), workspace=WORKSPACE, type="t.v1", requester=requester,
            plan=plan, plan_digest="p" * 64, payload_digest="0" * 64,
        )  # fmt: skip
        self.apply(Actor(ActorKind.SERVICE, "sa_ci", WORKSPACE, sponsors=side), command)

    def apply(self, actor: Actor, command: c.Command) -> None:
        book = self.book
        if self.intent is not None:
            command = prepared(actor, self.intent, command, book)
        change = advance(actor, self.intent, command, self.now, b"0123456789abcdef")
        self.intent = change.after
        self.facts += [(sealed.fact, book) for sealed in change.facts]

    def do(self, op: tuple[Any, ...], number: int) -> None:
        self.now += timedelta(seconds=1)
        match op:
            case ("vote", who, outcome):
                self.apply(self.actor(who), c.Answer(outcome, digest=self.task.digest))
            case ("delegate", who, to):
                self.apply(self.actor(who), c.Delegate(to))
            case ("revise", who):
                self.apply(self.actor(who), c.Revise(f"{number:064}"))
            case ("escalate",):
                self.now += timedelta(hours=1)
                self.apply(system(WORKSPACE), c.Tick())
            case ("away", who, to) if who != to:
                absence = Absence(START, START + timedelta(days=9), to)
                self.people = {**self.people, who: replaced(self.people[who], absences=(absence,))}
            case ("leave" | "join" as verb, who, name):
                rest = tuple(m for m in self.teams[name].members if m != who)
                self.teams = {**self.teams, name: Team(name, (*rest, who) if verb == "join" else rest)}
            case ("end", who):
                self.people = {**self.people, who: replaced(self.people[who], active=False)}

    @property
    def task(self) -> Task:
        assert self.intent is not None
        if not isinstance(self.intent.open, Task):
            raise Refused("over", "over")
        return self.intent.open


def replaced(person: Person, **changes: Any) -> Person:
    return type(person)(**{name: getattr(person, name) for name in person.__struct_fields__} | changes)


def judge(office: Office, spec: TaskSpec, side: set[str]) -> None:
    """Count again, from the facts alone, what every passed stage was passed by."""
    votes: dict[str, e.Fact] = {}
    barred, stage = set(side), 0
    for fact, book in office.facts:
        match fact.event:
            case e.Answered() as event:
                assert fact.actor.id not in barred
                seat = event.principal or fact.actor.id
                assert seat not in barred
                assert all(seat in spec.roster.get(name, PEOPLE) for name in event.for_names)
                votes.pop(fact.actor.id, None)
                votes[fact.actor.id] = fact
            case e.Revised():
                barred.add(fact.actor.id)
                votes, stage = {}, 0
            case e.StagePassed() as event:
                passed_rightly(spec.stages[stage], votes, book)
                votes, stage = {}, event.stage
            case e.Decided(ending=Ending.APPROVED):
                assert stage == len(spec.stages) - 1
                passed_rightly(spec.stages[stage], votes, book)


def passed_rightly(stage: Stage, votes: dict[str, e.Fact], book: Snapshot) -> None:
    seats: dict[str, str] = {}
    for who, fact in votes.items():
        event = fact.event
        assert isinstance(event, e.Answered)
        seat = event.principal or who
        for_it = {n for n in event.for_names if n in book.standing.get(seat, ()) and who in book.standing}
        if for_it and event.sign is Sign.POSITIVE:
            seats[seat] = who
        elif for_it:
            seats.pop(seat, None)
    takes = max(stage.need, len(stage.approvers)) if stage.every else stage.need
    assert len(set(seats.values())) == len(seats), "one person, one vote"
    assert len(seats) == takes if not stage.every else len(seats) >= takes


@settings(max_examples=400, deadline=None)
@given(
    asked=st.lists(stages, min_size=1, max_size=2).map(tuple),
    teams=st.tuples(members, members),
    owners=st.lists(one, max_size=2, unique=True).map(tuple),
    side=st.lists(one, max_size=1).map(tuple),
    rung=st.none() | parties,
    acts=st.lists(ops, min_size=8, max_size=40),
)
def test_what_is_approved_was_approved_by_enough_of_the_right_people(
    asked: tuple[Stage, ...], teams: Any, owners: Any, side: Any, rung: Any, acts: list[Any]
) -> None:
    office = Office({"one": teams[0], "two": teams[1]}, owners)
    escalate = (Escalation(timedelta(minutes=30), rung),) if rung else ()
    try:
        office.submit(TaskSpec(stages=asked, escalate=escalate), side)
    except Invalid as refusal:
        note(refusal.code)  # nobody could decide it, so it was never asked
        return
    spec = spec_of(office.intent, office.task) if office.intent else TaskSpec()
    for number, op in enumerate(acts, 1):
        try:
            office.do(op, number)
        except Refused:
            continue
    judge(office, spec, set(side))


def test_the_office_can_come_to_a_yes_and_a_vote_of_who_left_does_not_count() -> None:
    office = Office({"one": PEOPLE[:3], "two": PEOPLE[3:]}, ())
    office.submit(TaskSpec(stages=(Stage(("team:one",), 2),)), ())
    office.do(("vote", "per_a", "approved"), 1)
    office.do(("leave", "per_a", "one"), 2)
    office.do(("vote", "per_b", "approved"), 3)
    assert office.task.votes
    office.do(("vote", "per_c", "approved"), 4)
    assert office.intent is not None
    assert office.intent.ending is Ending.APPROVED


def test_who_is_away_and_who_stands_in_are_one_seat() -> None:
    office = Office({"one": PEOPLE[:2], "two": PEOPLE[3:]}, ())
    office.submit(TaskSpec(stages=(Stage(("team:one",), 2),)), ())
    office.do(("away", "per_a", "per_e"), 1)
    office.do(("vote", "per_e", "approved"), 2)
    office.do(("vote", "per_a", "approved"), 3)
    assert len(office.task.votes) == 2
    office.do(("vote", "per_b", "approved"), 4)
    assert office.intent is not None
    assert office.intent.ending is Ending.APPROVED
