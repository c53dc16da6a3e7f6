"""A Signoff server on loopback with a clock that tests move."""

from collections.abc import AsyncIterator

import pytest

from tests.mcp.mcp_env import McpEnv
from tests.web.conftest import clock, furnished, store, web
from tests.web.serving import serving
from tests.web.web_env import WebEnv

__all__ = ["clock", "furnished", "store", "web"]


@pytest.fixture
async def env(web: WebEnv) -> AsyncIterator[McpEnv]:
    async with serving(web) as url:
        made = McpEnv(web, url)
        try:
            yield made
        finally:
            await made.close()
