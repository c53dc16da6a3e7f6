"""Transports, resources, the tasks extension, and how the command starts."""

import asyncio
import socket
from typing import Any, Literal

import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.shared.exceptions import MCPError
from starlette.requests import Request

from signoff.cli.mcp import _greet
from signoff.client.errors import AuthenticationFailed
from signoff.mcp.callers import EachKey
from signoff.mcp.task_handles import EXTENSION
from signoff.mcp.transports import http_app, serve_http
from tests.mcp.mcp_env import McpEnv

ASKED = {"title": "Delete the bucket?", "payload": {"bucket": "logs-2019"}}
ME = {"name": "x", "version": "1"}
OPENING = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": ME}
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


class GetTask(types.Request[types.RequestParams, Literal["tasks/get"]]):
    """tasks/get, tasks/update and tasks/cancel, which the SDK does not have."""

    method: Any = "tasks/get"
    params: Any


class CreatedTask(types.Result):
    result_type: Literal["task"]
    task_id: str
    status: str
    ttl_ms: int | None
    poll_interval_ms: int


class TaskNow(types.Result):
    task_id: str = ""
    status: str = ""
    result: dict[str, Any] | None = None


async def ask_task(client: Client, method: str, task_id: str) -> TaskNow:
    params = {"taskId": task_id, **({"inputResponses": {}} if method == "tasks/update" else {})}
    return await client.session.send_request(GetTask(method=method, params=params), TaskNow)


class Tasks(ClientExtension):
    """A client that accepts a task as a result and returns it unchanged."""

    identifier = EXTENSION

    def claims(self) -> Any:
        async def resolve(created: CreatedTask, ctx: ClaimContext) -> types.CallToolResult:
            return types.CallToolResult(content=[], structured_content=created.model_dump(), is_error=True)

        return (ResultClaim(result_type="task", model=CreatedTask, resolve=resolve),)


async def test_request_is_an_mcp_task_for_clients_that_support_tasks(env: McpEnv) -> None:
    async with env.client(extensions=[Tasks()]) as client:
        assert EXTENSION in (client.server_capabilities.extensions or {})
        task = (await client.call_tool("request_approval", ASKED)).structured_content
        assert (task["status"], task["ttl_ms"]) == ("working", None)
        assert (await ask_task(client, "tasks/get", task["task_id"])).status == "working"
        await ask_task(client, "tasks/update", task["task_id"])
        same = (await client.call_tool("request_approval", ASKED)).structured_content
        assert same["task_id"] == task["task_id"]
    await env.decide()
    async with env.client(extensions=[Tasks()]) as client:  # another process: nothing was kept
        now = await ask_task(client, "tasks/get", task["task_id"])
        assert now.status == "completed"
        assert now.result is not None
        assert now.result["structuredContent"]["approved"] is True
        with pytest.raises(MCPError) as unknown:
            await ask_task(client, "tasks/get", "01a22bab-3442-7ced-b425-e97728ce0000")
        assert unknown.value.code == types.INVALID_PARAMS


async def test_canceling_a_task_withdraws_the_request(env: McpEnv) -> None:
    async with env.client(extensions=[Tasks()]) as client:
        task_id = (await client.call_tool("request_approval", ASKED)).structured_content["task_id"]
        await ask_task(client, "tasks/cancel", task_id)
        assert (await ask_task(client, "tasks/get", task_id)).status == "cancelled"
        await ask_task(client, "tasks/cancel", task_id)
    async with env.client() as other:
        with pytest.raises(MCPError) as missing:
            await ask_task(other, "tasks/get", task_id)
    assert missing.value.code == -32021


async def test_task_of_another_key_cannot_be_followed_or_canceled(env: McpEnv) -> None:
    theirs = await env.web.send(
        human_task={"title": "Theirs?"}, intent_type="intent.x.y.v1", to_agent="validator"
    )
    async with env.client(extensions=[Tasks()]) as client:
        for method in ("tasks/get", "tasks/cancel", "tasks/update"):
            with pytest.raises(MCPError) as refused:
                await ask_task(client, method, theirs)
            assert refused.value.code == types.INVALID_PARAMS


