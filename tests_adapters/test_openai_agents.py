"""What only the OpenAI Agents SDK has: an edited call is made again by the model."""

from typing import Any

from signoff.integrations.openai_agents import Approvals
from signoff.testing import Server
from tests_adapters.harness import Call, Script
from tests_adapters.harness_openai_agents import CONFIG, OpenAIAgents


class Stubborn(Script):
    """A model that does not call again."""

    def next(self, answered: dict[str, str]) -> list[Call]:
        return [] if answered else list(self.turns[0])


async def run(approvals: Approvals, script: Script) -> list[Any]:
    harness = OpenAIAgents()
    await approvals.run(harness.agent(script), "Go.", run_config=CONFIG)
    return harness.tools.ran


async def test_an_edit_is_for_its_own_conversation(server: Server, order: str) -> None:
    approvals = Approvals()
    server.edit(amount=3)
    first = Call("refund", {"order": order, "amount": 30}, "first")
    assert await run(approvals, Stubborn([first])) == []
    server.reject()
    other = Call("refund", {"order": order, "amount": 3}, "other")
    assert await run(approvals, Stubborn([other])) == []


async def test_an_edit_is_for_one_call(server: Server, order: str) -> None:
    approvals = Approvals()
    server.answer(lambda task: None)
    server.edit(amount=3)
    first = Call("refund", {"order": order, "amount": 30}, "first")
    again = Call("refund", {"order": order, "amount": 3}, "once more")
    ran = await run(approvals, Script([first], [again]))
    assert [one["amount"] for _, one in ran] == [3, 3]
    requests = {task.intent_id for task in server.asked if task.payload.get("order") == order}
    assert len(requests) == 2
