"""A server's metrics in the Prometheus formats: each worker's metrics with a label for the worker, the database's
metrics once.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from signoff.engine.metrics import ABOUT_UP, GAUGES, UP, WORKSPACE, Snapshot, merged
from signoff.engine.read.totals import Total, Values

_WORKER: Final = "worker"
# Gauges of the process that answers.
_PROCESS: Final = CollectorRegistry(auto_describe=False)
ProcessCollector(registry=_PROCESS)
PlatformCollector(registry=_PROCESS)
GCCollector(registry=_PROCESS)


def write(
    snapshots: Mapping[int, Snapshot],
    totals: Mapping[Total, Values],
    reachable: bool,
    build: tuple[str, str],
    accept: str,
    spaces: Mapping[str, str],
    only: str = "",
) -> tuple[bytes, str]:
    """Return the body and its media type. ``reachable``: whether the database responds; ``build``: version and kind
    of database; ``accept``: the scraper's header, which chooses the format; ``spaces``: the names of workspaces by
    id; ``only``: the one workspace whose metrics to show, "" for all.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(snapshots, totals, reachable, build, spaces, only))
    try:
        encode, media = choose_encoder(accept)
    except TypeError:  # the library fails on versions that are not numbers
        encode, media = choose_encoder("")
    return encode(registry), media


class _Numbers(Collector):
    """The metrics of one scrape."""

    def __init__(
        self,
        snapshots: Mapping[int, Snapshot],
        totals: Mapping[Total, Values],
        reachable: bool,
        build: tuple[str, str],
        spaces: Mapping[str, str],
        only: str,
    ) -> None:
        self._snapshots = snapshots
        self._totals = totals
        self._reachable = reachable
        self._build = build
        self._spaces = spaces
        self._only = only

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(UP, ABOUT_UP, value=float(self._reachable))
        build = GaugeMetricFamily(
            "signoff_build_info", "Version and database.", labels=("version", "database")
        )
        build.add_metric(self._build, 1)
        yield build
        for metric, series in merged(self._snapshots):
            labels = (*metric.labels, _WORKER)
            family = (HistogramMetricFamily if metric.buckets else CounterMetricFamily)(
                metric.name, metric.about, labels=labels
            )
            for worker, values, numbers in series:
                shown = self._shown(metric.labels, values)
                if shown is None:
                    continue
                named = (*shown, str(worker))
                if isinstance(family, HistogramMetricFamily):
                    family.add_metric(named, _buckets(metric.buckets, numbers), numbers[-1])
                else:
                    family.add_metric(named, numbers[0])
            yield family
        yield from self._gauges()
        for total, found in self._totals.items():
            gauge = GaugeMetricFamily(total.name, total.about, labels=total.labels)
            for values, number in found.items():
                shown = self._shown(total.labels, values)
                if shown is not None:
                    gauge.add_metric(shown, number)
            yield gauge
        yield from _PROCESS.collect()

    def _shown(self, names: tuple[str, ...], values: tuple[str, ...]) -> tuple[str, ...] | None:
        """The labels with the workspace's name in place of its id; None if the reader may not see that workspace."""
        if names[:1] != (WORKSPACE,):
            return values
        if self._only not in ("", values[0]):
            return None
        return (self._spaces.get(values[0], values[0]), *values[1:])

    def _gauges(self) -> Iterable[Metric]:
        abouts: dict[str, GaugeMetricFamily] = {}
        for worker, snapshot in sorted(self._snapshots.items()):
            for name, value in snapshot.gauges.items():
                family = abouts.setdefault(name, GaugeMetricFamily(name, GAUGES[name], labels=(_WORKER,)))
                family.add_metric((str(worker),), value)
        yield from abouts.values()


def _buckets(bounds: tuple[float, ...], numbers: list[float]) -> list[tuple[str, float]]:
    """The buckets as Prometheus expects them: cumulative, with a last one that counts everything."""
    found, total = [], 0.0
    for bound, count in zip((*map(str, map(float, bounds)), "+Inf"), numbers, strict=False):
        total += count
        found.append((bound, total))
    return found
