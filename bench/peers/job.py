"""The common part of every peer's process: starts the peer, keeps flows running, reports results on stdout. It runs
with the peer's interpreter and so imports only the standard library, uvloop, and modules of ours that need no more.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.loop import run
from bench.machine import Reading, Usage, children, cpu_seconds

_GRACE: Final = 3.0  # seconds for a process to end once it was asked to
_PATIENCE: Final = 45.0  # seconds for a server to answer; the bench itself gives up a little later


class Asked(NamedTuple):
    """The benchmark's request to a peer. ``database``: an empty one; ``postmaster``: its server's process."""

    folder: str
    database: str
    postmaster: int
    in_flight: int
    warm_up: float
    seconds: float
    repeats: int
    payload: dict[str, Any]
    result: dict[str, Any]


class Up(NamedTuple):
    """A peer that is ready. ``flow``: runs one flow with this name, RuntimeError unless it ends approved. ``servers``:
    processes of the peer itself; ``workers``: processes that run user code with its SDK, like this one.
    """

    flow: Callable[[str], Awaitable[None]]
    versions: str
    durability: str
    tuned: str
    servers: Sequence[int] = ()
    workers: Sequence[int] = ()


Peer = Callable[[Asked], AbstractAsyncContextManager[Up]]
Say = Callable[..., None]


def main(peer: Peer) -> None:
    """The life of a peer's process; stdout belongs to the benchmark, whatever the peer's libraries print."""
    with os.fdopen(os.dup(1), "w", buffering=1) as out:
        os.dup2(2, 1)

        def say(what: str, **more: object) -> None:
            out.write(json.dumps({"said": what, **more}) + "\n")

        threading.Thread(target=_follow_the_bench, daemon=True).start()
        try:
            run(_life(peer, Asked(**json.loads(sys.argv[1])), say))
        except (KeyboardInterrupt, asyncio.CancelledError):
            say("failed", reason="it was stopped")
        except BaseException as error:
            say("failed", reason=f"{type(error).__name__}: {error}"[:1000])
            traceback.print_exc()
        finally:
            out.flush()
            sys.stderr.flush()
            # Threads of a library that are still waiting for something must not keep a finished process.
            os._exit(0)


def _follow_the_bench() -> None:
    """Exit when the benchmark has ended, however it ended: stdin is then closed."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


async def _life(peer: Peer, asked: Asked, say: Say) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with peer(asked) as up:
        say("up", versions=up.versions, durability=up.durability, tuned=up.tuned)
        async for flows, seconds, usage in _repeats(asked, up):
            say("repeat", flows=flows, seconds=seconds, usage=usage)
        say("done")


async def _repeats(asked: Asked, up: Up) -> AsyncIterator[tuple[int, float, Usage]]:
    """The closed loop: the end of a flow starts the next, through all repeats without a pause."""
    done = 0

    async def one_after_the_other(lane: int) -> None:
        nonlocal done
        turn = 0
        while True:
            await up.flow(f"flow-{lane}-{turn}")
            done += 1
            turn += 1

    lanes = [asyncio.create_task(one_after_the_other(lane)) for lane in range(asked.in_flight)]
    try:
        await _unless_broken(lanes, asked.warm_up)
        for _ in range(asked.repeats):
            before, begun = done, _reading(asked, up)
            await _unless_broken(lanes, asked.seconds)
            flows, ended = done - before, _reading(asked, up)
            yield flows, ended.at - begun.at, Usage.between(begun, ended, flows)
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)


async def _unless_broken(lanes: list[asyncio.Task[None]], seconds: float) -> None:
    broken, _ = await asyncio.wait(lanes, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for lane in broken:
        lane.result()


def _reading(asked: Asked, up: Up) -> Reading:
    database = [asked.postmaster, *children(asked.postmaster)] if asked.postmaster else []
    found = Reading.now(list(up.servers), database)
    return found._replace(load=found.load + cpu_seconds(list(up.workers)))


def versions(*packages: str) -> str:
    """Each package with its installed version."""
    return ", ".join(f"{package} {version(package)}" for package in packages)


def approved(result: object, wanted: dict[str, Any]) -> None:
    """Raise RuntimeError unless the result is that of the flow's last step."""
    if result != {**wanted, "outcome": "approved", "applied": True}:
        raise RuntimeError(f"a flow ended with {result!r}"[:500])


def postgres_syncs(url: str) -> str:
    """The durability of a commit, as a session of the peer's database reports it, with the peer's driver."""
    psycopg = import_module("psycopg")
    with psycopg.connect(url) as connection:
        said = {
            name: connection.execute(f"show {name}").fetchone() for name in ("fsync", "synchronous_commit")
        }
    return ", ".join(f"{name}={row[0] if row else '?'}" for name, row in said.items())


@contextmanager
def process(
    folder: str,
    name: str,
    command: Sequence[object],
    environment: dict[str, str] | None = None,
    pass_fds: tuple[int, ...] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the peer that logs to ``name``.log; stopped by its pid afterwards, and waited for."""
    with (Path(folder) / f"{name}.log").open("ab") as log:
        started = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=os.environ | (environment or {}),
            pass_fds=pass_fds,
        )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(_GRACE)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(_GRACE)


async def answers(url: str, started: subprocess.Popen[bytes], folder: str, name: str) -> None:
    """Return once ``url`` responds with 200; RuntimeError with the end of the log if it never does."""
    give_up = time.monotonic() + _PATIENCE
    while time.monotonic() < give_up and started.poll() is None:
        with suppress(OSError):
            await asyncio.to_thread(_get, url)
            return
        await asyncio.sleep(0.05)
    log = (Path(folder) / f"{name}.log").read_text(errors="replace")
    raise RuntimeError(f"{name} did not start: {log[-600:]}")


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=2) as answer:
        return bytes(answer.read())
