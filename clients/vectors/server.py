"""A scripted server for the tests of the clients: it plays the vectors of this folder, and judges what it is sent.

    python server.py [--port N] [--until-eof]

README.md beside this file describes the vectors and how a test uses this server. It listens on loopback only, needs
nothing but the standard library, and prints ``listening on URL``. ``--until-eof``: end when standard input ends, so
that it cannot outlive the test that started it.
"""

import argparse
import json
import re
import select
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

Json = dict[str, Any]
FOLDER: Final = Path(__file__).parent
INTENT: Final = "0198c0de-0000-7000-8000-000000000000"
KEY: Final = "sgn_service_vector_5ecretThatMustNotLeak"
AT: Final = "2026-03-02T09:00:00Z"
LIMIT: Final = 60.0  # a guard against hanging
DELIVERY: Final = {
    "delivery_id": f"{INTENT[:-4]}0003", "intent_id": INTENT, "intent_type": "intent.infra.change_approval.v1",
    "step_id": "check", "attempt": 1, "token": 7, "lease_until": AT, "lease_seconds": 30,
    "payload": {"change": "add_index"}, "input": {"strict": True}, "previous_results": {"plan": {"rows": 3}},
    "result_revisions": {}, "revision": 1, "idempotency_key": "idem-1",
    "requester": {"kind": "person", "id": "per_rita"}, "correlation_id": "c", "created_at": AT,
}  # fmt: skip
_RUN: Final = re.compile(r"/v/(?P<run>[^/]+)/(?P<vector>[^/]+)(?P<path>/.*)")


def vectors(folder: Path = FOLDER) -> dict[str, Json]:
    """All vectors by name."""
    found: dict[str, Json] = {}
    for path in sorted(folder.glob("*.json")):
        for vector in json.loads(path.read_text("utf-8"))["vectors"]:
            if vector["name"] in found:
                raise ValueError(f"two vectors are named {vector['name']}")
            found[vector["name"]] = vector
    return found


