"""Serves the in-process web layer with a real uvicorn on a free port, for streams."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import uvicorn

from signoff.web.http.connection_limits import ReceiveLimits
from signoff.web.http.protocol import limited
from tests.web.web_env import WebEnv


@asynccontextmanager
async def serving(web_env: WebEnv, limits: ReceiveLimits | None = None) -> AsyncIterator[str]:
    """Serve the web layer for the block, by default with the product's limits; yields its address."""
    settings = web_env.state.settings
    web_env.state.settings = msgspec.structs.replace(
        settings, allowed_hosts=("127.0.0.1", *settings.allowed_hosts)
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        config = uvicorn.Config(
            web_env.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=45,
            http=limited(limits or ReceiveLimits()),
            ws="none",
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.001)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            web_env.state.stop()
            server.should_exit = True
            await task
