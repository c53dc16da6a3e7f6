"""Two promises, held against every path through random plans by a judge that knows nothing of how they are kept.

The judge is told what people, agents and time did, and how the plan's author declared its routes. It never asks the
rules what a word means or where a route leads, so a hole in them is none in it.
"""

import random
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.errors import Invalid, Refused
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent.advance import advance
from signoff.core.intent.model import Delivery, Failure, Intent, Status, Task
from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, NotifyStep, Plan, Step, check_plan
from signoff.core.plan.task_types import Fallback, Meaning, Outcome, Risk, Stage, TaskSpec, TaskType
from tests.builders import AGENT, ANN, SYSTEM, VALIDATOR, Story, minutes, person

SALT: Final = b"0123456789abcdef"
WORDS: Final = ("approved", "canary", "rejected", "archive", "changes_requested", "redo")
MEANING: Final = {
    "approved": "yes",
    "canary": "yes",
    "rejected": "no",
    "archive": "no",
    "changes_requested": "changes",
    "redo": "changes",
}

# -- the promise about endings


class Declared(msgspec.Struct, frozen=True):
    """What the author of a step has declared a success. ``silence``: what stands for an answer that nobody gave."""

    archived: bool = False
    failed: bool = False
    late: bool = False
    expiry: str = "expired"


class AnswerRight(msgspec.Struct, frozen=True):
    """What the judge knows: whether a no, silence or a failure stands, whose people want changes, and which agents'
    steps have last found a high risk or said that their check failed.
    """

    refused: bool = False
    changes_requested: frozenset[str] = frozenset()
    alarmed: frozenset[str] = frozenset()

    @property
    def may_complete(self) -> bool:
        return not self.refused and not self.changes_requested


def judged(before: AnswerRight, step: str, word: str, declared: Declared) -> AnswerRight:
    """The last decision counts. A declared success takes back nothing that people said before it, unless it is itself
    what people said.
    """
    match MEANING.get(word, word):
        case "yes":
            return AnswerRight(alarmed=before.alarmed)
        case "no":
            said_success = declared.archived if word == "archive" else declared.failed
            return AnswerRight(refused=not said_success, alarmed=before.alarmed)
        case "changes":
            return replace(before, changes_requested=before.changes_requested | {step})
        case "unreachable":
            return AnswerRight(refused=True, alarmed=before.alarmed)
        case "done":
            return replace(before, alarmed=before.alarmed - {step})
        case "risky" | "failing":
            return replace(before, alarmed=before.alarmed | {step})
        case "silence":
            return _silent(before, step, declared)
        case "broken" | "lost":
            alarmed = before.alarmed | {step} if word == "broken" else before.alarmed
            return AnswerRight(before.refused or not declared.failed, before.changes_requested, alarmed)
        case "late":
            return before if declared.late else replace(before, refused=True)
    return before  # waited


def _silent(before: AnswerRight, step: str, declared: Declared) -> AnswerRight:
    success = {
        "approved": not before.alarmed or declared.late,
        "expired": declared.late,
        "rejected": declared.failed,
        "archive": declared.archived,
    }[declared.expiry]
    if not success:
        return replace(before, refused=True)
    return replace(
        before, changes_requested=before.changes_requested - {step}
    )  # who wanted changes here was asked again


def random_plan(chance: random.Random) -> tuple[Plan, dict[str, Declared]]:
    """One to three steps that ask or work, sometimes a pause or a message, with any routes."""
    ids = [f"s{number}" for number in range(chance.choice((1, 2, 2, 3, 3)))]
    declared = {step: _declared(chance) for step in ids}
    steps: list[Step] = [_step(chance, step, ids, declared) for step in ids]
    return check_plan(Plan(tuple(steps), max_revisions=chance.choice((0, 1, 2)))), declared


def _declared(chance: random.Random) -> Declared:
    expiry = chance.choice(("expired", "expired", "rejected", "approved", "archive"))
    return Declared(*(chance.random() < 0.5 for _ in range(3)), expiry=expiry)


