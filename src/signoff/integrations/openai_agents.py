"""OpenAI Agents SDK: lets people decide the interruptions of tools with ``needs_approval``.

The SDK cannot change a call's arguments. If people edit them, the call is rejected with the approved arguments in the
message. The model's next call with exactly these arguments in the same conversation then runs without asking again,
once.
"""

import asyncio
import json
import os
from collections import defaultdict
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
    """Lets people decide interrupted runs. intent_types, options: as for ToolGate."""

    def __init__(self, intent_types: str | Mapping[str, str] | None = None, **options: Any) -> None:
        self._gate = ToolGate(intent_types, **options)
        # The calls that people approved with edited arguments, by tool and approved arguments.
        self._edited: defaultdict[str, list[str]] = defaultdict(list)

    async def run(self, agent: Any, input: Any, **options: Any) -> Any:
        """Like ``Runner.run``, but waits for people at each interruption; returns the final result."""
        result = await Runner.run(agent, input, **options)
        while result.interruptions:
            result = await Runner.run(agent, await self.decide(result), **options)
        return result

    async def decide(self, run: Any) -> Any:
        """Wait for people and return the state to continue with: ``Runner.run(agent, state)``. run: a result with
        interruptions, or a RunState, such as one read by ``RunState.from_string`` after a restart.
        """
        state = run.to_state() if hasattr(run, "to_state") else run
        items = state.get_interruptions()
        verdicts = await asyncio.gather(*(self._verdict(item, state) for item in items))
        for item, verdict in zip(items, verdicts, strict=True):
            if verdict.approved and not verdict.edited:
                state.approve(item)
                continue
            reason = f"The call was not run. {verdict.reason}"
            if verdict.approved:
                shown = canonical_json(verdict.arguments)
                self._edited[_edit_of(item, shown)].append(str(item.call_id))
                reason = _EDITED.format(name=item.name, arguments=shown)
            state.reject(item, rejection_message=reason)
        return state

    async def _verdict(self, item: Any, state: Any) -> Verdict:
        arguments: Json = json.loads(item.arguments or "{}")
        # Only the conversation in which people edited the call may continue with it.
        edited = self._edited.get(_edit_of(item, canonical_json(arguments)), [])
        history = state.to_string() if edited else ""
        for call_id in edited:
            if json.dumps(call_id) in history:
                edited.remove(call_id)
                return Verdict(True, arguments)
        return await self._gate.decide_async(item.name, arguments, str(item.call_id))


def _edit_of(item: Any, shown: str) -> str:
    """Identifies a call with these arguments in this process, because a forked process would use the approval a
    second time.
    """
    return f"{os.getpid()} {item.name} {shown}"
