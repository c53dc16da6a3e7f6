"""What the slowest flows have in common, as far as it can be seen from outside."""

import statistics
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import BinaryIO, Final, NamedTuple, Self

from bench.flows import Ending
from bench.place import Place

SLOWEST: Final = 0.01
_TOGETHER: Final = 0.05  # seconds between decisions that count as one stretch
_LATER: Final = 0.01  # seconds after the end of a flow in which the checkpoint that delayed it may be seen
_NUMBER: Final = slice(12, 16)  # of the checkpoint, in the header of SQLite's log


class Log:
    """SQLite's write-ahead log, which begins anew with the first commit after a checkpoint copied it into the database.
    PostgreSQL makes a checkpoint every few minutes at most, and is not watched.
    """

    def __init__(self, place: Place) -> None:
        self._file: BinaryIO | None = None
        if place.cluster is None:
            self._file = (place.live.data / "signoff.db-wal").open("rb", buffering=0)
        self._number = self._read()
        self.moments: list[float] = []  # at which it was seen to have begun anew

    def _read(self) -> bytes:
        if self._file is None:
            return b""
        self._file.seek(0)
        return self._file.read(32)[_NUMBER]

    def look(self) -> None:
        """Note the moment if it began anew since the last look."""
        number = self._read()
        if number != self._number:
            self._number = number
            self.moments.append(time.perf_counter())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Slow(NamedTuple):
    """The slowest flows: how many, in how many stretches of time; medians of their milliseconds until the decision was
    answered and until the requester knew; how many of them, and of all, the log began anew in.
    """

    flows: int
    stretches: int
    answered: float
    took: float
    renewed: int
    renewed_of_all: float

    @classmethod
    def of(cls, endings: Sequence[Ending], renewals: Sequence[float]) -> Self:
        """``renewals``: the moments at which the log began anew."""
        ordered = sorted(endings, key=lambda ending: -ending.took)[: max(1, round(len(endings) * SLOWEST))]
        moments = sorted(ending.decided_at for ending in ordered)
        gaps = [later - earlier for earlier, later in pairwise(moments)]

        def renewed(ending: Ending) -> bool:
            end = ending.decided_at + ending.took + _LATER
            return any(ending.decided_at <= moment <= end for moment in renewals)

        return cls(
            flows=len(ordered),
            stretches=1 + sum(gap > _TOGETHER for gap in gaps),
            answered=1000 * statistics.median(min(ending.answered, ending.took) for ending in ordered),
            took=1000 * statistics.median(ending.took for ending in ordered),
            renewed=sum(map(renewed, ordered)),
            renewed_of_all=sum(map(renewed, endings)) / len(endings),
        )

    def __str__(self) -> str:
        said = (
            f"slowest 1 %: {self.flows} in {self.stretches} stretches,"
            f" {self.answered:.1f} of {self.took:.1f} ms until the decision was answered"
        )
        if self.renewed_of_all:
            said += (
                f"; the log began anew in {self.renewed} of them, in {100 * self.renewed_of_all:.0f} % of all"
            )
        return said
