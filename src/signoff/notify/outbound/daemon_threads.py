"""Threads for calls that may hang. Nothing waits for them when the process ends, unlike for those of a
ThreadPoolExecutor, which Python joins.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Job = tuple[Future[Any], Callable[[], Any]]


class DaemonThreads(ThreadPoolExecutor):
    """At most ``most`` daemon threads, each started when no other is idle. It inherits because an event loop accepts
    nothing else as its default executor; none of the inherited threads are used.
    """

    def __init__(self, most: int, name: str) -> None:
        super().__init__(most)
        self._most, self._name = most, name
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._started = self._idle = 0
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("These threads take no more work: the server is stopping.")
            self._jobs.append((future, partial(fn, *args, **kwargs)))
            if self._idle < len(self._jobs) and self._started < self._most:
                self._started += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the idle threads and discard what no thread has begun. What has begun is never waited for."""
        with self._changed:
            self._closed = True
            jobs, self._jobs = list(self._jobs), deque()
            self._changed.notify_all()
        for future, _ in jobs:
            future.cancel()

    def _next(self) -> Job | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._jobs or self._closed)
            self._idle -= 1
            return self._jobs.popleft() if self._jobs else None

    def _work(self) -> None:
        while (job := self._next()) is not None:
            future, call = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # the caller gets it
                future.set_exception(error)
            else:
                future.set_result(result)
            del job, future, call  # an idle thread keeps nothing alive
