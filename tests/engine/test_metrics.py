"""Metrics of a batch: each task by its own time, each end once, with a bounded number of series."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from signoff.core.intent import commands as c
from signoff.engine.metrics import DECISION_SECONDS, ENDED, METRICS, OTHER, Metric, Metrics
from tests.builders import ANN, WORKSPACE, Story, gate
from tests.core.asking import asking, step

MINUTE = timedelta(minutes=1)


def counted(metrics: Metrics, metric: Metric) -> dict[tuple[str, ...], list[float]]:
    return dict(metrics.snapshot().series[METRICS.index(metric)])


def seconds(metrics: Metrics) -> list[float]:
    """The histogram's sums, by policy and ending."""
    return [values[-1] for values in counted(metrics, DECISION_SECONDS).values()]


def two_gates() -> Story:
    return Story(gate(step(name="first", policy="short@1"), step(name="second", policy="long@2")))


def test_each_task_of_a_batch_is_measured_from_its_own_opening() -> None:
    story, metrics = two_gates(), Metrics()
    one = story.do(c.Answer("approved"), ANN, after=5 * MINUTE)
    two = story.do(c.Answer("approved"), ANN, after=7 * MINUTE)
    metrics.committed([one, two])
    expected = {(WORKSPACE, "short", "approved"): 300.0, (WORKSPACE, "long", "approved"): 420.0}
    found = counted(metrics, DECISION_SECONDS)
    assert {labels: values[-1] for labels, values in found.items()} == expected
    together = Metrics()  # as one transition
    together.committed([replace(two, before=one.before, facts=[*one.facts, *two.facts])])
    assert counted(together, DECISION_SECONDS) == found


def test_clock_set_back_gives_no_negative_duration() -> None:
    story, metrics = asking(), Metrics()
    metrics.committed([story.do(c.Answer("approved"), ANN, after=-MINUTE)])
    assert seconds(metrics) == [0.0]


def test_ending_is_counted_once() -> None:
    story, metrics = asking(), Metrics()
    end = story.do(c.Answer("approved"), ANN)
    later = replace(end, before=end.after, facts=[])
    metrics.committed([end, later])
    assert counted(metrics, ENDED) == {(WORKSPACE, "COMPLETED", "approved"): [1.0]}


def test_workspaces_beyond_the_series_limit_keep_their_own_series() -> None:
    metrics = Metrics()
    for number in range(2_000):
        metrics.count(ENDED, ("ws_1", "COMPLETED", f"ending {number}"))
    more: list[tuple[str, Any, Any]] = [("ws_1", "x", "y"), ("ws_2", "x", "y"), ("ws_2", "z", "y")]
    for labels in more:
        metrics.count(ENDED, labels)
    found = counted(metrics, ENDED)
    assert len(found) == 2_002
    assert (found["ws_1", OTHER, OTHER], found["ws_2", OTHER, OTHER]) == ([1], [2])
