"""The entry point of every endpoint, as raw ASGI: request id, key, bounded body, one format for every error.

No matter what a client sends, it gets a response or an error in that format; an unexpected exception is logged with the
request id and reported as ``internal_error``. Secrets never appear in a message or a log line.
"""

import asyncio
import logging
import random
import re
from collections.abc import Callable, Coroutine, Mapping
from time import monotonic
from typing import Annotated, Any, ClassVar, Final

import msgspec
from starlette.types import Receive, Scope, Send

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.killed import refuse_killed
from signoff.core.errors import Busy, Conflict, NotFound, Refused, TooLarge, TooMany, Unauthenticated
from signoff.engine.commit.jobs import Outdated
from signoff.engine.metrics import OTHER
from signoff.web.http import bodies
from signoff.web.http import query as queries
from signoff.web.http.call import Access, Answer, Call, Endpoint, Page
from signoff.web.http.exchange import RESPONSE, response
from signoff.web.state import AppState
from signoff.wire.fields import about

log = logging.getLogger("signoff.web")

_ENCODER: Final = msgspec.json.Encoder()
_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")
_JSON: Final = (b"content-type", b"application/json")
_SAFE: Final = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_STREAM: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


def _lines(headers: list[tuple[bytes, bytes]]) -> bytes:
    lines = b""
    for header in headers:
        lines += b"%s: %s\r\n" % header
    return lines


_JSON_LINES: Final = _lines([_JSON, *_SAFE])
_STREAM_LINES: Final = _lines(_STREAM)
_FROM_CLI: Final = ("signoff-cli/", "axme-cli/")
_MOST_DRAINED: Final = 8 * 1024 * 1024
_A_WHILE: Final = 0.05  # seconds after which a caller is authenticated again
_MAX_SECRET: Final = 512
_LONGEST_MESSAGE: Final = 2000
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_TRIES: Final = 3  # attempts to process a request while the directory changes


class WrongMethod(Refused):
    """The path exists, but not with this method."""

    status: ClassVar[int] = 405


class GoneAwayError(Exception):
    """The client disconnected before its request was complete, so there is nobody to respond to."""


class EndpointHandler:
    """One path: its endpoints by method."""

    def __init__(self, state: AppState, endpoints: Mapping[str, Endpoint]) -> None:
        self._state = state
        self._path = next(iter(endpoints.values())).path
        self._endpoints = dict(endpoints)
        if "GET" in endpoints and endpoints["GET"].media != "text/event-stream":
            self._endpoints.setdefault("HEAD", endpoints["GET"])
        self._allow = ", ".join(sorted(self._endpoints))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(self._state, scope, "")
        reply = ResponseWriter(call, send)
        arrived = monotonic()
        whole = False
        try:
            endpoint = self._endpoints.get(call.method)
            if endpoint is None:
                raise WrongMethod(
                    "method_not_allowed", f"{call.method[:16]} is not supported here.", hint=self._allow
                )
            call.refuse_repeated(scope["headers"])
            if endpoint.unkeyed:
                call.refuse_key()
            if endpoint.access is Access.KEY:
                call.identified_by = identify_again if endpoint.killed else identify_unkilled
                call.actor = await identify(call)
                if not endpoint.killed:
                    refuse_killed(call.actor)
                self._state.admission.request(call.actor, monotonic())
            if call.method != "GET":
                with self._state.reading():
                    call.body = await read_body(
                        call, receive, max(endpoint.limit, self._state.settings.max_body)
                    )
                whole = True
                if endpoint.access is Access.KEY:
                    call.actor = await call.identify()
            elif not endpoint.any_query:
                call.refuse_body()
            call.receive = receive
            if call.query_string and not endpoint.any_query:
                call.query = queries.read(call.query_string, endpoint.query)
            if call.body and endpoint.request is None and not endpoint.any_body:
                bodies.ours(bodies.Nothing, call.body)
            answer = await run(endpoint, call)
            if isinstance(answer, bytes):
                await reply.json(200, answer)
            elif isinstance(answer, Page):
                await reply.page(answer)
            elif isinstance(answer, msgspec.Struct):
                await reply.json(200, _ENCODER.encode(answer))
            else:
                with self._state.admission.stream(call.actor):
                    await reply.stream(answer)
        except GoneAwayError:
            return
        except asyncio.CancelledError:  # the server is stopping and could not wait any longer
            await reply.ended(whole)
        except Refused as refusal:
            await reply.refuse(refusal, self._allow)
        except Exception:
            log.exception("request %s failed", call.request_id)
            await reply.broken()
        finally:
            reply.counted(self._path, arrived)


