"""What the project promises of each figure: its goal, and the floor that no change may bring it under."""

from typing import Final, NamedTuple

SQLITE: Final = "sqlite"
POSTGRES: Final = "postgres"
_GIB: Final = 2**30


class Goal(NamedTuple):
    """goal, floor: in ``unit``; None where nothing is promised. ``more``: whether more is better."""

    text: str
    unit: str
    goal: float | None = None
    floor: float | None = None
    more: bool = False

    def judge(self, value: float) -> str:
        if self.goal is None:
            return ""
        if self._reaches(value, self.goal):
            return "ok"
        return (
            "BELOW FLOOR" if self.floor is not None and not self._reaches(value, self.floor) else "below goal"
        )

    def _reaches(self, value: float, mark: float) -> bool:
        return value >= mark if self.more else value <= mark


_CREATES: Final = {SQLITE: (4500, 3000), POSTGRES: (6500, 4500)}
_FLOWS: Final = {SQLITE: (1300, 900), POSTGRES: (1400, 1000)}


def goal(name: str, database: str) -> Goal:
    """What is promised of a figure on a database."""
    creates, flows = _CREATES[database], _FLOWS[database]
    return {
        "creates": Goal("durable creates, 64 connections", "/s", *creates, more=True),
        "creates_keyed": Goal("  the same with Idempotency-Key", "/s", *creates, more=True),
        "flows_stream": Goal("approval flows, 64 in flight, agent by stream", "/s", *flows, more=True),
        "flows_claim": Goal("  the same, agent by claim and report", "/s", *flows, more=True),
        "flows_applied": Goal("  the same, agent called once more at the end", "/s", more=True),
        "peers": Goal("the same job: ours / the best of them", "x", 3.0, more=True),
        "peers_approval": Goal("  ours without that last call / the best of them", "x", 3.0, more=True),
        "decision_p50": Goal("decision -> waiter woken at 200 flows/s, p50", "ms", 1.5, 3),
        "decision_p99": Goal("  the same, p99", "ms", 4, 10),
        "replica_p50": Goal("decided on A, waiter on B, p50", "ms", 3, 5),
        "replica_p99": Goal("  the same, p99", "ms", 8, 15),
        "start": Goal("cold start on an empty database to first answer", "s", 1.0),
        "memory": Goal("resident memory, idle", "MiB", 80),
        "listener": Goal("memory per idle SSE listener", "KiB", _GIB / 80_000 / 1024, _GIB / 40_000 / 1024),
        "one": Goal("one decision, alone", "ms"),
        "one_growth": Goal("  times that among 10,000 gates", "x", 2.0),
        "busy": Goal("one decision, 64 in flight, CPU of the server's side", "us"),
        "busy_growth": Goal("  times that among 10,000 gates", "x", 2.0),
        "idle": Goal("CPU while all of them wait", "% of a core", 1.0),
        "view": Goal("one view of a list, CPU of server and database", "ms", 6.0),
        "gates": Goal("waiting gates per GiB of disk", "", 300_000, 200_000, more=True),
        "reminders": Goal("lag of 1,000 reminders due in one second, p99", "s", 1.0),
    }[name]
