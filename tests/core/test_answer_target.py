"""A decision counts once, for what was shown: one task, one stage, one revision, one digest."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.errors import Conflict, Forbidden, Invalid, Refused
from signoff.core.intent import commands as c
from signoff.core.intent.advance import Change, advance
from signoff.core.intent.answer_target import counts_unshown, names_all, target_after, target_of
from signoff.core.intent.events import Answered, StagePassed
from signoff.core.intent.evolve import fold
from signoff.core.intent.model import Failure, Status, Task
from signoff.core.plan.plan import AgentStep, HumanStep
from signoff.core.plan.task_types import Stage, TaskSpec, TaskType
from tests.builders import AGENT, ANN, OTTO, Story, approve, gate, happened, minutes, person, validate

EMMA = person("emma", "approver")
STAGED = TaskSpec(stages=(Stage(("per_ann", "per_otto")), Stage(("per_ann", "per_emma"))))
BOTH = TaskSpec(stages=(Stage(("per_ann", "per_otto", "per_emma"), need=2),))
REVIEW = TaskSpec(type=TaskType.REVIEW, outcomes=("approved", "changes_requested", "rejected"))


def asked(*specs: TaskSpec, checked: bool = False) -> Story:
    """An intent that opens the tasks one after the other; ``checked``: after an agent."""
    steps = [HumanStep(id=f"ask{n}", task=spec) for n, spec in enumerate(specs)]
    story = Story(gate(*([validate()] if checked else []), *steps))
    return story.validated() if checked else story


def bare(story: Story, command: c.Command, by: Actor) -> Change:
    """The command exactly as sent, without a previous read."""
    change = advance(by, story.intent, command, story.now, b"0123456789abcdef")
    story.intent = change.after
    story.facts.extend(change.facts)
    return change


def full(story: Story, outcome: str = "approved", **more: Any) -> c.Answer:
    """An answer that names everything currently shown."""
    task = story.task
    named = {"step_run": task.step_run, "stage": task.stage, "revision": task.revision, "digest": task.digest}
    return c.Answer(outcome, **{**named, **more})


def seen(story: Story, answer: c.Answer) -> c.Answer:
    return replace(answer, shown=answer.shown | {target_of(story.task)})


def refused(story: Story, command: c.Command, by: Actor) -> str:
    before = story.intent
    with pytest.raises(Refused) as refusal:
        bare(story, command, by)
    assert story.intent is before
    return refusal.value.code


# -- the same answer twice


def test_double_click_does_not_pass_the_next_stage() -> None:
    story = asked(STAGED)
    answer = full(story)
    assert happened(bare(story, answer, ANN)) == ["Answered", "StagePassed"]
    assert refused(story, answer, ANN) == "stale_stage"
    assert refused(story, replace(answer, stage=None), ANN) == "stale_stage"
    assert (story.task.stage, len(story.task.votes)) == (1, 1)
    assert happened(bare(story, full(story), ANN)) == ["Answered", "Decided", "Completed"]


def test_repeated_answer_does_not_pass_the_next_task() -> None:
    story = asked(BOTH, TaskSpec())
    bare(story, full(story), OTTO)
    unnamed = c.Answer("approved")
    bare(story, unnamed, ANN)
    assert story.task.step == "ask1"
    assert refused(story, unnamed, ANN) == "not_shown"
    assert refused(story, c.Answer("approved", step_run=1), ANN) == "already_decided"
    bare(story, seen(story, unnamed), ANN)
    assert story.intent.status is Status.COMPLETED


def test_repeated_answer_in_an_open_stage_is_one_vote() -> None:
    story = asked(BOTH)
    answer = full(story, comment="fine", data={"n": 1})
    bare(story, answer, ANN)
    again = bare(story, answer, ANN)
    assert (happened(again), again.repeated, again.after) == ([], True, again.before)
    assert len(story.task.votes) == 1


def test_answer_to_a_stage_that_passed_meanwhile_is_stale() -> None:
    story = asked(STAGED)
    answer = full(story)
    bare(story, full(story), OTTO)
    assert refused(story, answer, ANN) == "stale_stage"
    assert (
        refused(story, replace(answer, step_run=1), OTTO) == "stale_stage"
    )  # who is asked no more hears it too
    assert refused(story, c.Answer("approved"), ANN) == "stale_stage"


def test_answer_to_a_step_reopened_after_requested_changes_is_refused() -> None:
    story = asked(REVIEW, checked=True)
    first, unnamed = full(story), c.Answer("approved")
    assert refused(story, unnamed, ANN) == "not_shown"  # an agent came first: what it said was not looked at
    bare(story, full(story, "changes_requested"), ANN)
    story.do(c.Report(result={"passed": True}))
    for late in (first, unnamed, replace(first, step_run=0)):
        assert refused(story, late, ANN) in ("already_decided", "not_shown", "stale_revision")


def test_answer_to_an_earlier_revision_is_stale() -> None:
    story = asked(BOTH)
    old = full(story)
    shown = frozenset({target_of(story.task)})
    bare(story, c.Revise("e" * 64), EMMA)
    assert refused(story, old, ANN) == "stale_revision"
    for unnamed in (
        c.Answer("approved"),
        c.Answer("approved", step_run=1),
        c.Answer("approved", shown=shown),
    ):
        assert refused(story, unnamed, ANN) == "not_shown"
    assert refused(story, c.Answer("approved", revision=1), ANN) == "stale_revision"
    assert happened(bare(story, seen(story, c.Answer("approved")), ANN)) == ["Answered"]


def test_answer_without_a_target_is_accepted_for_the_first_step_stage_and_revision() -> None:
    story = asked(STAGED)
    answered = bare(story, c.Answer("approved"), ANN).facts[0].fact.event
    assert isinstance(answered, Answered)
    assert (answered.unseen, answered.number) == (True, 1)


def test_reassigning_or_delegating_does_not_make_an_answer_stale() -> None:
    story = asked(BOTH)
    answer = full(story)
    bare(story, c.Delegate("per_emma"), OTTO)
    admin = person("oscar", "owner")
    bare(story, c.Reassign(("per_ann", "per_emma")), admin)
    assert happened(bare(story, answer, ANN)) == ["Answered"]


# -- changing one's mind


def test_later_answer_in_a_stage_replaces_the_earlier_one() -> None:
    story = asked(replace(BOTH, stages=(replace(BOTH.stages[0], reject_after=2),)))
    bare(story, full(story), ANN)
    bare(story, full(story, "rejected"), ANN)
    assert [(vote.outcome, vote.number) for vote in story.task.votes] == [("rejected", 2)]


def test_answer_with_a_number_ahead_of_the_votes_is_refused() -> None:
    story = asked(BOTH)
    assert refused(story, replace(full(story), number=2), ANN) == "answer_number"
    assert happened(bare(story, replace(full(story), number=1), ANN)) == ["Answered"]
    assert refused(story, replace(full(story), number=5), ANN) == "answer_number"
    assert refused(story, replace(full(story, "rejected"), number=3), ANN) == "answer_number"


def test_replaced_answer_cannot_be_sent_again() -> None:
    story = asked(replace(BOTH, stages=(replace(BOTH.stages[0], reject_after=2),)))
    yes, no = full(story), full(story, "rejected")
    bare(story, yes, ANN)
    bare(story, no, ANN)
    assert refused(story, yes, ANN) == "answer_replaced"
    assert refused(story, replace(yes, number=1), ANN) == "answer_replaced"
    assert happened(bare(story, no, ANN)) == []
    assert happened(bare(story, replace(yes, number=3), ANN)) == ["Answered"]
    assert refused(story, replace(no, number=2), ANN) == "answer_replaced"


# -- before there is anything to decide


def test_approval_before_the_task_opens_is_refused() -> None:
    story = Story(gate(validate(), approve()))
    for early in (
        c.Answer("approved"),
        c.Answer("approved", step_run=2),
        c.Answer("approved", shown=frozenset({(2, 0, 1)})),
    ):
        assert refused(story, early, ANN) == "no_open_task"


# -- contradictions

FIELDS: dict[str, Any] = {"approved": {"type": "boolean"}, "confirmed": {"type": "string"}}
FORM = TaskSpec(type=TaskType.FORM, outcomes=("submitted",), form={"type": "object", "properties": FIELDS})


@pytest.mark.parametrize(
    ("spec", "outcome", "data", "field"),
    [
        (TaskSpec(), "approved", {"approved": False}, "data.approved"),
        (TaskSpec(), "approved", {"acknowledged": False}, "data.acknowledged"),
        (TaskSpec(), "approved", {"approved": "false"}, "data.approved"),
        (TaskSpec(), "approved", {"approved": 0}, "data.approved"),
        (TaskSpec(), "rejected", {"approved": True}, "data.approved"),
        (TaskSpec(), "approved", {"rejected": True}, "data.rejected"),
        (TaskSpec(), "approved", {"outcome": "rejected"}, "data.outcome"),
        (TaskSpec(), "approved", {"decision": "reject"}, "data.decision"),
        (REVIEW, "changes_requested", {"approved": True}, "data.approved"),
        (REVIEW, "approved", {"outcome": "changes_requested"}, "data.outcome"),
        (FORM, "approved", {"approved": False}, "data.approved"),
        (FORM, "submitted", {"approved": False}, "data.approved"),
    ],
)
def test_contradictory_answer_is_refused_with_both_fields(
    spec: TaskSpec, outcome: str, data: dict[str, Any], field: str
) -> None:
    story = asked(spec)
    with pytest.raises(Invalid) as refusal:
        bare(story, full(story, outcome, data=data), ANN)
    assert (refusal.value.code, refusal.value.details["fields"]) == (
        "contradictory_answer",
        ["outcome", field],
    )


@pytest.mark.parametrize(
    ("spec", "outcome", "data"),
    [
        (TaskSpec(), "approved", {"approved": True, "acknowledged": "yes"}),
        (TaskSpec(), "rejected", {"approved": False, "why": "no"}),
        (TaskSpec(), "approved", {"outcome": "approve", "decision": "approved"}),
        (REVIEW, "changes_requested", {"approved": False}),
        (FORM, "submitted", {"confirmed": "no"}),
        (TaskSpec(), "approved", {"approved": "by hand"}),
    ],
)
def test_consistent_answer_is_accepted(spec: TaskSpec, outcome: str, data: dict[str, Any]) -> None:
    story = asked(spec)
    assert "Answered" in happened(bare(story, full(story, outcome, data=data), ANN))


# -- by search: one message, delivered any number of times in any order

PEOPLE = (ANN, OTTO, EMMA)
PLANS = (
    (STAGED, TaskSpec(), BOTH),
    (BOTH, replace(BOTH, stages=(replace(BOTH.stages[0], need=3, reject_after=3),))),
    (REVIEW, STAGED, REVIEW),
)


class Deliveries(RuleBasedStateMachine):
    """People read and answer, and the network delivers each answer never, once or often, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.story: Story | None = None
        self.messages: list[tuple[Actor, c.Answer, tuple[int, int, int]]] = []
        self.shown: dict[str, set[tuple[int, int, int]]] = {}
        self.counted: dict[int, list[tuple[int, int, int]]] = {}

    @precondition(lambda self: self.story is None)
    @rule(specs=st.sampled_from(PLANS), checked=st.booleans())
    def submit(self, specs: tuple[TaskSpec, ...], checked: bool) -> None:
        self.story = asked(*specs, checked=checked)

    @property
    def task(self) -> Task | None:
        held = self.story.intent.open if self.story else None
        return held if isinstance(held, Task) else None

    @precondition(lambda self: self.task is not None)
    @rule(by=st.sampled_from(PEOPLE))
    def look(self, by: Actor) -> None:
        assert self.task is not None
        self.shown.setdefault(by.id, set()).add(target_of(self.task))

    @precondition(lambda self: self.task is not None)
    @rule(
        by=st.sampled_from(PEOPLE),
        outcome=st.sampled_from(["approved", "rejected", "changes_requested"]),
        comment=st.sampled_from(["", "why"]),
    )
    def write(self, by: Actor, outcome: str, comment: str) -> None:
        """A message that names what its sender is shown."""
        assert self.task is not None
        task = self.task
        answer = c.Answer(
            outcome, task.step_run, comment, stage=task.stage, revision=task.revision, digest=task.digest
        )
        self.messages.append((by, answer, target_of(task)))

    @precondition(lambda self: self.task is not None)
    @rule(by=st.sampled_from(PEOPLE), outcome=st.sampled_from(["approved", "rejected"]))
    def write_unnamed(self, by: Actor, outcome: str) -> None:
        """An AXP client's message: it names nothing, and its sender does not read again before it has arrived."""
        assert self.task is not None
        self.look(by)
        answer = c.Answer(outcome, shown=frozenset(self.shown[by.id]))
        self.messages.append((by, answer, target_of(self.task)))

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        assert self.story is not None
        number = data.draw(st.integers(0, len(self.messages) - 1))
        by, answer, _ = self.messages[number]
        task = self.task
        try:
            change = bare(self.story, answer, by)
        except (Conflict, Forbidden, Invalid):
            return
        if any(isinstance(sealed.fact.event, Answered) for sealed in change.facts):
            assert task is not None
            self.counted.setdefault(number, []).append(target_of(task))

    @precondition(lambda self: self.task is not None)
    @rule(by=st.sampled_from(PEOPLE), digit=st.integers(0, 9))
    def revise(self, by: Actor, digit: int) -> None:
        assert self.story is not None
        try:
            bare(self.story, c.Revise(str(digit) * 64), by)
        except Refused:
            return

    @precondition(lambda self: self.story is not None and self.task is None)
    @rule()
    def work(self) -> None:
        assert self.story is not None
        try:
            self.story.do(c.Report(result={"passed": True}))
        except Refused:
            return

    @invariant()
    def one_message_is_at_most_one_vote_and_where_it_was_meant(self) -> None:
        for number, places in self.counted.items():
            assert places == [self.messages[number][2]]

    @invariant()
    def the_rows_fold(self) -> None:
        if self.story is not None:
            assert fold((s.fact for s in self.story.facts), self.story.plan) == replace(
                self.story.intent, head=""
            )

    @invariant()
    def reading_the_events_shows_what_is_asked(self) -> None:
        if self.story is None:
            return
        shown = None
        for sealed in self.story.facts:
            shown = target_after(shown, sealed.fact.event)
        assert shown == (target_of(self.task) if self.task else None)


