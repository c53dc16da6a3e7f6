"""Follows an intent: every event once, in order, across lost connections and restarts of the server.

The position in the history is the last event's ``seq``; a new connection asks for the events after it. An event that
was cut off is read again in full on the next connection.
"""

import json
import logging
import math
from dataclasses import dataclass
from typing import Final, TypeVar

from signoff.client import calls
from signoff.client.errors import (
    ConnectionFailed,
    SignoffError,
    WaitTimeout,
    WrongResponse,
    may_pass,
    not_signoff,
    refusal,
)
from signoff.client.flow import (
    FIRST_PAUSE,
    Close,
    Emit,
    Flow,
    JitteredBackoff,
    MonotonicDeadline,
    Open,
    Pause,
    Read,
    Retries,
    exchange,
    persist,
)
from signoff.client.types import Event, Result

log = logging.getLogger("signoff")
T = TypeVar("T")
HOLD: Final = 30
SHORTEST_HOLD: Final = 1.0
LARGEST_EVENT: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Frame:
    """One server-sent event."""

    event: str
    data: str
    id: str


class SseParser:
    """Parses bytes into frames (WHATWG server-sent events), with any chunking and line endings; comments are
    dropped.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._after_cr = False
        self._size = 0
        self._start()

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that this chunk completes; raises ValueError if one exceeds 4 MiB."""
        # A CR LF may be split between two chunks; its CR has already ended the line.
        start = 1 if self._after_cr and chunk.startswith(b"\n") else 0
        self._after_cr = chunk.endswith(b"\r")
        lines = (self._rest + chunk[start:]).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop()
        if self._size + len(self._rest) > LARGEST_EVENT:
            raise ValueError("an event in the stream is too large")
        return [frame for line in lines if (frame := self._line(line.decode("utf-8", "replace"))) is not None]

    def _start(self) -> None:
        self._event, self._id, self._data, self._size = "", "", list[str](), 0

    def _line(self, line: str) -> Frame | None:
        if not line:
            frame = Frame(self._event, "\n".join(self._data), self._id) if self._data else None
            self._start()
            return frame
        name, _, value = line.removeprefix("\ufeff").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(value)
        elif name == "event":
            self._event = value
        elif name == "id":
            self._id = value
        return None


