"""HTTP POST to a caller's URL: time and memory are bounded for any response, without redirects or proxies. Only
https URLs and public addresses are called, unless others are allowed.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from signoff.core.errors import Invalid
from signoff.notify.channel import NotSent
from signoff.notify.outbound.addresses import Resolve, Resolver, public

if TYPE_CHECKING:
    from httpcore2 import AsyncConnectionPool
    from httpx2 import URL


_TIMEOUT: Final = 10.0
_MOST_READ: Final = 65536  # of a body
_HEAD: Final = 32768  # of everything before it
_KEPT: Final = 50
_IDLE: Final = 20.0
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


class Poster:
    """One connection pool for all channels that post, created on first use because its imports cost time and memory.
    ``tls``: the trusted authorities, by default the system's; ``resolve``: the resolver.
    """

    def __init__(
        self,
        allow_private: bool,
        timeout: float = _TIMEOUT,
        *,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._timeout = timeout
        self._tls = tls
        self._resolve = resolve
        self._resolver: Resolver | None = None
        self._pool: AsyncConnectionPool | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post JSON. Every response other than 2xx raises NotSent, a permanent one for 410 and refused addresses."""
        import httpcore2

        no_response = (
            TimeoutError,
            httpcore2.TimeoutException,
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            ssl.SSLError,
        )
        where = self._checked(url)
        try:
            # The pool's own timeouts apply to each read, so a slow trickle of bytes would never exceed them.
            async with asyncio.timeout(self._timeout):
                status, retry_after = await self._status(where, body, headers)
        except no_response as error:
            raise NotSent(f"no response from {where.host} ({type(error).__name__})") from error
        if not 200 <= status < 300:
            raise NotSent(f"{where.host} answered {status}", permanent=status == 410, retry_after=retry_after)

    def _checked(self, url: str) -> "URL":
        """The target with its checked address, to which the connection is made."""
        try:
            return callable_url(url, self._allow_private)
        except ValueError as error:
            raise NotSent(str(error), permanent=True) from error

    async def _status(self, where: "URL", body: bytes, headers: Mapping[str, str]) -> tuple[int, float]:
        import httpcore2

        target = httpcore2.URL(
            scheme=where.raw_scheme, host=where.raw_host, port=where.port, target=where.raw_path
        )
        sent = [
            (b"Host", where.netloc), (b"User-Agent", b"Signoff"), (b"Content-Length", b"%d" % len(body)),
            *((name.encode(), value.encode()) for name, value in headers.items()),
        ]  # fmt: skip
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        async with self._connections().stream(
            "POST", target, headers=sent, content=body, extensions={"timeout": limits}
        ) as answer:
            length = next((value for name, value in answer.headers if name.lower() == b"content-length"), b"")
            if length.isdigit() and int(length) <= _MOST_READ:
                async for _ in answer.aiter_stream():  # so that the connection can be used again
                    pass
            return answer.status, _retry_after(answer.status, answer.headers)

    def _connections(self) -> Any:
        if self._pool is None:
            import httpcore2

            from signoff.notify.outbound.connect import PinnedConnections

            resolve = self._resolve
            if resolve is None:
                resolve = self._resolver = Resolver()
            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls or ssl.create_default_context(),
                max_connections=None,
                max_keepalive_connections=_KEPT,
                keepalive_expiry=_IDLE,
                network_backend=PinnedConnections(self._allow_private, resolve, _HEAD + _MOST_READ),
            )
        return self._pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()
        if self._resolver is not None:
            self._resolver.close()
            self._resolver = None


def _retry_after(status: int, headers: Iterable[tuple[bytes, bytes]]) -> float:
    """For how many seconds a busy server asks to wait; 0 if it does not say. A date is counted from the response's
    own ``Date``, because the clocks may differ.
    """
    if status not in (429, 503):
        return 0.0
    fields = {name.lower(): value.decode("latin-1").strip() for name, value in headers}
    header = fields.get(b"retry-after", "")
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        until, now = (parsedate_to_datetime(fields.get(name, "")) for name in (b"retry-after", b"date"))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, OverflowError):  # not a date, or only one of the two has a time zone
        return 0.0


def shown_url(url: str) -> str:
    """A URL for display: only its host and port, because path, query and user name may contain secrets."""
    try:
        parts = urlsplit(url)
        place = f"{parts.hostname or '?'}:{parts.port}" if parts.port else parts.hostname or "?"
    except ValueError:
        return "?"
    rest = "/\u2026" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{place}{rest}"


def callable_url(url: str, allow_private: bool) -> "URL":
    """The parsed URL; raises ValueError with the reason if it must not be called."""
    import httpx2

    try:
        where = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise ValueError("this is not a URL") from error
    if where.scheme not in ("http", "https") or not where.host:
        raise ValueError(f"{where.scheme or 'no'} scheme: only http and https URLs are called")
    if where.scheme == "http" and not allow_private:
        raise ValueError("only https URLs are called")
    if where.port is not None and not 0 < where.port < 65536:
        raise ValueError("this is not a URL")
    if where.userinfo:
        raise ValueError("URLs with a user name are not called")
    if not allow_private and _private(where.host):
        raise ValueError(f"{where.host} is in a private network, which this server does not call")
    return where


def _private(host: str) -> bool:
    """Whether the host is a private address; names are checked on connection. ``127.1``, ``2130706433`` and
    ``0x7f.1`` are addresses too: resolvers accept them, and no host name ends in a number.
    """
    host = host.rstrip(".")
    try:
        return not public(host)
    except ValueError:
        if not _NUMBER.fullmatch(host.rpartition(".")[2]):
            return host == "localhost" or host.endswith(".localhost")
    try:
        return not public(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        return True


def refuse_uncallable(url: str, allow_private: bool, field: str) -> None:
    """Raise Invalid for a URL that this server would never call, with the reason and what to do."""
    try:
        callable_url(url, allow_private)
    except ValueError as error:
        raise Invalid(
            f"invalid_{field}",
            f"{field}: {error}.",
            field=field,
            hint="Use a public https URL such as https://agent.example/hook, or set allow_private_callbacks.",
        ) from error


def host_of(url: str) -> str:
    """The host of a URL; "?" if it is not a URL."""
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"
