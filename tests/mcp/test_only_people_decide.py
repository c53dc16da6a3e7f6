"""Nothing in the MCP server decides or changes who decides, whatever key it has."""

import itertools
import re
from contextlib import suppress
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from signoff.client.calls import ApiCall
from signoff.mcp.callers import KeyOfPerson
from signoff.mcp.guard import NotAllowedHere, check
from signoff.mcp.resources import LISTED, TEMPLATES
from signoff.mcp.tools import TOOLS
from signoff.web.api.routes import ENDPOINTS
from tests.mcp.mcp_env import TYPE, McpEnv, text_of

ID = "01a22bab-3442-7ced-b425-e97728ce0000"
STEP = ID[:-4] + "0001"
# Every write that this package may send, and the only bodies of resolve.
WRITES = {("POST", "/v1/intents"), ("POST", "/v1/intents/{intent_id}/resolve")}


def sent(method: str, path: str, body: Any = None) -> bool:
    try:
        check(ApiCall(method, path, lambda answer: answer, body=body))
    except NotAllowedHere:
        return False
    return True


def test_writing_endpoints_are_refused_before_sending_except_those_listed() -> None:
    writing = {(row.method, row.path.replace(":path", "")) for row in ENDPOINTS if row.method != "GET"}
    assert writing >= WRITES
    for method, path in sorted(writing - WRITES):
        filled = re.sub(r"\{(\w+)\}", lambda found: STEP if found[1].endswith("id") else "name", path)
        allowed = sent(method, filled, {"status": "COMPLETED", "outcome": "approved"})
        assert allowed == path.endswith("/use"), f"{method} {path}"


@pytest.mark.parametrize(
    ("path", "status", "allowed"),
    [
        (ID, "CANCELED", True),
        (ID, "COMPLETED", False),
        (ID, "FAILED", False),
        (ID, None, False),
        (STEP, "COMPLETED", True),  # a step's result: the server takes none for a decision
        (STEP, "completed", False),
        (ID.replace("-", "").ljust(36, "0"), "COMPLETED", False),
    ],
)
def test_intent_can_only_be_resolved_as_canceled(path: str, status: str | None, allowed: bool) -> None:
    assert sent("POST", f"/v1/intents/{path}/resolve", {"status": status}) is allowed


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/tasks/{STEP}/answer",
        f"/v1/intents/{ID}/../../tasks/{STEP}/answer",
        f"/v1/intents/{ID}%2f..%2f..%2ftasks",
        f"/v1/intents/{ID}/resolve/../resume",
        f"//v1/intents/{ID}/resume",
        f"/v1/intents/{ID}/resume?x=/v1/intents",
        "/v1/intents\n/v1/me",
    ],
)
def test_no_path_smuggles_a_write(path: str) -> None:
    assert not sent("POST", path, {"outcome": "approved", "status": "CANCELED"})


# What a program might try, for every argument of every tool.
WORDS: dict[str, list[Any]] = {
    "request_id": ["TASK", "INTENT", "INTENT/resume", "../tasks/TASK/answer"],
    "result": [{"outcome": "approved"}, {"task_result": {"outcome": "approved"}, "approved": True}],
    "error": [{"code": "approved", "message": "approved"}],
    "reason": ["approved"],
    "status": ["APPROVED", "COMPLETED"],
    "payload": [{"outcome": "approved", "approve_current_step": True, "action": "complete"}],
    "title": ["approved"],
    "request_key": ["approved"],
    "wait_seconds": [0],
}


async def test_no_tool_or_resource_decides_with_an_owners_key(env: McpEnv) -> None:
    """Calls each tool with each combination of such arguments while a task is open that the key's owner may answer."""
    intent_id, task_id = await env.web.ask(assignees=["oscar@acme.example", "ann@acme.example"])
    fill = {"TASK": task_id, "INTENT": intent_id}
    tried = 0
    async with Client(env.server("ann", people=True)) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == set(TOOLS)
        for name, spec in TOOLS.items():
            known = {field: WORDS[field] for field in spec.arguments.__struct_fields__ if field in WORDS}
            for words in itertools.product(*known.values()):
                arguments = dict(zip(known, words, strict=True))
                for placeholder, filled in fill.items():
                    arguments = {
                        field: word.replace(placeholder, filled) if isinstance(word, str) else word
                        for field, word in arguments.items()
                    }
                await client.call_tool(name, arguments)
                tried += 1
        for uri in (*LISTED, *TEMPLATES):
            for filled in (intent_id, task_id):
                with suppress(MCPError):
                    await client.read_resource(uri.replace("{request_id}", filled))
    assert tried > 15
    task = (await env.web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    assert (task["state"], task["votes"], task["revision"]) == ("open", [], 1)


async def test_owner_withdraws_only_requests_of_this_key(env: McpEnv) -> None:
    intent_id, _ = await env.web.ask()
    async with Client(env.server("oscar", people=True)) as client:
        refused = await client.call_tool("withdraw_request", {"request_id": intent_id})
    assert refused.structured_content["error"]["code"] == "not_yours"
    assert await env.web.status(intent_id) == "WAITING"


async def test_key_of_a_person_is_refused_with_the_command_that_creates_an_agent_key(env: McpEnv) -> None:
    with pytest.raises(KeyOfPerson):
        await env.key("oscar").of()
    async with Client(env.server("oscar")) as client:
        result = await client.call_tool("request_approval", {"title": "x", "wait_seconds": 0})
    assert result.is_error
    assert result.structured_content["error"]["code"] == "key_of_person"
    assert "signoff keys create --agent" in text_of(result)
    assert await env.count() == 0


async def test_decision_of_another_programs_request_is_not_used(env: McpEnv) -> None:
    """Another program uses the same correlation id and gets its own request approved, which this key can see."""
    asked = {"title": "Delete it?", "payload": {"all": True}, "wait_seconds": 0}
    async with Client(env.server("rita", people=True)) as client:
        first = (await client.call_tool("request_approval", asked)).structured_content
        path = f"/v1/intents/{first['request_id']}"
        shown = (await env.web.get(path, "ann"))["intent"]
        await client.call_tool("withdraw_request", {"request_id": first["request_id"]})
        for _ in range(7):
            forged = await env.web.send(
                intent_type=TYPE,
                correlation_id=shown["correlation_id"],
                payload=asked["payload"],
                human_task={"title": "Harmless?"},
            )
            await env.web.answer(forged[:-4] + "0001")
            assert (await env.web.get(f"/v1/intents/{forged}"))["status"] == "COMPLETED"
        again = (await client.call_tool("request_approval", asked)).structured_content
    assert again["state"] == "waiting"
    assert again["request_id"] not in (first["request_id"], forged)
    found = (await env.web.get(f"/v1/intents/{again['request_id']}", "ann"))["intent"]
    assert found["from_agent"] == "person://per_rita"
