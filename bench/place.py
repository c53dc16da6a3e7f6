"""A server on a separate database, with the load's keys and workflows; both are removed afterwards."""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
from tests.databases import Cluster, create_database, drop_database
from tests.live import Live

from bench.goals import POSTGRES
from bench.machine import Reading, children, cpu_seconds

APPROVAL: Final = "intent.bench.approval.v1"
APPLIED: Final = "intent.bench.applied.v1"  # the agent is called once more, after the decision
QUEUED: Final = "intent.bench.queued.v1"  # its agent never comes: creates only
GATE: Final = "intent.bench.gate.v1"
REMINDED: Final = "intent.bench.reminded.v1"
REMIND_AFTER: Final = 4.0
AGENT: Final = "bench-validator"
PERSON: Final = "ann@acme.example"


def _workflow(intent_type: str, *steps: dict[str, Any]) -> dict[str, Any]:
    return {"workflow": intent_type.split(".")[2], "intent_type": intent_type, "steps": list(steps)}


def _work(agent: str, step: str = "validate") -> dict[str, Any]:
    return {"id": step, "agent": agent, "deadline": "5m"}


def _gate(after: str) -> dict[str, Any]:
    remind = {"after": after, "every": "30m", "at_most": 5}
    escalate = [{"after": "1h", "to": ["role:owner"]}]
    human = {
        "title": "Migrate prod-postgres-main",
        "approvers": [PERSON],
        "remind": remind,
        "escalate": escalate,
    }
    return {"id": "approve", "human": human, "deadline": "8h"}


_WORKFLOWS: Final = (
    _workflow(APPROVAL, _work(AGENT), _gate("5m")),
    _workflow(APPLIED, _work(AGENT), _gate("5m"), _work(AGENT, "apply")),
    _workflow(QUEUED, _work("bench-nobody"), _gate("5m")),
    _workflow(GATE, _gate("5m")),
    _workflow(REMINDED, _gate(f"{REMIND_AFTER:.0f}s")),
)


class Place:
    """A measured server: ``live``, and the ``keys`` of a service, an agent and a person."""

    def __init__(
        self,
        folder: Path,
        database: str,
        cluster: Cluster | None,
        workers: int = 1,
        python: str = sys.executable,
    ) -> None:
        self._workers = workers
        self._python = python
        self.database = database
        self.folder = folder
        self.cluster = cluster
        self._number = 0
        self.url = asyncio.run(create_database(cluster.url(), "bench")) if cluster else ""
        self.lives: list[Live] = []
        self.live = self.server()
        self.keys: dict[str, str] = {}

    def server(self) -> Live:
        """One more server on the database; the caller starts it."""
        self._number += 1
        live = Live(
            self.folder / f"server-{self._number}",
            self.url,
            workers=str(self._workers),
            max_rate="0",  # what is measured is not the limits
            max_streams="0",
            max_open="0",
        )
        live.python = self._python
        self.lives.append(live)
        return live

    def provision(self) -> None:
        """Create the keys and apply the workflows. The owner creates every key, so self-approval must stay on; by
        default it ends with the second person.
        """
        self.say("/v1/apply", {"workspace": {"self_approval": True}})
        for name, wish in (
            ("service", {"service": "bench"}),
            ("agent", {"agent": AGENT}),
            ("person", {"person": PERSON, "name": "Ann", "roles": ["approver"]}),
        ):
            self.keys[name] = self.say("/v1/keys", wish)["api_key"]
        for workflow in _WORKFLOWS:
            self.say("/v1/workflows", workflow)

    def say(self, path: str, body: dict[str, Any]) -> Any:
        status, answer = self.live.call("POST", path, body)
        if status != 200:
            raise RuntimeError(f"POST {path} was answered {status}: {answer}")
        return answer

    def reading(self, *helpers: int) -> Reading:
        """The CPU time that everything has used. ``helpers``: processes of the load."""
        servers = [live.process.pid for live in self.lives if live.process]
        servers += [pid for server in servers for pid in children(server)]
        postgres = postmaster(self.cluster) if self.cluster else 0
        found = Reading.now(servers, [postgres, *children(postgres)] if postgres else [])
        return found._replace(load=found.load + cpu_seconds(list(helpers)))

    def close(self) -> None:
        for live in self.lives:
            live.stop()
        if self.cluster:
            asyncio.run(drop_database(self.cluster.url(), "bench"))


def postmaster(cluster: Cluster) -> int:
    """The pid of PostgreSQL's main process."""
    return int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])


@contextmanager
def place(
    database: str, cluster: Cluster | None, workers: int = 1, python: str = sys.executable
) -> Iterator[Place]:
    """A running, provisioned server for the block. ``workers``: its processes. ``python``: its interpreter; that of
    another checkout serves what is installed there.
    """
    folder = Path(tempfile.mkdtemp(prefix="signoff-bench-"))
    made: Place | None = None
    try:
        made = Place(folder, database, cluster, workers, python)
        made.live.start()
        made.provision()
        yield made
    finally:
        if made is not None:
            made.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def clusters(databases: list[str]) -> Iterator[Cluster | None]:
    """A PostgreSQL with its default settings and fsync, if it is needed."""
    if POSTGRES not in databases:
        yield None
        return
    cluster = Cluster(durable=True)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


async def version(cluster: Cluster) -> str:
    connection = await asyncpg.connect(cluster.url())
    try:
        rows = await connection.fetch(
            "select name, setting from pg_settings"
            " where name in ('fsync', 'synchronous_commit', 'server_version')"
        )
    finally:
        await connection.close()
    said = {row["name"]: row["setting"] for row in rows}
    return "PostgreSQL {server_version} (fsync={fsync}, synchronous_commit={synchronous_commit})".format(
        **said
    )


def first_answer(live: Live) -> float:
    """Seconds from starting the process to its first response."""
    begun = time.perf_counter()
    live.start()
    return time.perf_counter() - begun
