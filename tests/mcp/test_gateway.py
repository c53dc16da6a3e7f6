"""The gateway in front of a real MCP server: which calls it holds, and that each runs once, exactly as approved."""

import asyncio
import itertools
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp.types import ToolListChangedNotification

from signoff.mcp.gateway_config import BadConfig, checked, fits, read_config
from signoff.mcp.upstream import UpstreamFailed
from tests.mcp.gateway_env import HELD, GatewayEnv
from tests.mcp.mcp_env import McpEnv, text_of, until
from tests.mcp.upstream_server import made

DELETE = {"path": "/logs/2019", "count": 3}


@pytest.fixture
def files(env: McpEnv, tmp_path: Path) -> GatewayEnv:
    return GatewayEnv(env, tmp_path)


async def decide(files: GatewayEnv, outcome: str = "approved", comment: str = "") -> str:
    return await files.env.decide(outcome, comment, type=HELD)


async def edit(files: GatewayEnv, change: Any) -> None:
    """Change the payload of the open request."""
    request_id = await files.env.request(HELD)
    task = (await files.env.web.get(f"/v1/tasks/{request_id[:-4]}0001", "ann"))["task"]
    body = {"payload": change(task["payload"]), "digest": task["digest"]}
    assert (await files.env.web.post(f"/v1/tasks/{task['task_id']}/revise", body, "ann")).status == 200


def code(result: Any) -> str:
    assert result.is_error
    return str(result.structured_content["error"]["code"])


@pytest.mark.parametrize(
    ("transport", "mode", "upstream"),
    [
        ("http", "auto", "auto"),
        ("http", "legacy", "legacy"),
        ("inside", "legacy", "auto"),
        ("inside", "auto", "legacy"),
    ],
)
async def test_held_call_runs_after_the_approval_and_other_calls_are_not_held(
    files: GatewayEnv, transport: str, mode: str, upstream: str
) -> None:
    async with files.client(transport, mode, upstream=upstream) as client:
        await client.list_tools()
        read = await client.call_tool("read_file", {"path": "/a"})
        assert text_of(read) == "the text of /a"
        call = asyncio.create_task(client.call_tool("delete_file", DELETE))
        request_id = await files.env.request(HELD)
        assert files.done == ["read /a"]
        shown = (await files.env.web.get(f"/v1/intents/{request_id}", "ann"))["intent"]
        assert shown["payload"] == {"server": "files", "tool": "delete_file", "arguments": DELETE}
        assert shown["human_task"]["title"] == "Call delete_file of files?"
        await decide(files)
        result = await call
    assert result.structured_content == DELETE
    assert files.done == ["read /a", "delete /logs/2019 3"]


async def test_tools_resources_and_prompts_are_those_of_the_upstream(files: GatewayEnv) -> None:
    async with files.client() as client, Client(made(files.notes)) as direct:
        ours, theirs = [(await one.list_tools()).tools for one in (client, direct)]
        assert [tool.model_dump() for tool in ours] == [tool.model_dump() for tool in theirs]
        assert (await client.list_resources()).resources == (await direct.list_resources()).resources
        assert (await client.list_resource_templates()).resource_templates == []
        assert (await client.list_prompts()).prompts == (await direct.list_prompts()).prompts
        [content] = (await client.read_resource("files://readme")).contents
        assert getattr(content, "text", "") == "read me"
        [message] = (await client.get_prompt("tidy", {"folder": "/tmp"})).messages
        assert getattr(message.content, "text", "") == "Tidy /tmp."
        assert "Files of the team." in (client.instructions or "")
        failed = await client.call_tool("fail", {"path": "x"})
        assert failed.is_error
        assert "Error executing tool fail" in text_of(failed)
        with pytest.raises(MCPError):
            await client.read_resource("files://nothing")


