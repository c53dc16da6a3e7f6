"""Counts of rows in the database, for ``/metrics``: open tasks, waiting messages, agents. Some counts read whole
tables, so they are cached.
"""

import asyncio
from typing import Final

import msgspec

from signoff.engine.metrics import WORKSPACE
from signoff.store.store import Store

_COUNTED_EVERY: Final = 15.0  # seconds
_MOST_WORKSPACES: Final = 100


class Total(msgspec.Struct, frozen=True):
    """One gauge."""

    name: str
    about: str
    labels: tuple[str, ...]


Values = dict[tuple[str, ...], float]

TASKS: Final = Total("signoff_tasks_open", "Open tasks, by policy.", (WORKSPACE, "policy"))
MESSAGES: Final = Total(
    "signoff_outbox_messages",
    "Messages not sent yet, by channel: waiting, retrying after a failure, or dead.",
    (WORKSPACE, "channel", "state"),
)
OVERDUE: Final = Total(
    "signoff_outbox_overdue_seconds",
    "For how long the most overdue message of a channel has been due.",
    (WORKSPACE, "channel"),
)
AGENTS: Final = Total(
    "signoff_agent_last_seen_timestamp_seconds",
    "When an agent last asked for work (claimed, polled or streamed), to the minute.",
    (WORKSPACE, "agent"),
)
TOTALS: Final = (TASKS, MESSAGES, OVERDUE, AGENTS)


class ServiceTotals:
    """Reads the values of each of ``TOTALS``, by label values."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counted: dict[Total, Values] = {}
        self._names: dict[str, str] = {}
        self._at: float | None = None
        self._turn = asyncio.Lock()

    async def read(self) -> tuple[dict[Total, Values], dict[str, str]]:
        """Return the counts, at most 15 seconds old, and the workspaces' names by id; raises Busy while the database
        does not respond.
        """
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if self._at is None or now - self._at >= _COUNTED_EVERY:
                self._counted = await self._count()
                self._at = now
            return self._counted, self._names

    async def _count(self) -> dict[Total, Values]:
        totals = self._store.totals
        spaces = await self._store.directory.workspaces()
        self._names = {space.id: space.full_name for space in spaces}
        spaces = spaces[:_MOST_WORKSPACES]
        tasks = {space.id: await totals.open_tasks(space.id) for space in spaces}
        now = await self._store.now()
        found: dict[Total, Values] = {total: {} for total in TOTALS}
        found[TASKS] = {
            (space, policy): float(count) for space, open in tasks.items() for policy, count in open.items()
        }
        for queued in await totals.outbox():
            place = queued.workspace, queued.channel
            found[MESSAGES][*place, queued.state] = float(queued.count)
            if queued.state != "dead":
                late = max(0.0, (now - queued.due).total_seconds())
                found[OVERDUE][place] = max(late, found[OVERDUE].get(place, 0.0))
        found[AGENTS] = {place: at.timestamp() for place, at in (await totals.seen()).items()}
        return found
