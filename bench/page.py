"""``make plots``: the tables and plots of docs/performance.md, from the recorded run. The blocks that follow a comment
with a block's name are generated; the rest is written by hand.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.goals import POSTGRES, SQLITE, goal
from bench.peers.table import PEERS
from bench.plot import Bar, bars
from bench.report import number

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
FOLDER: Final = PAGE.with_suffix("")
FIGURES: Final = FOLDER / "figures.json"
DATABASES: Final = {SQLITE: "SQLite", POSTGRES: "PostgreSQL"}
_BLOCK: Final = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_VARIANTS: Final = r"flows_(this|workers_\d+|against_\d+)"
_NOT_QUIET: Final = (
    "\n\n**The machine was not quiet: most figures would be better on an idle one. Ratios suffer least.**"
)
_MANY: Final = 20_000  # open tasks
_TELLING: Final = 1.0  # ms of a view; the growth of less is noise
_CALM: Final = 0.1  # cores that others may use before the figures say little
_WHO: Final = ("server", "database", "load")


class Found:
    """The recorded figures of a run, by name."""

    def __init__(self, run: dict[str, Any]) -> None:
        self.run = run
        self.figures: list[dict[str, Any]] = run["figures"]

    def named(self, name: str, database: str = "") -> dict[str, Any] | None:
        """The first figure with this name."""
        return next(iter(self.all(name, database)), None)

    def all(self, pattern: str, database: str = "") -> list[dict[str, Any]]:
        """All figures whose name matches, in the order of measurement."""
        return [
            figure
            for figure in self.figures
            if re.fullmatch(pattern, figure["name"])
            and figure["median"] is not None
            and database in ("", figure["database"])
        ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "Not measured in this run."
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def value(figure: dict[str, Any] | None) -> str:
    """A figure with its unit, or a dash."""
    return f"{number(figure['median'])} {_unit(figure)}".rstrip() if figure else "-"


def _unit(figure: dict[str, Any]) -> str:
    return str(figure["unit"]).replace("us", "µs")


def _whole(cpu: dict[str, float]) -> float:
    return sum(cpu[who] for who in _WHO)


def _cpu(figure: dict[str, Any]) -> str:
    """Of all processes for one operation."""
    return f"{number(_whole(figure['cpu']))} µs"


def _words(figure: dict[str, Any]) -> str:
    return str(figure["text"]).strip().replace("->", "to")


def _measured(found: Found) -> str:
    run, machine, options = found.run, found.run["machine"], found.run["options"]
    others = max((figure["cpu"]["others"] for figure in found.figures if figure["cpu"]), default=0)
    command = " ".join(run["arguments"])
    synced = f"p50 {number(machine['sync_p50'])} ms, p99 {number(machine['sync_p99'])} ms"
    size = f"{machine['cores']} cores, {machine['memory_gib']} GiB"
    said = {
        "Run": f"{run['date'][:10]}, commit `{run['commit']}`, {run['took_seconds'] / 60:.0f} min",
        "Command": f'`make bench ARGS="{command}"`',
        "Machine": f"{machine['processor']}, {size}, {machine['system']}",
        "Interpreter": machine["python"],
        "Disk": f"{machine['filesystem']}; fdatasync of 8 KiB: {synced}",
        "Databases": "; ".join(run["stores"].values()),
        "Server": f"Signoff {run['signoff']}, {options['workers']} process, default settings",
        "Repeats": f"median of {options['repeats']} x {options['seconds']:g} s",
        "Pace": f"1,000 additions took {' µs before and '.join(map(number, run['pace']))} µs after",
        "Other programs": f"used up to {others:.2f} cores while a figure was measured",
    }
    text = "\n".join(f"- **{name}:** {value}" for name, value in said.items())
    return text + (_NOT_QUIET if others > _CALM else "")


def _goals(found: Found) -> str:
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    judged = [one for one in found.all(r"(?!view_).*") if one["goal"] is not None]
    for figure in [*judged, *_dearest_views(found)]:
        rows.setdefault(figure["name"], {}).setdefault(figure["database"], figure)
    said = [
        [_row_name(next(iter(row.values()))), *(_judged(row.get(database)) for database in DATABASES)]
        for row in rows.values()
    ]
    counted = [figure for row in rows.values() for figure in row.values()]
    reached = sum(figure["verdict"] == "ok" for figure in counted)
    return f"{reached} of {len(counted)} goals are reached.\n\n" + table(["", *DATABASES.values()], said)


def _dearest_views(found: Found) -> Iterator[dict[str, Any]]:
    """Of the views of lists with a goal: the most expensive one with very many tasks, and the one that grew most."""
    for database in DATABASES:
        views: dict[str, dict[int, dict[str, Any]]] = {}
        for figure in found.all(r"view_\d+", database):
            views.setdefault(figure["text"], {})[int(figure["name"].removeprefix("view_"))] = figure
        counts = sorted({count for row in views.values() for count in row})
        for count in counts:
            if count >= _MANY:
                dearest = max(
                    (row[count] for row in views.values() if count in row), key=lambda one: one["median"]
                )
                yield dearest | {"text": f"the most expensive view of a list among {count:,} open tasks"}
        if counts and counts[-1] >= _MANY:
            ratios = [
                row[counts[-1]]["median"] / row[counts[0]]["median"]
                for row in views.values()
                if {counts[0], counts[-1]} <= row.keys() and row[counts[0]]["median"] >= _TELLING
            ]
            line = goal("view_growth", database)
            if ratios:
                ratio = max(ratios)
                text = f"{line.text} from {counts[0]:,} to {counts[-1]:,} open tasks"
                yield line._asdict() | {"text": text, "median": ratio, "verdict": line.judge(ratio)}


_PARENTS: Final = {
    "creates_keyed": "durable creates with Idempotency-Key",
    "flows_claim": "approval flows, agent by claim and report",
    "decision_p99": "decision to waiter at 200 flows/s, p99",
    "replica_p99": "decided on A, waiter on B, p99",
    "one_growth": "one decision alone: times that among 10,000 gates",
    "busy_growth": "one decision of 64: times that among 10,000 gates",
    "peers_cpu": "the same job, CPU of all processes: the least of the peers' / ours",
    "peers_approval": "ours without the agent's last call / the best peer",
}


def _row_name(figure: dict[str, Any]) -> str:
    name = str(figure["name"])
    if name.endswith("_flows_cpu"):
        return "CPU of all processes for a flow, in the comparison above"
    return _PARENTS.get(name, _words(figure))


def _judged(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return "-"
    sign = "at least" if figure["more"] else "at most"
    goal = f"{sign} {number(figure['goal'])}"
    return f"{value(figure)}, {goal}: {'reached' if figure['verdict'] == 'ok' else '**not reached**'}"


def _flow(found: Found) -> str:
    """Where the processor time of an operation goes."""
    rows = []
    for name, words in (
        ("creates", "a create"),
        ("creates_keyed", "a create with Idempotency-Key"),
        ("flows_stream", "a flow, agent by stream"),
        ("flows_claim", "a flow, agent by claim and report"),
        ("rate_200", "a flow when 200 arrive in a second"),
        ("rate_20", "a flow when 20 arrive in a second"),
    ):
        for database, label in DATABASES.items():
            figure = found.named(name, database)
            if figure and figure["cpu"]:
                parts = [number(figure["cpu"][who]) if figure["cpu"][who] else "-" for who in _WHO]
                rows.append([words, label, *parts, number(_whole(figure["cpu"]))])
    return table(["CPU in µs of", "database", "server", "PostgreSQL", "load", "all"], rows)


def _turns(found: Found) -> str:
    rows = []
    for database, label in DATABASES.items():
        for figure in found.all(_VARIANTS, database):
            variant = figure["name"].removeprefix("flows_")
            creates = found.named(f"creates_{variant}", database)
            rows.append(
                [
                    label,
                    _variant(figure),
                    value(creates),
                    value(figure),
                    _cpu(figure),
                ]
            )
    lines = [table(["database", "server", "creates", "flows", "CPU of a flow, all processes"], rows), ""]
    ratios = []
    for database, label in DATABASES.items():
        for figure in found.all(r"(workers|against)_\d+_flows", database):
            cpu = found.named(f"{figure['name']}_cpu", database)
            creates = found.named(f"{figure['name'].removesuffix('flows')}creates", database)
            words = _words(figure).removeprefix("flows: ")
            ratios.append([label, words, value(creates), value(figure), value(cpu)])
    return "\n".join([*lines, table(["database", "ratio", "creates", "flows", "CPU of a flow"], ratios)])


def _variant(figure: dict[str, Any]) -> str:
    return _words(figure).removeprefix("flows: ")


def _peers(found: Found) -> str:
    rows = [
        [f"Signoff on {label}", value(figure), _cpu(figure), "1"]
        for database, label in DATABASES.items()
        if (figure := _ours(found, database))
    ]
    for name, peer in PEERS.items():
        if figure := found.named(name):
            ratios = [value(found.named(f"peer_{name}", database)) for database in DATABASES]
            rows.append([peer.label, value(figure), _cpu(figure), " / ".join(ratios)])
    head = [
        "",
        "flows",
        "CPU of a flow, all processes",
        "flows of ours on SQLite / on PostgreSQL, in times of these",
    ]
    text = table(head, rows)
    missing = [figure for figure in found.figures if figure["name"] in PEERS and figure["missing"]]
    if missing:
        text += "\n\nNot measured: " + "; ".join(f"{one['text']}: {one['missing']}" for one in missing) + "."
    setups = [
        f"- **{label}**: {how['versions']}; {how['durability']}; {how['tuned']}"
        for label, how in found.run["setups"].items()
    ]
    return text + "\n\n" + "\n".join(setups)


def _ours(found: Found, database: str) -> dict[str, Any] | None:
    return found.named("flows_applied", database)


def _sizes(found: Found) -> str:
    rows: dict[str, list[str]] = {}
    for figure in found.all(r"size_\d+"):
        kib = figure["name"].removeprefix("size_")
        cells = [value(figure), value(found.named(f"size_wait_{kib}", figure["database"]))]
        rows.setdefault(f"{kib} KiB", []).extend(cells)
    shapes: dict[str, list[str]] = {}
    for figure in found.all(r"shape_\d+"):
        cells = [value(figure), f"{number(figure['cpu']['server'] / 1000)} ms"]
        shapes.setdefault(_words(figure).partition(": ")[2], []).extend(cells)
    return "\n\n".join(
        table([first, *(f"{label}, {what}" for label in DATABASES.values() for what in both)], _flat(rows))
        for first, both, rows in (
            ("payload", ("creates", "`/health` p99"), rows),
            ("body of 128 KiB", ("`/health` p99", "CPU"), shapes),
        )
    )


def _flat(rows: dict[str, list[str]]) -> list[list[str]]:
    most = max(map(len, rows.values()), default=0)
    return [[name, *cells, *["-"] * (most - len(cells))] for name, cells in rows.items()]


def _histories(found: Found) -> str:
    return _by_number(found, "history_", "CPU of server and database", "events")


def _lists(found: Found) -> str:
    return _by_number(found, "view_", "CPU of one view", "open tasks")


def _by_number(found: Found, prefix: str, what: str, unit: str) -> str:
    """A column for each number that ends the names of the figures."""
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for figure in found.all(prefix + r"\d+"):
        words = _words(figure)
        shown = "`{}`{}{}".format(*words.partition(", ")) if words.startswith("GET") else words
        row = rows.setdefault((shown, DATABASES[figure["database"]]), {})
        row[int(figure["name"].removeprefix(prefix))] = value(figure)
    counts = sorted({count for row in rows.values() for count in row})
    head = [what, "database", *(f"{count:,} {unit}" for count in counts)]
    return table(head, [[*key, *(row.get(count, "-") for count in counts)] for key, row in rows.items()])


def _latency(found: Found) -> str:
    lines = []
    for name in ("decision_p99", "replica_p99"):
        for database, label in DATABASES.items():
            if figure := found.named(name, database):
                lines.append(
                    f"- {label}, {_PARENTS[name]}: {value(figure)}. {str(figure['note']).capitalize()}."
                )
    return "\n".join(lines)


BLOCKS: Final[dict[str, Callable[[Found], str]]] = {
    "measured": _measured,
    "goals": _goals,
    "flow": _flow,
    "turns": _turns,
    "peers": _peers,
    "latency": _latency,
    "sizes": _sizes,
    "histories": _histories,
    "lists": _lists,
}


def _flows_plot(found: Found) -> str:
    def row(figure: dict[str, Any]) -> Bar:
        return Bar(_variant(figure), [figure["median"]], value(figure))

    what = "measured in turn in one run; longer is better"
    return bars("Approval flows a second, 64 in flight", what, _in_turn(found, row))


def _cost_plot(found: Found) -> str:
    def row(figure: dict[str, Any]) -> Bar:
        return _costs(_variant(figure), figure)

    what = "in µs, by who uses it; shorter is better"
    return bars("Processor time of one approval flow", what, _in_turn(found, row), _WHO)


def _in_turn(found: Found, row: Callable[[dict[str, Any]], Bar]) -> list[Bar]:
    rows: list[Bar] = []
    for database, label in DATABASES.items():
        figures = found.all(_VARIANTS, database)
        rows += [Bar(label), *map(row, figures)] if figures else []
    return rows


def _costs(label: str, figure: dict[str, Any]) -> Bar:
    return Bar(label, [figure["cpu"][who] for who in _WHO], _cpu(figure))


def _peers_plot(found: Found) -> str:
    ours = [(f"Signoff, {label}", _ours(found, database)) for database, label in DATABASES.items()]
    theirs = [(peer.label, found.named(name)) for name, peer in PEERS.items()]
    shown = [(label, figure) for label, figure in (*ours, *theirs) if figure]
    rows = [Bar(label, [figure["median"]], value(figure)) for label, figure in shown]
    return bars("The same job in other products", "flows a second, 64 in flight; longer is better", rows)


def _peers_cost_plot(found: Found) -> str:
    ours = [(f"Signoff, {label}", _ours(found, database)) for database, label in DATABASES.items()]
    theirs = [(peer.label, found.named(name)) for name, peer in PEERS.items()]
    rows = [_costs(label, figure) for label, figure in (*ours, *theirs) if figure]
    return bars(
        "Processor time of one flow of that job", "in µs, by who uses it; shorter is better", rows, _WHO
    )


PLOTS: Final[dict[str, Callable[[Found], str]]] = {
    "flows": _flows_plot,
    "cost": _cost_plot,
    "peers": _peers_plot,
    "peers-cost": _peers_cost_plot,
}


def read(path: Path = FIGURES) -> Found:
    return Found(json.loads(path.read_text("utf-8")))


def filled(text: str, found: Found) -> str:
    """The page with every block generated from the figures."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{BLOCKS[block[2]](found)}\n\n{block[3]}", text)


def files(found: Found) -> Iterator[tuple[Path, str]]:
    """Every generated file, with its content."""
    yield PAGE, filled(PAGE.read_text("utf-8"), found)
    for name, plot in PLOTS.items():
        yield FOLDER / f"{name}.svg", plot(found)


def main() -> int:
    for path, text in files(read()):
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
