"""The real engine on a real store, with a clock that the test moves and loops that it steps."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from signoff.components import Components
from signoff.config import Config
from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Person, Workspace
from signoff.core.intent.advance import Change
from signoff.core.intent.commands import Answer, Command
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Intent
from signoff.core.plan.plan import Plan
from signoff.engine.clock import Clock
from signoff.engine.commit.jobs import Idempotency, Outdated
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.engine.planning.planner import Submission
from signoff.engine.read.integrity import Finding, check_integrity
from signoff.store.opening import open_store
from signoff.store.rows import plan_digest
from signoff.store.sqlite.store import SqliteStore
from signoff.store.store import Store
from tests.builders import AGENT, ANN, OTTO, RITA, SERVICE, WORKSPACE, gate

PAYLOAD = b'{"change":"add_index"}'
ANYTHING = frozenset(
    (step_run, stage, revision) for step_run in range(9) for stage in range(4) for revision in range(9)
)


BASE_URL = "http://signoff.test"


def settings_of(store: Store, base_url: str = BASE_URL, **settings: Any) -> Config:
    """Settings for this store; agents may be called on loopback, and nothing is printed."""
    database = "sqlite:///signoff.db" if isinstance(store, SqliteStore) else "postgresql://localhost/signoff"
    fixed = {"allow_private_callbacks": True, "console_notifications": False}
    return Config(database=database, base_url=base_url, **{**fixed, **settings})


class EngineEnv(Components):
    """The parts of one server, driven by the test. Several of them on one database are replicas."""

    def __init__(
        self, store: Store, clock: Clock, channels: ChannelRegistry | None = None, **settings: Any
    ) -> None:
        super().__init__(settings_of(store, **settings), store, clock, channels or ChannelRegistry())
        self._settling = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["EngineEnv"]:
        """Run the committer's workers; the test steps the other loops."""
        tasks = [asyncio.create_task(self.committer.run(worker)) for worker in range(self.committer.workers)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.outbox.abandon()
            await self.channels.close()

    # -- doing

    async def submit(
        self, plan: Plan | None = None, by: Actor = SERVICE, once: Idempotency | None = None, **fields: Any
    ) -> Intent:
        """Submit a new intent; by default with the validator's step and the approval."""
        await self.somewhere(by)
        asked = submission(plan or gate(), **fields)
        try:
            done = await self.engine.submit(by, asked, once)
        except Outdated:  # as the web layer does: the directory is read anew
            done = await self.engine.submit(by, asked, once)
        assert done.change is not None
        return done.change.after

    async def do(self, ref: str, command: Command, by: Actor = AGENT) -> Change:
        """Apply commands in order."""
        await self.somewhere(by)
        if isinstance(command, Answer) and command.digest is None and not command.shown:
            command = replace(command, shown=ANYTHING)  # whoever answers here has looked
        done = await self.engine.handle(by, ref, command)
        assert done.change is not None
        return done.change

    async def somewhere(self, by: Actor) -> None:
        """If there is no workspace yet, create one with some people first."""
        async with self._settling:
            if by.workspace == WORKSPACE:
                if await self.store.directory.workspace(WORKSPACE) is None:
                    await settle(self, people=(ANN, OTTO, RITA))
                await self.directory.of(WORKSPACE)  # read: from here on nobody waits, and passes another

    async def claim(
        self, agent: Actor = AGENT, limit: int = 1, lease: timedelta = timedelta(seconds=60)
    ) -> list[Change]:
        return await self.engine.claim(agent, agent.address, limit, lease, "worker")

    async def pass_time(self, by: timedelta) -> None:
        """Move the clock and run the timekeeper until nothing is due."""
        self.clock.move(by)
        await self.keep_time()

    async def keep_time(self) -> int:
        """Step the timekeeper until nothing is due; returns the number of turns."""
        for turn in range(1, 1000):
            now = self.clock.now()
            next_wake = await self.store.intents.next_wake()
            if next_wake is None or next_wake > now:
                return turn
            await self.timekeeper.once()
        raise AssertionError("something stays due")

    async def carry(self) -> int:
        """Step the sender until nothing is due; returns the number of rounds that sent something."""
        for rounds in range(50):
            pause = await self.outbox.once()
            await self.outbox.drain()
            if pause > 0:
                return rounds
        raise AssertionError("the outbox is never empty")

    async def carry_all(self) -> None:
        """Step the sender until the outbox is empty."""
        while (await self.store.outbox.counts())["waiting"]:
            await self.outbox.once()

    # -- looking

    async def intent(self, intent_id: str) -> Intent:
        stored = await self.store.intents.get(intent_id)
        assert stored is not None
        return stored.intent

    async def happened(self, intent_id: str) -> list[str]:
        """The intent's events with this name."""
        rows = await self.store.intents.history(intent_id)
        return [type(unseal(row.body, row.private).event).__name__ for row in rows]

    async def findings(self) -> list[Finding]:
        return [finding async for finding in check_integrity(self.store)]


def submission(plan: Plan, payload: bytes = PAYLOAD, **fields: Any) -> Submission:
    return Submission(
        type="intent.infra.change.v1",
        payload=payload,
        payload_digest=hashlib.sha256(payload).hexdigest(),
        plan=plan,
        plan_digest=plan_digest(plan),
        **fields,
    )


def once(key: str, fingerprint: str = "f", route: str = "POST /v1/intents") -> Idempotency:
    """An Idempotency-Key whose response is the intent's id."""
    return Idempotency(route, key, fingerprint, lambda change: change.after.id.encode())


async def open_engine_env(
    url: str, clock: Clock, channels: ChannelRegistry | None = None, **options: Any
) -> EngineEnv:
    """A replica with its own store and engine."""
    store = open_store(url, wall=clock.wall, clock=clock.of)
    await store.open()
    return EngineEnv(store, clock, channels, **options)


async def settle(
    env: EngineEnv, name: str = "acme", id: str = WORKSPACE, people: Sequence[Actor] = (ANN,)
) -> None:
    """Create the workspace ``acme/prod`` with some people."""
    at = env.clock.now()
    assert await env.store.directory.add_workspace(Workspace(id, name, "prod", False, at))
    for actor in people:
        email = next(n for n in actor.names if "@" in n)
        person = Person(actor.id, id, email, "", tuple(sorted(actor.roles)), at)
        assert await env.store.directory.add_person(person)


ROOT = Actor(ActorKind.PERSON, "per_root", WORKSPACE, roles=frozenset({"owner"}), sponsors=("per_root",))
