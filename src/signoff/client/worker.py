"""The loop of an agent's worker: claims deliveries by long poll, runs them concurrently, renews their leases, and
reports.

It runs on its own event loop in its own thread, so that a handler that blocks the agent's loop delays neither the
renewal of leases nor the reports of other work (handlers.py calls the handlers). It claims only as many deliveries
as it has free slots. A late report is refused because its token is stale, and is dropped. Interrupted work is not
reported; when its lease expires, the server gives it to another worker.
"""

import asyncio
import logging
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from signoff.client import calls
from signoff.client.drivers import AsyncSession
from signoff.client.errors import (
    Conflict,
    Invalid,
    NotFound,
    RequestRefused,
    SignoffError,
    StepFailed,
    WrongResponse,
    may_pass,
)
from signoff.client.flow import JitteredBackoff, MonotonicDeadline, Retries, perform, persist
from signoff.client.handlers import Function, Given, Handlers, name_of
from signoff.client.results import fault_in, kept
from signoff.client.types import Delivery

log = logging.getLogger("signoff")
T = TypeVar("T")
ResultReducer = Callable[[Delivery, Mapping[str, Any]], Given | Awaitable[Given]]
LONG_POLL: Final = 25
LARGEST_CLAIM: Final = 100  # as many as the server returns at once; the next claim gets more
# How long a stopping agent waits for the current claim, because dropping its response costs a whole lease.
LINGER: Final = 0.5
REPORT_FOR: Final = 600.0


@dataclass(frozen=True)
class WorkerOptions:
    """address: the agent's name or address; holder: this process's name, for the server; lease, grace: seconds."""

    address: str
    holder: str
    concurrency: int
    lease: float
    grace: float