async def test_rejected_call_never_runs_and_returns_the_reason_as_data(files: GatewayEnv) -> None:
    async with files.client() as client:
        call = asyncio.create_task(client.call_tool("delete_file", DELETE))
        await decide(files, "rejected", "Keep 2019 until the audit.")
        result = await call
        assert code(result) == "rejected"
        ours, theirs = (block.text for block in result.content)
        assert "audit" not in ours
        assert "It is data" in theirs
        assert "Keep 2019 until the audit." in theirs
        again = await client.call_tool("delete_file", DELETE)
        assert code(again) == "rejected", "the same call asks nobody again at once"
        assert await files.env.count() == 1
    assert files.done == []


async def test_approved_arguments_are_those_that_run(files: GatewayEnv) -> None:
    async with files.client() as client:
        call = asyncio.create_task(client.call_tool("delete_file", DELETE))
        await edit(files, lambda payload: {**payload, "arguments": {"path": "/logs/2018", "count": 1}})
        await files.env.decide(who="otto", type=HELD)
        assert (await call).structured_content == {"path": "/logs/2018", "count": 1}
    assert files.done == ["delete /logs/2018 1"]


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: {**payload, "tool": "read_file"},
        lambda payload: {**payload, "server": "other"},
        lambda payload: {**payload, "arguments": ["/logs"]},
        lambda payload: {**payload, "more": 1},
        lambda payload: {"arguments": payload["arguments"]},
    ],
)
async def test_edit_with_another_tool_or_no_arguments_does_not_run(files: GatewayEnv, change: Any) -> None:
    async with files.client() as client:
        call = asyncio.create_task(client.call_tool("delete_file", DELETE))
        await edit(files, change)
        await files.env.decide(who="otto", type=HELD)
        assert code(await call) == "invalid_edit"
    assert files.done == []


async def test_wait_is_bounded_and_the_repeated_call_continues_it(files: GatewayEnv) -> None:
    async with files.client(wait_seconds=0) as client:
        first = await client.call_tool("delete_file", DELETE)
        assert code(first) == "waiting_for_approval"
        request_id = first.structured_content["error"]["request_id"]
        assert request_id in text_of(first)
        other = await client.call_tool("delete_file", {**DELETE, "count": 4})
        assert other.structured_content["error"]["request_id"] != request_id
        again = await client.call_tool("delete_file", dict(reversed(DELETE.items())))
        assert again.structured_content["error"]["request_id"] == request_id
        assert await files.env.count() == 2
        assert files.done == []


@pytest.mark.parametrize("between", ["ask and answer", "answer and call"])
async def test_repeated_call_after_a_restart_finds_its_decision(files: GatewayEnv, between: str) -> None:
    async with files.client(wait_seconds=0) as client:
        await client.call_tool("delete_file", DELETE)
        if between == "answer and call":
            await decide(files)
    if between == "ask and answer":
        await decide(files)
    async with files.client(wait_seconds=0) as client:
        assert (await client.call_tool("delete_file", DELETE)).structured_content == DELETE
    assert await files.env.count() == 1
    assert files.done == ["delete /logs/2019 3"]


async def test_approval_allows_one_run(files: GatewayEnv) -> None:
    async with files.client(wait_seconds=0) as client:
        await client.call_tool("delete_file", DELETE)
        await decide(files)
        assert not (await client.call_tool("delete_file", DELETE)).is_error
        assert code(await client.call_tool("delete_file", DELETE)) == "waiting_for_approval"
    async with files.client(wait_seconds=0) as client:  # and a gateway that was started since knows it too
        assert code(await client.call_tool("delete_file", DELETE)) == "waiting_for_approval"
    assert files.done == ["delete /logs/2019 3"]


async def test_two_concurrent_equal_calls_send_one_request(files: GatewayEnv) -> None:
    async with files.client() as client:
        calls = [asyncio.create_task(client.call_tool("delete_file", DELETE)) for _ in range(3)]
        await decide(files)
        assert [(await call).structured_content for call in calls] == [DELETE] * 3
    assert files.done == ["delete /logs/2019 3"]
    assert await files.env.count() == 1


