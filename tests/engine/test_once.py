"""An answer is one vote: sent twenty times at once, after a lost response, or to another server. On both databases."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict
from signoff.core.intent import commands as c
from signoff.core.intent.answer_target import target_of
from signoff.core.intent.model import Intent, Status, Task
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Stage, TaskSpec
from signoff.engine.clock import FixedClock
from signoff.engine.commit.engine import Engine
from signoff.engine.commit.recent import RecentCommits
from signoff.store.store import Store
from signoff.store.tables.showings import ShownTargets
from tests.builders import ANN, OTTO, START, gate
from tests.conftest import delete_rows
from tests.engine.engine_env import PAYLOAD, EngineEnv, open_engine_env

STAGED = TaskSpec(stages=(Stage(("per_ann", "per_otto")), Stage(("per_ann",))))


@pytest.fixture
async def pair(store_url: str) -> AsyncIterator[tuple[EngineEnv, EngineEnv]]:
    """Two servers on one PostgreSQL; on SQLite, one server twice."""
    clock = FixedClock(START)
    async with AsyncExitStack() as stack:
        one = await open_engine_env(store_url, clock)
        stack.push_async_callback(one.store.close)
        if store_url.startswith("postgresql"):  # shared with the tests before
            await delete_rows(one.store)
        await stack.enter_async_context(one.running())
        two = one
        if store_url.startswith("postgresql"):
            two = await open_engine_env(store_url, clock)
            stack.push_async_callback(two.store.close)
            await stack.enter_async_context(two.running())
        yield one, two


def full(intent: Intent, outcome: str = "approved") -> c.Answer:
    task = intent.open
    assert isinstance(task, Task)
    return c.Answer(outcome, task.step_run, stage=task.stage, revision=task.revision, digest=task.digest)


async def asked(env: EngineEnv, *specs: TaskSpec) -> Intent:
    steps = [HumanStep(id=f"ask{n}", task=spec) for n, spec in enumerate(specs)]
    return await env.submit(gate(*steps))


async def test_twenty_concurrent_equal_answers_are_one_vote_with_twenty_responses(
    pair: tuple[EngineEnv, EngineEnv],
) -> None:
    one, two = pair
    intent = await asked(one, STAGED)
    answer = full(intent)
    sent = [(one, two)[n % 2].engine.handle(ANN, intent.id, answer) for n in range(20)]
    done = await asyncio.gather(*sent)
    assert [d.change.repeated for d in done if d.change].count(False) == 1
    events = await one.happened(intent.id)
    assert (events.count("Answered"), events.count("StagePassed")) == (1, 1)
    task = (await one.intent(intent.id)).open
    assert isinstance(task, Task)
    assert task.stage == 1


async def test_repeated_answer_after_the_decision_gets_the_first_response(
    pair: tuple[EngineEnv, EngineEnv],
) -> None:
    one, two = pair
    intent = await asked(one, TaskSpec())
    answer = replace(full(intent), comment="fine", data={"n": 1})
    await one.engine.handle(ANN, intent.id, answer)
    again = await two.engine.handle(ANN, intent.id, answer)
    assert again.change is not None
    assert (again.change.repeated, again.change.facts, again.change.after.status) == (
        True,
        [],
        Status.COMPLETED,
    )
    for other in (
        replace(answer, comment="else"),
        replace(answer, data={}),
        replace(answer, outcome="rejected"),
    ):
        with pytest.raises(Conflict):
            await two.engine.handle(ANN, intent.id, other)
    with pytest.raises(Conflict):
        await two.engine.handle(OTTO, intent.id, answer)
    assert (await one.happened(intent.id)).count("Answered") == 1


async def test_task_shown_by_one_server_is_known_to_the_other(pair: tuple[EngineEnv, EngineEnv]) -> None:
    one, two = pair
    intent = await asked(one, TaskSpec(), TaskSpec())
    unnamed = c.Answer("approved")
    await one.engine.handle(ANN, intent.id, unnamed)
    for env in pair:
        with pytest.raises(Conflict, match="have not been shown"):
            await env.engine.handle(ANN, intent.id, unnamed)
    task = (await one.intent(intent.id)).open
    assert isinstance(task, Task)
    await one.engine.record_shown(OTTO, [(intent.id, target_of(task))])
    with pytest.raises(Conflict, match="have not been shown"):  # it was somebody else
        await two.engine.handle(ANN, intent.id, unnamed)
    await one.engine.record_shown(ANN, [(intent.id, target_of(task))])
    done = await two.engine.handle(ANN, intent.id, unnamed)
    assert done.change is not None
    assert done.change.after.status is Status.COMPLETED


class AloneEnv(EngineEnv):
    """A server that trusts its own last commits, on either database."""

    def __init__(self, store: Store, clock: FixedClock) -> None:
        super().__init__(store, clock)
        self.recent = RecentCommits(alone=True)
        self.engine = Engine(self.committer, clock, self.directory, store, self.recent)


class Looked(ShownTargets):
    """Counts how often the records of who was shown what are read."""

    reads = 0

    async def of(self, intent_id: str, person: str) -> frozenset[tuple[int, int, int]]:
        self.reads += 1
        return await super().of(intent_id, person)


async def test_shown_state_is_read_only_for_answers_that_depend_on_it(store: Store) -> None:
    store.showings = looked = Looked(store)
    env = AloneEnv(store, FixedClock(START))
    async with env.running():
        one, two = await asked(env, TaskSpec()), await asked(env, STAGED)
        await env.engine.handle(ANN, one.ref(1), c.Answer("approved"))
        assert looked.reads == 0
        await env.engine.handle(ANN, two.ref(1), c.Answer("approved"))
        assert looked.reads == 1


async def test_answer_to_a_revision_of_another_server_requires_that_it_was_shown(
    store: Store,
) -> None:
    one, other = AloneEnv(store, FixedClock(START)), EngineEnv(store, FixedClock(START))
    async with one.running(), other.running():
        intent = await asked(one, TaskSpec())
        task = intent.ref(1)
        after = b'{"change":"drop_index"}'
        digest = hashlib.sha256(after).hexdigest()
        await other.engine.revise(OTTO, task, c.Revise(digest), PAYLOAD, after)
        with pytest.raises(Conflict) as refusal:
            await one.engine.handle(ANN, task, c.Answer("approved"))
        assert refusal.value.code == "not_shown"
        held = (await one.intent(intent.id)).open
        assert isinstance(held, Task)
        await other.engine.record_shown(ANN, [(intent.id, target_of(held))])
        done = await one.engine.handle(ANN, task, c.Answer("approved"))
        assert done.change is not None
        assert done.change.after.status is Status.COMPLETED
