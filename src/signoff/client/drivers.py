"""The two drivers of flows: one blocking, one async. Only this module does network I/O."""

import asyncio
import contextlib
import os
import ssl
import time
import uuid
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx2

from signoff import __version__
from signoff.client.credentials import Settings
from signoff.client.errors import ClientClosed, ConnectionFailed, SignoffError, WrongResponse
from signoff.client.flow import Effect, Emit, Exchange, Flow, HttpReply, Open, Pause, Read, Stepper
from signoff.client.tracing import add_traceparent
from signoff.client.types import Event

T = TypeVar("T")
PROGRAM: Final = "signoff-python"
CONNECT_TIMEOUT: Final = 10.0
MARK: Final = "x-client-request-id"
_REMEMBERED: Final = 64
_LEFT_OPEN: Final = 4
_CLOSED: Final = "This client is closed. Create a new one."
_NO_LOOP: Final = (
    "No event loop is running in this process: it was forked while its parent's was. "
    "Call asyncio.run() here, or use the blocking Client."
)
_FORKED: Final = "This process was forked while the stream was open: it belongs to the parent."


class BlockingSession:
    """Runs flows by blocking. Safe to share between threads (each run has its own stream) and across a fork."""

    def __init__(
        self, settings: Settings, program: str = PROGRAM, transport: httpx2.BaseTransport | None = None
    ) -> None:
        self.settings = settings
        self.sockets = Sockets()
        self._options = _options(settings, program) | {"transport": transport}
        self._closed = False
        self._pid = os.getpid()
        self._left: list[tuple[int, httpx2.Client]] = []
        self._http = httpx2.Client(**self._options)

    def run(self, flow: Flow[T]) -> T:
        """Run the flow and return its result; its events are dropped."""
        stepper = Stepper(flow)
        for _ in self._events(stepper):
            pass
        return stepper.result

    def events(self, flow: Flow[Any]) -> Generator[Event]:
        """The events the flow emits; closing this iterator closes the flow and its connection."""
        return self._events(Stepper(flow))

    def http(self) -> httpx2.Client:
        """The connections of this process; those of its parent are not touched."""
        if self._closed:
            raise ClientClosed(_CLOSED)
        if self._pid != os.getpid():
            self.renew()
        return self._http

    def watch(
        self, sends: Callable[[httpx2.Request], None], receives: Callable[[httpx2.Response], None]
    ) -> None:
        """From now on, call ``sends`` before each request and ``receives`` after the headers of its response."""
        self._options |= {"event_hooks": {"request": [sends], "response": [receives]}}
        self._http.event_hooks = self._options["event_hooks"]

    def renew(self) -> None:
        """Use new connections from now on. The old ones may be in use by other threads or by the parent."""
        self._left.append((self._pid, self._http))
        self._http, self._pid = httpx2.Client(**self._options), os.getpid()
        ours = [http for pid, http in self._left if pid == self._pid]
        for http in ours[:-_LEFT_OPEN]:
            http.close()
            self._left.remove((self._pid, http))

    def close(self) -> None:
        """Close the connections; in a forked process the parent's stay open."""
        self._closed = True
        for pid, http in [*self._left, (self._pid, self._http)]:
            if pid == os.getpid():
                http.close()

    def _events(self, stepper: Stepper[T]) -> Generator[Event]:
        wire = _Wire(self)
        try:
            while (effect := stepper.effect) is not None:
                answer: object = None
                if isinstance(effect, Emit):
                    yield effect.event
                else:
                    try:
                        answer = wire.perform(effect)
                    except SignoffError as error:
                        if isinstance(error, WrongResponse):
                            self.renew()
                        stepper.fail(error)
                        continue
                stepper.give(answer)
        finally:
            wire.close()
            stepper.close()


@dataclass(eq=False)
class _Pool:
    """The connections of one event loop in one process. ``guard``: closes them with the loop."""

    pid: int
    loop: asyncio.AbstractEventLoop
    http: httpx2.AsyncClient
    guard: AsyncGenerator[None] | None = None


