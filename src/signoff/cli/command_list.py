"""``signoff commands``: every command with its arguments and options, for programs that run them."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import click

from signoff.cli.commands import DataCommand
from signoff.cli.output import column
from signoff.cli.session import CommandContext


@click.command("commands", cls=DataCommand, fields=("command", "help", "arguments", "options", "fields"))
@click.option("--guide", is_flag=True, help="Print how programs and agents use Signoff (llms.txt) instead.")
@click.pass_obj
def commands(session: CommandContext, guide: bool) -> None:
    """List every command; with --json also its arguments, options and the fields that it prints."""
    if guide:
        session.out.line(files("signoff").joinpath("llms.txt").read_text("utf-8").rstrip())
        return
    root = session.ctx.find_root().command
    assert isinstance(root, click.Group)
    rows = list(_commands(root, session.ctx.find_root(), "signoff"))
    session.out.many(rows, [column("COMMAND", whole=True), column("HELP")], "command", "")


def _commands(group: click.Group, context: click.Context, path: str) -> Iterator[dict[str, Any]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, context, f"{path} {name}")
        elif command is not None and not command.hidden:
            yield _described(command, f"{path} {name}")


def _described(command: click.Command, path: str) -> dict[str, Any]:
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    return {
        "command": path,
        "help": " ".join((command.help or "").split()),
        "arguments": [
            {"name": one.human_readable_name, "required": one.required, "repeatable": one.nargs != 1}
            for one in arguments
        ],
        "options": [
            {
                "names": [*one.opts, *one.secondary_opts],
                "takes_value": not one.is_flag,
                "choices": list(one.type.choices) if isinstance(one.type, click.Choice) else [],
                "repeatable": one.multiple,
                "help": one.help or "",
            }
            for one in options
        ],
        "fields": list(command.fields) if isinstance(command, DataCommand) else [],
    }
