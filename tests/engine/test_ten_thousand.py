"""Ten thousand open tasks with three reminders each: all reminders of a minute are sent in that minute, and no task
costs memory. The benchmarks measure the speed.
"""

import asyncio
import gc
import tracemalloc
from collections import Counter
from pathlib import Path

from msgspec.structs import replace

from signoff.core.plan.schedules import Reminders
from signoff.engine.clock import FixedClock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.notify.service_message import ServiceMessage
from tests.builders import ANN, OTTO, RITA, START, approve, gate, minutes
from tests.engine.engine_env import EngineEnv, open_engine_env, settle

GATES, FIRST, MORE = 10_000, 2_000, 2_000  # after so many whatever is remembered for speed is full


class Transition:
    """A channel that counts what it sends."""

    targets = ("https://hook.example",)

    def __init__(self) -> None:
        self.sent: Counter[tuple[str, int]] = Counter()

    async def send(self, message: ServiceMessage, target: str) -> None:
        self.sent[message.notification.kind.value, message.notification.number] += 1

    async def close(self) -> None:
        """Nothing to close."""


async def ask(env: EngineEnv, count: int) -> None:
    """Open this many tasks through the committer, all with reminders at the same minutes; each sends a message at
    once.
    """
    task = replace(approve().task, remind=Reminders(minutes(5), minutes(5), 3), escalate=())
    plan = gate(approve(task=task, deadline=None))
    for _ in range(count // 500):
        await asyncio.gather(*(env.submit(plan) for _ in range(500)))
        await env.carry_all()


async def test_reminders_of_one_minute_are_sent_within_it_and_waiting_tasks_use_no_memory(
    tmp_path: Path,
) -> None:
    ledger = Transition()
    env = await open_engine_env(
        f"sqlite:///{tmp_path / 'gates.db'}",
        FixedClock(START),
        ChannelRegistry({"webhook": ledger}),
    )
    async with env.running():
        announcing = asyncio.create_task(env.feed.run())
        await settle(env, people=(ANN, OTTO, RITA))
        tracemalloc.start()
        await ask(env, FIRST)
        before = held()
        await ask(env, MORE)
        each = (held() - before) / MORE
        tracemalloc.stop()
        await ask(env, GATES - FIRST - MORE)
        assert each < 100, f"{each:.0f} bytes are kept for each gate"
        for number in (1, 2, 3, 4):
            env.clock.move(minutes(5))
            await env.keep_time()
            await env.carry_all()
            assert ledger.sent["task.reminder", number] == (GATES if number < 4 else 0)
        assert sum(ledger.sent.values()) == 4 * GATES
        assert await env.store.outbox.counts() == {"waiting": 0, "dead": 0}
        announcing.cancel()
    await env.store.close()


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