def _step(chance: random.Random, step: str, ids: list[str], declared: dict[str, Declared]) -> Step:
    targets = [*ids, "end"]
    kind = chance.choice(("human",) * 6 + ("agent",) * 3 + ("delay", "notify"))
    routes: dict[str, Any] = {"on_success": chance.choice(targets)}
    if kind == "delay":
        return DelayStep(id=step, lasts=minutes(3), **routes)
    if kind == "notify":
        return NotifyStep(id=step, message="so it goes", **routes)
    failed, late = chance.choice([None, *targets]), chance.choice([None, *targets])
    says = declared[step]
    says = declared[step] = replace(says, failed=says.failed and bool(failed), late=says.late and bool(late))
    routes |= {
        "on_failure": failed,
        "on_failure_as": "success" if says.failed else None,
        "on_timeout": late,
        "on_timeout_as": "success" if says.late else None,
        "deadline": minutes(30),
    }
    if kind == "agent":
        return AgentStep(id=step, agent=VALIDATOR, max_attempts=1, **routes)
    own = (
        Outcome("archive", Meaning.REJECTS, "Archive", chance.choice(targets), success=says.archived),
        Outcome("canary", Meaning.APPROVES, "Canary", chance.choice(["", *targets])),
        Outcome("redo", Meaning.REQUESTS_CHANGES, "Redo", chance.choice(["", *targets])),
    )
    fallback = {"expired": Fallback.EXPIRE, "rejected": Fallback.REJECT}.get(says.expiry, Fallback.OUTCOME)
    task = TaskSpec(
        type=TaskType.REVIEW,
        outcomes=WORDS,
        own=own,
        stages=(Stage(),) * chance.choice((1, 1, 1, 2)),
        fallback=fallback,
        fallback_outcome=says.expiry if fallback is Fallback.OUTCOME else "",
        risk=Risk.LOW,
    )
    return HumanStep(id=step, task=task, on_changes=chance.choice([None, *targets]), **routes)


class Walk(msgspec.Struct, frozen=True):
    intent: Intent
    now: Any
    standing: AnswerRight
    path: tuple[str, ...] = ()


def what_may_happen(intent: Intent) -> tuple[str, ...]:
    match intent.open:
        case Task(agreed=agreed):  # a later stage can only agree to the yes that the one before has chosen
            words = (word for word in WORDS if not agreed or word == agreed or MEANING[word] != "yes")
            return (*words, "silence", "unreachable")
        case Delivery():
            return ("done", "risky", "failing", "broken", "forged", "lost", "late")
    return ("waited",)


def happening(walk: Walk, word: str) -> Walk:
    """The walk after this event, carried out by its actor."""
    intent, now, held = walk.intent, walk.now + timedelta(milliseconds=1), walk.intent.open

    def do(command: c.Command, actor: Actor) -> None:
        nonlocal intent
        intent = advance(actor, intent, command, now, SALT, None).after

    match word:
        case "silence" | "late" | "waited":
            now += minutes(31)
            do(c.Tick(), SYSTEM)
        case "lost":
            do(c.Claim("worker", timedelta(seconds=1)), AGENT)
            now += timedelta(seconds=2)
            do(c.Tick(), SYSTEM)
        case "done":
            do(c.Report(result={"outcome": "approved", "approved": True}), AGENT)
        case "risky" | "failing":
            do(c.Report(result={"risk": "medium"} if word == "risky" else {"passed": False}), AGENT)
        case "broken" | "forged":
            code = "changes_requested" if word == "forged" else "broken"
            do(c.Report(fault=Failure(code, "it broke")), AGENT)
        case "unreachable":
            assert isinstance(held, Task)
            do(c.ReportUnreachable(held.step_run, "no address", held.stage), SYSTEM)
        case _:
            assert isinstance(held, Task)
            do(c.Answer(word, held.step_run, "because", stage=held.stage, digest=held.digest), ANN)
    return Walk(intent, now, walk.standing, (*walk.path, f"{held.step if held else ''}:{word}"))


def walks(plan: Plan, declared: dict[str, Declared], longest: int) -> Iterator[Walk]:
    """Every path through the plan, breadth first; paths that reach the same state are merged."""
    story = Story(plan)
    ahead, met = deque([Walk(story.intent, story.now, AnswerRight())]), set()
    while ahead:
        walk = ahead.popleft()
        yield walk
        held = walk.intent.open
        if held is None or len(walk.path) >= longest:
            continue
        state = (
            held.step,
            getattr(held, "stage", 0),
            getattr(held, "agreed", ""),
            walk.standing,
            min(walk.intent.revisions, plan.max_revisions),
            _last(walk),
        )
        if state in met:
            continue
        met.add(state)
        for word in what_may_happen(walk.intent):
            after = happening(walk, word)
            if (
                after.intent.open is None or after.intent.open.step_run != held.step_run
            ):  # else the next stage is asked
                said = "broken" if word == "forged" else word
                after = replace(after, standing=judged(walk.standing, held.step, said, declared[held.step]))
            ahead.append(after)


def _last(walk: Walk) -> tuple[object, ...]:
    """What the rules may look back at."""
    decided = {step: str(r["decided_at"]) for step, r in walk.intent.results.items() if "decided_at" in r}
    return (
        walk.intent.ending,
        walk.intent.setback and walk.intent.setback.code,
        tuple(sorted(decided, key=decided.__getitem__)),
    )


