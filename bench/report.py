"""How figures are printed: one line each, with its goal, its floor and what it cost."""

import statistics
from collections.abc import Sequence

from bench.goals import Goal

_WIDTH = 54
worst: list[str] = []  # every verdict printed so far


def heading(text: str) -> None:
    print(
        f"\n{text:<{_WIDTH}} {'figure':>10} {'(lowest - highest)':>21} {'goal':>9} {'floor':>9}", flush=True
    )


def show(goal: Goal, values: Sequence[float], note: object = "") -> float:
    """Print the median of the repeats; returns it."""
    middle = statistics.median(values)
    spread = f"({number(min(values))} - {number(max(values))})" if len(values) > 1 else ""
    verdict = goal.judge(middle)
    worst.append(verdict)
    marks = [number(mark) if mark is not None else "-" for mark in (goal.goal, goal.floor)]
    line = f"{goal.text:<{_WIDTH}} {number(middle):>10} {spread:>21} {marks[0]:>9} {marks[1]:>9}"
    print(f"{line}  {goal.unit:<4} {verdict:<11} {note}".rstrip(), flush=True)
    return middle


def unmeasured(text: str, reason: str) -> None:
    """In place of a figure: why there is none."""
    print(f"{text:<{_WIDTH}} not measured: {reason}", flush=True)


def number(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
