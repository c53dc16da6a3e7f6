"""An agent under test, and a stub with deliveries that it claims."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from signoff import Agent
from tests.client.stub import INTENT, Answer, Asked, Stub

CLAIM = "/v1/agents/validator/deliveries/claim"
TYPE = "intent.infra.change_approval.v1"
LIMIT = 60.0  # a guard against hanging


def held(number: int = 1, token: int = 7, **more: Any) -> dict[str, Any]:
    """A delivery after it was claimed."""
    return {
        "delivery_id": f"d{number}",
        "intent_id": INTENT,
        "intent_type": TYPE,
        "step_id": "validate",
        "attempt": 1,
        "token": token,
        "lease_seconds": 30,
        "payload": {"n": number},
        "input": {"strict": True},
        "previous_results": {"plan": {"rows": 3}},
        "idempotency_key": f"{INTENT}:{number}",
        "requester": {"kind": "person", "id": "per_rita"},
        "deadline_at": "2026-03-02T09:00:00Z",
        **more,
    }


class AgentEnv:
    """The stub with deliveries to claim. A claim returns those that are available at once."""

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


def work(agent: Agent, until: Callable[[], Any]) -> Any:
    """Run the agent until the function ``until``, in another thread, returns; returns its value."""
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
