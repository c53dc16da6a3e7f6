"""The command ``signoff``: the tree of its commands, and how exceptions end them.

A command's module is imported when the command is called: this module imports neither the SDK nor the server.
"""

import codecs
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import click

from signoff.cli.failures import ExitCode, stopped, unexpected
from signoff.cli.lazy_group import Lazy

SECTIONS: Final = {
    "Server": {
        "up": ("signoff.cli.up:up", "Run the server until Ctrl-C."),
        "demo": ("signoff.cli.demo:demo", "Run a demo: a database migration that waits for your approval."),
        "doctor": ("signoff.cli.doctor:doctor", "Check the server, the key and, if local, the database."),
        "support-bundle": (
            "signoff.cli.support_bundle:support_bundle",
            "Write a file for support: versions, settings, checks, metrics, logs.",
        ),
        "config": ("signoff.cli.settings:config", "Show the effective settings and their origin."),
        "db": ("signoff.cli.database:db", "Migrate, back up or restore the database; recover access."),
    },
    "Work": {
        "intents": ("signoff.cli.intents:intents", "Send, watch, cancel and retry intents."),
        "tasks": ("signoff.cli.tasks.answer:tasks", "List and answer tasks."),
        "scenarios": ("signoff.cli.scenarios:scenarios", "Validate and apply scenario bundles."),
        "workflows": ("signoff.cli.workflows:workflows", "Apply and list workflows."),
        "apply": ("signoff.cli.apply:apply", "Apply people, teams, policies and workflows from a file."),
        "audit": ("signoff.cli.audit:audit", "Show and verify an intent's history."),
        "webhooks": ("signoff.cli.webhooks:webhooks", "Develop a receiver of webhooks; see deliveries."),
        "export": ("signoff.cli.export:export", "Export configuration, requests and histories as files."),
        "mcp": ("signoff.cli.mcp:mcp", "Run an MCP server, through which agents request approvals."),
    },
    "Who decides": {
        "people": ("signoff.cli.people:people", "List and change people and their absences."),
        "teams": ("signoff.cli.teams:teams", "List and change teams, and who is on call."),
        "changes": ("signoff.cli.changes:changes", "List changes; confirm those that need a second admin."),
        "workspaces": ("signoff.cli.workspaces:workspaces", "List, create and rename workspaces."),
        "policies": ("signoff.cli.policies:policies", "List policies and preview their effects."),
    },
    "Access": {
        "agents": ("signoff.cli.agents:agents", "List agents; kill, resume and limit them."),
        "keys": ("signoff.cli.keys:keys", "Create, list and revoke API keys."),
    },
    "This program": {
        "login": ("signoff.cli.login:login", "Sign in to a server, and use it from now on."),
        "context": ("signoff.cli.login:context", "List servers you have signed in to; choose one."),
        "version": ("signoff.cli.version:version", "Show the version of this program and of the server."),
        "commands": ("signoff.cli.command_list:commands", "List every command, for programs."),
        "completion": ("signoff.cli.completion:completion", "Print the shell completion script."),
    },
}


class Root(Lazy):
    """The whole command line. Every exception in a command becomes an exit code and a message on stderr."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        extra.update(standalone_mode=False, prog_name="signoff")
        arguments = sys.argv[1:] if args is None else list(args)
        if sorted(arguments) in (["--help", "--json"], ["--json", "-h"]):
            args = ["commands", "--json"]
        open_closed_streams()
        print_anything()
        try:
            result = super().main(args, *rest, **extra)
            sys.stdout.flush()
            code = result if isinstance(result, int) else ExitCode.OK
        except BrokenPipeError:
            # The reader has closed the pipe, as with `| head`; buffered output must not raise at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = ExitCode.FAILURE
        except (Exception, KeyboardInterrupt) as error:
            code = _report(error)
        sys.exit(int(code))


def open_closed_streams() -> None:
    """Replace standard streams that the caller has closed (``>&-``)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for as long as the process runs


def print_anything() -> None:
    """Let stdout and stderr accept every character: those that their encoding lacks are escaped, as in JSON."""
    codecs.register_error("signoff", lambda error: (_escaped(error), getattr(error, "end", 0)))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="signoff")


def _escaped(error: UnicodeError) -> str:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _report(error: BaseException) -> ExitCode:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        print(error.format_message(), file=sys.stderr)
        return ExitCode.USAGE
    stop = stopped(error)
    for line in stop.lines() if stop else unexpected(error):
        print(line, file=sys.stderr)
    return stop.code if stop else ExitCode.FAILURE


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from signoff import __version__

        click.echo(f"signoff {__version__}")
        ctx.exit()


main = Root(
    name="signoff",
    sections=SECTIONS,
    help="Durable execution with human approval built in.",
    epilog="Start with: signoff demo. Every command has --help; commands that print data also have --json.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Show the version.",
        )
    ],
)
