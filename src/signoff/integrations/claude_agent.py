"""Claude Agent SDK: a permission callback that waits for people, and a hook that defers tool calls.

``can_use_tool`` waits inside the run. With ``hooks()`` the run ends at a call that people have not decided yet
(``ResultMessage.deferred_tool_use``); after ``await approvals.wait(...)`` resume the session. Rules of the SDK that
allow or deny a tool come before the callback: leave gated tools out of ``allowed_tools``.
"""

from collections.abc import Mapping
from typing import Any

from claude_agent_sdk import HookMatcher, PermissionResultAllow, PermissionResultDeny

from signoff.client.errors import SignoffError
from signoff.client.records import Json
from signoff.integrations.tools import UNFIT, ToolGate, Verdict, verdict_of


class Approvals:
    """Decides tool calls. intent_types, options: as for ToolGate.

    The SDK does not propagate a callback's exception. If there is no decision (no server, or the timeout has elapsed),
    the call is denied, the run ends, and ``failure`` is the exception.
    """

    def __init__(self, intent_types: str | Mapping[str, str] | None = None, **options: Any) -> None:
        self._gate = ToolGate(intent_types, **options)
        self._timeout: float | None = options.get("timeout")
        self.failure: SignoffError | None = None

    async def can_use_tool(
        self, tool: str, arguments: Json, context: Any
    ) -> PermissionResultAllow | PermissionResultDeny:
        """For ``ClaudeAgentOptions(can_use_tool=...)``."""
        try:
            verdict = await self._gate.decide_async(tool, arguments, str(context.tool_use_id))
        except SignoffError as error:
            self.failure = error
            return PermissionResultDeny(message=f"The call was not run. {error}", interrupt=True)
        if verdict.approved:
            return PermissionResultAllow(updated_input=verdict.arguments)
        return PermissionResultDeny(message=f"The call was not run. {verdict.reason}")

    def hooks(self, matcher: str | None = None) -> dict[str, list[HookMatcher]]:
        """For ``ClaudeAgentOptions(hooks=...)``: defer the calls of these tools until people have decided.
        matcher: as for HookMatcher (``Bash|mcp__pay__.*``).
        """
        # Otherwise the SDK treats a hook that fails or takes too long as no decision, and the call may run.
        return {"PreToolUse": [HookMatcher(matcher=matcher, hooks=[self._pre_tool_use], on_failure="block")]}

    async def wait(self, deferred: Any, timeout: float | None = None) -> None:
        """Wait until people have decided on a deferred call; then resume its session. timeout: seconds, in place of
        the options' timeout; raises WaitTimeout after it.
        """
        gate = self._gate.of(deferred.name)
        client = gate.async_client
        call = gate.request(deferred.name, deferred.input, str(deferred.id))
        limit = self._timeout if timeout is None else timeout
        await client.session.run(call.settled(limit, client.retries))

    async def _pre_tool_use(self, event: Any, tool_use_id: str | None, context: Any) -> Json:
        gate = self._gate.of(event["tool_name"])
        try:
            client = gate.async_client
            call = gate.request(event["tool_name"], event["tool_input"], str(tool_use_id))
            decision = await client.session.run(call.poll(client.retries))
            verdict = None if decision is None else verdict_of(decision)
        except UNFIT as error:
            verdict = Verdict(False, reason=str(error))
        except SignoffError as error:
            self.failure = error
            return {"continue_": False, "stopReason": f"The call was not run. {error}"}
        if verdict is None:
            return _decision("defer", f"People are deciding request {call.intent_id}.")
        if not verdict.approved:
            return _decision("deny", f"The call was not run. {verdict.reason}")
        return _decision("allow", verdict.reason or "It may run.", verdict.arguments)


def _decision(decision: str, reason: str, arguments: Json | None = None) -> Json:
    fields: Json = {
        "hookEventName": "PreToolUse",
        "permissionDecision": decision,
        "permissionDecisionReason": reason,
    }
    if arguments is not None:
        fields["updatedInput"] = arguments
    return {"hookSpecificOutput": fields}