class AsyncSession:
    """Runs flows on the running event loop. Each loop has its own connections, which are closed with it."""

    def __init__(
        self, settings: Settings, program: str = PROGRAM, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.settings = settings
        self.sockets = Sockets()
        self._options = _options(settings, program) | {"transport": transport}
        self._closed = False
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
        self._left: list[_Pool] = []

    async def run(self, flow: Flow[T]) -> T:
        """Run the flow and return its result; its events are dropped."""
        stepper = Stepper(flow)
        async for _ in self._events(stepper):
            pass
        return stepper.result

    def events(self, flow: Flow[Any]) -> AsyncGenerator[Event]:
        """The events the flow emits; closing this iterator closes the flow and its connection."""
        return self._events(Stepper(flow))

    async def http(self) -> httpx2.AsyncClient:
        """The connections of the running loop in this process."""
        if self._closed:
            raise ClientClosed(_CLOSED)
        loop = _running()
        if loop is None:
            raise ClientClosed(_NO_LOOP)
        pool = self._pools.get(loop)
        if pool is None or pool.pid != os.getpid():
            pool = await self._opened(loop)
        return pool.http

    async def renew(self) -> None:
        """Use new connections from now on, on this loop."""
        loop = _running()
        pool = self._pools.pop(loop, None) if loop else None
        if pool is not None:
            self._left.append(pool)
        ours = [left for left in self._left if left.loop is loop and left.pid == os.getpid()]
        for left in ours[:-_LEFT_OPEN]:
            await _closed(left)

    async def close(self) -> None:
        """Close the connections of this loop, and make every other running loop close its own."""
        self._closed = True
        here = _running()
        for pool in [*self._left, *self._pools.values()]:
            if pool.pid != os.getpid():
                continue
            if pool.loop is here:
                await _closed(pool)
            elif not pool.loop.is_closed():
                with contextlib.suppress(RuntimeError):  # it has just been closed
                    pool.loop.call_soon_threadsafe(_close_later, pool)

    async def _opened(self, loop: asyncio.AbstractEventLoop) -> _Pool:
        for other in [known for known in list(self._pools) if known.is_closed()]:
            self._pools.pop(other, None)
        if (inherited := self._pools.get(loop)) is not None:
            self._left.append(inherited)
        pool = self._pools[loop] = _Pool(os.getpid(), loop, httpx2.AsyncClient(**self._options))
        # A loop closes its async generators before it ends, as asyncio.run() does.
        pool.guard = self._guard(pool)
        await anext(pool.guard)
        return pool

    async def _guard(self, pool: _Pool) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            if pool.pid == os.getpid():
                if self._pools.get(pool.loop) is pool:
                    del self._pools[pool.loop]
                if pool in self._left:
                    self._left.remove(pool)
                await pool.http.aclose()

    async def _events(self, stepper: Stepper[T]) -> AsyncGenerator[Event]:
        wire = _AsyncWire(self)
        try:
            while (effect := stepper.effect) is not None:
                answer: object = None
                if isinstance(effect, Emit):
                    yield effect.event
                else:
                    try:
                        answer = await wire.perform(effect)
                    except SignoffError as error:
                        if isinstance(error, WrongResponse):
                            await self.renew()
                        stepper.fail(error)
                        continue
                stepper.give(answer)
        finally:
            await wire.close()
            stepper.close()


def _running() -> asyncio.AbstractEventLoop | None:
    """The running event loop; None in a process that was forked while it ran."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _closed(pool: _Pool) -> None:
    if pool.guard is not None:
        await pool.guard.aclose()


def _close_later(pool: _Pool) -> None:
    _CLOSING.add(task := pool.loop.create_task(_closed(pool)))
    task.add_done_callback(_CLOSING.discard)


_CLOSING: Final[set["asyncio.Task[None]"]] = set()


class Sockets:
    """The sockets that a session has used. A forked process releases its parent's sockets without closing the
    connections: in the child, each becomes a handle of the null device. So the server sees the connection end when
    the parent closes it, and nothing that the child does reaches the server.
    """

    def __init__(self) -> None:
        self._known: set[Any] = set()
        _EVERYBODYS.add(self)

    def note(self, response: httpx2.Response) -> None:
        stream = response.extensions.get("network_stream")
        socket = None if stream is None else stream.get_extra_info("socket")
        if socket is None or socket in self._known:
            return
        if len(self._known) >= _REMEMBERED:
            self._known = {known for known in self._known if known.fileno() >= 0}
        self._known.add(socket)

    def let_go(self, null: int) -> None:
        known, self._known = self._known, set()
        for socket in known:
            with contextlib.suppress(OSError):
                if (handle := socket.fileno()) >= 0:
                    os.dup2(null, handle, inheritable=False)


_EVERYBODYS: Final[weakref.WeakSet[Sockets]] = weakref.WeakSet()


def _after_fork() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    try:
        for sockets in list(_EVERYBODYS):
            sockets.let_go(null)
    finally:
        os.close(null)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Wire:
    """One flow's connection: performs effects by blocking, and owns the stream that it opened."""

    def __init__(self, session: BlockingSession) -> None:
        self._session = session
        self._pid = os.getpid()
        self._stream: httpx2.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def perform(self, effect: Effect) -> object:
        try:
            if isinstance(effect, Exchange):
                http = self._session.http()
                request = _request(http, effect)
                return self._reply_of(request, http.send(request))
            if isinstance(effect, Open):
                return self._open(effect)
            if isinstance(effect, Read):
                if self._pid != os.getpid():
                    raise ConnectionFailed(_FORKED, unsent=True)
                return next(self._chunks, b"")
        except (httpx2.RequestError, RuntimeError) as error:
            raise _failed(error, self._session) from error
        if isinstance(effect, Pause):
            time.sleep(effect.seconds)
        else:
            self.close()
        return None

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None and self._pid == os.getpid():
            stream.close()

    def _open(self, effect: Open) -> HttpReply:
        self.close()
        http = self._session.http()
        self._pid = os.getpid()
        request = _request(http, effect)
        self._stream = stream = http.send(request, stream=True)
        if stream.status_code != 200:
            stream.read()
            return self._reply_of(request, stream)
        self._chunks = stream.iter_bytes()
        return self._reply_of(request, stream, b"")

    def _reply_of(
        self, request: httpx2.Request, response: httpx2.Response, body: bytes | None = None
    ) -> HttpReply:
        self._session.sockets.note(response)
        return _reply(request, response, body)


class _AsyncWire:
    """The async form of ``_Wire``."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._pid = os.getpid()
        self._stream: httpx2.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def perform(self, effect: Effect) -> object:
        try:
            if isinstance(effect, Exchange):
                http = await self._session.http()
                request = _request(http, effect)
                return self._reply_of(request, await http.send(request))
            if isinstance(effect, Open):
                return await self._open(effect)
            if isinstance(effect, Read):
                if self._pid != os.getpid():
                    raise ConnectionFailed(_FORKED, unsent=True)
                return b"" if self._chunks is None else await anext(self._chunks, b"")
        except (httpx2.RequestError, RuntimeError) as error:
            raise _failed(error, self._session) from error
        if isinstance(effect, Pause):
            await asyncio.sleep(effect.seconds)
        else:
            await self.close()
        return None

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None and self._pid == os.getpid():
            await stream.aclose()

    async def _open(self, effect: Open) -> HttpReply:
        await self.close()
        http = await self._session.http()
        self._pid = os.getpid()
        request = _request(http, effect)
        self._stream = stream = await http.send(request, stream=True)
        if stream.status_code != 200:
            await stream.aread()
            return self._reply_of(request, stream)
        self._chunks = stream.aiter_bytes()
        return self._reply_of(request, stream, b"")

    def _reply_of(
        self, request: httpx2.Request, response: httpx2.Response, body: bytes | None = None
    ) -> HttpReply:
        self._session.sockets.note(response)
        return _reply(request, response, body)


def _options(settings: Settings, program: str) -> dict[str, Any]:
    # Loading the certificate store takes 0.2 s. Plain http does not need it, and an empty store fails closed.
    plain = settings.url.startswith("http://")
    return {
        "base_url": settings.url,
        "headers": {"x-api-key": settings.api_key, "user-agent": f"{program}/{__version__}"},
        # SSL_CERT_FILE and SSL_CERT_DIR name other authorities, for any address.
        "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else httpx2.create_ssl_context(),
        # A proxy from the environment cannot reach this machine's loopback.
        "trust_env": not settings.loopback,
        # Without a limit, because each waiting thread uses a connection and must not wait for another's. Idle
        # connections are dropped before a server would close them during a request.
        "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=3.0),
    }


def _request(http: httpx2.Client | httpx2.AsyncClient, effect: Exchange | Open) -> httpx2.Request:
    call = effect.call
    headers = {"accept": "text/event-stream" if isinstance(effect, Open) else "application/json"}
    headers[MARK] = uuid.uuid4().hex
    add_traceparent(headers)
    if call.body is not None:
        headers["content-type"] = "application/json"
    if call.key is not None:
        headers["idempotency-key"] = call.key
    return http.build_request(
        call.method,
        call.path,
        params=call.parameters,
        content=call.content,
        headers=headers,
        timeout=httpx2.Timeout(effect.timeout, connect=min(effect.timeout, CONNECT_TIMEOUT)),
    )


def _reply(request: httpx2.Request, response: httpx2.Response, body: bytes | None = None) -> HttpReply:
    """Return the response if it belongs to this request: the server echoes the request's mark."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    if headers.get(MARK, request.headers[MARK]) != request.headers[MARK]:
        raise WrongResponse(
            f"The response to {request.method} {request.url.path} belongs to another request "
            "and was discarded: a proxy, or this program, mixes up connections."
        )
    reply = HttpReply(response.status_code, headers, response.content if body is None else body)
    return reply.without(request.headers["x-api-key"])


def _failed(
    error: httpx2.RequestError | RuntimeError, session: BlockingSession | AsyncSession
) -> SignoffError:
    settings = session.settings
    if isinstance(error, RuntimeError):
        return ClientClosed(f"The client or its event loop was closed while in use: {error}")
    unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    why = str(error).strip() or "no words"
    message = f"No response from {settings.url} ({type(error).__name__}: {why})."
    if "CERTIFICATE_VERIFY_FAILED" in why:
        message += (
            " Its certificate is not trusted here; set SSL_CERT_FILE to a certificate authority to trust."
        )
    elif unsent and settings.loopback:
        message += " Is it running? Start it with `signoff up`."
    return ConnectionFailed(message, unsent=unsent, timed_out=isinstance(error, httpx2.TimeoutException))
