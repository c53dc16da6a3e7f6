"""Due work runs once after the clock moves, for many intents too."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict, Forbidden
from signoff.core.intent import commands as c
from signoff.core.intent.model import Delivery, DeliveryState, Failure, Status, Task
from signoff.core.plan.plan import DelayStep, NotifyStep
from signoff.core.plan.task_types import Stage
from signoff.engine.clock import FixedClock
from signoff.store.rows import micros
from tests.builders import ANN, OTTO, SERVICE, START, SYSTEM, approve, gate, minutes, validate
from tests.engine.engine_env import EngineEnv, open_engine_env

SECOND = timedelta(seconds=1)


@pytest.fixture
async def replica(env: EngineEnv, store_url: str) -> AsyncIterator[EngineEnv]:
    """A second server on the same database; on SQLite, a second timekeeper of the same server."""
    if store_url.startswith("sqlite"):
        yield env
        return
    other = await open_engine_env(store_url, env.clock)
    async with other.running():
        yield other
    await other.store.close()


async def test_reminders_come_when_due_and_no_more_often(env: EngineEnv) -> None:
    intent = await env.submit(gate(approve()))
    for reminded in (0, 1, 2, 3, 3):
        task = (await env.intent(intent.id)).open
        assert isinstance(task, Task)
        assert task.reminded == reminded
        await env.pass_time(minutes(5) - SECOND)
        assert (await env.happened(intent.id)).count("Reminded") == reminded
        await env.pass_time(SECOND)
    assert await env.findings() == []


async def test_escalation_lets_the_next_person_decide_when_due(env: EngineEnv) -> None:
    plan = gate(approve(task=replace(approve().task, stages=(Stage((ANN.id,)),))))
    intent = await env.submit(plan)
    with pytest.raises(Forbidden, match="not among those"):
        await env.do(intent.id, c.Answer("approved"), OTTO)
    await env.pass_time(minutes(30))
    assert (await env.happened(intent.id)).count("Escalated") == 1
    assert (await env.do(intent.id, c.Answer("approved"), OTTO)).after.status is Status.COMPLETED


async def test_outage_results_in_one_reminder_and_one_escalation(env: EngineEnv) -> None:
    intent = await env.submit(gate(approve()))
    await env.pass_time(minutes(200))
    happened = await env.happened(intent.id)
    assert (happened.count("Reminded"), happened.count("Escalated")) == (1, 1)


async def test_deadline_ends_the_wait_and_the_timer(env: EngineEnv) -> None:
    intent = await env.submit(gate(approve()))
    await env.pass_time(minutes(480))
    assert (await env.intent(intent.id)).status is Status.FAILED
    assert (await env.happened(intent.id))[-2:] == ["Decided", "Failed"]
    assert await env.store.intents.next_wake() is None
    with pytest.raises(Conflict) as refusal:
        await env.do(intent.id, c.Answer("approved"), ANN)
    assert (refusal.value.code, refusal.value.details["ending"]) == ("already_decided", "expired")


async def test_expired_lease_is_offered_again_until_attempts_are_exhausted(
    env: EngineEnv,
) -> None:
    intent = await env.submit(gate(validate(max_attempts=2)))
    [first] = await env.claim(lease=minutes(1))
    await env.pass_time(minutes(1) - SECOND)
    assert await env.claim() == []
    await env.pass_time(SECOND)
    resting = (await env.intent(intent.id)).open
    assert isinstance(resting, Delivery)
    assert resting.state is DeliveryState.BACKING_OFF
    assert await env.claim() == []
    await env.pass_time(SECOND)
    [second] = await env.claim(lease=minutes(1))
    held, old = second.after.open, first.after.open
    assert isinstance(held, Delivery)
    assert isinstance(old, Delivery)
    assert (held.attempt, held.token > old.token) == (2, True)
    with pytest.raises(Conflict) as refusal:
        await env.do(intent.id, c.Report(1, old.token, {"late": True}))
    assert refusal.value.code == "stale_delivery"
    await env.pass_time(minutes(1))
    ended = await env.intent(intent.id)
    assert ended.status is Status.FAILED
    assert ended.fault is not None
    assert ended.fault.code == "delivery_failed"
    assert await env.findings() == []


async def test_renewed_lease_runs_from_its_renewal(env: EngineEnv, clock: FixedClock) -> None:
    intent = await env.submit()
    [claimed] = await env.claim(lease=minutes(1))
    held = claimed.after.open
    assert isinstance(held, Delivery)
    for _ in range(3):
        await env.pass_time(minutes(0.9))
        await env.do(intent.id, c.Renew(1, held.token, minutes(1)))
    assert await env.findings() == []
    done = await env.do(intent.id, c.Report(1, held.token, {"passed": True}))
    assert done.after.status is Status.WAITING
    assert "AttemptFailed" not in await env.happened(intent.id)


async def test_failed_step_is_retried_after_its_back_off(env: EngineEnv) -> None:
    intent = await env.submit(gate(validate(max_retries=1, retry_delay=minutes(2))))
    await env.do(intent.id, c.Report(fault=Failure("boom", "no", True)))
    await env.pass_time(minutes(2) - SECOND)
    assert await env.claim() == []
    await env.pass_time(SECOND)
    [again] = await env.claim()
    assert isinstance(again.after.open, Delivery)
    assert again.after.open.attempt == 2


async def test_delay_ends_and_the_following_steps_run(env: EngineEnv) -> None:
    steps = (
        DelayStep(id="pause", lasts=minutes(10)),
        NotifyStep(id="tell", to=("ops",), message="go"),
        approve(),
    )
    intent = await env.submit(gate(*steps))
    await env.pass_time(minutes(10) - SECOND)
    assert isinstance((await env.intent(intent.id)).open, Task) is False
    await env.pass_time(SECOND)
    assert isinstance((await env.intent(intent.id)).open, Task)


async def test_deadline_of_the_intent_ends_it_at_any_step(env: EngineEnv, clock: FixedClock) -> None:
    plans = [gate(), gate(approve()), gate(DelayStep(id="pause", lasts=minutes(300)))]
    intents = [await env.submit(plan, deadline_at=clock.now() + minutes(60)) for plan in plans]
    await env.pass_time(minutes(60))
    assert [(await env.intent(i.id)).status for i in intents] == [Status.TIMED_OUT] * 3


async def test_pause_lasts_until_the_next_timer_and_at_most_half_a_second(env: EngineEnv) -> None:
    assert await env.timekeeper.once() == 0.5
    await env.submit(gate(DelayStep(id="pause", lasts=timedelta(seconds=0.2))))
    assert await env.timekeeper.once() == pytest.approx(0.2)


async def test_thousand_tasks_due_at_once_are_each_reminded_once(env: EngineEnv, replica: EngineEnv) -> None:
    plan = gate(approve())
    intents = await asyncio.gather(*(env.submit(plan) for _ in range(1000)))
    env.clock.move(minutes(5))
    # both replicas, each with two turns under way at a time, as no single server would have
    for _ in range(30):
        await asyncio.gather(*(w.timekeeper.once() for w in (env, env, replica, replica)))
        due = await env.store.intents.next_wake()
        if due is not None and due > env.clock.now():
            break
    stored = {intent.id: await env.store.intents.get(intent.id) for intent in intents}
    tasks = [one.intent.open for one in stored.values()]
    assert len(tasks) == 1000
    assert {(task.reminded, task.reminded_at) for task in tasks if isinstance(task, Task)} == {
        (1, env.clock.now())
    }
    assert {one.intent.seq for one in stored.values()} == {intents[0].seq + 1}
    assert await env.findings() == []


async def test_tick_at_a_wrong_time_does_nothing(env: EngineEnv) -> None:
    intent = await env.submit()
    before = await env.happened(intent.id)
    await env.do(intent.id, c.Tick(), SYSTEM)
    assert await env.happened(intent.id) == before
    await env.do(intent.id, c.Cancel(), SERVICE)
    ended = await env.happened(intent.id)
    await env.pass_time(minutes(10_000))
    await env.do(intent.id, c.Tick(), SYSTEM)
    assert await env.happened(intent.id) == ended


async def test_intent_woken_too_early_is_woken_again_when_due(env: EngineEnv) -> None:
    # as where a zone has other rules than when the moment was worked out: at its head, it would hold up all others
    intent = await env.submit(gate(approve()))
    early = micros(env.clock.now() - minutes(1))
    await env.store.write(
        ("update intents set wake_at = :early where id = :id", {"early": early, "id": intent.id})
    )
    assert await env.keep_time() == 2
    assert await env.store.intents.next_wake() == env.clock.now() + minutes(5)
    assert await env.happened(intent.id) == ["Created", "TaskOpened"]
    assert await env.findings() == []


class Slow(FixedClock):
    """A machine whose clock is five minutes behind its database's."""

    def of(self, database_time: datetime) -> datetime:
        return self.now() + minutes(5)


