"""Agents: which deliveries they claim and what they report."""

import asyncio
import threading
from typing import Any

import pytest

from signoff import Agent, Delivery, StepFailed
from tests.client.agent_env import CLAIM, LIMIT, TYPE, AgentEnv, held, work
from tests.client.conftest import KEY
from tests.client.stub import INTENT, Answer, Stub, refused

pytestmark = pytest.mark.windows


def test_plain_function_gets_the_delivery_and_its_result_is_reported(
    agent: Agent, agent_env: AgentEnv
) -> None:
    got: list[Delivery] = []

    @agent.on(TYPE)
    def validate(intent: Delivery) -> dict[str, Any]:
        assert threading.current_thread() is not threading.main_thread()
        got.append(intent)
        return {"passed": True}

    agent_env.offer(held())
    assert work(agent, agent_env.reported) == {"token": 7, "result": {"passed": True}}
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
    claimed = agent_env.stub.seen("POST", CLAIM)[0].body
    assert (claimed["limit"], claimed["lease_seconds"]) == (2, 30.0)
    assert claimed["holder"]


def test_async_function_runs_on_the_loop_and_none_is_an_empty_result(
    agent: Agent, agent_env: AgentEnv
) -> None:
    @agent.on("*")
    async def anything(intent: Delivery) -> None:
        assert asyncio.get_running_loop()

    agent_env.offer(held())
    assert work(agent, agent_env.reported) == {"token": 7, "result": {}}


def test_handler_of_the_type_takes_precedence_over_the_default(agent: Agent, agent_env: AgentEnv) -> None:
    agent.on("*")(lambda intent: {"by": "all"})
    agent.on(TYPE)(lambda intent: {"by": "type"})
    agent_env.offer(held())
    assert work(agent, agent_env.reported)["result"] == {"by": "type"}
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


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def mute(intent: Delivery) -> None:
    raise Mute


def wordy(intent: Delivery) -> None:
    raise StepFailed("c" * 500, "half \ud800" + "m" * 9_000)


def nameless(intent: Delivery) -> None:
    raise StepFailed("", "")


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
        (mute, "agent_error", "Mute: its text cannot be read (RuntimeError)", True),
        (wordy, "c" * 128, "half \\ud800mmm", False),
        (nameless, "agent_error", "", False),
        (listed, "invalid_result", "list, not a mapping", False),
        (unsayable, "invalid_result", "JSON", False),
    ],
)
def test_exception_of_a_handler_is_reported_as_an_error(
    agent: Agent, agent_env: AgentEnv, function: Any, code: str, part: str, retryable: bool
) -> None:
    agent.on(TYPE)(function)
    agent_env.offer(held())
    error = work(agent, agent_env.reported)["error"]
    assert (error["code"], error["retryable"]) == (code, retryable)
    assert part in error["message"]


def test_intent_without_a_handler_fails(agent: Agent, agent_env: AgentEnv) -> None:
    agent_env.offer(held())
    assert work(agent, agent_env.reported)["error"]["code"] == "unknown_intent_type"


def test_agent_claims_no_more_than_its_concurrency(agent: Agent, agent_env: AgentEnv) -> None:
    both, release = threading.Barrier(3), threading.Event()

    @agent.on(TYPE)
    def slow(intent: Delivery) -> None:
        if intent.payload["n"] <= 2:
            both.wait(LIMIT)
            release.wait(LIMIT)

    agent_env.offer(held(1), held(2), held(3))

    def look() -> int:
        both.wait(LIMIT)
        asked = len(agent_env.stub.seen("POST", CLAIM))
        release.set()
        agent_env.reported(3)
        return asked

    assert work(agent, look) == 1
    assert agent_env.stub.seen("POST", CLAIM)[0].body["limit"] == 2
    assert all(1 <= asked.body["limit"] <= 2 for asked in agent_env.stub.seen("POST", CLAIM))


def test_lease_is_renewed_while_the_handler_runs(stub: Stub, agent_env: AgentEnv) -> None:
    agent = Agent("validator", url=stub.url, api_key=KEY, lease=0.3)
    renewed = threading.Event()

    @agent.on(TYPE)
    def slow(intent: Delivery) -> dict[str, Any]:
        return {"renewed": renewed.wait(LIMIT)}

    def look() -> Any:
        stub.until("POST", "/v1/deliveries/d1/renew", 2)
        renewed.set()
        return agent_env.reported()

    agent_env.offer(held())
    assert work(agent, look)["result"] == {"renewed": True}
    assert stub.seen("POST", "/v1/deliveries/d1/renew")[0].body == {"token": 7, "lease_seconds": 0.3}


def test_lost_lease_is_shown_to_the_handler_and_its_report_is_dropped(stub: Stub) -> None:
    stub.on("POST", "/v1/deliveries/d1/renew", refused(409, "stale_delivery"))
    stub.on("POST", "/v1/deliveries/d1/report", refused(409, "stale_delivery"))
    agent_env = AgentEnv(stub)
    agent = Agent("validator", url=stub.url, api_key=KEY, lease=0.03)

    @agent.on(TYPE)
    def slow(intent: Delivery) -> dict[str, Any]:
        return {"lost": intent.lease_lost.wait(LIMIT)}

    agent_env.offer(held(1))
    assert work(agent, agent_env.reported)["result"] == {"lost": True}
    assert len(stub.seen("POST", "/v1/deliveries/d1/report")) == 1


def test_report_is_retried_during_a_restart_of_the_server(agent: Agent, agent_env: AgentEnv) -> None:
    restarted = threading.Event()

    def back() -> None:
        agent_env.stub.start()
        restarted.set()

    @agent.on(TYPE)
    def restart(intent: Delivery) -> dict[str, Any]:
        agent_env.stub.stop()
        threading.Thread(target=back).start()
        return {"passed": True}

    agent_env.offer(held())
    assert work(agent, agent_env.reported)["result"] == {"passed": True}
    assert restarted.wait(LIMIT)


def test_result_that_the_server_refuses_fails_the_step(stub: Stub, agent: Agent) -> None:
    stub.on("POST", "/v1/deliveries/d1/report", refused(413, "too_large"), Answer({"ok": True}))
    agent_env = AgentEnv(stub)
    agent.on(TYPE)(lambda intent: {"big": 1})
    agent_env.offer(held())
    bodies = work(agent, lambda: stub.until("POST", "/v1/deliveries/d1/report", 2))
    assert bodies[1].body["error"]["code"] == "invalid_result"
