"""The committer: which jobs share a transaction, which fail together, and what callers can rely on."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import pytest

from signoff.core.directory.actors import Actor
from signoff.core.errors import Busy, Conflict, Invalid, Refused
from signoff.core.ids import new_intent_id
from signoff.core.intent import commands as c
from signoff.core.intent.model import Requester, Status
from signoff.engine.clock import FixedClock
from signoff.engine.commit.batch import Batch
from signoff.engine.commit.committer import Committer
from signoff.engine.commit.jobs import ClaimJob, CommandJob, SubmitJob
from signoff.store.rows import plan_digest
from signoff.store.sqlite.store import SqliteStore
from signoff.store.store import Store
from signoff.store.transaction import ClaimableQuery, IdempotencyKey
from tests.builders import AGENT, ANN, OTTO, SERVICE, START, VALIDATOR, WORKSPACE, gate, minutes
from tests.conftest import delete_rows
from tests.engine.engine_env import PAYLOAD, EngineEnv, once, open_engine_env, submission
from tests.on_loop import on_the_loop


class Look:
    """A job that writes nothing and records its batch."""

    def __init__(self) -> None:
        self.batch: Batch | None = None

    def worker_key(self) -> int:
        return 0

    def ids(self) -> Sequence[str]:
        return ()

    def once(self) -> IdempotencyKey | None:
        return None

    def claims(self) -> ClaimableQuery | None:
        return None

    def due(self) -> int:
        return 0

    def workspace(self) -> str:
        return ""

    def apply(self, batch: Batch) -> str:
        self.batch = batch
        return "seen"


@contextmanager
def another_program(env: EngineEnv) -> Iterator[apsw.Connection]:
    """Another program's lock on the file: commits wait in their thread until it is rolled back."""
    assert isinstance(env.store, SqliteStore)
    other = apsw.Connection(str(env.store.path))
    other.set_busy_timeout(10_000)  # the store may be emptying its log
    other.execute("begin immediate")
    try:
        yield other
    finally:
        other.close()


async def turns() -> None:
    """Let the event loop run until queued jobs have started."""
    for _ in range(10):
        await asyncio.sleep(0)


class Poison(Look):
    """A job with a bug that fails its whole transaction."""

    def apply(self, batch: Batch) -> str:
        raise ZeroDivisionError("poison")


@pytest.fixture
async def sqlite(tmp_path: Path) -> Any:
    env = await open_engine_env(f"sqlite:///{tmp_path}/own.db", FixedClock(START))
    async with env.running():
        yield env
    await env.store.close()


def together(env: EngineEnv, jobs: Sequence[Any]) -> Any:
    return asyncio.gather(*(env.committer.do(job) for job in jobs), return_exceptions=True)


def submit_job(env: EngineEnv, intent_id: str) -> SubmitJob:
    plan = gate()
    command = c.Submit(
        id=intent_id,
        workspace=WORKSPACE,
        type="intent.infra.change.v1",
        requester=Requester(SERVICE.kind, SERVICE.id),
        plan=plan,
        plan_digest=plan_digest(plan),
        payload_digest=hashlib.sha256(PAYLOAD).hexdigest(),
    )
    return SubmitJob(SERVICE, command, PAYLOAD, None)


async def test_jobs_queued_behind_a_commit_are_in_the_next_batch(sqlite: EngineEnv) -> None:
    ahead, looks = Look(), [Look() for _ in range(10)]
    with another_program(sqlite) as other:
        first = asyncio.create_task(sqlite.committer.do(ahead))
        await turns()
        others = together(sqlite, looks)
        await turns()
        assert sqlite.committer.queued == 11
        other.execute("rollback")
        assert await first == "seen"
        assert await others == ["seen"] * 10
    assert len({id(look.batch) for look in looks}) == 1
    assert looks[0].batch is not ahead.batch
    assert sqlite.committer.queued == 0


async def test_batch_has_at_most_64_jobs_in_order(env: EngineEnv) -> None:
    looks = [Look() for _ in range(150)]
    assert await together(env, looks) == ["seen"] * 150
    batches = [id(look.batch) for look in looks]
    assert [batches.count(batch) for batch in dict.fromkeys(batches)] == [64, 64, 22]


