"""Prints figures, one per line, with goal, floor and cost, and records what it prints."""

import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

from bench.goals import Goal
from bench.machine import Usage

_WIDTH: Final = 54


class Figure(NamedTuple):
    """A figure of a run. ``repeats``: the measured values, of which ``median`` is shown; ``cpu``: the median cost of
    an operation, if measured; ``missing``: why there is no figure.
    """

    section: str
    name: str
    database: str
    text: str
    unit: str
    median: float | None
    repeats: Sequence[float]
    goal: float | None
    floor: float | None
    more: bool
    verdict: str
    cpu: Usage | None
    note: str
    missing: str


recorded: list[Figure] = []  # everything that was shown so far
_section = ""


def heading(text: str) -> None:
    global _section
    _section = text
    print(
        f"\n{text:<{_WIDTH}} {'figure':>10} {'(lowest - highest)':>21} {'goal':>9} {'floor':>9}", flush=True
    )


def show(goal: Goal, values: Sequence[float], usages: Sequence[Usage] = (), note: str = "") -> float:
    """Print the median of the repeats and of their costs; returns it."""
    middle = statistics.median(values)
    spread = f"({number(min(values))} - {number(max(values))})" if len(values) > 1 else ""
    verdict = goal.judge(middle)
    cpu = Usage.median(usages) if usages else None
    marks = [number(mark) if mark is not None else "-" for mark in (goal.goal, goal.floor)]
    line = f"{goal.text:<{_WIDTH}} {number(middle):>10} {spread:>21} {marks[0]:>9} {marks[1]:>9}"
    said = "; ".join(str(part) for part in (note, cpu) if part)
    print(f"{line}  {goal.unit:<4} {verdict:<11} {said}".rstrip(), flush=True)
    recorded.append(_figure(goal, middle, values, verdict, cpu, note, ""))
    return middle


def unmeasured(goal: Goal, reason: str) -> None:
    """Print why there is no figure."""
    print(f"{goal.text:<{_WIDTH}} not measured: {reason}", flush=True)
    recorded.append(_figure(goal, None, (), "", None, "", reason))


def _figure(
    goal: Goal,
    median: float | None,
    repeats: Sequence[float],
    verdict: str,
    cpu: Usage | None,
    note: str,
    missing: str,
) -> Figure:
    return Figure(
        section=_section,
        name=goal.name,
        database=goal.database,
        text=goal.text,
        unit=goal.unit,
        median=median,
        repeats=list(repeats),
        goal=goal.goal,
        floor=goal.floor,
        more=goal.more,
        verdict=verdict,
        cpu=cpu,
        note=note,
        missing=missing,
    )


def times(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """The ratio of ours to theirs: lowest, of the medians, highest."""
    return [
        min(ours) / max(theirs),
        statistics.median(ours) / statistics.median(theirs),
        max(ours) / min(theirs),
    ]


def number(value: float) -> str:
    """Three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
