"""Pydantic AI: lets people decide deferred calls of tools with ``requires_approval``.

As a capability it waits inside the run. To wait for days, let the run end with ``DeferredToolRequests``, store its
messages, and continue with ``await approvals.results(requests)``.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_ai import DeferredToolRequests, DeferredToolResults, ToolApproved, ToolDenied
from pydantic_ai.capabilities import HandleDeferredToolCalls

from signoff.integrations.tools import ToolGate, Verdict


class Approvals:
    """Lets people decide deferred tool calls. intent_types, options: as for ToolGate."""

    def __init__(self, intent_types: str | Mapping[str, str] | None = None, **options: Any) -> None:
        self._gate = ToolGate(intent_types, **options)

    def capability(self) -> Any:
        """Return a capability for ``Agent(capabilities=[...])`` that waits for people inside the run."""

        async def handle(context: Any, requests: DeferredToolRequests) -> Any:
            return await self.results(requests)

        return HandleDeferredToolCalls(handler=handle)

    async def results(self, requests: DeferredToolRequests) -> DeferredToolResults:
        """Wait for people and return what to continue with. People are asked about all calls of a turn concurrently,
        once for each tool_call_id. Pydantic AI checks edited arguments when the run continues.
        """
        verdicts = await self._gate.decide_all(
            (call.tool_name, call.args_as_dict(), call.tool_call_id) for call in requests.approvals
        )
        return DeferredToolResults(
            approvals={
                call.tool_call_id: _answer(verdict)
                for call, verdict in zip(requests.approvals, verdicts, strict=True)
            }
        )


def _answer(verdict: Verdict) -> Any:
    if not verdict.approved:
        return ToolDenied(message=f"The call was not run. {verdict.reason}")
    return ToolApproved(override_args=verdict.arguments if verdict.edited else None)
