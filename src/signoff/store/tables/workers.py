"""When work was last requested for each agent: one row per agent, written at most once a minute by each server."""

from collections.abc import Sequence

from signoff.core.directory.workers import Worker
from signoff.store.database import Database
from signoff.store.rows import from_micros, micros

_PUT = """
insert into workers (workspace, agent, seen_at, client) values (:workspace, :agent, :seen_at, :client)
on conflict (workspace, agent) do update set seen_at = excluded.seen_at, client = excluded.client
where workers.seen_at < excluded.seen_at
"""
_OF = "select agent, seen_at, client from workers where workspace = :workspace"


class WorkerTable:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, seen: Sequence[tuple[str, Worker]]) -> None:
        """Store rows (workspace, worker); a later time in the table is kept. Rows are locked in a fixed order."""
        if seen:
            await self._db.write(
                *(
                    (
                        _PUT,
                        {
                            "workspace": workspace,
                            "agent": worker.agent,
                            "seen_at": micros(worker.seen_at),
                            "client": worker.client,
                        },
                    )
                    for workspace, worker in sorted(seen, key=lambda one: (one[0], one[1].agent))
                )
            )

    async def of(self, workspace: str) -> dict[str, Worker]:
        """The workers of a workspace, by agent."""
        rows = await self._db.read(_OF, workspace=workspace)
        return {str(row[0]): Worker(str(row[0]), from_micros(row[1]), str(row[2])) for row in rows}
