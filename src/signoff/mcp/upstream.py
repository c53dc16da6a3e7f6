"""The MCP server behind the gateway. The connection is opened when needed, and again after it is lost."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import httpx2
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    ToolsListChanged,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from signoff import __version__
from signoff.client.errors import SignoffError
from signoff.mcp.gateway_config import UpstreamConfig, variables

_ME: Final = types.Implementation(name="signoff-gateway", version=__version__)
_CONNECT_SECONDS: Final = 30.0
_READ_SECONDS: Final = 600.0
OnChange = Callable[[ServerEvent], Awaitable[None]]


class UpstreamFailed(SignoffError):
    """The server behind the gateway did not start, or its connection ended. started: a call may have taken effect."""

    def __init__(self, message: str, *, started: bool = False) -> None:
        super().__init__(message)
        self.started = started


def connector(config: UpstreamConfig, environ: Mapping[str, str] = os.environ) -> "Connect":
    """Create a function that connects to the server that the file names. Raises BadConfig for a variable that is not
    set.
    """
    if config.command is not None:
        env = config.env | variables({name: name for name in config.pass_env}, environ)
        command, *arguments = config.command
        started = StdioServerParameters(command=command, args=arguments, env=env)
        return lambda: _entered(started)
    url, headers = str(config.url), variables(config.headers_from_env, environ)
    return lambda: _over_http(url, headers)


Connect = Callable[[], Any]


@asynccontextmanager
async def _entered(server: Any) -> AsyncIterator[Any]:
    yield server


@asynccontextmanager
async def _over_http(url: str, headers: Mapping[str, str]) -> AsyncIterator[Any]:
    timeout = httpx2.Timeout(_CONNECT_SECONDS, read=_READ_SECONDS)
    async with httpx2.AsyncClient(headers=dict(headers), timeout=timeout) as http:
        yield streamable_http_client(url, http_client=http)


class Upstream:
    """One connection at a time, in a separate task, because a client has to be closed by the task that opened it."""

    def __init__(self, connect: Connect, mode: str = "auto") -> None:
        self._connect = connect
        self._mode = mode
        self._lock = asyncio.Lock()
        self._client: Client | None = None
        self._end: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self.on_change: OnChange | None = None

    async def client(self) -> Client:
        """The connected client; raises UpstreamFailed if the server cannot be reached."""
        async with self._lock:
            if self._client is None:
                await self._close()
                self._client = await self._open()
            return self._client

    async def perform(self, run: Callable[[Client], Awaitable[Any]]) -> Any:
        """Call ``run`` with the client and return its result. It is not repeated, because only the caller knows
        whether that is safe.
        """
        client = await self.client()
        try:
            return await run(client)
        except MCPError as error:
            if error.code == types.CONNECTION_CLOSED:
                raise self._lost(client) from None
            raise
        except (httpx2.TransportError, OSError) as error:
            raise self._lost(client) from error

    async def close(self) -> None:
        async with self._lock:
            await self._close()

    def _lost(self, client: Client) -> UpstreamFailed:
        if self._client is client:
            self._client = None
        return UpstreamFailed("The connection to the server behind the gateway ended.", started=True)

    async def _open(self) -> Client:
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._end = asyncio.Event()
        self._task = asyncio.create_task(self._live(ready, self._end))
        return await asyncio.shield(ready)

    async def _live(self, ready: "asyncio.Future[Client]", end: asyncio.Event) -> None:
        try:
            async with self._connect() as server:
                client = Client(
                    server, mode=self._mode, client_info=_ME, message_handler=self._on_message, cache=None
                )
                async with client:
                    if client.server_capabilities.tools is not None:
                        await client.list_tools()  # the list says which arguments are sent as headers
                    ready.set_result(client)
                    listening = asyncio.create_task(self._listen(client))
                    try:
                        await end.wait()
                    finally:
                        listening.cancel()
                        await asyncio.gather(listening, return_exceptions=True)
        except Exception as error:
            if not ready.done():
                ready.set_exception(
                    UpstreamFailed(f"The server behind the gateway did not start: {_why(error)}")
                )

    async def _listen(self, client: Client) -> None:
        """Subscribe to changed lists; an older server sends them without a subscription (``_on_message``)."""
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return
        with suppress(MCPError, SubscriptionLost):
            changes = client.listen(
                tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True
            )
            async with changes as events:
                async for event in events:
                    await self._changed(event)

    async def _on_message(self, message: object) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            await self._changed(ToolsListChanged())
        elif isinstance(message, types.PromptListChangedNotification):
            await self._changed(PromptsListChanged())
        elif isinstance(message, types.ResourceListChangedNotification):
            await self._changed(ResourcesListChanged())

    async def _changed(self, event: ServerEvent) -> None:
        if self.on_change is not None:
            await self.on_change(event)

    async def _close(self) -> None:
        self._client = None
        if self._end is not None:
            self._end.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._end = self._task = None


def _why(error: BaseException) -> str:
    """The first cause in an exception group, without any text that it may quote."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    if isinstance(error, MCPError) and error.code == types.CONNECTION_CLOSED:
        return "its process or connection ended immediately."
    if isinstance(error, MCPError):
        return f"it refused the connection ({error.code})."
    return f"{type(error).__name__}."
