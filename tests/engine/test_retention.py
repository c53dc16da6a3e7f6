"""Retention deletes used keys after their time and final intents after their retention, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from signoff.core.intent import commands as c
from signoff.core.intent.model import FINAL, Failure, Status
from signoff.engine.clock import FixedClock
from signoff.engine.commit.retention import RetentionLoop
from signoff.store.rows import outgoing_row
from signoff.store.sql import OUTBOX, PUT_OUTGOING
from signoff.store.tables.messages import Message
from signoff.store.transaction import OutboxRow
from tests.builders import AGENT, ANN, RITA, SERVICE, SYSTEM, WORKSPACE, gate, validate
from tests.conftest import empty_store
from tests.engine.engine_env import PAYLOAD, EngineEnv, once

DAY = timedelta(days=1)


async def started(retention: RetentionLoop) -> RetentionLoop:
    """A loop that has run once; it deletes only after its clock has run steadily for a while."""
    assert await retention.once() == 60
    return retention


async def test_final_intents_are_deleted_after_their_retention_with_all_rows(env: EngineEnv) -> None:
    retention = await started(RetentionLoop(env.store, env.recent, env.clock, 30 * DAY))
    gone, kept, running = [await env.submit() for _ in range(3)]
    await env.do(gone.id, c.Cancel(), SERVICE)
    env.clock.move(2 * DAY)
    await env.do(kept.id, c.Cancel(), SERVICE)
    env.clock.move(29 * DAY)
    assert await retention.once() == 60
    assert await env.store.intents.ids() == sorted([kept.id, running.id])
    for table in ("events", "submissions"):
        assert await env.store.read(f"select 1 from {table} where intent_id = :id", id=gone.id) == []
    assert env.recent.get(gone.id) is None  # nor in memory, where it could still be followed
    assert await env.findings() == []


async def ended(env: EngineEnv, how: Status) -> str:
    """An intent with this ending."""
    late = env.clock.wall() + timedelta(hours=1) if how is Status.TIMED_OUT else None
    intent = await env.submit(gate(validate(), direct=True), deadline_at=late)
    if how is Status.TIMED_OUT:
        env.clock.move(timedelta(hours=1))
        await env.do(intent.id, c.Tick(), SYSTEM)
    elif how is Status.CANCELED:
        await env.do(intent.id, c.Cancel(), SERVICE)
    else:
        fault = Failure("boom", "it broke") if how is Status.FAILED else None
        await env.do(intent.id, c.Report(fault=fault), AGENT)
    return intent.id


@pytest.mark.parametrize("how", sorted(FINAL))
async def test_intent_is_deleted_whatever_its_ending(env: EngineEnv, how: Status) -> None:
    retention = await started(RetentionLoop(env.store, env.recent, env.clock, 30 * DAY))
    gone = await ended(env, how)
    assert await env.store.read("select status from intents") == [(how.value,)]
    env.clock.move(30 * DAY)
    await retention.once()
    assert await env.store.intents.ids() == [gone], "not before its time"
    env.clock.move(timedelta(hours=1))
    await retention.once()
    assert await env.store.intents.ids() == []


async def test_plan_is_deleted_a_day_after_its_last_intent(env: EngineEnv) -> None:
    retention = await started(RetentionLoop(env.store, env.recent, env.clock, 30 * DAY))
    gone = await env.submit()
    await env.do(gone.id, c.Cancel(), SERVICE)
    env.clock.move(31 * DAY)
    await retention.once()
    assert await env.store.read("select digest from plans") == [(gone.plan_digest,)]
    env.clock.move(DAY)
    assert await retention.once() == 60
    assert await env.store.read("select digest from plans") == []
    again = await env.submit()
    assert again.plan_digest == gone.plan_digest
    assert await env.findings() == []


async def test_nothing_is_deleted_without_a_retention(env: EngineEnv) -> None:
    intent = await env.submit()
    await env.do(intent.id, c.Cancel(), SERVICE)
    env.clock.move(10_000 * DAY)
    assert await RetentionLoop(env.store, env.recent, env.clock, None).once() == 60
    assert await env.store.intents.ids() == [intent.id]


async def test_stored_response_is_deleted_when_its_retention_is_over(
    env: EngineEnv, clock: FixedClock
) -> None:
    retention = await started(RetentionLoop(env.store, env.recent, env.clock, None))
    old = await env.submit(once=once("old"))
    await env.do(old.id, c.Cancel(), SERVICE)
    clock.move(timedelta(hours=47))
    new = await env.submit(by=ANN, once=once("new"))
    await retention.once()
    assert len(await env.store.read("select 1 from replies")) == 2
    clock.move(timedelta(hours=1))
    await retention.once()
    assert [row[0] for row in await env.store.read("select key from replies")] == ["new"]
    clock.move(timedelta(hours=48))
    await retention.once()
    assert len(await env.store.read("select 1 from replies")) == 1, "its intent is open"
    await env.do(new.id, c.Cancel(), ANN)
    clock.move(timedelta(hours=48))
    await retention.once()
    assert await env.store.read("select 1 from replies") == []


async def test_many_rows_are_deleted_in_bounded_sweeps(env: EngineEnv, clock: FixedClock) -> None:
    retention = await started(RetentionLoop(env.store, env.recent, env.clock, None))
    made = await asyncio.gather(*(env.submit(once=once(f"k{n}")) for n in range(1100)))
    await asyncio.gather(*(env.do(intent.id, c.Cancel(), SERVICE) for intent in made))
    clock.move(timedelta(hours=48))
    assert await retention.once() == 0.1
    assert len(await env.store.read("select 1 from replies")) == 100
    assert await retention.once() == 60


# -- how far the clock may be believed


class Machine(FixedClock):
    """A machine whose wall clock can be wrong while its monotonic clock is right."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__(clock.at)
        self.ran = 0.0

    def steady(self) -> float:
        return self.ran

    def run(self, by: timedelta) -> None:
        self.ran += by.total_seconds()
        self.move(by)


