"""The outbox. A row is reserved for a while, sent, and only then deleted: at-least-once delivery."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from signoff.store import sql
from signoff.store.database import Database
from signoff.store.rows import by_row, by_rows, micros, outgoing, outgoing_row
from signoff.store.transaction import OutboxRow

_TO_PERSON = f"""
select {sql.OUTBOX_COLUMNS} from outbox where dead = 0 and due_at <= :until and workspace = :workspace
    and channel = :channel and target = :target and kind = :kind order by due_at, id limit :limit
"""
_HOLDS: Final = "select 1 from outbox where id = :id and shard = :shard"


class Outbox:
    """The queue of notifications; a row is added in the transaction that causes it."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, row: OutboxRow) -> None:
        """Add a row, without any other change."""
        await self._db.write(
            (sql.PUT_OUTGOING, dict(zip(sql.OUTBOX.columns, outgoing_row(row), strict=True)))
        )

    async def due(self, limit: int, hold: timedelta) -> list[OutboxRow]:
        """Take up to ``limit`` due rows and reserve them for ``hold``. Taking a row does not count as an attempt: if
        the server crashes, the row is unchanged.
        """
        now = await self._db.now()
        values = {"now": micros(now), "until": micros(now + hold), "limit": limit}
        [rows] = await self._db.write((sql.OUTBOX_TAKE, values))
        return sorted((outgoing(row) for row in rows), key=lambda out: (out.intent, out.seq, out.id))

    async def to_person(self, row: OutboxRow, until: datetime, limit: int) -> list[OutboxRow]:
        """The rows due by ``until`` to the same person over the same channel, the longest waiting first."""
        values = {"workspace": row.workspace, "channel": row.channel, "target": row.target, "kind": row.kind}
        found = await self._db.read(_TO_PERSON, until=micros(until), limit=limit, **values)
        return [outgoing(one) for one in found if one[0] != row.id]

    async def holds(self, row: OutboxRow) -> bool:
        """Whether this row is still to be sent: a roundup that another server has sent may have covered it."""
        return bool(await self._db.read(_HOLDS, **_key(row)))

    async def done(self, rows: Sequence[OutboxRow]) -> None:
        """Delete rows that were sent."""
        await self._db.write((sql.OUTBOX_DONE, _keys(rows)))

    async def again(self, row: OutboxRow, due_at: datetime, error: str) -> None:
        """Retry at ``due_at`` after a refusal, which counts as an attempt."""
        await self._db.write((sql.OUTBOX_AGAIN, {**_key(row), "due_at": micros(due_at), "error": error}))

    async def back(self, rows: Sequence[OutboxRow], due_at: datetime) -> None:
        """Return rows that were not refused: waiting, for any reason, does not count as an attempt."""
        await self._db.write((sql.OUTBOX_BACK, {**_keys(rows), "due_at": micros(due_at)}))

    async def aside(self, row: OutboxRow, due_at: datetime, error: str) -> None:
        """Set aside a row that this release cannot send. This does not count as an attempt, but the reason is
        recorded.
        """
        await self._db.write((sql.OUTBOX_ASIDE, {**_key(row), "due_at": micros(due_at), "error": error}))

    async def dead(self, row: OutboxRow, error: str) -> None:
        """Mark a row as dead: it is kept for inspection and never retried."""
        await self._db.write((sql.OUTBOX_DEAD, {**_key(row), "error": error}))

    async def counts(self) -> dict[str, int]:
        """How many rows are ``waiting`` and how many are ``dead``."""
        found: dict[int, int] = {row[0]: row[1] for row in await self._db.read(sql.OUTBOX_COUNTS)}
        return {"waiting": found.get(0, 0), "dead": found.get(1, 0)}

    async def page(self, after: str, limit: int) -> list[OutboxRow]:
        """All rows of all workspaces with an id above ``after``, in order, for the integrity check."""
        return [outgoing(row) for row in await self._db.read(sql.OUTBOX_ALL, after=after, limit=limit)]

    async def listing(self, workspace: str, limit: int) -> list[OutboxRow]:
        """The rows of a workspace, newest first."""
        rows = await self._db.read(sql.OUTBOX_LISTING, workspace=workspace, limit=limit)
        return [outgoing(row) for row in rows]


def _key(row: OutboxRow) -> dict[str, Any]:
    return by_row(row.id, row.intent)


def _keys(rows: Sequence[OutboxRow]) -> dict[str, Any]:
    return by_rows((row.id, row.intent) for row in rows)