async def test_two_gateways_with_one_key_run_a_call_once_per_approval(files: GatewayEnv) -> None:
    async with files.client(wait_seconds=0) as one, files.client(wait_seconds=0) as two:
        await one.call_tool("delete_file", DELETE)
        await decide(files)
        results = await asyncio.gather(*(client.call_tool("delete_file", DELETE) for client in (one, two)))
    assert sorted(result.is_error for result in results) == [False, True]
    assert files.done == ["delete /logs/2019 3"]


async def test_approval_is_not_available_to_another_key(files: GatewayEnv) -> None:
    async with files.client(wait_seconds=0) as one, files.client(wait_seconds=0, who="ci") as two:
        await one.call_tool("delete_file", DELETE)
        await decide(files)
        assert code(await two.call_tool("delete_file", DELETE)) == "waiting_for_approval"
    assert files.done == []


async def test_approval_for_one_upstream_does_not_count_for_another(files: GatewayEnv) -> None:
    async with files.client(wait_seconds=0) as one, files.client(wait_seconds=0, name="prod") as two:
        await one.call_tool("delete_file", DELETE)
        await decide(files)
        assert code(await two.call_tool("delete_file", DELETE)) == "waiting_for_approval"
    assert files.done == []


async def test_approval_for_one_command_does_not_count_for_another_of_its_name(files: GatewayEnv) -> None:
    other = {"command": ["another-server"]}  # not started: the one in this process is
    async with files.client(wait_seconds=0) as one, files.client(wait_seconds=0, upstream_file=other) as two:
        await one.call_tool("delete_file", DELETE)
        await decide(files)
        assert code(await two.call_tool("delete_file", DELETE)) == "waiting_for_approval"
    assert files.done == []


async def test_held_call_does_not_continue_an_earlier_one(files: GatewayEnv) -> None:
    """The approvers saw neither the server's earlier question nor the answer to it."""
    async with files.client() as client:
        result = await client.session.call_tool("delete_file", DELETE, request_state="approved")
        assert code(result) == "not_continued"
    assert files.done == []
    assert await files.env.count() == 0


async def test_subscriptions_to_single_resources_are_not_offered(files: GatewayEnv) -> None:
    async with files.client() as client:
        watching = client.listen(tools_list_changed=True, resource_subscriptions=["files://readme"])
        async with watching as events:
            assert events.honored.tools_list_changed
            assert not events.honored.resource_subscriptions


async def test_expired_and_old_approvals_run_nothing(files: GatewayEnv) -> None:
    async with files.client(wait_seconds=0, approval_seconds=3600) as client:
        await client.call_tool("delete_file", DELETE)
        await decide(files)
        files.env.web.clock.move(timedelta(hours=2))
        assert code(await client.call_tool("delete_file", DELETE)) == "approval_too_old"
        files.env.web.clock.move(timedelta(milliseconds=1))
        assert code(await client.call_tool("delete_file", DELETE)) == "waiting_for_approval"
        request_id = await files.env.request(HELD)
        body = {"status": "CANCELED", "reason": "no longer needed"}
        await files.env.web.post(f"/v1/intents/{request_id}/resolve", body, "agent")
        assert code(await client.call_tool("delete_file", DELETE)) == "withdrawn"
    assert files.done == []


async def test_workflow_without_approvers_runs_nothing(files: GatewayEnv) -> None:
    kind = "intent.files.delete.v1"
    await files.env.web.apply_workflow(
        workflow="w", intent_type=kind, steps=[{"id": "wait", "delay": "1s"}]
    )  # it asks no one
    rules = [{"tools": ["delete_file"], "action": "hold", "intent_type": kind}]
    async with files.client(rules=rules, wait_seconds=0) as client:
        await client.call_tool("delete_file", DELETE)
        await files.env.web.env.pass_time(timedelta(seconds=2))
        assert code(await client.call_tool("delete_file", DELETE)) == "not_approved"
    assert files.done == []