async def test_two_claims_share_neither_a_batch_nor_a_delivery(env: EngineEnv) -> None:
    for _ in range(3):
        await env.submit()
    claims = [ClaimJob(AGENT, AGENT.address, 2, minutes(1), f"w{n}") for n in range(3)]
    taken = await together(env, claims)
    assert [len(changes) for changes in taken] == [2, 1, 0]
    assert len({change.after.id for changes in taken for change in changes}) == 3


async def test_refused_job_fails_only_its_caller(env: EngineEnv) -> None:
    await env.somewhere(SERVICE)
    plans = [env.engine.submit(SERVICE, submission(gate(), deadline_at=START)) for _ in range(1)]
    good = [env.engine.submit(SERVICE, submission(gate())) for _ in range(4)]
    refused, *done = await asyncio.gather(*plans, *good, return_exceptions=True)
    assert isinstance(refused, Invalid)
    assert refused.code == "deadline_passed"
    for one in done:
        assert not isinstance(one, BaseException)
        assert one.change is not None
        assert (await env.intent(one.change.after.id)).status is Status.DELIVERED


async def test_job_that_raises_fails_alone_and_the_others_commit(env: EngineEnv) -> None:
    ids = [new_intent_id(n, b"0123456789") for n in range(20)]
    jobs: list[Any] = [submit_job(env, intent_id) for intent_id in ids]
    jobs.insert(7, Poison())
    jobs.insert(15, Poison())
    results = await together(env, jobs)
    assert [n for n, result in enumerate(results) if isinstance(result, ZeroDivisionError)] == [7, 15]
    assert sum(isinstance(result, BaseException) for result in results) == 2
    assert await env.store.intents.ids() == sorted(ids)
    assert await env.findings() == []


async def test_row_that_the_database_refuses_fails_alone(env: EngineEnv) -> None:
    taken, *fresh = (new_intent_id(n, b"0123456789") for n in range(9))
    await env.committer.do(submit_job(env, taken))
    results = await together(
        env, [submit_job(env, intent_id) for intent_id in (*fresh[:4], taken, *fresh[4:])]
    )
    assert [type(result).__name__ for result in results] == ["Done"] * 4 + ["Conflict"] + ["Done"] * 4
    assert len(await env.store.intents.ids()) == 9


async def test_full_queue_refuses_at_once_and_loses_nothing(tmp_path: Path) -> None:
    env = await open_engine_env(f"sqlite:///{tmp_path}/own.db", FixedClock(START), queue_limit=3)
    waiting = [asyncio.create_task(env.submit()) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Busy) as refusal:
        await env.submit()
    assert (refusal.value.code, refusal.value.retry_after) == ("queue_full", 1)
    async with env.running():
        assert len({intent.id for intent in await asyncio.gather(*waiting)}) == 3
        await env.submit()
    assert len(await env.store.intents.ids()) == 4
    assert env.committer.queued == 0
    await env.store.close()


async def test_commands_on_one_intent_in_one_batch_are_applied_in_order(env: EngineEnv) -> None:
    intent = await env.submit()
    patches = [c.PatchControls(controls={f"n{n}": n}, expected=n) for n in range(5)]
    results = await asyncio.gather(*(env.do(intent.id, patch, SERVICE) for patch in patches))
    assert [len(change.facts) for change in results] == [1] * 5
    stored = await env.intent(intent.id)
    assert (stored.generation, stored.seq) == (5, intent.seq + 5)
    assert stored.controls == {f"n{n}": n for n in range(5)}
    assert await env.findings() == []


async def test_whole_approval_fits_into_one_batch(env: EngineEnv) -> None:
    intent = await env.submit()
    steps: list[tuple[c.Command, Actor]] = [
        (c.Report(result={"passed": True}), AGENT),
        (c.Answer("approved"), ANN),
        (c.Answer("rejected"), OTTO),
    ]
    told = await asyncio.gather(*(env.do(intent.id, *step) for step in steps), return_exceptions=True)
    late = told[2]
    assert isinstance(late, Conflict)
    assert (late.code, late.details["decided_by"]) == ("already_decided", ANN.id)
    assert await env.happened(intent.id) == [
        "Created",
        "Offered",
        "Reported",
        "TaskOpened",
        "Answered",
        "Decided",
        "Completed",
    ]
    assert await env.findings() == []