async def test_resources_show_decisions_and_what_the_key_may_read(env: McpEnv) -> None:
    await env.web.apply_workflow()
    async with env.client() as client, Client(env.server("ann", people=True)) as person:
        request_id = (
            await client.call_tool("request_approval", {**ASKED, "wait_seconds": 0})
        ).structured_content["request_id"]
        listed = [str(one.uri) for one in (await client.list_resources()).resources]
        assert listed == ["signoff://policies", "signoff://workflows", "signoff://requests"]
        assert len((await client.list_resource_templates()).resource_templates) == 2

        async def text(uri: str, who: Client = client) -> str:
            [content] = (await who.read_resource(uri)).contents
            assert content.mime_type == "application/json"
            return str(getattr(content, "text", ""))

        assert "database-migration" in await text("signoff://workflows")
        assert "logs-2019" in await text("signoff://requests")
        assert '"waiting"' in await text(f"signoff://requests/{request_id}")
        assert '"verified": true' in await text(f"signoff://requests/{request_id}/audit")
        assert "value" in await text("signoff://policies", person)
        for uri in ("signoff://policies", "signoff://nothing", f"signoff://requests/{request_id}/answer"):
            with pytest.raises(MCPError):
                await client.read_resource(uri)


async def test_http_request_acts_with_its_own_key(env: McpEnv) -> None:
    async with (
        env.http() as url,
        env.over_http(url, env.web.keys["agent"]) as agent,
        env.over_http(url, env.web.keys["ci"]) as ci,
    ):
        await agent.call_tool("request_approval", {**ASKED, "wait_seconds": 0})
        assert (await ci.call_tool("list_requests", {})).structured_content["requests"] == []


@pytest.mark.parametrize("key", ["sgn_agent_nonsense_nonsense", "x"])
async def test_http_request_with_an_invalid_key_is_refused(env: McpEnv, key: str) -> None:
    headers = {"authorization": f"Bearer {key}", "accept": "application/json, text/event-stream"}
    async with env.http() as url, httpx2.AsyncClient(headers=headers) as http:
        for said in (HELLO, {**HELLO, "method": "initialize", "params": OPENING}):
            refused = await http.post(url, json=said)
            assert refused.status_code == 401
            assert refused.json()["error"]["code"] == "invalid_platform_api_key"
            assert key not in refused.text
            assert "mcp-session-id" not in refused.headers


async def test_http_request_with_a_revoked_key_is_refused_at_once(env: McpEnv) -> None:
    made = await env.web.post("/v1/keys", {"agent": "passing"}, "oscar")
    headers = {"authorization": f"Bearer {made['api_key']}", "accept": "application/json, text/event-stream"}
    async with env.http() as url, httpx2.AsyncClient(headers=headers) as http:
        assert (await http.post(url, json=HELLO)).status_code != 401
        await env.web.post(f"/v1/keys/{made['key_id']}/revoke", {}, "oscar")
        assert (await http.post(url, json=HELLO)).status_code == 401


async def test_http_request_with_a_persons_key_is_refused_and_an_outage_is_not_a_refusal(env: McpEnv) -> None:
    def headers(key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}", "accept": "application/json, text/event-stream"}

    async with env.http() as url, httpx2.AsyncClient() as http:
        person = await http.post(url, json=HELLO, headers=headers(env.web.keys["ann"]))
        assert (person.status_code, person.json()["error"]["code"]) == (403, "key_of_person")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        env.url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with env.http() as url, httpx2.AsyncClient() as http:
            away = await http.post(url, json=HELLO, headers=headers(env.web.keys["agent"]))
            assert (away.status_code, away.json()["error"]["code"]) == (503, "unreachable")


