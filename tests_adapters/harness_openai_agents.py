"""OpenAI Agents SDK: interruptions, and serialized states."""

import asyncio
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Runner, RunState, Usage, function_tool
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from signoff.integrations.openai_agents import Approvals
from tests_adapters.harness import TYPES, Harness, Outcome, Script, until

CONFIG = RunConfig(tracing_disabled=True)


class ScriptedModel(Model):
    def __init__(self, script: Script) -> None:
        self._script = script

    async def get_response(
        self, system_instructions: Any, input: Any, *args: Any, **options: Any
    ) -> ModelResponse:
        import json

        calls = self._script.next(told(input))
        output: list[Any] = [
            ResponseFunctionToolCall(
                type="function_call", name=call.tool, arguments=json.dumps(call.arguments), call_id=call.id
            )
            for call in calls
        ]
        done = ResponseOutputText(type="output_text", text="done", annotations=[])
        message = ResponseOutputMessage(
            id="m", type="message", role="assistant", status="completed", content=[done]
        )
        return ModelResponse(output=output or [message], usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


def told(items: Any) -> dict[str, str]:
    found = [
        one if isinstance(one, dict) else one.to_input_item()
        for one in ([] if isinstance(items, str) else items)
    ]
    return {one["call_id"]: str(one["output"]) for one in found if one.get("type") == "function_call_output"}


class OpenAIAgents(Harness):
    title = "OpenAI Agents: `approvals.run()`"

    def agent(self, script: Script) -> Any:
        def failing(context: Any, error: Exception) -> str:
            return f"failed: {error}"

        gated = [
            function_tool(one, needs_approval=True, failure_error_function=failing)
            for one in (self.tools.refund, self.tools.close_shop)
        ]
        return Agent(
            name="Shop", model=ScriptedModel(script), tools=[*gated, function_tool(self.tools.look_up)]
        )

    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        result = await Approvals(TYPES, **options).run(self.agent(script), "Go.", run_config=CONFIG)
        return self.outcome(told(result.to_input_list()))


class Stored(OpenAIAgents):
    title = "OpenAI Agents: a stored `RunState`"

    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        return await self.go_on(None, script, thread, **options)

    async def begin(self, script: Script, thread: str, server: Any, **options: Any) -> Any:
        result = await Runner.run(self.agent(script), "Go.", run_config=CONFIG)
        saved = result.to_state().to_string()
        before = len(server.asked)
        waiting = asyncio.ensure_future(Approvals(TYPES, **options).decide(result))
        await until(lambda: len(server.asked) > before, waiting)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return saved

    async def go_on(self, saved: Any, script: Script, thread: str, **options: Any) -> Outcome:
        agent, approvals = self.agent(script), Approvals(TYPES, **options)
        if saved is None:
            result = await Runner.run(agent, "Go.", run_config=CONFIG)
            if not result.interruptions:
                return self.outcome(told(result.to_input_list()))
            saved = result.to_state().to_string()
        while True:
            state = await approvals.decide(await RunState.from_string(agent, saved))
            result = await Runner.run(agent, state, run_config=CONFIG)
            if not result.interruptions:
                return self.outcome(told(result.to_input_list()))
            saved = result.to_state().to_string()
