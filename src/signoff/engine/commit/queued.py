"""A job that waits to be committed."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from signoff.engine.commit.batch import Batch
from signoff.store.transaction import ClaimableQuery, IdempotencyKey


class Job(Protocol):
    """One job within a batch: the locks that it needs, and what it does once it has them. It may run more than once."""

    def worker_key(self) -> int:
        """A number that chooses the commit worker: jobs with the same number are committed in order."""

    def ids(self) -> Sequence[str]:
        """The intents to lock."""

    def once(self) -> IdempotencyKey | None:
        """The key under which an earlier answer may be stored."""

    def claims(self) -> ClaimableQuery | None:
        """The claimable deliveries to lock, instead of intents that are known by id."""

    def due(self) -> int:
        """How many intents with a due timer to lock."""

    def workspace(self) -> str:
        """The workspace whose directory must be unchanged since the job was made; "" if that does not matter."""

    def apply(self, batch: Batch) -> Any:
        """Do it on the locked state; the result goes to the caller. Raises Refused for this job alone."""


class QueuedJob:
    __slots__ = ("future", "job", "result")

    def __init__(self, job: Job, future: "asyncio.Future[Any]") -> None:
        self.job = job
        self.future = future
        self.result: Any = None

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)
