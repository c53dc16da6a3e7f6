"""A server, and clients that use the published AXP client, which knows only its address."""

import http.client
import json
import re
import secrets
import select
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ParamSpec, Self, TypeVar

from axme import AxmeClient, AxmeClientConfig

from tests.live import PATIENCE, Live
from tests.stories.servers import until

P = ParamSpec("P")
T = TypeVar("T")
Json = dict[str, Any]

FRAME = re.compile(r"id: (\d+)\nevent: (\S+)\ndata: (\{.*\})\n\n")
PING = ": \n\n"
LAST_FRAME = re.compile(r"event: stream\.timeout\ndata: (\{.*\})\n\n")


class AxpEnv:
    """One server, its owner, and the clients that the story needs."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self._clients: list[AxmeClient] = []
        self._threads = ThreadPoolExecutor(8)
        self.owner = self.client(live.owner_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        for client in self._clients:
            client.close()

    def client(self, key: str) -> AxmeClient:
        """The published client, configured as its users do: with another address and a key."""
        client = AxmeClient(AxmeClientConfig(base_url=self.live.url, api_key=key, timeout_seconds=PATIENCE))
        self._clients.append(client)
        return client

    def name(self, word: str) -> str:
        """A name unique to this story."""
        return f"{word}-{secrets.token_hex(4)}"

    def service(self) -> AxmeClient:
        """A client whose key may submit and observe."""
        _, made = self.live.call("POST", "/v1/keys", {"service": self.name("initiator")})
        return self.client(made["api_key"])

    def agent(self, name: str) -> AxmeClient:
        """An agent with its own key, registered through AXP."""
        account = self.owner.create_service_account({"name": name})
        made = self.owner.create_service_account_key(account["service_account_id"], {})
        return self.client(made["key"]["token"])

    def meanwhile(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run it in a thread; get the future's result with ``result_of``."""
        return self._threads.submit(work, *args, **kwargs)

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        return self.live.call(method, path, body, key)

    def waiting(self, intent_id: str) -> Json:
        """The intent, once it waits for a person."""
        return until(lambda: self._if(intent_id, "WAITING_FOR_HUMAN"))

    def _if(self, intent_id: str, reason: str) -> Json | None:
        intent: Json = self.owner.get_intent(intent_id)["intent"]
        return intent if intent.get("waiting_reason") == reason else None


def result_of(future: "Future[T]") -> T:
    return future.result(PATIENCE)


def take(agent: AxmeClient, address: str, count: int = 1, since: int = 0) -> list[Json]:
    """The first deliveries on an agent's stream, as ``listen`` yields them."""
    taken: list[Json] = []
    for delivery in agent.listen(address, since=since, wait_seconds=1, timeout_seconds=PATIENCE):
        taken.append(delivery)
        if len(taken) == count:
            break
    return taken


def work(agent: AxmeClient, address: str, result: Json) -> Json:
    """Run one step as the published example agents do; returns the intent that the agent saw."""
    for delivery in agent.listen(address, wait_seconds=1, timeout_seconds=PATIENCE):
        if delivery["status"] in ("DELIVERED", "CREATED", "IN_PROGRESS"):
            seen: Json = agent.get_intent(delivery["intent_id"])["intent"]
            agent.resume_intent(delivery["intent_id"], {"action": "complete", **result})
            return seen
    raise AssertionError("the stream ended")


class Streamed:
    """One stream read to its end: its events, and the cursor at which to continue."""

    def __init__(self, text: str) -> None:
        text = text.replace(PING, "")  # said where nothing else was for a while
        found = list(FRAME.finditer(text))
        last = LAST_FRAME.fullmatch(text, found[-1].end() if found else 0)
        assert last is not None, text
        assert all(match.start() == (found[i - 1].end() if i else 0) for i, match in enumerate(found)), text
        assert all(len(line) < 60_000 for line in text.split("\n"))
        self.events = [json.loads(match[3]) for match in found]
        self.names = [match[2] for match in found]
        self.seqs = [int(match[1]) for match in found]
        self.last: Json = json.loads(last[1])
        assert [event["seq"] for event in self.events] == self.seqs


class Listening:
    """A raw connection to a stream, read as data arrives."""

    def __init__(self, live: Live, path: str, key: str | None = None, client: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=PATIENCE)
        headers = {"x-api-key": key or live.owner_key} | ({"X-Axme-Client": client} if client else {})
        self._connection.request("GET", path, headers=headers)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        assert self._answer.headers["content-type"].startswith("text/event-stream")

    def event(self) -> str:
        """The name of the next event."""
        while not (line := self._answer.readline().decode()).startswith("event: "):
            assert line, "the stream ended"
        while self._answer.readline().strip():
            continue
        return line.removeprefix("event: ").rstrip("\n")

    def goes_on(self) -> bool:
        """Whether the stream is still open."""
        sock = self._connection.sock
        assert sock is not None
        if not select.select([sock], [], [], 0)[0]:
            return True
        said = sock.recv(65536, socket.MSG_PEEK)
        return said != b"" and b"stream.timeout" not in said

    def close(self) -> None:
        self._connection.close()

    def rest(self) -> str:
        """Everything up to the end of the stream; fails if the connection was cut instead."""
        try:
            return self._answer.read().decode()
        finally:
            self._connection.close()


def read_stream(live: Live, path: str, key: str | None = None, client: str = "") -> Streamed:
    return Streamed(Listening(live, path, key, client).rest())


@contextmanager
def sink() -> Iterator["Sink"]:
    """A callback server on loopback that keeps what is posted to it."""
    sink = Sink()
    thread = threading.Thread(target=sink.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield sink
    finally:
        sink.server.shutdown()
        sink.server.server_close()
        thread.join()


class Sink:
    def __init__(self) -> None:
        self.posted: list[tuple[dict[str, str], bytes]] = []
        kept = self.posted

        class Keep(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                kept.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("content-length", "12")
                self.end_headers()
                self.wfile.write(b'{"ack":true}')

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Keep)
        self.url = f"http://127.0.0.1:{self.server.server_port}/intent"
