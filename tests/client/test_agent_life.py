"""An agent's lifecycle: start, outages, shutdown."""

import asyncio
import logging
import os
import signal
import threading
from typing import Any

import pytest

from signoff import Agent, AsyncClient, AuthenticationFailed, Client, Delivery, NotConfigured
from tests.client.agent_env import CLAIM, LIMIT, TYPE, AgentEnv, held, work
from tests.client.conftest import KEY
from tests.client.stub import INTENT, Answer, Asked, Stub, refused


def test_stop_waits_for_running_handlers(agent: Agent, agent_env: AgentEnv) -> None:
    running, release = threading.Event(), threading.Event()

    @agent.on(TYPE)
    def slow(intent: Delivery) -> dict[str, Any]:
        running.set()
        release.wait(LIMIT)
        return {"finished": True}

    agent_env.offer(held())

    def look() -> None:
        running.wait(LIMIT)
        agent.stop()
        threading.Thread(target=release.set).start()

    work(agent, look)
    assert agent_env.reported()["result"] == {"finished": True}


def test_handler_that_outlives_the_grace_period_is_left_to_its_lease(stub: Stub, agent_env: AgentEnv) -> None:
    agent = Agent("validator", url=stub.url, api_key=KEY, grace=0.0)
    running, release = threading.Event(), threading.Event()

    @agent.on(TYPE)
    def slow(intent: Delivery) -> None:
        running.set()
        release.wait(LIMIT)

    agent_env.offer(held())
    work(agent, lambda: running.wait(LIMIT))
    release.set()
    assert stub.seen("POST", "/v1/deliveries/d1/report") == []
    assert stub.seen("POST", "/v1/deliveries/d1/release") == []


def test_claimed_delivery_that_was_not_started_is_released(stub: Stub, agent: Agent) -> None:
    agent.on(TYPE)(lambda intent: {})

    def claimed_while_stopping(asked: Asked) -> Answer:
        agent.stop()
        return Answer({"ok": True, "deliveries": [held()]})

    stub.on("POST", CLAIM, claimed_while_stopping)
    AgentEnv(stub)
    asyncio.run(asyncio.wait_for(agent.serve(), LIMIT))
    assert stub.seen("POST", "/v1/deliveries/d1/release")[0].body == {"token": 7}
    assert stub.seen("POST", "/v1/deliveries/d1/report") == []


def test_agent_keeps_claiming_during_outages_and_logs_each_once(
    stub: Stub, agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    gone = [refused(503, "busy"), Answer(hangs_up=True), Answer(b"502 bad gateway", 502)]
    stub.on("POST", CLAIM, *gone)
    agent_env = AgentEnv(stub)
    agent.on("*")(lambda intent: {})
    agent_env.offer(held())
    with caplog.at_level(logging.INFO, "signoff"):
        work(agent, agent_env.reported)
    told = [record.message for record in caplog.records if "still trying" in record.message]
    assert len(told) == 1


def test_agent_ends_if_its_key_is_refused(stub: Stub, agent: Agent) -> None:
    stub.on("POST", CLAIM, refused(401, "key_revoked"))
    with pytest.raises(AuthenticationFailed):
        agent.run()


def test_agent_ends_if_no_server_is_configured(tmp_path: Any) -> None:
    with pytest.raises(NotConfigured):
        Agent("validator", url="nowhere").run()


def test_neither_keys_nor_payloads_are_logged(
    agent: Agent, agent_env: AgentEnv, caplog: pytest.LogCaptureFixture
) -> None:
    agent.on(TYPE)(lambda intent: {"card": "4111"})
    agent_env.offer(held(payload={"card": "4111"}))
    with caplog.at_level(logging.DEBUG):
        work(agent, agent_env.reported)
    assert "4111" not in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_the_agent_after_the_running_handler(
    agent: Agent, agent_env: AgentEnv, number: int
) -> None:
    before = signal.getsignal(number)

    @agent.on(TYPE)
    def signalled(intent: Delivery) -> dict[str, Any]:
        os.kill(os.getpid(), number)
        return {"finished": True}

    agent_env.offer(held())
    agent.run()
    assert agent_env.reported()["result"] == {"finished": True}
    assert signal.getsignal(number) == before


def test_second_signal_stops_the_agent_at_once(agent: Agent, agent_env: AgentEnv) -> None:
    release = threading.Event()

    @agent.on(TYPE)
    def stubborn(intent: Delivery) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        release.wait(LIMIT)

    agent_env.offer(held())
    agent.run()
    release.set()
    assert agent_env.stub.seen("POST", "/v1/deliveries/d1/report") == []


def test_signals_that_another_thread_receives_stop_the_agent(agent: Agent, agent_env: AgentEnv) -> None:
    """The system delivers a signal to any thread that is ready for it."""
    release = threading.Event()

    @agent.on(TYPE)
    def stubborn(intent: Delivery) -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        release.wait(LIMIT)

    agent_env.offer(held())
    agent.run()
    release.set()
    assert agent_env.stub.seen("POST", "/v1/deliveries/d1/report") == []


def test_agent_uses_the_given_client(stub: Stub, agent_env: AgentEnv) -> None:
    agent_env.offer(held(1))
    with Client(stub.url, KEY) as client:
        agent = Agent("validator", client=client)
        agent.on("*")(lambda intent: {})
        work(agent, agent_env.reported)

    async def go() -> None:
        async with AsyncClient(stub.url, KEY) as client:
            agent = Agent("validator", client=client)

            @agent.on("*")
            async def last(intent: Delivery) -> None:
                agent.stop()

            agent_env.offer(held(2))
            await asyncio.wait_for(agent.serve(), LIMIT)
            stub.on("GET", "/health", Answer({"ok": True}))
            assert (await client.health()).ok

    asyncio.run(go())
    assert agent_env.reported(2)["result"] == {}


def test_agent_stopped_before_it_started_claims_nothing(agent: Agent, agent_env: AgentEnv) -> None:
    agent.stop()
    agent.run()
    assert agent_env.stub.asked == []


def test_thread_of_a_handler_ends_with_it(agent: Agent, agent_env: AgentEnv) -> None:
    used: list[threading.Thread] = []
    agent.on(TYPE)(lambda intent: used.append(threading.current_thread()))
    agent_env.offer(held(1), held(2))
    work(agent, lambda: (agent_env.reported(1), agent_env.reported(2)))
    for thread in used:
        thread.join(LIMIT)
        assert not thread.is_alive()
        assert thread.name == f"signoff-{INTENT}"


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"lease": -1}, {"lease": 0}])
def test_invalid_options_of_an_agent_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Agent("validator", **wrong)
