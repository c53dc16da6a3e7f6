"""A workspace in memory with one approval; every command goes through the real rules, without a store."""

from datetime import timedelta
from typing import Any

from signoff.core.directory.actors import Actor, ActorKind, system
from signoff.core.directory.model import Person, Team, Workspace
from signoff.core.directory.rotation import Absence
from signoff.core.errors import Refused
from signoff.core.ids import new_intent_id
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent.advance import advance
from signoff.core.intent.answering_rights import answer_right
from signoff.core.intent.authorization import authorize_command
from signoff.core.intent.model import Intent, Requester, Task
from signoff.core.intent.notifications import ASKING
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.plan.task_types import TaskSpec
from signoff.engine.directory.contact_schedule import explain
from signoff.engine.directory.eligible_people import addressed
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.planning.planner import freeze
from signoff.engine.planning.resolve_command import resolve_command
from tests.builders import START, WORKSPACE

PEOPLE = tuple(f"per_{name}" for name in "abcde")


class ApprovalEnv:
    """One approval in one workspace; every command goes through the real rules."""

    def __init__(self, teams: dict[str, tuple[str, ...]], owners: tuple[str, ...]) -> None:
        self.now = START
        roles = {p: ("owner", "approver") if p in owners else ("approver",) for p in PEOPLE}
        self.people = {p: Person(p, WORKSPACE, f"{p[4:]}@acme.example", "", roles[p], START) for p in PEOPLE}
        self.teams = {name: Team(name, who) for name, who in teams.items()}
        self.facts: list[tuple[e.Fact, Snapshot]] = []
        self.intent: Intent | None = None
        self.warnings: tuple[str, ...] = ()

    @property
    def directory(self) -> Snapshot:
        space = Workspace(WORKSPACE, "acme", "prod", False, START)
        return Snapshot(space, {}, {}, self.people, {}, self.teams)

    def actor(self, who: str) -> Actor:
        directory = self.directory
        names = directory.active_people.get(who, frozenset())
        roles = frozenset(self.people[who].roles) if names else frozenset()
        return Actor(
            ActorKind.PERSON,
            who,
            WORKSPACE,
            names=names,
            roles=roles,
            sponsors=(who,),
            delegate_for=directory.delegate_for(who, self.now),
        )

    def submit(self, spec: TaskSpec, side: tuple[str, ...], deadline: timedelta | None = None) -> None:
        asking = Plan((HumanStep(id="ok", task=spec, deadline=deadline),), source="workflow")
        plan, self.warnings = freeze(asking, self.directory, side)
        requester = Requester(ActorKind.SERVICE, "sa_ci", persons=side)
        command = c.Submit(
            id=new_intent_id(1_700_000_000_000, b"0123456789"),
            workspace=WORKSPACE,
            type="t.v1",
            requester=requester,
            plan=plan,
            plan_digest="p" * 64,
            payload_digest="0" * 64,
        )
        self.apply(Actor(ActorKind.SERVICE, "sa_ci", WORKSPACE, sponsors=side), command)

    def apply(self, actor: Actor, command: c.Command) -> None:
        directory = self.directory
        if self.intent is not None:
            command = resolve_command(actor, self.intent, command, directory)
        change = advance(actor, self.intent, command, self.now, b"0123456789abcdef", directory.membership)
        self.intent = change.after
        self.facts += [(sealed.fact, directory) for sealed in change.facts]
        for notification in change.notifications:
            if isinstance(change.after.open, Task) and notification.kind in ASKING:
                self.check_addressed(notification.to, directory)

    def check_addressed(self, names: tuple[str, ...], directory: Snapshot) -> None:
        """Everyone who is asked can answer, and nobody on the requester's side is asked."""
        for person in addressed(self.here, self.task, names, directory, self.now):
            assert person not in {*self.here.requester.persons, *self.here.editors}
            authorize_command(self.actor(person), c.Answer("approved", digest=self.task.digest), self.here)
        said = explain(self.here, self.task, directory, self.now)
        assert all(one.person not in self.here.requester.persons for one in said.may_decide)
        for one in said.may_decide:
            authorize_command(
                self.actor(one.person), c.Answer("approved", digest=self.task.digest), self.here
            )

    def do(self, op: tuple[Any, ...], number: int) -> None:
        self.now += timedelta(seconds=1)
        if len(op) > 1 and isinstance(op[1], int):
            able = [
                p for p in PEOPLE if answer_right(self.actor(p), self.here, self.task) is not None
            ] or PEOPLE
            op = (op[0], able[op[1] % len(able)], *op[2:])
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
            case ("reassign", to):
                admin = Actor(ActorKind.PERSON, "per_admin", WORKSPACE, roles=frozenset({"admin"}))
                self.apply(admin, c.Reassign(to))
            case ("away", who, to) if who != to:
                self.away(who, to)
            case ("leave" | "join" as verb, who, name):
                rest = tuple(m for m in self.teams[name].members if m != who)
                self.teams = {**self.teams, name: Team(name, (*rest, who) if verb == "join" else rest)}
            case ("end", who):
                self.people = {**self.people, who: replaced(self.people[who], active=False)}

    def away(self, who: str, to: str) -> None:
        absence = Absence(START, START + timedelta(days=9), to)
        self.people = {**self.people, who: replaced(self.people[who], absences=(absence,))}

    def demote(self, who: str) -> None:
        """Remove the person's approving roles."""
        self.people = {**self.people, who: replaced(self.people[who], roles=("member",))}

    @property
    def here(self) -> Intent:
        assert self.intent is not None
        return self.intent

    @property
    def task(self) -> Task:
        if not isinstance(self.here.open, Task):
            raise Refused("over", "over")
        return self.here.open


def replaced(person: Person, **changes: Any) -> Person:
    return type(person)(**{name: getattr(person, name) for name in person.__struct_fields__} | changes)
