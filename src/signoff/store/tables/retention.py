"""The state of retention: what it knows about the clock, and how much it has deleted. There is one row for the whole
database.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from signoff.store.database import Database
from signoff.store.rows import from_micros, maybe_moment, micros

_GET: Final = "select at, owed, intents, payloads, deleted_at from sweeps where id = 1"
_PUT: Final = """
insert into sweeps (id, at, owed, intents, payloads, deleted_at)
values (1, :at, :owed, :intents, :payloads, :deleted_at)
on conflict (id) do update set at = excluded.at, owed = excluded.owed,
    intents = sweeps.intents + excluded.intents, payloads = sweeps.payloads + excluded.payloads,
    deleted_at = coalesce(excluded.deleted_at, sweeps.deleted_at)
"""
# Due times move back by as much as the clock did. Calendar times stay, unless the row was tried before: the beginning
# of a person's working hours, and the end of a proposal (whose row has no ``seq``, because no fact caused it).
_BRING_FORWARD: Final = """
update outbox set due_at = case when due_at - :by > :now then due_at - :by else :now end
where dead = 0 and due_at > :now and (attempts > 0 or seq > 0 and not exists (
    select 1 from messages m
    where m.id = outbox.id and m.shard = outbox.shard and m.at >= outbox.due_at and m.at > m.called_at + :at_once
))
"""
# The next tick recomputes when the intent is due.
_WAKE: Final = "update intents set wake_at = :now where wake_at > :now"
_AT_ONCE: Final = 60_000_000
_NEWEST: Final = "select updated_at from intents order by id desc limit 1"
_MICROSECOND: Final = timedelta(microseconds=1)


class RetentionRun(Struct, frozen=True):
    """at: the time of the last run; owed: how much longer the clock has to run steadily before anything is deleted;
    intents and payloads: how many were deleted so far; deleted_at: when something was last deleted.
    """

    at: datetime
    owed: timedelta
    intents: int = 0
    payloads: int = 0
    deleted_at: datetime | None = None


class RetentionRuns:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def get(self) -> RetentionRun | None:
        """The last run; None if retention has not run yet."""
        rows = await self._db.read(_GET)
        if not rows:
            return None
        at, owed, intents, payloads, deleted_at = rows[0]
        return RetentionRun(from_micros(at), owed * _MICROSECOND, intents, payloads, maybe_moment(deleted_at))

    async def note(self, swept: RetentionRun) -> None:
        """Store a run; its counts are added to the former ones."""
        values = {
            "at": micros(swept.at),
            "owed": swept.owed // _MICROSECOND,
            "intents": swept.intents,
            "payloads": swept.payloads,
            "deleted_at": None if swept.deleted_at is None else micros(swept.deleted_at),
        }
        await self._db.write((_PUT, values))

    async def set_back(self, now: datetime, by: timedelta) -> None:
        """Correct the timers after the clock has jumped back by ``by``, to ``now``: timers that were set by the wrong
        time become due earlier by the same amount, and every intent with a timer is checked.
        """
        at = {"now": micros(now)}
        await self._db.write(
            (_BRING_FORWARD, at | {"by": by // _MICROSECOND, "at_once": _AT_ONCE}), (_WAKE, at)
        )

    async def newest(self) -> datetime | None:
        """When the newest intent was last written; None if there is none."""
        rows = await self._db.read(_NEWEST)
        return from_micros(rows[0][0]) if rows else None
