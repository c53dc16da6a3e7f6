"""An agent: handlers for the work of agent steps, by intent type.

``run`` claims deliveries under a lease, calls the handlers, renews the leases while they run, and reports the results.
It survives restarts of the server, and stops on SIGINT or SIGTERM after the running handlers have finished.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeVar

from signoff.client.aio import AsyncClient
from signoff.client.credentials import find_settings
from signoff.client.drivers import AsyncSession
from signoff.client.flow import Retries
from signoff.client.handlers import Function, Handlers, refuse_generator
from signoff.client.sync import Client
from signoff.client.worker import ResultReducer, WorkerLoop, WorkerOptions

log = logging.getLogger("signoff")
F = TypeVar("F", bound=Function)
S = TypeVar("S", bound=ResultReducer)
Dispositions = Mapping[int, Any]  # what Python calls on a signal
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Agent:
    """A worker for the steps of one agent address.

    name: the agent's name or ``agent://`` address. client: the Client or AsyncClient to use; without one, url and
    api_key are found the way Client finds them. concurrency: how many handlers run at a time. lease: how long a
    delivery is held without renewal. grace: for how many seconds running handlers may finish when the agent stops.
    """

    def __init__(
        self,
        name: str,
        *,
        client: Client | AsyncClient | None = None,
        url: str | None = None,
        api_key: str | None = None,
        concurrency: int = 4,
        lease: timedelta | float = 30.0,
        grace: timedelta | float = 25.0,
    ) -> None:
        if concurrency < 1:
            raise ValueError("concurrency must be at least 1")
        self.name = name
        self.terms = WorkerOptions(name, "", concurrency, _seconds(lease, "lease"), _seconds(grace, "grace"))
        self._shrink: ResultReducer | None = None
        self._client = client
        self._named = url, api_key
        self._functions: dict[str, Function] = {}
        self._stop_asked = threading.Event()
        self._shift: WorkerLoop | None = None

    def on(self, intent_type: str) -> Callable[[F], F]:
        """Decorator: the handler, plain or async, for intents of this type; ``"*"`` handles all others.

        It gets a Delivery and returns a mapping (the step's result) or None. An exception fails the step, which is
        retried as the plan allows; with StepFailed, the handler decides whether it is retried. An async handler
        shares one event loop with the others and must not block; a plain handler runs in its own thread.
        """

        def register(function: F) -> F:
            refuse_generator(function)
            if intent_type in self._functions:
                raise ValueError(f"the agent {self.name} already has a handler for {intent_type!r}")
            self._functions[intent_type] = function
            return function

        return register

    def on_large_result(self, function: S) -> S:
        """Decorator: called with the delivery and a result that is too large for the server. Its return value (such
        as a link to where it stored the result) is reported instead. Without it, the step fails with
        ``result_too_large``, and the result is saved in a file that the failure names.
        """
        self._shrink = function
        return function

    def run(self) -> None:
        """Work until SIGINT, SIGTERM or ``stop()``; a second signal does not wait for running handlers.

        Raises AuthenticationFailed, PermissionDenied or NotFound if the server refuses this agent.
        """
        # Taken before the event loop installs its own handlers; a process that a handler forks restores these.
        asyncio.run(self._run(_dispositions()))

    async def serve(self) -> None:
        """Like ``run``, on the running event loop, which keeps its own signal handling."""
        session, retries, ours = self._speaker()
        loop = asyncio.get_running_loop()
        over: asyncio.Future[BaseException | None] = loop.create_future()
        handlers = Handlers(loop, retries.clock)
        holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        terms = replace(self.terms, holder=holder)
        shift = WorkerLoop(session, retries, terms, self._functions, handlers, self._shrink)

        def settle(failure: BaseException | None) -> None:
            if not over.done():
                over.set_result(failure)

        def work() -> None:
            failure: BaseException | None = None
            try:
                asyncio.run(shift.run())
            except BaseException as error:
                failure = error
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, failure)

        self._shift = shift
        try:
            if self._stop_asked.is_set():
                shift.stop()
            threading.Thread(target=work, name=f"signoff-agent-{self.name}", daemon=True).start()
            try:
                failure = await asyncio.shield(over)
            except asyncio.CancelledError:
                shift.abort()
                await over
                raise
            if failure is not None:
                raise failure
        finally:
            self._shift = None
            self._stop_asked.clear()
            if ours:
                await session.close()

    def stop(self) -> None:
        """Stop claiming work and return from ``run`` when the running handlers are done. Callable from any thread."""
        self._stop_asked.set()
        shift = self._shift
        if shift is not None:
            shift.stop()

    def _speaker(self) -> tuple[AsyncSession, Retries, bool]:
        """Return the client to use, its retry settings, and whether to close it."""
        if isinstance(self._client, AsyncClient):
            return self._client.session, self._client.retries, False
        if self._client is not None:
            return AsyncSession(self._client.settings), self._client.retries, True
        return AsyncSession(find_settings(*self._named)), Retries(), True

    async def _run(self, outer: Dispositions) -> None:
        serving = asyncio.ensure_future(self.serve())
        loop = asyncio.get_running_loop()
        signals: list[None] = []

        def on_signal(again: bool) -> None:
            if again:
                log.warning("agent %s stops without waiting for running handlers", self.name)
                serving.cancel()
            else:
                log.info(
                    "agent %s stops; signal again to stop without waiting for running handlers", self.name
                )
                self.stop()

        def stop() -> None:
            # No lock may be taken here: a second signal may arrive while the first is being handled.
            signals.append(None)
            again = len(signals) > 1 or self._stop_asked.is_set()
            loop.call_soon_threadsafe(on_signal, again)
            if (shift := self._shift) is not None:
                shift.signalled(again)  # the agent's loop may be blocked
                if again and shift.blocked:
                    # A handler is blocking the loop; only an exception can interrupt it.
                    raise KeyboardInterrupt

        with _signals(stop, outer), contextlib.suppress(asyncio.CancelledError):
            await serving


@contextlib.contextmanager
def _signals(stop: Callable[[], None], outer: Dispositions) -> Iterator[None]:
    """Call ``stop`` on SIGINT and SIGTERM; only in the main thread, where signals arrive. In a process that
    a handler forked, ``outer`` handles a signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _dispositions()
    agents_pid = os.getpid()

    def signalled(number: int, _: object) -> None:
        if os.getpid() == agents_pid:
            stop()
            return
        signal.set_wakeup_fd(-1)  # the agent's
        _put(outer)
        os.kill(os.getpid(), number)

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        # The system may deliver a signal to any thread. This lets it wake the event loop, and with it the thread that
        # runs ``signalled``. Windows' event loop wakes by itself.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, lambda: None)
        signal.signal(number, signalled)
    try:
        yield
    finally:
        for number in _SIGNALS:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
        _put(before)


def _dispositions() -> Dispositions:
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _put(dispositions: Dispositions) -> None:
    for number, disposition in dispositions.items():
        signal.signal(number, disposition if disposition is not None else signal.SIG_DFL)


def _seconds(duration: timedelta | float, name: str) -> float:
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    if seconds < 0 or (name == "lease" and seconds == 0):
        raise ValueError(f"the {name} must be a positive duration, not {duration!r}")
    return seconds
