"""What the slowest flows have in common, as far as it is visible from outside."""

import statistics
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import BinaryIO, Final, NamedTuple, Self

import asyncpg

from bench.flows import Ending
from bench.place import Place

SLOWEST: Final = 0.01
_TOGETHER: Final = 0.05  # seconds between decisions that count as one stretch
_LATER: Final = 0.01  # seconds after the end of a flow in which the checkpoint that delayed it may be seen
_SEGMENT: Final = """select floor(pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') / setting::bigint)
from pg_settings where name = 'wal_segment_size'"""
_NUMBER: Final = slice(12, 16)  # of the checkpoint, in the header of SQLite's log


class Log:
    """SQLite's write-ahead log, which restarts with the first commit after a complete checkpoint."""

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
        """Record the moment if the log restarted since the last call."""
        number = self._read()
        if number != self._number:
            self._number = number
            self.moments.append(time.perf_counter())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Marks(NamedTuple):
    """The number of checkpoints that PostgreSQL has begun, and the number of its current segment of the write-ahead
    log.
    """

    checkpoints: int
    segment: int

    @classmethod
    async def now(cls, place: Place) -> Self:
        """Zeros on SQLite."""
        if place.cluster is None:
            return cls(0, 0)
        db = await asyncpg.connect(place.url)
        try:
            newer = db.get_server_version() >= (17,)
            begun = "num_timed + num_requested from pg_stat_checkpointer"
            before_17 = "checkpoints_timed + checkpoints_req from pg_stat_bgwriter"
            checkpoints = await db.fetchval(f"select {begun if newer else before_17}")
            return cls(int(checkpoints), int(await db.fetchval(_SEGMENT)))
        finally:
            await db.close()

    def since(self, earlier: "Marks") -> "Marks":
        return Marks(self.checkpoints - earlier.checkpoints, self.segment - earlier.segment)


class Slow(NamedTuple):
    """The slowest flows: how many, and in how many stretches of time; the median milliseconds until the decision's
    response and until the requester's event; how many of them, and of all, began when SQLite's log restarted; what
    PostgreSQL did meanwhile.
    """

    flows: int
    stretches: int
    answered: float
    took: float
    renewed: int
    renewed_of_all: float
    marks: Marks | None = None

    @classmethod
    def of(cls, endings: Sequence[Ending], renewals: Sequence[float], marks: Marks | None = None) -> Self:
        """``renewals``: the moments at which the log restarted. ``marks``: None on SQLite."""
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
            marks=marks,
        )

    def __str__(self) -> str:
        said = (
            f"slowest 1 %: {self.flows} in {self.stretches} stretch{'es' * (self.stretches > 1)} of time,"
            f" {self.answered:.1f} of {self.took:.1f} ms until the decision was answered"
        )
        if self.renewed_of_all:
            said += (
                f"; the log began anew in {self.renewed} of them, in {100 * self.renewed_of_all:.0f} % of all"
            )
        if self.marks is not None:
            said += f"; checkpoints begun {self.marks.checkpoints}, new WAL segments {self.marks.segment}"
        return said