class NotFoundHandler:
    """Every path that is not in the table."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        reply = ResponseWriter(Call(self._state, scope, ""), send)
        await reply.refuse(
            NotFound("not_found", "There is nothing at this path.", hint="GET /docs lists all endpoints.")
        )
        reply.counted("", None)


async def run(endpoint: Endpoint, call: Call) -> Answer:
    """Return the result of the endpoint. Refusals that name who decided get the person's display name. If the
    directory has changed in the meantime, the request is processed again.
    """
    try:
        for _ in range(_TRIES - 1):
            try:
                return await endpoint.run(call)
            except Outdated:
                if endpoint.access is Access.KEY:
                    call.actor = await call.identify()
        return await endpoint.run(call)
    except Conflict as refusal:
        if by := refusal.details.get("decided_by"):
            directory = await call.state.directory.of(call.actor.workspace)
            refusal.details = {**refusal.details, "decided_by_name": directory.display(str(by))}
        raise


async def identify(call: Call) -> Actor:
    """Authenticate a request by its key, in ``x-api-key``. Without that header, a bearer token is used. Next to a
    service's key it counts if it is the key of a person of the same workspace: then that person acts, as with AXP's
    actor tokens.
    """
    via = "cli" if call.client.startswith(_FROM_CLI) else "api"
    key, bearer = call.header(b"x-api-key").strip(), ""
    if b"authorization" in call.headers:
        scheme, _, token = call.header(b"authorization").strip().partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
    secret = key or bearer
    if not secret:
        raise Unauthenticated(
            "missing_platform_api_key",
            "An API key is required.",
            hint="Send it in the header x-api-key. signoff keys create creates one.",
        )
    if len(secret) > _MAX_SECRET or not secret.isascii() or not secret.isprintable():
        raise Unauthenticated("invalid_platform_api_key", "This is not an API key.")
    call.authenticated = (monotonic(), call.state.keys.forgotten)
    actor = await call.state.keys.authenticate(secret, via)
    if actor.kind is ActorKind.SERVICE and bearer and bearer != secret:
        return await _beside(call, actor, bearer, via)
    return actor


async def identify_again(call: Call) -> Actor:
    """Authenticate the caller again, if the last time was a while ago or the directory has changed since then."""
    at, known = call.authenticated
    if known == call.state.keys.forgotten and monotonic() - at <= _A_WHILE:
        return call.actor
    return await identify(call)


async def identify_unkilled(call: Call) -> Actor:
    """``identify_again``; raises Forbidden if the caller is an agent that was killed."""
    actor = await identify_again(call)
    refuse_killed(actor)
    return actor


async def _beside(call: Call, service: Actor, bearer: str, via: str) -> Actor:
    """The person whose key was sent along with a service's key; without one, the service. A stale token is not an
    error, because AXP's clients send one along with every key.
    """
    if len(bearer) > _MAX_SECRET or not bearer.isascii() or not bearer.isprintable():
        return service
    try:
        actor = await call.state.keys.authenticate(bearer, via)
    except Unauthenticated:
        return service
    person = actor.kind is ActorKind.PERSON and actor.workspace == service.workspace
    return actor if person else service


async def read_body(call: Call, receive: Receive, limit: int) -> bytes:
    """The body, up to ``limit`` bytes, once it is its turn; raises TooLarge, or GoneAwayError if the client
    disconnected.

    Oversized bodies are drained up to a maximum, so that the client reads the error: a client that is cut off while it
    sends does not see the error.
    """
    declared = call.headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > 20 or int(declared) > limit + _MOST_DRAINED):
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):  # as almost every body arrives
        whole: bytes = message.get("body", b"")
        if len(whole) > limit:
            raise _too_large(limit)
        await call.state.body_turns.take(len(whole))
        return whole
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise GoneAwayError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > limit + _MOST_DRAINED:
            break
        if not message.get("more_body"):
            break
        message = await receive()
    if size > limit:
        raise _too_large(limit)
    await call.state.body_turns.take(size)
    return b"".join(chunks)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        "payload_too_large",
        f"The body is larger than {limit} bytes.",
        hint="Store large data elsewhere and send a link.",
    )


class ResponseWriter:
    """Writes every response, with its request id and the caller's trace headers."""

    __slots__ = ("_at_once", "_call", "_headers", "_send", "_started", "_status")

    def __init__(self, call: Call, send: Send) -> None:
        headers = call.headers
        header = headers.get(b"x-request-id")
        if header is None or not _ID.fullmatch(header):
            header = b"%032x" % random.getrandbits(128)
        call.request_id = header.decode("ascii")
        self._call = call
        self._send = send
        self._started = False
        self._status = 0
        self._at_once = RESPONSE in call.extensions
        self._headers = [(b"x-request-id", header)]
        mark = headers.get(b"x-client-request-id")
        if mark and _ID.fullmatch(mark):
            self._headers.append((b"x-client-request-id", mark))
        trace = headers.get(b"x-trace-id")
        if trace and _ID.fullmatch(trace):
            self._headers.append((b"x-trace-id", trace))

    async def json(self, status: int, body: bytes, extra: list[tuple[bytes, bytes]] | None = None) -> None:
        if self._at_once and not extra:
            self._started, self._status = True, status
            await self._send(response(status, _JSON_LINES + _lines(self._headers), body))
        else:
            await self._whole(status, body, [_JSON, *_SAFE, *(extra or ())])

    async def page(self, page: Page) -> None:
        headers = [(b"content-type", page.media.encode()), (b"x-content-type-options", b"nosniff")]
        headers += [(name.encode(), value.encode()) for name, value in page.headers]
        await self._whole(page.status, page.body, headers)

    async def stream(self, stream: Callable[..., Coroutine[Any, Any, None]]) -> None:
        """Run a stream. Its response always ends properly, because a broken one would crash listening agents."""
        self._call.keep_open()
        if self._at_once:
            self._started, self._status = True, 200
            await self._send(response(200, _STREAM_LINES + _lines(self._headers)))
        else:
            await self._start(200, _STREAM)
        try:
            await stream(self._write)
        except Exception:
            log.exception("stream %s failed", self._call.request_id)
        await self._send({"type": "http.response.body", "body": b""})

    async def _write(self, chunk: bytes) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def refuse(self, refusal: Refused, allow: str = "") -> None:
        extra: list[tuple[bytes, bytes]] = []
        if isinstance(refusal, Busy | TooMany):
            extra.append((b"retry-after", str(refusal.retry_after).encode()))
        if isinstance(refusal, Unauthenticated):
            extra.append((b"www-authenticate", b"Bearer"))
        if isinstance(refusal, WrongMethod):
            extra.append((b"allow", allow.encode()))
        if isinstance(refusal, TooLarge):
            extra.append((b"connection", b"close"))
        await self.json(refusal.status, error_body(refusal, self._call.request_id), extra)

    async def ended(self, whole: bool) -> None:
        """The error for a request that a stopping server cannot finish. ``whole``: whether it may have begun to
        write the request's changes.
        """
        if self._started:
            return
        stopping = Busy("server_stopping", "The server is stopping; the request was not processed.")
        unknown = Busy(
            "commit_unknown",
            "The server is stopping during a write, which may or may not be committed.",
            hint="Send it again under the same Idempotency-Key, or check the state before you send it again.",
        )
        await self.refuse(unknown if whole else stopping)

    async def broken(self) -> None:
        if not self._started:
            text = "Internal error; see the server's log for this request id."
            await self.json(500, error_body(Refused("internal_error", text), self._call.request_id))

    def counted(self, path: str, began: float | None) -> None:
        """Count the request for the metrics, unless its client disconnected. ``path``: the path template."""
        if self._started:
            method = self._call.method if self._call.method in _METHODS else OTHER
            seconds = None if began is None or self._call.held else monotonic() - began
            self._call.state.metrics.request(method, path, self._status, seconds)
            if self._call.state.tracer is not None and seconds is not None:
                self._call.state.tracer.request(method, path, self._status, seconds, self._call.traceparent)

    async def _whole(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        await self._start(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self._send({"type": "http.response.body", "body": b"" if self._call.method == "HEAD" else body})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._started, self._status = True, status
        await self._send(
            {"type": "http.response.start", "status": status, "headers": headers + self._headers}
        )


class ErrorDetail(msgspec.Struct, omit_defaults=True, kw_only=True):
    """code: a stable code for programs; field: the dotted path of the field at fault; hint: what to do next."""

    _EXAMPLE: ClassVar = ("field", "hint")

    code: Annotated[str, about("A stable code.", "nobody_eligible")]
    message: Annotated[str, about("What went wrong, for people; may change.", "Nobody may decide this.")]
    field: Annotated[str | None, about("The dotted path of the field at fault.", "human_task.assignees")] = (
        None
    )
    hint: Annotated[str | None, about("What to do next.", "Name a person, team or role.")] = None
    details: Annotated[dict[str, Any], about("Additional values.", {})]


class ErrorBody(msgspec.Struct, kw_only=True):
    """The one format of every error; ``message`` and ``detail`` repeat it for clients that read those."""

    ok: Annotated[bool, about("False: the request was refused.", False)] = False
    error: Annotated[ErrorDetail, about("What went wrong.")]
    message: Annotated[
        str, about("The error's message, for clients that read it here.", "Nobody may decide this.")
    ]
    detail: Annotated[
        str, about("The error's message, for clients that read it here.", "Nobody may decide this.")
    ]
    request_id: Annotated[
        str, about("Names this request in the server's log.", "5f0c1b7e9a2d4c3f8e6b1a0d9c8b7a65")
    ]


def error_body(refusal: Refused, request_id: str) -> bytes:
    """The body of an error. Long quotes of the request are cut."""
    message = refusal.message
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}\u2026"
    detail = ErrorDetail(
        code=refusal.code,
        message=message,
        field=refusal.field,
        hint=refusal.hint,
        details=refusal.details,
    )
    return _ENCODER.encode(ErrorBody(error=detail, message=message, detail=message, request_id=request_id))
