"""An idle stream holds little memory, and notices that its client has disconnected."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from signoff.web.http.call import Call
from signoff.web.http.lean_event import LeanEvent
from signoff.web.http.protocol import LimitedProtocol
from tests.web.serving import serving
from tests.web.web_env import PLAIN, VALIDATOR, WebEnv

CLAIM = f"/v1/agents/{VALIDATOR}/deliveries/claim"
MOST_SHARED = 30  # attributes of an instance beyond which CPython 3.11 gives each instance a dict of its own


@asynccontextmanager
async def connected(
    url: str, request: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which the request was sent."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request)
        await writer.drain()
        yield reader, writer
    finally:
        writer.close()


def claim(key: str) -> bytes:
    head = f"POST {CLAIM} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: {key}\r\ncontent-length: 20\r\n\r\n"
    return head.encode() + b'{"wait_seconds": 45}'


async def until(web: WebEnv, waiting: bool) -> None:
    """Wait until somebody waits, or nobody does."""
    async with asyncio.timeout(30):
        while bool(web.state.feed.waiters) is not waiting:
            await asyncio.sleep(0)


async def test_an_idle_stream_is_one_task_and_keeps_only_its_credentials(web: WebEnv) -> None:
    sent = await web.send(intent_type=PLAIN, to_agent=VALIDATOR)
    head = (
        f"GET /v1/intents/{sent}/events/stream?wait_seconds=45 HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"x-api-key: {web.keys['emma']}\r\nx-axme-client: signoff-test\r\nx-filler: {'f' * 3000}\r\n\r\n"
    ).encode()
    async with serving(web) as url:
        before = len(asyncio.all_tasks())
        async with connected(url, head) as (reader, _):
            await reader.readuntil(b"\n\n\r\n")
            await until(web, waiting=True)
            assert len(asyncio.all_tasks()) == before + 1
            # the collector has not frozen them, so these are all calls and connections of this process
            [call] = [found for found in gc.get_objects() if isinstance(found, Call) and found.held]
            assert list(call.headers) == [b"x-api-key"]
            [protocol] = [found for found in gc.get_objects() if isinstance(found, LimitedProtocol)]
            assert set(protocol.scope) == {"type", "method", "signoff.connection"}
            assert not protocol.headers
            assert len(vars(protocol)) <= MOST_SHARED


async def test_a_claim_whose_client_disconnects_takes_nothing(web: WebEnv) -> None:
    async with serving(web) as url:
        async with connected(url, claim(web.keys["agent"])):
            await until(web, waiting=True)
        await until(web, waiting=False)
        sent = await web.send(intent_type=PLAIN, to_agent=VALIDATOR)
        assert await web.status(sent) == "DELIVERED"


async def test_a_claim_takes_nothing_once_its_connection_is_refused(web: WebEnv) -> None:
    async with serving(web) as url, connected(url, claim(web.keys["agent"])) as (reader, writer):
        await until(web, waiting=True)
        writer.write(b"this is not HTTP\r\n\r\n")
        await reader.readuntil(b'"invalid_http"')
        sent = await web.send(intent_type=PLAIN, to_agent=VALIDATOR)
        await until(web, waiting=False)
        assert await web.status(sent) == "DELIVERED"


async def test_a_stream_can_follow_a_claim_on_one_connection(web: WebEnv) -> None:
    await web.send(intent_type=PLAIN, to_agent=VALIDATOR)
    async with serving(web) as url:
        async with connected(url, claim(web.keys["agent"])) as (reader, writer):
            assert b'"deliveries":[{' in await reader.readuntil(b"}]")
            writer.write(
                f"GET /v1/agents/{VALIDATOR}/intents/stream?wait_seconds=45 HTTP/1.1\r\nhost: 127.0.0.1\r\n"
                f"x-api-key: {web.keys['agent']}\r\n\r\n".encode()
            )
            await until(web, waiting=True)
        await until(web, waiting=False)


async def test_a_set_event_wakes_everyone_who_waits_and_forgets_who_gave_up() -> None:
    event = LeanEvent()
    waiting = [asyncio.create_task(event.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    event.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert [await waiting[1], await waiting[2], await event.wait()] == [True] * 3
    event.clear()
    assert not event.is_set()