async def test_delivery_released_and_reported_in_one_batch_is_not_offered(env: EngineEnv) -> None:
    intent = await env.submit()
    [claimed] = await env.claim()
    token = claimed.after.open.token  # type: ignore[union-attr]
    await asyncio.gather(
        env.do(intent.id, c.Release(1, token)), env.do(intent.id, c.Report(result={"passed": True}))
    )
    assert await env.claim() == []
    assert (await env.intent(intent.id)).status is Status.WAITING
    assert await env.findings() == []


async def test_one_key_creates_one_intent_within_and_across_batches(env: EngineEnv) -> None:
    await env.somewhere(SERVICE)
    sent = [env.engine.submit(SERVICE, submission(gate()), once("k")) for _ in range(20)]
    done = await asyncio.gather(*sent)
    first = [one.change.after.id for one in done if one.change is not None]
    assert len(first) == 1
    assert {one.replay for one in done if one.change is None} == {first[0].encode()}
    again = await env.engine.submit(SERVICE, submission(gate()), once("k"))
    assert again.replay == first[0].encode()
    assert await env.store.intents.ids() == first


async def test_idempotency_key_belongs_to_its_actor_route_and_request(env: EngineEnv) -> None:
    await env.submit(once=once("k"))
    await env.submit(by=ANN, once=once("k"))
    await env.submit(once=once("k", route="POST /v1/scenarios/apply"))
    with pytest.raises(Conflict) as refusal:
        await env.submit(once=once("k", fingerprint="another request"))
    assert refusal.value.code == "idempotency_conflict"
    assert len(await env.store.intents.ids()) == 3


async def test_refused_request_does_not_use_its_idempotency_key(env: EngineEnv) -> None:
    with pytest.raises(Invalid):
        await env.submit(once=once("k"), deadline_at=START)
    assert (await env.submit(once=once("k"))).status is Status.DELIVERED


async def test_idempotency_key_is_free_after_its_retention(env: EngineEnv, clock: FixedClock) -> None:
    intent = await env.submit(once=once("k"))

    async def repeated() -> bytes | None:
        return (await env.engine.submit(SERVICE, submission(gate()), once("k"))).replay

    clock.move(timedelta(hours=72))
    assert await repeated() == intent.id.encode(), "it stands for as long as the intent is open"
    await env.do(intent.id, c.Cancel(), SERVICE)
    clock.move(timedelta(hours=47))
    assert await repeated() == intent.id.encode()
    clock.move(timedelta(hours=1))
    assert (await env.submit(once=once("k"))).id != intent.id


async def test_canceled_caller_loses_nothing_and_delays_nobody(sqlite: EngineEnv) -> None:
    await sqlite.somewhere(SERVICE)
    with another_program(sqlite) as other:
        first = asyncio.create_task(sqlite.committer.do(Look()))
        await turns()
        tasks = [asyncio.create_task(sqlite.submit()) for _ in range(3)]
        while sqlite.committer.queued < 4:
            await asyncio.sleep(0)
        first.cancel()
        tasks[1].cancel()
        other.execute("rollback")
        results = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False, True, False]
    await sqlite.committer.do(Look())
    assert len(await sqlite.store.intents.ids()) == 3  # it was asked for, and nobody can take that back
    assert sqlite.committer.queued == 0


async def test_queued_jobs_are_committed_at_shutdown(tmp_path: Path) -> None:
    env = await open_engine_env(f"sqlite:///{tmp_path}/own.db", FixedClock(START))
    await env.somewhere(SERVICE)
    worker = asyncio.create_task(env.committer.run())
    with another_program(env) as other:
        first = asyncio.create_task(env.committer.do(Look()))
        await turns()
        queued = asyncio.create_task(env.submit())
        while env.committer.queued < 2:  # it may read the directory first, in another thread
            await turns()
        worker.cancel()
        await turns()
        assert not worker.done()  # it does not leave while its commit is in flight
        other.execute("rollback")
        await asyncio.gather(worker, return_exceptions=True)
        assert first.done()
        await env.committer.drain()
    assert await first == "seen"
    assert (await env.intent((await queued).id)).status is Status.DELIVERED
    await env.store.close()


async def test_failing_listener_delays_neither_callers_nor_the_next_commit(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Batch] = []

    def publish(batch: Batch) -> None:
        told.append(batch)
        raise ZeroDivisionError("nobody can be told")

    committer = Committer(store, lambda notification: [], publish)
    worker = asyncio.create_task(committer.run())
    async with asyncio.timeout(30):
        assert [await committer.do(Look()) for _ in range(2)] == ["seen", "seen"]
    assert len(told) == 2
    assert "could not be published" in caplog.text
    worker.cancel()


