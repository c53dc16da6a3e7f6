"""Durable creates: 64 connections, each of which sends the next intent when the last one is acknowledged."""

import asyncio
import json
from itertools import count
from typing import Final

from bench.goals import goal
from bench.loop import run
from bench.machine import Usage
from bench.options import Options
from bench.place import QUEUED, Place
from bench.report import show
from bench.wire import Pool, Wire, request

CONNECTIONS: Final = 64
WARM_UP: Final = 0.5
PAYLOAD: Final = {
    "change_type": "database_migration",
    "target": "prod-postgres-main",
    "migration": "add_index_users_email",
    "statements": ["create index concurrently users_email on users (email)"],
    "risk": "low",
    "window": {"from": "2026-03-01T22:00:00Z", "minutes": 30},
}


def body(intent_type: str) -> bytes:
    """The request that creates an intent."""
    return json.dumps({"intent_type": intent_type, "payload": PAYLOAD}, separators=(",", ":")).encode()


class Creators:
    """Connections that create intents until they are stopped."""

    def __init__(self, place: Place, keyed: bool, body: bytes) -> None:
        self._key = place.keys["service"]
        self._numbers = count() if keyed else None
        self._body = body
        self._plain = request("POST", "/v1/intents", self._key, self._body)
        self._stopping = False
        self._busy = 0
        self._quiet = asyncio.Event()
        self.acknowledged = 0
        self.problem = ""

    def begin(self, wire: Wire) -> None:
        self._busy += 1
        self._next(wire)

    def _next(self, wire: Wire) -> None:
        def heard(status: int, answer: bytes) -> None:
            if status == 200:
                self.acknowledged += 1
            else:
                self.problem, self._stopping = f"{status}: {answer[:500]!r}", True
            if not self._stopping:
                self._next(wire)
                return
            self._busy -= 1
            if not self._busy:
                self._quiet.set()

        wire.ask(self._request(), heard)

    def _request(self) -> bytes:
        if self._numbers is None:
            return self._plain
        key = f"bench-{next(self._numbers):012d}-{id(self):x}"
        return request("POST", "/v1/intents", self._key, self._body, idempotency_key=key)

    async def stop(self) -> None:
        self._stopping = True
        await self._quiet.wait()
        if self.problem:
            raise RuntimeError(f"a create was answered {self.problem}")


async def rate(place: Place, keyed: bool, seconds: float) -> tuple[float, Usage]:
    pool = await Pool(place.live.url).open(CONNECTIONS)
    creators = Creators(place, keyed, body(QUEUED))
    for wire in pool.wires:
        creators.begin(wire)
    await asyncio.sleep(WARM_UP)
    before, begun = creators.acknowledged, place.reading()
    await asyncio.sleep(seconds)
    made, ended = creators.acknowledged - before, place.reading()
    await creators.stop()
    pool.close()
    return made / (ended.at - begun.at), Usage.between(begun, ended, made)


def creates(place: Place, options: Options) -> None:
    for name, keyed in (("creates", False), ("creates_keyed", True)):
        runs = [run(rate(place, keyed, options.seconds)) for _ in range(options.repeats)]
        show(goal(name, place.database), [rate for rate, _ in runs], [usage for _, usage in runs])
