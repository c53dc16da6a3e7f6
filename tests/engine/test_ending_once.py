"""A task that is ended in several ways at once, on several servers, ends once."""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from signoff.core.directory.actors import Actor
from signoff.core.errors import Refused
from signoff.core.intent import commands as c
from signoff.core.intent.events import Canceled, Completed, Decided, Failed, TimedOut
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Task
from signoff.engine.commit.engine import Engine
from tests.builders import ANN, OTTO, SERVICE, SYSTEM, approve, gate
from tests.engine.engine_env import PAYLOAD, EngineEnv, open_engine_env

ROUNDS = 60
LASTS = timedelta(hours=1)


@pytest.fixture
async def servers(env: EngineEnv, store_url: str) -> AsyncIterator[list[EngineEnv]]:
    """Two servers on one PostgreSQL; one server on SQLite."""
    if store_url.startswith("sqlite"):
        yield [env]
        return
    other = await open_engine_env(store_url, env.clock)
    async with other.running():
        yield [env, other]
    await other.store.close()


async def act(engine: Engine, intent_id: str, revised: bytes, command: c.Command, by: Actor) -> None:
    if isinstance(command, c.Revise):
        await engine.revise(by, intent_id, command, PAYLOAD, revised)
    else:
        await engine.handle(by, intent_id, command)


async def test_concurrent_ending_commands_end_a_task_once(env: EngineEnv, servers: list[EngineEnv]) -> None:
    dice, ends = random.Random(7), Counter[str]()
    await env.do((await env.submit()).id, c.Cancel("to begin with"), SERVICE)
    for number in range(ROUNDS):
        intent = await env.submit(gate(approve(deadline=LASTS)))
        assert isinstance(intent.open, Task)
        digest = intent.open.digest
        env.clock.move(LASTS if dice.random() < 0.3 else LASTS / 4)  # past the deadline, or before it
        revised = b'{"number":%d}' % number
        acts: list[Any] = [
            (c.Answer("approved", digest=digest), ANN),
            (c.Answer("rejected", digest=digest), OTTO),
            (c.Cancel("not needed"), SERVICE),
            (c.Revise(hashlib.sha256(revised).hexdigest()), ANN),
            (c.ReportUnreachable(1, "nobody"), SYSTEM),
            (c.Tick(), SYSTEM),
        ]
        told = await asyncio.gather(
            *(act(dice.choice(servers).engine, intent.id, revised, *one) for one in dice.sample(acts, 4)),
            return_exceptions=True,
        )
        assert all(isinstance(one, Refused) for one in told if isinstance(one, BaseException)), told
        await env.keep_time()
        if not (await env.intent(intent.id)).final:
            await env.pass_time(LASTS)
        rows = await env.store.intents.history(intent.id)
        events = [unseal(row.body, row.private).event for row in rows]
        [decided] = [event for event in events if isinstance(event, Decided)]
        assert (
            len([event for event in events if isinstance(event, Canceled | Completed | Failed | TimedOut)])
            == 1
        )
        ends[decided.ending.value] += 1
    assert len(ends) >= 3, f"nearly always the same was first: {ends}"
    assert await env.findings() == []
