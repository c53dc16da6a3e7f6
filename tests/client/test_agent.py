"""An agent at work: what it takes, what it reports, and how it stops."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from signoff import Agent, AsyncClient, AuthenticationFailed, Client, Delivery, NotConfigured, StepFailed
from tests.client.conftest import KEY
from tests.client.stub import INTENT, Answer, Asked, Stub, refused

CLAIM = "/v1/agents/validator/deliveries/claim"
TYPE = "intent.infra.change_approval.v1"
LIMIT = 10.0


def held(number: int = 1, token: int = 7, **more: Any) -> dict[str, Any]:
    """A delivery as claimed."""
    return {
        "delivery_id": f"d{number}", "intent_id": INTENT, "intent_type": TYPE, "step_id": "validate",
        "attempt": 1, "token": token, "lease_seconds": 30, "payload": {"n": number},
        "input": {"strict": True},
        "previous_results": {"plan": {"rows": 3}}, "idempotency_key": f"{INTENT}:{number}",
        "requester": {"kind": "person", "id": "per_rita"}, "deadline_at": "2026-03-02T09:00:00Z", **more,
    }  # fmt: skip


class Field:
    """The stub with deliveries to claim: each claim gets what is free, an empty field makes it wait."""

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self.ready: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        stub.on("POST", CLAIM, self._claim)
        for number in range(1, 10):
            for verb in ("report", "release", "renew"):
                stub.on("POST", f"/v1/deliveries/d{number}/{verb}", Answer({"ok": True}))

    def offer(self, *deliveries: dict[str, Any]) -> None:
        with self.changed:
            self.ready.extend(deliveries)
            self.changed.notify_all()

    def _claim(self, asked: Asked) -> Answer:
        with self.changed:
            self.changed.wait_for(lambda: self.ready, 0.05)
            taken, self.ready = self.ready[: asked.body["limit"]], self.ready[asked.body["limit"] :]
        return Answer({"ok": True, "deliveries": taken})

    def reported(self, number: int = 1) -> Any:
        return self.stub.until("POST", f"/v1/deliveries/d{number}/report")[-1].body


@pytest.fixture
def field(stub: Stub) -> Field:
    return Field(stub)


@pytest.fixture
def agent(stub: Stub) -> Agent:
    return Agent("agent://validator", url=stub.url, api_key=KEY, concurrency=2)


def work(agent: Agent, until: Callable[[], Any]) -> Any:
    """Run the agent until ``until``, called in another thread, returns; its value."""
    with ThreadPoolExecutor(1) as pool:

        def look() -> Any:
            try:
                return until()
            finally:
                agent.stop()

        async def serve() -> None:
            looking = asyncio.get_running_loop().run_in_executor(pool, look)
            await asyncio.wait_for(agent.serve(), LIMIT)
            seen.append(await looking)

        seen: list[Any] = []
        asyncio.run(serve())
        return seen[0]


def test_a_plain_function_gets_the_delivery_and_its_result_is_reported(agent: Agent, field: Field) -> None:
    got: list[Delivery] = []

    @agent.on(TYPE)
    def validate(intent: Delivery) -> dict[str, Any]:
        assert threading.current_thread() is not threading.main_thread()
        got.append(intent)
        return {"passed": True}

    field.offer(held())
    assert work(agent, field.reported) == {"token": 7, "result": {"passed": True}}
    (intent,) = got
    assert (intent.id, intent.type, intent.step_id, intent.attempt) == (INTENT, TYPE, "validate", 1)
    assert (intent.payload, intent.input, intent.previous_results) == (
        {"n": 1},
        {"strict": True},
        {"plan": {"rows": 3}},
    )
    assert intent.idempotency_key == f"{INTENT}:1"
    assert intent.requester.id == "per_rita"
    assert intent.deadline_at is not None
    assert not intent.lease_lost.is_set()
    claimed = field.stub.seen("POST", CLAIM)[0].body
    assert (claimed["limit"], claimed["lease_seconds"]) == (2, 30.0)
    assert claimed["holder"]


def test_an_async_function_runs_on_the_loop_and_none_is_an_empty_result(agent: Agent, field: Field) -> None:
    @agent.on("*")
    async def anything(intent: Delivery) -> None:
        assert asyncio.get_running_loop()

    field.offer(held())
    assert work(agent, field.reported) == {"token": 7, "result": {}}


def test_the_function_of_the_type_comes_before_the_one_for_all(agent: Agent, field: Field) -> None:
    agent.on("*")(lambda intent: {"by": "all"})
    agent.on(TYPE)(lambda intent: {"by": "type"})
    field.offer(held())
    assert work(agent, field.reported)["result"] == {"by": "type"}
    with pytest.raises(ValueError, match="already"):
        agent.on(TYPE)(lambda intent: {})


def boom(intent: Delivery) -> None:
    raise KeyError("users")


def deliberate(intent: Delivery) -> None:
    raise StepFailed("table_locked", "The table is locked.", retryable=True)


async def cancels_itself(intent: Delivery) -> None:
    raise asyncio.CancelledError


def exits(intent: Delivery) -> None:
    raise SystemExit(3)


def listed(intent: Delivery) -> Any:
    return ["not", "a", "mapping"]


def unsayable(intent: Delivery) -> dict[str, Any]:
    return {"at": object()}


@pytest.mark.parametrize(
    ("function", "code", "part", "retryable"),
    [
        (boom, "agent_error", "KeyError: 'users'", True),
        (deliberate, "table_locked", "The table is locked.", True),
        (cancels_itself, "agent_error", "CancelledError", True),
        (exits, "agent_error", "SystemExit: 3", True),
        (listed, "invalid_result", "list, not a mapping", False),
        (unsayable, "invalid_result", "JSON", False),
    ],
)
def test_what_goes_wrong_is_reported(
    agent: Agent, field: Field, function: Any, code: str, part: str, retryable: bool
) -> None:
    agent.on(TYPE)(function)
    field.offer(held())
    error = work(agent, field.reported)["error"]
    assert (error["code"], error["retryable"]) == (code, retryable)
    assert part in error["message"]


def test_an_intent_nobody_has_a_function_for_is_failed_not_held(agent: Agent, field: Field) -> None:
    field.offer(held())
    assert work(agent, field.reported)["error"]["code"] == "unknown_intent_type"


def test_it_takes_no_more_than_it_can_do_at_a_time(agent: Agent, field: Field) -> None:
    both, release = threading.Barrier(3), threading.Event()

    @agent.on(TYPE)
    def slow(intent: Delivery) -> None:
        if intent.payload["n"] <= 2:
            both.wait(LIMIT)
            release.wait(LIMIT)

    field.offer(held(1), held(2), held(3))

    def look() -> int:
        both.wait(LIMIT)
        asked = len(field.stub.seen("POST", CLAIM))
        release.set()
        field.reported(3)
        return asked

    assert work(agent, look) == 1
    assert field.stub.seen("POST", CLAIM)[0].body["limit"] == 2
    assert all(1 <= asked.body["limit"] <= 2 for asked in field.stub.seen("POST", CLAIM))


def test_the_lease_is_renewed_while_the_function_runs(stub: Stub, field: Field) -> None:
    agent = Agent("validator", url=stub.url, api_key=KEY, lease=0.3)
    renewed = threading.Event()

    @agent.on(TYPE)
    def slow(intent: Delivery) -> dict[str, Any]:
        return {"renewed": renewed.wait(LIMIT)}

    def look() -> Any:
        stub.until("POST", "/v1/deliveries/d1/renew", 2)
        renewed.set()
        return field.reported()

    field.offer(held())
    assert work(agent, look)["result"] == {"renewed": True}
    assert stub.seen("POST", "/v1/deliveries/d1/renew")[0].body == {"token": 7, "lease_seconds": 0.3}


def test_a_lost_lease_is_told_to_the_function_and_the_late_report_dropped(stub: Stub) -> None:
    stub.on("POST", "/v1/deliveries/d1/renew", refused(409, "stale_delivery"))
    stub.on("POST", "/v1/deliveries/d1/report", refused(409, "stale_delivery"))
    field = Field(stub)
    agent = Agent("validator", url=stub.url, api_key=KEY, lease=0.03)

    @agent.on(TYPE)
    def slow(intent: Delivery) -> dict[str, Any]:
        return {"lost": intent.lease_lost.wait(LIMIT)}

    field.offer(held(1))
    assert work(agent, field.reported)["result"] == {"lost": True}
    assert len(stub.seen("POST", "/v1/deliveries/d1/report")) == 1


def test_a_report_gets_through_a_restart_of_the_server(agent: Agent, field: Field) -> None:
    restarted = threading.Event()

    def back() -> None:
        field.stub.start()
        restarted.set()

    @agent.on(TYPE)
    def restart(intent: Delivery) -> dict[str, Any]:
        field.stub.stop()
        threading.Thread(target=back).start()
        return {"passed": True}

    field.offer(held())
    assert work(agent, field.reported)["result"] == {"passed": True}
    assert restarted.wait(LIMIT)


def test_a_result_the_server_cannot_take_fails_the_step(stub: Stub, agent: Agent) -> None:
    stub.on("POST", "/v1/deliveries/d1/report", refused(413, "too_large"), Answer({"ok": True}))
    field = Field(stub)
    agent.on(TYPE)(lambda intent: {"big": 1})
    field.offer(held())
    bodies = work(agent, lambda: stub.until("POST", "/v1/deliveries/d1/report", 2))
    assert bodies[1].body["error"]["code"] == "invalid_result"


def test_stopping_lets_running_functions_finish(agent: Agent, field: Field) -> None:
    running, release = threading.Event(), threading.Event()

    @agent.on(TYPE)
    def slow(intent: Delivery) -> dict[str, Any]:
        running.set()
        release.wait(LIMIT)
        return {"finished": True}

    field.offer(held())

    def look() -> None:
        running.wait(LIMIT)
        agent.stop()
        threading.Thread(target=release.set).start()

    work(agent, look)
    assert field.reported()["result"] == {"finished": True}


def test_what_outlives_the_grace_is_left_to_its_lease(stub: Stub, field: Field) -> None:
    agent = Agent("validator", url=stub.url, api_key=KEY, grace=0.0)
    running, release = threading.Event(), threading.Event()

    @agent.on(TYPE)
    def slow(intent: Delivery) -> None:
        running.set()
        release.wait(LIMIT)

    field.offer(held())
    work(agent, lambda: running.wait(LIMIT))
    release.set()
    assert stub.seen("POST", "/v1/deliveries/d1/report") == []
    assert stub.seen("POST", "/v1/deliveries/d1/release") == []


def test_what_was_claimed_but_not_started_is_given_back(stub: Stub, agent: Agent) -> None:
    agent.on(TYPE)(boom)

    def claimed_while_stopping(asked: Asked) -> Answer:
        agent.stop()
        return Answer({"ok": True, "deliveries": [held()]})

    stub.on("POST", CLAIM, claimed_while_stopping)
    Field(stub)
    asyncio.run(asyncio.wait_for(agent.serve(), LIMIT))
    assert stub.seen("POST", "/v1/deliveries/d1/release")[0].body == {"token": 7}
    assert stub.seen("POST", "/v1/deliveries/d1/report") == []


def test_it_goes_on_asking_over_outages_and_says_so_once(
    stub: Stub, agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    gone = [refused(503, "busy"), Answer(hangs_up=True), Answer(b"502 bad gateway", 502)]
    stub.on("POST", CLAIM, *gone)
    field = Field(stub)
    agent.on("*")(lambda intent: {})
    field.offer(held())
    with caplog.at_level(logging.INFO, "signoff"):
        work(agent, field.reported)
    told = [record.message for record in caplog.records if "will go on asking" in record.message]
    assert len(told) == 1


def test_a_key_that_is_refused_ends_it(stub: Stub, agent: Agent) -> None:
    stub.on("POST", CLAIM, refused(401, "key_revoked"))
    with pytest.raises(AuthenticationFailed):
        agent.run()


def test_no_server_found_ends_it(tmp_path: Any) -> None:
    with pytest.raises(NotConfigured):
        Agent("validator", url="nowhere").run()


def test_neither_keys_nor_payloads_are_logged(
    agent: Agent, field: Field, caplog: pytest.LogCaptureFixture
) -> None:
    agent.on(TYPE)(lambda intent: {"card": "4111"})
    field.offer(held(payload={"card": "4111"}))
    with caplog.at_level(logging.DEBUG):
        work(agent, field.reported)
    assert "4111" not in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_after_the_running_function(agent: Agent, field: Field, number: int) -> None:
    before = signal.getsignal(number)

    @agent.on(TYPE)
    def signalled(intent: Delivery) -> dict[str, Any]:
        os.kill(os.getpid(), number)
        return {"finished": True}

    field.offer(held())
    agent.run()
    assert field.reported()["result"] == {"finished": True}
    assert signal.getsignal(number) == before


def test_a_second_signal_does_not_wait(agent: Agent, field: Field) -> None:
    release = threading.Event()

    @agent.on(TYPE)
    def stubborn(intent: Delivery) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        release.wait(LIMIT)

    field.offer(held())
    agent.run()
    release.set()
    assert field.stub.seen("POST", "/v1/deliveries/d1/report") == []


def test_it_speaks_through_a_given_client(stub: Stub, field: Field) -> None:
    field.offer(held(1))
    with Client(stub.url, KEY) as client:
        agent = Agent("validator", client=client)
        agent.on("*")(lambda intent: {})
        work(agent, field.reported)

    async def go() -> None:
        async with AsyncClient(stub.url, KEY) as client:
            agent = Agent("validator", client=client)

            @agent.on("*")
            async def last(intent: Delivery) -> None:
                agent.stop()

            field.offer(held(2))
            await asyncio.wait_for(agent.serve(), LIMIT)
            stub.on("GET", "/health", Answer({"ok": True}))
            assert (await client.health()).ok

    asyncio.run(go())
    assert field.reported(2)["result"] == {}


def test_stopping_before_it_began_takes_nothing(agent: Agent, field: Field) -> None:
    agent.stop()
    agent.run()
    assert field.stub.asked == []


def test_a_functions_thread_is_gone_with_it(agent: Agent, field: Field) -> None:
    used: list[threading.Thread] = []
    agent.on(TYPE)(lambda intent: used.append(threading.current_thread()))
    field.offer(held(1), held(2))
    work(agent, lambda: (field.reported(1), field.reported(2)))
    for thread in used:
        thread.join(LIMIT)
        assert not thread.is_alive()
        assert thread.name == f"signoff-{INTENT}"


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"lease": -1}, {"lease": 0}])
def test_terms_that_cannot_be_kept_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Agent("validator", **wrong)
