"""Restate: its server in one process, the flow in a Python service behind it, starter and person over its HTTP
ingress. Its server has the Business Source License: it is run here for measurements and is no part of this project.
"""

import asyncio
import json
import os
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import restate
from tests.live import free_port

from bench.peers.job import Asked, Up, answers, approved, main, process, versions
from bench.wire import Pool, request

# Beside the interpreter: installed by npm, which names the machine in the package.
_BINARY: Final = "node_modules/@restatedev/*/bin/restate-server"
_SETTINGS: Final = {
    "RESTATE_DISABLE_TELEMETRY": "true",
    "RESTATE_LISTEN_MODE": "tcp",
    "RESTATE_BIND_IP": "127.0.0.1",
    "RESTATE_LOG_FILTER": "warn",
    "RESTATE_DEFAULT_NUM_PARTITIONS": str(os.cpu_count() or 1),
}
_TUNED: Final = (
    "a partition for each core instead of 24, logs at warn; service on hypercorn with uvloop and its"
    " documented production settings; awakeable (one invocation a flow) instead of a workflow's promise (two)"
)


def service(tell: int) -> Any:
    """The flow; ``tell`` is the address at which the person learns that it waits."""
    approval = restate.Service("Approval")

    @approval.handler()
    async def run(ctx: restate.Context, asked: dict[str, Any]) -> dict[str, Any]:
        awakeable, decision = ctx.awakeable(type_hint=str)

        async def validate() -> dict[str, Any]:
            os.write(tell, f"{asked['flow']} {awakeable}\n".encode())
            return dict(asked["result"])

        async def apply() -> bool:
            return True

        result = await ctx.run_typed("validate", validate)
        outcome = await decision
        applied = await ctx.run_typed("apply", apply)
        return {**result, "outcome": outcome, "applied": applied}

    return restate.app([approval])


async def serve(port: int, tell: int) -> None:
    """The service's process."""
    import hypercorn
    import hypercorn.asyncio

    config = hypercorn.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.h2_max_concurrent_streams = 2**31 - 1
    config.keep_alive_max_requests = 2**31 - 1
    config.keep_alive_timeout = 2**31 - 1
    await hypercorn.asyncio.serve(service(tell), config)


class Client:
    """Starter and person."""

    def __init__(self, asked: Asked, pool: Pool) -> None:
        self._asked = asked
        self._pool = pool
        self._said = b""

    def told(self, chunk: bytes) -> None:
        """The names of waiting flows, as the service reports them: approve them."""
        *lines, self._said = (self._said + chunk).split(b"\n")
        for line in lines:
            awakeable = line.split()[1].decode()
            self._pool.ask(
                request("POST", f"/restate/awakeables/{awakeable}/resolve", "", b'"approved"'), _accepted
            )

    async def flow(self, name: str) -> None:
        said = {"flow": name, "payload": self._asked.payload, "result": self._asked.result}
        ended = await self._pool.call(request("POST", "/Approval/run", "", json.dumps(said).encode()))
        approved(ended, self._asked.result)


def _accepted(status: int, body: bytes) -> None:
    if status not in (200, 202):
        raise RuntimeError(f"a decision was answered {status}: {body[:200]!r}")


@asynccontextmanager
async def peer(asked: Asked) -> AsyncIterator[Up]:
    binary = next(Path(sys.prefix).glob(_BINARY))
    ingress, admin, node, port = (free_port() for _ in range(4))
    settings = _SETTINGS | {
        "RESTATE_BASE_DIR": str(Path(asked.folder) / "restate"),
        "RESTATE_BIND_PORT": str(node),
        "RESTATE_INGRESS__BIND_PORT": str(ingress),
        "RESTATE_ADMIN__BIND_PORT": str(admin),
    }
    listens, tells = os.pipe()
    command = [sys.executable, "-m", "bench.peers.restate", "serve", port, tells]
    with (
        process(asked.folder, "restate-server", [binary, "--no-logo"], settings) as server,
        process(asked.folder, "service", command, {"PYTHONPATH": os.getcwd()}, (tells,)) as worker,
    ):
        await answers(f"http://127.0.0.1:{admin}/health", server, asked.folder, "restate-server")
        await answers(f"http://127.0.0.1:{ingress}/restate/health", server, asked.folder, "restate-server")
        await asyncio.to_thread(_register, admin, port)
        pool = await Pool(f"http://127.0.0.1:{ingress}").open(2 * asked.in_flight)
        client = Client(asked, pool)
        asyncio.get_running_loop().add_reader(listens, lambda: client.told(os.read(listens, 65_536)))
        yield Up(
            flow=client.flow,
            versions=f"{_said(binary)}, {versions('restate-sdk', 'hypercorn', 'uvloop')}",
            durability=_durability(binary, settings),
            tuned=_TUNED,
            servers=[server.pid],
            workers=[worker.pid],
        )


def _register(admin: int, port: int) -> None:
    said = json.dumps({"uri": f"http://127.0.0.1:{port}"}).encode()
    ask = urllib.request.Request(
        f"http://127.0.0.1:{admin}/deployments", said, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(ask, timeout=20) as answer:
        answer.read()


def _durability(binary: Path, settings: dict[str, str]) -> str:
    """From the server's configuration as it reads it: the log of all commits, and its fsync."""
    said = subprocess.run(
        [binary, "--dump-config"], env=os.environ | settings, capture_output=True, text=True, check=True
    )
    config = tomllib.loads(said.stdout)
    provider = config["bifrost"]["default-provider"]
    if provider != "replicated":
        raise RuntimeError(
            f"its log is kept by {provider!r}, of which this benchmark does not know what it syncs"
        )
    synced = not config["log-server"]["rocksdb-disable-wal-fsync"]
    return f"log {provider} on one node, fsync of its write-ahead log={'on' if synced else 'OFF'}"


def _said(binary: Path) -> str:
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        from bench.loop import run

        run(serve(int(sys.argv[2]), int(sys.argv[3])))
    else:
        main(peer)
