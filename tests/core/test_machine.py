"""Invariants hold for any sequence of commands and times (property-based)."""

from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, system
from signoff.core.errors import Refused
from signoff.core.intent import commands as c
from signoff.core.intent.answering_rights import waits_for
from signoff.core.intent.events import AttemptFailed, Offered, TaskOpened
from signoff.core.intent.evolve import fold
from signoff.core.intent.hash_chain import unseal, verify
from signoff.core.intent.model import Delivery, Failure, Task
from signoff.core.intent.worklist import keys_of, mine, section
from signoff.core.plan.plan import DelayStep, NotifyStep, Plan
from signoff.core.plan.task_types import TaskSpec, TaskType
from signoff.store.rows import intent_of, state_of
from tests.builders import (
    AGENT,
    ANN,
    OTHER_AGENT,
    OTTO,
    RITA,
    SAM,
    SERVICE,
    WORKSPACE,
    Story,
    approve,
    gate,
    minutes,
    validate,
)

REVIEW = TaskSpec(type=TaskType.REVIEW, outcomes=("approved", "changes_requested", "rejected"))
PLANS: list[Plan] = [
    gate(),
    gate(validate(), direct=True),
    gate(validate(max_retries=2, deadline=minutes(90)), approve(task=REVIEW), max_revisions=1),
    gate(
        validate(push=True, on_failure="ask"),
        DelayStep(id="pause", lasts=minutes(3)),
        NotifyStep(id="tell"),
        approve(id="ask", on_timeout="validate", on_failure="tell"),
    ),
]
ACTORS = [AGENT, OTHER_AGENT, SERVICE, ANN, OTTO, RITA, SAM, system(WORKSPACE)]


