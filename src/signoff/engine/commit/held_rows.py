"""Jobs on intents that another transaction has locked, perhaps a transaction of a server that hangs. They wait here,
outside the batches, and do not delay anyone else.

After a batch has timed out waiting for a lock, the following batches are checked for held rows first, for a while.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from signoff.core.errors import Busy
from signoff.engine.commit.queued import QueuedJob
from signoff.store.store import Store

# Longer than PostgreSQL lets a server that hangs in a transaction keep its locks (store/postgres/connections.py).
PATIENCE: Final = 5.0
_AGAIN: Final = 0.05


class HeldRows:
    """back: called with the jobs whose rows are free again, in their original order, and with the number of jobs that
    were refused.

    patience: for how many seconds a job waits.
    """

    def __init__(
        self, store: Store, back: Callable[[list[QueuedJob], int], None], patience: float = PATIENCE
    ) -> None:
        self._store = store
        self._back = back
        self._patience = patience
        # job -> until when it waits, in the order of arrival
        self._waiting: list[tuple[float, QueuedJob]] = []
        self._ids: set[str] = set()
        self._suspicious_until = 0.0
        self._watching: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many jobs are waiting."""
        return len(self._waiting)

    async def sift(self, jobs: list[QueuedJob], lock_timed_out: bool = False) -> list[QueuedJob]:
        """Return the jobs that can be committed now; the others wait here. ``lock_timed_out``: these jobs have just
        waited for a lock in vain.
        """
        now = asyncio.get_running_loop().time()
        if lock_timed_out:
            self._suspicious_until = now + self._patience
        if now >= self._suspicious_until and not self._waiting:
            return jobs
        wanted = {id for queued in jobs for id in queued.job.ids()}
        try:
            held = await self._store.held(sorted(wanted))
        except Busy:  # the commit will report what is wrong with the database
            return jobs
        self._ids |= held  # a job stays behind earlier jobs on the same row, even if the row is free by now
        free: list[QueuedJob] = []
        for queued in jobs:
            if self._ids.isdisjoint(queued.job.ids()):
                free.append(queued)
            else:
                self._waiting.append((now + self._patience, queued))
        if self._waiting and (self._watching is None or self._watching.done()):
            self._watching = asyncio.create_task(self._watch(), name="signoff-held-rows")
        return free

    async def drain(self) -> None:
        """Wait until no job is waiting here."""
        if self._watching is not None:
            await asyncio.wait([self._watching])

    async def _watch(self) -> None:
        while self._waiting:
            await asyncio.sleep(_AGAIN)
            try:
                held = await self._store.held(sorted(self._ids))
            except Busy:
                held = set(self._ids)
            self._release(held)

    def _release(self, held: set[str]) -> None:
        now = asyncio.get_running_loop().time()
        waiting, self._waiting = self._waiting, []
        free: list[QueuedJob] = []
        for until, queued in waiting:
            if held.isdisjoint(queued.job.ids()):
                free.append(queued)
            elif now < until:
                self._waiting.append((until, queued))
            else:
                queued.fail(Busy("row_locked", "Another server has locked this intent."))
        self._ids = {id for _, queued in self._waiting for id in queued.job.ids()}
        self._back(free, len(waiting) - len(self._waiting) - len(free))
