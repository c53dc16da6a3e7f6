"""Connects to a caller's URL (SSRF guard): a name is resolved once, every returned address is checked, and the
connection is made to one of them, so that a later change to the name has no effect.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import httpcore2

from signoff.notify.channel import NotSent
from signoff.notify.outbound.addresses import Resolve, public

_MOST_ADDRESSES: Final = 3


class PinnedConnections(httpcore2.AsyncNetworkBackend):
    """Opens connections to checked addresses. The connection pool keeps the name, for the Host header and for TLS."""

    def __init__(self, allow_private: bool, resolve: Resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
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
                return await self._network.connect_tcp(address, port, share, local_address, socket_options)
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
