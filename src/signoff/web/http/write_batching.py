"""A transport that sends everything written in one turn of the event loop together. Uvicorn writes head and body of a
response separately, and each write is a system call and a packet, which costs more than producing the response.
"""

import asyncio
from collections.abc import Callable
from typing import Any


class WriteBatching:
    """A transport that writes at the end of the turn, and otherwise behaves like the wrapped transport. If the client
    reads nothing for ``seconds``, the connection is dropped, because unsent data occupies memory.
    """

    __slots__ = (
        "_buffered",
        "_client_left",
        "_given",
        "_loop",
        "_on_leaving",
        "_seconds",
        "_taken",
        "_timer",
        "_transport",
        "is_closing",
    )

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop, seconds: float = 0.0) -> None:
        self._transport = transport
        self.is_closing = transport.is_closing  # read several times for each request
        self._loop = loop
        self._seconds = seconds
        self._buffered: list[bytes] = []
        self._given = self._taken = 0
        self._timer: asyncio.TimerHandle | None = None
        self._client_left = False
        self._on_leaving: Callable[[], None] | None = None

    def on_leaving(self, notify: Callable[[], None] | None) -> None:
        """Call ``notify`` when the client disconnects, immediately if it has; None: no longer. The last call counts."""
        self._on_leaving = notify
        if notify is not None and self._client_left:
            notify()

    def client_left(self) -> None:
        """Called when nothing that is still sent would be read."""
        self._client_left = True
        if self._on_leaving is not None:
            self._on_leaving()

    def write(self, data: bytes) -> None:
        if not self._buffered:
            self._loop.call_soon(self._flush)
        self._buffered.append(data)

    def send(self, data: bytes) -> None:
        """Write a whole response. Nothing else follows in this turn, so it is sent immediately."""
        if self._buffered:
            self._buffered.append(data)
            self._flush()
        elif not self.is_closing():
            self.owing()  # of earlier writes
            self._given += len(data)
            self._transport.write(data)

    def close(self) -> None:
        """Write the rest, then close."""
        self._flush()
        self._transport.close()
        self.owing()

    def write_eof(self) -> None:
        """Write the rest, then signal the end of the data."""
        self._flush()
        self._transport.write_eof()

    def owing(self) -> None:
        """Check that unsent data is read in time. The connection is kept as long as the client reads some of it."""
        if self._seconds and self._timer is None and (left := self._transport.get_write_buffer_size()):
            self._taken = self._given - left
            self._timer = self._loop.call_later(self._seconds, self._look)

    def forget(self) -> None:
        """Called when the connection is closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        left = self._transport.get_write_buffer_size()
        if left and self._given - left <= self._taken:
            self._transport.abort()
        else:
            self.owing()

    def _flush(self) -> None:
        buffered, self._buffered = self._buffered, []
        if buffered and not self.is_closing():
            data = b"".join(buffered)
            self.owing()  # of earlier writes
            self._given += len(data)
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
