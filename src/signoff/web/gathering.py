"""Uvicorn's HTTP protocol with one write a turn. It writes head and body of an answer apart; each write is a system
call and a packet, which costs more than making the answer. What is said in one turn of the event loop leaves together.
"""

import asyncio
from typing import Any


class Gathering:
    """A transport that writes at the end of the turn; in everything else the transport that it stands for."""

    __slots__ = ("_loop", "_said", "_transport")

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._said: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._said:
            self._loop.call_soon(self._flush)
        self._said.append(data)

    def close(self) -> None:
        """Say what is left, then hang up."""
        self._flush()
        self._transport.close()

    def write_eof(self) -> None:
        """Say what is left, and that it was all."""
        self._flush()
        self._transport.write_eof()

    def _flush(self) -> None:
        said, self._said = self._said, []
        if said and not self._transport.is_closing():
            self._transport.write(b"".join(said))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