Deliveries.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestDeliveries = Deliveries.TestCase


@pytest.mark.parametrize("clock", ["stands", "goes", "is set back"])
def test_digests_of_two_openings_of_a_task_differ(clock: str) -> None:
    """A digest includes the visit: nothing else may distinguish two openings, whose times and results can be equal."""
    again = AgentStep(id="go", agent=AGENT.address, on_failure="approve", on_success="end")
    story = Story(gate(approve(on_success="go"), again))
    broken = c.Report(fault=Failure("broken", "it broke"))
    seen: set[str] = set()
    for _ in range(4):
        mine = c.Answer("approved", digest=story.task.digest, shown=frozenset({(0, 0, 0)}))
        assert story.task.digest not in seen
        seen.add(story.task.digest)
        story.do(mine, ANN)
        story.now += {"stands": minutes(0), "goes": minutes(1), "is set back": -minutes(60)}[clock]
        story.do(broken)
        with pytest.raises(Conflict) as refused:
            story.do(mine, ANN)
        assert refused.value.code == "stale_revision"


def test_stage_passed_without_an_earlier_target_means_the_first_revision() -> None:
    assert target_after(None, StagePassed(step_run=2, stage=1)) == (2, 1, 1)
    assert target_after((2, 0, 4), StagePassed(step_run=2, stage=1)) == (2, 1, 4)


