"""Cases of the Claude Agent SDK alone: a failing hook counts as no decision, so the call could run."""

import json
from typing import Any

import pytest

from signoff.integrations.claude_agent import Approvals
from signoff.testing import Server


def deep(levels: int) -> Any:
    return json.loads("[" * levels + "]" * levels)


@pytest.mark.parametrize("wrong", ["(hidden) rm", "\ud800", 2**60, deep(40)])
async def test_hook_declines_a_call_that_cannot_be_sent(server: Server, wrong: Any) -> None:
    event = {"tool_name": "Bash", "tool_input": {"command": wrong}}
    said = await Approvals()._pre_tool_use(event, "call", None)
    assert said["hookSpecificOutput"]["permissionDecision"] == "deny"


def test_failing_or_slow_hook_blocks_the_call() -> None:
    [matcher] = Approvals().hooks("Bash")["PreToolUse"]
    assert matcher.on_failure == "block"
