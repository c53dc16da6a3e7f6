"""OpenAI Agents SDK: decides the interruptions of tools with ``needs_approval``.

The SDK has no way to change a call's arguments. If people edit them, the call is rejected with the approved arguments
in the message, and the model's next call with exactly these runs without asking again, once.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from agents import Runner

from signoff.client.call_request import canonical_json
from signoff.client.records import Json
from signoff.integrations.tools import ToolGate, Verdict

_EDITED = (
    "The call was not run: people approved it with other arguments. "
    "Call {name} again with exactly these: {arguments}"
)


class Approvals:
    """Decides interrupted runs. intent_types, options: as for ToolGate."""

    def __init__(self, intent_types: str | Mapping[str, str] | None = None, **options: Any) -> None:
        self._gate = ToolGate(intent_types, **options)
        self._edited: Counter[str] = Counter()

    async def run(self, agent: Any, input: Any, **options: Any) -> Any:
        """As ``Runner.run``, but waits for people at each interruption; the final result."""
        result = await Runner.run(agent, input, **options)
        while result.interruptions:
            result = await Runner.run(agent, await self.decide(result), **options)
        return result

    async def decide(self, run: Any) -> Any:
        """Wait for people and return the state to continue with: ``Runner.run(agent, state)``. run: a result with
        interruptions, or a RunState, for instance one read by ``RunState.from_string`` after a restart.
        """
        state = run.to_state() if hasattr(run, "to_state") else run
        for item in state.get_interruptions():
            verdict = await self._verdict(item)
            if verdict.approved and not verdict.edited:
                state.approve(item)
                continue
            reason = f"The call was not run. {verdict.reason}"
            if verdict.approved:
                shown = canonical_json(verdict.arguments)
                self._edited[f"{item.name} {shown}"] += 1
                reason = _EDITED.format(name=item.name, arguments=shown)
            state.reject(item, rejection_message=reason)
        return state

    async def _verdict(self, item: Any) -> Verdict:
        arguments: Json = json.loads(item.arguments or "{}")
        known = f"{item.name} {canonical_json(arguments)}"
        if self._edited[known]:
            self._edited[known] -= 1
            return Verdict(True, arguments)
        return await self._gate.decide_async(item.name, arguments, str(item.call_id))
