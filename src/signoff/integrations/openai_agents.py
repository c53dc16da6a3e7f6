"""OpenAI Agents SDK: lets people decide the interruptions of tools with ``needs_approval``.

The SDK cannot change a call's arguments. If people edit them, the call is rejected with the approved arguments in the
message. The model's next call with exactly these arguments in the same conversation then runs without asking again,
once.
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agents import Runner

from signoff.client.call_request import CannotBeSent, canonical_json
from signoff.client.records import Json
from signoff.client.results import fault_in
from signoff.integrations.tools import ToolGate, Verdict

_EDITED = (
    "The call was not run: people approved it with other arguments. "
    "Call {name} again with exactly these: {arguments}"
)
# Calls whose arguments are the text of a JSON object.
_WITH_ARGUMENTS: Final = ("function_call", "mcp_call", "mcp_approval_request")
# Fields that say which call it is, not what it does.
_WHICH_CALL: Final = frozenset({"type", "id", "call_id", "status", "name", "created_by", "caller"})


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
        verdicts = await self._verdicts(items, state)
        for item, verdict in zip(items, verdicts, strict=True):
            if verdict.approved and not verdict.edited:
                state.approve(item)
                continue
            reason = f"The call was not run. {verdict.reason}"
            if verdict.approved:
                shown = canonical_json(verdict.arguments)
                self._edited[_edit_of(item, shown)].append(str(item.call_id))
                reason = _edited_reason(item, shown)
            state.reject(item, rejection_message=reason)
        return state

    async def _verdicts(self, items: Sequence[Any], state: Any) -> list[Verdict]:
        verdicts = [self._known(item, state) for item in items]
        asked = [item for item, verdict in zip(items, verdicts, strict=True) if isinstance(verdict, dict)]
        found = iter(
            await self._gate.decide_all((item.name, _arguments(item), str(item.call_id)) for item in asked)
        )
        return [next(found) if isinstance(verdict, dict) else verdict for verdict in verdicts]

    def _known(self, item: Any, state: Any) -> Verdict | Json:
        """The verdict on a call that cannot be sent, or whose edited arguments were approved earlier; otherwise its
        arguments.
        """
        try:
            arguments = _arguments(item)
        except CannotBeSent as error:
            return Verdict(False, reason=str(error))
        shown = canonical_json(arguments)
        # Only the conversation in which people edited the call may continue with it.
        edited = self._edited.get(_edit_of(item, shown), [])
        history = state.to_json() if edited else {}
        for call_id in edited:
            if _answered(history, call_id, _edited_reason(item, shown)):
                edited.remove(call_id)
                return Verdict(True, arguments)
        return arguments


def _arguments(item: Any) -> Json:
    """What people see of a call: everything it does. The calls of some tools (shell, apply_patch, custom
    tools) have no JSON arguments. Raises CannotBeSent.
    """
    raw = item.raw_item
    fields: Json = dict(raw) if isinstance(raw, Mapping) else raw.model_dump(mode="json")
    if fields.get("type") in _WITH_ARGUMENTS:
        return _object(str(item.name), item.arguments or "{}")
    shown: Json = _stated({name: value for name, value in fields.items() if name not in _WHICH_CALL})
    if not shown:
        raise CannotBeSent(f"{item.name}() cannot be sent for approval: what it does is unknown")
    return shown


def _object(name: str, text: str) -> Json:
    try:
        found = json.loads(text, object_pairs_hook=_unique)
        if not isinstance(found, dict):
            raise ValueError("they are not a JSON object")
    except (ValueError, RecursionError) as error:
        raise CannotBeSent(f"{name}() cannot be sent for approval: its arguments: {error}") from None
    if fault := fault_in(found, "the arguments"):
        raise CannotBeSent(f"{name}() cannot be sent for approval: {fault}")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):  # which of the two counts depends on who reads it
        raise ValueError("a name is there twice")
    return found


def _stated(value: Any) -> Any:
    """A value without what is null, which a state that was written and read again lacks."""
    if isinstance(value, Mapping):
        return {name: _stated(item) for name, item in value.items() if item is not None}
    return [_stated(item) for item in value] if isinstance(value, list) else value


def _answered(value: Any, call_id: str, text: str) -> bool:
    """Whether a call has got this answer, somewhere in a run's state."""
    if isinstance(value, Mapping):
        if value.get("call_id") == call_id and _contains(value.get("output"), text):
            return True
        return any(_answered(item, call_id, text) for item in value.values())
    return isinstance(value, list) and any(_answered(item, call_id, text) for item in value)


def _contains(value: Any, text: str) -> bool:
    if isinstance(value, Mapping):
        return any(_contains(item, text) for item in value.values())
    if isinstance(value, list):
        return any(_contains(item, text) for item in value)
    return bool(value == text)


def _edited_reason(item: Any, shown: str) -> str:
    return _EDITED.format(name=item.name, arguments=shown)


def _edit_of(item: Any, shown: str) -> str:
    """Identifies a call with these arguments in this process, because a forked process could otherwise use the approval
    a second time.
    """
    return f"{os.getpid()} {item.name} {shown}"
