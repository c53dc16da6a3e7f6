"""Two servers on one PostgreSQL, one of which is stopped in the middle of its work: the throughput of the other."""

import asyncio
import os
import signal
import time
from typing import Final

from tests.live import Live

from bench.agents import Streaming
from bench.creates import body
from bench.flows import ClosedLoop
from bench.goals import goal
from bench.loop import run
from bench.machine import children
from bench.options import Options
from bench.place import QUEUED, Place
from bench.report import show
from bench.wire import Pool, request

FROZEN: Final = 10.0  # seconds
_BEFORE: Final = 3.0  # seconds
_BUSY: Final = 1.0  # seconds of work of the server that is to be stopped
_CONNECTIONS: Final = 16


def frozen(place: Place, options: Options) -> None:
    """On PostgreSQL only."""
    if place.cluster is None:
        return
    other = place.server()
    other.start()
    before, during = run(_rates(place, other, options.seconds))
    note = f"{before:.0f}/s before, {during:.0f}/s in {FROZEN:.0f} s"
    show(goal("frozen", place.database), [during / before], note=note)


async def _rates(place: Place, other: Live, seconds: float) -> tuple[float, float]:
    """Flows a second of the first server while the other is idle, and while it is stopped."""
    loop = ClosedLoop(place)

    async def rate(seconds: float) -> float:
        begun, before = time.perf_counter(), loop.done
        await asyncio.sleep(seconds)
        return (loop.done - before) / (time.perf_counter() - begun)

    await loop.start(place.live, Streaming)
    before = await rate(max(_BEFORE, seconds))
    pool = await Pool(other.url).open(_CONNECTIONS)
    enough = asyncio.Event()
    _occupy(pool, request("POST", "/v1/intents", place.keys["service"], body(QUEUED)), enough)
    await asyncio.sleep(_BUSY)
    _signal(other, signal.SIGSTOP)
    try:
        during = await rate(FROZEN)
    finally:
        _signal(other, signal.SIGCONT)
    enough.set()
    pool.close()
    await loop.stop()
    return before, during


def _signal(server: Live, what: signal.Signals) -> None:
    assert server.process is not None
    for pid in (server.process.pid, *children(server.process.pid)):
        os.kill(pid, what)


def _occupy(pool: Pool, create: bytes, enough: asyncio.Event) -> None:
    """Keep the server busy with creates, whatever it responds."""

    def again(status: int, answer: bytes) -> None:
        if status and not enough.is_set():
            pool.ask(create, again)

    for _ in pool.wires:
        pool.ask(create, again)
