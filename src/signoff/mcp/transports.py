"""Serving over stdio and over streamable HTTP.

Over HTTP each request brings the key that it acts with, as a bearer token: there is no key that a caller without one
could borrow.
"""

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvicorn
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from signoff.mcp.callers import AGENT_KEY, bearer, digest_of

PATH: Final = "/mcp"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


async def serve_stdio(server: Server[Any], changes: bool = False) -> None:
    """Serve one client over this process's stdin and stdout, until it closes them. changes: lists may change."""
    options = server.create_initialization_options(NotificationOptions(changes, changes, changes))
    async with stdio_server() as (reads, writes):
        await server.run(reads, writes, options)


def http_app(server: Server[Any], hosts: Sequence[str] = ()) -> ASGIApp:
    """The ASGI application. hosts: names under which it may be reached, besides those of this machine."""
    names = [*(f"[{name}]" if ":" in name else name for name in _LOOPBACK), *hosts]
    allowed = [form for name in names for form in (name, f"{name}:*")]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=allowed,
        allowed_origins=[f"{scheme}://{form}" for scheme in ("http", "https") for form in allowed],
    )
    app: Starlette = server.streamable_http_app(streamable_http_path=PATH, transport_security=security)
    return NeedsKey(app)


class NeedsKey:
    """Answers 401 to a request without a bearer token, and ties a session to the token that began it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            key = bearer(given[0].decode("latin-1")) if len(given) == 1 else ""
            if not key:
                text = f"Send the header Authorization: Bearer KEY. {AGENT_KEY} creates a key."
                refusal = {"error": {"code": "key_required", "message": text}}
                response = JSONResponse(refusal, 401, {"www-authenticate": "Bearer"})
                await response(scope, receive, send)
                return
            holder = digest_of(key)
            scope["user"] = AuthenticatedUser(AccessToken(token=holder, client_id=holder, scopes=[]))
        await self._app(scope, receive, send)


async def serve_http(app: ASGIApp, host: str, port: int, started: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. started: is given the address. Raises OSError if it cannot listen there."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
        name, number = listener.getsockname()[:2]
        started(f"http://{f'[{name}]' if ':' in name else name}:{number}{PATH}")
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, ws="none")
        await uvicorn.Server(config).serve(sockets=[listener])
