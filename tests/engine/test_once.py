"""One sent answer is one vote: twenty at once, after a lost reply, on another server. On both databases."""

import asyncio
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
from tests.builders import ANN, OTTO, START, gate
from tests.conftest import TABLES
from tests.engine.engine_env import EngineEnv, open_engine_env

STAGED = TaskSpec(stages=(Stage(("per_ann", "per_otto")), Stage(("per_ann",))))


@pytest.fixture
async def pair(store_url: str) -> AsyncIterator[tuple[EngineEnv, EngineEnv]]:
    """Two servers on one database (one, twice, where the database is of one process)."""
    clock = FixedClock(START)
    async with AsyncExitStack() as stack:
        one = await open_engine_env(store_url, clock)
        stack.push_async_callback(one.store.close)
        if store_url.startswith("postgresql"):  # shared with the tests before
            await one.store.write(*((f"delete from {table}", {}) for table in TABLES))
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


async def test_twenty_of_the_same_at_once_are_one_vote_and_twenty_answers(
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


async def test_after_it_was_decided_the_same_answer_is_answered_like_the_first(
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


async def test_what_was_shown_on_one_server_is_known_on_the_other(pair: tuple[EngineEnv, EngineEnv]) -> None:
    one, two = pair
    intent = await asked(one, TaskSpec(), TaskSpec())
    unnamed = c.Answer("approved")
    await one.engine.handle(ANN, intent.id, unnamed)
    for env in pair:
        with pytest.raises(Conflict, match="have not been shown"):
            await env.engine.handle(ANN, intent.id, unnamed)
    task = (await one.intent(intent.id)).open
    assert isinstance(task, Task)
    await one.engine.show(OTTO, [(intent.id, target_of(task))])
    with pytest.raises(Conflict, match="have not been shown"):  # it was somebody else
        await two.engine.handle(ANN, intent.id, unnamed)
    await one.engine.show(ANN, [(intent.id, target_of(task))])
    done = await two.engine.handle(ANN, intent.id, unnamed)
    assert done.change is not None
    assert done.change.after.status is Status.COMPLETED