class Matcher:
    """Compares what was sent with what a vector expects; remembers the values that it names."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def faults(self, expected: Any, sent: Any, where: str, present: bool = True) -> list[str]:
        """What differs, each with its place; empty if nothing does."""
        if isinstance(expected, dict) and len(expected) == 1 and next(iter(expected)).startswith("$"):
            ((word, operand),) = expected.items()
            why = self._special(word, operand, sent, present)
            return [f"{where}: {why}"] if why else []
        if not present:
            return [f"{where}: expected {expected!r}, is absent"]
        if isinstance(expected, dict) and isinstance(sent, dict):
            found = [
                f"{where}.{name}: unexpected, is {sent[name]!r}" for name in sent if name not in expected
            ]
            for name, wanted in expected.items():
                found += self.faults(wanted, sent.get(name), f"{where}.{name}", name in sent)
            return found
        if isinstance(expected, list) and isinstance(sent, list) and len(expected) == len(sent):
            pairs = enumerate(zip(expected, sent, strict=True))
            return [fault for i, (a, b) in pairs for fault in self.faults(a, b, f"{where}[{i}]")]
        same = expected == sent and isinstance(expected, bool) == isinstance(sent, bool)
        return [] if same else [f"{where}: expected {expected!r}, is {sent!r}"]

    def filled(self, answer: Any) -> Any:
        """An answer with ``{"$same": name}`` replaced by the value with this name."""
        if isinstance(answer, dict):
            if answer.keys() == {"$same"}:
                return self.known.get(answer["$same"])
            return {name: self.filled(item) for name, item in answer.items()}
        return [self.filled(item) for item in answer] if isinstance(answer, list) else answer

    def _special(self, word: str, operand: Any, sent: Any, present: bool) -> str:
        if word == "$absent":
            return "" if not present else f"expected to be absent, is {sent!r}"
        if not present:
            return "is absent"
        if word == "$any":
            return ""
        if word == "$same":
            return "" if self.known.setdefault(operand, sent) == sent else f"differs from the first {operand}"
        if word == "$new":
            used = sent in self.known.values()
            self.known[operand] = sent
            return "was used before" if used else ""
        if word == "$contains":
            return "" if operand in str(sent) else f"expected to contain {operand!r}, is {sent!r}"
        if word == "$pattern":
            return "" if re.fullmatch(operand, str(sent)) else f"expected to match {operand!r}, is {sent!r}"
        raise ValueError(f"no such matcher: {word}")


class Play:
    """One run of one vector: what has come, what has yet to come, and what was wrong."""

    def __init__(self, vector: Json, base: str) -> None:
        self.vector = vector
        self.base = base
        self.matcher = Matcher()
        self.mismatches: list[str] = []
        self.waiting: list[Json] = list(vector.get("exchanges", []))
        self.anytime: list[Json] = list(vector.get("anytime", []))
        self.came: list[str] = []
        self.requests = 0
        self.held = 0
        self.changed = threading.Condition()
        self._answered = 0.0

    def take(self, request: Json) -> Json:
        """The exchange that this request belongs to; what is wrong with it is recorded."""
        with self.changed:
            self.requests += 1
            chosen = self._chosen(request)
            if chosen is None:
                wanted = [f"{e['expect']['method']} {e['expect']['path']}" for e in self.waiting[:1]]
                self.mismatches.append(
                    f"unexpected {request['method']} {request['path']}, waiting for {wanted or 'nothing more'}"
                )
                self.changed.notify_all()
                return {"answer": _UNEXPECTED}
            if (pause := chosen.get("not_before")) and time.monotonic() - self._answered < pause - 0.02:
                self.mismatches.append(
                    f"{_shown(request)} came before the {pause} s that the server asked for"
                )
            self._check(chosen["expect"], request)
            if "id" in chosen:
                self.came.append(chosen["id"])
            self._answered = time.monotonic()
            self.changed.notify_all()
            return chosen

    def _chosen(self, request: Json) -> Json | None:
        group = self.waiting[0].get("group") if self.waiting else None
        for place, exchange in enumerate(self.waiting):
            if place and (group is None or exchange.get("group") != group):
                break
            if self._is_for(exchange, request):
                return self.waiting.pop(place)
        return next((e for e in self.anytime if self._is_for(e, request)), None)

    def _is_for(self, exchange: Json, request: Json) -> bool:
        expect = exchange["expect"]
        return bool((expect["method"], expect["path"]) == (request["method"], request["path"]))

    def _check(self, expect: Json, request: Json) -> None:
        headers = {"idempotency-key": {"$absent": True}, "x-api-key": KEY, **expect.get("headers", {})}
        if "body" in expect:
            headers.setdefault("content-type", {"$pattern": r"application/json(; charset=utf-8)?"})
        found = []
        for name, wanted in headers.items():
            found += self.matcher.faults(
                wanted, request["headers"].get(name), f"header {name}", name in request["headers"]
            )
        found += self.matcher.faults(expect.get("query", {}), request["query"], "query")
        if "body" in expect:
            found += self.matcher.faults(expect["body"], request["body"], "body")
        elif request["body"] is not None:
            found.append(f"body: expected none, is {request['body']!r}")
        if "user-agent" not in request["headers"]:
            found.append("header user-agent: is absent")
        self.mismatches += [f"{_shown(request)}: {fault}" for fault in found]

    def wait(self, name: str) -> bool:
        """Wait until an exchange of this id came; for ``*``: until all did."""
        with self.changed:
            return self.changed.wait_for(
                lambda: bool(self.mismatches) or (not self.waiting if name == "*" else name in self.came),
                LIMIT,
            )

    def verdict(self) -> Json:
        with self.changed:
            if not self.changed.wait_for(lambda: self.held == 0, 5):
                self.mismatches.append("the client did not close its stream")
            missing = [f"{e['expect']['method']} {e['expect']['path']} did not come" for e in self.waiting]
            found = [*self.mismatches, *missing]
            return {"ok": not found, "mismatches": found, "requests": self.requests}


def _shown(request: Json) -> str:
    return f"{request['method']} {request['path']}"


_UNEXPECTED: Final = {
    "status": 418,
    "body": {
        "ok": False,
        "error": {"code": "unexpected_request", "message": "The vector has no such request."},
    },
}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int = 0, folder: Path = FOLDER) -> None:
        super().__init__(("127.0.0.1", port), _Request)
        self.vectors = vectors(folder)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._plays: dict[tuple[str, str], Play] = {}
        self._lock = threading.Lock()
        # Bound and not listening: whoever connects is refused, and nobody else gets the port.
        self._closed = socket.socket()
        self._closed.bind(("127.0.0.1", 0))
        self.closed_url = f"http://127.0.0.1:{self._closed.getsockname()[1]}"

    def play(self, run: str, name: str) -> Play:
        with self._lock:
            if (run, name) not in self._plays:
                self._plays[run, name] = Play(self.vectors[name], f"{self.url}/v/{run}/{name}")
            return self._plays[run, name]

    def server_close(self) -> None:
        self._closed.close()
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that ends its connections is no news."""


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        target = urlsplit(self.path)
        match = _RUN.fullmatch(target.path)
        if match is None or match["vector"] not in self.server.vectors:
            listed = {
                "vectors": list(self.server.vectors.values()),
                "intent_id": INTENT,
                "api_key": KEY,
                "closed_url": self.server.closed_url,
            }
            self._json(200, listed) if target.path == "/_vectors" else self._json(404, {"ok": False})
            return
        play = self.server.play(match["run"], match["vector"])
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        if match["path"] == "/_verdict":
            self._json(200, play.verdict())
        elif match["path"] == "/_wait":
            self._json(200, {"ok": play.wait(query.get("for", "*"))})
        else:
            self._play(
                play, unquote(match["path"]) if "%2F" not in match["path"] else match["path"], query, content
            )

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _play(self, play: Play, path: str, query: dict[str, str], content: bytes) -> None:
        prefix = play.vector.get("client", {}).get("base_path", "").rstrip("/")
        try:
            body = json.loads(content) if content else None
        except ValueError:
            body = content.decode("utf-8", "replace")
        request = {
            "method": self.command,
            "path": path.removeprefix(prefix) if path.startswith(prefix + "/") else path,
            "query": query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body,
        }
        answer = play.take(request)["answer"]
        if "cut" in answer:
            self.close_connection = True
            if answer["cut"] == "in_body":
                self._head(200, {"content-type": "application/json", "content-length": "4096"})
                self.wfile.write(b'{"ok": true, "intent_id": ')
            self.connection.shutdown(socket.SHUT_RDWR)
        elif "stream" in answer:
            self._stream(play, answer)
        else:
            time.sleep(answer.get("delay", 0))
            if hold := answer.get("hold"):
                self._hold(play, "*" if hold is True else hold)
            self._answer(play, answer, request)

    def _answer(self, play: Play, answer: Json, request: Json) -> None:
        headers = {
            name: value.replace("{base}", play.base).replace("{key}", KEY)
            for name, value in answer.get("headers", {}).items()
        }
        if "x-client-request-id" in request["headers"]:
            headers.setdefault("x-client-request-id", request["headers"]["x-client-request-id"])
        if "raw" in answer:
            content = answer["raw"].replace("{key}", KEY).encode()
        else:
            body = _claimed(answer) if "deliveries" in answer else answer.get("body", {"ok": True})
            content = json.dumps(play.matcher.filled(body)).replace("{key}", KEY).encode()
            headers.setdefault("content-type", "application/json")
        self._head(answer.get("status", 200), headers | {"content-length": str(len(content))})
        self.wfile.write(content)

    def _hold(self, play: Play, name: str) -> None:
        """Wait for an exchange, as long as the client does."""
        with play.changed:
            while not (bool(play.mismatches) or (not play.waiting if name == "*" else name in play.came)):
                play.changed.wait(0.05)
                if self._gone():
                    self.close_connection = True
                    return

    def _gone(self) -> bool:
        try:
            readable = select.select([self.connection], [], [], 0)[0]
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _stream(self, play: Play, answer: Json) -> None:
        self._head(200, {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"})
        for part in answer["stream"]:
            chunk = _chunk(part)
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.flush()
        end = answer.get("end", "close")
        if end == "close":
            self.wfile.write(b"0\r\n\r\n")
            return
        self.close_connection = True
        if end == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        with play.changed:
            play.held += 1
            while not self._gone():  # the client has to end it
                play.changed.wait(0.05)
            play.held -= 1
            play.changed.notify_all()

    def _json(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self._head(status, {"content-type": "application/json", "content-length": str(len(content))})
        self.wfile.write(content)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


def _chunk(part: str | Json) -> bytes:
    """Bytes of a stream: text as it is, bytes in hexadecimal, or a whole event."""
    if isinstance(part, str):
        return part.encode()
    if "hex" in part:
        return bytes.fromhex(part["hex"])
    event = {"intent_id": INTENT, "at": AT, **part["event"]}
    return f"id: {event.get('seq')}\nevent: {event['event_type']}\ndata: {json.dumps(event)}\n\n".encode()


def _claimed(answer: Json) -> Json:
    """The response to a claim, of deliveries that say only what is particular about them."""
    intents = [f"{one['delivery_id'][:-4]}0000" for one in answer["deliveries"]]
    return {
        "ok": True,
        "deliveries": [
            {**DELIVERY, "intent_id": intent, **one}
            for intent, one in zip(intents, answer["deliveries"], strict=True)
        ],
        "agent": "agent://local/default/validator",
        "max_report_bytes": answer.get("max_report_bytes", 131072),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    options = parser.parse_args()
    server = Server(options.port)
    print(f"listening on {server.url}", flush=True)
    if options.until_eof:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        sys.stdin.read()
    else:
        server.serve_forever()


if __name__ == "__main__":
    main()