@pytest.mark.parametrize("seed", range(4))
def test_intent_completes_only_without_a_standing_rejection(seed: int) -> None:
    chance = random.Random(seed)
    plans = completed = ended = 0
    while plans < 80:
        try:
            plan, declared = random_plan(chance)
        except Invalid:  # no way to the end
            continue
        plans += 1
        for walk in walks(plan, declared, longest=5):
            if walk.intent.open is not None:
                continue
            ended += 1
            completed += walk.intent.status is Status.COMPLETED
            told = (walk.path, walk.standing, plan)
            if walk.intent.status is Status.COMPLETED:
                assert walk.standing.may_complete, told
            elif not any(MEANING.get(word.partition(":")[2]) == "changes" for word in walk.path):
                assert not walk.standing.may_complete, told
    assert completed > 200 < ended - completed, "the search has to come to both"


# -- the promise about repeats

PEOPLE: Final = tuple(person(name, "approver") for name in ("ann", "bob", "cid"))
TWO_OF_THREE: Final = TaskSpec(
    type=TaskType.REVIEW,
    outcomes=("approved", "changes_requested", "rejected"),
    stages=(Stage(need=2, reject_after=2),) * 2,
)
Place = tuple[int, int, int]


class Sent(msgspec.Struct, frozen=True):
    """An answer that was counted: by whom, at which step, and what its sender had been shown."""

    who: Actor
    answer: c.Answer
    place: Place
    shown: frozenset[Place]


class Correspondence:
    """People answer, change their minds and edit the request; work fails; the network repeats messages."""

    def __init__(self, seed: int, *, clock_stands: bool) -> None:
        self.chance = random.Random(seed)
        again = {"on_failure": "ask", "on_changes": "ask"}
        ask = HumanStep(id="ask", task=TWO_OF_THREE, on_success="work", deadline=minutes(999), **again)
        work = AgentStep(id="work", agent=VALIDATOR, on_failure="ask", on_success="end")
        self.story = Story(check_plan(Plan((ask, work), max_revisions=3)))
        self.tick = timedelta(0) if clock_stands else timedelta(seconds=1)
        self.read: dict[str, frozenset[Place]] = {one.id: frozenset() for one in PEOPLE}
        self.sent: list[Sent] = []
        self.copies = 0

    @property
    def task(self) -> Task | None:
        held = self.story.intent.open
        return held if isinstance(held, Task) else None

    def go_on(self) -> None:
        self.story.now += self.tick
        task = self.task
        if task is None:
            self.story.do(c.Report(fault=Failure("broken", "it broke")))
        elif self.sent and self.chance.random() < 0.5:
            self.repeat(self.chance.choice(self.sent), task)
        elif self.chance.random() < 0.1:
            digest = f"{self.chance.getrandbits(64):064x}"
            self.story.do(c.Revise(digest, task.step_run), person(f"editor_{digest[-6:]}", "approver"))
        else:
            self.answer(self.chance.choice(PEOPLE), task)

    def answer(self, who: Actor, task: Task) -> None:
        place = task.step_run, task.stage, task.revision
        self.read[who.id] |= {place}
        mine = [vote.number for vote in task.votes if (vote.person, vote.at_stage) == (who.id, task.stage)]
        some = self.chance.choice
        answer = c.Answer(
            some(("approved", "approved", "rejected", "changes_requested")),
            some((0, task.step_run)),
            some(("x", "y")),
            stage=some((None, task.stage)),
            revision=some((None, task.revision)),
            digest=some((None, task.digest)),
            number=some((None, max([0, *mine]) + 1)),
            shown=self.read[who.id],
        )
        if self.counted(who, answer):
            self.sent.append(Sent(who, answer, place, self.read[who.id]))

    def repeat(self, sent: Sent, task: Task) -> None:
        """A late copy. What its sender has read since counts only if the copy names everything that it is for."""
        self.copies += 1
        answer, place = sent.answer, (task.step_run, task.stage, task.revision)
        names_all = answer.digest is not None and answer.stage is not None
        shown = self.read[sent.who.id] if names_all else sent.shown - {place}
        before = self.story.intent
        assert not self.counted(sent.who, replace(answer, shown=shown)), (sent, task)
        if sent.place != place:
            assert self.story.intent == before, (
                "a copy of an answer to something else brought something about"
            )

    def counted(self, who: Actor, answer: c.Answer) -> bool:
        try:
            change = advance(who, self.story.intent, answer, self.story.now, SALT, None)
        except Refused:
            return False
        self.story.intent = change.after
        return any(isinstance(sealed.fact.event, e.Answered) for sealed in change.facts)


@pytest.mark.parametrize("clock_stands", [False, True])
def test_copy_of_an_answer_counts_nowhere(clock_stands: bool) -> None:
    copies = 0
    for seed in range(250):
        people = Correspondence(seed, clock_stands=clock_stands)
        for _ in range(25):
            if not people.story.intent.final:
                people.go_on()
        copies += people.copies
    assert copies > 1500, "the search has to come to copies"
