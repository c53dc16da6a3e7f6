"""A gateway in front of a real MCP server, in this process or started by the command."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client

from signoff.mcp.gateway import Gateway
from signoff.mcp.gateway_config import GatewayConfig, checked
from signoff.mcp.held_calls import HeldCalls
from signoff.mcp.upstream import Upstream, _entered, connector
from tests.mcp.mcp_env import McpEnv, answering, here
from tests.mcp.upstream_server import made

HELD = "intent.mcp.tool_call.v1"
RULES: dict[str, Any] = {
    "name": "files",
    "default": "deny",
    "rules": [
        {"tools": ["read_*", "learn", "die", "new_tool", "fail"], "action": "pass"},
        {"tools": ["delete_*", "slow_*"], "action": "hold"},
    ],
}


class GatewayEnv:
    """Gateways in front of one server that records its calls. ``transport``: of the server: inside, stdio or http."""

    def __init__(self, env: McpEnv, folder: Path) -> None:
        self.env = env
        self.folder = folder
        self.notes = folder / "notes"

    @property
    def done(self) -> list[str]:
        """The calls that the upstream server made."""
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def document(self, upstream_file: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        command = {"command": [sys.executable, str(here("upstream_server.py")), str(self.notes)]}
        return {"upstream": upstream_file or command, **RULES, **changes}

    def config(self, **changes: Any) -> GatewayConfig:
        return checked(self.document(**changes), "test")

    def file(self, **changes: Any) -> Path:
        path = self.folder / "gateway.json"
        path.write_text(json.dumps(self.document(**changes)))
        return path

    @asynccontextmanager
    async def gateway(
        self,
        transport: str = "inside",
        mode: str = "auto",
        who: str = "agent",
        upstream: str = "auto",
        **changes: Any,
    ) -> AsyncIterator[Any]:
        """The gateway's server. transport and upstream: the transport and protocol revision of the upstream server."""
        config = self.config(**changes)
        async with self._connect(transport, config) as connect:
            behind = Upstream(connect, upstream)
            held = HeldCalls(config, tick=0.01, now=lambda: self.env.web.clock.now().timestamp())
            try:
                yield await Gateway(config, behind, self.env.key(who), held).build()
            finally:
                await behind.close()

    @asynccontextmanager
    async def client(
        self,
        transport: str = "inside",
        mode: str = "auto",
        who: str = "agent",
        upstream: str = "auto",
        more: dict[str, Any] | None = None,
        **changes: Any,
    ) -> AsyncIterator[Client]:
        async with (
            self.gateway(transport, mode, who, upstream, **changes) as server,
            Client(server, mode=mode, **(more or {})) as client,
        ):
            yield client

    @asynccontextmanager
    async def _connect(self, transport: str, config: GatewayConfig) -> AsyncIterator[Any]:
        if transport == "stdio":
            yield connector(config.upstream)
        elif transport == "http":
            app = made(self.notes).streamable_http_app()
            async with answering(app) as url:
                found = self.config(upstream={"url": f"{url}/mcp"})
                yield connector(found.upstream)
        else:
            server = made(self.notes)
            yield lambda: _entered(server)
