"""Agent functions that block, return too much or finish late, and what the agent reports about itself."""

import asyncio
import json
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from signoff import Agent, Delivery
from tests.client.agent_env import CLAIM, LIMIT, TYPE, AgentEnv, held, work
from tests.client.conftest import KEY
from tests.client.stub import Answer, Asked, Stub, refused


def test_blocking_async_handler_keeps_its_lease_and_is_named_in_the_log(
    stub: Stub, agent_env: AgentEnv, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent("validator", url=stub.url, api_key=KEY, lease=1.5)
    renewed = threading.Event()

    @agent.on(TYPE)
    async def stubborn(intent: Delivery) -> dict[str, Any]:
        return {"renewed": renewed.wait(LIMIT), "lost": intent.lease_lost.is_set()}  # blocks the loop

    def look() -> Any:
        stub.until("POST", "/v1/deliveries/d1/renew", 3)
        renewed.set()
        return agent_env.reported()

    agent_env.offer(held())
    assert work(agent, look)["result"] == {"renewed": True, "lost": False}
    told = [record.getMessage() for record in caplog.records if "the event loop" in record.getMessage()]
    assert any("stubborn" in line and "has been blocking" in line for line in told)
    assert any(
        re.search(r"stubborn blocked the event loop for \d+\.\d s: write it with def", line) for line in told
    )


def test_other_deliveries_are_processed_while_one_handler_blocks(stub: Stub, agent_env: AgentEnv) -> None:
    agent = Agent("validator", url=stub.url, api_key=KEY, concurrency=2)
    release = threading.Event()

    @agent.on(TYPE)
    async def stubborn(intent: Delivery) -> None:
        release.wait(LIMIT)

    agent.on("t.plain.v1")(lambda intent: {"plain": True})

    def look() -> Any:
        try:
            agent_env.offer(held(1))
            stub.until("POST", CLAIM, 2)
            agent_env.offer(held(2, intent_type="t.plain.v1"))
            return agent_env.reported(2)
        finally:
            release.set()

    assert work(agent, look)["result"] == {"plain": True}


def test_handler_that_awaits_is_not_reported_as_blocking(
    agent: Agent, agent_env: AgentEnv, caplog: pytest.LogCaptureFixture
) -> None:
    @agent.on(TYPE)
    async def patient(intent: Delivery) -> None:
        await asyncio.sleep(0)

    agent_env.offer(held())
    work(agent, agent_env.reported)
    assert "blocked" not in caplog.text


def test_late_report_is_logged_and_the_lease_is_lost(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    stub.on("POST", "/v1/deliveries/d1/report", refused(409, "stale_delivery"))
    agent_env = AgentEnv(stub)
    agent = Agent("validator", url=stub.url, api_key=KEY)
    got: list[Delivery] = []
    agent.on(TYPE)(lambda intent: got.append(intent))
    agent_env.offer(held())
    work(agent, agent_env.reported)
    assert "was too late and was dropped" in caplog.text
    assert got[0].lease_lost.is_set()


def test_generator_is_refused_as_a_handler(agent: Agent) -> None:
    def yields(intent: Delivery) -> Any:
        yield {}

    async def yields_too(intent: Delivery) -> Any:
        yield {}

    for function in (yields, yields_too):
        with pytest.raises(TypeError, match=r"yields.*generator"):
            agent.on(TYPE)(function)


def too_large(agent: Agent, agent_env: AgentEnv) -> dict[str, Any]:
    agent_env.offer(held(max_report_bytes=2000))
    error = work(agent, agent_env.reported)["error"]
    assert (error["code"], error["retryable"]) == ("result_too_large", False)
    return dict(error)


def where(message: str) -> Path:
    found = re.search(r" in (/.*\.json)\.", message)
    assert found, message
    return Path(found[1])


def test_oversized_result_is_kept_and_the_failure_names_its_file(agent: Agent, agent_env: AgentEnv) -> None:
    @agent.on(TYPE)
    def verbose(intent: Delivery) -> dict[str, Any]:
        return {"text": "x" * 3000, "more": [1, 2]}

    message = too_large(agent, agent_env)["message"]
    assert "verbose" in message
    assert "is 3045 bytes; this server accepts reports of at most 2000" in message
    path = where(message)
    try:
        assert json.loads(path.read_text()) == {"text": "x" * 3000, "more": [1, 2]}
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        path.unlink()
    assert len(agent_env.stub.seen("POST", "/v1/deliveries/d1/report")) == 1  # nothing that large was sent


def test_oversized_result_is_passed_to_a_function(agent: Agent, agent_env: AgentEnv) -> None:
    @agent.on_large_result
    def elsewhere(intent: Delivery, result: Mapping[str, Any]) -> dict[str, Any]:
        return {"stored": f"s3://results/{intent.id}", "letters": len(result["text"])}

    agent.on(TYPE)(lambda intent: {"text": "x" * 3000})
    agent_env.offer(held(max_report_bytes=2000))
    assert work(agent, agent_env.reported)["result"]["letters"] == 3000


def test_oversized_result_is_kept_if_that_function_fails(agent: Agent, agent_env: AgentEnv) -> None:
    @agent.on_large_result
    def broken(intent: Delivery, result: Mapping[str, Any]) -> dict[str, Any]:
        raise OSError("no space")

    agent.on(TYPE)(lambda intent: {"text": "x" * 3000})
    where(too_large(agent, agent_env)["message"]).unlink()


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"at": {"n": [1, float("nan")]}}, "result.at.n[1] is nan"),
        ({"n": 2**53}, "result.n is an integer beyond 2^53 - 1"),
        ({"when": object()}, "result.when is a object"),
        ({1: 2}, "result has the key 1"),
        ({"text": "\ud800"}, "result.text contains half of a surrogate pair"),
    ],
)
def test_result_that_is_not_json_is_named_with_its_path_and_handler(
    agent: Agent, agent_env: AgentEnv, result: dict[Any, Any], said: str
) -> None:
    @agent.on(TYPE)
    def odd(intent: Delivery) -> dict[Any, Any]:
        return result

    agent_env.offer(held())
    error = work(agent, agent_env.reported)["error"]
    assert (error["code"], error["retryable"]) == ("invalid_result", False)
    assert said in error["message"]
    assert "odd" in error["message"]
    where(error["message"]).unlink()


