"""An agent: functions that do the work of agent steps, by intent type.

``run`` takes deliveries under a lease, calls the function, renews the lease meanwhile and reports. It goes on
over restarts of the server, and stops on SIGINT or SIGTERM after the running functions have finished.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

from signoff.client.aio import AsyncClient
from signoff.client.flow import Patience
from signoff.client.session import AsyncSession
from signoff.client.settings import find_settings
from signoff.client.sync import Client
from signoff.client.work import Function, Shift, Terms

log = logging.getLogger("signoff")
F = TypeVar("F", bound=Function)


class Agent:
    """A worker for the steps of one agent address.

    name: the agent's name or ``agent://`` address;
    client: a Client or AsyncClient to speak through; without one, url and api_key are found as by Client;
    concurrency: how many functions run at a time; lease: how long a delivery is held without renewal;
    grace: seconds that running functions get to finish when the agent stops.
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
        self.terms = Terms(
            name,
            f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}",
            concurrency,
            _seconds(lease, "lease"),
            _seconds(grace, "grace"),
        )
        self._client = client
        self._named = url, api_key
        self._functions: dict[str, Function] = {}
        self._stop_asked = threading.Event()
        self._shift: Shift | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def on(self, intent_type: str) -> Callable[[F], F]:
        """Decorator: the function, plain or async, that does intents of this type; ``"*"`` does all others.

        It gets a Delivery and returns a mapping, the step's result, or None. An exception fails the step,
        to be tried again as the plan allows; StepFailed fails it on the function's own terms.
        """

        def register(function: F) -> F:
            if intent_type in self._functions:
                raise ValueError(f"the agent {self.name} has a function for {intent_type!r} already")
            self._functions[intent_type] = function
            return function

        return register

    def run(self) -> None:
        """Work until SIGINT, SIGTERM or ``stop()``; a second signal does not wait for running functions.

        Raises AuthenticationFailed, PermissionDenied or NotFound when the server will not have this agent.
        """
        asyncio.run(self._run())

    async def serve(self) -> None:
        """The same on the running event loop, which keeps its own signal handling."""
        self._loop = asyncio.get_running_loop()
        session, patience, ours = self._speaker()
        try:
            self._shift = Shift(session, patience, self.terms, self._functions)
            if self._stop_asked.is_set():
                self._shift.stop()
            await self._shift.run()
        finally:
            self._shift = None
            self._stop_asked.clear()
            if ours:
                await session.close()

    def stop(self) -> None:
        """Take no more work and return from ``run`` once the running functions are done. From any thread."""
        self._stop_asked.set()
        shift, loop = self._shift, self._loop
        if shift is not None and loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(shift.stop)

    def _speaker(self) -> tuple[AsyncSession, Patience, bool]:
        """What to speak through, how patiently, and whether it is ours to close."""
        if isinstance(self._client, AsyncClient):
            return self._client.session, self._client.patience, False
        if self._client is not None:
            return AsyncSession(self._client.settings), self._client.patience, True
        return AsyncSession(find_settings(*self._named)), Patience(), True

    async def _run(self) -> None:
        serving = asyncio.ensure_future(self.serve())

        def stop() -> None:
            if self._stop_asked.is_set():
                log.warning("agent %s stops without waiting for running functions", self.name)
                serving.cancel()
            else:
                log.info("agent %s stops; signal again not to wait for running functions", self.name)
                self.stop()

        with _signals(stop), contextlib.suppress(asyncio.CancelledError):
            await serving


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on SIGINT and SIGTERM; nothing outside the main thread, where signals do not arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
    try:
        yield
    finally:
        for number, disposition in before.items():
            signal.signal(number, disposition if disposition is not None else signal.SIG_DFL)


def _seconds(duration: timedelta | float, name: str) -> float:
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    if seconds < 0 or (name == "lease" and seconds == 0):
        raise ValueError(f"the {name} must be a positive duration, not {duration!r}")
    return seconds
