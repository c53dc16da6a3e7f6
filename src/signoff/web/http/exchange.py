"""One request and its response on a connection: uvicorn's class, with less work for the common case, in which the body
has arrived and the response is written in one piece.

``RESPONSE`` is an ASGI extension: one message with the whole head of a response as bytes, and its body unless it is a
stream. Plain ASGI needs two messages for this, and checks each header with two regular expressions. A handler uses
the extension only if the scope names it, and only with headers that it has created itself.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from signoff.web.http.lean_event import LeanEvent
from signoff.web.http.write_batching import WriteBatching

RESPONSE: Final = "signoff.response"
CONNECTION: Final = (
    "signoff.connection"  # in the scope: the connection, which tells when the client disconnects
)
EXTENSIONS: Final[dict[str, dict[object, object]]] = {RESPONSE: {}}
_LOGGER: Final = logging.getLogger("uvicorn.error")


def response(status: int, head: bytes, body: bytes | None = None) -> dict[str, Any]:
    """The message. ``head``: lines that end in CRLF, without a length and without ``connection``; body: the whole
    body, or None for a stream, whose chunks follow as plain ASGI messages.
    """
    return {"type": RESPONSE, "status": status, "head": head, "body": body}


def _nothing() -> None:
    pass


class Exchange(RequestResponseCycle):
    """Like uvicorn's cycle. ``done`` is called when the response is complete."""

    task: "asyncio.Task[None] | None" = None

    def __init__(
        self,
        scope: Any,
        transport: WriteBatching,
        flow: Any,
        *,
        expects: bool,
        keep_alive: bool,
        done: Callable[[], None],
    ) -> None:
        super().__init__(
            scope,
            transport,  # type: ignore[arg-type]
            flow,
            _LOGGER,
            _LOGGER,
            False,
            [],
            LeanEvent(),  # type: ignore[arg-type]
            expects,
            keep_alive,
            done,
        )
        self._gathering = transport

    async def run(self, app: Any, tasks: "set[asyncio.Task[None]]") -> None:
        """Run the application. Its task is in ``tasks`` until it ends."""
        try:
            await self.run_asgi(app)
        finally:
            # not in a callback of the task, which would take one more turn of the event loop
            if self.task is not None:
                tasks.discard(self.task)
                self.task = None
            self.on_response = _nothing

    async def receive(self) -> Any:
        """Receive the body without waiting, if all of it has arrived."""
        if (
            self.more_body
            or self.disconnected
            or self.response_complete
            or self.waiting_for_100_continue
            or not self.message_event.is_set()
        ):
            return await super().receive()
        self.flow.resume_reading()
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] != RESPONSE:
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if self.response_started:
            raise RuntimeError("a response was already started")
        self.response_started = True
        self.waiting_for_100_continue = False
        close = b"" if self.keep_alive else b"connection: close\r\n"
        start, head, body = STATUS_LINE[message["status"]], message["head"], message["body"]
        if body is None:
            self.chunked_encoding = True
            self.transport.write(b"%s%s%stransfer-encoding: chunked\r\n\r\n" % (start, head, close))
            return
        shown = b"" if self.scope["method"] == "HEAD" else body
        self._gathering.send(b"%s%s%scontent-length: %d\r\n\r\n%s" % (start, head, close, len(body), shown))
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
