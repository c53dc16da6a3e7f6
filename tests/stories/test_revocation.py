"""A key revoked on one server ends requests that wait with it on another, on both databases, with LISTEN and by
polling.
"""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from signoff.config import Config
from signoff.server import Server
from signoff.serving import running
from tests.live import PATIENCE

AGENT = "agent://local/default/runner"
CLAIM = "/v1/agents/runner/deliveries/claim"
STREAM = "/v1/agents/runner/intents/stream?wait_seconds=45"
WORK = {"intent_type": "intent.work.v1", "to_agent": AGENT, "payload": {"secret": "hunter2"}}


async def servers(stack: AsyncExitStack, url: str, folder: Path, listen: bool) -> tuple[Server, Server, str]:
    """Two servers on one PostgreSQL, or for SQLite the same server twice; and the owner's key."""
    names = ("one",) if url.startswith("sqlite") else ("one", "two")
    made = [
        await stack.enter_async_context(
            running(
                Config(port=0, data=folder / name, database=url, console_notifications=False, listen=listen),
                list[str]().append,
            )
        )
        for name in names
    ]
    key = json.loads((folder / "one" / "credentials.json").read_text())["api_key"]
    return made[0], made[-1], key


async def asked(server: Server) -> None:
    """Wait until the request is held by the server, not still on its way."""
    async with asyncio.timeout(PATIENCE):
        while not any(word.startswith("agent:") for word in server.feed.waiters):
            await asyncio.sleep(0)


@pytest.mark.parametrize("listen", [True, False], ids=["listening", "deaf"])
@pytest.mark.parametrize("what", ["claim", "stream"])
async def test_revocation_ends_waiting_calls(own_url: str, tmp_path: Path, listen: bool, what: str) -> None:
    async with AsyncExitStack() as stack:
        first, second, owner = await servers(stack, own_url, tmp_path, listen)
        here, there = [
            await stack.enter_async_context(httpx2.AsyncClient(base_url=server.base_url, timeout=PATIENCE))
            for server in (first, second)
        ]
        admin = {"x-api-key": owner}
        made = (await here.post("/v1/keys", json={"agent": "runner"}, headers=admin)).json()
        key = {"x-api-key": made["api_key"]}
        waits: asyncio.Task[Any]
        if what == "claim":
            waits = asyncio.create_task(there.post(CLAIM, json={"wait_seconds": 45}, headers=key))
        else:
            waits = asyncio.create_task(there.get(STREAM, headers=key))
        await asked(second)
        revoked = await here.post(f"/v1/keys/{made['key_id']}/revoke", json={}, headers=admin)
        assert revoked.status_code == 200
        answer = await asyncio.wait_for(waits, 10)  # far less than it would have waited
        assert answer.status_code == (401 if what == "claim" else 200)
        sent = (await here.post("/v1/intents", json=WORK, headers=admin)).json()["intent_id"]
        assert "hunter2" not in answer.text
        assert sent not in answer.text
        found = (await here.get(f"/v1/intents/{sent}", headers=admin)).json()
        assert found["status"] == "DELIVERED"


async def test_delivery_held_by_a_revoked_key_is_offered_after_its_lease(
    own_url: str, tmp_path: Path
) -> None:
    """An agent whose key is rotated continues its work with the new key; the old one can report nothing."""
    async with AsyncExitStack() as stack:
        first, _, owner = await servers(stack, own_url, tmp_path, True)
        http = await stack.enter_async_context(httpx2.AsyncClient(base_url=first.base_url, timeout=PATIENCE))
        admin = {"x-api-key": owner}
        old, new = [
            (await http.post("/v1/keys", json={"agent": "runner"}, headers=admin)).json() for _ in range(2)
        ]
        await http.post("/v1/intents", json=WORK, headers=admin)
        claimed = await http.post(CLAIM, json={"lease_seconds": 600}, headers={"x-api-key": old["api_key"]})
        [held] = claimed.json()["deliveries"]
        await http.post(f"/v1/keys/{old['key_id']}/revoke", json={}, headers=admin)
        said = {"token": held["token"], "result": {}}
        path = f"/v1/deliveries/{held['delivery_id']}/report"
        assert (await http.post(path, json=said, headers={"x-api-key": old["api_key"]})).status_code == 401
        again = await http.post(CLAIM, json={}, headers={"x-api-key": new["api_key"]})
        assert again.json()["deliveries"] == []
        assert (await http.post(path, json=said, headers={"x-api-key": new["api_key"]})).status_code == 200