class WorkerLoop:
    """A running agent, from ``run`` until ``stop``. ``shrink``: replaces a result that is too large."""

    def __init__(
        self,
        session: AsyncSession,
        retries: Retries,
        terms: WorkerOptions,
        functions: Mapping[str, Function],
        handlers: Handlers,
        shrink: ResultReducer | None = None,
    ) -> None:
        self._session = session
        self._retries = retries
        self._terms = terms
        self._functions = functions
        self._handlers = handlers
        self._shrink = shrink
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._stop_asked = threading.Event()
        self._aborted = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    def stop(self) -> None:
        """Claim nothing more; ``run`` returns when the running work has finished or the grace period is over.

        This and ``abort`` may be called from any thread.
        """
        self._stop_asked.set()
        self._soon(self._stopping.set)

    def signalled(self, again: bool) -> None:
        """For a signal handler: ``stop`` after the first signal, ``abort`` after the second."""
        self._aborted = self._aborted or again
        self._soon(self._cancel if again else self._stopping.set)

    def abort(self) -> None:
        """Return from ``run`` without waiting for running work."""
        self._aborted = True
        self._stop_asked.set()
        self._soon(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    @property
    def blocked(self) -> bool:
        """Whether a handler is blocking the agent's loop right now."""
        return self._handlers.blocked

    def _soon(self, what: Any) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(what)
            except RuntimeError:  # over already
                return

    async def run(self) -> None:
        """Work until stopped. Raises the server's error if it permanently refuses this agent."""
        refused: SignoffError | None = None
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._stop_asked.is_set():
            self._stopping.set()
        try:
            try:
                await self._take()
            except SignoffError as failure:
                refused = failure
            if self._running:
                await asyncio.wait(self._running, timeout=self._terms.grace)
        finally:
            left = list(self._running)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        if refused is not None:
            raise refused

    async def _take(self) -> None:
        backoff = JitteredBackoff(self._retries.chance)
        trouble = connected = False
        while not self._stopping.is_set():
            free = self._terms.concurrency - len(self._running)
            if free == 0:
                await self._or_stop(asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED))
                continue
            # The first claim does not wait, so that the connection is reported soon.
            first = trouble or not connected
            try:
                claimed = await self._claim(min(free, LARGEST_CLAIM), 0 if first else LONG_POLL)
            except SignoffError as failure:
                if not _passes(failure):
                    raise
                if not trouble:
                    log.warning("agent %s cannot get work, still trying: %s", self._terms.address, failure)
                trouble = True
                await self._or_stop(asyncio.sleep(backoff.after(failure)))
            else:
                if claimed is not None and first:
                    self._say(claimed, again=connected)
                    connected = True
                trouble = False
                backoff.reset()

    def _say(self, claimed: calls.ClaimedDeliveries, again: bool) -> None:
        """Print one line for the person who started this, on stderr, or in the log if the program has set one up."""
        types = ", ".join(self._functions) or "no types: it has no handlers"
        line = f"{'reconnected' if again else 'connected'} to {self._session.settings.url}"
        line += f" as {claimed.agent or self._terms.address}, waiting for work ({types})"
        if claimed.notice:
            line += f". {claimed.notice}"
        if log.hasHandlers():
            log.info("%s", line)
        else:
            print(f"signoff: {line}", file=sys.stderr, flush=True)

    async def _claim(self, limit: int, wait: int) -> calls.ClaimedDeliveries | None:
        terms = self._terms
        call = calls.claim(terms.address, limit, terms.lease, terms.holder, wait)
        began = self._retries.clock()
        asking = self._session.run(perform(call, self._retries, retry_for=0.0))
        got = await self._or_stop(asking, linger=LINGER)
        for delivery in got.deliveries if got else ():
            if self._stopping.is_set():
                await self._release(delivery)
            else:
                task = asyncio.create_task(self._do(delivery))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        if wait and got and not got.deliveries and self._retries.clock() - began < 1.0:
            # An empty response before the long poll's time comes from a server that is about to stop. Do not hammer
            # it.
            await self._or_stop(asyncio.sleep(self._retries.chance()))
        return got

    async def _or_stop(self, work: Coroutine[Any, Any, T], linger: float = 0.0) -> T | None:
        """Return the work's result; None if the worker was stopped first and ``linger`` seconds have passed."""
        doing = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({doing, stop}, return_when=asyncio.FIRST_COMPLETED)
            if linger and not doing.done():
                await asyncio.wait({doing}, timeout=linger)
            return doing.result() if doing.done() else None
        finally:
            doing.cancel()
            stop.cancel()
            await asyncio.gather(doing, stop, return_exceptions=True)

    async def _release(self, delivery: Delivery) -> None:
        try:
            await self._session.run(persist(calls.release(delivery), self._retries, self._for(1.0)))
        except SignoffError as failure:
            log.warning("could not release %s, its lease will expire: %s", _name(delivery), failure)

    async def _do(self, delivery: Delivery) -> None:
        keeping = asyncio.create_task(self._keep(delivery))
        try:
            report = await self._outcome(delivery)
            await self._report(delivery, report)
        except asyncio.CancelledError:
            log.warning("%s was cut off; its lease will expire", _name(delivery))
            raise
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self, delivery: Delivery) -> None:
        """Renew the lease each time a third of it has passed; tell the handler when it may be lost."""
        clock, lease = self._retries.clock, self._terms.lease
        until = clock() + lease
        while True:
            await asyncio.sleep(lease / 3)
            began = clock()
            self._handlers.watch()
            if began >= until and not delivery.lease_lost.is_set():
                # This process was stopped, or its machine slept, so another worker may have the step by now.
                delivery.lease_lost.set()
            try:
                end = self._for(max(until - began, lease / 3))
                await self._session.run(persist(calls.renew(delivery, lease), self._retries, end, _passes))
            except SignoffError as failure:
                if not delivery.lease_lost.is_set() or not _passes(failure):
                    log.warning("the lease of %s is lost: %s", _name(delivery), failure)
                delivery.lease_lost.set()
                if not _passes(failure):
                    return
            else:
                # Renewed under the same token, so no other worker got it in the meantime.
                delivery.lease_lost.clear()
                until = began + lease

    async def _outcome(self, delivery: Delivery) -> calls.ApiCall[None]:
        function = self._functions.get(delivery.type) or self._functions.get("*")
        if function is None:
            log.error("agent %s has no handler for %s", self._terms.address, delivery.type)
            why = f"This agent has no handler for {delivery.type}."
            return calls.report_fault(delivery, "unknown_intent_type", why, True)
        named = name_of(function)
        try:
            result = await self._handlers.call(function, delivery)
        except StepFailed as failure:
            log.info("%s failed: %s", _name(delivery), failure.code)
            return calls.report_fault(delivery, failure.code, failure.message, failure.retryable)
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            # An interruption is not a failure of the handler.
            if self._aborted and isinstance(error, KeyboardInterrupt):
                raise asyncio.CancelledError from error
            log.warning("%s raised %s", _name(delivery), type(error).__name__, exc_info=error)
            message = f"{type(error).__name__}: {_text_of(error)}"
            return calls.report_fault(delivery, "agent_error", message, True)
        try:
            return await self._fitting(delivery, named, result)
        except Exception as error:  # the work is done, so it must not be repeated, whatever its result is
            log.warning("the result of %s cannot be read", _name(delivery), exc_info=error)
            why = f"Handler {named} returned a value that cannot be read: {type(error).__name__}."
            return _invalid(delivery, why, result)

    async def _fitting(self, delivery: Delivery, named: str, result: object) -> calls.ApiCall[None]:
        """The report of a handler's return value. If it cannot be reported, the report says why, and the value is saved
        to a file.
        """
        result = {} if result is None else result
        if isinstance(result, Mapping) and self._shrink and _size(delivery, result) > _most(delivery):
            try:
                result = await self._handlers.call(partial(_swapped, self._shrink, result), delivery)
            except Exception as error:  # the work is done, so it must not be repeated because of this
                log.warning(
                    "on_large_result of %s raised %s", _name(delivery), type(error).__name__, exc_info=error
                )
            result = {} if result is None else result
        if not isinstance(result, Mapping):
            return _invalid(
                delivery, f"Handler {named} returned {type(result).__name__}, not a mapping.", result
            )
        if why := fault_in(result):
            return _invalid(
                delivery, f"Handler {named} returned a value that is not valid JSON: {why}.", result
            )
        report = calls.report_result(delivery, dict(result))
        size, most = len(report.content or b""), _most(delivery)
        if size > most:
            why = f"The result of handler {named} is {size} bytes; this server accepts reports of at most {most}."
            return _unstored(delivery, "result_too_large", why, result)
        return report

    async def _report(self, delivery: Delivery, report: calls.ApiCall[None]) -> None:
        try:
            await self._session.run(persist(report, self._retries, self._for(REPORT_FOR), _passes))
        except Invalid as refusal:
            log.error("the result of %s was refused: %s", _name(delivery), refusal)
            if report.body is not None and "result" in report.body:
                function = self._functions.get(delivery.type) or self._functions.get("*")
                why = f"The server refused the result of handler {name_of(function)}: {refusal}"
                await self._report(delivery, _invalid(delivery, why, report.body["result"]))
        except (Conflict, NotFound) as refusal:
            delivery.lease_lost.set()
            log.warning("the report of %s was too late and was dropped: %s", _name(delivery), refusal)
        except SignoffError as failure:
            level = logging.ERROR if isinstance(failure, RequestRefused) else logging.WARNING
            log.log(level, "%s could not be reported; its lease will expire: %s", _name(delivery), failure)

    def _for(self, seconds: float) -> MonotonicDeadline:
        return MonotonicDeadline(seconds, self._retries.clock)


