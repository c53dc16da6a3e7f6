"""Limits of a connection through real sockets: too large, too many, too slow, no host or two hosts."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import pytest

from signoff.web.http.connection_limits import ReceiveLimits
from tests.web.serving import serving
from tests.web.web_env import WebEnv

HELLO = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
DEFAULT = ReceiveLimits()
QUICK = ReceiveLimits(header_seconds=1, body_seconds=1)


class Wire:
    """One connection, as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, data: bytes) -> None:
        self._writer.write(data)
        with suppress(ConnectionError):  # the other side may have heard enough
            await self._writer.drain()

    async def answer(self) -> tuple[int, Any]:
        """(status, body) of the next response; (0, None) if the connection was closed without one."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, None
        length = next(
            int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        return int(head[9:12]), json.loads(await self._reader.readexactly(length))

    async def closed(self) -> bool:
        """Wait until the peer has closed the connection; True unless it sent more."""
        return await self._reader.read() == b""

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def wired(web: WebEnv, limits: ReceiveLimits = DEFAULT, many: int = 1) -> AsyncIterator[list[Wire]]:
    async with serving(web, limits) as url:
        port = urlsplit(url).port
        wires = [Wire(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(many)]
        try:
            yield wires
        finally:
            for wire in wires:
                wire.close()


def head(lines: Iterable[bytes], target: bytes = b"/health") -> bytes:
    return (
        b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    )


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (head([]), 200, None),
        (head([b"a: " + b"x" * 30_000]), 200, None),
        (head(b"h%d: 1" % n for n in range(99)), 200, None),
        (head([b"a: " + b"x" * 33_000]), 431, "headers_too_large"),
        (head([b"a: " + b"x" * 2_000_000]), 431, "headers_too_large"),
        (head([b"a%d: " % n + b"x" * 3_000 for n in range(20)]), 431, "headers_too_large"),
        (head([b"x" * 33_000 + b": a"]), 431, "headers_too_large"),
        (head([], b"/" + b"a" * 33_000), 431, "headers_too_large"),
        (head([], b"/health?" + b"a=1&" * 10_000), 431, "headers_too_large"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\na: " + b"x" * 200_000, 431, "headers_too_large"),
        (b"GET /" + b"x" * 200_000, 431, "headers_too_large"),
        (head(b"h%d: 1" % n for n in range(20_000)), 431, "too_many_headers"),
        (head(b"h: 1" for _ in range(100)), 431, "too_many_headers"),
        (b"GET /health HTTP/1.1\r\n\r\n", 400, "invalid_host"),
        (head([b"hOST: y"]), 400, "invalid_host"),
        (b"GET /health HTTP/1.0\r\n\r\n", 200, None),
        (b"GET /health HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "invalid_host"),
        (b"nonsense\r\n\r\n", 400, "invalid_http"),
        (head([b"Upgrade: websocket", b"Connection: Upgrade"]), 200, None),
    ],
)
async def test_request_head_within_limits_is_answered_and_any_other_refused(
    web: WebEnv, sent: bytes, status: int, code: str | None
) -> None:
    async with wired(web) as (wire,):
        await wire.say(sent)
        got, body = await wire.answer()
        assert (got, body.get("error", {}).get("code")) == (status, code)
        if code:
            assert body["ok"] is False
            assert await wire.closed()


async def test_cookie_of_backslashes_is_parsed_in_linear_time(web: WebEnv) -> None:
    async with wired(web) as (wire,):
        for _ in range(20):
            await wire.say(
                b'GET /health HTTP/1.1\r\nHost: x\r\nCookie: signoff_session="'
                + b"\\" * 30_000
                + b'"\r\n\r\n'
            )
            assert (await wire.answer())[0] == 200


async def test_limits_apply_to_each_request_of_a_connection(web: WebEnv) -> None:
    async with wired(web) as (wire,):
        for _ in range(5):
            await wire.say(head(b"h%d: %s" % (n, b"x" * 200) for n in range(90)))
            assert (await wire.answer())[0] == 200
        await wire.say(HELLO * 300)
        assert {(await wire.answer())[0] for _ in range(300)} == {200}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 0),
        (b"G", 408),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n", 408),
        (b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nX-Api-Key: KEY\r\nContent-Length: 9\r\n\r\n{}", 408),
        (b"POST /login/mail HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nem", 408),
        (
            b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nX-Api-Key: KEY\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{",
            408,
        ),
    ],
    ids=["nothing", "a byte", "half a head", "half a body", "half a form", "half a chunk"],
)
async def test_unfinished_request_is_closed(web: WebEnv, sent: bytes, status: int) -> None:
    async with wired(web, QUICK, 40) as wires:
        for wire in wires:
            await wire.say(sent.replace(b"KEY", web.keys["oscar"].encode()))
        for wire in wires:
            got, body = await wire.answer()
            assert got == status
            assert body is None or body["error"]["code"] == "request_timeout"
            assert await wire.closed()


async def test_slowly_sent_bytes_do_not_extend_the_time_limit(web: WebEnv) -> None:
    async with wired(web, QUICK) as (wire,):
        answered = asyncio.create_task(wire.answer())
        await wire.say(HELLO[:-2] + b"a: ")
        for _ in range(1000):
            await wire.say(b"x")
            done, _ = await asyncio.wait([answered], timeout=0.02)
            if done:
                break
        assert (await answered)[0] == 408


async def test_body_of_a_refused_request_is_not_awaited(web: WebEnv) -> None:
    async with wired(web, QUICK) as (wire,):
        await wire.say(b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        assert (await wire.answer())[0] == 401
        assert await wire.closed()


async def test_idle_connection_is_kept(web: WebEnv) -> None:
    async with wired(web, QUICK, 2) as (resting, slow):
        await resting.say(HELLO)
        assert (await resting.answer())[0] == 200
        await slow.say(b"GET")
        assert (await slow.answer())[0] == 408  # the time is over for whoever owes something
        await resting.say(HELLO)
        assert (await resting.answer())[0] == 200


async def test_connections_beyond_the_limit_are_refused_with_the_reason(web: WebEnv) -> None:
    async with wired(web, ReceiveLimits(connections=3), 3) as wires, serving(web):
        for wire in wires:
            await wire.say(HELLO)
            assert (await wire.answer())[0] == 200


async def test_connection_beyond_the_limit_does_not_affect_the_others(web: WebEnv) -> None:
    async with serving(web, ReceiveLimits(connections=2)) as url:
        port = urlsplit(url).port
        kept = [Wire(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(2)]
        for wire in kept:
            await wire.say(HELLO)
            assert (await wire.answer())[0] == 200
        third = Wire(*await asyncio.open_connection("127.0.0.1", port))
        status, body = await third.answer()
        assert (status, body["error"]["code"]) == (503, "too_many_connections")
        await kept[0].say(HELLO)
        assert (await kept[0].answer())[0] == 200
        for wire in (*kept, third):
            wire.close()


@pytest.mark.parametrize(
    "target", [b"/openapi.json", b"/v1/agents/agent://acme/prod/validator/intents/stream?wait_seconds=60"]
)
async def test_client_that_never_reads_is_disconnected_and_others_are_not(web: WebEnv, target: bytes) -> None:
    for _ in range(30):
        await web.send(
            intent_type="intent.without.workflow.v1",
            to_agent="agent://acme/prod/validator",
            payload={"much": "x" * 50_000},
        )
    ask = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + web.keys["agent"].encode() + b"\r\n\r\n"
    async with serving(web, ReceiveLimits(send_seconds=0.5)) as url:
        port = urlsplit(url).port or 0
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", port))
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(deaf, ask * 300)
        (hearing,) = [Wire(*await asyncio.open_connection("127.0.0.1", port))]
        while _sends(deaf):
            await hearing.say(HELLO)
            assert (await hearing.answer())[0] == 200
            await asyncio.sleep(0)
        deaf.close()
        hearing.close()


def _sends(wire: socket.socket) -> bool:
    """Whether the peer still has the connection."""
    try:
        with suppress(BlockingIOError):
            wire.send(b"x")
    except ConnectionError:
        return False
    return True


async def test_client_that_reads_slowly_gets_every_response(web: WebEnv) -> None:
    async with serving(web, ReceiveLimits(send_seconds=0.5)) as url:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", urlsplit(url).port or 0))
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        many = 12
        ask = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        await loop.sock_sendall(slow, ask * many + last)
        got = bytearray()
        while data := await loop.sock_recv(slow, 2048):
            got += data
            await asyncio.sleep(0)
        assert got.count(b"HTTP/1.1 200") == many + 1
        slow.close()


async def test_thousands_of_pipelined_requests_are_answered_in_order_without_delaying_others(
    web: WebEnv,
) -> None:
    """Few requests of one packet are read before other connections have their turn."""
    in_one_turn = most = 0

    def called(frame: FrameType, event: str, _arg: object) -> None:
        nonlocal in_one_turn, most
        if event == "call" and frame.f_code.co_name in ("data_received", "_go_on"):
            in_one_turn = 0
        elif event == "call" and frame.f_code.co_name == "begin":
            in_one_turn += 1
            most = max(most, in_one_turn)

    async with wired(web, many=2) as (flood, other):
        sys.setprofile(called)
        try:
            said = asyncio.create_task(flood.say(HELLO * 3000))
            assert (await flood.answer())[0] == 200
            await other.say(HELLO)
            assert (await other.answer())[0] == 200
            assert [(await flood.answer())[0] for _ in range(2999)] == [200] * 2999
            await said
        finally:
            sys.setprofile(None)
        body = b'{"intent_type": "a.b", "payload": {"a": "%s"}}' % (b"x" * 120_000)
        key = web.keys["ci"].encode()
        head = b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n" % (
            key,
            len(body),
        )
        await flood.say((head + body) * 3 + HELLO)  # whole bodies among them
        assert [(await flood.answer())[0] for _ in range(4)] == [200] * 4
    assert most <= 4096 // len(HELLO) + 1
