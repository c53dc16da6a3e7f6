"""A receiver's long response does not cost this server more than its size."""

import asyncio

import pytest

from signoff.notify.channel import NotSent
from signoff.notify.outbound.post import Poster
from tests.listening import listening

INTERIM = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n" + b"x" * 50_000


async def _request(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(2)


async def test_endless_interim_responses_are_cut_off_before_the_time_limit() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        while True:
            writer.write(INTERIM * 1000)
            await writer.drain()

    poster = Poster(True, timeout=5.0)
    async with listening(serve) as url:
        with pytest.raises(NotSent, match="answered with more than is read"):
            await poster.post(url, b"{}", {})
    await poster.close()


async def test_interim_response_limit_applies_to_each_request_of_a_connection() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await _request(reader)
            writer.write(INTERIM * 100 + ANSWER)
            await writer.drain()

    poster = Poster(True)
    async with listening(serve) as url:
        for _ in range(5):
            await poster.post(url, b"{}", {})
    assert connections == 1
    await poster.close()