async def test_tool_annotations_of_the_upstream_do_not_release_a_call(files: GatewayEnv) -> None:
    """delete_file claims to be read-only; tools that are not listed are held or denied by the file's default."""
    async with files.client(default="hold", rules=[], wait_seconds=0) as client:
        assert code(await client.call_tool("read_file", {"path": "/a"})) == "waiting_for_approval"
    async with files.client(rules=[]) as client:
        assert code(await client.call_tool("read_file", {"path": "/a"})) == "denied"
        assert code(await client.call_tool("no_such_tool", {})) == "denied"
    assert files.done == []


async def test_canceling_ends_the_wait_and_not_the_request(files: GatewayEnv) -> None:
    async with files.client() as client:
        call = asyncio.create_task(client.call_tool("delete_file", DELETE))
        request_id = await files.env.request(HELD)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (await files.env.web.get(f"/v1/intents/{request_id}", "ann"))["status"] == "WAITING"
        await decide(files)
        assert (await client.call_tool("delete_file", DELETE)).structured_content == DELETE
    assert files.done == ["delete /logs/2019 3"]


async def test_progress_of_the_wait_and_of_the_tool_is_reported(files: GatewayEnv) -> None:
    on_message: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        on_message.append((progress, message))

    async def some() -> bool:
        return bool(on_message)

    async with files.client() as client:
        call = asyncio.create_task(client.call_tool("slow_copy", {"path": "/a"}, progress_callback=note))
        await until(some)
        await decide(files)
        assert text_of(await call) == "copied"
    assert on_message[0][1] == "waiting for people to decide"
    assert on_message[-1][1] == "half"
    assert [progress for progress, _ in on_message] == sorted(progress for progress, _ in on_message)


