"""One shift of an agent: deliveries claimed by long poll, done side by side, their leases renewed, reported.

It asks only for as many deliveries as it has free slots. A report that comes too late is refused by its token
and dropped; work that is cut off is left to its lease, so that the server gives it to somebody else.
"""

import asyncio
import contextlib
import contextvars
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from signoff.client import calls
from signoff.client.errors import (
    Conflict,
    Invalid,
    NotFound,
    RequestRefused,
    SignoffError,
    StepFailed,
    may_pass,
)
from signoff.client.flow import Backoff, Deadline, Patience, perform, persist
from signoff.client.session import AsyncSession
from signoff.client.types import Delivery

log = logging.getLogger("signoff")
T = TypeVar("T")
Given = Mapping[str, Any] | None
Function = Callable[[Delivery], Given | Awaitable[Given]]
LONG_POLL: Final = 25
# How long a stopping agent waits for the claim under way: dropping an answer costs a whole lease.
LINGER: Final = 0.5
REPORT_FOR: Final = 600.0
LONGEST_MESSAGE: Final = 2000


@dataclass(frozen=True)
class Terms:
    """address: the agent's name or address; holder: this process, to the server; lease, grace: seconds."""

    address: str
    holder: str
    concurrency: int
    lease: float
    grace: float


class Shift:
    """An agent at work, from ``run`` until ``stop``."""

    def __init__(
        self, session: AsyncSession, patience: Patience, terms: Terms, functions: Mapping[str, Function]
    ) -> None:
        self._session = session
        self._patience = patience
        self._terms = terms
        self._functions = functions
        self._stopping = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Claim nothing more; ``run`` returns when what is running has finished, or its grace is over."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped; raises what the server says when it will never have this agent."""
        refused: SignoffError | None = None
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
        backoff = Backoff(self._patience.chance)
        trouble = False
        while not self._stopping.is_set():
            free = self._terms.concurrency - len(self._running)
            if free == 0:
                await self._or_stop(asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED))
                continue
            try:
                await self._claim(free)
            except SignoffError as failure:
                if not may_pass(failure):
                    raise
                if not trouble:
                    log.warning("agent %s gets no work, will go on asking: %s", self._terms.address, failure)
                trouble = True
                await self._or_stop(asyncio.sleep(backoff.after(failure)))
            else:
                if trouble:
                    log.info("agent %s is asking for work again", self._terms.address)
                trouble = False
                backoff.reset()

    async def _claim(self, limit: int) -> None:
        terms = self._terms
        call = calls.claim(terms.address, limit, terms.lease, terms.holder, LONG_POLL)
        began = self._patience.clock()
        asking = self._session.run(perform(call, self._patience, retry_for=0.0))
        got = await self._or_stop(asking, linger=LINGER)
        for delivery in got or []:
            if self._stopping.is_set():
                await self._release(delivery)
            else:
                task = asyncio.create_task(self._do(delivery))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        if not got and self._patience.clock() - began < 1.0:
            # An empty answer before the long poll's time: a server about to stop. Do not hammer it.
            await self._or_stop(asyncio.sleep(self._patience.chance()))

    async def _or_stop(self, work: Coroutine[Any, Any, T], linger: float = 0.0) -> T | None:
        """The work's result; None when the shift was stopped before, and ``linger`` seconds had passed."""
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
            await self._session.run(persist(calls.release(delivery), self._patience, self._for(1.0)))
        except SignoffError as failure:
            log.warning("could not give %s back, it is left to its lease: %s", _name(delivery), failure)

    async def _do(self, delivery: Delivery) -> None:
        keeping = asyncio.create_task(self._keep(delivery))
        try:
            report = await self._outcome(delivery)
            await self._report(delivery, report)
        except asyncio.CancelledError:
            log.warning("%s was cut off and is left to its lease", _name(delivery))
            raise
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self, delivery: Delivery) -> None:
        """Renew the lease at each third of it; tell the function when it may be lost."""
        clock, lease = self._patience.clock, self._terms.lease
        until = clock() + lease
        while True:
            await asyncio.sleep(lease / 3)
            began = clock()
            try:
                end = self._for(max(until - began, lease / 3))
                await self._session.run(persist(calls.renew(delivery, lease), self._patience, end))
            except SignoffError as failure:
                if not delivery.lease_lost.is_set():
                    log.warning("the lease of %s is lost: %s", _name(delivery), failure)
                delivery.lease_lost.set()
                if not may_pass(failure):
                    return
            else:
                # Renewed under the same token: nobody else was given it meanwhile.
                delivery.lease_lost.clear()
                until = began + lease

    async def _outcome(self, delivery: Delivery) -> calls.Call[None]:
        function = self._functions.get(delivery.type) or self._functions.get("*")
        if function is None:
            log.error("agent %s has no function for %s", self._terms.address, delivery.type)
            why = f"This agent has no function for {delivery.type}."
            return calls.report_fault(delivery, "unknown_intent_type", why, True)
        try:
            return _report_of(delivery, await _called(function, delivery))
        except StepFailed as failure:
            log.info("%s failed: %s", _name(delivery), failure.code)
            return calls.report_fault(delivery, failure.code, failure.message, failure.retryable)
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            log.warning("%s raised %s", _name(delivery), type(error).__name__, exc_info=error)
            message = f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE]
            return calls.report_fault(delivery, "agent_error", message, True)

    async def _report(self, delivery: Delivery, report: calls.Call[None]) -> None:
        try:
            await self._session.run(persist(report, self._patience, self._for(REPORT_FOR)))
        except Invalid as refusal:
            log.error("the result of %s was refused: %s", _name(delivery), refusal)
            if report.body is not None and "result" in report.body:
                await self._report(delivery, _invalid(delivery, str(refusal)))
        except (Conflict, NotFound) as refusal:
            log.warning("the report of %s came too late and was dropped: %s", _name(delivery), refusal)
        except SignoffError as failure:
            level = logging.ERROR if isinstance(failure, RequestRefused) else logging.WARNING
            log.log(level, "%s could not be reported and is left to its lease: %s", _name(delivery), failure)

    def _for(self, seconds: float) -> Deadline:
        return Deadline(seconds, self._patience.clock)


