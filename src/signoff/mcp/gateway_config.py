"""The gateway's file (TOML or JSON): the server behind it, and which of its tools are forwarded, held or denied."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from signoff.client.errors import SignoffError
from signoff.mcp.requests import LONGEST_WAIT

Action = Literal["pass", "hold", "deny"]
HELD_TYPE: Final = "intent.mcp.tool_call.v1"
# A tool's name, in which * matches any text; there are no other wildcards.
Pattern = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.\-/*]{1,128}$")]
_VARIABLE: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"


class BadConfig(SignoffError):
    """The file cannot be used; the message says what is wrong, and where."""


class UpstreamConfig(Struct, kw_only=True, forbid_unknown_fields=True):
    """The server behind the gateway: a command that speaks MCP over stdio, or a URL. The file names the variables of
    its secrets instead of containing them: ``pass_env`` for a command, ``headers_from_env`` (header to variable) for
    a URL.
    """

    command: Annotated[list[str], Meta(min_length=1)] | None = None
    url: Annotated[str, Meta(pattern="^https?://")] | None = None
    env: dict[str, str] = {}
    pass_env: list[Annotated[str, Meta(pattern=_VARIABLE)]] = []
    headers_from_env: dict[str, Annotated[str, Meta(pattern=_VARIABLE)]] = {}
    protocol: Literal["auto", "legacy"] = "auto"


class Rule(Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to calls of the tools that match a pattern. The other fields say how people are asked about a held
    call.
    """

    tools: Annotated[list[Pattern], Meta(min_length=1)]
    action: Action
    intent_type: str | None = None
    title: str | None = None
    description: str | None = None
    assignees: list[str] | None = None
    task_type: str | None = None
    required_comment: bool | None = None
    remind_after_seconds: int | None = None
    escalate_to: str | None = None
    wait_seconds: Annotated[float, Meta(ge=0, le=LONGEST_WAIT)] | None = None

    @property
    def asks(self) -> list[str]:
        """The given fields that are only meaningful for a held call."""
        names = (name for name in self.__struct_fields__ if name not in ("tools", "action"))
        return [name for name in names if getattr(self, name) is not None]

    def names(self, tool: str) -> bool:
        return any(fits(pattern, tool) for pattern in self.tools)


class GatewayConfig(Struct, kw_only=True, forbid_unknown_fields=True):
    """The whole file. default: the action for tools that no rule names; name: the upstream's name for people;
    approval_seconds: how long an approval may wait for its call; rejection_seconds: how long a rejected call is refused
    without asking people again.
    """

    upstream: UpstreamConfig
    default: Action
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    rules: list[Rule] = []
    wait_seconds: Annotated[float, Meta(ge=0, le=LONGEST_WAIT)] = 45.0
    approval_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 86_400.0
    rejection_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 600.0

    def rule(self, tool: str) -> Rule:
        """The first rule that matches the tool, or else the default."""
        found = (rule for rule in self.rules if rule.names(tool))
        return next(found, Rule(tools=["*"], action=self.default))


def fits(pattern: str, tool: str) -> bool:
    """Whether a whole tool name matches this pattern. Takes linear time, because each star matches as little as
    possible.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return tool == pattern
    *middle, last = rest
    if not (tool.startswith(first) and tool.endswith(last)) or len(tool) < len(first) + len(last):
        return False
    at, end = len(first), len(tool) - len(last)
    for part in middle:
        at = tool.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def read_config(path: Path) -> GatewayConfig:
    """Read and check the file. Raises BadConfig for an error in it, OSError if it cannot be read."""
    text = path.read_text("utf-8")
    try:
        found: Any = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"{path}: {error}") from None
    return checked(found, str(path))


def checked(found: Any, where: str) -> GatewayConfig:
    try:
        config = msgspec.convert(found, GatewayConfig)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{where}: {error}") from None
    upstream = config.upstream
    if (upstream.command is None) == (upstream.url is None):
        raise BadConfig(f"{where}: upstream has either a command or a url")
    unused = ("headers_from_env",) if upstream.command else ("env", "pass_env")
    for name in unused:
        if getattr(upstream, name):
            kind = "command" if upstream.command else "url"
            raise BadConfig(f"{where}: upstream.{name} has no effect on a {kind}")
    for number, rule in enumerate(config.rules):
        if rule.action != "hold" and rule.asks:
            raise BadConfig(f"{where}: rules[{number}].{rule.asks[0]} has no effect unless action is hold")
    return config


def variables(names: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The values of these variables, by key. Raises BadConfig for the first one that is not set."""
    for variable in names.values():
        if not environ.get(variable):
            raise BadConfig(
                f"The environment variable {variable} is named in the gateway's file and not set."
            )
    return {key: environ[variable] for key, variable in names.items()}
