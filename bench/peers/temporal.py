"""Temporal's dev server: one process with SQLite, made for development; worker, starter and
person in another process.
"""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.live import free_port

from bench.peers.job import Asked, Up, approved, main, process, versions

_QUEUE: Final = "bench"
_PATIENCE: Final = 45.0
_FAST: Final = 1_000_000
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536")
# One partition for one worker, and rate limits that this load would meet.
_DYNAMIC: Final = {
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    "frontend.rps": _FAST,
    "frontend.namespaceRPS": _FAST,
    "frontend.namespaceCount": _FAST,
    "history.rps": _FAST,
    "matching.rps": _FAST,
    "history.persistenceMaxQPS": _FAST,
    "matching.persistenceMaxQPS": _FAST,
    "frontend.persistenceMaxQPS": _FAST,
}
_TUNED: Final = (
    "WAL with synchronous=FULL instead of a rollback journal, 64 MiB page cache, one task-queue partition, rate"
    " limits raised; local activities, worker in the starter's process with eager start, no sandbox, uvloop"
)
waiting: dict[str, asyncio.Event] = {}  # whose first step has run
result: dict[str, Any] = {}


@activity.defn
async def validate(flow: str, payload: dict[str, Any]) -> dict[str, Any]:
    waiting[flow].set()
    return result


@activity.defn
async def apply(flow: str) -> bool:
    return True


@workflow.defn
class Approval:
    def __init__(self) -> None:
        self._outcome = ""

    @workflow.signal
    def decide(self, outcome: str) -> None:
        self._outcome = outcome

    @workflow.run
    async def run(self, flow: str, payload: dict[str, Any]) -> dict[str, Any]:
        limit = timedelta(seconds=30)
        said = await workflow.execute_local_activity(
            validate, args=[flow, payload], start_to_close_timeout=limit
        )
        await workflow.wait_condition(lambda: bool(self._outcome))
        applied = await workflow.execute_local_activity(apply, flow, start_to_close_timeout=limit)
        return {**said, "outcome": self._outcome, "applied": applied}


@asynccontextmanager
async def peer(asked: Asked) -> AsyncIterator[Up]:
    result.update(asked.result)
    binary = Path(sys.prefix) / "bin" / "temporal"
    file, port = Path(asked.folder) / "temporal.db", free_port()
    command: list[object] = [binary, "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", port]
    command += ["--db-filename", file, "--log-level", "error"]
    command += [part for pragma in _PRAGMAS for part in ("--sqlite-pragma", pragma)]
    command += [
        part for name, value in _DYNAMIC.items() for part in ("--dynamic-config-value", f"{name}={value}")
    ]
    with process(asked.folder, "temporal", command) as server:
        client = await _connected(port, server, asked.folder)
        worker = Worker(
            client,
            task_queue=_QUEUE,
            workflows=[Approval],
            activities=[validate, apply],
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_cached_workflows=20_000,
            max_concurrent_workflow_tasks=500,
            max_concurrent_local_activities=500,
        )
        async with worker:

            async def flow(name: str) -> None:
                waiting[name] = asyncio.Event()
                handle = await client.start_workflow(
                    Approval.run,
                    args=[name, asked.payload],
                    id=name,
                    task_queue=_QUEUE,
                    request_eager_start=True,
                )
                await waiting[name].wait()
                await handle.signal(Approval.decide, "approved")
                approved(await handle.result(), asked.result)
                del waiting[name]

            yield Up(
                flow=flow,
                versions=f"{_said(binary)}, {versions('temporalio', 'uvloop')}",
                durability=_durability(file),
                tuned=_TUNED,
                servers=[server.pid],
            )


async def _connected(port: int, server: subprocess.Popen[bytes], folder: str) -> Client:
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _PATIENCE
    while loop.time() < give_up and server.poll() is None:
        try:
            return await Client.connect(f"127.0.0.1:{port}")
        except RuntimeError:  # the SDK's word for: nobody listens there yet
            await asyncio.sleep(0.1)
    raise RuntimeError("the dev server did not start: " + (Path(folder) / "temporal.log").read_text()[-600:])


def _durability(file: Path) -> str:
    """The journal mode from the file; ``synchronous`` is a setting of the server's connection and cannot be read."""
    with sqlite3.connect(file) as connection:
        journal = connection.execute("pragma journal_mode").fetchone()[0]
    connection.close()
    return f"SQLite journal_mode={journal} (read back), {_PRAGMAS[1]} (as given)"


def _said(binary: Path) -> str:
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main(peer)
