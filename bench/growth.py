"""Costs with very many open tasks: decisions, the idle server, its disk, its reminders."""

import asyncio
import json
import random
import time
from datetime import datetime
from typing import Any, Final

from bench.creates import body
from bench.goals import goal
from bench.loop import run
from bench.machine import Usage
from bench.options import Options
from bench.place import GATE, REMIND_AFTER, REMINDED, Place
from bench.report import percentile, show
from bench.seed import seed, size
from bench.wire import Pool, request

FEW: Final = 10_000
ALONE: Final = 300  # decisions one after the other
BUSY: Final = 2000  # decisions with AT_ONCE in flight
AT_ONCE: Final = 64
REMINDERS: Final = 1000
_IDLE: Final = 3.0  # seconds
_REST: Final = 4.0  # seconds after the start, until what it left to do is done
_GIB: Final = 2**30


def growth(place: Place, options: Options) -> None:
    """First with FEW open tasks, then with ``options.gates``."""
    template = run(_gate(place))
    few = _grown(place, template, FEW)
    base = run(_decisions(place, few))
    before = size(place)
    many = _grown(place, template, options.gates - FEW)
    each = (size(place) - before) / len(many)
    waiting = idle(place)
    alone, busy = run(_decisions(place, many))
    print(f"with {options.gates:,} waiting gates:")
    show(goal("one", place.database), [alone])
    show(goal("one_growth", place.database), [alone / base[0]], note=f"{base[0]:.2f} ms among {FEW:,}")
    show(goal("busy", place.database), [busy])
    show(goal("busy_growth", place.database), [busy / base[1]], note=f"{base[1]:.0f} us among {FEW:,}")
    show(goal("idle", place.database), [waiting])
    show(goal("gates", place.database), [_GIB / each], note=f"{each:,.0f} bytes each")
    lags = run(_reminders(place))
    p50 = f"p50 {percentile(lags, 0.5):.3f} s"
    show(goal("reminders", place.database), [percentile(lags, 0.99)], note=p50)


async def _gate(place: Place) -> str:
    pool = await Pool(place.live.url).open(1)
    made = await pool.call(request("POST", "/v1/intents", place.keys["service"], body(GATE)))
    pool.close()
    return str(made["intent_id"])


def _grown(place: Place, template: str, count: int) -> list[str]:
    place.live.stop()
    ids = seed(place, template, count)
    place.live.start()
    return ids


def idle(place: Place) -> float:
    """Percent of a core that server and database use while idle."""
    time.sleep(_REST)
    begun = place.reading()
    time.sleep(_IDLE)
    ended = place.reading()
    return 100 * (ended.server + ended.database - begun.server - begun.database) / (ended.at - begun.at)


async def _decisions(place: Place, gates: list[str]) -> tuple[float, float]:
    """The p50 of single decisions, in milliseconds, and the CPU of each of AT_ONCE concurrent ones, in microseconds."""
    chosen = random.sample(gates, ALONE + BUSY)
    pool = await Pool(place.live.url).open(AT_ONCE)
    said = json.dumps({"outcome": "approved"}).encode()

    async def decide(intent_id: str) -> float:
        begun = time.perf_counter()
        path = f"/v1/tasks/{intent_id[:-4]}0001/answer"
        await pool.call(request("POST", path, place.keys["person"], said))
        return time.perf_counter() - begun

    alone = [await decide(intent_id) for intent_id in chosen[:ALONE]]
    begun = place.reading()
    await asyncio.gather(*(decide(intent_id) for intent_id in chosen[ALONE:]))
    used = Usage.between(begun, place.reading(), BUSY)
    pool.close()
    return percentile(alone, 0.5) * 1000, used.server + used.database


async def _reminders(place: Place) -> list[float]:
    """By how many seconds REMINDERS first reminders were late; all are due within one second."""
    pool = await Pool(place.live.url).open(AT_ONCE)
    create = request("POST", "/v1/intents", place.keys["service"], body(REMINDED))
    loop = asyncio.get_running_loop()
    first = loop.time()
    making = []
    for number in range(REMINDERS):
        await asyncio.sleep(max(0.0, first + number / REMINDERS - loop.time()))
        making.append(asyncio.create_task(pool.call(create)))
    made = [intent["intent_id"] for intent in await asyncio.gather(*making)]
    await asyncio.sleep(REMIND_AFTER + 1.0)
    lags = [await _lag(pool, place.keys["service"], intent_id) for intent_id in made]
    pool.close()
    return lags


async def _lag(pool: Pool, key: str, intent_id: str) -> float:
    """The lag of an intent's first reminder; polls until there is one."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        events = (await pool.call(request("GET", f"/v1/intents/{intent_id}/events", key)))["events"]
        opened = _at(events, "intent.human_task_assigned")
        reminded = _at(events, "intent.reminder")
        if opened and reminded:
            return (reminded - opened).total_seconds() - REMIND_AFTER
        await asyncio.sleep(0.1)
    raise RuntimeError(f"intent {intent_id} was never reminded of")


def _at(events: list[dict[str, Any]], kind: str) -> datetime | None:
    return next(
        (datetime.fromisoformat(event["at"]) for event in events if event["event_type"] == kind), None
    )
