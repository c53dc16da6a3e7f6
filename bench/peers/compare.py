"""``python -m bench --peers``: ours, the peers, ours again, in one run; then the ratios of ours to theirs."""

import asyncio
import json
import os
import shutil
import signal
import statistics
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from tests.databases import Cluster, create_database, drop_database

from bench.agents import RESULT, Streaming
from bench.creates import PAYLOAD
from bench.flows import IN_FLIGHT, closed
from bench.goals import POSTGRES, Goal, goal
from bench.loop import run
from bench.machine import Usage
from bench.options import Options
from bench.peers.install import ROOT, Missing, interpreter
from bench.peers.job import Asked
from bench.peers.table import PEERS
from bench.place import APPLIED, APPROVAL, place, postmaster
from bench.report import heading, show, times, unmeasured

WARM_UP: Final = 2.5
_START: Final = 60.0  # seconds for a peer to be ready
_END: Final = 15.0  # and to stop by itself
_DATABASE: Final = "peer"
# Whatever the person at the keyboard has set up for these products is not what is measured.
_THEIRS: Final = (
    "RESTATE_",
    "DBOS_",
    "LANGCHAIN_",
    "LANGGRAPH_",
    "LANGSMITH_",
    "TEMPORAL_",
    "ABSURD_",
    "PG",
    "PYTHON",
)


setups: dict[
    str, dict[str, str]
] = {}  # of each peer that was measured: versions, durability, how it was tuned


class Figures(NamedTuple):
    """Flows a second of each repeat, and the cost of a flow in each."""

    rates: list[float]
    usages: list[Usage]

    def add(self, rate: float, usage: Usage) -> None:
        self.rates.append(rate)
        self.usages.append(usage)

    @property
    def cpu(self) -> list[float]:
        """Microseconds of all processes for a flow."""
        return [usage.all for usage in self.usages]


def _nothing() -> Figures:
    return Figures([], [])


def _line(name: str) -> Goal:
    return Goal(PEERS[name].label, "/s", more=True, name=name)


def compare(databases: list[str], cluster: Cluster, options: Options, names: Iterable[str]) -> None:
    """Measure ours on each database, the peers, ours again; print the lines and the ratios."""
    ours = {database: {APPROVAL: _nothing(), APPLIED: _nothing()} for database in databases}
    _ours("before", ours, cluster, options)
    heading("the peers")
    theirs: dict[str, Figures] = {}
    for name in names:
        try:
            theirs[name] = _peer(name, cluster, options)
        except (Missing, Failed) as error:
            unmeasured(_line(name), str(error))
    _ours("after", ours, cluster, options)
    left = [PEERS[name].label for name in names if name not in theirs]
    for database in databases:
        _ratios(database, ours[database], theirs, left)


def _ours(when: str, ours: dict[str, dict[str, Figures]], cluster: Cluster, options: Options) -> None:
    for database, figures in ours.items():
        heading(f"ours on {database}, {when} the peers")
        with place(database, cluster if database == POSTGRES else None) as found:
            for intent_type, name in ((APPROVAL, "flows_stream"), (APPLIED, "flows_applied")):
                runs = [
                    run(closed(found, Streaming, options.seconds, intent_type))
                    for _ in range(options.repeats)
                ]
                show(goal(name, database), [rate for rate, _ in runs], [usage for _, usage in runs])
                for rate, usage in runs:
                    figures[intent_type].add(rate, usage)


def _ratios(database: str, ours: dict[str, Figures], theirs: dict[str, Figures], left: list[str]) -> None:
    heading(f"ours on {database}, in times of theirs")
    if not theirs:
        unmeasured(goal("peers", database), "no peer could be measured")
        return
    for name, figures in theirs.items():
        note = _cpu(ours[APPLIED], figures)
        line = Goal(f"the same job: ours / {PEERS[name].label}", "x", name=f"peer_{name}", database=database)
        show(line, times(ours[APPLIED].rates, figures.rates), note=note)
    best = max(theirs, key=lambda name: statistics.median(theirs[name].rates))
    note = f"the best: {PEERS[best].label}" + (f"; not measured: {', '.join(left)}" if left else "")
    show(goal("peers", database), times(ours[APPLIED].rates, theirs[best].rates), note=note)
    least = min(theirs, key=lambda name: statistics.median(theirs[name].cpu))
    show(
        goal("peers_cpu", database),
        times(theirs[least].cpu, ours[APPLIED].cpu),
        note=f"the least: {PEERS[least].label}",
    )
    show(
        goal("peers_approval", database),
        times(ours[APPROVAL].rates, theirs[best].rates),
        note=_cpu(ours[APPROVAL], theirs[best]),
    )


