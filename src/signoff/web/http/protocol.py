"""Uvicorn's HTTP protocol with limits: if ``connection_limits`` refuses a request, the server sends one response and
closes the connection.
"""

import asyncio
import logging
import random
from functools import partial
from http import HTTPStatus
from typing import Any, Final, NoReturn
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from signoff.core.errors import Busy, Malformed, Refused
from signoff.web.http.connection_limits import Phase, ReceiveLimits, RequestLimits
from signoff.web.http.endpoint import error_body
from signoff.web.http.exchange import CONNECTION, EXTENSIONS, Exchange
from signoff.web.http.lean_event import LeanEvent
from signoff.web.http.write_batching import WriteBatching

log = logging.getLogger("signoff.web")

# Bytes that are parsed before other connections have their turn. Parsing pauses while a request waits for an earlier
# one, because one read of the socket may contain thousands of pipelined requests.
_AT_ONCE: Final = 4096

# A client that is cut off while sending does not see the response, so its data is read and discarded for a moment.
_DRAIN_SECONDS: Final = 2.0

_NOTHING: Final = memoryview(b"")


class _RefusedError(Exception):
    """Stops the parser."""


def limited(limits: ReceiveLimits) -> Any:
    """Return the protocol with these limits, for ``uvicorn.Config(http=...)``."""
    return partial(LimitedProtocol, limits=limits)


