"""Command groups that import their commands lazily and suggest the nearest command for a mistyped one.

``signoff --help`` imports only this and click: no output code, SDK or server.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn, cast

import click

_WHOLE = 1000  # characters


class SuggestingGroup(click.Group):
    """A group that suggests the nearest command for a mistyped one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            _no_such(ctx, name, self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List each command with the first sentence of its help, wrapped instead of cut."""
        found = [
            (name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))
        ]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(_WHOLE)) for name, one in found if not one.hidden]
            )


def _no_such(ctx: click.Context, name: str, names: Sequence[str]) -> NoReturn:
    from signoff.core.text.describe import suggestion

    hint = suggestion(name, names) or f"Commands: {', '.join(names)}."
    raise click.UsageError(f"There is no command {name!r}. {hint}", ctx)


class Lazy(SuggestingGroup):
    """A group that knows only the name, module, attribute and one line of help of each command.

    sections: title -> name -> (``module:attribute``, help).
    """

    def __init__(
        self, *args: Any, sections: Mapping[str, Mapping[str, tuple[str, str]]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in self.sections.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for section in self.sections.values():
            if cmd_name in section:
                module, _, attribute = section[cmd_name][0].partition(":")
                return cast("click.Command", getattr(import_module(module), attribute))
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, section in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in section.items()])