@pytest.mark.parametrize(("mode", "upstream"), list(itertools.product(["legacy", "auto"], repeat=2)))
async def test_changed_tool_list_is_passed_on(files: GatewayEnv, mode: str, upstream: str) -> None:
    changed = asyncio.Event()

    async def on_message(message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            changed.set()

    async with files.client(
        "inside", mode, upstream=upstream, more={"message_handler": on_message}
    ) as client:
        if mode == "auto":
            async with client.listen(tools_list_changed=True) as events:
                await client.call_tool("learn", {})
                async for _ in events:
                    break
        else:
            await client.call_tool("learn", {})
            await changed.wait()
        assert "new_tool" in {tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools}
        assert text_of(await client.call_tool("new_tool", {})) == "new"


async def test_upstream_that_died_is_restarted(files: GatewayEnv) -> None:
    async with files.client("stdio", wait_seconds=0) as client:
        await client.call_tool("delete_file", DELETE)
        assert code(await client.call_tool("die", {})) == "upstream_failed"
        await decide(files)
        assert (await client.call_tool("delete_file", DELETE)).structured_content == DELETE
        assert text_of(await client.call_tool("read_file", {"path": "/a"})) == "the text of /a"


async def test_command_holds_calls_of_the_configured_upstream(files: GatewayEnv) -> None:
    files.env.web.clock.move(datetime.now(UTC) - files.env.web.clock.now())  # noqa: TID251 - as this machine's
    started = files.env.stdio("agent", "--gateway", str(files.file(wait_seconds=30)))
    async with Client(StdioServerParameters(**started.model_dump())) as client:
        call = asyncio.create_task(client.call_tool("delete_file", DELETE))
        await decide(files)
        assert (await call).structured_content == DELETE
    assert files.done == ["delete /logs/2019 3"]


@pytest.mark.parametrize(
    ("command", "text"),
    [(["/no/such/program"], "No such file"), ([sys.executable, "-c", ""], "ended immediately")],
)
async def test_upstream_that_does_not_start_is_reported(
    files: GatewayEnv, command: list[str], text: str
) -> None:
    with pytest.raises(UpstreamFailed, match=text):
        async with files.client("stdio", upstream_file={"command": command}):
            pass


@pytest.mark.parametrize(
    ("pattern", "tool", "fitting"),
    [
        ("delete_*", "delete_file", True),
        ("delete_*", "undelete_file", False),
        ("*_file", "delete_file", True),
        ("*", "", True),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "acb", False),
        ("a*a", "a", False),
        ("delete", "Delete", False),
        ("a.c", "abc", False),
        ("*" * 60 + "b", "a" * 5000, False),
    ],
)
def test_pattern_may_contain_stars(pattern: str, tool: str, fitting: bool) -> None:
    assert fits(pattern, tool) is fitting


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"default": None}, "default"),
        ({"default": "allow"}, "default"),
        ({"defaults": "hold"}, "defaults"),
        ({"name": ""}, "name"),
        ({"upstream": {}}, "either a command or a url"),
        ({"upstream": {"command": ["x"], "url": "http://x"}}, "either a command or a url"),
        ({"upstream": {"url": "http://x", "env": {"A": "b"}}}, "upstream.env has no effect"),
        ({"upstream": {"command": ["x"], "headers_from_env": {"A": "B"}}}, "has no effect"),
        ({"upstream": {"url": "ftp://x"}}, "url"),
        ({"rules": [{"tools": ["a(b)?"], "action": "hold"}]}, "rules[0].tools[0]"),
        ({"rules": [{"tools": [], "action": "hold"}]}, "rules[0].tools"),
        ({"rules": [{"tools": ["a"], "action": "pass", "title": "x"}]}, "rules[0].title has no effect"),
        ({"rules": [{"tools": ["a"]}]}, "action"),
        ({"wait_seconds": 3600}, "wait_seconds"),
    ],
)
def test_invalid_configuration_file_is_refused_by_field(
    change: dict[str, Any], text: str, tmp_path: Path
) -> None:
    whole = {"name": "files", "default": "hold", "upstream": {"command": [sys.executable]}, **change}
    with pytest.raises(BadConfig) as refused:
        checked({name: value for name, value in whole.items() if value is not None}, "gateway.toml")
    assert text in str(refused.value)
    file = tmp_path / "gateway.json"
    file.write_text(json.dumps(whole))
    with pytest.raises(BadConfig):
        read_config(file)


def test_secrets_are_referenced_by_name() -> None:
    from signoff.mcp.upstream import connector

    document = {
        "name": "x",
        "default": "hold",
        "upstream": {"command": ["x"], "pass_env": ["TOKEN_OF_FILES"]},
    }
    with pytest.raises(BadConfig) as missing:
        connector(checked(document, "x").upstream, {})
    assert "TOKEN_OF_FILES" in str(missing.value)
    connector(checked(document, "x").upstream, {"TOKEN_OF_FILES": "secret"})


async def test_http_caller_with_an_invalid_key_reaches_nothing(files: GatewayEnv) -> None:
    """The gateway uses its own credentials upstream, so its callers need a valid key."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    call = {**asked, "params": {"name": "read_file", "arguments": {"path": "/etc/hosts"}}}
    accept = {"accept": "application/json, text/event-stream"}
    async with files.gateway() as server, files.env.http(server) as url, httpx2.AsyncClient() as http:
        for key in ("sgn_agent_nonsense_nonsense", "anything"):
            refused = await http.post(url, json=call, headers={**accept, "authorization": f"Bearer {key}"})
            assert refused.status_code == 401, refused.text
        assert files.done == []
        async with files.env.over_http(url, files.env.web.keys["agent"]) as agent:
            await agent.call_tool("read_file", {"path": "/etc/hosts"})
    assert files.done == ["read /etc/hosts"]
