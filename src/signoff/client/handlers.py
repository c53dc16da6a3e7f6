"""Calls an agent's handlers: plain ones in a thread, async ones on the agent's event loop.

The worker's own loop, in another thread, waits for them. A handler that blocks the agent's loop is logged, with the
time that it took.
"""

import asyncio
import contextlib
import contextvars
import functools
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from typing import Any, Final, cast

from signoff.client.tracing import begin_work
from signoff.client.types import Delivery

log = logging.getLogger("signoff")
Given = Mapping[str, Any] | None
Function = Callable[[Delivery], Given | Awaitable[Given]]
Outcome = tuple[Any, BaseException | None]
# Seconds for which a handler may block the loop without a warning, because it delays everything else.
BLOCKED: Final = 1.0
_ADVICE: Final = "write it with def (it then runs in its own thread), or await slow operations"


class Handlers:
    """Calls handlers for a worker. ``loop``: the agent's event loop, on which async handlers run."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic) -> None:
        self.loop = loop
        self.clock = clock
        self._context = contextvars.copy_context()
        self._stepping: tuple[str, float] | None = None
        self._warned: tuple[str, float] | None = None

    @property
    def blocked(self) -> bool:
        """Whether a handler's code is running on the agent's loop right now."""
        return self._stepping is not None

    def watch(self) -> None:
        """Log a handler that blocks the agent's loop. May be called from any thread."""
        held = self._stepping
        if held is not None and held is not self._warned and self.clock() - held[1] >= BLOCKED:
            self._warned = held
            log.warning(
                "handler %s has been blocking the event loop for %.0f s; its lease is still being renewed. %s",
                held[0],
                self.clock() - held[1],
                _ADVICE.capitalize() + ".",
            )

    async def call(self, function: Function, delivery: Delivery) -> Given:
        """The handler's return value, awaited on the worker's loop."""
        context = self._context.copy()
        end = begin_work(context, delivery.traceparent or "", delivery.step_id)
        failure: BaseException | None = None
        try:
            if _is_async(function):
                made = await self._on_loop(lambda: function(delivery), name_of(function), context)
                return cast(Given, made)
            result = await self._in_thread(function, delivery, context)
            if inspect.isawaitable(result):
                waited = result
                return cast(Given, await self._on_loop(lambda: waited, name_of(function), context))
            return result
        except BaseException as error:
            failure = error
            raise
        finally:
            end(failure)

    async def _on_loop(self, make: Callable[[], Any], name: str, context: contextvars.Context) -> Any:
        """The value of an awaitable that is created and awaited on the agent's loop."""
        settle, done = _passed_to(asyncio.get_running_loop())
        tasks: list[asyncio.Task[Outcome]] = []

        def begin() -> None:
            timed = _Timed(_outcome(make), name, self)
            task = self.loop.create_task(timed, context=context)
            tasks.append(task)
            task.add_done_callback(
                lambda over: settle((None, asyncio.CancelledError()) if over.cancelled() else over.result())
            )

        self._soon(begin)
        try:
            return _value(await done)
        except asyncio.CancelledError:
            self._soon(lambda: [task.cancel() for task in tasks])
            raise

    def _soon(self, what: Callable[[], Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the agent's loop has ended, and the worker will end soon
            self.loop.call_soon_threadsafe(what)

    async def _in_thread(
        self, function: Function, delivery: Delivery, context: contextvars.Context
    ) -> Given | Awaitable[Given]:
        # A daemon thread instead of an executor, because a handler that outlives the grace period must not delay the
        # exit.
        settle, done = _passed_to(asyncio.get_running_loop())

        def body() -> None:
            try:
                outcome: Outcome = (context.run(function, delivery), None)
            except BaseException as error:
                outcome = (None, error)
            settle(outcome)

        threading.Thread(target=body, name=f"signoff-{delivery.intent_id}", daemon=True).start()
        return cast("Given | Awaitable[Given]", _value(await done))

    @contextlib.contextmanager
    def stepping(self, name: str) -> Generator[None]:
        began = self.clock()
        self._stepping = (name, began)
        try:
            yield
        finally:
            self._stepping = None
            if (lasted := self.clock() - began) >= BLOCKED:
                log.warning("handler %s blocked the event loop for %.1f s: %s", name, lasted, _ADVICE)


class _Timed(Coroutine[Any, Any, Outcome]):
    """A coroutine that times each of its steps."""

    def __init__(self, inner: Coroutine[Any, Any, Outcome], name: str, handlers: Handlers) -> None:
        self._inner = inner
        self._name = name
        self._handlers = handlers

    def send(self, value: Any) -> Any:
        with self._handlers.stepping(self._name):
            return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        with self._handlers.stepping(self._name):
            return self._inner.throw(*error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Outcome]:
        return self._inner.__await__()


async def _outcome(make: Callable[[], Any]) -> Outcome:
    try:
        return await make(), None
    except BaseException as error:
        return None, error


def _value(outcome: Outcome) -> Any:
    value, error = outcome
    if error is not None:
        raise error
    return value


def _passed_to(
    loop: asyncio.AbstractEventLoop,
) -> tuple[Callable[[Outcome], None], "asyncio.Future[Outcome]"]:
    """A future of this loop, and a function that resolves it from any thread."""
    done: asyncio.Future[Outcome] = loop.create_future()

    def settle(outcome: Outcome) -> None:
        if not done.done():
            done.set_result(outcome)

    def from_any_thread(outcome: Outcome) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, outcome)

    return from_any_thread, done


def _is_async(function: Function) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def refuse_generator(function: Any) -> None:
    """Raise TypeError for a generator function, because calling one runs none of its code."""
    call = type(function).__call__
    for kind in (inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        if kind(function) or kind(call):
            raise TypeError(
                f"handler {name_of(function)} is a generator, so calling it would do nothing. "
                "A handler returns its result (a mapping, or None)."
            )


def name_of(function: Any) -> str:
    """A function's name, for messages."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)
