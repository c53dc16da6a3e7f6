"""The time from nothing to the first response, and a server's memory: alone, and for each idle listener."""

import asyncio
import resource
import time
from typing import Final

from tests.databases import create_database

from bench.creates import body
from bench.goals import goal
from bench.loop import run
from bench.machine import resident
from bench.options import Options
from bench.place import GATE, Place, first_answer
from bench.report import show
from bench.wire import Pool, request

LISTENERS: Final = 2000
_KIB: Final = 1024
_SETTLE: Final = 2.0  # seconds


def start(place: Place, options: Options) -> None:
    """Each repeat is a new process on an empty database, including migrations and the first start."""
    seconds, memory = [], []
    place.live.stop()
    for _ in range(options.repeats):
        if place.cluster is not None:
            run(create_database(place.cluster.url(), "bench"))
        server = place.server()
        seconds.append(first_answer(server))
        time.sleep(_SETTLE)
        memory.append(resident(_pid(server)) / _KIB**2)
        server.stop()
    show(goal("start", place.database), seconds)
    show(goal("memory", place.database), memory)


def listeners(place: Place, options: Options) -> None:
    """The growth of the server's resident memory with LISTENERS streams, each on a separate intent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < LISTENERS + 200:
        raise RuntimeError(
            f"{LISTENERS} listeners need that many open files; the limit is {soft} (ulimit -n {hard})"
        )
    show(goal("listener", place.database), [run(_listener(place))])


async def _listener(place: Place) -> float:
    pool = await Pool(place.live.url).open(16)
    make = request("POST", "/v1/intents", place.keys["service"], body(GATE))
    made = await asyncio.gather(*(pool.call(make) for _ in range(LISTENERS)))
    pid = _pid(place.live)
    await asyncio.sleep(_SETTLE)
    before = resident(pid)
    streams = await Pool(place.live.url).open(LISTENERS)
    heard: set[str] = set()
    for intent in made:
        _listen(streams, place.keys["service"], intent["intent_id"], heard)
    while len(heard) < LISTENERS:
        await asyncio.sleep(0.05)
    await asyncio.sleep(_SETTLE)
    grown = resident(pid) - before
    streams.close()
    pool.close()
    return grown / LISTENERS / _KIB


def _listen(streams: Pool, key: str, intent_id: str, heard: set[str]) -> None:
    path = f"/v1/intents/{intent_id}/events/stream?wait_seconds=60"
    ask = request("GET", path, key, x_axme_client="signoff-bench/1")
    streams.ask(ask, lambda status, _: None, lambda _: heard.add(intent_id))


def _pid(server: object) -> int:
    process = getattr(server, "process", None)
    if process is None:
        raise RuntimeError("the server is not running")
    return int(process.pid)
