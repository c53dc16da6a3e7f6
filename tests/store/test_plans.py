"""A plan is deleted a day after its last use, and never while an intent that uses it is being created."""

import asyncio
from datetime import datetime, timedelta

import asyncpg

from signoff.core.directory.model import NamedWorkflow, Workspace
from signoff.core.intent.model import Intent
from signoff.core.plan.plan import AgentStep, Plan
from signoff.store.dialect import for_postgres
from signoff.store.opening import open_store
from signoff.store.rows import TRUST, Plans, encode_plan, micros, plan_digest
from signoff.store.sql import PUT_PLAN
from signoff.store.store import Store
from tests.conftest import NOON, FixedClock
from tests.store.samples import AGENT, PLAN, SECOND, WS, final, submit, waiting

DAY = timedelta(days=1)
OWN = Plan(steps=(AgentStep(id="only_here", agent=AGENT),))
PUT, ORDER = for_postgres(PUT_PLAN)


async def stored(store: Store) -> set[str]:
    return {row[0] for row in await store.read("select digest from plans")}


async def marked(store: Store) -> int:
    return len(await store.read("select 1 from plans where forget_at is not null"))


async def orphan(store: Store, clock: FixedClock, plan: Plan = OWN) -> None:
    """A plan whose only intent was deleted more than a day ago."""
    await submit(store, final(waiting(clock.at - SECOND, plan=plan)))
    assert await store.intents.forget(clock.at, 10) == 1
    clock.move(DAY)


async def readable(store: Store, intent: Intent) -> bool:
    found = await store.intents.get(intent.id)
    return found is not None and found.intent.plan == intent.plan


async def test_plan_is_deleted_a_day_after_its_last_intent(store: Store, clock: FixedClock) -> None:
    await submit(store, final(waiting(NOON, plan=OWN)), final(waiting(NOON + SECOND, plan=OWN)))
    assert await store.intents.forget(NOON + SECOND, 10) == 1
    clock.move(DAY)
    assert await store.intents.forget_plans(10) == 1  # looked at, and still named
    assert (await stored(store), await marked(store)) == ({plan_digest(OWN)}, 0)
    assert await store.intents.forget(NOON + 2 * SECOND, 10) == 1
    clock.move(DAY - SECOND)
    assert await store.intents.forget_plans(10) == 0
    clock.move(SECOND)
    assert await store.intents.forget_plans(10) == 1
    assert await stored(store) == set()


async def test_plan_in_use_is_not_examined_repeatedly(store: Store, clock: FixedClock) -> None:
    await submit(store, *(waiting() for _ in range(3)), waiting(plan=OWN))
    clock.move(1000 * DAY)
    assert await store.intents.forget_plans(10) == 0
    assert await stored(store) == {plan_digest(PLAN), plan_digest(OWN)}


async def test_plan_of_a_workflow_is_kept(store: Store, clock: FixedClock) -> None:
    await store.directory.add_workspace(Workspace(WS, "local", "default", True, NOON))
    flow = NamedWorkflow(WS, "change", "intent.a.v1", 1, plan_digest(OWN), b"{}", "per_ann", NOON)
    await store.people.save([flow], [OWN])
    await orphan(store, clock)
    await store.intents.forget_plans(10)
    assert await stored(store) == {plan_digest(OWN)}


async def test_plan_adopted_by_a_workflow_during_the_sweep_is_kept(store: Store, clock: FixedClock) -> None:
    await store.directory.add_workspace(Workspace(WS, "local", "default", True, NOON))
    await orphan(store, clock)
    await store.people.save([], [OWN])
    assert await store.intents.forget_plans(10) == 0
    assert await stored(store) == {plan_digest(OWN)}


async def test_sweeps_are_bounded_and_examine_every_plan(store: Store, clock: FixedClock) -> None:
    plans = [Plan(steps=(AgentStep(id=f"step_{n}", agent=AGENT),)) for n in range(6)]
    await submit(store, *(final(waiting(plan=plan)) for plan in plans))
    await submit(store, *(waiting(NOON, plan=plan) for plan in plans[1:]))
    assert await store.intents.forget(NOON + SECOND, 10) == 6
    clock.move(DAY)
    looked = 0
    while some := await store.intents.forget_plans(2):
        assert some <= 4
        looked += some
    assert looked == 6
    assert (await stored(store), await marked(store)) == ({plan_digest(plan) for plan in plans[1:]}, 0)


