"""The project's goal for each figure, and the floor below which no change may bring it."""

from typing import Final, NamedTuple

SQLITE: Final = "sqlite"
POSTGRES: Final = "postgres"
_GIB: Final = 2**30
BASE: Final = "947acff"  # the commit that the goals of a comparison with another checkout are about


class Goal(NamedTuple):
    """goal, floor: in ``unit``; None without one. ``more``: whether more is better. ``name`` and ``database`` identify
    the figure in a run.
    """

    text: str
    unit: str
    goal: float | None = None
    floor: float | None = None
    more: bool = False
    name: str = ""
    database: str = ""

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
# p50 and p99, each with its floor.
_LATENCY: Final = {SQLITE: ((1, 3), (3, 10)), POSTGRES: ((1.3, 3), (4, 10))}
_WORKERS: Final = {SQLITE: (1.4, 1.2), POSTGRES: (1.3, 1.25)}  # times the flows, times the CPU of each
_AGAINST: Final = {SQLITE: (1.25, 1.35), POSTGRES: (1.2, 1.3)}  # times the creates, times the flows


def goal(name: str, database: str) -> Goal:
    """The goal of a figure on a database."""
    creates, flows = _CREATES[database], _FLOWS[database]
    p50, p99 = _LATENCY[database]
    workers, workers_cpu = _WORKERS[database]
    against_creates, against_flows = _AGAINST[database]
    return {
        "creates": Goal("durable creates, 64 connections", "/s", *creates, more=True),
        "creates_keyed": Goal("  the same with Idempotency-Key", "/s", *creates, more=True),
        "flows_stream": Goal("approval flows, 64 in flight, agent by stream", "/s", *flows, more=True),
        "flows_claim": Goal("  the same, agent by claim and report", "/s", *flows, more=True),
        "flows_applied": Goal("  the same, agent called once more at the end", "/s", more=True),
        "peers": Goal("the same job: ours / the best of them", "x", 3, 2, more=True),
        "peers_cpu": Goal("  CPU of all processes: the least of theirs / ours", "x", 4, 3, more=True),
        "peers_approval": Goal("  ours without that last call / the best of them", "x", 3, 2, more=True),
        "decision_p50": Goal("decision -> waiter woken at 200 flows/s, p50", "ms", *p50),
        "decision_p99": Goal("  the same, p99", "ms", *p99),
        "replica_p50": Goal("decided on A, waiter on B, p50", "ms", 2.5, 5),
        "replica_p99": Goal("  the same, p99", "ms", 6, 15),
        "rate_20": Goal("CPU of all processes for a flow, at 20 flows/s", "us"),
        "rate_200": Goal("  at 200 flows/s", "us"),
        "rate_0": Goal("CPU of server and database while nothing happens", "% of a core", 1.0),
        "size": Goal("durable creates", "/s", more=True),
        "size_wait": Goal("  /health for another client meanwhile, p99", "ms"),
        "alone": Goal("/health for one client, alone, p99", "ms"),
        "shape": Goal("/health meanwhile, p99", "ms", 2.0),
        "history": Goal("with a long history", "ms"),
        "frozen": Goal("one server of two stopped: flows of the other / before", "x", 0.8, more=True),
        "workers_creates": Goal("creates: workers / one process", "x", more=True),
        "workers_flows": Goal("flows: workers / one process", "x", workers, more=True),
        "workers_flows_cpu": Goal("  CPU of all processes for a flow, likewise", "x", workers_cpu),
        "against_creates": Goal("creates: this / the other", "x", against_creates, more=True),
        "against_flows": Goal("flows: this / the other", "x", against_flows, more=True),
        "against_flows_cpu": Goal("  CPU of all processes for a flow, likewise", "x"),
        "start": Goal("cold start on an empty database to first answer", "s", 1.0),
        "memory": Goal("resident memory, idle", "MiB", 80),
        "listener": Goal("memory per idle SSE listener", "KiB", _GIB / 80_000 / 1024, _GIB / 40_000 / 1024),
        "one": Goal("one decision, alone", "ms"),
        "one_growth": Goal("  times that among 10,000 gates", "x", 2.0),
        "busy": Goal("one decision, 64 in flight, CPU of the server's side", "us"),
        "busy_growth": Goal("  times that among 10,000 gates", "x", 2.0),
        "idle": Goal("CPU while all of them wait", "% of a core", 1.0),
        "view": Goal("one view of a list, CPU of server and database", "ms", 6.0),
        "view_growth": Goal("the largest growth of a view of a list", "x", 1.5),
        "gates": Goal("waiting gates per GiB of disk", "", 300_000, 200_000, more=True),
        "reminders": Goal("lag of 1,000 reminders due in one second, p99", "s", 1.0),
    }[name]._replace(name=name, database=database)
