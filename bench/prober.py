"""A separate client that requests /health again and again and records the durations, in a process of its own so that
it does not wait for the load. ``python -m bench.prober PORT`` ends at SIGTERM.
"""

import asyncio
import http.client
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from bench.report import percentile

_ROOT: Final = Path(__file__).parents[1]
_PAUSE: Final = 0.001  # seconds between two questions


class Waits(NamedTuple):
    """Milliseconds until /health responded."""

    p50: float
    p99: float
    longest: float


class Prober:
    """``waits`` is set at the end of the block."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.waits = Waits(0, 0, 0)


@asynccontextmanager
async def probing(port: int) -> AsyncIterator[Prober]:
    """Send requests during the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.prober", str(port), stdout=asyncio.subprocess.PIPE, cwd=_ROOT
    )
    assert process.stdout is not None
    found = Prober(process.pid)
    await process.stdout.readline()  # it is connected
    said = b""
    try:
        yield found
    finally:
        process.terminate()
        said = await process.stdout.read()
        await process.wait()
    found.waits = Waits(*json.loads(said))


def _main() -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    bench = os.getppid()
    took: list[float] = []
    _ask(connection)
    print("connected", flush=True)
    while not took or (not ended and os.getppid() == bench):
        time.sleep(_PAUSE)
        took.append(_ask(connection))
    print(json.dumps([percentile(took, 0.5), percentile(took, 0.99), max(took)]))


def _ask(connection: http.client.HTTPConnection) -> float:
    begun = time.perf_counter()
    connection.request("GET", "/health")
    connection.getresponse().read()
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    _main()
