"""``python -m bench``: measures, and prints each figure with its goal and floor."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import apsw
from tests.databases import Cluster

from bench.creates import creates
from bench.flows import flows
from bench.frozen import frozen
from bench.goals import POSTGRES, SQLITE, Goal
from bench.growth import growth
from bench.histories import histories
from bench.latency import latency, rates
from bench.lists import lists
from bench.machine import Machine, interpreter, machine, pace
from bench.options import QUICK, Options
from bench.peers.compare import compare, setups
from bench.peers.table import PEERS
from bench.place import Place, clusters, place, version
from bench.record import Run, now, write
from bench.report import heading, recorded, unmeasured
from bench.sizes import sizes
from bench.start import listeners, start
from bench.versus import ROOT, Variant, checkout, commit, versus
from signoff import __version__

# Each group of figures has a server and a database of its own.
GROUPS: Final[dict[str, Callable[[Place, Options], None]]] = {
    "creates": creates,
    "flows": flows,
    "latency": latency,
    "rates": rates,
    "sizes": sizes,
    "histories": histories,
    "frozen": frozen,
    "listeners": listeners,
    "start": start,
    "growth": growth,
    "lists": lists,
}
QUICKLY: Final = ("creates", "flows", "latency", "start")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one short repeat, and only the quick groups unless told otherwise",
    )
    parser.add_argument("--repeats", type=int, metavar="N", help="how often to measure (3; 1 if quick)")
    parser.add_argument(
        "--tasks",
        type=int,
        metavar="N",
        help="the most tasks among which lists are measured (200000; 20000 if quick)",
    )
    parser.add_argument(
        "--only", nargs="+", action="extend", choices=GROUPS, metavar="GROUP", help=f"of {', '.join(GROUPS)}"
    )
    parser.add_argument("--all", action="store_true", help="all groups, also beside a comparison")
    parser.add_argument("--database", choices=(SQLITE, POSTGRES), help="only on this database")
    parser.add_argument(
        "--workers",
        type=int,
        nargs="+",
        default=[1],
        metavar="N",
        help="worker processes of the server; with a second number, creates and flows are compared with that many",
    )
    parser.add_argument("--million", action="store_true", help="growth to 1,000,000 waiting gates (minutes)")
    parser.add_argument(
        "--against",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="compare creates and flows with this checkout, served by its own .venv; repeatable",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=PEERS,
        metavar="PEER",
        help=f"compare with these, or with all ({', '.join(PEERS)}); they are installed into .venv-peers",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="record all figures there")
    parser.add_argument("--floors", action="store_true", help="exit with 1 if a figure is below its floor")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    options = (QUICK if asked.quick else Options())._replace(workers=asked.workers[0])
    if asked.repeats:
        options = options._replace(repeats=asked.repeats)
    if asked.tasks:
        options = options._replace(tasks=asked.tasks)
    if asked.million:
        options = options._replace(gates=1_000_000)
    others = variants(asked.workers[1:], asked.against)
    databases = [asked.database] if asked.database else [SQLITE, POSTGRES]
    chosen = groups(asked, comparing=bool(others) or asked.peers is not None)
    signal.signal(
        signal.SIGTERM, lambda number, _: sys.exit(128 + number)
    )  # so that everything is cleaned up
    begun, started = time.monotonic(), now()
    with clusters([*databases, POSTGRES] if asked.peers is not None else databases) as cluster:
        found = machine(Path(tempfile.gettempdir()))
        stores = _stores(cluster)
        paces, loads = [pace()], [os.getloadavg()[0]]
        _introduce(options, found, stores, paces[0], loads[0])
        for database in databases if chosen else []:
            heading(database)
            for name in chosen:
                _measure(name, database, cluster, options)
        if others:
            this = Variant("this", _label(), sys.executable, options.workers)
            versus(databases, cluster, options, this, others)
        if asked.peers is not None and cluster is not None:
            compare(databases, cluster, options, asked.peers or PEERS)
    paces.append(pace())
    loads.append(os.getloadavg()[0])
    took = time.monotonic() - begun
    print(f"\ntook {took:.0f} s; 1,000 additions now in {paces[1]:.0f} us")
    if asked.json:
        run = Run(
            date=started,
            arguments=[Path(one).name if one.startswith(os.sep) else one for one in sys.argv[1:]],
            signoff=__version__,
            commit=commit(ROOT),
            machine=found,
            stores=stores,
            options=options,
            compared=[variant.label for variant in others],
            pace=(paces[0], paces[1]),
            load=(loads[0], loads[1]),
            took_seconds=took,
            setups=setups,
        )
        write(asked.json, run, recorded)
    return int(asked.floors and any(figure.verdict == "BELOW FLOOR" for figure in recorded))


def groups(asked: argparse.Namespace, comparing: bool) -> Sequence[str]:
    """The groups to measure; a comparison replaces them unless they are named too."""
    if asked.only:
        return list(dict.fromkeys(asked.only))
    if asked.all:
        return list(GROUPS)
    if comparing:
        return ()
    return QUICKLY if asked.quick else list(GROUPS)


def variants(workers: Sequence[int], folders: Sequence[Path]) -> list[Variant]:
    more = [
        Variant(f"workers_{count}", f"{count} worker processes", sys.executable, count) for count in workers
    ]
    try:
        return more + [checkout(folder, number) for number, folder in enumerate(folders, 1)]
    except ValueError as error:
        sys.exit(str(error))


def _label() -> str:
    return f"this on {interpreter()}"


def _measure(name: str, database: str, cluster: Cluster | None, options: Options) -> None:
    """Measure one group. A group that cannot be measured does not stop the others."""
    try:
        with place(database, cluster if database == POSTGRES else None, options.workers) as found:
            GROUPS[name](found, options)
    except (RuntimeError, AssertionError, TimeoutError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        unmeasured(Goal(f"the rest of the group {name}", "", name=name, database=database), reason)


def _stores(cluster: Cluster | None) -> dict[str, str]:
    sqlite = f"SQLite {apsw.sqlite_lib_version()} (WAL, synchronous=FULL)"
    return {SQLITE: sqlite} | ({POSTGRES: asyncio.run(version(cluster))} if cluster else {})


def _introduce(options: Options, found: Machine, stores: dict[str, str], pace: float, load: float) -> None:
    print(f"Signoff {__version__}")
    print("\n".join(found.lines()))
    print(f"store    {'; '.join(stores.values())}")
    print(
        f"pace     1,000 additions in {pace:.0f} us; load {load:.2f} over the last minute"
        " (the goals were set at 30 us and no load)"
    )
    print(
        f"method   server processes: {options.workers}, default settings; load generator, server and database share"
        " the cores;"
        f" loopback; median of {options.repeats} x {options.seconds:g} s after a warm-up"
    )


if __name__ == "__main__":
    sys.exit(main())
