"""The commit path: group commit. Everything that was queued while the previous commit was in flight goes into the next
one: no timer, at most ``BATCH`` jobs, one transaction, one fsync. A refused job refuses only its caller; if the batch
itself fails it is split in halves and tried again, so one bad job cannot fail its neighbors. The queue is bounded:
beyond it callers immediately get ``Busy`` (503).

Consecutive jobs on one intent are folded: the row is written once, with all their facts.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

from signoff.core.errors import Busy, Refused
from signoff.engine.commit.batch import Batch, Route
from signoff.store.store import Store
from signoff.store.work import ClaimableRow, IdempotencyKey, Loaded, Locks, Writes

log = logging.getLogger("signoff.committer")

BATCH: Final = 256


class Job(Protocol):
    """One job within a batch: the locks it needs, and what it does with them (may run more than once)."""

    def worker_key(self) -> int: ...
    def ids(self) -> Sequence[str]: ...
    def once(self) -> IdempotencyKey | None: ...
    def ready(self) -> ClaimableRow | None: ...
    def due(self) -> int: ...
    def space(self) -> str: ...
    def apply(self, batch: Batch) -> Any: ...


class _Queued:
    __slots__ = ("future", "job", "result")

    def __init__(self, job: Job, future: "asyncio.Future[Any]") -> None:
        self.job = job
        self.future = future
        self.result: Any = None


class Committer:
    """Concurrent workers, each committing one batch after the other from its own queue."""

    def __init__(
        self,
        store: Store,
        route: Route,
        publish: Callable[[Batch], None],
        *,
        workers: int = 1,
        limit: int = 4096,
        reply_life: timedelta = timedelta(hours=48),
    ) -> None:
        self._store = store
        self._route = route
        self._publish = publish
        self._limit = limit
        self._reply_life = reply_life
        self._queues: list[deque[_Queued]] = [deque() for _ in range(workers)]
        self._news = [asyncio.Event() for _ in range(workers)]
        self.queued = 0
        self._began: dict[int, float] = {}  # of each batch in flight

    def in_flight_for(self) -> float:
        """For how many seconds the longest-running batch has been in the database."""
        now = asyncio.get_running_loop().time()
        return max((now - began for began in self._began.values()), default=0.0)

    async def do(self, job: Job) -> Any:
        """Commit one job; returns its result or raises its Refused. Busy if the queue is full."""
        if self.queued >= self._limit:
            raise Busy(
                "queue_full", f"{self.queued} requests are waiting to be written; this one was not accepted."
            )
        worker = job.worker_key() % len(self._queues)
        queued = _Queued(job, asyncio.get_running_loop().create_future())
        self.queued += 1
        self._queues[worker].append(queued)
        self._news[worker].set()
        return await queued.future

    async def run(self, worker: int = 0) -> None:
        """Commit the batches of this worker until cancelled; a batch in flight is finished first."""
        queue, news = self._queues[worker], self._news[worker]
        while True:
            if not queue:
                news.clear()
                await news.wait()
                continue
            settling = asyncio.create_task(self._settle(_take(queue)))
            try:
                await asyncio.shield(settling)
            finally:
                if not settling.done():
                    await asyncio.wait([settling])

    async def drain(self) -> None:
        """Commit what is still queued (at shutdown)."""
        for queue in self._queues:
            while queue:
                await self._settle(_take(queue))

    @property
    def workers(self) -> int:
        return len(self._queues)

    async def _settle(self, jobs: list[_Queued]) -> None:
        self._began[id(jobs)] = asyncio.get_running_loop().time()
        try:
            await self._commit(jobs)
        finally:
            del self._began[id(jobs)]
            self.queued -= len(jobs)

    async def _commit(self, jobs: list[_Queued]) -> None:
        try:
            batch = await self._transact(jobs)
        except Busy as busy:
            # Only transactions that need this row have to wait.
            if busy.code == "row_locked" and len(jobs) > 1:
                half = len(jobs) // 2
                await self._commit(jobs[:half])
                await self._commit(jobs[half:])
                return
            for queued in jobs:
                _fail(queued, busy)
        except Exception as error:
            if len(jobs) == 1:
                log.exception("a command could not be committed")
                _fail(jobs[0], error)
                return
            half = len(jobs) // 2
            await self._commit(jobs[:half])
            await self._commit(jobs[half:])
        else:
            self._tell(batch)
            for queued in jobs:
                if isinstance(queued.result, Refused):
                    _fail(queued, queued.result)
                elif not queued.future.done():
                    queued.future.set_result(queued.result)

    def _tell(self, batch: Batch) -> None:
        try:
            self._publish(batch)
        except Exception:
            # It is committed: its callers are answered, and the worker goes on even if publishing failed.
            log.exception("a commit could not be published")

    async def _transact(self, jobs: list[_Queued]) -> Batch:
        batches: list[Batch] = []

        def work(found: Loaded) -> Writes:
            batch = Batch(found, self._route, self._reply_life)
            for queued in jobs:
                try:
                    queued.result = queued.job.apply(batch)
                except Refused as refusal:
                    queued.result = refusal
            batches.append(batch)
            return batch.writes()

        await self._store.transact(_want(jobs), work)
        return batches[-1]


def _take(queue: deque[_Queued]) -> list[_Queued]:
    """The next batch: in order, at most BATCH jobs, at most one claiming scan (others wait for the next batch)."""
    taken: list[_Queued] = []
    later: list[_Queued] = []
    scans = 0
    while queue and len(taken) < BATCH:
        queued = queue.popleft()
        if queued.job.ready() is not None or queued.job.due():
            scans += 1
            if scans > 1:
                later.append(queued)
                continue
        taken.append(queued)
    queue.extendleft(reversed(later))
    return taken


def _want(jobs: list[_Queued]) -> Locks:
    ids: dict[str, None] = {}
    once: list[IdempotencyKey] = []
    ready: ClaimableRow | None = None
    due = 0
    spaces: dict[str, None] = {}
    for queued in jobs:
        job = queued.job
        ids.update(dict.fromkeys(job.ids()))
        key = job.once()
        if key is not None:
            once.append(key)
        ready = job.ready() or ready
        due = job.due() or due
        if space := job.space():
            spaces[space] = None
    return Locks(ids=tuple(ids), once=tuple(once), ready=ready, due=due, spaces=tuple(spaces))


def _fail(queued: _Queued, error: BaseException) -> None:
    if not queued.future.done():
        queued.future.set_exception(error)
