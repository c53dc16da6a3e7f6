"""A job that waits to be committed."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from signoff.engine.commit.batch import Batch
from signoff.store.work import ClaimableRow, IdempotencyKey


class Job(Protocol):
    """One job within a batch: the locks that it needs, and what it does then. It may run more than once."""

    def worker_key(self) -> int: ...
    def ids(self) -> Sequence[str]: ...
    def once(self) -> IdempotencyKey | None: ...
    def ready(self) -> ClaimableRow | None: ...
    def due(self) -> int: ...
    def space(self) -> str: ...
    def apply(self, batch: Batch) -> Any: ...


class QueuedJob:
    __slots__ = ("future", "job", "result")

    def __init__(self, job: Job, future: "asyncio.Future[Any]") -> None:
        self.job = job
        self.future = future
        self.result: Any = None

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)
