"""Cases of Temporal alone: workflows that end while people decide, and webhooks about others' requests."""

import asyncio
from typing import Any

import pytest

from signoff import AsyncClient
from signoff.integrations import temporal as adapter
from signoff.integrations.temporal import Approvals
from signoff.testing import Server
from tests_adapters.harness import Call, Script, until
from tests_adapters.harness_temporal import Temporal, connected


@pytest.mark.parametrize("how", ["cancel", "terminate"])
async def test_request_ends_with_its_workflow(
    server: Server, order: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_BEAT", 0.5)
    harness = Temporal()
    handle = await harness._start(Script([Call("refund", {"order": order, "amount": 1}, order)]), order)

    def asked() -> list[Any]:
        return [task for task in server.asked if task.payload.get("order") == order]

    async with harness._worker(handle), asyncio.timeout(30):
        await until(asked)
        await getattr(handle, how)()
        async with AsyncClient() as client:
            found = await client.wait_for(asked()[0].intent_id)
    assert found.status == "CANCELED"
    assert harness.tools.ran == []


@pytest.mark.parametrize(
    "correlation_id",
    [
        "temporal:",
        "temporal:null",
        "temporal:[1, 2]",
        'temporal:["default", "a", "b", 1]',
        'temporal:["default", "a", "b", "1"]',
    ],
)
async def test_request_of_another_program_wakes_nothing(server: Server, correlation_id: str) -> None:
    temporal, approvals = await connected(), Approvals(webhook=True)
    given = {
        "intent_type": "intent.other.v1",
        "human_task": {"title": "Go?"},
        "correlation_id": correlation_id,
    }
    with server.owner() as owner, server.client() as client:
        for sender in (owner, client):  # the key of the approvals may not read the owner's
            sent = sender.send_intent(given)
            sender.cancel(sent)
            event = {"type": "intent.finished", "data": {"intent_id": sent}}
            assert not await approvals.finished(temporal, event)
    for data in (None, [], {}, {"intent_id": 5}, {"intent_id": "../keys"}):
        assert not await approvals.finished(temporal, {"type": "intent.finished", "data": data})
