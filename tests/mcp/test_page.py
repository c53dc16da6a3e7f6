"""docs/how-to/mcp.md: hosts can read its files, its commands start, its tables are complete."""

import json
import re
import sys
import tomllib
from typing import Any

from mcp import Client, StdioServerParameters

from signoff.cli.mcp import mcp
from signoff.mcp.gateway_config import GatewayConfig, Rule, UpstreamConfig, checked
from signoff.mcp.held_calls import _REASONS
from signoff.mcp.requests import STATES
from signoff.mcp.resources import LISTED, TEMPLATES
from signoff.mcp.tools import TOOLS
from tests.docs.blocks import DOCS, blocks, coded, rows, section
from tests.mcp.mcp_env import McpEnv
from tests.stories.servers import environment

PAGE = DOCS / "how-to" / "mcp.md"


def configured() -> list[dict[str, Any]]:
    """The server entries that the page shows for hosts."""
    files = [json.loads(text) for text in blocks(PAGE, "json")]
    files += [found for text in blocks(PAGE, "toml") if "mcp_servers" in (found := tomllib.loads(text))]
    found = [
        server
        for file in files
        for name in ("mcpServers", "servers", "mcp_servers")
        for server in file.get(name, {}).values()
    ]
    assert len(found) >= 4
    return found


async def test_commands_for_hosts_start_and_list_the_tools(env: McpEnv) -> None:
    started = {json.dumps([s["command"], s["args"]]) for s in configured() if s.get("args") == ["mcp"]}
    assert started == {'["signoff", ["mcp"]]'}
    [words] = (json.loads(text) for text in started)
    environ = environment(SIGNOFF_URL=env.url, SIGNOFF_API_KEY=env.web.keys["agent"])
    host = StdioServerParameters(command=sys.executable, args=["-m", "signoff.cli", *words[1]], env=environ)
    async with Client(host) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == set(TOOLS)


def test_configurations_for_hosts_use_an_agents_key() -> None:
    for server in configured():
        if "url" in server:
            assert re.fullmatch(r"http://127\.0\.0\.1:8110/mcp", server["url"])
            assert server["headers"]["Authorization"].startswith("Bearer sgn_agent_")
        else:
            assert set(server["env"]) == {"SIGNOFF_URL", "SIGNOFF_API_KEY"}
            assert re.match(r"sgn_agent_|\$\{input:", server["env"]["SIGNOFF_API_KEY"])


def test_each_diff_changes_at_most_ten_lines_and_stays_json() -> None:
    names = []
    for diff in blocks(PAGE, "diff"):
        assert 0 < len(re.findall(r"^[+-]", diff, re.MULTILINE)) <= 10
        after = re.sub(r"^-.*\n", "", diff, flags=re.MULTILINE)
        names.append(set(json.loads(re.sub(r"^[+ ]", "", after, flags=re.MULTILINE))["mcpServers"]))
    assert names == [{"signoff", "files"}, {"files"}]


def gateway_file() -> dict[str, Any]:
    [found] = [read for text in blocks(PAGE, "toml") if "upstream" in (read := tomllib.loads(text))]
    return found


def test_gateway_file_of_the_page_works_as_described() -> None:
    config = checked(gateway_file(), "the page")
    wanted = {
        "read_all": "pass",
        "delete_file": "hold",
        "move_file": "hold",
        "format_disk": "deny",
        "other": "hold",
    }
    assert {tool: config.rule(tool).action for tool in wanted} == wanted
    assert config.rule("move_file").assignees == ["team:storage"]


def test_every_field_of_the_gateway_file_has_a_row() -> None:
    text = section(PAGE, "Hold the calls of another server")
    named = {word for row in rows(text) for word in coded(row[0])}
    upstream = {f"upstream.{name}" for name in UpstreamConfig.__struct_fields__}
    assert named == {*GatewayConfig.__struct_fields__, *upstream} - {"upstream"}
    rule = next(row[1] for row in rows(text) if row[0] == "`rules`")
    assert {*coded(rule), "wait_seconds"} == {*Rule.__struct_fields__}
    defaults = GatewayConfig(upstream=UpstreamConfig(), default="hold", name="x")
    for row in rows(text):
        if row[2].isdigit():
            assert getattr(defaults, coded(row[0])[0]) == int(row[2])


def test_every_code_of_a_held_call_is_named() -> None:
    sources = [
        (DOCS.parent / "src/signoff/mcp" / name).read_text("utf-8")
        for name in ("gateway.py", "held_calls.py")
    ]
    raised = {code for text in sources for code in re.findall(r'code="(\w+)"|_problem\(\s*"(\w+)"', text)}
    codes = {code for found in raised for code in found if code} | {*_REASONS, "not_approved"}
    named = {*coded(section(PAGE, "Hold the calls of another server"))}
    assert codes - {"key_of_person"} <= named


def test_tables_and_lists_are_complete() -> None:
    text = section(PAGE, "The tools")
    assert [coded(row[0])[0] for row in rows(text)] == list(TOOLS)
    assert set(STATES) <= set(coded(text))
    assert {*LISTED, *TEMPLATES} <= set(coded(text))


def test_options_named_on_the_page_exist() -> None:
    named = {word.split()[0] for word in coded(PAGE.read_text("utf-8")) if word.startswith("--")}
    assert named <= {option for param in mcp.params for option in param.opts}