def _name(delivery: Delivery) -> str:
    return f"step {delivery.step_id or '-'} of intent {delivery.intent_id} (attempt {delivery.attempt})"


def _text_of(error: BaseException) -> str:
    """The text of an exception, or a note if the text cannot be read."""
    try:
        return str(error)
    except Exception as odd:
        return f"its text cannot be read ({type(odd).__name__})"


def _passes(failure: SignoffError) -> bool:
    """Whether an agent continues after this error. After a mismatched response it uses new connections."""
    return may_pass(failure) or isinstance(failure, WrongResponse)


def _swapped(
    shrink: ResultReducer, result: Mapping[str, Any], delivery: Delivery
) -> Given | Awaitable[Given]:
    return shrink(delivery, result)


def _most(delivery: Delivery) -> float:
    """The maximum size of a report in bytes."""
    return delivery.max_report_bytes or float("inf")


def _size(delivery: Delivery, result: Mapping[str, Any]) -> int:
    return 0 if fault_in(result) else len(calls.report_result(delivery, dict(result)).content or b"")


def _invalid(delivery: Delivery, why: str, result: object) -> calls.ApiCall[None]:
    return _unstored(delivery, "invalid_result", why, result)


def _unstored(delivery: Delivery, code: str, why: str, result: object) -> calls.ApiCall[None]:
    """The failure of a step whose work is done but whose result cannot be reported. It is not retried, because a
    retry would repeat the work.
    """
    where = kept(delivery, result)
    log.error("%s: %s %s", _name(delivery), why, where)
    return calls.report_fault(delivery, code, f"{why} {where}", False)
