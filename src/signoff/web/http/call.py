"""One HTTP request as an endpoint function sees it, and what the function may return.

An endpoint is one row of ``api/routes.py``. Its function gets a ``Call`` and returns a struct (encoded as JSON),
bytes (JSON already), a ``Page``, or a ``Stream``; to refuse, it raises an error of ``core.errors``.
"""

import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope

from signoff.core.directory.actors import Actor
from signoff.core.errors import Invalid, Refused
from signoff.core.intent.advance import Change
from signoff.core.text import canonical_json
from signoff.engine.commit.jobs import Done, Idempotency
from signoff.web.hosts import caller_of
from signoff.web.http import query as queries
from signoff.web.http.cookies import read_cookies
from signoff.web.http.exchange import CONNECTION
from signoff.web.http.write_batching import WriteBatching
from signoff.web.state import AppState

_TRACEPARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
MAX_KEY: Final = 255
_SINGLE: Final = frozenset({b"x-api-key", b"authorization", b"idempotency-key", b"last-event-id"})
_CREDENTIALS: Final = (b"x-api-key", b"authorization")  # a session's cookie is read once, before
_KEPT_OPEN: Final = ("type", "method", CONNECTION)

Write = Callable[[bytes], Coroutine[Any, Any, None]]
Stream = Callable[[Write], Coroutine[Any, Any, None]]
"""Writes server-sent events until the end; the endpoint handler opens and always closes the response."""


class Page(msgspec.Struct, frozen=True):
    """A response that is not plain JSON 200."""

    body: bytes
    media: str = "application/json"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


Answer = msgspec.Struct | bytes | Page | Stream


class Access(Enum):
    """Who may call: anyone, or the holder of a valid key (whose rights are checked later)."""

    OPEN = "open"
    KEY = "key"


class Endpoint(msgspec.Struct, frozen=True):
    """One row of the table.

    name: the operation's name in clients generated from the API's description. query: the query parameters.
    limit: the maximum size of the body in bytes, if it may exceed the setting max_body. media: the media type of the
    response. any_query, any_body: why the endpoint accepts unknown parameters or fields; all others refuse them by
    name. unkeyed: no response is stored for an Idempotency-Key, so a request with one is refused. others: responses
    with a different format, by status. killed: whether an agent that was killed may call it. refuses: errors that
    cannot be derived from the rest of the row.
    """

    method: str
    path: str
    name: str
    tag: str
    run: Callable[["Call"], Awaitable[Answer]]
    summary: str
    request: type | None = None
    response: type | None = None
    query: tuple[queries.Parameter, ...] = ()
    any_query: str = ""
    any_body: str = ""
    unkeyed: bool = False
    killed: bool = False
    access: Access = Access.KEY
    limit: int = 0
    media: str = "application/json"
    others: tuple[tuple[int, type], ...] = ()
    refuses: tuple[type[Refused], ...] = ()


async def _nobody(_call: "Call") -> Actor:
    raise TypeError("an open endpoint has no caller")


