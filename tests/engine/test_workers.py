"""When an agent last asked for work: kept in memory, written later, the same for every server on the database."""

from collections.abc import Sequence
from datetime import timedelta

from signoff.core.directory.workers import Worker
from signoff.engine.directory.workers import WRITTEN_EVERY, Workers
from signoff.store.store import Store
from tests.builders import WORKSPACE
from tests.engine.engine_env import EngineEnv

AGENT = "agent://acme/prod/validator"


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def rows(store: Store) -> list[tuple[str, str]]:
    found = await store.workers.of(WORKSPACE)
    return [(agent, worker.client) for agent, worker in sorted(found.items())]


async def test_last_claim_is_written_once_a_minute_and_read_by_every_server(env: EngineEnv) -> None:
    here, clock = env.store, Seconds()
    workers, other = Workers(here, clock), Workers(here)
    workers.note(WORKSPACE, AGENT, "signoff-python/0.1.0")
    assert (await workers.of(WORKSPACE))[AGENT].client == "signoff-python/0.1.0"  # at once where it was noted
    assert await other.of(WORKSPACE) == {}
    await workers.once()
    first = (await other.of(WORKSPACE))[AGENT]
    assert first.seen_at == await here.now()

    clock.now += WRITTEN_EVERY / 2
    env.clock.move(timedelta(seconds=WRITTEN_EVERY / 2))
    workers.note(WORKSPACE, AGENT, "signoff-python/0.2.0")
    await workers.once()
    assert (await other.of(WORKSPACE))[AGENT] == first

    clock.now += WRITTEN_EVERY / 2
    env.clock.move(timedelta(seconds=WRITTEN_EVERY / 2))
    await workers.once()
    again = (await other.of(WORKSPACE))[AGENT]
    assert again.seen_at - first.seen_at == timedelta(seconds=WRITTEN_EVERY / 2)
    assert again.client == "signoff-python/0.2.0"


async def test_unchanged_record_is_not_written_again(env: EngineEnv) -> None:
    clock, written, put = Seconds(), list[str](), env.store.workers.put

    async def counted(seen: Sequence[tuple[str, Worker]]) -> None:
        written.extend(worker.agent for _, worker in seen)
        await put(seen)

    env.store.workers.put = counted  # type: ignore[method-assign]
    workers = Workers(env.store, clock)
    workers.note(WORKSPACE, AGENT, "x")
    for _ in range(5):
        await workers.once()
        clock.now += WRITTEN_EVERY
    assert written == [AGENT]
    workers.note(WORKSPACE, AGENT, "x")
    await workers.once()
    assert written == [AGENT, AGENT]


async def test_oldest_records_make_room_for_others(env: EngineEnv) -> None:
    clock = Seconds()
    workers = Workers(env.store, clock)
    strangers = [f"agent://acme/prod/made-up-{number}" for number in range(1001)]
    for agent in strangers:
        workers.note(WORKSPACE, agent, "x", registered=False)
    for elapsed, remembered in ((WRITTEN_EVERY * 2, False), (1, True)):
        clock.now += elapsed
        await workers.once()
        workers.note(WORKSPACE, strangers[-1], "x", registered=False)
        assert (strangers[-1] in await workers.of(WORKSPACE)) == remembered
    assert list(await workers.of(WORKSPACE)) == strangers[-1:]


async def test_later_record_in_memory_is_shown_for_its_workspace_only(env: EngineEnv) -> None:
    clock = Seconds()
    workers = Workers(env.store, clock)
    workers.note(WORKSPACE, AGENT, "old")
    workers.note("ws_other", "agent://other/prod/validator", "x")
    await workers.once()
    clock.now += 1
    env.clock.move(timedelta(seconds=1))
    workers.note(WORKSPACE, AGENT, "new" * 100)
    [(agent, worker)] = (await workers.of(WORKSPACE)).items()
    assert (agent, worker.client, worker.seen_at) == (AGENT, ("new" * 100)[:120], await env.store.now())
    assert list(await workers.of("ws_other")) == ["agent://other/prod/validator"]


async def test_earlier_time_does_not_replace_a_later_one(env: EngineEnv) -> None:
    clock = Seconds()
    slow, fast = Workers(env.store, clock), Workers(env.store, clock)
    slow.note(WORKSPACE, AGENT, "old")
    clock.now += 30
    fast.note(WORKSPACE, AGENT, "new")
    await fast.once()
    await slow.once()
    assert await rows(env.store) == [(AGENT, "new")]


async def test_unregistered_agent_is_remembered_and_not_written(env: EngineEnv) -> None:
    workers = Workers(env.store)
    for number in range(3000):
        workers.note(WORKSPACE, f"agent://acme/prod/made-up-{number}", "x", registered=False)
    await workers.once()
    assert await rows(env.store) == []
    assert len(await workers.of(WORKSPACE)) == 1000  # bounded
    workers.note(WORKSPACE, AGENT, "a\x1b[31m")
    await workers.once()
    assert await rows(env.store) == [(AGENT, "a[31m")]


async def test_first_record_of_an_agent_is_written_at_once(env: EngineEnv) -> None:
    workers, nudged = Workers(env.store), list[str]()
    workers.write_first_by(lambda: nudged.append("now"))
    workers.note(WORKSPACE, AGENT, "x")
    assert nudged == ["now"]
    await workers.once()
    workers.note(WORKSPACE, AGENT, "x")
    workers.note(WORKSPACE, f"{AGENT}-unknown", "x", registered=False)
    assert nudged == ["now"]


async def test_stopping_server_writes_pending_records(env: EngineEnv) -> None:
    clock = Seconds()
    workers, other = Workers(env.store, clock), Workers(env.store)
    workers.note(WORKSPACE, AGENT, "x")
    await workers.drain()
    first = (await other.of(WORKSPACE))[AGENT]
    clock.now += 5
    env.clock.move(timedelta(seconds=5))
    workers.note(WORKSPACE, AGENT, "x")
    await workers.drain()
    assert (await other.of(WORKSPACE))[AGENT].seen_at - first.seen_at == timedelta(seconds=5)
