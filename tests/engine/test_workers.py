"""When work was last asked for: noted in memory, written behind, the same to every server on the database."""

from datetime import timedelta

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


async def test_it_is_written_once_a_minute_and_read_by_every_server(env: EngineEnv) -> None:
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


async def test_an_earlier_moment_does_not_replace_a_later_one(env: EngineEnv) -> None:
    clock = Seconds()
    slow, fast = Workers(env.store, clock), Workers(env.store, clock)
    slow.note(WORKSPACE, AGENT, "old")
    clock.now += 30
    fast.note(WORKSPACE, AGENT, "new")
    await fast.once()
    await slow.once()
    assert await rows(env.store) == [(AGENT, "new")]


async def test_what_is_not_registered_is_remembered_and_not_written(env: EngineEnv) -> None:
    workers = Workers(env.store)
    for number in range(3000):
        workers.note(WORKSPACE, f"agent://acme/prod/made-up-{number}", "x", registered=False)
    await workers.once()
    assert await rows(env.store) == []
    assert len(await workers.of(WORKSPACE)) == 1000  # bounded
    workers.note(WORKSPACE, AGENT, "a\x1b[31m")
    await workers.once()
    assert await rows(env.store) == [(AGENT, "a[31m")]