async def test_unreachable_database_refuses_the_whole_batch(sqlite: EngineEnv) -> None:
    await sqlite.store.close()
    results = await asyncio.gather(*(sqlite.submit() for _ in range(5)), return_exceptions=True)
    assert {getattr(result, "code", result) for result in results} == {"database_unavailable"}
    assert all(isinstance(result, Refused) and result.status == 503 for result in results)
    assert sqlite.committer.queued == 0


@pytest.fixture
async def postgres_works(postgres_url: str, clock: FixedClock) -> AsyncIterator[EngineEnv]:
    env = await open_engine_env(postgres_url, clock)
    try:
        await delete_rows(env.store)
        async with env.running():
            yield env
    finally:
        await env.store.close()


@asynccontextmanager
async def holding(url: str, intent_id: str) -> AsyncIterator[asyncpg.Connection]:
    """Another program's transaction that holds the lock on an intent's row."""
    other = await asyncpg.connect(url)
    try:
        await other.execute("begin")
        await other.execute("select 1 from intents where id = $1 for update", intent_id)
        yield other
    finally:
        await other.close()


async def test_locked_row_delays_only_the_jobs_that_need_it(
    postgres_works: EngineEnv, postgres_url: str
) -> None:
    env = postgres_works
    held, free = await env.submit(), await env.submit()
    patches = [c.PatchControls(controls={f"n{n}": n}, expected=n) for n in range(3)]
    async with holding(postgres_url, held.id) as other:
        waiting = [asyncio.create_task(env.do(held.id, patches[0], SERVICE))]
        await asyncio.gather(env.do(free.id, c.Cancel(), SERVICE), env.submit())
        # What comes later for the same row waits behind it; what comes for others does not.
        waiting += [asyncio.create_task(env.do(held.id, patch, SERVICE)) for patch in patches[1:]]
        await asyncio.gather(*(env.submit() for _ in range(5)))
        assert not [task for task in waiting if task.done()]
        assert env.committer.queued == 3
        await other.execute("rollback")
        changes = await asyncio.gather(*waiting)
    assert [change.after.generation for change in changes] == [1, 2, 3]
    await env.do(held.id, c.Cancel(), SERVICE)
    assert (env.committer.queued, env.committer.in_flight_for()) == (0, 0)
    assert await env.findings() == []


async def test_job_whose_row_stays_locked_is_finally_refused(
    postgres_works: EngineEnv, postgres_url: str
) -> None:
    env = postgres_works
    held = await env.submit()
    hasty = Committer(env.store, lambda notification: [], lambda batch: None, patience=0.1)
    worker = asyncio.create_task(hasty.run())
    cancel = CommandJob(SERVICE, held.id, c.Cancel(), None)
    async with holding(postgres_url, held.id):
        with pytest.raises(Busy) as busy:
            await hasty.do(cancel)
    assert (busy.value.code, hasty.queued) == ("row_locked", 0)
    await hasty.do(cancel)
    worker.cancel()


async def test_jobs_on_locked_rows_are_awaited_at_shutdown(
    postgres_works: EngineEnv, postgres_url: str
) -> None:
    env = postgres_works
    held = await env.submit()
    async with holding(postgres_url, held.id) as other:
        waiting = asyncio.create_task(env.do(held.id, c.Cancel(), SERVICE))
        await env.submit()
        draining = asyncio.create_task(env.committer.drain())
        await turns()
        assert not draining.done()
        await other.execute("rollback")
        await draining
    assert (await waiting).after.status is Status.CANCELED


async def test_deliveries_sent_on_a_stream_are_recorded_with_neighbouring_commits(env: EngineEnv) -> None:
    intent = await env.submit()
    [(cursor, _)] = await env.store.intents.deliveries(WORKSPACE, VALIDATOR, 0, 10)
    looks = [Look(), Look()]

    async def together() -> None:
        sent = env.engine.sent(AGENT, VALIDATOR, [(intent.id, cursor)])
        await asyncio.gather(*(env.committer.do(look) for look in looks), sent)

    _, transactions = await on_the_loop(together, "writes")
    assert transactions == 1
    assert await env.store.intents.unread(WORKSPACE, VALIDATOR, cursor, timedelta()) == [intent.id]
