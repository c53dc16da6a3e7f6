"""Records that a program acts on the outcome of an intent: one row per intent, written once. This makes an approval
single-use even across servers: if two programs try to use it at the same time, only one succeeds.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from signoff.store.database import Database
from signoff.store.rows import by_id, from_micros, micros

_ADD: Final = """
insert into uses (intent_id, shard, use, actor, used_at) values (:id, :shard, :use, :actor, :used_at)
on conflict do nothing
"""
_OF: Final = "select use, actor, used_at from uses where intent_id = :id and shard = :shard"


class Use(Struct, frozen=True):
    """The one use of an intent's outcome. use: the name that the caller chose; actor: who used it."""

    intent_id: str
    use: str
    actor: str
    used_at: datetime


class Uses:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, wanted: Use) -> Use:
        """Record this use unless there is one already; return the recorded use."""
        values = {
            **by_id(wanted.intent_id), "use": wanted.use, "actor": wanted.actor,
            "used_at": micros(wanted.used_at),
        }  # fmt: skip
        await self._db.write((_ADD, values))
        found = await self.of(wanted.intent_id)
        return wanted if found is None else found

    async def of(self, intent_id: str) -> Use | None:
        rows = await self._db.read(_OF, **by_id(intent_id))
        return Use(intent_id, rows[0][0], rows[0][1], from_micros(rows[0][2])) if rows else None