async def test_due_timers_are_judged_by_the_databases_clock(tmp_path: Path) -> None:
    slow = await open_engine_env(f"sqlite:///{tmp_path}/own.db", Slow(START))
    async with slow.running():
        intent = await slow.submit(gate(approve()))
        slow.clock.move(minutes(5))
        await slow.timekeeper.once()
        assert (await slow.happened(intent.id)).count("Reminded") == 1
    await slow.store.close()


@pytest.mark.parametrize("damage", ["state = :bytes", "plan = 'nowhere'"])
async def test_unreadable_row_does_not_stop_other_timers(env: EngineEnv, damage: str) -> None:
    damaged, sound = [await env.submit(gate(approve())) for _ in range(2)]
    values = {"id": damaged.id} | ({"bytes": b"{"} if ":bytes" in damage else {})
    await env.store.write((f"update intents set {damage} where id = :id", values))
    await env.pass_time(minutes(5))
    assert (await env.happened(sound.id))[-1] == "Reminded"
    assert await env.store.intents.next_wake() == env.clock.now() + minutes(1)
    assert [finding.problem for finding in await env.findings()] == ["its state or its plan cannot be read"]


@pytest.mark.parametrize("due", ["reminder", "deadline"])
async def test_intent_that_cannot_be_ticked_does_not_stop_other_timers(env: EngineEnv, due: str) -> None:
    damaged = await env.submit(gate(approve(deadline=minutes(4) if due == "deadline" else None)))
    sound = await env.submit(gate(approve()))
    [[state]] = await env.store.read("select state from intents where id = :id", id=damaged.id)
    broken = bytes(state).replace(b'"step":"approve"', b'"step":"nowhere"')
    assert broken != bytes(state)
    await env.store.write(
        ("update intents set state = :state where id = :id", {"state": broken, "id": damaged.id})
    )
    await env.pass_time(minutes(5))
    task = (await env.intent(sound.id)).open
    assert isinstance(task, Task)
    assert task.reminded == 1