class _Flow(FlowControl):
    """Pauses reading from the socket while received data still has to be parsed."""

    held = False

    def __init__(self, transport: WriteBatching) -> None:
        self._transport = transport  # type: ignore[assignment]
        self.read_paused = self.write_paused = False
        self._is_writable_event = LeanEvent()  # type: ignore[assignment]
        self._is_writable_event.set()

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class LimitedProtocol(HttpToolsProtocol):
    """One connection. A request that arrives in one piece needs no timer.

    An instance's attributes beyond the 30th would give each connection a dict of 1.2 KiB; ours are slots, so that
    uvicorn's remain below that number.
    """

    __slots__ = (
        "_gathering",
        "_going_on",
        "_limits",
        "_number",
        "_over",
        "_receiving",
        "_refusal",
        "_rest",
        "_resting_since",
        "_timed",
        "_timer",
    )

    def __init__(self, *, limits: ReceiveLimits, **more: Any) -> None:
        super().__init__(**more)
        self.pipeline = []  # type: ignore[assignment]  # almost always empty, and a deque takes 760 bytes
        self._limits = limits
        self._receiving = RequestLimits(limits)
        self._refusal: Refused | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timed: tuple[Phase, int] | None = None
        self._number = 0
        self._resting_since: float | None = None
        self._over = False
        self._rest = _NOTHING
        self._going_on = False

    def connection_made(self, transport: Any) -> None:
        most = self._limits.connections
        full = most and len(self.connections) >= most
        self._gathering = WriteBatching(transport, self.loop, self._limits.send_seconds)
        super().connection_made(self._gathering)  # type: ignore[arg-type]
        self.flow: _Flow = _Flow(self._gathering)
        if full:
            self._answer(
                Busy("too_many_connections", "The server has reached its maximum number of connections.")
            )
            self._close()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._stop_timer()
        self._unset_keepalive_if_required()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        self._gathering.forget()
        self._gathering.client_left()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._gathering.owing()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        if self._rest or self.pipeline or len(data) > _AT_ONCE:
            self._rest = memoryview(bytes(self._rest) + data) if self._rest else memoryview(data)
            self._go_on()
        else:
            self._parse(data)

    def _go_on(self) -> None:
        """Parse the next received data, unless requests are waiting; the rest follows after other connections have
        had their turn.
        """
        self._going_on = False
        if self._over or self.transport.is_closing():
            return
        if self._rest and not self.pipeline:
            part, self._rest = self._rest[:_AT_ONCE], self._rest[_AT_ONCE:]
            self.flow.held = bool(self._rest)
            if not self._parse(bytes(part)):
                return
        if self._rest:
            self._stop_timer()  # the client is not to blame for the delay
            self.flow.held = True
            self.flow.pause_reading()
            self._soon()
        else:
            self.flow.held = False
            if not self.pipeline and (self.cycle is None or len(self.cycle.body) <= HIGH_WATER_LIMIT):
                self.flow.resume_reading()

    def _soon(self) -> None:
        if self._rest and not self.pipeline and not self._going_on:
            self._going_on = True
            self.loop.call_soon(self._go_on)

    def on_response_complete(self) -> None:
        """Like uvicorn's, without a new timer for each pause between two requests."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            exchange, app = self.pipeline[0]
            del self.pipeline[0]
            self._start_asgi_task(exchange, app)
        else:
            self._rest_from_now()
        self._soon()

    def _rest_from_now(self) -> None:
        """Begin the pause between two requests. One timer serves all pauses of a connection: if it fires before the
        current pause is too long, it is set again for the remaining time.
        """
        self._resting_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_after(self.timeout_keep_alive)

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        since = self._resting_since
        if since is None:
            return
        left = since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._look_after(left)
        else:
            super().timeout_keep_alive_handler()

    def _unset_keepalive_if_required(self) -> None:
        self._resting_since = None

    def _parse(self, data: bytes) -> bool:
        """Parse the data; returns False once the connection is refused."""
        self._unset_keepalive_if_required()
        number = self._number
        try:
            self.parser.feed_data(data)
            if self._number == number:
                self._receiving.raw(len(data))
        except httptools.HttpParserUpgrade:
            # Only HTTP is supported, so an upgrade request was answered like a plain one.
            pass
        except Refused as refusal:
            self._refuse(refusal)
            return False
        except httptools.HttpParserError:
            self._refuse(self._refusal or Malformed("invalid_http", "This is not an HTTP request."))
            return False
        self._watch()
        return True

    def on_message_begin(self) -> None:
        self._number += 1
        self._receiving.begin()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        try:
            self._receiving.target(len(url))
        except Refused as refusal:
            self._stop(refusal)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        try:
            self._receiving.header(name, value)
        except Refused as refusal:
            self._stop(refusal)
        self.headers.append((name, value))
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True

    def on_headers_complete(self) -> None:
        """Like uvicorn's, but with our own ``Exchange``, and without upgrades and path prefixes."""
        version = self.parser.get_http_version()
        try:
            self._receiving.head_done(version)
        except Refused as refusal:
            self._stop(refusal)
        scope: Any = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["extensions"] = EXTENSIONS
        scope[CONNECTION] = self._gathering
        url = httptools.parse_url(self.url)
        self.url = b""
        path = url.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        before = self.cycle
        self.cycle = exchange = Exchange(
            scope,
            self._gathering,
            self.flow,
            expects=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            done=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(exchange, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.append((exchange, self.app))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        cycle.task = task = self.loop.create_task(cycle.run(app, self.tasks))
        self.tasks.add(task)

    def on_message_complete(self) -> None:
        self._receiving.done()
        super().on_message_complete()

    def _stop(self, refusal: Refused) -> NoReturn:
        self._refusal = refusal
        raise _RefusedError from refusal

    def _watch(self) -> None:
        """Keep one timer for the current phase of this connection, and none between requests."""
        seconds = self._receiving.seconds
        if seconds is None:
            self._stop_timer()
            if self._resting_since is None and (self.cycle is None or self.cycle.response_complete):
                self._rest_from_now()  # an empty line between requests has ended the pause
        elif self._timed != (phase := (self._receiving.phase, self._number)):
            self._stop_timer()
            self._timed = phase
            self._timer = self.loop.call_later(seconds, self._late)

    def _stop_timer(self) -> None:
        self._timed = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if self._receiving.begun:
            self._refuse(self._receiving.late())
        else:
            self._close()

    def _refuse(self, refusal: Refused) -> None:
        """Send a response, unless one has already been started, and close once the client has read it."""
        self._over = True
        self._stop_timer()
        self._unset_keepalive_if_required()
        cycle, owed = self.cycle, True
        if cycle is not None and self._receiving.phase is not Phase.HEAD:
            owed = not cycle.response_started
        if cycle is not None and not cycle.response_complete:
            owed = owed and not cycle.response_started
            cycle.disconnected = True
            cycle.message_event.set()
            self._gathering.client_left()
        if not owed or self.pipeline or self.transport.is_closing():
            self._close()
            return
        self._answer(refusal)
        self.transport.write_eof()
        self._timer = self.loop.call_later(_DRAIN_SECONDS, self._close)

    def _answer(self, refusal: Refused) -> None:
        self._over = True
        body = error_body(refusal, f"{random.getrandbits(128):032x}")
        status = HTTPStatus(refusal.status)
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (status.value, status.phrase.encode(), len(body), body)
        )

    def _close(self) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            self.transport.close()
