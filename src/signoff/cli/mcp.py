"""``signoff mcp``: an MCP server for agents, over stdio unless ``--http`` is given."""

import logging
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from signoff.cli.arguments import seconds
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.once import OnceCommand
from signoff.cli.server_extra import extra
from signoff.cli.text_safety import visible
from signoff.documents.reading import read_text

if TYPE_CHECKING:
    from signoff.mcp.callers import Callers, OneKey
    from signoff.mcp.upstream import Upstream

_HTTP: Final = ("host", "port", "allowed_host")
_PATIENCE: Final = 5.0
_GIVEN: Final = ParameterSource.COMMANDLINE
_STDERR: Final = "%(levelname)s %(name)s: %(message)s"


def _mcp(**options: Any) -> None:
    """Run an MCP server, through which agents request approvals.

    It uses stdin and stdout, as MCP hosts expect, or with --http streamable HTTP, where every request sends its key
    as a bearer token. Agents cannot decide through it, no matter which key it has. With --gateway it offers the tools
    of another MCP server, and holds the calls that the file names until people have approved them.
    """
    for name in _HTTP:
        if options[name] and not options["http"]:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --http.")
    if options["gateway"] and click.get_current_context().get_parameter_source("repeat_for") is _GIVEN:
        raise click.UsageError("--repeat-for has no effect with --gateway.")
    if options["http"] and options["key_file"]:
        raise click.UsageError(
            "--key-file and --http cannot be combined: over HTTP, requests bring their keys."
        )
    with extra("signoff mcp", "mcp"):
        import anyio

        import signoff.mcp.transports  # noqa: F401 - whether its libraries are installed
    # stdout belongs to the protocol.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format=_STDERR)
    # Neither belongs in a host's log: a wait that ends is normal, and a failure is an error of its call.
    logging.getLogger("signoff").setLevel(logging.ERROR)
    anyio.run(_serve, options)


async def _serve(options: dict[str, Any]) -> None:
    from signoff.mcp.callers import EachKey
    from signoff.mcp.server import build
    from signoff.mcp.transports import http_app, serve_http, serve_stdio

    repeat_for = timedelta(seconds=options["repeat_for"])

    def connect(key: str | None) -> "OneKey":
        from signoff.mcp.callers import OneKey
        from signoff.mcp.guard import GuardedClient

        client = GuardedClient(options["url"], key)
        return OneKey(client, people=options["allow_person_key"], repeat_for=repeat_for)

    callers: Callers
    keys = EachKey(connect)
    if options["http"]:
        callers = keys
    else:
        callers = connect(_key(options["key_file"]))
        await _greet(callers, options["allow_person_key"])
    upstream = None
    try:
        if options["gateway"]:
            server, upstream = await _gateway(Path(options["gateway"]), callers)
        else:
            server = build(callers)
        if options["http"]:
            app = http_app(server, keys, options["allowed_host"])
            await serve_http(app, options["host"] or "127.0.0.1", options["port"] or 8110, _announce)
        else:
            await serve_stdio(server, changes=upstream is not None)
    finally:
        if upstream is not None:
            await upstream.close()
        await callers.close()


async def _gateway(file: Path, callers: "Callers") -> "tuple[Any, Upstream]":
    """The gateway for the server that the file names. Starts that server."""
    from signoff.mcp.gateway import Gateway
    from signoff.mcp.gateway_config import BadConfig, read_config
    from signoff.mcp.held_calls import HeldCalls
    from signoff.mcp.upstream import Upstream, UpstreamFailed, connector

    try:
        config = read_config(file)
        upstream = Upstream(connector(config.upstream), config.upstream.protocol)
    except BadConfig as error:
        raise CommandFailed(ExitCode.USAGE, str(error)) from None
    try:
        return await Gateway(config, upstream, callers, HeldCalls(config)).build(), upstream
    except UpstreamFailed as error:
        await upstream.close()
        hint = "Check upstream in the gateway's file, and that it starts on its own."
        raise CommandFailed(ExitCode.FAILURE, str(error), hint) from None


async def _greet(callers: "OneKey", people: bool) -> None:
    """Refuse a person's key now, not only at the first call. If the server cannot be reached, continue: it may come
    back.
    """
    import anyio

    from signoff.client.errors import ConnectionFailed
    from signoff.mcp.callers import AGENT_KEY, KeyOfPerson

    try:
        with anyio.fail_after(_PATIENCE):  # the host is waiting for a response
            requests = await callers.of()
    except KeyOfPerson as error:
        hint = "Put it into SIGNOFF_API_KEY. (--allow-person-key starts anyway.)"
        raise CommandFailed(ExitCode.FORBIDDEN, str(error), hint) from None
    except (ConnectionFailed, TimeoutError) as error:
        _note(
            f"{str(error) or 'The server did not answer in time.'} Continuing; calls fail until it responds."
        )
        return
    actor = requests.me.actor
    _note(f"signoff mcp: requests go to {requests.client.settings.url} as {actor.address or actor.name}")
    if people and actor.kind == "person":
        _note(
            f"warning: this is a person's key. A program that can read it can decide elsewhere. Better: {AGENT_KEY}"
        )


def _announce(url: str) -> None:
    _note(f"signoff mcp: listening at {url}")


def _note(text: str) -> None:
    print(visible(text), file=sys.stderr, flush=True)


def _key(key_file: str | None) -> str | None:
    if key_file is None:
        return None
    key = read_text(Path(key_file)).strip()
    if not key:  # never use a key other than the requested one
        raise CommandFailed(ExitCode.USAGE, f"{key_file} contains no key.")
    return key


mcp = OnceCommand(
    "mcp",
    callback=_mcp,
    help=_mcp.__doc__,
    params=[
        click.Option(
            ["--url"],
            metavar="URL",
            help="The server; default: SIGNOFF_URL, else the nearest .signoff folder.",
        ),
        click.Option(
            ["--key-file"], metavar="FILE", help="File that holds the API key; default: SIGNOFF_API_KEY."
        ),
        click.Option(
            ["--gateway"],
            metavar="FILE",
            help="Offer the tools of another MCP server, and hold calls as configured in FILE (TOML or JSON).",
        ),
        click.Option(["--http"], is_flag=True, help="Serve streamable HTTP at /mcp instead of stdio."),
        click.Option(
            ["--host"], metavar="TEXT", help="With --http: address to listen on. Default: 127.0.0.1."
        ),
        click.Option(["--port"], type=click.IntRange(1, 65535), help="With --http: default 8110."),
        click.Option(
            ["--allowed-host"],
            multiple=True,
            metavar="NAME",
            help="With --http: a host name by which clients reach it, in addition to this machine's. Repeatable.",
        ),
        click.Option(
            ["--repeat-for"],
            default="10m",
            metavar="DURATION",
            callback=seconds,
            help="How long a repeated call gets a decision that no call has returned yet. Default: 10m.",
        ),
        click.Option(
            ["--allow-person-key"],
            is_flag=True,
            help="Start with a person's key too. It still cannot decide here.",
        ),
    ],
)