class Follower:
    """Follows one intent. ``since``: the last event's seq; ``status``: the last one seen."""

    def __init__(self, intent_id: str, since: int, timeout: float | None, retries: Retries) -> None:
        self.intent_id = intent_id
        self.since = since
        self.status = ""
        self.end = MonotonicDeadline(timeout, retries.clock)
        self._retries = retries
        self._backoff = JitteredBackoff(retries.chance)
        self._trouble: SignoffError | None = None

    def follow(self) -> Flow[None]:
        """Emit every event after ``since``, up to a final one; raises WaitTimeout after the timeout."""
        late = self.since if self.since > 0 else None
        while True:
            before, began = self.since, self._retries.clock()
            try:
                over = yield from self._connection()
                pause = self._rested(before, began)
            except SignoffError as failure:
                if not may_pass(failure):
                    raise
                over, pause = False, 0.0 if self._ran_out(failure) else self._suffer(failure)
            yield Close()
            if not over and self._trouble is None and self.since == late:
                over = yield from self._rest()
            if over:
                return
            self._check()
            if pause:
                yield Pause(min(pause, self.end.left))
                self._check()

    def result(self) -> Flow[Result]:
        """Follow the intent to its end and read its result. If no time is left, only read it."""
        if self.end.left > 0:
            yield from self.follow()
        while True:
            # A final intent can be read even if the timeout has just passed.
            end = MonotonicDeadline(max(self.end.left, 1.0), self._retries.clock)
            result = yield from self._fetch(calls.get_result(self.intent_id), end)
            self.status = result.status
            if result.final:
                whole = result.get("parent_intent_id")
                if not isinstance(whole, str) or not whole:
                    return result
                # a step can end before its request does
                return (yield from Follower(whole, 0, self.end.left, self._retries).result())
            self._check()
            yield Pause(min(FIRST_PAUSE, self.end.left))

    def _connection(self) -> Flow[bool]:
        """Read one connection to its end; returns whether the final event arrived."""
        hold = max(1, math.ceil(min(self.end.left, HOLD)))
        timeout = min(max(self.end.left, 0.001), hold + self._retries.timeout)
        reply = yield from exchange(Open(calls.event_stream(self.intent_id, self.since, hold), timeout))
        if reply.status != 200:
            raise refusal(reply.status, reply.headers, reply.body)
        if not reply.headers.get("content-type", "").startswith("text/event-stream"):
            raise not_signoff(reply.status, reply.body)
        if self._trouble is not None:
            log.info("following intent %s again", self.intent_id)
        self._trouble = None
        parser = SseParser()
        while chunk := (yield Read()):
            for frame in self._frames(parser, chunk):
                event = self._event(frame)
                if event is None or event.seq <= self.since:
                    continue
                self._progress(event)
                yield Emit(event)
                if event.final:
                    return True
            self._check()
        return False

    def _rest(self) -> Flow[bool]:
        """Whether the intent was final at the beginning; otherwise a caller that connects late might wait for an event
        that it already has.
        """
        if not (yield from self._fetch(calls.get_intent(self.intent_id), self.end)).final:
            return False
        for event in (yield from self._fetch(calls.events(self.intent_id, self.since), self.end)):
            self._progress(event)
            yield Emit(event)
        return True

    def _fetch(self, call: calls.ApiCall[T], end: MonotonicDeadline) -> Flow[T]:
        try:
            return (yield from persist(call, self._retries, end))
        except SignoffError as failure:
            if not may_pass(failure):
                raise
            self._trouble = failure
            raise self._late() from failure

    def _frames(self, parser: SseParser, chunk: bytes) -> list[Frame]:
        try:
            return parser.feed(chunk)
        except ValueError:
            raise not_signoff(200, b"an event without an end") from None

    def _event(self, frame: Frame) -> Event | None:
        if not frame.event.startswith("intent."):
            return None
        try:
            event = Event.read(json.loads(frame.data))
        except ValueError:
            event = Event.read({})
        if not event.seq:
            raise not_signoff(200, b"an event that cannot be read")
        if event.intent_id and not calls.same_subject(event.intent_id, self.intent_id):
            raise WrongResponse(f"Following intent {self.intent_id}, received an event of {event.intent_id}.")
        return event

    def _progress(self, event: Event) -> None:
        self._backoff.reset()
        self.since = event.seq
        self.status = event.status or self.status

    def _rested(self, before: int, began: float) -> float:
        """How long to pause after a stream ended normally: not at all, unless it ended immediately and without
        events.
        """
        if self.since == before and self._retries.clock() - began < SHORTEST_HOLD:
            return self._backoff.after(None)
        self._backoff.reset()
        return 0.0

    def _ran_out(self, failure: SignoffError) -> bool:
        """Whether only the caller's own timeout ended the connection."""
        return isinstance(failure, ConnectionFailed) and failure.timed_out and self.end.left <= 0

    def _suffer(self, failure: SignoffError) -> float:
        if self._trouble is None:
            log.warning("lost the stream of intent %s, will resume: %s", self.intent_id, failure)
        self._trouble = failure
        return self._backoff.after(failure)

    def _check(self) -> None:
        if self.end.left <= 0:
            raise self._late() from self._trouble

    def _late(self) -> WaitTimeout:
        seen = f"it was {self.status} when last seen" if self.status else "no event was received"
        why = f" The event stream failed: {self._trouble}" if self._trouble is not None else ""
        return WaitTimeout(
            f"No result of intent {self.intent_id} in time: {seen}. It is still running; wait for it again.{why}",
            intent_id=self.intent_id,
            status=self.status,
            since=self.since,
        )