def test_answer_is_fully_targeted_only_with_digest_and_stage() -> None:
    assert names_all("d", 0)
    assert not names_all(None, 0)
    assert not names_all("d", None)


def result_of(story: Story, answer: c.Answer) -> object:
    """The result of an answer in this state: the next state, or the code of its refusal."""
    try:
        return advance(ANN, story.intent, answer, story.now, b"0123456789abcdef").after
    except Refused as refusal:
        return refusal.code


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("specs", [(TaskSpec(),), (STAGED,), (TaskSpec(), TaskSpec()), (REVIEW, STAGED)])
@pytest.mark.parametrize("passed", [0, 1])
@pytest.mark.parametrize("revised", [False, True])
def test_shown_state_counts_only_for_an_answer_without_a_full_target(
    specs: tuple[TaskSpec, ...], checked: bool, passed: int, revised: bool
) -> None:
    story = asked(*specs, checked=checked)
    if passed:
        bare(story, full(story), ANN)
    if isinstance(story.intent.open, Task) and revised:
        bare(story, c.Revise("0" * 64), EMMA if story.task.stage else OTTO)
    task = story.intent.open
    run, stage, digest = (task.step_run, task.stage, task.digest) if isinstance(task, Task) else (1, 0, "d")
    for step_run in (0, run, run + 1):
        for named in ({}, {"stage": stage}, {"revision": 1}, {"digest": digest}):
            answer = c.Answer("approved", step_run, **named)
            with_look = replace(answer, shown=frozenset({target_of(task)} if isinstance(task, Task) else ()))
            differs = result_of(story, answer) != result_of(story, with_look)
            assert not (differs and counts_unshown(story.intent, answer))
    one = isinstance(task, Task) and len(story.intent.plan.tasks[task.step].stages) == 1
    assert counts_unshown(story.intent, c.Answer("approved", run)) == (one and not revised)
