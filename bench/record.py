"""A run as JSON: every figure, and the machine it was measured on."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.machine import Machine
from bench.options import Options
from bench.report import Figure

FORMAT: Final = 1
_DIGITS: Final = 4  # that count; the rest is noise


class Run(NamedTuple):
    """What all figures of a run have in common. ``pace``: microseconds for a thousand additions before and after;
    ``load``: the machine's load average over a minute, before and after; ``setups``: of each peer.
    """

    date: str
    arguments: Sequence[str]
    signoff: str
    commit: str
    machine: Machine
    stores: dict[str, str]
    options: Options
    compared: Sequence[str]
    pace: tuple[float, float]
    load: tuple[float, float]
    took_seconds: float
    setups: dict[str, dict[str, str]]


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def document(run: Run, figures: Sequence[Figure]) -> dict[str, Any]:
    """Both as plain JSON values; tuples with names become objects."""
    return {"format": FORMAT, **_plain(run), "figures": [_plain(figure) for figure in figures]}


def _plain(value: object) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(inner) for name, inner in value._asdict().items()}
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def write(path: Path, run: Run, figures: Sequence[Figure]) -> None:
    """Write atomically: a run that fails leaves the file of the previous one."""
    made = path.with_name(path.name + ".new")
    made.write_text(json.dumps(document(run, figures), indent=1) + "\n", "utf-8")
    os.replace(made, path)