def _cpu(ours: Figures, theirs: Figures) -> str:
    """Changes little when other processes are busy."""
    mine, other = statistics.median(ours.cpu), statistics.median(theirs.cpu)
    return f"CPU us each, all processes: ours {mine:.0f}, theirs {other:.0f} ({other / mine:.1f} x ours)"


class Failed(RuntimeError):
    """A peer that was installed but did not do the job, with its output."""


def _peer(name: str, cluster: Cluster, options: Options) -> Figures:
    """Measure one peer; everything it started is stopped afterwards."""
    python = interpreter(name)
    folder = Path(tempfile.mkdtemp(prefix=f"signoff-bench-{name}-"))
    stores = PEERS[name].stores
    asked = Asked(
        folder=str(folder),
        database=run(create_database(cluster.url(), _DATABASE)) if stores else "",
        postmaster=postmaster(cluster) if stores else 0,
        in_flight=IN_FLIGHT,
        warm_up=WARM_UP,
        seconds=options.seconds,
        repeats=options.repeats,
        payload=PAYLOAD,
        result=RESULT,
    )
    try:
        with (folder / "peer.log").open("ab") as log:
            said = run(_talk(name, python, asked, log, _START + WARM_UP + options.seconds * options.repeats))
    finally:
        if stores:
            run(drop_database(cluster.url(), _DATABASE))
        shutil.rmtree(folder, ignore_errors=True)
    measured = _nothing()
    for repeat in said[1:]:
        measured.add(repeat["flows"] / repeat["seconds"], Usage(*repeat["usage"]))
    if not all(measured.rates):
        raise Failed(f"not one flow ended within {options.seconds:g} s")
    how = {word: str(said[0][word]) for word in ("versions", "durability", "tuned")}
    show(_line(name), measured.rates, measured.usages)
    for word, text in how.items():
        print(f"    {word:<10} {text}")
    setups[PEERS[name].label] = how
    print(f"    licence    {PEERS[name].licence}", flush=True)
    return measured


async def _talk(name: str, python: Path, asked: Asked, log: BinaryIO, limit: float) -> list[dict[str, Any]]:
    """Read the peer process's messages: that it is ready, then each repeat; raises Failed for anything else."""
    process = await asyncio.create_subprocess_exec(
        python,
        "-m",
        f"bench.peers.{name}",
        json.dumps(asked._asdict()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith(_THEIRS)},
        start_new_session=True,
    )
    assert process.stdout is not None
    heard: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(limit) as whole:
            async with asyncio.timeout(_START):
                heard.append(_understood(await process.stdout.readline(), log))
            whole.reschedule(asyncio.get_running_loop().time() + limit)
            while (said := _understood(await process.stdout.readline(), log))["said"] != "done":
                heard.append(said)
    except TimeoutError:
        what = "was not done" if heard else "was not ready"
        raise Failed(f"it {what} after {limit if heard else _START:.0f} s: {_tail(log)}") from None
    finally:
        await _end(process)
    return heard


def _understood(line: bytes, log: BinaryIO) -> dict[str, Any]:
    said: dict[str, Any] = (
        json.loads(line) if line else {"said": "failed", "reason": _tail(log) or "it ended"}
    )
    if said["said"] == "failed":
        raise Failed(said["reason"])
    return said


def _tail(log: BinaryIO) -> str:
    return " ".join(Path(log.name).read_text(errors="replace").split())[-300:]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Stop the peer by its pid: it stops what it started, and its process group ends with it."""
    try:
        if process.returncode is None:
            process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _END)
    finally:  # also when Ctrl-C cuts the wait short
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
