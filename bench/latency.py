"""Flows that arrive at a fixed rate: how long a decision takes to reach the requester, and the cost of a flow at low
rates.
"""

import asyncio
from typing import Final, NamedTuple

from tests.live import Live

from bench.agents import Streaming
from bench.causes import SLOWEST, Log, Marks, Slow
from bench.flows import WARM_UP, Ending, Load
from bench.goals import goal
from bench.growth import idle
from bench.loop import run
from bench.machine import Usage
from bench.options import Options
from bench.place import Place
from bench.report import percentile, show

RATE: Final = 200  # flows a second
RATES: Final = (20, 200)
_LEAST: Final = 3.0  # seconds, so that few flows are enough of them


class Stretch(NamedTuple):
    """The flows of a stretch of time: their costs, when SQLite's log restarted, what PostgreSQL did."""

    endings: list[Ending]
    usage: Usage
    renewals: list[float]
    marks: Marks


async def arriving(place: Place, follows: Live, rate: int, seconds: float) -> Stretch:
    log = Log(place)
    endings: list[Ending] = []

    def ended(ending: Ending) -> None:
        endings.append(ending)
        log.look()

    load = Load(place, ended)
    await load.open(place.live, follows, Streaming)
    before = await Marks.now(place)
    loop = asyncio.get_running_loop()
    first = loop.time()
    warm = 0
    begun = place.reading()
    for number in range(int(rate * (seconds + WARM_UP))):
        await asyncio.sleep(max(0.0, first + number / rate - loop.time()))
        load.check()
        load.flow()
        log.look()
        if not warm and loop.time() - first > WARM_UP:
            warm, begun = len(endings), place.reading()
    stop, finished = place.reading(), len(endings) - warm
    give_up = loop.time() + 30
    while load.running and loop.time() < give_up:
        await asyncio.sleep(0.05)
        load.check()
    load.close()
    log.close()
    marks = (await Marks.now(place)).since(before)
    return Stretch(endings[warm:], Usage.between(begun, stop, finished), log.moments, marks)


def latency(place: Place, options: Options) -> None:
    """Decision to waiter; on PostgreSQL also with the waiter on another server."""
    _latency("decision", place, place.live, options)
    if place.cluster is not None:
        other = place.server()
        other.start()
        _latency("replica", place, other, options)
        other.stop()


def _latency(name: str, place: Place, follows: Live, options: Options) -> None:
    runs = [run(arriving(place, follows, RATE, 1.5 * options.seconds)) for _ in range(options.repeats)]
    took = [[ending.took * 1000 for ending in stretch.endings] for stretch in runs]
    p50 = [percentile(repeat, 0.5) for repeat in took]
    show(goal(f"{name}_p50", place.database), p50, [stretch.usage for stretch in runs])
    endings = [ending for stretch in runs for ending in stretch.endings]
    moments = [moment for stretch in runs for moment in stretch.renewals]
    marks = Marks(*map(sum, zip(*(stretch.marks for stretch in runs), strict=True)))
    slow = Slow.of(endings, moments, marks if place.cluster is not None else None)
    p99 = [percentile(repeat, 1 - SLOWEST) for repeat in took]
    show(goal(f"{name}_p99", place.database), p99, note=str(slow))


def rates(place: Place, options: Options) -> None:
    """The cost of a flow at low rates, and of an idle server."""
    show(goal("rate_0", place.database), [idle(place)])
    for rate in RATES:
        usage = run(arriving(place, place.live, rate, max(_LEAST, options.seconds))).usage
        show(goal(f"rate_{rate}", place.database), [usage.all], [usage])
