"""Group commit. Everything that is queued while a commit is in flight goes into the next one: no timer,
at most ``BATCH`` jobs, one transaction, one fsync. A refused job affects only its caller. If the batch itself fails,
it is split in half and tried again, so one bad job cannot fail the others. The queue is bounded: beyond it callers
immediately get ``Busy`` (503).

Consecutive jobs on one intent are merged: the row is written once, with all their facts.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from signoff.core.errors import Busy, Refused
from signoff.engine.commit.batch import Batch, Followed, RouteChange, nobody_follows
from signoff.engine.commit.held_rows import PATIENCE, HeldRows
from signoff.engine.commit.queued import Job, QueuedJob
from signoff.engine.metrics import BATCH_JOBS, COMMIT_SECONDS, Metrics
from signoff.store.store import Store
from signoff.store.transaction import ClaimableQuery, IdempotencyKey, Loaded, Locks, Writes

log = logging.getLogger("signoff.committer")

# Small enough that preparing a batch blocks the event loop only for a few milliseconds.
BATCH: Final = 64


class Committer:
    """Concurrent workers, each committing one batch after the other from its own queue."""

    def __init__(  # noqa: PLR0913
        self,
        store: Store,
        route: RouteChange,
        publish: Callable[[Batch], None],
        *,
        workers: int = 1,
        limit: int = 4096,
        reply_life: timedelta = timedelta(hours=48),
        patience: float = PATIENCE,
        metrics: Metrics | None = None,
        followed: Followed = nobody_follows,
    ) -> None:
        self._store = store
        self._route = route
        self._publish = publish
        self._followed = followed
        self._limit = limit
        self._reply_life = reply_life
        self._metrics = metrics or Metrics()
        self._queues: list[deque[QueuedJob]] = [deque() for _ in range(workers)]
        self._arrivals = [asyncio.Event() for _ in range(workers)]
        self.queued = 0
        self._held = HeldRows(store, self._again, patience)
        self._began: dict[int, float] = {}  # start of each batch in flight

    def in_flight_for(self) -> float:
        """The seconds that the longest-running batch has been with the database."""
        now = asyncio.get_running_loop().time()
        return max((now - began for began in self._began.values()), default=0.0)

    async def do(self, job: Job) -> Any:
        """Commit one job; returns its result or raises its Refused. Busy if the queue is full."""
        if self.queued >= self._limit:
            raise Busy(
                "queue_full", f"{self.queued} requests are waiting to be written; this one was not accepted."
            )
        queued = QueuedJob(job, asyncio.get_running_loop().create_future())
        worker = self._worker_of(queued)
        self.queued += 1
        self._queues[worker].append(queued)
        self._arrivals[worker].set()
        return await queued.future

    def _worker_of(self, queued: QueuedJob) -> int:
        return queued.job.worker_key() % len(self._queues) if len(self._queues) > 1 else 0

    def _again(self, jobs: list[QueuedJob], failed: int) -> None:
        """Queue jobs whose rows are free again, ahead of newer ones."""
        self.queued -= failed
        for queued in reversed(jobs):
            worker = self._worker_of(queued)
            self._queues[worker].appendleft(queued)
            self._arrivals[worker].set()

    async def run(self, worker: int = 0) -> None:
        """Commit the batches of this worker until canceled; a batch in flight is finished first."""
        queue, arrival = self._queues[worker], self._arrivals[worker]
        while True:
            if not queue:
                arrival.clear()
                await arrival.wait()
                continue
            # Cancelling a commit in flight would leave its callers without knowing whether it happened.
            settling = asyncio.create_task(self._next(queue))
            try:
                await asyncio.shield(settling)
            finally:
                if not settling.done():
                    await asyncio.wait([settling])

    async def drain(self) -> None:
        """Commit everything that is still queued (at shutdown)."""
        while any(self._queues) or len(self._held):
            for queue in self._queues:
                while queue:
                    await self._next(queue)
            await self._held.drain()

    @property
    def workers(self) -> int:
        return len(self._queues)

    async def _next(self, queue: deque[QueuedJob]) -> None:
        async with self._store.turn():  # what is queued while others write is in the batch
            await self._settle(_take(queue))

    async def _settle(self, jobs: list[QueuedJob]) -> None:
        time = asyncio.get_running_loop().time
        self._began[id(jobs)] = began = time()
        try:
            await self._commit(jobs)
        finally:
            del self._began[id(jobs)]
            self.queued -= len(jobs)
            self._metrics.observe(BATCH_JOBS, len(jobs))
            self._metrics.observe(COMMIT_SECONDS, time() - began)

    async def _commit(self, jobs: list[QueuedJob], sifted: bool = False) -> None:
        if not sifted:
            jobs = await self._sift(jobs)
        if not jobs:
            return
        try:
            batch = await self._transact(jobs)
        except Busy as busy:
            # the database cannot be reached: splitting the batch would only repeat the failure
            if busy.code != "row_locked":
                for queued in jobs:
                    queued.fail(busy)
                return
            free = await self._sift(jobs, lock_timed_out=True)
            if len(free) < len(jobs):
                await self._commit(free, sifted=True)
            elif len(jobs) > 1:  # the locked row is not an intent's but, for instance, an agent's counter
                await self._halves(jobs)
            else:
                jobs[0].fail(busy)
        except Exception as error:
            if len(jobs) == 1:
                log.exception("a command could not be committed")
                jobs[0].fail(error)
                return
            await self._halves(jobs)
        else:
            self._publish_commit(batch)
            for queued in jobs:
                if isinstance(queued.result, Refused):
                    queued.fail(queued.result)
                # the caller may have gone; what it asked for is committed all the same
                elif not queued.future.done():
                    queued.future.set_result(queued.result)

    async def _sift(self, jobs: list[QueuedJob], lock_timed_out: bool = False) -> list[QueuedJob]:
        free = await self._held.sift(jobs, lock_timed_out)
        self.queued += len(jobs) - len(free)  # the held jobs leave this batch, but not the committer
        return free

    async def _halves(self, jobs: list[QueuedJob]) -> None:
        half = len(jobs) // 2
        await self._commit(jobs[:half], sifted=True)
        await self._commit(jobs[half:], sifted=True)

    def _publish_commit(self, batch: Batch) -> None:
        try:
            self._publish(batch)
        except Exception:
            # The batch is committed: answer its callers and continue even if publishing failed.
            log.exception("a commit could not be published")

    async def _transact(self, jobs: list[QueuedJob]) -> Batch:
        # The store may call back again, when it retries the transaction; only the last batch was committed.
        batches: list[Batch] = []

        def work(found: Loaded) -> Writes:
            batch = Batch(found, self._route, self._reply_life, self._followed)
            for queued in jobs:
                try:
                    queued.result = queued.job.apply(batch)
                except Refused as refusal:
                    queued.result = refusal
            batches.append(batch)
            return batch.writes()

        await self._store.transact(_want(jobs), work)
        return batches[-1]


def _take(queue: deque[QueuedJob]) -> list[QueuedJob]:
    """The next batch: in order, at most BATCH jobs, at most one claiming scan (others wait for the next batch)."""
    taken: list[QueuedJob] = []
    later: list[QueuedJob] = []
    scans = 0
    while queue and len(taken) < BATCH:
        queued = queue.popleft()
        if queued.job.claims() is not None or queued.job.due():
            scans += 1
            # ``Locks`` has one query for deliveries and one number of due intents
            if scans > 1:
                later.append(queued)
                continue
        taken.append(queued)
    # back to the front, in their order
    queue.extendleft(reversed(later))
    return taken


def _want(jobs: list[QueuedJob]) -> Locks:
    ids: dict[str, None] = {}
    once: list[IdempotencyKey] = []
    claims: ClaimableQuery | None = None
    due = 0
    workspaces: dict[str, None] = {}
    for queued in jobs:
        job = queued.job
        ids.update(dict.fromkeys(job.ids()))
        key = job.once()
        if key is not None:
            once.append(key)
        claims = job.claims() or claims
        due = job.due() or due
        if workspace := job.workspace():
            workspaces[workspace] = None
    return Locks(ids=tuple(ids), once=tuple(once), claims=claims, due=due, workspaces=tuple(workspaces))
