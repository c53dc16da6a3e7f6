"""When an agent last asked for work is shown in the API, on pages, and before a workflow is applied."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.web.web_env import VALIDATOR, WebEnv

TYPO = {
    "workflow": "typo",
    "intent_type": "t.typo.v1",
    "steps": [{"id": "c", "agent": "validtor"}, {"id": "d", "agent": "agent_core"}],
}


async def last_seen(web: WebEnv, address: str = VALIDATOR) -> Any:
    answer = await web.get("/v1/agents")
    return next(one for one in answer["agents"] if one["address"] == address).get("last_seen")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/agents/validator/deliveries/claim"),
        ("GET", "/v1/agents/validator/intents"),
        ("GET", "/v1/agents/validator/intents/stream?wait_seconds=1"),
    ],
)
async def test_claim_poll_and_stream_count_as_activity(web: WebEnv, method: str, path: str) -> None:
    assert await last_seen(web) == "never"
    await web.call(method, path, {} if method == "POST" else None, "agent", user_agent="axme-sdk-python/0.3")
    found = (await web.get("/v1/agents/validator"))["agent"]
    assert (found["last_seen"], found["last_seen_client"]) == ("now", "axme-sdk-python/0.3")
    assert found["last_seen_at"] <= "2026-03-02T09:00:00Z"


@pytest.mark.parametrize("who", ["ci", "stranger", "ann"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/agents/validator/deliveries/claim"),
        ("GET", "/v1/agents/validator/intents"),
        ("GET", "/v1/agents/validator/intents/stream?wait_seconds=1"),
    ],
)
async def test_refused_request_does_not_count_as_activity(
    web: WebEnv, method: str, path: str, who: str
) -> None:
    refused = await web.call(method, path, {} if method == "POST" else None, who)
    assert refused.status == 403
    assert await last_seen(web) == "never"


async def test_last_activity_is_shown_in_words(web: WebEnv) -> None:
    await web.post("/v1/agents/validator/deliveries/claim", {}, "agent")
    await web.state.workers.once()
    web.clock.move(timedelta(days=3, hours=2))
    web.state.workers._noted.clear()  # as any other server, which has heard nothing
    assert await last_seen(web) == "3d ago"
    assert await last_seen(web, "agent://acme/prod/stranger") == "never"


async def test_workflow_whose_agent_has_no_worker_is_a_warning(web: WebEnv) -> None:
    for path in ("/v1/workflows?dry_run=true", "/v1/workflows"):
        answer = await web.post(path, TYPO, "oscar")
        assert answer["warnings"] == [
            "step 'c' will wait. No worker has ever asked for the work of agent://acme/prod/validtor."
        ]
    await web.post("/v1/agents/validtor/deliveries/claim", {}, "oscar")
    assert (await web.post("/v1/workflows", TYPO, "oscar"))["warnings"] == []


async def test_claim_response_names_the_agent_and_why_nothing_may_arrive(web: WebEnv) -> None:
    there = await web.post("/v1/agents/validator/deliveries/claim", {}, "agent")
    assert (there["agent"], there["max_report_bytes"]) == (VALIDATOR, 131_072)
    assert "notice" not in there.json
    nowhere = await web.post("/v1/agents/validtor/deliveries/claim", {}, "oscar")
    assert "No agent is registered as agent://acme/prod/validtor" in nowhere["notice"]


async def test_worker_waiting_before_its_agent_exists_gets_the_first_delivery_at_once(web: WebEnv) -> None:
    """Under a name that only becomes an address by the registration."""
    asking = asyncio.create_task(
        web.post("/v1/agents/Late Worker/deliveries/claim", {"wait_seconds": 30}, "oscar")
    )
    while not web.state.feed.waiters:
        await asyncio.sleep(0)
    made = await web.post("/v1/service-accounts", {"name": "Late Worker"}, "oscar")
    intent_id = await web.send(to_agent=made["service_account"]["address"])
    answer = await asyncio.wait_for(asking, 20)
    assert [one["intent_id"] for one in answer["deliveries"]] == [intent_id]


async def test_client_request_id_is_returned(web: WebEnv) -> None:
    assert (await web.get("/health", "", x_client_request_id="abc")).headers["x-client-request-id"] == "abc"
    assert "x-client-request-id" not in (await web.get("/health", "")).headers
    assert "x-client-request-id" not in (await web.get("/health", "", x_client_request_id="a b")).headers


def seqs(text: str) -> list[int]:
    return [int(line.removeprefix("id: ")) for line in text.splitlines() if line.startswith("id: ")]


async def test_last_event_id_takes_precedence_over_since(web: WebEnv) -> None:
    intent_id, _ = await web.at_gate()
    path = f"/v1/intents/{intent_id}/events/stream?wait_seconds=1"
    everything = seqs((await web.get(path)).text)
    assert len(everything) > 2
    assert seqs((await web.get(path, last_event_id=str(everything[1]))).text) == everything[2:]
    assert seqs((await web.get(f"{path}&since=0", last_event_id=str(everything[1]))).text) == everything[2:]
    assert seqs((await web.get(f"{path}&since={everything[0]}")).text) == everything[1:]
    assert seqs((await web.get(path, last_event_id="")).text) == everything
    for odd in ("x", "-1", "1.5", "9" * 400):
        refused = await web.get(path, last_event_id=odd)
        assert (refused.status, refused.code) == (400, "invalid_last_event_id"), odd


async def test_last_event_id_takes_precedence_on_an_agents_stream(web: WebEnv) -> None:
    for _ in range(2):
        await web.send(to_agent="validator")
    path = "/v1/agents/validator/intents/stream?wait_seconds=1"
    both = seqs((await web.get(path, "agent")).text)
    assert len(both) == 2
    for delivery in (await web.get("/v1/agents/validator/intents", "agent"))["intents"]:
        await web.get(f"/v1/intents/{delivery['intent_id']}", "agent")  # read: it is not shown again
    assert seqs((await web.get(path, "agent", last_event_id=str(both[0]))).text) == both[1:]


async def test_manifest_warns_of_agents_without_a_worker(web: WebEnv) -> None:
    flow = {"workflow": "w", "intent_type": "intent.w.v1", "steps": [{"id": "c", "agent": "validtor"}]}
    for path in ("/v1/apply?dry_run=true", "/v1/apply"):
        answer = await web.post(path, {"workflows": [flow]}, "oscar")
        assert answer["warnings"] == [
            "step 'c' will wait. No worker has ever asked for the work of agent://acme/prod/validtor."
        ]
