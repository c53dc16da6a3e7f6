"""LangChain's agents: a middleware that waits, and LangGraph's interrupts in both modes."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.tools import tool
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from signoff.integrations.langchain import Approvals, SignoffMiddleware
from tests_adapters.harness import TYPES, Harness, Outcome, Script


class ScriptedModel(BaseChatModel):
    script: Any

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any
    ) -> ChatResult:
        calls = [
            {"name": call.tool, "args": call.arguments, "id": call.id}
            for call in self.script.next(told(messages))
        ]
        message = AIMessage("" if calls else "done", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])


def told(messages: Any) -> dict[str, str]:
    return {one.tool_call_id: str(one.content) for one in messages if isinstance(one, ToolMessage)}


class LangChain(Harness):
    title = "LangChain: `SignoffMiddleware`"

    def agent(self, script: Script, checkpointer: Any, middleware: Any) -> Any:
        functions = (self.tools.refund, self.tools.close_shop, self.tools.look_up)
        return create_agent(
            ScriptedModel(script=script),
            tools=[tool(function) for function in functions],
            middleware=[middleware],
            checkpointer=checkpointer,
        )

    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        agent = self.agent(script, InMemorySaver(), SignoffMiddleware(TYPES, **options))
        result = await agent.ainvoke({"messages": [("user", "Go.")]}, _config(thread))
        return self.outcome(told(result["messages"]))


class Interrupts(LangChain):
    title = "LangGraph: interrupts, one per call"
    mode: Any = "per_call"

    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        saved = await self.begin(script, thread, None)
        return await self.go_on(saved, script, thread, **options)

    async def begin(self, script: Script, thread: str, server: Any, **options: Any) -> Any:
        saver = InMemorySaver()
        await self._agent(script, saver).ainvoke({"messages": [("user", "Go.")]}, _config(thread))
        if server is not None:
            await self._ask(script, saver, thread, server, **options)
        return saver

    async def _ask(self, script: Script, saver: Any, thread: str, server: Any, **options: Any) -> None:
        import asyncio

        from tests_adapters.harness import until

        before = len(server.asked)
        waiting = asyncio.ensure_future(self._answers(self._agent(script, saver), thread, **options))
        await until(lambda: len(server.asked) > before, waiting)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async def _answers(self, agent: Any, thread: str, **options: Any) -> dict[str, Any]:
        state = await agent.aget_state(_config(thread))
        return await Approvals(TYPES, **options).aanswers(state.interrupts, _config(thread))

    async def go_on(self, saved: Any, script: Script, thread: str, **options: Any) -> Outcome:
        agent = self._agent(script, saved)
        while (await agent.aget_state(_config(thread))).interrupts:
            answers = await self._answers(agent, thread, **options)
            await agent.ainvoke(Command(resume=answers), _config(thread))
        return self.outcome(told((await agent.aget_state(_config(thread))).values["messages"]))

    def _agent(self, script: Script, saver: Any) -> Any:
        on = dict.fromkeys(TYPES, True)
        return self.agent(script, saver, HumanInTheLoopMiddleware(interrupt_on=on, interrupt_mode=self.mode))


class Batched(Interrupts):
    title = "LangGraph: interrupts, batched"
    mode = "batched"


def _config(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}}
