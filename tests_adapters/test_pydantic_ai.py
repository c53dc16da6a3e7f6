"""Cases of Pydantic AI alone: results of several deferred calls that are used together."""

import pytest

from signoff import WaitTimeout
from signoff.integrations.pydantic_ai import Approvals
from signoff.testing import Answer, Server
from tests_adapters.harness import Call, Script
from tests_adapters.harness_pydantic_ai import Deferred


async def test_approval_stays_valid_if_another_call_is_not_decided_in_time(
    server: Server, order: str
) -> None:
    harness, first = Deferred(), f"{order}-first"
    agent = harness._agent(
        Script([Call("refund", {"order": one, "amount": 1}, f"call-{one}") for one in (first, order)])
    )
    asked = await agent.run("Go.")
    server.answer(lambda task: Answer() if task.payload["order"] == first else None)
    for _ in range(2):
        with pytest.raises(WaitTimeout):
            await Approvals(timeout=0.5).results(asked.output)
    server.approve()
    results = await Approvals().results(asked.output)
    await agent.run(message_history=asked.all_messages(), deferred_tool_results=results)
    assert len(harness.tools.ran) == 2
    assert len({task.intent_id for task in server.asked if task.payload.get("order") == first}) == 1
