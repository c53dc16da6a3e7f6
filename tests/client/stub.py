"""A small HTTP server on loopback with scripted responses that records requests. It produces failures that a real
server cannot produce on demand: cut streams, lost responses.
"""

import json
import socket
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.live import free_port

LIMIT = 60.0  # a guard against hanging


@dataclass
class Asked:
    """A recorded request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    peer: int = 0


@dataclass
class Answer:
    """A scripted response: JSON, raw bytes, a stream of chunks, or a closed connection (``hangs_up``)."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] | None = None
    hangs_up: bool = False


Script = Callable[[Asked], Answer]


class Stub:
    """``on`` queues responses for a path and repeats the last one; ``asked`` has all requests. ``tls``: use HTTPS."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[tuple[str, str], deque[Answer | Script]] = defaultdict(deque)
        self._heard = threading.Condition()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._tls = tls
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def on(self, method: str, path: str, *answers: Answer | Script) -> None:
        self._answers[method, path].extend(answers)

    def start(self) -> None:
        """Listen on the same port as before."""
        self._server = _Server(("127.0.0.1", self.port), self)
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.cut()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def answer(self, asked: Asked) -> Answer:
        with self._heard:
            self.asked.append(asked)
            self._heard.notify_all()
            queue = self._answers.get((asked.method, asked.path))
            if not queue:
                error = {"code": "not_found", "message": "There is nothing here.", "details": {}}
                return Answer({"ok": False, "error": error}, 404)
            answer = queue.popleft() if len(queue) > 1 else queue[0]
        return answer if isinstance(answer, Answer) else answer(asked)

    def seen(self, method: str, path: str) -> list[Asked]:
        with self._heard:
            return [a for a in self.asked if (a.method, a.path) == (method, path)]

    def until(self, method: str, path: str, count: int = 1) -> list[Asked]:
        """Wait until the path was requested ``count`` times."""
        with self._heard:
            there = lambda: [a for a in self.asked if (a.method, a.path) == (method, path)]  # noqa: E731
            assert self._heard.wait_for(lambda: len(there()) >= count, LIMIT), self.asked
            return there()


class _Server(ThreadingHTTPServer):
    # A restart must get its port back at once; http.server allows that.
    daemon_threads = True

    def __init__(self, address: tuple[str, int], stub: Stub) -> None:
        self.stub = stub
        self.open: set[Any] = set()
        super().__init__(address, _Request)

    def get_request(self) -> tuple[socket.socket, Any]:
        request, address = super().get_request()
        self.open.add(request)
        return request, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        for request in list(self.open):
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore connections that a test closed."""


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        target = urlsplit(self.path)
        asked = Asked(
            self.command,
            target.path,
            dict(parse_qsl(target.query)),
            {name.lower(): value for name, value in self.headers.items()},
            json.loads(body) if body else None,
            self.client_address[1],
        )
        answer = self.server.stub.answer(asked)
        if answer.hangs_up:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunks is None:
            self._whole(answer.body)
        else:
            self._stream(answer.chunks)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _whole(self, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, chunks: list[bytes]) -> None:
        """Send each chunk separately; the chunk b"CUT" closes the connection."""
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            if chunk == b"CUT":
                self.close_connection = True
                return
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@contextmanager
def stub_server(tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    stub = Stub(tls)
    try:
        yield stub
    finally:
        stub.stop()


def refused(status: int, code: str, headers: dict[str, str] | None = None, **error: Any) -> Answer:
    """An error response in the API's format."""
    body = {"ok": False, "error": {"code": code, "message": f"No: {code}.", "details": {}, **error}}
    return Answer(body, status, headers or {})


INTENT = "0198c0de-0000-7000-8000-000000000000"


def event(seq: int, status: str, kind: str = "in_progress") -> bytes:
    """One event in the stream's format."""
    data = {"intent_id": INTENT, "seq": seq, "event_type": f"intent.{kind}", "status": status, "at": AT}
    return f"id: {seq}\nevent: intent.{kind}\ndata: {json.dumps(data)}\n\n".encode()


def idle(seq: int) -> bytes:
    """The end of a stream on which nothing happened."""
    return f'event: stream.timeout\ndata: {{"ok": true, "next_seq": {seq + 1}}}\n\n'.encode()


AT = "2026-03-02T09:00:00Z"


def intent(status: str, **more: Any) -> Answer:
    return Answer({"ok": True, "intent": {"intent_id": INTENT, "status": status, "payload": {}, **more}})
