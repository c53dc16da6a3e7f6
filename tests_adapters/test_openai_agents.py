"""Cases of the OpenAI Agents SDK alone: an edited call is made again by the model."""

from typing import Any

import pytest
from agents import Agent, CustomTool, Runner, RunState, ShellTool, function_tool
from openai.types.responses import (
    ResponseCustomToolCall,
    ResponseFunctionShellToolCall,
    ResponseFunctionToolCall,
)

from signoff import WaitTimeout
from signoff.integrations.openai_agents import Approvals
from signoff.testing import Answer, Server
from tests_adapters.harness import Call, Script
from tests_adapters.harness_openai_agents import CONFIG, OpenAIAgents, ScriptedModel, told


class Stubborn(Script):
    """A model that does not repeat the call."""

    def next(self, answered: dict[str, str]) -> list[Call]:
        return [] if answered else list(self.turns[0])


async def run(approvals: Approvals, script: Script) -> list[Any]:
    harness = OpenAIAgents()
    await approvals.run(harness.agent(script), "Go.", run_config=CONFIG)
    return harness.tools.ran


async def test_edit_applies_to_its_own_conversation(server: Server, order: str) -> None:
    approvals = Approvals()
    server.edit(amount=3)
    first = Call("refund", {"order": order, "amount": 30}, "first")
    assert await run(approvals, Stubborn([first])) == []
    server.reject()
    other = Call("refund", {"order": order, "amount": 3}, "other")
    assert await run(approvals, Stubborn([other])) == []


async def test_edit_applies_to_one_call(server: Server, order: str) -> None:
    approvals = Approvals()
    server.answer(lambda task: None)
    server.edit(amount=3)
    first = Call("refund", {"order": order, "amount": 30}, "first")
    again = Call("refund", {"order": order, "amount": 3}, "once more")
    ran = await run(approvals, Script([first], [again]))
    assert [one["amount"] for _, one in ran] == [3, 3]
    requests = {task.intent_id for task in server.asked if task.payload.get("order") == order}
    assert len(requests) == 2


class Calls(ScriptedModel):
    """A model that makes these calls, in the SDK's format, and then ends."""

    def __init__(self, *calls: Any) -> None:
        self._calls = [*calls]

    async def get_response(self, *args: Any, **options: Any) -> Any:
        found = await ScriptedModel(Script()).get_response(None, [])
        if self._calls:
            found.output, self._calls = self._calls, []
        return found


async def test_people_see_what_a_shell_call_does(server: Server, order: str) -> None:
    ran: list[Any] = []

    def execute(request: Any) -> str:
        ran.append(request.data.action.commands)
        return "done"

    server.reject()
    call = ResponseFunctionShellToolCall.model_validate(
        {
            "type": "shell_call",
            "id": "i",
            "call_id": order,
            "status": "completed",
            "action": {"commands": [f"rm {order}"], "timeout_ms": 1000, "max_output_length": None},
        }
    )
    agent = Agent(name="Shop", model=Calls(call), tools=[ShellTool(executor=execute, needs_approval=True)])
    stored = (await Runner.run(agent, "Go.", run_config=CONFIG)).to_state().to_string()
    state = await Approvals().decide(await RunState.from_string(agent, stored))
    await Runner.run(agent, state, run_config=CONFIG)
    assert ran == []
    server.approve()
    await Approvals().run(Agent(name="Shop", model=Calls(call), tools=agent.tools), "Go.", run_config=CONFIG)
    assert ran == [[f"rm {order}"]]
    seen = [task.payload for task in server.asked if f"rm {order}" in str(task.payload)]
    assert seen == [{"action": {"commands": [f"rm {order}"], "timeout_ms": 1000}}] * 2


@pytest.mark.parametrize("text", ["drop it", "", '[["a", 1]]', '{"a": 1, "a": 2}', "5"])
async def test_people_see_the_text_of_a_custom_tool(server: Server, order: str, text: str) -> None:
    ran: list[str] = []

    async def invoke(context: Any, given: str) -> str:
        ran.append(given)
        return "done"

    server.approve()
    before = len(server.asked)
    custom = CustomTool(name="sql", description="", on_invoke_tool=invoke, needs_approval=True)
    call = ResponseCustomToolCall(type="custom_tool_call", name="sql", input=text, call_id=order)
    agent = Agent(name="Shop", model=Calls(call), tools=[custom])
    await Approvals().run(agent, "Go.", run_config=CONFIG)
    assert ran == [text]
    assert [task.payload for task in server.asked[before:]] == [{"input": text}]


@pytest.mark.parametrize(
    "arguments",
    [
        '{"order": "A", "amount": 1, "amount": 1000}',
        '{"order": "A", "amount": NaN}',
        "[1]",
        "null",
        "no JSON",
        '[["order", "A"], ["amount", 1]]',
    ],
)
async def test_call_without_clear_arguments_does_not_run(server: Server, order: str, arguments: str) -> None:
    ran: list[Any] = []

    @function_tool(needs_approval=True)
    def refund(order: str, amount: float) -> str:
        """Pay the money of an order back."""
        ran.append(amount)
        return "paid"

    server.approve()
    call = ResponseFunctionToolCall(type="function_call", name="refund", arguments=arguments, call_id=order)
    agent = Agent(name="Shop", model=Calls(call), tools=[refund])
    result = await Approvals().run(agent, "Go.", run_config=CONFIG)
    assert ran == []
    assert "cannot be sent for approval" in told(result.to_input_list())[order]


async def test_edit_applies_to_its_own_conversation_although_ids_repeat(server: Server, order: str) -> None:
    """Some models restart their call ids in each conversation."""
    approvals = Approvals()
    server.edit(amount=3)
    assert await run(approvals, Stubborn([Call("refund", {"order": order, "amount": 30}, "call_0")])) == []
    server.reject()
    assert await run(approvals, Stubborn([Call("refund", {"order": order, "amount": 3}, "call_0")])) == []


async def test_approval_stays_valid_if_another_call_is_not_decided_in_time(
    server: Server, order: str
) -> None:
    harness, first = OpenAIAgents(), f"{order}-first"
    script = Script([Call("refund", {"order": one, "amount": 1}, f"call-{one}") for one in (first, order)])
    agent = harness.agent(script)
    stored = (await Runner.run(agent, "Go.", run_config=CONFIG)).to_state().to_string()
    server.answer(lambda task: Answer() if task.payload["order"] == first else None)
    for _ in range(2):
        with pytest.raises(WaitTimeout):
            await Approvals(timeout=0.5).decide(await RunState.from_string(agent, stored))
    server.approve()
    state = await Approvals().decide(await RunState.from_string(agent, stored))
    await Runner.run(agent, state, run_config=CONFIG)
    assert len(harness.tools.ran) == 2
    assert len({task.intent_id for task in server.asked if task.payload.get("order") == first}) == 1
