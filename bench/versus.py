"""Several servers in turn in one run: this one, the same with more worker processes, other checkouts. Prints each
server's figures and the ratios.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.databases import Cluster

from bench.agents import Streaming
from bench.creates import rate
from bench.flows import closed
from bench.goals import BASE, POSTGRES, goal
from bench.loop import run
from bench.machine import Usage
from bench.options import Options
from bench.place import place
from bench.report import heading, show, times

ROOT: Final = Path(__file__).parents[1]
# What another interpreter says of itself, asked with our own code.
_ASK: Final = "from bench.machine import interpreter; print(interpreter())"


class Variant(NamedTuple):
    """A server that is measured. ``name``: in the names of its figures; ``commit``: what is installed there."""

    name: str
    label: str
    python: str
    workers: int = 1
    commit: str = ""


class Measured(NamedTuple):
    """For each turn of a variant: creates and flows a second, and their costs."""

    creates: list[tuple[float, Usage]]
    flows: list[tuple[float, Usage]]


def checkout(path: Path, number: int) -> Variant:
    """The variant that another checkout serves with its own interpreter; raises ValueError if it cannot."""
    python = path / ".venv" / "bin" / "python"
    if not python.exists():
        raise ValueError(f"{path} has no interpreter: run make setup there")
    said = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, cwd=ROOT, check=True)
    made = commit(path)
    label = f"{made or path.name} on {said.stdout.strip()}"
    return Variant(f"against_{number}", label, str(python), commit=made)


def commit(path: Path) -> str:
    """The short hash of the commit that is checked out there; empty if git does not know it."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=-changed", "--exclude=*"],
        capture_output=True,
        text=True,
        cwd=path,
    )
    return said.stdout.strip()


def versus(
    databases: Sequence[str],
    cluster: Cluster | None,
    options: Options,
    this: Variant,
    others: Sequence[Variant],
) -> None:
    """A B C A: this one runs first and last, so that a machine that slows down shows in its range."""
    for database in databases:
        heading(f"{database}: in turn")
        turns = [this, *others] * max(1, options.repeats - 1) + [this]
        found = {variant.name: Measured([], []) for variant in (this, *others)}
        for variant in turns:
            store = cluster if database == POSTGRES else None
            with place(database, store, variant.workers, variant.python) as live:
                found[variant.name].creates.append(run(rate(live, False, options.seconds)))
                found[variant.name].flows.append(run(closed(live, Streaming, options.seconds)))
        for variant in (this, *others):
            for what in ("creates", "flows"):
                measured: list[tuple[float, Usage]] = getattr(found[variant.name], what)
                line = goal(what if what == "creates" else "flows_stream", database)._replace(
                    text=f"{what}: {variant.label}", name=f"{what}_{variant.name}", goal=None, floor=None
                )
                show(line, [one for one, _ in measured], [usage for _, usage in measured])
        for variant in others:
            _ratios(database, variant, found[this.name], found[variant.name])


def _ratios(database: str, variant: Variant, ours: Measured, theirs: Measured) -> None:
    """More processes are compared with one process, this commit with others."""
    more = variant.workers > 1
    left, right = (theirs, ours) if more else (ours, theirs)
    kind = "workers" if more else "against"
    label = f"{variant.workers} processes / one" if more else f"this / {variant.label}"
    marked = more or variant.commit.startswith(BASE)
    for name, text, values in (
        ("creates", f"creates: {label}", times(_rates(left.creates), _rates(right.creates))),
        ("flows", f"flows: {label}", times(_rates(left.flows), _rates(right.flows))),
        ("flows_cpu", "  CPU of all processes for a flow, likewise", times(_cpu(left), _cpu(right))),
    ):
        line = goal(f"{kind}_{name}", database)._replace(text=text, name=f"{variant.name}_{name}")
        show(line if marked else line._replace(goal=None, floor=None), values)


def _rates(measured: Sequence[tuple[float, Any]]) -> list[float]:
    return [one for one, _ in measured]


def _cpu(measured: Measured) -> list[float]:
    return [usage.all for _, usage in measured.flows]