def test_result_that_contains_itself_is_refused(agent: Agent, agent_env: AgentEnv) -> None:
    @agent.on(TYPE)
    def circular(intent: Delivery) -> dict[str, Any]:
        result: dict[str, Any] = {}
        result["self"] = result
        return result

    agent_env.offer(held())
    error = work(agent, agent_env.reported)["error"]
    assert (error["code"], error["retryable"]) == ("invalid_result", False)
    where(error["message"]).unlink()


class Closed(Mapping[str, Any]):
    """A database row whose connection was closed."""

    def __getitem__(self, name: str) -> Any:
        raise RuntimeError("closed")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("closed")

    def __len__(self) -> int:
        return 1


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("closed")


def nested(levels: int) -> dict[str, Any]:
    result: dict[str, Any] = {"innermost": 1}
    for _ in range(levels):
        result = {"a": result, "b": [True]}
    return result


@pytest.mark.parametrize("result", [Closed(), {"row": Closed()}, {"row": Mute()}, {Mute(): 1}, nested(5000)])
def test_invalid_result_is_not_retried(agent: Agent, agent_env: AgentEnv, result: Any) -> None:
    @agent.on(TYPE)
    def odd(intent: Delivery) -> Any:
        return result

    agent_env.offer(held())
    error = work(agent, agent_env.reported)["error"]
    assert (error["code"], error["retryable"]) == ("invalid_result", False)
    assert "odd" in error["message"]
    where(error["message"]).unlink()


def test_deeply_nested_result_is_kept_whole(agent: Agent, agent_env: AgentEnv) -> None:
    agent.on(TYPE)(lambda intent: nested(5000))
    agent_env.offer(held())
    path = where(work(agent, agent_env.reported)["error"]["message"])
    try:
        kept = "".join(path.read_text().split())  # the indentation depends on the version of Python
        assert kept == '{"a":' * 5000 + '{"innermost":1}' + ',"b":[true]}' * 5000
    finally:
        path.unlink()


PROGRAM = """
import sys, threading
from signoff import Agent
agent = Agent("validator", url=sys.argv[1], api_key="k", grace=0)
@agent.on("intent.infra.change_approval.v1")
async def do(intent):
    print("begun", flush=True)
    while not threading.Event().wait(0.05):  # a signal that comes just before a wait is heard after it
        pass
agent.on("t.other.v1")(lambda intent: {})
agent.run()
print("ended", flush=True)
"""


def test_agent_logs_that_it_waits_for_the_server_and_that_it_is_back(stub: Stub) -> None:
    def named(asked: Asked) -> Answer:
        return Answer(
            {
                "ok": True,
                "deliveries": [],
                "agent": "agent://local/default/validator",
                "notice": "No such agent.",
            }
        )

    stub.on("POST", CLAIM, named, Answer(hangs_up=True), named)
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, stub.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stderr is not None
    lines = [program.stderr.readline() for _ in range(3)]
    program.send_signal(signal.SIGTERM)
    said, _ = program.communicate(timeout=LIMIT)
    assert (program.returncode, said) == (0, "ended\n")
    place = f"{stub.url} as agent://local/default/validator, waiting for work ({TYPE}, t.other.v1)"
    assert lines[0] == f"signoff: connected to {place}. No such agent.\n"
    assert "cannot get work" in lines[1]
    assert lines[2].startswith(f"signoff: reconnected to {place}")


def test_second_signal_ends_a_program_whose_handler_blocks(stub: Stub, agent_env: AgentEnv) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, stub.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    agent_env.offer(held())
    assert program.stdout.readline() == "begun\n"
    program.send_signal(signal.SIGINT)
    asked = len(stub.seen("POST", CLAIM))
    program.send_signal(signal.SIGTERM)
    said, _ = program.communicate(timeout=LIMIT)
    assert (program.returncode, said) == (0, "ended\n")
    assert len(stub.seen("POST", CLAIM)) <= asked + 1
    assert stub.seen("POST", "/v1/deliveries/d1/report") == []
