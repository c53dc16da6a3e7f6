"""Counts over whole tables, for metrics. No other request needs them, and the caller caches them."""

from collections import Counter
from datetime import datetime
from typing import Final

from msgspec import Struct

from signoff.core.intent.worklist import EVERYBODY
from signoff.core.plan.plan import Plan
from signoff.store.database import Database, plans_of
from signoff.store.rows import from_micros

SEVERAL: Final = (
    # a workflow whose human steps have different policies; only the intent's row says which one is open
    "several"
)
_MOST_PLANS: Final = 500
_OPEN_TASKS: Final = """
select count(*), i.plan from worklist w join intents i on i.id = w.intent_id and i.shard = w.shard
where w.workspace = :workspace and w.party = :party group by i.plan order by 1 desc limit :limit
"""
_OUTBOX: Final = """
select workspace, channel, case when dead = 1 then 'dead' when attempts > 0 then 'retrying' else 'waiting' end,
    count(*), min(due_at)
from outbox group by 1, 2, 3 order by 4 desc limit :limit
"""
_SEEN: Final = """
select workspace, agent, max(seen_at) from workers group by workspace, agent order by 3 desc limit :limit
"""
_MOST: Final = 1_000


class QueuedMessages(Struct, frozen=True):
    """How many messages of a workspace and a channel are ``waiting``, ``retrying`` or ``dead``; ``due``: the earliest
    due time.
    """

    workspace: str
    channel: str
    state: str
    count: int
    due: datetime


class Totals:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def open_tasks(self, workspace: str) -> Counter[str]:
        """Open tasks by the name of their policy, "" for none. Only the 500 plans with the most open tasks are
        counted.
        """
        rows = await self._db.read(_OPEN_TASKS, workspace=workspace, party=EVERYBODY, limit=_MOST_PLANS)
        plans = await plans_of(self._db, rows)
        found: Counter[str] = Counter()
        for count, digest in rows:
            found[_policy(plans.get(digest))] += count
        return found

    async def outbox(self) -> list[QueuedMessages]:
        rows = await self._db.read(_OUTBOX, limit=_MOST)
        return [
            QueuedMessages(workspace, channel, state, count, from_micros(due))
            for workspace, channel, state, count, due in rows
        ]

    async def seen(self) -> dict[tuple[str, str], datetime]:
        """When each agent of each workspace last asked for work, for the 1,000 agents that asked most recently."""
        return {
            (space, agent): from_micros(at) for space, agent, at in await self._db.read(_SEEN, limit=_MOST)
        }


def _policy(plan: Plan | None) -> str:
    names = {spec.policy.partition("@")[0] for spec in plan.tasks.values()} if plan is not None else set()
    return names.pop() if len(names) == 1 else SEVERAL if names else ""