class Call:
    """One request: the caller, the endpoint, the body."""

    __slots__ = (
        "_cookies",
        "_query",
        "_scope",
        "actor",
        "authenticated",
        "body",
        "client",
        "headers",
        "held",
        "identified_by",
        "method",
        "params",
        "path",
        "query_string",
        "receive",
        "request_id",
        "state",
    )

    def __init__(self, state: AppState, scope: Scope, request_id: str) -> None:
        self.state = state
        self.method: str = scope["method"]
        self._scope = scope
        self.path: str = scope["path"]
        self.params: dict[str, str] = scope.get("path_params", {})
        self.query_string: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = request_id
        client = self.headers.get(b"x-axme-client") or self.headers.get(b"user-agent")
        self.client = client.decode("latin-1") if client else ""
        self.body = b""
        self.held = False  # whether it waited for events: then its duration says nothing about the server
        self.receive: Receive | None = None
        self.actor: Actor  # not set at an endpoint that needs no key
        self.identified_by: Callable[[Call], Awaitable[Actor]] = _nobody
        # when the caller was authenticated, and how often the directory had changed before
        self.authenticated = (0.0, -1)
        self._query: dict[str, str] | None = None
        self._cookies: dict[str, str] | None = None

    @property
    def traceparent(self) -> str:
        """The caller's trace; "" if it sent none, or one that is malformed (W3C Trace Context)."""
        header = self.headers.get(b"traceparent")
        return header.decode() if header is not None and _TRACEPARENT.fullmatch(header) else ""

    def identify(self) -> Awaitable[Actor]:
        """Authenticate the caller again, with their current rights."""
        return self.identified_by(self)

    @property
    def extensions(self) -> Mapping[str, object]:
        """The ASGI extensions of the HTTP server."""
        return self._scope.get("extensions") or {}

    @property
    def peer(self) -> str:
        """The client's address."""
        peer: str = (self._scope.get("client") or ("",))[0]
        return caller_of(peer, self._scope["headers"], self.state.settings.trusted_proxies)

    def header(self, name: bytes) -> str:
        """A header's text, "" when absent; ``name`` in lower case."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that we have set."""
        if self._cookies is None:
            self._cookies = read_cookies(self.header(b"cookie"))
        return self._cookies

    @property
    def query(self) -> dict[str, str]:
        """The query parameters. Those of an API endpoint were checked; on pages, the last value of a repeated one
        counts.
        """
        if self._query is None:
            self._query = dict(queries.pairs(self.query_string))
        return self._query

    @query.setter
    def query(self, checked: dict[str, str]) -> None:
        self._query = checked

    def flag(self, name: str) -> bool:
        """Whether the query contains ``name=true`` (or 1, yes, or nothing after the name)."""
        return queries.flag(self.query.get(name))

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """An integer query parameter, within bounds."""
        return queries.count(self.query.get(name), default, lowest, highest)

    def idempotent_reply(
        self, body: Any, render: Callable[[Change], bytes], *, plain: bool = False, dedup_scope: str = ""
    ) -> "IdempotentReply":
        """The response to a write, stored by Idempotency-Key. ``body``: the request's JSON value. ``dedup_scope``: the
        id of the answered task, however the path spells it; given for answers, which without a key are stored by
        X-Trace-Id and body.
        """
        key, trace = self.idempotency_key(), ""
        if dedup_scope and not key:
            trace = self.header(b"x-trace-id").strip()
        return IdempotentReply(self, key, body, render, plain, f"{dedup_scope}\n{trace}" if trace else "")

    def idempotency_key(self) -> str:
        """The Idempotency-Key, "" when absent. An empty one has no effect, so it is refused."""
        header = self.headers.get(b"idempotency-key")
        if header is None:
            return ""
        key = header.decode("latin-1")
        if not key.strip():
            raise Invalid(
                "invalid_idempotency_key",
                "The Idempotency-Key is empty.",
                field="Idempotency-Key",
                hint="Give it a value, or omit it.",
            )
        return key

    def refuse_key(self) -> None:
        """Refuse an Idempotency-Key at an endpoint that stores no response for it."""
        if b"idempotency-key" in self.headers:
            raise Invalid(
                "idempotency_key_unsupported",
                "An Idempotency-Key has no effect here: no answer is stored for it.",
                field="Idempotency-Key",
                hint="Omit the header; look at the state before you send the request again.",
            )

    def refuse_body(self) -> None:
        """Refuse a GET with a body, which nothing would read."""
        if self.headers.get(b"content-length", b"0").strip(b"0") or b"transfer-encoding" in self.headers:
            raise Invalid(
                "body_not_allowed",
                "A GET takes no body; this one was not read.",
                hint="Write filters into the query: ?status=WAITING.",
            )

    def refuse_repeated(self, lines: Sequence[tuple[bytes, bytes]]) -> None:
        """Refuse a request that repeats a header that we act on with different values."""
        if len(lines) == len(self.headers):
            return
        for name, value in lines:
            if name in _SINGLE and value != self.headers[name]:
                spelled = name.decode()
                raise Invalid(
                    "repeated_header",
                    f"{spelled} was sent twice with different values.",
                    field=spelled,
                    hint="Send it once.",
                )

    def keep_open(self) -> None:
        """The request will be held open, perhaps with thousands of others. Of its head, which takes 2 KiB, keep only
        what authenticates the caller again.
        """
        self.held = True
        if self.connection is None:  # the scope may be needed by a server that is not ours
            return
        kept = {name: self._scope[name] for name in _KEPT_OPEN}
        self._scope["headers"].clear()
        self._scope.clear()
        self._scope.update(kept)
        self.headers = {name: self.headers[name] for name in _CREDENTIALS if name in self.headers}
        self.path, self.params, self.query_string, self._query = "", {}, b"", {}

    @property
    def connection(self) -> WriteBatching | None:
        """The connection, if the server is ours."""
        connection: WriteBatching | None = self._scope.get(CONNECTION)
        return connection

    async def hung_up(self) -> None:
        """Return when the client has disconnected. May only be called after the body has been read."""
        while self.receive is not None:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return


class IdempotentReply:
    """The response to a write, rendered once per change. With an Idempotency-Key it is stored, and returned for a
    repeated request; a fingerprint of the body distinguishes a repeat from another request.
    """

    def __init__(
        self,
        call: Call,
        key: str,
        body: Any,
        render: Callable[[Change], bytes],
        plain: bool = False,
        trace: str = "",
    ) -> None:
        self._render = render
        self._change: Change | None = None
        self._bytes = b""
        self.once: Idempotency | None = None
        if not key and not trace:
            return
        if len(key) > MAX_KEY or not key.isprintable():
            raise Invalid(
                "invalid_idempotency_key",
                f"An Idempotency-Key must have 1 to {MAX_KEY} printable characters.",
                field="Idempotency-Key",
            )
        fingerprint = canonical_json.digest(canonical_json.canonical(body, plain=plain))
        route = f"{call.method} {call.path}"
        if not key:
            # The body is part of the key: one trace may contain several requests, and none must be refused because of
            # another.
            route = f"traced {call.path.rpartition('/')[2]}"
            key = canonical_json.digest(f"{trace}\n{fingerprint}".encode())
        self.once = Idempotency(route, key, fingerprint, self._of)

    def of(self, done: Done) -> bytes:
        """The bytes of the response."""
        if done.replay is not None:
            return done.replay
        if done.change is None:
            raise TypeError("a write came back with neither a change nor a stored answer")
        return self._of(done.change)

    def _of(self, change: Change) -> bytes:
        if change is not self._change:
            self._change, self._bytes = change, self._render(change)
        return self._bytes
