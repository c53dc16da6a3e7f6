"""What the database holds at this moment, for ``/metrics``: open tasks, waiting messages, agents. Counted at most once
in a while, however often somebody asks, because some counts read whole tables.
"""

import asyncio
from collections import Counter
from typing import Final

import msgspec

from signoff.store.store import Store

_COUNTED_EVERY: Final = 15.0  # seconds
_MOST_WORKSPACES: Final = 100


class Total(msgspec.Struct, frozen=True):
    """One gauge."""

    name: str
    about: str
    labels: tuple[str, ...]


Values = dict[tuple[str, ...], float]

TASKS: Final = Total("signoff_tasks_open", "Open tasks, by policy.", ("policy",))
MESSAGES: Final = Total(
    "signoff_outbox_messages",
    "Messages not sent yet, by channel: waiting, retrying after a failure, or dead.",
    ("channel", "state"),
)
OVERDUE: Final = Total(
    "signoff_outbox_overdue_seconds",
    "For how long the most overdue message of a channel has been due.",
    ("channel",),
)
AGENTS: Final = Total(
    "signoff_agent_last_seen_timestamp_seconds",
    "When an agent last asked for work (claimed, polled or streamed), to the minute.",
    ("agent",),
)
TOTALS: Final = (TASKS, MESSAGES, OVERDUE, AGENTS)


class ServiceTotals:
    """The values of each of ``TOTALS``, by the values of its labels."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counted: dict[Total, Values] = {}
        self._at: float | None = None
        self._turn = asyncio.Lock()

    async def read(self) -> dict[Total, Values]:
        """The counts, at most 15 seconds old; raises Busy while the database does not respond."""
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if self._at is None or now - self._at >= _COUNTED_EVERY:
                self._counted = await self._count()
                self._at = now
            return self._counted

    async def _count(self) -> dict[Total, Values]:
        totals = self._store.totals
        tasks: Counter[str] = Counter()
        for space in (await self._store.directory.workspaces())[:_MOST_WORKSPACES]:
            tasks += await totals.open_tasks(space.id)
        now = await self._store.now()
        found: dict[Total, Values] = {total: {} for total in TOTALS}
        found[TASKS] = {(policy,): float(count) for policy, count in tasks.items()}
        for queued in await totals.outbox():
            found[MESSAGES][queued.channel, queued.state] = float(queued.count)
            if queued.state != "dead":
                late = max(0.0, (now - queued.due).total_seconds())
                found[OVERDUE][(queued.channel,)] = max(late, found[OVERDUE].get((queued.channel,), 0.0))
        found[AGENTS] = {(agent,): at.timestamp() for agent, at in (await totals.seen()).items()}
        return found
