"""The limits of a request's head and body, in size and time, without any I/O. The protocol reports what has arrived;
the rules do not depend on the HTTP server.
"""

from enum import Enum
from typing import ClassVar, Final

import msgspec

from signoff.core.errors import Malformed, Refused


class ReceiveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The maximum bytes and lines of a head, the seconds in which head and body have to arrive, the seconds in which
    some of a response has to be read, and the number of open connections (0 means unlimited).
    """

    header_bytes: int = 32 * 1024
    headers: int = 100
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    send_seconds: float = 30.0
    connections: int = 0


class HeadTooLarge(Refused):
    """The head is larger than the limit."""

    status: ClassVar[int] = 431


class TooSlow(Refused):
    """The request was not complete in time."""

    status: ClassVar[int] = 408


class Phase(Enum):
    """The phase of a connection: between two requests, in a head, or in a body."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"


_RAISE: Final = "The operator can raise {}."


class RequestLimits:
    """The limits of one connection. Each method raises Refused when a limit is exceeded; the caller then closes the
    connection.

    begun: whether any part of a request has arrived yet.
    """

    __slots__ = ("_bytes", "_headers", "_hosts", "_limits", "_unseen", "begun", "phase")

    def __init__(self, limits: ReceiveLimits) -> None:
        self._limits = limits
        self.phase = Phase.HEAD  # a new connection must send a request
        self.begun = False
        self._bytes = 0
        self._headers = 0
        self._hosts = 0
        self._unseen = 0

    def begin(self) -> None:
        """A request begins."""
        self.phase = Phase.HEAD
        self.begun = True
        self._bytes = self._headers = self._hosts = self._unseen = 0

    def target(self, size: int) -> None:
        """A part of the request target."""
        self._bytes += size
        if self._bytes > self._limits.header_bytes:
            raise self._too_large()

    def header(self, name: bytes, value: bytes) -> None:
        """One whole header line, or a trailer; ``name`` in lower case."""
        self._headers += 1
        if self._headers > self._limits.headers:
            raise HeadTooLarge(
                "too_many_headers",
                f"The request has more than {self._limits.headers} headers.",
                hint=_RAISE.format("max_headers"),
            )
        if name == b"host":
            self._hosts += 1
        self._bytes += len(name) + len(value)
        if self._bytes > self._limits.header_bytes:
            raise self._too_large()

    def raw(self, size: int) -> None:
        """Count received bytes that did not complete the head. Nothing else would detect a line that never ends."""
        if self.phase is Phase.HEAD:
            self._unseen += size
            if self._unseen > 2 * self._limits.header_bytes:
                raise self._too_large()

    def head_done(self, version: str) -> None:
        """The head is complete. RFC 9112 3.2: HTTP/1.1 has exactly one Host."""
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            raise Malformed(
                "invalid_host",
                "The request has no Host header."
                if not self._hosts
                else "The request names more than one host.",
                hint="Send one Host header.",
            )
        self.phase = Phase.BODY

    def done(self) -> None:
        """The body is complete."""
        self.phase = Phase.IDLE

    @property
    def seconds(self) -> float | None:
        """The maximum duration of the current phase, from its beginning; None if unlimited."""
        if self.phase is Phase.IDLE:
            return None
        return self._limits.header_seconds if self.phase is Phase.HEAD else self._limits.body_seconds

    def late(self) -> TooSlow:
        """The refusal for a phase that took too long."""
        part, setting = ("head", "header_timeout") if self.phase is Phase.HEAD else ("body", "body_timeout")
        return TooSlow(
            "request_timeout",
            f"The {part} of the request was not complete within {self.seconds or 0:g} s.",
            hint=_RAISE.format(setting),
        )

    def _too_large(self) -> HeadTooLarge:
        return HeadTooLarge(
            "headers_too_large",
            f"The head of the request is larger than {self._limits.header_bytes} bytes.",
            hint=_RAISE.format("max_header_bytes"),
        )
