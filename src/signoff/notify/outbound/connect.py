"""Connects to a caller's URL (SSRF guard): a name is resolved once, every returned address is checked, and the
connection is made to one of them, so that a later change to the name has no effect.
"""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, Final

import httpcore2

from signoff.notify.channel import NotSent
from signoff.notify.outbound.addresses import Resolve, public

_MOST_ADDRESSES: Final = 3
_AT_ONCE: Final = 16 * 1024  # bytes that are parsed before anything else gets its turn


class PinnedConnections(httpcore2.AsyncNetworkBackend):
    """Opens connections to checked addresses. The connection pool keeps the name, for the Host header and for TLS."""

    def __init__(self, allow_private: bool, resolve: Resolve, most_read: int) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._most_read = most_read
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self.addresses(host, port)
        share = timeout / len(addresses) if timeout is not None else None
        trouble: Exception | None = None
        for address in addresses:
            try:
                stream = await self._network.connect_tcp(address, port, share, local_address, socket_options)
                return _BoundedStream(stream, host, self._most_read)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                trouble = error
        raise trouble or NotSent(f"{host} has no address")

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a name; raises NotSent if there are none, and a permanent one if any of them is private."""
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise NotSent(f"{host} cannot be resolved") from error
        if not found:
            raise NotSent(f"{host} has no address")
        if not self._allow_private and not all(public(address) for address in found):
            raise NotSent(f"{host} is in a private network, which this server does not call", permanent=True)
        return found[:_MOST_ADDRESSES]

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        raise NotSent("sockets on this machine are not called", permanent=True)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _BoundedStream(httpcore2.AsyncNetworkStream):
    """Reads a bounded number of bytes for each request, whatever they are: a receiver may send any number of interim
    responses (1xx) before its answer, and parsing them takes much longer than sending them.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream, host: str, most_read: int) -> None:
        self._stream = stream
        self._host = host
        self._most_read = most_read
        self._left = most_read

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._left <= 0:
            raise NotSent(f"{self._host} answered with more than is read")
        found = await self._stream.read(min(max_bytes, _AT_ONCE), timeout)
        self._left -= len(found)
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._left = self._most_read
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        inner = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _BoundedStream(inner, self._host, self._most_read)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
