"""Totals of tables for metrics, equal on both databases."""

from collections import Counter
from datetime import timedelta

from signoff.core.directory.workers import Worker
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.plan.task_types import TaskSpec
from signoff.store.store import Store
from signoff.store.tables.totals import SEVERAL, QueuedMessages
from signoff.store.transaction import Locks, Writes
from tests.conftest import NOON
from tests.store.samples import NOTHING, WS, final, intent, leave, move, outgoing, submit, waiting


def plan(*policies: str) -> Plan:
    steps = (
        HumanStep(id=f"approve{number or ''}", task=TaskSpec(policy=policy))
        for number, policy in enumerate(policies)
    )
    return Plan(steps=tuple(steps))


async def test_open_tasks_are_counted_by_policy_across_versions(store: Store) -> None:
    prod = [waiting(plan=plan("prod@1")), waiting(plan=plan("prod@2")), waiting(plan=plan("prod@2"))]
    several = waiting(plan=plan("prod@2", "refunds@1"))
    elsewhere = waiting(plan=plan("prod@2"), workspace="wsp_2")
    first, *_ = await submit(store, *prod, several, waiting(plan=plan("")), intent(), elsewhere)
    assert await store.totals.open_tasks(WS) == Counter({"prod": 3, SEVERAL: 1, "": 1})
    await store.transact(Locks(ids=(first.id,)), leave(move(final(first))))
    assert (await store.totals.open_tasks(WS))["prod"] == 2


async def test_waiting_messages_are_counted_by_channel_and_state(store: Store) -> None:
    one, two = NOON, NOON + timedelta(seconds=5)
    rows = [outgoing(intent(), name, at) for name, at in (("a", two), ("b", one), ("c", two), ("d", two))]
    await store.transact(NOTHING, leave(Writes(outbox=rows)))
    await store.outbox.again(rows[2], two, "no answer")
    await store.outbox.dead(rows[3], "gone")
    found = {(row.channel, row.state): row for row in await store.totals.outbox()}
    assert found["email", "waiting"] == QueuedMessages(WS, "email", "waiting", 2, one)
    assert [found["email", state].count for state in ("retrying", "dead")] == [1, 1]


async def test_last_claim_of_each_agent_is_the_latest_time(store: Store) -> None:
    late = NOON + timedelta(minutes=3)
    await store.workers.put(
        [(WS, Worker("agent://a/b/c", NOON, "x")), ("wsp_2", Worker("agent://a/b/c", late, "x"))]
    )
    assert await store.totals.seen() == {(WS, "agent://a/b/c"): NOON, ("wsp_2", "agent://a/b/c"): late}
