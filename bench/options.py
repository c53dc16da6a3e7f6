"""How long and how often to measure."""

from typing import NamedTuple


class Options(NamedTuple):
    """seconds: of each repeat; gates: how many wait in the second measurement of growth; tasks: the most among which
    lists are measured; workers: processes of the server."""

    seconds: float = 2.0
    repeats: int = 3
    gates: int = 100_000
    tasks: int = 200_000
    workers: int = 1


QUICK = Options(seconds=1.0, repeats=1, gates=30_000, tasks=20_000)