async def test_http_request_without_a_key_or_from_a_web_page_is_refused(env: McpEnv) -> None:
    key = {
        "authorization": f"Bearer {env.web.keys['agent']}",
        "accept": "application/json, text/event-stream",
    }
    async with env.http() as url, httpx2.AsyncClient() as http:
        without = await http.post(url, json=HELLO)
        assert (without.status_code, without.headers["www-authenticate"]) == (401, "Bearer")
        assert "signoff keys create" in without.text
        basic = {"authorization": f"Basic {env.web.keys['agent']}"}
        assert (await http.post(url, json=HELLO, headers=basic)).status_code == 401
        both = [*key.items(), ("authorization", f"Bearer {env.web.keys['ci']}")]
        assert (await http.post(url, json=HELLO, headers=both)).status_code == 401
        assert (await http.post(url, json=HELLO, headers={**key, "host": "evil.example"})).status_code == 421
        page = {**key, "origin": "https://evil.example"}
        assert (await http.post(url, json=HELLO, headers=page)).status_code == 403


async def test_invalid_keys_are_not_cached_and_idle_ones_are_dropped(env: McpEnv) -> None:
    def request(key: str) -> Any:
        return Request({"type": "http", "headers": [(b"authorization", f"Bearer {key}".encode())]})

    callers = EachKey(env.of_key, kept=1)
    for number in range(3):
        with pytest.raises(AuthenticationFailed):
            await callers.of(request(f"sgn_agent_nonsense{number}"))
    first = await callers.of(request(env.web.keys["agent"]))
    assert await callers.of(request(env.web.keys["agent"])) is first
    with first.in_use():
        await callers.of(request(env.web.keys["ci"]))
        assert await callers.of(request(env.web.keys["agent"])) is first, "a call waits with it"
    await callers.of(request(env.web.keys["stranger"]))
    assert await callers.of(request(env.web.keys["agent"])) is not first
    await callers.close()


async def test_port_in_use_is_reported(env: McpEnv) -> None:
    async with env.http() as url:
        port = httpx2.URL(url).port
        with pytest.raises(OSError, match="in use"):
            await serve_http(http_app(env.server(), EachKey(env.of_key)), "127.0.0.1", int(port or 0), print)


async def test_http_session_belongs_to_the_key_that_opened_it(env: McpEnv) -> None:
    accept = {"accept": "application/json, text/event-stream"}

    def bearer(who: str) -> dict[str, str]:
        return {**accept, "authorization": f"Bearer {env.web.keys[who]}"}

    async with env.http() as url, httpx2.AsyncClient() as http:
        hello = {**HELLO, "method": "initialize", "params": OPENING}
        opened = await http.post(url, json=hello, headers=bearer("agent"))
        session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-06-18"}
        assert (await http.post(url, json=HELLO, headers={**bearer("ci"), **session})).status_code == 404
        await http.delete(url, headers={**bearer("agent"), **session})


async def run(env: McpEnv, *words: str, **variables: str) -> tuple[int | None, str]:
    started = env.stdio("agent", *words)
    environ = {**(started.env or {}), **variables}
    process = await asyncio.create_subprocess_exec(
        started.command, *started.args, env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=-1, stderr=-1
    )
    out, said = await process.communicate()
    assert out == b"", "stdout is the protocol's"
    return process.returncode, said.decode()


async def test_command_refuses_a_persons_key_and_names_the_next_step(env: McpEnv) -> None:
    code, said = await run(env, SIGNOFF_API_KEY=env.web.keys["ann"])
    assert code == 8
    assert "signoff keys create --agent NAME" in said
    assert env.web.keys["ann"] not in said


async def test_allowed_key_of_a_person_is_a_warning(env: McpEnv, capsys: pytest.CaptureFixture[str]) -> None:
    await _greet(env.key("ann", people=True), people=True)
    assert "warning: this is a person's key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--port", "8110"], "--port needs --http"),
        (["--allowed-host", "x"], "--allowed-host needs --http"),
        (["--http", "--key-file", "k"], "cannot be combined"),
        (["--repeat-for", "soon"], "not a duration"),
    ],
)
def test_options_without_effect_are_refused(words: list[str], text: str, tmp_path: Any) -> None:
    from click.testing import CliRunner

    from signoff.cli.mcp import mcp

    done = CliRunner().invoke(mcp, words)
    assert done.exit_code == 2
    assert text in done.output
