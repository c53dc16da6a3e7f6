"""A whole approval from outside: the requester creates it, the agent receives it and reports, the task opens, a person
decides with a key, the intent completes, and the requester's event stream has delivered the end. Only then does it
count.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from tests.live import Live

from bench.agents import Claiming, Problems, Streaming, Worker, worker
from bench.creates import body
from bench.goals import goal
from bench.loop import run
from bench.machine import Usage
from bench.options import Options
from bench.place import APPROVAL, Place
from bench.report import show
from bench.wire import Pool, request

IN_FLIGHT: Final = 64
WARM_UP: Final = 1.0
_ASSIGNED: Final = b"event: intent.human_task_assigned"
_COMPLETED: Final = b"event: intent.completed"
_OTHER_ENDS: Final = (b"event: intent.failed", b"event: intent.timed_out", b"event: intent.canceled")
_INTENT_ID: Final = b'"intent_id":"'
_TASK_ID: Final = b'"task_id":"'
_IDS: Final = 36


class Ending(NamedTuple):
    """The end of a flow, in seconds: the moment of the decision, then how long it took until its response and until
    the requester's event.
    """

    decided_at: float
    answered: float
    took: float


class Load:
    """The clients of the server: requester, agent, person. ``ended`` is called for each flow."""

    def __init__(self, place: Place, ended: Callable[[Ending], None], intent_type: str = APPROVAL) -> None:
        self._keys = place.keys
        self.ended = ended
        self.problems = Problems()
        self._create = request("POST", "/v1/intents", place.keys["service"], body(intent_type))
        self._answer = json.dumps({"outcome": "approved"}).encode()
        self.running = 0

    async def open(self, asks: Live, follows: Live, agent: type[Streaming] | type[Claiming]) -> None:
        """Connect: requests go to one server, and events come from the other (or the same)."""
        self.asks = await Pool(asks.url).open(2 * IN_FLIGHT)
        self.follows = await Pool(follows.url).open(4 * IN_FLIGHT)
        self.worker: Worker = await worker(agent, self.asks, self._keys["agent"], self.problems)

    def flow(self) -> None:
        """Start one."""
        self.running += 1
        self.asks.ask(self._create, self._created)

    def _created(self, status: int, answer: bytes) -> None:
        if status != 200:
            self.problems.note("a create", status, answer)
            return
        at = answer.index(_INTENT_ID) + len(_INTENT_ID)
        Followed(self, answer[at : at + _IDS].decode()).start()

    def decide(self, task_id: str, answered: Callable[[], None]) -> None:
        def heard(status: int, answer: bytes) -> None:
            answered()
            if status != 200:
                self.problems.note("a decision", status, answer)

        path = f"/v1/tasks/{task_id}/answer"
        self.asks.ask(request("POST", path, self._keys["person"], self._answer), heard)

    def follow(
        self, intent_id: str, told: Callable[[bytes], None], ended: Callable[[int, bytes], None]
    ) -> None:
        path = f"/v1/intents/{intent_id}/events/stream?wait_seconds=60"
        said = request("GET", path, self._keys["service"], x_axme_client="signoff-bench/1")
        self.follows.ask(said, ended, told)

    def close(self) -> None:
        self.worker.close()
        self.asks.close()
        self.follows.close()

    def check(self) -> None:
        if self.problems.first:
            raise RuntimeError(self.problems.first)


class Followed:
    """One intent as its requester sees it, and the moment of its decision."""

    def __init__(self, load: Load, intent_id: str) -> None:
        self._load = load
        self._intent_id = intent_id
        self._decided_at = 0.0
        self._answered_at = 0.0
        self._completed_at = 0.0

    def start(self) -> None:
        self._load.follow(self._intent_id, self._told, self._ended)

    def _told(self, chunk: bytes) -> None:
        if not self._decided_at and (at := chunk.find(_ASSIGNED)) >= 0:
            begins = chunk.index(_TASK_ID, at) + len(_TASK_ID)
            self._decided_at = time.perf_counter()
            self._load.decide(chunk[begins : begins + _IDS].decode(), self._answered)
        if _COMPLETED in chunk:
            self._completed_at = time.perf_counter()
        elif any(end in chunk for end in _OTHER_ENDS):
            self._load.problems.note("a flow", 200, chunk)

    def _answered(self) -> None:
        self._answered_at = time.perf_counter()

    def _ended(self, status: int, answer: bytes) -> None:
        if status != 200 or not self._completed_at:
            self._load.problems.note("an event stream", status, answer or b"it ended before the intent did")
        self._load.running -= 1
        # The requester may hear of the end before the person is answered.
        answered_at = self._answered_at or self._completed_at
        decided_at = self._decided_at
        self._load.ended(Ending(decided_at, answered_at - decided_at, self._completed_at - decided_at))


class ClosedLoop:
    """Keeps IN_FLIGHT flows running: the end of one starts the next. ``done``: how many have ended."""

    def __init__(self, place: Place, intent_type: str = APPROVAL) -> None:
        self._load = Load(place, self._ended, intent_type)
        self._stopping = False
        self._quiet = asyncio.Event()
        self.done = 0

    def _ended(self, _: Ending) -> None:
        self.done += 1
        if not self._stopping and not self._load.problems.first:
            self._load.flow()
        elif not self._load.running:
            self._quiet.set()

    async def start(self, live: Live, agent: type[Streaming] | type[Claiming]) -> None:
        """Return after the warm-up."""
        await self._load.open(live, live, agent)
        for _ in range(IN_FLIGHT):
            self._load.flow()
        await asyncio.sleep(WARM_UP)

    async def stop(self) -> None:
        """Wait for the running flows; raises RuntimeError if anything failed."""
        self._stopping = True
        self._load.check()
        await asyncio.wait_for(self._quiet.wait(), 30)
        self._load.close()


async def closed(
    place: Place, agent: type[Streaming] | type[Claiming], seconds: float, intent_type: str = APPROVAL
) -> tuple[float, Usage]:
    """Flows a second in a closed loop."""
    loop = ClosedLoop(place, intent_type)
    await loop.start(place.live, agent)
    before, begun = loop.done, place.reading()
    await asyncio.sleep(seconds)
    finished, stop = loop.done - before, place.reading()
    await loop.stop()
    return finished / (stop.at - begun.at), Usage.between(begun, stop, finished)


def flows(place: Place, options: Options) -> None:
    """Closed loop, in both ways in which an agent can get its work."""
    for name, agent in (("flows_stream", Streaming), ("flows_claim", Claiming)):
        runs = [run(closed(place, agent, options.seconds)) for _ in range(options.repeats)]
        show(goal(name, place.database), [rate for rate, _ in runs], [usage for _, usage in runs])
