"""docs/how-to/mcp.md: its files are what hosts read, its commands start, its tables are complete."""

import json
import re
import sys
import tomllib
from typing import Any

from mcp import Client, StdioServerParameters

from signoff.cli.mcp import mcp
from signoff.mcp.requests import STATES
from signoff.mcp.resources import LISTED, TEMPLATES
from signoff.mcp.tools import TOOLS
from tests.docs.blocks import DOCS, blocks, coded, rows, section
from tests.mcp.mcp_env import McpEnv
from tests.stories.servers import environment

PAGE = DOCS / "how-to" / "mcp.md"


def configured() -> list[dict[str, Any]]:
    """What the page tells hosts to start or to call."""
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


async def test_what_hosts_are_told_to_start_starts_and_lists_the_tools(env: McpEnv) -> None:
    started = {json.dumps([s["command"], s["args"]]) for s in configured() if s.get("args") == ["mcp"]}
    assert started == {'["signoff", ["mcp"]]'}
    [words] = (json.loads(text) for text in started)
    environ = environment(SIGNOFF_URL=env.url, SIGNOFF_API_KEY=env.web.keys["agent"])
    host = StdioServerParameters(command=sys.executable, args=["-m", "signoff.cli", *words[1]], env=environ)
    async with Client(host) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == set(TOOLS)


def test_hosts_are_told_to_give_an_agents_key() -> None:
    for server in configured():
        if "url" in server:
            assert re.fullmatch(r"http://127\.0\.0\.1:8110/mcp", server["url"])
            assert server["headers"]["Authorization"].startswith("Bearer sgn_agent_")
        else:
            assert set(server["env"]) == {"SIGNOFF_URL", "SIGNOFF_API_KEY"}
            assert re.match(r"sgn_agent_|\$\{input:", server["env"]["SIGNOFF_API_KEY"])


def test_the_diff_adds_at_most_ten_lines_to_a_file_that_stays_json() -> None:
    [diff] = blocks(PAGE, "diff")
    changed = re.findall(r"^[+-]", diff, re.MULTILINE)
    assert changed == ["+"] * len(changed)
    assert 0 < len(changed) <= 10
    after = json.loads(re.sub(r"^[+ ]", "", diff, flags=re.MULTILINE))
    assert set(after["mcpServers"]) == {"signoff", "files"}


def test_the_tables_and_lists_are_complete() -> None:
    text = section(PAGE, "The tools")
    assert [coded(row[0])[0] for row in rows(text)] == list(TOOLS)
    assert set(STATES) <= set(coded(text))
    assert {*LISTED, *TEMPLATES} <= set(coded(text))


def test_the_options_that_the_page_names_are_there() -> None:
    named = {word.split()[0] for word in coded(PAGE.read_text("utf-8")) if word.startswith("--")}
    assert named <= {option for param in mcp.params for option in param.opts}
