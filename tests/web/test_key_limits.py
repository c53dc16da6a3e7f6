"""The limits of one key through real sockets: 429 with Retry-After for this key only, and rejections still get
through.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from signoff.engine.commit.engine import Engine
from signoff.engine.identity.admission import Admission, KeyLimits
from tests.web.serving import serving
from tests.web.web_env import PAYLOAD, PLAIN, WebEnv


class Caller:
    """Sends each request on a separate connection that stays open."""

    def __init__(self, url: str) -> None:
        self._port = urlsplit(url).port
        self.writers: list[asyncio.StreamWriter] = []

    async def get(self, key: str, target: str) -> tuple[int, dict[str, str]]:
        """(status, headers)"""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.writers.append(writer)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\n\r\n".encode())
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines[1:])
        return int(lines[0].split()[1]), {name.lower(): value for name, _, value in pairs if name}


@asynccontextmanager
async def calling(web: WebEnv) -> AsyncIterator[Caller]:
    async with serving(web) as url:
        caller = Caller(url)
        try:
            yield caller
        finally:
            for writer in caller.writers:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()


async def test_streams_beyond_the_limit_are_refused_per_holder(web: WebEnv) -> None:
    web.state.admission = Admission(KeyLimits(streams=3))
    target = "/v1/agents/validator/intents/stream?wait_seconds=50"
    async with calling(web) as caller:
        held = [await caller.get(web.keys["agent"], target) for _ in range(5)]
        assert [status for status, _ in held] == [200, 200, 200, 429, 429]
        assert held[-1][1]["retry-after"] == "5"
        assert (await caller.get(web.keys["oscar"], target))[0] == 200


async def test_requests_beyond_the_rate_are_refused_per_holder(web: WebEnv) -> None:
    web.state.admission = Admission(KeyLimits(rate=4))
    async with calling(web) as caller:
        found = [await caller.get(web.keys["agent"], "/v1/intents") for _ in range(60)]
        refused = [headers for status, headers in found if status == 429]
        assert len(refused) > 5
        assert all(int(headers["retry-after"]) >= 1 for headers in refused)
        assert {(await caller.get(web.keys["ci"], "/v1/intents"))[0] for _ in range(40)} == {200}
        assert (await caller.get(web.keys["oscar"], "/v1/intents"))[0] == 200


async def test_repeated_request_is_answered_beyond_the_limit_of_open_intents(web: WebEnv) -> None:
    env = web.env
    admission = Admission(KeyLimits(open_services=2), env.store.intents.open_of)
    web.state.engine = Engine(env.committer, env.clock, env.directory, env.store, env.recent, admission)
    body = {"intent_type": PLAIN, "payload": PAYLOAD, "to_agent": "agent://acme/prod/validator"}
    first, second = [await web.post("/v1/intents", body, idempotency_key=f"key-{n}") for n in (1, 2)]
    assert (first.status, second.status) == (200, 200)
    for _ in range(3):
        third = await web.post("/v1/intents", body, idempotency_key="key-3")
        assert (third.status, third.code, third.headers["retry-after"]) == (429, "too_many_open", "10")
        assert (await web.post("/v1/intents", body)).code == "too_many_open"
        again = await web.post("/v1/intents", body, idempotency_key="key-1")
        assert (again.status, again["intent_id"]) == (200, first["intent_id"])
    other = await web.post("/v1/intents", {**body, "payload": {"other": 1}}, idempotency_key="key-1")
    assert other.status in (409, 422)
    ended = await web.post(f"/v1/intents/{first['intent_id']}/resolve", {"status": "CANCELED"})
    assert ended.status == 200
    assert (await web.post("/v1/intents", body, idempotency_key="key-3")).status == 200