async def test_server_that_cached_a_deleted_plan_writes_it_again(store: Store, clock: FixedClock) -> None:
    await orphan(store, clock)
    assert await store.intents.forget_plans(10) == 1
    assert store.plans.get(plan_digest(OWN)) == OWN  # for reading; not believed for writing
    [again] = await submit(store, waiting(clock.at, plan=OWN))
    assert await stored(store) == {plan_digest(OWN)}
    assert await readable(store, again)


async def test_intent_created_before_the_sweep_keeps_its_plan(store: Store, clock: FixedClock) -> None:
    await orphan(store, clock)
    [again] = await submit(store, waiting(clock.at, plan=OWN))
    assert await store.intents.forget_plans(10) == 0
    assert await readable(store, again)


async def test_recently_written_plan_is_not_written_with_every_intent(
    store: Store, clock: FixedClock
) -> None:
    async def writes_it(at: datetime) -> bool:
        """Whether creating an intent now records that its plan is needed."""
        clock.at = at
        await store.write(("update plans set forget_at = :at", {"at": micros(NOON + DAY)}))
        await submit(store, waiting(at))
        return await marked(store) == 0

    await submit(store, waiting())
    assert not await writes_it(NOON + TRUST - SECOND)
    assert await writes_it(NOON + TRUST)
    assert not await writes_it(NOON + TRUST + SECOND)
    assert await writes_it(NOON - SECOND)  # a clock that went back proves nothing


async def test_plan_that_was_only_read_is_written_again(store: Store, clock: FixedClock) -> None:
    await submit(store, final(waiting(plan=OWN)))
    store.plans = Plans()  # as in another server
    assert await store.directory.get_plan(plan_digest(OWN)) == OWN
    await store.write(("delete from plans", {}))
    [one] = await submit(store, waiting(plan=OWN))
    assert await stored(store) == {plan_digest(OWN)}
    assert await readable(store, one)


async def test_intent_being_created_on_another_server_keeps_its_plan(
    postgres_url: str, clock: FixedClock
) -> None:
    """Its open transaction has written the plan, so the sweeper skips it."""
    async with asyncio.timeout(60):
        store = await opened(postgres_url, clock)
        await orphan(store, clock)
        other = await asyncpg.connect(postgres_url)
        async with other.transaction():
            await put(other)
            assert await store.intents.forget_plans(10) == 0
        assert await store.intents.forget_plans(10) == 0
        assert (await stored(store), await marked(store)) == ({plan_digest(OWN)}, 0)
        await other.close()
        await store.close()


async def test_plan_being_deleted_by_another_server_is_written_again(
    postgres_url: str, clock: FixedClock
) -> None:
    async with asyncio.timeout(60):
        store = await opened(postgres_url, clock)
        await orphan(store, clock)
        other = await asyncpg.connect(postgres_url)
        async with other.transaction():
            await other.execute("delete from plans")
            made = asyncio.create_task(submit(store, waiting(clock.at, plan=OWN)))
            await blocked(other)
        [again] = await made
        assert await readable(store, again)
        assert await stored(store) == {plan_digest(OWN)}
        await other.close()
        await store.close()


async def opened(url: str, clock: FixedClock) -> Store:
    """An open, empty store on PostgreSQL."""
    store = open_store(url, wall=clock.wall, clock=clock.map)
    await store.open()
    await store.write(("delete from intents", {}), ("delete from workflows", {}), ("delete from plans", {}))
    return store


async def put(db: asyncpg.Connection) -> None:
    """Create an intent with the plan ``OWN``, as a server does."""
    values = {"digest": plan_digest(OWN), "body": encode_plan(OWN)}
    await db.execute(PUT, *(values[name] for name in ORDER))


async def blocked(db: asyncpg.Connection) -> None:
    """Wait until another transaction waits for this one."""
    waits = "select count(*) from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))"
    while not await db.fetchval(waits):
        await db.execute("select pg_stat_clear_snapshot()")
