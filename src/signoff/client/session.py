"""The two drivers of flows: one blocks, one awaits. Only here does the SDK touch the network."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any, Final, TypeVar

import httpx2

from signoff import __version__
from signoff.client.errors import ConnectionFailed, SignoffError
from signoff.client.flow import Effect, Emit, Exchange, Flow, Open, Pause, Read, Reply, Stepper
from signoff.client.settings import Settings
from signoff.client.types import Event

T = TypeVar("T")
PROGRAM: Final = "signoff-python"
CONNECT_TIMEOUT: Final = 10.0


class Session:
    """Runs flows by blocking. Safe to share between threads: each run has its own stream."""

    def __init__(
        self, settings: Settings, program: str = PROGRAM, transport: httpx2.BaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._http = httpx2.Client(transport=transport, **_options(settings, program))

    def run(self, flow: Flow[T]) -> T:
        """The flow's result; the events it emits go nowhere."""
        stepper = Stepper(flow)
        for _ in self._events(stepper):
            pass
        return stepper.result

    def events(self, flow: Flow[Any]) -> Generator[Event]:
        """The events the flow emits; closing this iterator closes the flow and its connection."""
        return self._events(Stepper(flow))

    def close(self) -> None:
        self._http.close()

    def _events(self, stepper: Stepper[T]) -> Generator[Event]:
        wire = _Wire(self._http, self._settings)
        try:
            while (effect := stepper.effect) is not None:
                answer: object = None
                if isinstance(effect, Emit):
                    yield effect.event
                else:
                    try:
                        answer = wire.perform(effect)
                    except ConnectionFailed as error:
                        stepper.fail(error)
                        continue
                stepper.give(answer)
        finally:
            wire.close()
            stepper.close()


class AsyncSession:
    """Runs flows on the running event loop; belongs to that loop."""

    def __init__(
        self, settings: Settings, program: str = PROGRAM, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._http = httpx2.AsyncClient(transport=transport, **_options(settings, program))

    async def run(self, flow: Flow[T]) -> T:
        """The flow's result; the events it emits go nowhere."""
        stepper = Stepper(flow)
        async for _ in self._events(stepper):
            pass
        return stepper.result

    def events(self, flow: Flow[Any]) -> AsyncGenerator[Event]:
        """The events the flow emits; closing this iterator closes the flow and its connection."""
        return self._events(Stepper(flow))

    async def close(self) -> None:
        await self._http.aclose()

    async def _events(self, stepper: Stepper[T]) -> AsyncGenerator[Event]:
        wire = _AsyncWire(self._http, self._settings)
        try:
            while (effect := stepper.effect) is not None:
                answer: object = None
                if isinstance(effect, Emit):
                    yield effect.event
                else:
                    try:
                        answer = await wire.perform(effect)
                    except ConnectionFailed as error:
                        stepper.fail(error)
                        continue
                stepper.give(answer)
        finally:
            await wire.close()
            stepper.close()


class _Wire:
    """One flow's connection: performs effects by blocking, and holds the stream it opened."""

    def __init__(self, http: httpx2.Client, settings: Settings) -> None:
        self._http = http
        self._settings = settings
        self._stream: httpx2.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def perform(self, effect: Effect) -> object:
        try:
            if isinstance(effect, Exchange):
                return _reply(self._http.send(_request(self._http, effect)))
            if isinstance(effect, Open):
                return self._open(effect)
            if isinstance(effect, Read):
                return next(self._chunks, b"")
        except httpx2.RequestError as error:
            raise _failed(error, self._settings) from error
        if isinstance(effect, Pause):
            time.sleep(effect.seconds)
        else:
            self.close()
        return None

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self, effect: Open) -> Reply:
        self.close()
        self._stream = stream = self._http.send(_request(self._http, effect), stream=True)
        if stream.status_code != 200:
            stream.read()
            return _reply(stream)
        self._chunks = stream.iter_bytes()
        return _reply(stream, b"")


class _AsyncWire:
    """The same by awaiting."""

    def __init__(self, http: httpx2.AsyncClient, settings: Settings) -> None:
        self._http = http
        self._settings = settings
        self._stream: httpx2.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def perform(self, effect: Effect) -> object:
        try:
            if isinstance(effect, Exchange):
                return _reply(await self._http.send(_request(self._http, effect)))
            if isinstance(effect, Open):
                return await self._open(effect)
            if isinstance(effect, Read):
                return b"" if self._chunks is None else await anext(self._chunks, b"")
        except httpx2.RequestError as error:
            raise _failed(error, self._settings) from error
        if isinstance(effect, Pause):
            await asyncio.sleep(effect.seconds)
        else:
            await self.close()
        return None

    async def close(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            await stream.aclose()

    async def _open(self, effect: Open) -> Reply:
        await self.close()
        self._stream = stream = await self._http.send(_request(self._http, effect), stream=True)
        if stream.status_code != 200:
            await stream.aread()
            return _reply(stream)
        self._chunks = stream.aiter_bytes()
        return _reply(stream, b"")


def _options(settings: Settings, program: str) -> dict[str, Any]:
    # Loading the certificate store takes 0.2 s. Plain http needs none, and an empty one fails closed.
    plain = settings.url.startswith("http://")
    return {
        "base_url": settings.url,
        "headers": {"x-api-key": settings.api_key, "user-agent": f"{program}/{__version__}"},
        # SSL_CERT_FILE and SSL_CERT_DIR name other authorities, whatever the address.
        "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else httpx2.create_ssl_context(),
        # A proxy from the environment cannot reach this machine's loopback.
        "trust_env": not settings.loopback,
        # No limit: each waiting thread holds a connection, and none may wait for another's.
        # Resting ones are dropped before a server would: a request must not meet its hanging up.
        "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=3.0),
    }


def _request(http: httpx2.Client | httpx2.AsyncClient, effect: Exchange | Open) -> httpx2.Request:
    call = effect.call
    headers = {"accept": "text/event-stream" if isinstance(effect, Open) else "application/json"}
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


def _reply(response: httpx2.Response, body: bytes | None = None) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, response.content if body is None else body)


def _failed(error: httpx2.RequestError, settings: Settings) -> SignoffError:
    unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    why = str(error).strip() or "no words"
    message = f"No answer from {settings.url} ({type(error).__name__}: {why})."
    if "CERTIFICATE_VERIFY_FAILED" in why:
        message += " Its certificate is not trusted here; SSL_CERT_FILE may name the authority to trust."
    elif unsent and settings.loopback:
        message += " Is it running? Start it with `signoff up`."
    return ConnectionFailed(message, unsent=unsent)
