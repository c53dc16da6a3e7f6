"""Records which workers ask for work. A claim, a poll or a stream is recorded in memory and written later, so that it
costs the caller nothing: an agent's first one at once, further ones within a minute, and all when the server stops.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from signoff.core.directory.agent_address import is_internal
from signoff.core.directory.workers import Worker, killed_text, missing_worker_text
from signoff.core.plan.plan import AgentStep, Plan
from signoff.engine.directory.snapshot import Snapshot
from signoff.store.store import Store

WRITTEN_EVERY: Final = 60.0
_TURN: Final = 5.0
_MOST: Final = 10_000
_STRANGERS: Final = 1_000
_LONGEST: Final = 120


class _Noted(NamedTuple):
    at: float
    client: str
    registered: bool

    def worker(self, agent: str, now: datetime, moment: float) -> Worker:
        return Worker(agent, now - timedelta(seconds=moment - self.at), self.client)


class Workers:
    """``once`` is one iteration of a loop; clock: monotonic seconds."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._noted: dict[tuple[str, str], _Noted] = {}
        self._written: dict[tuple[str, str], float] = {}
        self._first: Callable[[], None] = lambda: None

    def write_first_by(self, nudge: Callable[[], None]) -> None:
        """``nudge``: makes ``once`` run soon, so that other servers see a worker that asks once and ends."""
        self._first = nudge

    def note(self, workspace: str, agent: str, client: str, registered: bool = True) -> None:
        """Record that a worker is asking for work as this agent. For an unregistered agent, the record is kept in
        memory only.
        """
        key = (workspace, agent)
        if key in self._noted or len(self._noted) < (_MOST if registered else _STRANGERS):
            printable = "".join(letter for letter in client[:_LONGEST] if letter.isprintable())
            self._noted[key] = _Noted(self._clock(), printable, registered)
            if registered and key not in self._written:
                self._first()

    async def once(self) -> float:
        """Write the records, once a minute for each agent; returns the seconds until the next turn."""
        moment = self._clock()
        await self._write([key for key in self._noted if self._is_due(key, moment)], moment)
        for key in [key for key, noted in self._noted.items() if moment - noted.at > WRITTEN_EVERY * 2]:
            if not self._is_due(key, moment):
                del self._noted[key]
                self._written.pop(key, None)
        return _TURN

    async def drain(self) -> None:
        """Write every record that is not written yet."""
        unwritten = [
            key
            for key, noted in self._noted.items()
            if noted.registered and noted.at > self._written.get(key, -1.0)
        ]
        await self._write(unwritten, self._clock())

    async def _write(self, keys: Sequence[tuple[str, str]], moment: float) -> None:
        if keys:
            now = await self._store.now()
            seen = [(place, self._noted[place, agent].worker(agent, now, moment)) for place, agent in keys]
            await self._store.workers.put(seen)
            self._written |= dict.fromkeys(keys, moment)

    def _is_due(self, key: tuple[str, str], moment: float) -> bool:
        written, noted = self._written.get(key), self._noted[key]
        return noted.registered and (
            written is None or (noted.at > written and moment - written >= WRITTEN_EVERY)
        )

    async def of(self, workspace: str) -> dict[str, Worker]:
        """The workers of this workspace by agent, including this server's latest records."""
        found = await self._store.workers.of(workspace)
        mine = {agent: noted for (place, agent), noted in self._noted.items() if place == workspace}
        if mine:
            now, moment = await self._store.now(), self._clock()
            for agent, noted in mine.items():
                worker = noted.worker(agent, now, moment)
                known = found.get(agent)
                if known is None or known.seen_at < worker.seen_at:
                    found[agent] = worker
        return found

    async def absent(self, plan: Plan, directory: Snapshot, now: datetime) -> list[str]:
        """Warnings about agents in the plan that have no worker, with the steps that will wait for them. The planner
        warns about those that were killed.
        """
        waiting: dict[str, list[str]] = {}
        for step in plan.steps:
            if not isinstance(step, AgentStep):
                continue
            address = directory.resolve(step.agent)
            account = directory.by_address.get(address)
            killed = account is not None and account.killed_at is not None
            if asks(address, directory) and not killed:
                waiting.setdefault(address, []).append(step.id)
        if not waiting:
            return []
        found = await self.of(directory.workspace.id)
        groups = (
            (steps, missing_worker_text(agent, found.get(agent), now)) for agent, steps in waiting.items()
        )
        return [f"{_steps(steps)} will wait. {words}" for steps, words in groups if words]


def absent(agent: str, directory: Snapshot, workers: Mapping[str, Worker], now: datetime) -> str:
    """The note that this agent was killed, or that it has no worker; "" if it has one, or its work is pushed."""
    account = directory.by_address.get(agent)
    if account is not None and account.killed_at is not None:
        return killed_text(agent, account.killed_at, directory.display(account.killed_by), now)
    return missing_worker_text(agent, workers.get(agent), now) if asks(agent, directory) else ""


def asks(agent: str, directory: Snapshot) -> bool:
    """Whether an agent gets its work by asking for it, unlike the internal runtime and push
    agents.
    """
    account = directory.by_address.get(agent)
    return not is_internal(agent) and (account is None or account.delivery_mode != "http")


def _steps(steps: list[str]) -> str:
    return ("step " if len(steps) == 1 else "steps ") + ", ".join(repr(step) for step in steps)
