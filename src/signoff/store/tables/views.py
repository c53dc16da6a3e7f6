"""Who opened the card of which task, when, and through which channel: one row for each person, task and channel. The
rows are not part of the hash chain, so they can be erased; they are deleted with their intent.
"""

from datetime import datetime
from typing import Final

from signoff.store.database import Database
from signoff.store.rows import Row, by_id, from_micros, micros
from signoff.store.transaction import CardOpening

_ADD: Final = """
insert into views (intent_id, shard, visit, person, channel, first_at, last_at, times, unfolded)
values (:id, :shard, :visit, :person, :channel, :at, :at, 1, :unfolded)
on conflict (intent_id, visit, person, channel, shard) do update set
    last_at = excluded.last_at, times = views.times + 1,
    unfolded = case when views.unfolded > excluded.unfolded then views.unfolded else excluded.unfolded end
"""
_COLUMNS: Final = "visit, person, channel, first_at, last_at, times, unfolded"
_OF: Final = f"""
select {_COLUMNS} from views where intent_id = :id and shard = :shard
order by first_at, person, channel limit :limit
"""
_OF_PERSON: Final = f"""
select {_COLUMNS} from views
where intent_id = :id and shard = :shard and visit = :visit and person = :person order by first_at, channel
"""
_ERASE: Final = "delete from views where person = :person"
_MOST: Final = 1000


class Views:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(
        self, intent_id: str, step_run: int, person: str, channel: str, at: datetime, unfolded: bool
    ) -> None:
        """Record that a task was opened again."""
        values = {
            **by_id(intent_id), "visit": step_run, "person": person, "channel": channel, "at": micros(at),
            "unfolded": int(unfolded),
        }  # fmt: skip
        await self._db.write((_ADD, values))

    async def of(self, intent_id: str, limit: int = _MOST) -> list[CardOpening]:
        """Who opened the tasks of an intent, in order of first opening."""
        return [_view(row) for row in await self._db.read(_OF, **by_id(intent_id), limit=limit)]

    async def of_person(self, intent_id: str, step_run: int, person: str) -> list[CardOpening]:
        """When one person opened one task, by channel."""
        rows = await self._db.read(_OF_PERSON, **by_id(intent_id), visit=step_run, person=person)
        return [_view(row) for row in rows]

    async def erase(self, person: str) -> None:
        """Delete the record of what a person opened."""
        await self._db.write((_ERASE, {"person": person}))


def _view(row: Row) -> CardOpening:
    visit, person, channel, first_at, last_at, times, unfolded = row
    return CardOpening(
        visit, person, channel, from_micros(first_at), from_micros(last_at), times, bool(unfolded)
    )
