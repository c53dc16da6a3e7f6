"""Serving over stdio and over streamable HTTP.

Over HTTP, each request sends its key as a bearer token, so a caller without a key cannot use somebody else's. The key
is checked before the request is read, even if the gateway only forwards it.
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

from signoff.client.errors import AuthenticationFailed, SignoffError
from signoff.mcp.callers import AGENT_KEY, KeyCheck, KeyOfPerson, bearer, digest_of
from signoff.mcp.tool_results import problem_of

PATH: Final = "/mcp"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


async def serve_stdio(server: Server[Any], changes: bool = False) -> None:
    """Serve one client over this process's stdin and stdout until it closes them. changes: whether the lists may
    change.
    """
    options = server.create_initialization_options(NotificationOptions(changes, changes, changes))
    async with stdio_server() as (reads, writes):
        await server.run(reads, writes, options)


def http_app(server: Server[Any], keys: KeyCheck, hosts: Sequence[str] = ()) -> ASGIApp:
    """The ASGI application. hosts: the names under which it may be reached, in addition to those of this machine."""
    names = [*(f"[{name}]" if ":" in name else name for name in _LOOPBACK), *hosts]
    allowed = [form for name in names for form in (name, f"{name}:*")]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=allowed,
        allowed_origins=[f"{scheme}://{form}" for scheme in ("http", "https") for form in allowed],
    )
    app: Starlette = server.streamable_http_app(streamable_http_path=PATH, transport_security=security)
    return NeedsKey(app, keys)


class NeedsKey:
    """Refuses a request without a valid key as its bearer token, and ties a session to the token that started it."""

    def __init__(self, app: ASGIApp, keys: KeyCheck) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            values = [value for name, value in scope["headers"] if name == b"authorization"]
            key = bearer(values[0].decode("latin-1")) if len(values) == 1 else ""
            refusal = await self._refusal(key)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            holder = digest_of(key)
            scope["user"] = AuthenticatedUser(AccessToken(token=holder, client_id=holder, scopes=[]))
        await self._app(scope, receive, send)

    async def _refusal(self, key: str) -> JSONResponse | None:
        if not key:
            text = f"Send the header Authorization: Bearer KEY. {AGENT_KEY} creates a key."
            return _refused(401, "key_required", text)
        try:
            await self._keys.check(key)
        except AuthenticationFailed as error:
            return _refused(401, error.code, error.message)
        except KeyOfPerson as error:
            return _refused(403, "key_of_person", str(error))
        except SignoffError as error:  # without a response it is unknown whether the key is valid
            problem = problem_of(error)
            return _refused(503, problem.code, problem.message)
        return None


def _refused(status: int, code: str, text: str) -> JSONResponse:
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": {"code": code, "message": text}}, status, headers)


async def serve_http(app: ASGIApp, host: str, port: int, started: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. started: called with the address. Raises OSError if it cannot listen."""
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
