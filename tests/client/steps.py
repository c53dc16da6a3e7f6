"""Agent steps with unique names on a real server, and the threads and processes that run them."""

import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from signoff import Agent, Client, Task
from tests.live import PATIENCE, Live
from tests.stories.servers import environment, until

T = TypeVar("T")
PAYLOAD = {"target": "prod-postgres-main", "migration": "add_index_users_email"}
WAITING_AGENT = """
import sys
from signoff import Agent
agent = Agent(sys.argv[1], lease=float(sys.argv[2]), concurrency=1)
@agent.on("*")
def work(delivery):
    print(delivery.delivery_id, delivery.token, flush=True)
    sys.stdin.readline()
    return {"by": "the process"}
agent.run()
"""


class Step:
    """A workflow with one agent step and optionally a human step, with unique names."""

    def __init__(self, client: Client, *, gate: bool = False, **step: Any) -> None:
        self.client = client
        self.agent = f"validator-{secrets.token_hex(4)}"
        self.type = f"intent.{self.agent.replace('-', '_')}.v1"
        steps = [{"id": "validate", "agent": self.agent, **step}]
        if gate:
            steps.append(
                {"id": "approve", "human": {"type": "approval", "title": "Run it?"}, "deadline": "8h"}
            )
        client.apply_workflow({"workflow": self.agent, "intent_type": self.type, "steps": steps})
        self.key = client.create_key(agent=self.agent).api_key

    def request(self, **payload: Any) -> dict[str, Any]:
        return {"intent_type": self.type, "payload": payload or PAYLOAD}

    def send(self, **payload: Any) -> str:
        return self.client.send_intent(self.request(**payload))

    def worker(self, live: Live, result: Mapping[str, Any] | None = None, **terms: Any) -> Agent:
        agent = Agent(self.agent, url=live.url, api_key=self.key, **terms)
        if result is not None:
            agent.on("*")(lambda delivery: result)
        return agent

    def process(self, live: Live, lease: float) -> "subprocess.Popen[str]":
        """An agent in a separate process that prints what it claimed and waits for a line before it continues."""
        return subprocess.Popen(
            [sys.executable, "-c", WAITING_AGENT, self.agent, str(lease)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(SIGNOFF_URL=live.url, SIGNOFF_API_KEY=self.key),
        )

    def asked(self, intent_id: str) -> Task:
        """Wait until the intent's task is open; returns it."""
        return until(
            lambda: next((task for task in self.client.tasks.list() if task.intent_id == intent_id), None)
        )

    def history(self, intent_id: str, kind: str) -> int:
        return [event.type for event in self.client.audit(intent_id).events].count(kind)


@contextmanager
def working(agent: Agent) -> Iterator[None]:
    """Run the agent in a thread; stop it gracefully at the end."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(agent.run)
        try:
            yield
        finally:
            agent.stop()
            running.result(PATIENCE)


@contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Kill the process at the end, whatever happens."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def end_of(waiting: "Future[T]") -> T:
    return waiting.result(PATIENCE)
