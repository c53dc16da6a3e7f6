"""``python -m bench``: measure, and show each figure beside its goal and its floor."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw
from tests.databases import Cluster

from bench.creates import creates
from bench.flows import flows, latency
from bench.goals import POSTGRES, SQLITE
from bench.growth import growth
from bench.lists import lists
from bench.machine import describe, pace
from bench.options import QUICK, Options
from bench.peers.compare import compare
from bench.peers.table import PEERS
from bench.place import Place, clusters, place, version
from bench.report import heading, worst
from bench.start import listeners, start
from signoff import __version__

# Each group of figures has a server and a database of its own.
GROUPS: Final[dict[str, Callable[[Place, Options], None]]] = {
    "creates": creates,
    "flows": flows,
    "latency": latency,
    "listeners": listeners,
    "start": start,
    "growth": growth,
    "lists": lists,
}


QUICKLY: Final = ("creates", "flows", "latency", "start")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short repeat of what is quickly measured")
    parser.add_argument(
        "--only", action="append", choices=GROUPS, help="only this group of figures; repeatable"
    )
    parser.add_argument("--database", choices=(SQLITE, POSTGRES), help="only on this database")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of the server")
    parser.add_argument("--million", action="store_true", help="growth to 1,000,000 waiting gates (minutes)")
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=PEERS,
        help="compare with these peers instead (none named: all of them); they are installed into .venv-peers",
    )
    parser.add_argument("--floors", action="store_true", help="exit with 1 if a figure is below its floor")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    options = QUICK if asked.quick else Options()
    options = options._replace(workers=asked.workers)
    if asked.million:
        options = options._replace(gates=1_000_000)
    databases = [asked.database] if asked.database else [SQLITE, POSTGRES]
    begun = time.monotonic()
    compared = asked.peers is not None
    with clusters([*databases, POSTGRES] if compared else databases) as cluster:
        _introduce(options, cluster)
        if compared and cluster is not None:
            compare(databases, cluster, options, asked.peers or PEERS)
            databases = []
        for database in databases:
            heading(database)
            for name in asked.only or (QUICKLY if asked.quick else GROUPS):
                with place(database, cluster if database == POSTGRES else None, options.workers) as found:
                    GROUPS[name](found, options)
    print(f"\ntook {time.monotonic() - begun:.0f} s")
    return int(asked.floors and "BELOW FLOOR" in worst)


def _introduce(options: Options, cluster: Cluster | None) -> None:
    databases = [f"SQLite {apsw.sqlite_lib_version()} (WAL, synchronous=FULL)"]
    databases += [asyncio.run(version(cluster))] if cluster else []
    print(f"Signoff {__version__}")
    print("\n".join(describe(Path(tempfile.gettempdir()))))
    print(f"store    {'; '.join(databases)}")
    print(
        f"pace     1,000 additions in {pace():.0f} us; load {os.getloadavg()[0]:.2f} over the last minute"
        " (the goals were set at 30 us and no load)"
    )
    print(
        f"method   server processes: {options.workers}, default settings; load generator, server and database share"
        " the cores;"
        f" loopback; median of {options.repeats} x {options.seconds:g} s after a warm-up"
    )


if __name__ == "__main__":
    sys.exit(main())
