"""The client's logic, written once and without I/O: a flow is a generator that yields effects and is sent their
results.

A driver performs the effects (drivers.py has a blocking and an async one): it sends requests, reads streams, pauses. A
lost connection is thrown into the flow as ConnectionFailed; the flow makes every other decision.
"""

import json
import math
import random
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar, cast

from signoff.client.calls import ApiCall, Pages
from signoff.client.errors import RequestRefused as Refused
from signoff.client.errors import SignoffError, may_pass, may_repeat, not_signoff, refusal
from signoff.client.types import Event

T = TypeVar("T")
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
# A caller that can wait for days polls every few minutes, whatever a proxy returns.
LONGEST_ASKED: Final = 300.0
_KEY: Final = "(the API key)"


@dataclass(frozen=True)
class HttpReply:
    """The server's response. ``headers``: by lower-case name; ``body``: empty for an opened stream."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def without(self, api_key: str) -> "HttpReply":
        """A copy with the API key redacted wherever an error message could quote it: a proxy's error page may show its
        request. A successful response is unchanged.
        """
        headers = {name: value.replace(api_key, _KEY) for name, value in self.headers.items()}
        body, secret = self.body, api_key.encode()
        if secret in body and not (200 <= self.status < 300 and isinstance(_parsed(body), dict)):
            body = body.replace(secret, _KEY.encode())
        return HttpReply(self.status, headers, body)


@dataclass(frozen=True)
class Exchange:
    """Send a request and get its whole HttpReply. timeout: seconds, each for sending and for receiving."""

    call: ApiCall[Any]
    timeout: float


@dataclass(frozen=True)
class Open:
    """Send a request whose response is a stream; get its HttpReply (with the body unless the status is 200)."""

    call: ApiCall[Any]
    timeout: float


@dataclass(frozen=True)
class Read:
    """Get the next bytes of the open stream; b"" at its end."""


@dataclass(frozen=True)
class Close:
    """Close the open stream, if there is one."""


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Emit:
    """Give an event to the consumer."""

    event: Event


Effect = Exchange | Open | Read | Close | Pause | Emit
Flow = Generator[Effect, Any, T]


@dataclass(frozen=True)
class Retries:
    """How long to wait and how long to retry.

    timeout: seconds for one request; retry_for: seconds during which a safe call is retried;
    clock: returns monotonic seconds; chance: returns a random number in [0, 1).
    Raises TypeError and ValueError for an unusable duration.
    """

    timeout: float = 15.0
    retry_for: float = 30.0
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        check_seconds("timeout", self.timeout)
        check_seconds("retry_for", self.retry_for)


def check_seconds(name: str, seconds: object) -> None:
    """Raise TypeError or ValueError unless it is a number of seconds or infinity; NaN would never elapse."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{name} is a number of seconds, not {seconds!r}")
    if math.isnan(seconds):
        raise ValueError(f"{name} is a number of seconds, not {seconds!r}")


class JitteredBackoff:
    """Pauses with full jitter, up to a limit that doubles, in addition to what the server asked for."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._bound = FIRST_PAUSE

    def after(self, failure: SignoffError | None) -> float:
        """Seconds to pause after this failure; None means that no response arrived."""
        asked = (failure.retry_after if isinstance(failure, Refused) else None) or 0.0
        pause = min(asked, LONGEST_ASKED) + self._chance() * self._bound
        self._bound = min(self._bound * 2, LONGEST_PAUSE)
        return pause

    def reset(self) -> None:
        """Reset the back-off after a success."""
        self._bound = FIRST_PAUSE


class MonotonicDeadline:
    """A deadline on the monotonic clock; seconds None means no deadline."""

    def __init__(self, seconds: float | None, clock: Callable[[], float]) -> None:
        if seconds is not None:
            check_seconds("timeout", seconds)
        self._clock = clock
        self._at = math.inf if seconds is None else clock() + seconds

    @property
    def left(self) -> float:
        """Seconds left: zero or less once it has passed, infinite if there is no deadline."""
        return self._at - self._clock()


def perform(
    call: ApiCall[T],
    retries: Retries,
    *,
    retry_for: float | None = None,
    passing: Callable[[SignoffError], bool] = may_repeat,
) -> Flow[T]:
    """Send a call until it gets a response, as long as a retry is safe; then read the response.

    retry_for: seconds, in place of the value of ``retries``; passing: says which failures to retry.
    """
    end = MonotonicDeadline(retries.retry_for if retry_for is None else retry_for, retries.clock)
    backoff = JitteredBackoff(retries.chance)
    while True:
        try:
            reply = yield from exchange(Exchange(call, retries.timeout + call.wait))
            return read_answer(call, reply)
        except SignoffError as failure:
            pause = backoff.after(failure)
            safe = call.safe or getattr(failure, "unsent", False)
            if not (safe and passing(failure)) or pause >= end.left:
                raise
        yield Pause(pause)


def persist(
    call: ApiCall[T],
    retries: Retries,
    end: MonotonicDeadline,
    passing: Callable[[SignoffError], bool] = may_pass,
) -> Flow[T]:
    """Perform a safe call until the deadline, across outages and restarts of the server."""
    retries = replace(retries, timeout=max(0.001, min(retries.timeout, end.left)))
    result = yield from perform(call, retries, retry_for=end.left, passing=passing)
    return result


def gather(pages: Pages[T], limit: int, retries: Retries) -> Flow[list[T]]:
    """The first ``limit`` items of a list, from as many pages as needed."""
    found: list[T] = []
    cursor: str | None = None
    while len(found) < limit:
        page = yield from perform(pages(limit - len(found), cursor), retries)
        found += page.items
        if page.next_cursor is None or page.next_cursor == cursor:
            break
        cursor = page.next_cursor
    return found[:limit]


def exchange(effect: Exchange | Open) -> Flow[HttpReply]:
    reply = yield effect
    return cast(HttpReply, reply)


def read_answer(call: ApiCall[T], reply: HttpReply) -> T:
    """Read a 2xx response as the call says; raise a RequestRefused for any other."""
    if not 200 <= reply.status < 300:
        raise refusal(reply.status, reply.headers, reply.body)
    answer = _parsed(reply.body)
    if isinstance(answer, dict):
        call.check(answer)
        with suppress(ValueError, LookupError):
            return call.read(answer)
    raise not_signoff(reply.status, reply.body)


def _parsed(body: bytes) -> object:
    """A body as JSON; None if it is not."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


class Stepper(Generic[T]):
    """A running flow: its next effect, and finally its result."""

    def __init__(self, flow: Flow[T]) -> None:
        self._flow = flow
        self.result: T
        self.effect: Effect | None = None
        self.give(None)

    def give(self, answer: object) -> None:
        """Answer the current effect."""
        self._advance(lambda: self._flow.send(answer))

    def fail(self, error: SignoffError) -> None:
        """Fail the current effect."""
        self._advance(lambda: self._flow.throw(error))

    def close(self) -> None:
        self._flow.close()

    def _advance(self, step: Callable[[], Effect]) -> None:
        try:
            self.effect = step()
        except StopIteration as stop:
            self.effect = None
            self.result = stop.value
