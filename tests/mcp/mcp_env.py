"""MCP servers with a Signoff server on loopback, and clients for them over each transport."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel.server import Server

from signoff.mcp.callers import EachKey, OneKey
from signoff.mcp.guard import GuardedClient
from signoff.mcp.requests import REPEAT_FOR
from signoff.mcp.server import build
from signoff.mcp.transports import http_app
from tests.stories.servers import environment
from tests.web.web_env import WebEnv

TYPE = "intent.mcp.approval.v1"


class McpEnv:
    """The Signoff server ``web`` at ``url``. Clients use the key of a persona, by default the agent's."""

    def __init__(self, web: WebEnv, url: str) -> None:
        self.web = web
        self.url = url
        self._callers: list[OneKey | EachKey] = []

    def key(self, who: str = "agent", **options: Any) -> OneKey:
        """Callers of an MCP server with this persona's key. Its clock is the Signoff server's."""
        made = self.of_key(self.web.keys[who], **options)
        self._callers.append(made)
        return made

    def of_key(self, key: str | None, **options: Any) -> OneKey:
        client = GuardedClient(self.url, key, retry_for=0.0)
        settings = {"repeat_for": REPEAT_FOR, "now": lambda: self.web.clock.now().timestamp(), **options}
        return OneKey(client, **settings)

    def server(self, who: str = "agent", **options: Any) -> Server[Any]:
        return build(self.key(who, **options))

    @asynccontextmanager
    async def client(
        self, transport: str = "inside", mode: str = "auto", who: str = "agent", **more: Any
    ) -> AsyncIterator[Client]:
        """The SDK's client of ``signoff mcp`` with a persona's key. transport: inside, stdio, http."""
        if transport == "stdio":
            async with Client(self.stdio(who), mode=mode, **more) as client:
                yield client
        elif transport == "http":
            async with self.http() as url, self.over_http(url, self.web.keys[who], mode, **more) as client:
                yield client
        else:
            async with Client(self.server(who), mode=mode, **more) as client:
                yield client

    def stdio(self, who: str = "agent", *words: str, **variables: str) -> StdioServerParameters:
        """``signoff mcp`` as a host starts it."""
        env = environment(SIGNOFF_URL=self.url, SIGNOFF_API_KEY=self.web.keys[who], **variables)
        arguments = ["-m", "signoff.cli", "mcp", *words]
        return StdioServerParameters(command=sys.executable, args=arguments, env=env)

    @asynccontextmanager
    async def http(self, server: Server[Any] | None = None) -> AsyncIterator[str]:
        """The address of ``signoff mcp --http``."""
        callers = EachKey(self.of_key)
        self._callers.append(callers)
        async with answering(http_app(server or build(callers), callers)) as base:
            yield f"{base}/mcp"

    @asynccontextmanager
    async def over_http(self, url: str, key: str, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
        headers = {"authorization": f"Bearer {key}"}
        http = httpx2.AsyncClient(headers=headers, timeout=30)
        async with http, Client(streamable_http_client(url, http_client=http), mode=mode, **more) as client:
            yield client

    async def close(self) -> None:
        for callers in self._callers:
            await callers.close()

    # -- what people do

    async def request(self, type: str = TYPE) -> str:
        """Wait for a request of this type; returns the newest one's id."""

        async def look() -> str:
            found = (await self.web.get(f"/v1/intents?intent_type={type}&limit=1", "ann"))["intents"]
            return str(found[0]["intent_id"]) if found else ""

        return await until(look)

    async def decide(
        self, outcome: str = "approved", comment: str = "", who: str = "ann", type: str = TYPE
    ) -> str:
        """Answer the newest request; returns its id."""
        request_id = await self.request(type)
        task_id = request_id[:-4] + "0001"
        self.web.clock.move(timedelta(milliseconds=1))
        digest = (await self.web.get(f"/v1/tasks/{task_id}", who))["task"]["digest"]
        answer = await self.web.answer(task_id, outcome, who, comment=comment, digest=digest)
        assert answer.status == 200, answer.text
        return request_id

    async def count(self) -> int:
        return len((await self.web.get("/v1/intents?limit=200", "ann"))["intents"])


async def until(look: Callable[[], Awaitable[Any]], most: int = 4000) -> Any:
    """Poll ``look`` until its result is true, and return that. Other processes cannot be awaited."""
    for _ in range(most):
        if found := await look():
            return found
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen in time")


@asynccontextmanager
async def answering(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application for the block; yields its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.001)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def text_of(result: Any) -> str:
    """All text of a tool's result."""
    return "\n".join(block.text for block in result.content)


def here(name: str) -> Path:
    return Path(__file__).with_name(name)