def _name(delivery: Delivery) -> str:
    return f"step {delivery.step_id or '-'} of intent {delivery.intent_id} (attempt {delivery.attempt})"


def _report_of(delivery: Delivery, given: object) -> calls.Call[None]:
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        return _invalid(delivery, f"The function returned {type(given).__name__}, not a mapping.")
    report = calls.report_result(delivery, dict(given))
    try:
        _ = report.content
    except (TypeError, ValueError) as error:
        return _invalid(delivery, f"The function returned what JSON cannot say: {error}")
    return report


def _invalid(delivery: Delivery, why: str) -> calls.Call[None]:
    return calls.report_fault(delivery, "invalid_result", why[:LONGEST_MESSAGE], False)


async def _called(function: Function, delivery: Delivery) -> Given:
    """What the function returns; a plain one runs in a thread of its own."""
    inline = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
    given = function(delivery) if inline else await _in_thread(function, delivery)
    return await given if inspect.isawaitable(given) else given


async def _in_thread(function: Function, delivery: Delivery) -> Given | Awaitable[Given]:
    # A daemon thread, not an executor: a function that outlives the grace must not hold up the exit.
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def settle(outcome: tuple[Any, BaseException | None]) -> None:
        if not done.done():
            done.set_result(outcome)

    def body() -> None:
        try:
            outcome: tuple[Any, BaseException | None] = (context.run(function, delivery), None)
        except BaseException as error:
            outcome = (None, error)
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=body, name=f"signoff-{delivery.intent_id}", daemon=True).start()
    value, error = await done
    if error is not None:
        raise error
    return cast("Given | Awaitable[Given]", value)
