"""The server's own metrics, for ``/metrics``: plain numbers in memory, so that counting is almost free.
``METRICS`` declares each metric once; ``web/api/metrics.py`` writes them in the Prometheus format.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from signoff.core.intent import events as e
from signoff.core.intent.advance import Change
from signoff.core.intent.model import Task

_MOST_SERIES: Final = (
    2_000  # series per metric; any more are counted under OTHER, so that labels cannot exhaust memory
)
OTHER: Final = "other"
WORKSPACE: Final = "workspace"  # the first label of metrics of a workspace; inside the server, its id


class Metric(msgspec.Struct, frozen=True):
    """One metric; a histogram if it has ``buckets`` (upper bounds), else a counter."""

    name: str
    about: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_HUMAN: Final = (
    10, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR, 8 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY,
)  # fmt: skip

REQUESTS: Final = Metric(
    "signoff_http_requests", "Requests answered, by path template and status.", ("method", "path", "status")
)
REQUEST_SECONDS: Final = Metric(
    "signoff_http_request_duration_seconds",
    "Time to answer a request, except streams and long polls.",
    ("method", "path"),
    _SHORT,
)
BATCH_JOBS: Final = Metric(
    "signoff_commit_batch_jobs", "Commands committed together in one batch.", (), (1, 2, 4, 8, 16, 32, 64)
)
COMMIT_SECONDS: Final = Metric(
    "signoff_commit_duration_seconds", "Time of one batch in the database.", (), _SHORT
)
WAKE_LAG: Final = Metric(
    "signoff_wake_lag_seconds",
    "How late the earliest due timer (reminder, deadline, retry, lease) was when it was processed.",
    (),
    (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
MESSAGES: Final = Metric(
    "signoff_messages",
    "Attempts to send a message, by channel and result: sent, skipped, retry, next_channel, dead.",
    ("channel", "result"),
)
CREATED: Final = Metric("signoff_intents_created", "Intents created.", (WORKSPACE,))
ENDED: Final = Metric(
    "signoff_intents_ended",
    "Intents that became final, by status and ending.",
    (WORKSPACE, "status", "ending"),
)
TASKS_OPENED: Final = Metric("signoff_tasks_opened", "Tasks opened, by policy.", (WORKSPACE, "policy"))
DECISION_SECONDS: Final = Metric(
    "signoff_task_duration_seconds",
    "Time from the opening of a task to its end, by policy and ending.",
    (WORKSPACE, "policy", "ending"),
    _HUMAN,
)

METRICS: Final = (
    REQUESTS, REQUEST_SECONDS, BATCH_JOBS, COMMIT_SECONDS, WAKE_LAG, MESSAGES, CREATED, ENDED, TASKS_OPENED,
    DECISION_SECONDS,
)  # fmt: skip

# The values of one metric by labels: the one number of a counter; or a histogram's count per bucket, then the sum.
Series = dict[tuple[str, ...], list[float]]


UP: Final = "signoff_up"
ABOUT_UP: Final = "Whether the database responds: 1 or 0."
QUEUED: Final = "signoff_commit_queue_jobs"
IN_FLIGHT: Final = "signoff_commit_in_flight_seconds"
STREAMS: Final = "signoff_streams_open"
LOOPS: Final = "signoff_loops_failing"
GAUGES: Final = {
    QUEUED: "Commands that wait to be committed.",
    IN_FLIGHT: "For how long the oldest batch in flight has been in the database.",
    STREAMS: "Open streams and long polls.",
    LOOPS: "Loops (timers, deliveries, retention) that fail or are stuck.",
}


class Snapshot(msgspec.Struct, gc=False, array_like=True):
    """The metrics of one process, by their position in ``METRICS``, and its gauges by name."""

    series: list[list[tuple[tuple[str, ...], list[float]]]]
    gauges: dict[str, float]


_COUNTED: Final = (e.TaskOpened, e.Decided, e.Created)


class Metrics:
    """The metrics of this process."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {metric.name: {} for metric in METRICS}
        self._gauges: dict[str, Callable[[], float]] = {}
        self._requests: dict[tuple[str, str, int], list[float]] = {}  # a few hundred, as paths are templates

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Set the function that returns the value of this gauge of ``GAUGES``."""
        self._gauges[name] = read

    def count(self, metric: Metric, labels: tuple[str, ...] = (), by: float = 1) -> None:
        """Add to a counter."""
        self._of(metric, labels)[0] += by

    def observe(self, metric: Metric, value: float, labels: tuple[str, ...] = ()) -> None:
        """Add one value to a histogram."""
        found = self._of(metric, labels)
        found[bisect_left(metric.buckets, value)] += 1
        found[-1] += value

    def _of(self, metric: Metric, labels: tuple[str, ...]) -> list[float]:
        series = self._series[metric.name]
        return series.get(labels) or _new(series, metric, labels)

    def request(self, method: str, path: str, status: int, seconds: float | None) -> None:
        """Count one answered request. ``path``: its path template; ``seconds``: None for a stream."""
        kind = (method, path, status)
        found = self._requests.get(kind)
        if found is None:
            found = self._requests[kind] = self._of(REQUESTS, (method, path, str(status)))
        found[0] += 1
        if seconds is not None:
            self.observe(REQUEST_SECONDS, seconds, (method, path))

    def committed(self, changes: Iterable[Change]) -> None:
        """Count what a batch created, opened, decided and ended."""
        for change in changes:
            space = change.after.workspace
            for sealed in change.facts:
                event = sealed.fact.event
                if not isinstance(event, _COUNTED):
                    continue
                if isinstance(event, e.TaskOpened):
                    self.count(TASKS_OPENED, (space, _policy(change, event.step)))
                elif isinstance(event, e.Decided):
                    opened = _opened(change, event.step)
                    if opened is not None:
                        seconds = (sealed.fact.at - opened).total_seconds()
                        labels = (space, _policy(change, event.step), event.ending.value)
                        self.observe(DECISION_SECONDS, max(0.0, seconds), labels)
                else:
                    self.count(CREATED, (space,))
            after = change.after
            if after.final and (change.before is None or not change.before.final):
                self.count(ENDED, (space, after.status.value, after.ending.value if after.ending else ""))

    def snapshot(self) -> Snapshot:
        """The current values."""
        series = [list(self._series[metric.name].items()) for metric in METRICS]
        return Snapshot(series, {name: float(read()) for name, read in self._gauges.items()})


def merged(
    snapshots: Mapping[int, Snapshot],
) -> Iterable[tuple[Metric, list[tuple[int, tuple[str, ...], list[float]]]]]:
    """Each metric with the series of all workers: (worker, labels, values)."""
    for position, metric in enumerate(METRICS):
        yield (
            metric,
            [
                (worker, labels, values)
                for worker, snapshot in sorted(snapshots.items())
                for labels, values in snapshot.series[position]
            ],
        )


def _new(series: Series, metric: Metric, labels: tuple[str, ...]) -> list[float]:
    if len(series) >= _MOST_SERIES:
        labels = tuple(
            value if name == WORKSPACE else OTHER for name, value in zip(metric.labels, labels, strict=True)
        )
    size = len(metric.buckets) + 2 if metric.buckets else 1
    return series.setdefault(labels, [0.0] * size)


def _policy(change: Change, step: str) -> str:
    """The name of the policy of a human step, without its version; "" if it has none."""
    spec = change.after.plan.tasks.get(step)
    return spec.policy.partition("@")[0] if spec is not None else ""


def _opened(change: Change, step: str) -> datetime | None:
    """When the task that this change ends was opened."""
    task = change.before.open if change.before is not None else None
    if isinstance(task, Task) and task.step == step:
        return task.opened_at
    opened = (
        sealed.fact.at
        for sealed in change.facts
        if isinstance(sealed.fact.event, e.TaskOpened) and sealed.fact.event.step == step
    )
    return next(opened, None)
