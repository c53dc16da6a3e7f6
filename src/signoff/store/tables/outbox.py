"""Notices on their way. A row is taken for a while, sent, and only then done: each goes out at least once."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from signoff.store import sql
from signoff.store.database import Database
from signoff.store.rows import micros, outgoing, outgoing_row
from signoff.store.work import OutboxRow


class Outbox:
    """The queue of notices; rows enter it only in the transaction that made them necessary."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, row: OutboxRow) -> None:
        """Add a row that no other change makes necessary."""
        await self._db.write(
            (sql.PUT_OUTGOING, dict(zip(sql.OUTBOX.columns, outgoing_row(row), strict=True)))
        )

    async def due(self, limit: int, hold: timedelta) -> list[OutboxRow]:
        """Take up to ``limit`` due rows; nobody else gets them for ``hold``. Taking is no attempt: a row taken
        by a server that ended is as it was.
        """
        now = await self._db.now()
        values = {"now": micros(now), "until": micros(now + hold), "limit": limit}
        [rows] = await self._db.write((sql.OUTBOX_TAKE, values))
        return sorted((outgoing(row) for row in rows), key=lambda out: (out.intent, out.seq, out.id))

    async def done(self, ids: Sequence[str]) -> None:
        """Sent: forget them."""
        await self._db.write((sql.OUTBOX_DONE, {"ids": list(ids)}))

    async def again(self, id: str, due_at: datetime, error: str) -> None:
        """Refused, which is an attempt: try once more at ``due_at``."""
        await self._db.write((sql.OUTBOX_AGAIN, {"id": id, "due_at": micros(due_at), "error": error}))

    async def back(self, ids: Sequence[str], due_at: datetime) -> None:
        """Not refused: waiting, for whatever reason, is no attempt."""
        await self._db.write((sql.OUTBOX_BACK, {"ids": list(ids), "due_at": micros(due_at)}))

    async def aside(self, id: str, due_at: datetime, error: str) -> None:
        """Not tried, as nothing can be done with it here: no attempt, but it says why."""
        await self._db.write((sql.OUTBOX_ASIDE, {"id": id, "due_at": micros(due_at), "error": error}))

    async def dead(self, id: str, error: str) -> None:
        """Never to be sent: kept to be seen, not tried again."""
        await self._db.write((sql.OUTBOX_DEAD, {"id": id, "error": error}))

    async def counts(self) -> dict[str, int]:
        """How many are ``waiting`` and how many ``dead``."""
        found: dict[int, int] = {row[0]: row[1] for row in await self._db.read(sql.OUTBOX_COUNTS)}
        return {"waiting": found.get(0, 0), "dead": found.get(1, 0)}

    async def page(self, after: str, limit: int) -> list[OutboxRow]:
        """All rows of all workspaces with an id above ``after``, in order: for the doctor."""
        return [outgoing(row) for row in await self._db.read(sql.OUTBOX_ALL, after=after, limit=limit)]

    async def listing(self, workspace: str, limit: int) -> list[OutboxRow]:
        """Newest first."""
        rows = await self._db.read(sql.OUTBOX_LISTING, workspace=workspace, limit=limit)
        return [outgoing(row) for row in rows]
