"""Two servers on one PostgreSQL need no coordination: each sees what the other commits, and nothing happens twice."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest

from signoff import AsyncClient, Client
from signoff.config import Config
from signoff.core.intent import events as e
from signoff.serving import running
from tests.live import PATIENCE, Live
from tests.stories.crash import (
    WORKFLOW,
    Answer,
    Looked,
    ask,
    database_of,
    fresh_database,
    look,
    stopped_at_the_end,
)
from tests.stories.programs import KIND
from tests.stories.servers import self_approving, until

DECIDED, REMINDED, TRACED = "intent.decided.v1", "intent.reminded.v1", "intent.traced.v1"
HOUR = 3600.0


class Pair:
    """Two servers on one database, and their owner's key, which both accept."""

    def __init__(self, first: Live, second: Live) -> None:
        self.first = first
        self.second = second
        self.both = (first, second)
        self.key = first.owner_key

    def ask(self, live: Live, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return ask(live, method, path, body, self.key, **headers)

    def done(self, live: Live, method: str, path: str, body: Any = None) -> Any:
        """The response to a request that must succeed."""
        answer = self.ask(live, method, path, body)
        assert answer.status == 200, answer
        return answer.json

    def gate(self, kind: str) -> str:
        """The id of a new intent that is waiting for a person."""
        body = {"intent_type": kind, "human_task": {"title": "Run it?"}}
        found: str = self.done(self.first, "POST", "/v1/intents", body)["intent_id"]
        return found

    def look(self, kind: str) -> Looked:
        """The stored intents of one type; fails if the doctor finds anything wrong."""
        looked = look(database_of(self.first))
        assert looked.findings == []
        intents = {id: intent for id, intent in looked.intents.items() if intent.type == kind}
        return Looked(intents, {id: looked.histories[id] for id in intents}, [])


@pytest.fixture(scope="module", params=["listening", "deaf"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Shared by the stories, each with its own intent type; with LISTEN, and without."""
    listen = "on" if request.param == "listening" else "off"
    folder = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database(request, "postgres"))
        servers = [
            Live(folder / name, url, listen=listen, console_notifications="off") for name in ("one", "two")
        ]
        first, second = (stack.enter_context(stopped_at_the_end(server)) for server in servers)
        yield Pair(self_approving(first), second)


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run it ``count`` times concurrently."""
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(work, range(count)))


def test_request_runs_over_both_servers_which_wake_each_other(pair: Pair) -> None:
    pair.done(pair.first, "POST", "/v1/workflows", WORKFLOW)
    asked = {"limit": 1, "lease_seconds": 30, "holder": "w", "wait_seconds": 50}
    claim = "/v1/agents/validator/deliveries/claim"
    with ThreadPoolExecutor(2) as threads:
        # somebody waits for work on the second server before there is any
        claiming = threads.submit(lambda: pair.ask(pair.second, "POST", claim, asked))
        pair.done(pair.second, "GET", "/v1/me")
        body = {"intent_type": KIND, "payload": {"number": 1}}
        intent_id = pair.done(pair.first, "POST", "/v1/intents", body)["intent_id"]
        claimed = claiming.result(PATIENCE)
        [delivery] = claimed.json["deliveries"]
        assert delivery["intent_id"] == intent_id
        # and for its end, on the second too
        with Client(pair.second.url, pair.key) as client:
            ending = threads.submit(client.wait_for, intent_id, timeout=PATIENCE)
            report = {"token": delivery["token"], "result": {"ok": 1}}
            pair.done(pair.second, "POST", f"/v1/deliveries/{delivery['delivery_id']}/report", report)
            found = pair.done(pair.first, "GET", "/v1/tasks?limit=200")["tasks"]
            [task] = [one for one in found if one["intent_id"] == intent_id]
            pair.done(pair.first, "POST", f"/v1/tasks/{task['task_id']}/answer", {"outcome": "approved"})
            result = ending.result(PATIENCE)
    assert (result.status, result.outcome) == ("COMPLETED", "approved")
    for live in pair.both:
        assert pair.done(live, "GET", f"/v1/intents/{intent_id}")["status"] == "COMPLETED"


async def test_notification_from_the_other_server_wakes_every_waiter(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    """Neither server polls within the hour: those who wait on the second are woken only by a notification from the
    first.
    """
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                running(
                    Config(
                        port=0, data=tmp_path / name, database=empty_postgres_url, console_notifications=False
                    ),
                    list[str]().append,
                )
            )
            for name in ("one", "two")
        ]
        first.feed.reread = second.feed.reread = HOUR
        key = json.loads((tmp_path / "one" / "credentials.json").read_text())["api_key"]
        here, there = [
            await stack.enter_async_context(AsyncClient(server.base_url, key, timeout=PATIENCE))
            for server in (first, second)
        ]
        intent_id = await here.send_intent(
            {"intent_type": "intent.word.v1", "human_task": {"title": "Run it?"}}
        )
        waiting = asyncio.create_task(there.wait_for(intent_id, timeout=PATIENCE))
        async with asyncio.timeout(PATIENCE):
            while not second.feed.waiters.get(intent_id):
                await asyncio.sleep(0)
        with second.feed.waiting(intent_id) as waiter:
            await here.approve(intent_id)
            assert await waiter.wait(PATIENCE)
        assert (await waiting).approved


def test_one_of_fifty_opposite_answers_counts_and_the_others_get_the_decision(
    pair: Pair,
) -> None:
    for _ in range(3):
        task = pair.gate(DECIDED)

        def answer(number: int, task: str = task) -> Answer:
            outcome = ("approved", "rejected")[number // 2 % 2]
            live = pair.both[number % 2]
            return pair.ask(live, "POST", f"/v1/tasks/{task}/answer", {"outcome": outcome})

        answers = at_once(50, answer)
        assert Counter(one.status for one in answers) == {200: 1, 409: 49}
        won = next(one for one in answers if one.status == 200).json["task"]
        for late in (one for one in answers if one.status == 409):
            assert late.code == "already_decided"
            details = late.json["error"]["details"]
            assert details["outcome"] == won["outcome"]
            assert details["decided_at"] == won["decided_at"]
            assert details["via"] == "api"
            assert details["decided_by"]
    histories = pair.look(DECIDED).histories
    assert len(histories) == 3
    for facts in histories.values():
        kinds = Counter(type(fact.event) for fact in facts)
        assert (kinds[e.Answered], kinds[e.Decided]) == (1, 1)


def test_one_key_sent_to_both_servers_at_once_creates_one_intent(pair: Pair) -> None:
    for turn in range(5):
        body = {
            "intent_type": "intent.once.v1",
            "human_task": {"title": "Run it?"},
            "payload": {"turn": turn},
        }

        def send(number: int, turn: int = turn, body: Any = body) -> Answer:
            return pair.ask(
                pair.both[number % 2], "POST", "/v1/intents", body, idempotency_key=f"same-{turn}"
            )

        answers = at_once(16, send)
        assert {one.status for one in answers} == {200}, answers
        assert len({one.json["intent_id"] for one in answers}) == 1
        assert all(one.json == answers[0].json for one in answers)
    assert len(pair.look("intent.once.v1").intents) == 5


def test_deliveries_are_claimed_once_over_both_servers(pair: Pair) -> None:
    body = {"intent_type": "intent.picked.v1", "to_agent": "picker"}
    for number in range(40):
        pair.done(pair.both[number % 2], "POST", "/v1/intents", body)
    asked = {"limit": 3, "lease_seconds": 60, "holder": "w"}

    def work(number: int) -> list[str]:
        taken: list[str] = []
        while True:
            path = "/v1/agents/picker/deliveries/claim"
            found = pair.done(pair.both[number % 2], "POST", path, asked)["deliveries"]
            if not found:
                return taken
            taken += [one["delivery_id"] for one in found]

    taken = [one for worker in at_once(8, work) for one in worker]
    assert len(taken) == len(set(taken)) == 40


def test_two_servers_never_send_a_reminder_twice(pair: Pair) -> None:
    human = {"type": "approval", "remind": {"after": "1s", "every": "1s", "at_most": 2}}
    steps = [{"id": "approve", "human": human, "deadline": "8h"}]
    source = {"workflow": "w", "intent_type": REMINDED, "steps": steps}
    pair.done(pair.first, "POST", "/v1/workflows", source)
    for _ in range(40):
        pair.done(pair.first, "POST", "/v1/intents", {"intent_type": REMINDED})

    def reminded() -> bool:
        """All of them twice, and the last one too, which was asked for when that had been seen of the first."""
        found = pair.done(pair.second, "GET", "/v1/tasks?limit=200")["tasks"]
        numbers = [one["reminders_sent"] for one in found if one["intent_type"] == REMINDED]
        return len(numbers) == asked and set(numbers) == {2}

    for asked in (40, 41):
        until(reminded)
        if asked == 40:
            pair.done(pair.first, "POST", "/v1/intents", {"intent_type": REMINDED})
    looked = pair.look(REMINDED)
    assert len(looked.histories) == 41
    for facts in looked.histories.values():
        reminders = [fact for fact in facts if isinstance(fact.event, e.Reminded)]
        opened = next(fact for fact in facts if isinstance(fact.event, e.TaskOpened))
        assert [getattr(fact.event, "number", 0) for fact in reminders] == [1, 2]
        assert all((fact.at - opened.at).total_seconds() >= 1 for fact in reminders), "a timer fired early"


def test_key_revoked_on_one_server_is_refused_by_the_other(pair: Pair) -> None:
    made = pair.done(pair.first, "POST", "/v1/keys", {"person": "ann@acme.example", "roles": ["approver"]})
    for live in pair.both:
        assert ask(live, "GET", "/v1/me", key=made["api_key"]).status == 200
    pair.done(pair.first, "POST", f"/v1/keys/{made['key_id']}/revoke", {})
    assert ask(pair.first, "GET", "/v1/me", key=made["api_key"]).code == "key_revoked"
    until(lambda: ask(pair.second, "GET", "/v1/me", key=made["api_key"]).code == "key_revoked")


def test_one_server_continues_after_the_other_is_killed(pair: Pair) -> None:
    task = pair.gate("intent.outlives.v1")
    with ThreadPoolExecutor(1) as threads, Client(pair.second.url, pair.key) as client:
        ending = threads.submit(client.wait_for, task, timeout=PATIENCE)
        pair.first.kill()
        pair.done(pair.second, "POST", f"/v1/tasks/{task}/answer", {"outcome": "approved"})
        assert ending.result(PATIENCE).status == "COMPLETED"
    pair.first.start()
    assert pair.done(pair.first, "GET", f"/v1/intents/{task}")["status"] == "COMPLETED"


def test_copy_of_an_untargeted_answer_is_recognized_by_the_other_server(pair: Pair) -> None:
    """Only its X-Trace-Id distinguishes it from an answer to the next question, which its sender has read meanwhile."""
    gates = [
        {"id": name, "human": {"type": "approval", "approvers": ["role:owner"]}}
        for name in ("read", "delete")
    ]
    flow = {"workflow": "traced", "intent_type": TRACED, "steps": gates}
    pair.done(pair.first, "POST", "/v1/workflows", flow)
    intent_id = pair.done(pair.first, "POST", "/v1/intents", {"intent_type": TRACED})["intent_id"]

    def approve(number: int) -> Answer:
        path = f"/v1/approvals/{intent_id}/decision"
        return pair.ask(pair.both[number % 2], "POST", path, {"decision": "approve"}, x_trace_id="t-1")

    first = approve(0)
    assert first.status == 200, first
    pair.done(pair.second, "GET", f"/v1/intents/{intent_id}")
    assert {(copy.status, copy.json["decided_at"]) for copy in at_once(8, approve)} == {
        (200, first.json["decided_at"])
    }
    events = pair.done(pair.second, "GET", f"/v1/intents/{intent_id}/audit")["events"]
    assert [event["type"] for event in events].count("answered") == 1
    assert pair.done(pair.second, "GET", f"/v1/intents/{intent_id}")["status"] == "WAITING"
