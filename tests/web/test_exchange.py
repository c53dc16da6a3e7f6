"""Requests as bytes through sockets: our protocol accepts and frames them as uvicorn's does, and never reads more as
one request than h11.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import h11
import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from signoff.web.http.connection_limits import ReceiveLimits
from signoff.web.http.exchange import RESPONSE
from signoff.web.http.protocol import LimitedProtocol
from tests.web.web_env import WebEnv

HOST = b"Host: x\r\n"
GET = b"GET /health HTTP/1.1\r\n" + HOST
POST = b"POST /v1/intents HTTP/1.1\r\n" + HOST
NEXT = GET + b"\r\n"

# Every case is sent with a whole request behind it: one that swallows it, or takes a part of itself for another, shows.
CASES = {
    "get": GET + b"\r\n",
    "head": b"HEAD /health HTTP/1.1\r\n" + HOST + b"\r\n",
    "head of nothing": b"HEAD /nothing HTTP/1.1\r\n" + HOST + b"\r\n",
    "http 1.0": b"GET /health HTTP/1.0\r\n\r\n",
    "http 1.0 keep-alive": b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "close": GET + b"Connection: close\r\n\r\n",
    "close among others": GET + b"Connection: keep-alive, close\r\n\r\n",
    "upgrade": GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "h2c": GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    "unknown method": b"BREW /health HTTP/1.1\r\n" + HOST + b"\r\n",
    "wrong method": b"PUT /v1/intents HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n",
    "body": POST + b"Content-Length: 2\r\n\r\n{}",
    "body with get": GET + b"Content-Length: 5\r\n\r\nhello",
    "request in a body": POST + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT,
    "two equal lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}",
    "list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -1\r\n\r\n{}",
    "hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "endless length": POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}",
    "chunked": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunk extension": POST + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
    "trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
    "request in a chunk": POST
    + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(NEXT)
    + NEXT
    + b"\r\n0\r\n\r\n",
    "length and chunked": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two lines": POST + b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked is not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked with a tab": POST + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
    "chunked with a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked by a similar name": POST + b"Transfer_Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    "signed chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n",
    "hexadecimal chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "huge chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n",
    "chunk that is too long": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "chunk with a bare line feed": POST + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    "space before the colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "folded header": GET + b"X: a\r\n b\r\n\r\n",
    "header without a name": GET + b": a\r\n\r\n",
    "header without a colon": GET + b"X\r\n\r\n",
    "nul in a header": GET + b"X: a\x00b\r\n\r\n",
    "bare carriage return": GET + b"X: a\rY: b\r\n\r\n",
    "bare line feeds": b"GET /health HTTP/1.1\nHost: x\n\n",
    "space in the target": b"GET /hea lth HTTP/1.1\r\n" + HOST + b"\r\n",
    "absolute target": b"GET http://y/health HTTP/1.1\r\n" + HOST + b"\r\n",
    "target is a star": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "connect": b"CONNECT x:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "escapes in the target": b"GET /%68ealth?a=%0d%0ab HTTP/1.1\r\n" + HOST + b"\r\n",
    "no target": b"GET HTTP/1.1\r\n" + HOST + b"\r\n",
    "http 0.9": b"GET /health\r\n",
    "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http 1.2": b"GET /health HTTP/1.2\r\n" + HOST + b"\r\n",
    "lines before": b"\r\n\r\n" + GET + b"\r\n",
    "expect": POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "expect something": POST + b"Expect: the-worst\r\nContent-Length: 2\r\n\r\n{}",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "line end in a request id": GET + b"X-Request-Id: a\tb\r\n\r\n",
}


class Receiver:
    """A transport in memory that collects what is written until it is closed."""

    def __init__(self) -> None:
        self.said = bytearray()
        self.writes = 0
        self.closed = self.ended = False

    def write(self, data: bytes) -> None:
        self.said += data
        self.writes += 1

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default


class Served:
    """The application behind one of the protocols, one connection at a time."""

    def __init__(self, web: WebEnv, ours: bool) -> None:
        self._config = uvicorn.Config(web.app, log_config=None, access_log=False, lifespan="off", ws="none")
        self._config.load()
        self._ours = ours
        self._state = ServerState()

    def connect(self) -> tuple[HttpToolsProtocol, Receiver]:
        receiver = Receiver()
        more = {"config": self._config, "server_state": self._state, "app_state": {}}
        made = (
            LimitedProtocol(limits=ReceiveLimits(), **more) if self._ours else HttpToolsProtocol(**more)  # type: ignore[arg-type]
        )
        made.connection_made(receiver)  # type: ignore[arg-type]
        return made, receiver

    async def answers(self, data: bytes, parts: list[int]) -> tuple[list[bytes], bool]:
        """The responses to these bytes, sent in pieces cut at these positions, and whether the
        connection was closed.
        """
        protocol, receiver = self.connect()
        for begin, end in zip([0, *parts], [*parts, len(data)], strict=True):
            if not receiver.closed:
                protocol.data_received(data[begin:end])
                await self._settled()
        was_closed = receiver.closed or receiver.ended
        protocol.connection_lost(None)
        await self._settled()
        return list(split(bytes(receiver.said))), was_closed

    async def _settled(self) -> None:
        for _ in range(3):  # a write, and the next request of a pipeline, wait for the next turn
            await asyncio.sleep(0)
        while self._state.tasks:
            busy = set(self._state.tasks)
            await asyncio.wait(busy, timeout=0.02)
            if busy <= self._state.tasks:
                return  # a request whose body has not come
            await asyncio.sleep(0)


_VARIES = re.compile(rb"x-request-id: [0-9a-f]{32}\r\n|[0-9a-f]{32}")


def split(said: bytes) -> Iterator[bytes]:
    """The separate responses without headers that vary; header lines sorted by name."""
    while said:
        head, _, rest = said.partition(b"\r\n\r\n")
        first, *lines = _VARIES.sub(b"", head + b"\r\n").lower().split(b"\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        size = int(length[1]) if length else 0
        if rest[:5] == b"HTTP/":  # to HEAD: a length, but no body
            size = 0
        yield b"\r\n".join([first, *sorted(lines), _VARIES.sub(b"", rest[:size])])
        said = rest[size:]


def statuses(answers: list[bytes]) -> list[int]:
    return [int(one[9:12]) for one in answers]


def understood(data: bytes) -> int:
    """The number of requests that h11 reads from these bytes before it refuses one."""
    wire = h11.Connection(h11.SERVER)
    wire.receive_data(data)
    found = 0
    try:
        while True:
            event = wire.next_event()
            if event is h11.NEED_DATA:
                return found
            if isinstance(event, h11.EndOfMessage):
                found += 1
            if event is h11.PAUSED:
                wire.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                wire.send(h11.EndOfMessage())
                if wire.states[h11.SERVER] is h11.MUST_CLOSE:
                    return found
                wire.start_next_cycle()
    except h11.RemoteProtocolError:
        return found


@asynccontextmanager
async def both(web: WebEnv) -> AsyncIterator[tuple[Served, Served]]:
    yield Served(web, True), Served(web, False)


async def compare(ours: Served, theirs: Served, data: bytes, parts: list[int]) -> list[bytes]:
    """Assert that ours responds like uvicorn up to the first request that either refuses. There, ours gives the reason
    in our format, or nothing if the request was answered before its body turned out to be invalid.
    """
    mine, closed = await ours.answers(data, parts)
    other, other_closed = await theirs.answers(data, parts)
    same = 0
    while same < min(len(mine), len(other)) and mine[same] == other[same]:
        same += 1
    if mine[same:]:
        assert len(mine) == same + 1, (data, mine, other)
        assert statuses(mine[same:])[0] in (400, 431), (data, mine, other)
        assert closed, data
    elif other[same:]:
        assert any(_PLAIN in one for one in other[same:]), (data, mine, other)
        assert closed, data
        assert other_closed, data
    else:
        assert closed == other_closed, (data, mine)
    return mine


_PLAIN = b"Invalid HTTP request received."


@pytest.mark.parametrize("name", CASES)
async def test_requests_are_framed_as_by_uvicorn(web: WebEnv, name: str) -> None:
    async with both(web) as (ours, theirs):
        data = CASES[name] + NEXT
        whole = await compare(ours, theirs, data, [])
        await compare(ours, theirs, data, list(range(1, len(data))))
        if name not in _NOT_IN_H11:
            assert len([status for status in statuses(whole) if status not in (100, 400)]) <= understood(data)


# It refuses a transfer coding before the last, and empty lines before a request, which RFC 9112 allows; it has no
# further requests after CONNECT.
_NOT_IN_H11 = ("chunked in two lines", "lines before", "connect")


async def test_mutated_requests_are_framed_as_by_uvicorn(web: WebEnv) -> None:
    chance = random.Random(8)
    seeds = list(CASES.values())
    pieces = [
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"0",
        b"\x00",
        b"\xff",
        b"chunked",
        HOST,
        b"Content-Length: 3\r\n",
    ]
    async with both(web) as (ours, theirs):
        for _ in range(1500):
            data = bytearray(chance.choice(seeds) + chance.choice(seeds))
            for _ in range(chance.randint(1, 3)):
                at = chance.randrange(len(data))
                match chance.randrange(3):
                    case 0:
                        del data[at : at + chance.randint(1, 6)]
                    case 1:
                        data[at:at] = chance.choice(pieces)
                    case _:
                        data[at : at + 1] = chance.choice(pieces)
            parts = sorted(chance.sample(range(1, len(data)), k=min(chance.randint(0, 3), len(data) - 1)))
            await compare(ours, theirs, bytes(data), parts)


async def test_response_is_one_message_and_one_write(web: WebEnv) -> None:
    messages: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def noted(message: Any) -> None:
            messages.append(message["type"])
            await send(message)

        await web.app(scope, receive, noted)

    ours = Served(web, True)
    protocol, receiver = ours.connect()
    protocol.app = app
    for count in (1, 2):
        protocol.data_received(NEXT)
        await ours._settled()
        assert (receiver.writes, messages) == (count, [RESPONSE] * count)
    protocol.connection_lost(None)


async def test_one_timer_serves_all_pauses_of_a_connection(web: WebEnv) -> None:
    """It is started once and ends with the connection."""
    ours = Served(web, True)
    protocol, receiver = ours.connect()
    timers = set()
    for _ in range(3):
        protocol.data_received(NEXT)
        await ours._settled()
        timers.add(protocol.timeout_keep_alive_task)
    (timer,) = timers
    assert timer is not None
    assert not timer.cancelled()
    protocol.timeout_keep_alive_handler()  # early: the last pause has just begun
    assert not receiver.is_closing()
    protocol.timeout_keep_alive = 0
    protocol.timeout_keep_alive_handler()
    assert receiver.is_closing()
    timer.cancel()
    protocol.connection_lost(None)
    assert protocol.timeout_keep_alive_task is None
