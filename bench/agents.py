"""The agent of a flow: it receives every delivery, by stream or by claim, and reports at once."""

import asyncio
import json
from typing import Any, Final, Protocol
from urllib.parse import quote

from bench.place import AGENT
from bench.wire import Pool, Wire, request

RESULT: Final = {"valid": True, "checks": ["syntax", "locks", "size"], "estimated_seconds": 42}
_ID: Final = b'"intent_id":"'
_REPEATED: Final = (
    b'"code":"step_finished"'  # delivered at least once: a server that is late may deliver it again
)
_IDS: Final = 36  # characters of an id


class Problems:
    """The first error on any connection."""

    def __init__(self) -> None:
        self.first = ""

    def note(self, what: str, status: int, body: bytes) -> None:
        self.first = self.first or f"{what} was answered {status}: {body[:500]!r}"


class Worker(Protocol):
    """An agent that works until it is closed."""

    def start(self) -> None: ...
    def close(self) -> None: ...


class Streaming:
    """AXP: follows the agent's event stream and resumes each intent with the result."""

    def __init__(self, wire: Wire, pool: Pool, key: str, problems: Problems) -> None:
        self._wire = wire
        self._pool = pool
        self._key = key
        self._problems = problems
        self._body = json.dumps({"action": "complete", **RESULT}).encode()
        self._since = 0
        self._buffer = b""

    def start(self) -> None:
        path = f"/v1/agents/{AGENT}/intents/stream?since={self._since}&wait_seconds=60"
        self._wire.ask(request("GET", path, self._key), self._ended, self._told)

    def close(self) -> None:
        self._wire.close()

    def _ended(self, status: int, body: bytes) -> None:
        if status == 200:
            self.start()
        else:
            self._problems.note("the agent's stream", status, body)

    def _told(self, chunk: bytes) -> None:
        *frames, self._buffer = (self._buffer + chunk).split(b"\n\n")
        for frame in frames:
            at = frame.find(_ID)
            if at < 0:
                continue
            self._since = int(frame[4 : frame.index(b"\n")])
            begins = at + len(_ID)
            self._resume(frame[begins : begins + _IDS].decode())

    def _resume(self, intent_id: str) -> None:
        def heard(status: int, body: bytes) -> None:
            if status != 200 and _REPEATED not in body:
                self._problems.note("a resume", status, body)

        self._pool.ask(request("POST", f"/v1/intents/{intent_id}/resume", self._key, self._body), heard)


class Claiming:
    """Signoff's own API: claims as many deliveries as it has room for, and reports each."""

    ROOM: Final = 64

    def __init__(self, wire: Wire, pool: Pool, key: str, problems: Problems) -> None:
        self._wire = wire
        self._pool = pool
        self._key = key
        self._problems = problems
        self._held = 0
        self._asking = False
        self._path = f"/v1/agents/{quote(AGENT, safe='')}/deliveries/claim"

    def start(self) -> None:
        if self._asking or self._held >= self.ROOM:
            return
        self._asking = True
        wish = {"limit": self.ROOM - self._held, "lease_seconds": 30, "wait_seconds": 30, "holder": "bench"}
        self._wire.ask(request("POST", self._path, self._key, json.dumps(wish).encode()), self._taken)

    def close(self) -> None:
        self._wire.close()

    def _taken(self, status: int, body: bytes) -> None:
        self._asking = False
        if status != 200:
            self._problems.note("a claim", status, body)
            return
        for delivery in json.loads(body)["deliveries"]:
            self._held += 1
            self._report(delivery)
        self.start()

    def _report(self, delivery: dict[str, Any]) -> None:
        def heard(status: int, body: bytes) -> None:
            self._held -= 1
            if status != 200:
                self._problems.note("a report", status, body)
            self.start()

        said = json.dumps({"token": delivery["token"], "result": RESULT}).encode()
        path = f"/v1/deliveries/{delivery['delivery_id']}/report"
        self._pool.ask(request("POST", path, self._key, said), heard)


async def worker(kind: type[Streaming] | type[Claiming], pool: Pool, key: str, problems: Problems) -> Worker:
    """Run an agent on the pool's server; its stream or long poll has a separate connection."""
    wire = (await Pool(pool.url).open(1)).wires[0]
    made: Worker = kind(wire, pool, key, problems)
    made.start()
    await asyncio.sleep(0)
    return made
