"""The cost of an intent with a long history: its events, its card, a decision. The history consists of progress
reports; one intent of each length is made through the API and copied.
"""

import asyncio
import http.client
import json
from typing import Final
from urllib.parse import urlsplit

from bench.agents import RESULT
from bench.creates import body
from bench.goals import goal
from bench.lists import Ask, asking, sign_in
from bench.loop import run
from bench.machine import Usage
from bench.options import Options
from bench.place import APPROVAL, Place
from bench.report import show
from bench.seed import seed
from bench.wire import Pool, request

EVENTS: Final = (20, 200, 2000)
_DECISIONS: Final = 100  # each on an intent of its own
_VIEWS: Final = 50
_AT_ONCE: Final = 32
_OTHERS: Final = 4  # events: created, delivered, the result, the task
_LEAST: Final = 0.1  # milliseconds; less cannot be told from nothing


def histories(place: Place, options: Options) -> None:
    first: dict[str, float] = {}
    for events in EVENTS:
        intent_id, task_id = run(_made(place, events))
        place.live.stop()
        copies = seed(place, intent_id, _DECISIONS)
        place.live.start()
        step = task_id[-4:]  # the rest is the intent's
        connection = http.client.HTTPConnection(urlsplit(place.live.url).netloc)
        cookie = {"cookie": sign_in(connection, place.keys["person"])}
        key = {"x-api-key": place.keys["service"]}
        costs = {
            "reading all events": _cost(place, asking(connection, f"/v1/intents/{intent_id}/events", key)),
            "its card": _cost(place, asking(connection, f"/tasks/{task_id}", cookie)),
            "a decision": run(_decisions(place, [f"{copy[:-4]}{step}" for copy in copies])),
        }
        connection.close()
        print(f"an intent with {events:,} events, CPU of server and database:")
        for what, cost in costs.items():
            base = first.setdefault(what, max(cost, _LEAST))
            line = goal("history", place.database)._replace(text=f"  {what}", name=f"history_{events}")
            show(line, [cost], note=f"{cost / base:.2f} x that with {EVENTS[0]}")


async def _made(place: Place, events: int) -> tuple[str, str]:
    """An intent with this many events that waits for a person, and its task."""
    pool = await Pool(place.live.url).open(_AT_ONCE)
    made = await pool.call(request("POST", "/v1/intents", place.keys["service"], body(APPROVAL)))
    intent_id = str(made["intent_id"])
    path, agent = f"/v1/intents/{intent_id}/resume", place.keys["agent"]
    progress = request("POST", path, agent, b"{}")
    left = events - _OTHERS
    while left:
        some = min(left, _AT_ONCE)
        await asyncio.gather(*(pool.call(progress) for _ in range(some)))
        left -= some
    done = request("POST", path, agent, json.dumps({"action": "complete", **RESULT}).encode())
    task_id = str((await pool.call(done))["intent"]["human_task"]["task_id"])
    pool.close()
    return intent_id, task_id


def _cost(place: Place, ask: Ask) -> float:
    """Milliseconds of CPU of server and database for each view after the first."""
    ask()
    begun = place.reading()
    for _ in range(_VIEWS):
        ask()
    return _server(Usage.between(begun, place.reading(), _VIEWS))


def _server(used: Usage) -> float:
    return (used.server + used.database) / 1000


async def _decisions(place: Place, tasks: list[str]) -> float:
    """Milliseconds of CPU of server and database for each of several consecutive decisions."""
    pool = await Pool(place.live.url).open(1)
    said = json.dumps({"outcome": "approved"}).encode()
    begun = place.reading()
    for task_id in tasks:
        await pool.call(request("POST", f"/v1/tasks/{task_id}/answer", place.keys["person"], said))
    used = Usage.between(begun, place.reading(), len(tasks))
    pool.close()
    return _server(used)