class Life(RuleBasedStateMachine):
    story: Story | None = None
    final_row: Any = None
    tokens: list[tuple[int, int]]

    @rule(plan=st.sampled_from(PLANS), deadline=st.none() | st.integers(1, 600))
    def submit(self, plan: Plan, deadline: int | None) -> None:
        if self.story is None:
            from tests.builders import START

            at: datetime | None = START + minutes(deadline) if deadline else None
            self.story = Story(plan, deadline_at=at)
            self.tokens = []

    def attempt(self, command: c.Command, actor: Actor) -> None:
        if self.story is None:
            return
        before, count = self.story.intent, len(self.story.facts)
        try:
            change = self.story.do(command, actor)
        except Refused:
            assert self.story.intent is before
            assert len(self.story.facts) == count
            return
        for sealed in change.facts:
            assert sealed.fact.at >= before.updated_at

    @rule(actor=st.sampled_from(ACTORS), length=st.integers(1, 600))
    def snooze(self, actor: Actor, length: int) -> None:
        if self.story is not None:
            self.attempt(c.Snooze(self.story.intent.updated_at + minutes(length)), actor)

    @rule(actor=st.sampled_from(ACTORS))
    def wake(self, actor: Actor) -> None:
        self.attempt(c.Unsnooze(), actor)

    @rule(actor=st.sampled_from(ACTORS), lease=st.integers(1, 30))
    def claim(self, actor: Actor, lease: int) -> None:
        self.attempt(c.Claim("worker", minutes(lease)), actor)
        held = self.story.intent.open if self.story else None
        if isinstance(held, Delivery) and held.token:
            self.tokens.append((held.step_run, held.token))

    @rule(data=st.data(), actor=st.sampled_from(ACTORS), fails=st.booleans(), retryable=st.booleans())
    def report(self, data: st.DataObject, actor: Actor, fails: bool, retryable: bool) -> None:
        if self.story is None:
            return
        step_run, token = data.draw(st.sampled_from([(0, 0), *self.tokens]))
        fault = Failure("boom", "it broke", retryable) if fails else None
        held = self.story.intent.open
        current = isinstance(held, Delivery) and held.token == token and held.lease_until is not None
        count = len(self.story.facts)
        self.attempt(c.Report(step_run, token, {"n": count}, fault), actor)
        if token and not current:
            assert len(self.story.facts) == count, "a stale token was accepted"

    @rule(data=st.data(), release=st.booleans())
    def renew_or_release(self, data: st.DataObject, release: bool) -> None:
        if self.story is None:
            return
        step_run, token = data.draw(st.sampled_from([(0, 0), *self.tokens]))
        self.attempt(c.Release(step_run, token) if release else c.Renew(step_run, token, minutes(5)), AGENT)

    @rule(accepted=st.booleans(), step_run=st.integers(1, 3), attempt=st.integers(1, 3))
    def pushed(self, accepted: bool, step_run: int, attempt: int) -> None:
        self.attempt(
            c.AcceptPush(step_run, attempt) if accepted else c.FailPush(step_run, attempt, "no answer"),
            system(WORKSPACE),
        )

    @rule(
        outcome=st.sampled_from(["approved", "rejected", "changes_requested", "maybe"]),
        actor=st.sampled_from(ACTORS),
    )
    def answer(self, outcome: str, actor: Actor) -> None:
        self.attempt(c.Answer(outcome), actor)

    @rule(
        actor=st.sampled_from(ACTORS),
        what=st.sampled_from([c.Cancel(), c.Resolve({"x": 1}), c.ReportProgress()]),
    )
    def from_outside(self, actor: Actor, what: c.Command) -> None:
        self.attempt(what, actor)

    @rule(seconds=st.integers(0, 40_000))
    def time_passes(self, seconds: int) -> None:
        if self.story is None:
            return
        change = self.story.tick(timedelta(seconds=seconds))
        assert change.wake_at is None or change.wake_at > self.story.now, "a wake-up stayed in the past"

    @invariant()
    def task_is_found_by_everyone_it_waits_for(self) -> None:
        task = self.story.intent.open if self.story else None
        if self.story is None or not isinstance(task, Task):
            return
        intent = self.story.intent
        for actor in ACTORS:
            if waits_for(actor, intent, task):
                assert not keys_of(intent).isdisjoint(mine(actor).keys[section(task, actor.id)])

    @invariant()
    def final_is_final(self) -> None:
        if self.story is None:
            return
        if self.final_row is not None:
            assert self.story.intent == self.final_row
        elif self.story.intent.final:
            self.final_row = self.story.intent
            assert self.story.intent.open is None
            assert self.story.intent.waiting is None

    @invariant()
    def the_fold_is_the_row_and_the_chain_holds(self) -> None:
        if self.story is None:
            return
        row = self.story.intent
        assert verify(self.story.rows, row.seq, row.head, row.id) is None
        folded = fold((unseal(body, private) for _, body, private, _ in self.story.rows), self.story.plan)
        assert _without_lease(replace(folded, head=row.head)) == _without_lease(row)

    @invariant()
    def a_row_says_all_of_it(self) -> None:
        if self.story is None:
            return
        intent = self.story.intent
        row = (intent.id, intent.plan_digest, state_of(intent))
        assert intent_of(row, {intent.plan_digest: intent.plan}) == intent

    @invariant()
    def attempts_are_neither_lost_nor_doubled(self) -> None:
        if self.story is None:
            return
        tried: dict[int, list[int]] = {}
        for sealed in self.story.facts:
            event = sealed.fact.event
            if isinstance(event, Offered):
                tried.setdefault(event.step_run, []).append(event.attempt)
            if isinstance(event, AttemptFailed):
                assert tried[event.step_run][-1] == event.attempt
        for attempts in tried.values():
            assert attempts == list(range(1, len(attempts) + 1))

    @invariant()
    def one_task_at_a_time_each_visit_once(self) -> None:
        if self.story is None:
            return
        opened = [s.fact.event.step_run for s in self.story.facts if isinstance(s.fact.event, TaskOpened)]
        assert len(opened) == len(set(opened))
        if isinstance(self.story.intent.open, Task):
            assert opened[-1] == self.story.intent.open.step_run


def _without_lease(intent: Any) -> Any:
    """Lease renewals are not kept as facts, so a lease's end may differ from the one folded from the history."""
    if isinstance(intent.open, Delivery) and intent.open.lease_until:
        return replace(intent, open=replace(intent.open, lease_until=intent.updated_at))
    return intent


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
