"""Every process is killed with kill -9 at every point of the main job; the result is as if nothing had happened."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from signoff.core.intent import events as e
from signoff.core.intent.events import Fact
from signoff.core.intent.model import Intent, Status
from tests.live import Live
from tests.stories.crash import (
    WORKFLOW,
    Answer,
    Looked,
    Process,
    ask,
    database_of,
    fresh_database,
    look,
    noted,
    stopped_at_the_end,
)
from tests.stories.programs import KIND
from tests.stories.servers import KINDS, until

LONG = 240.0  # a guard against hanging
COUNT = 4


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    """A server for a single story, on each of the databases."""
    with (
        fresh_database(request, request.param) as url,
        stopped_at_the_end(Live(tmp_path / ".signoff", url, console_notifications="off")) as live,
    ):
        yield live


class Storm:
    """One agent, several waiting clients and a person who decides; a seeded random generator kills any of them."""

    def __init__(self, live: Live, folder: Path, seed: int) -> None:
        self.live = live
        self.folder = folder
        self.chance = random.Random(seed)
        self.agent = Process("agent", folder / "agent", live)
        self.clients = [Process("client", folder / str(number), live) for number in range(COUNT)]
        self.agent_killed = 0
        self.decided: dict[str, str] = {}

    def end(self) -> None:
        for process in (self.agent, *self.clients):
            process.kill()

    def strike(self, *always: str) -> None:
        """Kill some of them, always including ``always``, and restart them, both in random order."""
        victims = [
            who for who in ("server", "agent", "clients") if who in always or self.chance.random() < 0.5
        ]
        self.chance.shuffle(victims)
        for who in victims:
            self._kill(who)
        self.chance.shuffle(victims)
        for who in victims:
            self._start(who)

    def _kill(self, who: str) -> None:
        if who == "server":
            self.live.kill()
        elif who == "agent":
            self.agent.kill()
            self.agent_killed += 1
        else:
            self._struck = [client for client in self.clients if self.chance.random() < 0.6]
            for client in self._struck:
                client.kill()

    def _start(self, who: str) -> None:
        if who == "server":
            self.live.start()
        elif who == "agent":
            self.agent.start()
        else:
            for client in self._struck:
                client.start()

    # -- what can be seen from outside

    def ids(self) -> list[str]:
        """The intents whose clients know that they were submitted."""
        sent = [noted(self.folder / str(number) / "sent") for number in range(COUNT)]
        return [lines[0]["intent"] for lines in sent if lines]

    def runs(self) -> list[dict[str, Any]]:
        return noted(self.folder / "agent" / "runs")

    def go(self, count: int) -> None:
        """Let the agent finish the first ``count`` intents; the file is renamed into place so that it is never read
        half-written.
        """
        draft = self.folder / "agent" / "go.draft"
        draft.write_text(str(count))
        draft.rename(self.folder / "agent" / "go")

    def waiting(self) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = ask(self.live, "GET", "/v1/tasks?limit=200").json["tasks"]
        return tasks

    def reach(self, look: Callable[[], int], count: int) -> None:
        """Wait until this many have reached this state."""
        try:
            until(lambda: look() >= count, LONG)
        except AssertionError:
            raise AssertionError(f"{look()} of {count}; agent: {self.agent.said[-2000:]}") from None

    def decide(self, task: dict[str, Any], outcome: str) -> None:
        """Answer until a response arrives; a decision that was made but not acknowledged is recognized as ours."""

        def attempt() -> bool:
            try:
                said = ask(self.live, "POST", f"/v1/tasks/{task['task_id']}/answer", {"outcome": outcome})
            except OSError:
                return False  # the server is being killed
            if said.status == 409:
                assert said.code == "already_decided", said
                assert said.json["error"]["details"]["outcome"] == outcome
            return said.status in (200, 409)

        until(attempt, LONG)
        self.decided[task["intent_id"]] = outcome

    def results(self) -> list[dict[str, Any]]:
        found = [noted(self.folder / str(number) / "result") for number in range(COUNT)]
        return [lines[0] for lines in found if lines]


@pytest.mark.parametrize("seed", [1, 2])
def test_flow_killed_at_every_point_ends_as_without_a_kill(server: Live, tmp_path: Path, seed: int) -> None:
    assert ask(server, "POST", "/v1/workflows", WORKFLOW).status == 200
    storm = Storm(server, tmp_path, seed)
    try:
        live_through(storm)
    finally:
        storm.end()
    server.stop()
    judge(storm, look(database_of(server)))


def live_through(storm: Storm) -> None:
    half = COUNT // 2
    # before and while they are sent; nobody listens yet
    storm.live.kill()
    for client in storm.clients:
        client.start()
    storm.live.start()
    storm.reach(lambda: len(storm.ids()), storm.chance.randint(1, half))
    storm.strike("server")
    storm.reach(lambda: len(storm.ids()), COUNT)
    # while deliveries are taken, and while the work is being done
    storm.agent.start()
    storm.reach(lambda: len({run["intent"] for run in storm.runs()}), storm.chance.randint(1, half))
    storm.strike("agent")
    storm.reach(lambda: len({run["intent"] for run in storm.runs()}), COUNT)
    # while results are reported, each opening its gate
    storm.go(storm.chance.randint(1, COUNT - 1))
    storm.reach(lambda: len(storm.waiting()), 1)
    storm.strike()
    storm.go(COUNT)
    storm.reach(lambda: len(storm.waiting()), COUNT)
    # all gates are open
    storm.strike("clients")
    # while they are decided and completed
    tasks = storm.waiting()
    storm.chance.shuffle(tasks)
    with ThreadPoolExecutor(COUNT) as people:
        outcomes = [storm.chance.choice(["approved", "approved", "rejected"]) for _ in tasks]
        deciding = [
            people.submit(storm.decide, task, outcome) for task, outcome in zip(tasks, outcomes, strict=True)
        ]
        until(lambda: storm.decided or all(one.done() for one in deciding), LONG)
        storm.strike("server", "clients")
        for one in deciding:
            one.result(LONG)
    storm.strike()
    storm.reach(lambda: len(storm.results()), COUNT)


def judge(storm: Storm, looked: Looked) -> None:
    assert looked.findings == []
    assert sorted(looked.intents) == sorted(storm.ids())
    assert {result["intent"]: result for result in storm.results()}.keys() == looked.intents.keys()
    for result in storm.results():
        ended = looked.intents[result["intent"]]
        outcome = storm.decided[ended.id]
        assert (result["status"], result["outcome"]) == (ended.status.value, outcome)
        assert ended.status is (Status.COMPLETED if outcome == "approved" else Status.FAILED)
        judge_history(storm, ended, looked.histories[ended.id])


def judge_history(storm: Storm, ended: Intent, facts: list[Fact]) -> None:
    """Decided once, one result, and redelivered only where a lease expired."""
    kinds = Counter(type(fact.event) for fact in facts)
    for once in (e.Created, e.Reported, e.TaskOpened, e.Answered, e.Decided):
        assert kinds[once] == 1, (once, facts)
    assert kinds[e.Offered] == 1 + kinds[e.AttemptFailed]
    claims: list[tuple[Fact, e.Claimed]] = []
    for fact in facts:
        if isinstance(fact.event, e.Claimed):
            claims.append((fact, fact.event))
        if isinstance(fact.event, e.AttemptFailed):
            assert fact.event.reason == "lease_expired"
            assert fact.at >= claims[-1][1].lease_until
    runs = [run for run in storm.runs() if run["intent"] == ended.id]
    tokens = [claim.token for _, claim in claims]
    assert {run["token"] for run in runs} <= set(tokens), "work was done that nobody was given"
    assert len(runs) == len({run["token"] for run in runs}), "one delivery was worked on twice"
    assert len({run["key"] for run in runs}) == 1
    assert len(tokens) == len(set(tokens)) == kinds[e.Offered] + kinds[e.Released]


class Flood:
    """Clients that run continuously: each submits and decides gates, and remembers what was acknowledged."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.enough = threading.Event()
        self.submitted: dict[str, str] = {}
        self.decided: dict[str, str] = {}
        self.unsure = 0

    def ask(self, path: str, body: Any, key: str) -> Any:
        """One request, repeated with its Idempotency-Key until there is a response; returns it."""

        def attempt() -> Answer | None:
            try:
                answer = ask(self.live, "POST", path, body, idempotency_key=key)
            except OSError:
                self.unsure += 1
                return None
            return None if answer.status == 503 else answer

        answer = until(attempt, LONG)
        assert answer.status == 200, answer
        return answer.json

    def caller(self, number: int) -> None:
        turn = 0
        while not self.enough.is_set():
            turn += 1
            key = f"{number}-{turn}"
            body = {"intent_type": KIND, "human_task": {"title": key}, "payload": {"key": key}}
            intent_id = self.submitted[key] = self.ask("/v1/intents", body, key)["intent_id"]
            outcome = ("approved", "rejected")[turn % 2]
            self.ask(f"/v1/tasks/{intent_id}/answer", {"outcome": outcome}, f"{key}-answer")
            self.decided[intent_id] = outcome

    @contextmanager
    def calling(self) -> Iterator[list[Future[None]]]:
        """Four clients run until the end of the block; an error in any of them is raised."""
        with ThreadPoolExecutor(4) as callers:
            calling = [callers.submit(self.caller, number) for number in range(4)]
            try:
                yield calling
            finally:
                self.enough.set()
            for one in calling:
                one.result(LONG)

    def judge(self, looked: Looked) -> None:
        """Everything acknowledged is stored exactly once."""
        assert looked.findings == []
        assert sorted(self.submitted.values()) == sorted(looked.intents), "one is lost, or was made twice"
        assert len(set(self.submitted.values())) == len(self.submitted)
        for intent_id, outcome in self.decided.items():
            assert looked.intents[intent_id].outcome == outcome
            assert sum(isinstance(fact.event, e.Decided) for fact in looked.histories[intent_id]) == 1

    def cut_off(self, before: int, calling: Sequence[Future[None]]) -> bool:
        """Whether a client has noticed that the server is gone, or has failed."""
        return self.unsure > before or any(one.done() for one in calling)

    def reached(self, goal: int, calling: Sequence[Future[None]]) -> bool:
        """Whether this many were decided, or a client has failed."""
        return len(self.decided) >= goal or any(one.done() for one in calling)


def test_acknowledged_writes_survive_every_kill(server: Live) -> None:
    flood = Flood(server)
    chance = random.Random(3)
    with flood.calling() as calling:
        for _ in range(5):
            goal = len(flood.decided) + chance.randint(5, 40)
            until(partial(flood.reached, goal, calling), LONG)
            server.kill()
            unsure = flood.unsure
            until(partial(flood.cut_off, unsure, calling), LONG)
            server.start()
    server.stop()
    flood.judge(look(database_of(server)))
    assert flood.unsure > 0, "no request was ever cut off: this run has shown nothing"
