"""Posting to somebody's URL: bounded time and memory whatever it answers, no redirects, no private networks unless
they are allowed.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from signoff.notify.channel import NotSent

_TIMEOUT: Final = 10.0
_MOST_READ: Final = 65536


class Poster:
    """One HTTP client for all channels that post; made when it is first needed (its import takes time and memory)."""

    def __init__(self, allow_private: bool, timeout: float = _TIMEOUT) -> None:
        self._allow_private = allow_private
        self._timeout = timeout
        self._client: Any = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post JSON; 2xx is success, everything else NotSent (410 and refused addresses for good)."""
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=self._timeout, follow_redirects=False)
        try:
            # The client's own limit is one for each read: a byte now and then would never meet it.
            async with asyncio.timeout(self._timeout):
                await self._reachable(url)
                status = await self._status(url, body, headers)
        except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NotSent(f"{type(error).__name__}: no answer from {_host(url)}") from error
        if not 200 <= status < 300:
            raise NotSent(f"{_host(url)} answered {status}", permanent=status == 410)

    async def _status(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        async with self._client.stream("POST", url, content=body, headers=dict(headers)) as answer:
            length = answer.headers.get("content-length", "")
            if length.isdigit() and int(length) <= _MOST_READ:
                async for _ in answer.aiter_raw():  # so that the connection can be used again
                    pass
            status: int = answer.status_code
            return status

    async def _reachable(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotSent(
                f"{parts.scheme or 'no'} scheme: only http and https URLs are called", permanent=True
            )
        if self._allow_private:
            return
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NotSent(f"{parts.hostname} cannot be resolved") from error
        if any(not ipaddress.ip_address(info[4][0]).is_global for info in found):
            raise NotSent(
                f"{parts.hostname} is in a private network, which this server does not call", permanent=True
            )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _host(url: str) -> str:
    return urlsplit(url).hostname or "?"
