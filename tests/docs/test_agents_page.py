"""docs/how-to/agents.md: its agents work as described, with and without the SDK."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from signoff import Agent, Delivery, StepFailed
from signoff.web.api.routes import ENDPOINTS
from tests.docs.blocks import DOCS, blocks, coded, rows, section
from tests.live import Live
from tests.stories.servers import until

PAGE = DOCS / "how-to" / "agents.md"
BASIC, FAILING, ASYNC, LARGE, TESTED, PLAIN = blocks(PAGE, "python")
TYPE = "intent.infra.change_approval.v1"
FLOW = {"workflow": "w", "intent_type": TYPE, "steps": [{"id": "check", "agent": "infra-validator"}]}


def names(snippet: str, **more: Any) -> dict[str, Any]:
    found = {"__name__": "page", **more}
    exec(snippet, found)
    return found


def test_listed_attributes_are_those_of_a_delivery() -> None:
    listed = {word for row in rows(section(PAGE, "What a handler gets")) for word in coded(row[0])}
    delivery = Delivery()
    assert {name for name in listed if not hasattr(delivery, name)} == set()


def test_every_argument_of_an_agent_has_a_row() -> None:
    import inspect

    listed = {word for row in rows(section(PAGE, "Leases")) for word in coded(row[0])}
    assert listed == {*inspect.signature(Agent).parameters} - {"name"}


def test_requests_of_the_page_exist() -> None:
    listed = {tuple(coded(row[0])[0].split(" ")) for row in rows(section(PAGE, "Other languages"))}
    assert len(listed) == 4
    assert listed <= {(row.method, row.path.replace(":path", "")) for row in ENDPOINTS}


def test_functions_of_the_page_work() -> None:
    names(TESTED, validate=names(BASIC)["validate"])
    refund = names(FAILING)["refund"]
    first = refund(Delivery(payload={"order": "A", "amount": 1}, idempotency_key="k"))
    assert first == refund(Delivery(payload={"order": "A", "amount": 1}, idempotency_key="k"))
    for payload, retryable in (
        ({"order": "A", "amount": 0}, False),
        ({"order": "LOCKED", "amount": 1}, True),
    ):
        with pytest.raises(StepFailed) as failed:
            refund(Delivery(payload=payload))
        assert failed.value.retryable is retryable
    assert asyncio.run(names(ASYNC)["send"](Delivery())) == {"sent": True}
    upload = names(LARGE, agent=Agent("a"), put=lambda path, result: path)["upload"]
    assert upload(Delivery(intent_id="i"), {}) == {"stored_at": "results/i.json"}


@pytest.mark.parametrize("snippet", [BASIC, PLAIN], ids=["with the SDK", "without it"])
def test_agent_of_the_page_runs_a_step(snippet: str, tmp_path: Path) -> None:
    live = Live(tmp_path / ".signoff").start()
    made = live.call("POST", "/v1/keys", {"agent": "infra-validator"})[1]
    assert live.call("POST", "/v1/workflows", FLOW)[0] == 200
    environ = os.environ | {"SIGNOFF_URL": live.url, "SIGNOFF_API_KEY": made["api_key"]}
    agent = subprocess.Popen(
        [sys.executable, "-c", snippet], cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True
    )
    try:
        sent = live.call("POST", "/v1/intents", {"intent_type": TYPE, "payload": {"migration": "add_index"}})[
            1
        ]
        path = f"/v1/intents/{sent['intent_id']}"
        over = until(
            lambda: (found := live.call("GET", path)[1]["intent"])["status"] == "COMPLETED" and found
        )
        assert over["result"]["risk"] == "low"
    finally:
        agent.terminate()
        said = agent.communicate(timeout=60)[1]
        live.stop()
    if "Agent(" in snippet:
        [line] = re.findall(r"`(connected to .*?)`", PAGE.read_text(encoding="utf-8"))
        shape = re.escape(line).replace("URL", ".*").replace("ADDRESS", "agent://.*").replace("TYPES", TYPE)
        assert re.search(shape, said)
