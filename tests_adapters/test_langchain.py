"""Cases of LangChain alone: the fourth decision, and the decisions that a tool allows."""

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, Interrupt

from signoff import IntentRejected, WaitTimeout
from signoff.integrations.langchain import Approvals, SignoffMiddleware
from signoff.testing import Answer, Server
from tests_adapters.harness import Call, Script
from tests_adapters.harness_langchain import ScriptedModel, told

MODES = ["per_call", "batched"]
RAN: list[Any] = []


@tool
def ask_user(question: str) -> str:
    """Ask a person."""
    raise AssertionError("people answer in its place")


@tool
def refund(order: str, amount: int) -> str:
    """Pay the money of an order back."""
    RAN.append((order, amount))
    return f"paid {amount}"


async def run(call: Call, mode: Any, *allowed: str) -> dict[str, str]:
    """What the model got, with a tool that allows only these decisions."""
    RAN.clear()
    on: Any = {call.tool: {"allowed_decisions": [*allowed]}}
    agent = create_agent(
        ScriptedModel(script=Script([call])),
        tools=[ask_user, refund],
        middleware=[HumanInTheLoopMiddleware(interrupt_on=on, interrupt_mode=mode)],
        checkpointer=InMemorySaver(),
    )
    config: Any = {"configurable": {"thread_id": call.id}}
    await agent.ainvoke({"messages": [("user", "Go.")]}, config)
    interrupts = (await agent.aget_state(config)).interrupts
    assert len(interrupts) == 1
    answers = await Approvals({"refund": "intent.payments.refund.v1"}).aanswers(interrupts, config)
    result = await agent.ainvoke(Command(resume=answers), config)
    return told(result["messages"])


@pytest.mark.parametrize("mode", MODES)
async def test_people_answer_in_place_of_a_tool(server: Server, mode: str) -> None:
    server.answer(lambda task: Answer("provided", "The blue one."))
    call = Call("ask_user", {"question": "Which colour?"}, f"respond-{mode}")
    assert await run(call, mode, "respond") == {call.id: "The blue one."}
    [task] = [task for task in server.asked if task.title == "Which colour?" and task.outcome == "provided"][
        -1:
    ]
    assert task.task_type == "clarification"


@pytest.mark.parametrize("mode", MODES)
async def test_declined_question_leaves_the_graph_where_it_is(server: Server, mode: str) -> None:
    server.answer(lambda task: Answer("declined", "No idea."))
    with pytest.raises(IntentRejected, match="No idea"):
        await run(Call("ask_user", {"question": "Why?"}, f"declined-{mode}"), mode, "respond")


@pytest.mark.parametrize("mode", MODES)
async def test_edit_that_the_tool_does_not_allow_is_a_rejection(server: Server, mode: str) -> None:
    server.edit(amount=1)
    call = Call("refund", {"order": "A", "amount": 2}, f"edit-{mode}")
    assert "does not allow" in (await run(call, mode, "approve", "reject"))[call.id]
    assert RAN == []


def test_interrupt_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="names no tool call"):
        Approvals().answers([Interrupt(value="How old?", id="i")], {"configurable": {"thread_id": "t"}})
    with pytest.raises(TypeError, match="has no thread_id"):
        Approvals().answers([Interrupt(value="How old?", id="i")], {})


def test_middleware_works_without_an_event_loop(server: Server) -> None:
    RAN.clear()
    server.edit(amount=3)
    call = Call("refund", {"order": "B", "amount": 30}, "blocking")
    agent = create_agent(
        ScriptedModel(script=Script([call])), tools=[refund], middleware=[SignoffMiddleware(["refund"])]
    )
    result = agent.invoke({"messages": [("user", "Go.")]}, {"configurable": {"thread_id": "blocking"}})
    assert told(result["messages"]) == {"blocking": "paid 3"}
    assert RAN == [("B", 3)]
    server.reject(reason="No.")
    again = Call("refund", {"order": "B", "amount": 31}, "blocking 2")
    agent = create_agent(
        ScriptedModel(script=Script([again])), tools=[refund], middleware=[SignoffMiddleware()]
    )
    result = agent.invoke({"messages": [("user", "Go.")]})
    assert "No." in told(result["messages"])["blocking 2"]
    with pytest.raises(TypeError, match="a list of names"):
        SignoffMiddleware("refund")


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("mode", MODES)
async def test_approval_stays_valid_if_another_call_is_not_decided_in_time(
    server: Server, order: str, mode: Any, blocking: bool
) -> None:
    RAN.clear()
    first = f"{order}-first"
    calls = [Call("refund", {"order": one, "amount": 1}, f"call-{one}") for one in (first, order)]
    agent = create_agent(
        ScriptedModel(script=Script(calls)),
        tools=[refund],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"refund": True}, interrupt_mode=mode)],
        checkpointer=InMemorySaver(),
    )
    config: Any = {"configurable": {"thread_id": order}}
    await agent.ainvoke({"messages": [("user", "Go.")]}, config)
    interrupts = (await agent.aget_state(config)).interrupts

    async def answers(**options: Any) -> Any:
        approvals = Approvals(**options)
        if blocking:
            return await asyncio.to_thread(approvals.answers, interrupts, config)
        return await approvals.aanswers(interrupts, config)

    server.answer(lambda task: Answer() if task.payload["order"] == first else None)
    for _ in range(2):
        with pytest.raises(WaitTimeout):
            await answers(timeout=0.5)
    server.approve()
    await agent.ainvoke(Command(resume=await answers()), config)
    assert sorted(one for one, _ in RAN) == sorted([first, order])
    assert len({task.intent_id for task in server.asked if task.payload.get("order") == first}) == 1