async def minutes_of(retention: RetentionLoop, clock: Machine, count: int) -> None:
    for _ in range(count):
        clock.run(timedelta(minutes=1))
        await retention.once()


@pytest.fixture
def machine(clock: FixedClock) -> Machine:
    return Machine(clock)


@pytest.fixture
async def on_machine(store_url: str, machine: Machine) -> AsyncIterator[EngineEnv]:
    async with empty_store(store_url, machine.wall, machine.of) as store:
        env = EngineEnv(store, machine)
        async with env.running():
            yield env


async def test_server_started_with_a_clock_months_ahead_deletes_nothing(
    on_machine: EngineEnv, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    env = on_machine
    done = await env.submit(once=once("key"))
    await env.do(done.id, c.Cancel(), SERVICE)
    machine.move(91 * DAY)  # a start with a wrong clock
    for _ in range(3):  # and another one, and one after something was written by it
        retention = RetentionLoop(env.store, env.recent, machine, 30 * DAY, DAY)
        await retention.once()
        await minutes_of(retention, machine, 100)
        await env.submit()
    machine.move(-91 * DAY)
    await minutes_of(retention, machine, 30)
    assert done.id in await env.store.intents.ids()
    assert len(await env.store.read("select 1 from replies")) == 1
    assert (await env.store.intents.get(done.id)).payload == PAYLOAD  # type: ignore[union-attr]
    assert "nothing is deleted until it has run steadily for 1d" in caplog.text


@pytest.mark.parametrize("jump", [91 * DAY, timedelta(hours=3), -91 * DAY])
async def test_clock_jump_while_the_server_runs_deletes_nothing_soon(
    on_machine: EngineEnv, machine: Machine, jump: timedelta
) -> None:
    env = on_machine
    retention = await started(RetentionLoop(env.store, env.recent, machine, timedelta(hours=1)))
    await minutes_of(retention, machine, 15)
    done = await env.submit()
    await env.do(done.id, c.Cancel(), SERVICE)
    await minutes_of(retention, machine, 1)
    machine.move(jump)
    await minutes_of(retention, machine, 9)
    assert await env.store.intents.ids() == [done.id]


async def test_steady_clock_deletes_what_is_due_and_counts_it(
    on_machine: EngineEnv, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    env = on_machine
    caplog.set_level("INFO")
    done = await env.submit()
    await env.do(done.id, c.Cancel(), SERVICE)
    retention = await started(RetentionLoop(env.store, env.recent, machine, timedelta(hours=1)))
    await minutes_of(retention, machine, 62)
    assert await env.store.intents.ids() == []
    assert "retention: deleted 1 final intents" in caplog.text
    swept = await env.store.retention.get()
    assert swept is not None
    assert (swept.intents, swept.payloads, swept.owed) == (1, 0, timedelta(0))


# -- what a clock that was ahead has put off


def _out(id: str, due: timedelta, env: EngineEnv, **fields: Any) -> OutboxRow:
    """A row of the outbox that is due after this delay."""
    given = {"seq": 1, "channel": "webhook", "target": "x", "kind": "service"} | fields
    at = env.clock.now() + due
    return OutboxRow(
        id, WORKSPACE, "01890000-0000-7000-8000-000000000000", notification=b"{}", due_at=at, **given
    )


async def _put(env: EngineEnv, *rows: OutboxRow, waits: str = "") -> None:
    """``waits``: the row waits for a person's working hours, like the message's own row."""
    for row in rows:
        await env.store.write((PUT_OUTGOING, dict(zip(OUTBOX.columns, outgoing_row(row), strict=True))))
        if row.target == ANN.id:
            at = row.due_at if row.id == waits else env.clock.now()
            message = Message(
                id=row.id,
                workspace=WORKSPACE,
                intent_id=row.intent,
                visit=1,
                seq=1,
                kind="task_opened",
                person=ANN.id,
                channel=row.channel,
                at=at,
                called_at=env.clock.now(),
            )
            await env.store.messages.end([], (), [message])
            await env.store.write((PUT_OUTGOING, dict(zip(OUTBOX.columns, outgoing_row(row), strict=True))))


async def test_clock_that_was_ahead_delays_nothing(
    on_machine: EngineEnv, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    env = on_machine
    await env.somewhere(SERVICE)
    machine.move(3 * DAY)
    await RetentionLoop(env.store, env.recent, machine, None).once()
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    await _put(
        env,
        _out("new", timedelta(0), env),
        _out("again", hour, env, attempts=3),
        _out("push", minute, env, channel="push", kind="push"),
        _out("taken", minute, env, channel="email", target=ANN.id, kind="person"),
        _out("tried", hour, env, channel="email", target=ANN.id, kind="person", attempts=1),
        _out("morning", 9 * hour, env, channel="email", target=ANN.id, kind="person"),
        _out("news", 7 * DAY, env, channel="proposal", target="", seq=0, kind="admin"),
        waits="morning",
    )
    machine.move(-3 * DAY + minute)  # a minute later it is set right
    before = machine.now()
    await RetentionLoop(env.store, env.recent, machine, None).once()
    due = {row.id: row.due_at - before for row in await env.store.outbox.page("", 100)}
    assert {id: wait for id, wait in due.items() if wait <= timedelta(0)} == {"new": timedelta(0)}
    assert {due["push"], due["taken"]} == {minute}
    assert {due["again"], due["tried"]} == {hour}
    assert due["morning"] == 3 * DAY + 9 * hour - minute, "a moment of somebody's calendar"
    assert due["news"] == 10 * DAY - minute
    assert "The clock jumped back by 2d 23h:" in caplog.text


async def test_clock_that_was_ahead_leaves_no_step_backing_off(
    on_machine: EngineEnv, machine: Machine
) -> None:
    env = on_machine
    intent = await env.submit()
    machine.move(3 * DAY)
    await RetentionLoop(env.store, env.recent, machine, None).once()
    await env.claim()
    await env.pass_time(timedelta(minutes=1))
    machine.move(-3 * DAY)
    await RetentionLoop(env.store, env.recent, machine, None).once()
    await env.keep_time()
    assert (await env.happened(intent.id))[-1] == "Offered"
    assert len(await env.claim()) == 1
    assert await env.findings() == []


# -- payloads before decisions


async def test_payloads_are_deleted_before_their_decisions(env: EngineEnv) -> None:
    retention = await started(RetentionLoop(env.store, env.recent, env.clock, 90 * DAY, 7 * DAY))
    done, open_ = await env.submit(by=RITA), await env.submit()
    await env.do(done.id, c.Report(result={"passed": True}))
    await env.do(done.id, c.Answer("approved", comment="fine"), ANN)
    env.clock.move(8 * DAY)
    await retention.once()
    gone, kept = await env.store.intents.get(done.id), await env.store.intents.get(open_.id)
    assert gone is not None
    assert kept is not None
    assert (gone.payload, gone.forgotten) == (b"{}", True)
    assert (kept.payload, kept.forgotten) == (PAYLOAD, False)
    assert len(await env.happened(done.id)) > 4
    assert await env.findings() == []
    env.clock.move(83 * DAY)
    await retention.once()
    assert await env.store.intents.ids() == [open_.id]


async def test_intent_with_unsent_messages_is_not_deleted(env: EngineEnv) -> None:
    retention = await started(RetentionLoop(env.store, env.recent, env.clock, DAY))
    done = await env.submit()
    await env.do(done.id, c.Cancel(), SERVICE)
    out = OutboxRow(
        "o", done.workspace, done.id, 1, "service", "webhook", "x", b"{}", env.clock.now() + 9 * DAY
    )
    await env.store.write((PUT_OUTGOING, dict(zip(OUTBOX.columns, outgoing_row(out), strict=True))))
    env.clock.move(2 * DAY)
    await retention.once()
    assert await env.store.intents.ids() == [done.id]
    await env.store.outbox.done([out])
    env.clock.move(DAY)
    await retention.once()
    assert await env.store.intents.ids() == []
