"""Pydantic AI: a capability that waits in the run, and deferred tool calls."""

import asyncio
from typing import Any

from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from signoff.integrations.pydantic_ai import Approvals
from tests_adapters.harness import TYPES, Harness, Outcome, Script, until


def scripted(script: Script) -> FunctionModel:
    def model(messages: Any, info: Any) -> ModelResponse:
        calls = script.next(told(messages))
        parts = [ToolCallPart(call.tool, call.arguments, call.id) for call in calls]
        return ModelResponse(parts=parts or [TextPart("done")])

    return FunctionModel(model)


class PydanticAI(Harness):
    title = "Pydantic AI: `approvals.capability()`"

    def agent(self, script: Script, **settings: Any) -> Any:
        agent = Agent(scripted(script), **settings)
        agent.tool_plain(requires_approval=True)(self.tools.refund)
        agent.tool_plain(requires_approval=True)(self.tools.close_shop)
        agent.tool_plain()(self.tools.look_up)
        return agent

    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        agent = self.agent(script, capabilities=[Approvals(TYPES, **options).capability()])
        result = await agent.run("Go.")
        return self.outcome(told(result.all_messages()))


class Deferred(PydanticAI):
    title = "Pydantic AI: `DeferredToolRequests`"

    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        return await self.go_on(None, script, thread, **options)

    async def begin(self, script: Script, thread: str, server: Any, **options: Any) -> Any:
        result = await self._agent(script).run("Go.")
        before = len(server.asked)
        waiting = asyncio.ensure_future(Approvals(TYPES, **options).results(result.output))
        await until(lambda: len(server.asked) > before, waiting)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return result.all_messages_json(), result.output

    async def go_on(self, saved: Any, script: Script, thread: str, **options: Any) -> Outcome:
        agent = self._agent(script)
        if saved is None:
            result = await agent.run("Go.")
            messages, output = result.all_messages(), result.output
        else:
            messages, output = ModelMessagesTypeAdapter.validate_json(saved[0]), saved[1]
        while isinstance(output, DeferredToolRequests):
            results = await Approvals(TYPES, **options).results(output)
            result = await agent.run(message_history=messages, deferred_tool_results=results)
            messages, output = result.all_messages(), result.output
        return self.outcome(told(messages))

    def _agent(self, script: Script) -> Any:
        return self.agent(script, output_type=[str, DeferredToolRequests])


def told(messages: Any) -> dict[str, str]:
    parts = [part for message in messages for part in message.parts]
    return {
        part.tool_call_id: str(getattr(part, "content", ""))
        for part in parts
        if part.part_kind in ("tool-return", "retry-prompt") and getattr(part, "tool_call_id", None)
    }
