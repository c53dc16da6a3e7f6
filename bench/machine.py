"""The machine, and the CPU time of each process. Linux only: read from /proc."""

import os
import platform
import statistics
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class Machine(NamedTuple):
    """The machine of a run. ``filesystem``: of the databases; ``sync_*``: milliseconds of an fdatasync."""

    processor: str
    cores: int
    memory_gib: int
    system: str
    python: str
    filesystem: str
    sync_p50: float
    sync_p99: float

    def lines(self) -> list[str]:
        durable = self.filesystem not in _IN_MEMORY
        return [
            f"machine  {self.processor}, {self.cores} cores, {self.memory_gib} GiB, {self.system}, {self.python}",
            f"disk     {self.filesystem}{'' if durable else ' (memory: nothing here is durable)'};"
            f" fdatasync of 8 KiB: p50 {self.sync_p50:.2f} ms, p99 {self.sync_p99:.2f} ms",
        ]


_IN_MEMORY = ("tmpfs", "ramfs")


def machine(folder: Path) -> Machine:
    """This machine, its interpreter and the disk of ``folder``."""
    model = next(
        (line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    p50, p99 = _disk(folder)
    return Machine(
        processor=model,
        cores=os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        system=f"Linux {platform.release()}",
        python=interpreter(),
        filesystem=_filesystem(folder),
        sync_p50=p50,
        sync_p99=p99,
    )


def interpreter() -> str:
    """The version of this interpreter, and whether it was built with profile-guided optimization, without which
    everything takes more time. Distributions use it in their own build scripts: one below /usr does not say so.
    """
    said = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    pgo = "--enable-optimizations" in said or sys.base_prefix == "/usr"
    return f"Python {platform.python_version()} {'with' if pgo else 'without'} PGO"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _filesystem(folder: Path) -> str:
    mounts = [line.split()[1:3] for line in _lines("/proc/mounts")]
    place = str(folder.resolve())
    over = [
        (mount, kind) for mount, kind in mounts if place == mount or place.startswith(mount.rstrip("/") + "/")
    ]
    return max(over, default=("", "?"))[1]


def _disk(folder: Path, times: int = 200) -> tuple[float, float]:
    """p50 and p99 in milliseconds of writing 8 KiB to the end of a file and syncing it."""
    path = folder / "fdatasync"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    taken = []
    try:
        os.write(descriptor, bytes(8192 * times))
        os.fsync(descriptor)
        for turn in range(times):
            begun = time.perf_counter()
            os.pwrite(descriptor, bytes(8192), 8192 * turn)
            os.fdatasync(descriptor)
            taken.append((time.perf_counter() - begun) * 1000)
    finally:
        os.close(descriptor)
        path.unlink()
    taken.sort()
    return taken[times // 2], taken[times * 99 // 100]


def resident(pid: int) -> int:
    """Resident memory of a process in bytes."""
    line = next(line for line in _lines(f"/proc/{pid}/status") if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def cpu_seconds(pids: list[int]) -> float:
    """CPU time that these processes have used; those that have ended count as zero."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def children(pid: int) -> list[int]:
    """The processes that ``pid`` started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def _busy() -> tuple[float, float]:
    """CPU seconds since boot: busy, and stolen by the host."""
    user, nice, system, _, _, irq, soft, stolen = map(int, _lines("/proc/stat")[0].split()[1:9])
    return (user + nice + system + irq + soft) / _TICKS, stolen / _TICKS


def pace() -> float:
    """The average microseconds of a thousand additions: the machine's current speed."""
    begun = time.perf_counter()
    turns = 0
    while time.perf_counter() - begun < 0.5:
        turns += 1
        total = 0
        for number in range(1000):
            total += number
    return (time.perf_counter() - begun) / turns * 1e6


class Reading(NamedTuple):
    """CPU seconds up to a moment, by user."""

    at: float
    server: float
    database: float
    load: float
    busy: float
    stolen: float

    @classmethod
    def now(cls, servers: list[int], database: list[int]) -> "Reading":
        load = time.process_time()
        return cls(time.perf_counter(), cpu_seconds(servers), cpu_seconds(database), load, *_busy())


class Usage(NamedTuple):
    """The cost of a stretch: microseconds of CPU for each operation, and the cores that other processes and the host's
    other machines used meanwhile.
    """

    server: float
    database: float
    load: float
    others: float
    stolen: float

    @classmethod
    def between(cls, begun: Reading, ended: Reading, operations: int) -> "Usage":
        spent = [after - before for before, after in zip(begun, ended, strict=True)]
        each = 1e6 / max(operations, 1)
        others = max(0.0, spent[4] - spent[1] - spent[2] - spent[3]) / spent[0]
        return cls(spent[1] * each, spent[2] * each, spent[3] * each, others, spent[5] / spent[0])

    @classmethod
    def median(cls, usages: "Sequence[Usage]") -> "Usage":
        """The median of each number."""
        return cls(*(statistics.median(column) for column in zip(*usages, strict=True)))

    @property
    def all(self) -> float:
        """Microseconds of all processes for each operation."""
        return self.server + self.database + self.load

    def __str__(self) -> str:
        parts = [f"server {self.server:.0f}"]
        if self.database:
            parts.append(f"database {self.database:.0f}")
        taken = f"others {self.others:.2f} cores, host {self.stolen:.2f}"
        return f"CPU us each: {', '.join(parts)}, load {self.load:.0f}; {taken}"
