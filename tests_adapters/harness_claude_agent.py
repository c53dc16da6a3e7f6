"""Claude Agent SDK: the real SDK and its control protocol, with a scripted program in place of its CLI, which would
need a model.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ResultMessage,
    Transport,
    create_sdk_mcp_server,
    tool,
)

from signoff.integrations.claude_agent import Approvals
from tests_adapters.harness import TYPES, Call, Harness, Outcome, Script, until

PREFIX = "mcp__shop__"
GATED = {f"{PREFIX}{name}": intent_type for name, intent_type in TYPES.items()}


class ScriptedProgram(Transport):
    """Implements the control protocol: asks for permission, calls the tools of the SDK's MCP server, ends the run."""

    def __init__(self, script: Script, told: dict[str, str]) -> None:
        self._script = script
        self.told = told
        self._out: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._hooks: list[str] = []
        self._running: asyncio.Task[None] | None = None
        self._initialized = False

    async def connect(self) -> None: ...

    async def write(self, data: str) -> None:
        message = json.loads(data)
        if message["type"] == "control_response":
            answer = message["response"]
            self._answers[answer["request_id"]].set_result(answer)
        elif message["type"] == "control_request":
            for matcher in (message["request"].get("hooks") or {}).get("PreToolUse", ()):
                self._hooks += matcher["hookCallbackIds"]
            about = {"hook_on_failure_supported": True} if self._hooks else {}
            answer = {"subtype": "success", "request_id": message["request_id"], "response": about}
            self._out.put_nowait({"type": "control_response", "response": answer})
        elif message["type"] == "user":
            self._running = asyncio.ensure_future(self._run())

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self._out.get()) is not None:
            yield message

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self._out.put_nowait(None)

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None: ...

    async def _run(self) -> None:
        deferred: list[Call] = []
        stopped = False
        while (calls := self._script.next(self.told)) and not deferred and not stopped:
            for call, (how, text) in zip(calls, await asyncio.gather(*map(self._do, calls)), strict=True):
                if how == "defer":
                    deferred.append(call)
                else:
                    self.told[call.id] = text
                stopped = stopped or how == "stop"
        first = deferred[0] if deferred else None
        self._out.put_nowait(
            {
                "type": "result",
                "subtype": "error_during_execution" if stopped else "success",
                "duration_ms": 1,
                "duration_api_ms": 1,
                "is_error": stopped,
                "num_turns": 1,
                "session_id": "s",
                "result": "done",
                "deferred_tool_use": first
                and {"id": first.id, "name": PREFIX + first.tool, "input": first.arguments},
            }
        )

    async def _do(self, call: Call) -> tuple[str, str]:
        """How a call ended, and what the model gets."""
        name, arguments = PREFIX + call.tool, call.arguments
        if name in GATED and self._hooks:
            event = {"hook_event_name": "PreToolUse", "tool_name": name, "tool_input": arguments}
            said = await self._ask(
                "hook_callback", callback_id=self._hooks[0], input=event, tool_use_id=call.id
            )
            if said.get("continue") is False:
                return "stop", said["stopReason"]
            found = said["hookSpecificOutput"]
            if found["permissionDecision"] != "allow":
                return found["permissionDecision"], found["permissionDecisionReason"]
            arguments = found["updatedInput"]
        elif name in GATED:
            said = await self._ask("can_use_tool", tool_name=name, input=arguments, tool_use_id=call.id)
            if said["behavior"] != "allow":
                return ("stop" if said.get("interrupt") else "deny"), said["message"]
            arguments = said["updatedInput"]
        return "ran", await self._call(call.tool, arguments)

    async def _call(self, name: str, arguments: dict[str, Any]) -> str:
        if not self._initialized:
            self._initialized = True
            about = {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "c", "version": "1"},
            }
            await self._rpc({"id": "init", "method": "initialize", "params": about})
            await self._rpc({"method": "notifications/initialized"})
        call = {"name": name, "arguments": arguments}
        answer = await self._rpc({"id": f"{len(self._answers)}", "method": "tools/call", "params": call})
        if "error" in answer:
            return str(answer["error"]["message"])
        return str(answer["result"]["content"][0]["text"])

    async def _rpc(self, message: dict[str, Any]) -> dict[str, Any]:
        said = await self._ask("mcp_message", server_name="shop", message={"jsonrpc": "2.0", **message})
        return dict(said["mcp_response"])

    async def _ask(self, subtype: str, **request: Any) -> dict[str, Any]:
        number = f"r{len(self._answers)}"
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._out.put_nowait(
            {"type": "control_request", "request_id": number, "request": {"subtype": subtype, **request}}
        )
        answer = await self._answers[number]
        if answer["subtype"] == "error":
            raise AssertionError(answer["error"])
        return dict(answer["response"])


class Permission(Harness):
    title = "Claude Agent SDK: `can_use_tool`"

    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        approvals = Approvals(GATED, **options)
        told: dict[str, str] = {}
        result = await self._session(script, told, can_use_tool=approvals.can_use_tool)
        if result.is_error and approvals.failure is not None:
            raise approvals.failure
        return self.outcome(told)

    async def _session(self, script: Script, told: dict[str, str], **options: Any) -> ResultMessage:
        settings = ClaudeAgentOptions(mcp_servers={"shop": self._server()}, **options)
        async with contextlib.AsyncExitStack() as stack:
            client = ClaudeSDKClient(settings, transport=ScriptedProgram(script, told))
            await client.connect()
            stack.push_async_callback(client.disconnect)
            await client.query("Go.")
            async for message in client.receive_response():
                if isinstance(message, ResultMessage):
                    return message
        raise AssertionError("the run had no result")

    def _server(self) -> Any:
        def text(said: str) -> dict[str, Any]:
            return {"content": [{"type": "text", "text": said}]}

        money = {
            "type": "object",
            "properties": {
                "order": {"type": "string"},
                "amount": {"type": "integer"},
                "lines": {"type": "array", "items": {"type": "string"}},
                "card": {"type": "string"},
            },
            "required": ["order", "amount"],
        }

        @tool("refund", "Pay the money of an order back.", money)
        async def refund(given: dict[str, Any]) -> dict[str, Any]:
            return text(self.tools.refund(**given))

        @tool("close_shop", "Close the shop.", {})
        async def close_shop(given: dict[str, Any]) -> dict[str, Any]:
            return text(self.tools.close_shop())

        @tool("look_up", "Look an order up.", {"order": str})
        async def look_up(given: dict[str, Any]) -> dict[str, Any]:
            return text(self.tools.look_up(**given))

        return create_sdk_mcp_server("shop", tools=[refund, close_shop, look_up])


class Hook(Permission):
    title = "Claude Agent SDK: deferred by `hooks()`"

    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        return await self.go_on(({}, None), script, thread, **options)

    async def begin(self, script: Script, thread: str, server: Any, **options: Any) -> Any:
        told: dict[str, str] = {}
        before = len(server.asked)
        result = await self._session(script, told, hooks=Approvals(GATED, **options).hooks())
        await until(lambda: len(server.asked) > before)
        return told, result.deferred_tool_use

    async def go_on(self, saved: Any, script: Script, thread: str, **options: Any) -> Outcome:
        (told, deferred), approvals = saved, Approvals(GATED, **options)
        while True:
            if deferred is not None:
                await approvals.wait(deferred)
            result = await self._session(script, told, hooks=approvals.hooks())
            if result.is_error and approvals.failure is not None:
                raise approvals.failure
            deferred = result.deferred_tool_use
            if deferred is None:
                return self.outcome(told)
