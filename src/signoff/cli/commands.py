"""Commands that print data. They share the same options, with the same meaning."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import click
from click.core import ParameterSource

from signoff.cli.complete import of_contexts
from signoff.cli.dry_run import Unsent
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.once import OnceCommand
from signoff.cli.output import FORMATS, Format, Output, local_now, wants_color
from signoff.cli.session import CommandContext, Remote

if TYPE_CHECKING:
    from msgspec import Struct

_META: Final = "signoff.cli"


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(_META, {})[param.name] = value


def _option(*names: str, **attributes: Any) -> click.Option:
    return click.Option(names, expose_value=False, callback=_keep, **attributes)


def _blank(word: object) -> bool:
    return isinstance(word, str) and not word.strip()


class DataCommand(OnceCommand):
    """A command that prints records. It has the output options, and its context contains a CommandContext.

    fields: the keys of its records, or the struct that declares them; ``--json id,title`` selects some. clearing: the
    options for which an empty value means "none".
    """

    def __init__(
        self,
        *args: Any,
        fields: "Sequence[str] | type[Struct]" = (),
        clearing: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields = fields if isinstance(fields, Sequence) else fields.__struct_encode_fields__
        self.clearing = clearing
        self.params += self.common()

    def common(self) -> list[click.Parameter]:
        """The options that every command of this kind has."""
        return [
            _option("-o", "--output", type=click.Choice(FORMATS), help="Output format; default: table."),
            _option("--json", "json", metavar="[FIELDS]", help="Print JSON; with FIELDS, only those."),
            _option(
                "--color",
                type=click.Choice(["auto", "always", "never"]),
                default="auto",
                help="Color output.",
            ),
            _option("--no-color", "no_color", is_flag=True, help="No colors; the same as --color never."),
            _option("-q", "--quiet", is_flag=True, help="Suppress messages on stderr."),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, self._with_fields(list(args)))
        self._refuse_empty(ctx)
        ctx.obj = CommandContext(output(ctx.meta.get(_META, {}), self.fields), ctx)
        return rest

    def _refuse_empty(self, ctx: click.Context) -> None:
        """Refuse an empty value, which usually comes from an unset variable in a script. If it counted as absent, the
        command would silently ignore a digest, a filter, or an idempotency key.
        """
        kept = ctx.meta.get(_META, {})
        if ctx.resilient_parsing:  # a shell completion is running
            return
        for param in self.params:
            if ctx.get_parameter_source(str(param.name)) is not ParameterSource.COMMANDLINE:
                continue
            value = ctx.params.get(str(param.name), kept.get(param.name))
            words = [value] if isinstance(value, str) else value if isinstance(value, tuple) else ()
            if param.name in ("json", *self.clearing) or not any(_blank(word) for word in words):
                continue
            named = param.opts[0] if isinstance(param, click.Option) else param.human_readable_name
            raise click.UsageError(f"{named} is empty.", ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if self.fields:
            with formatter.section("Fields for --json"):
                formatter.write_text(", ".join(self.fields))

    def _with_fields(self, args: list[str]) -> list[str]:
        """Attach the value to ``--json``: the next argument if it can only be a list of fields, else nothing."""
        takes_words = any(isinstance(param, click.Argument) for param in self.params)
        for at, word in enumerate(args):
            if word == "--":
                break
            if word == "--json":
                following = args[at + 1] if at + 1 < len(args) else "-"
                only = not takes_words and not following.startswith("-")
                if only or "," in following or following in self.fields:
                    args[at : at + 2] = [f"--json={following}"]
                else:
                    args[at] = "--json="
        return args


class RemoteCommand(DataCommand):
    """A command that talks to a server. Unless options name the server, it is found the way the SDK finds it. It only
    reads: any request that may change something is an error of the program.
    """

    may_change = False

    def common(self) -> list[click.Parameter]:
        return [
            *super().common(),
            _option(
                "--url",
                metavar="URL",
                help="The server; default: SIGNOFF_URL, else the nearest .signoff folder, else the context.",
            ),
            _option(
                "--key-file", metavar="FILE", help="File that holds the API key; default: SIGNOFF_API_KEY."
            ),
            _option(
                "--context",
                metavar="NAME",
                shell_complete=of_contexts,
                help="A context of `signoff login`; default: SIGNOFF_CONTEXT, else the current one.",
            ),
            _option(
                "-v",
                "--verbose",
                "--debug",
                "verbose",
                is_flag=True,
                help="Show each HTTP request on stderr.",
            ),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        options = ctx.meta.get(_META, {})
        ctx.obj = Remote(
            ctx.obj.out,
            ctx,
            options.get("url"),
            options.get("key_file"),
            options.get("context"),
            bool(options.get("verbose")),
            may_change=self.may_change,
            dry_run=bool(options.get("dry_run")),
        )
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        with ctx.obj.explained():
            return super().invoke(ctx)


class ChangingCommand(RemoteCommand):
    """A command that changes something on the server, so it has a dry run.

    judged: the server says what would change, and the command prints that. Otherwise the command reads as it does in
    a real run, and prints the request that it would then send.
    """

    may_change = True

    def __init__(self, *args: Any, judged: bool = False, **kwargs: Any) -> None:
        self.judged = judged
        super().__init__(*args, **kwargs)

    def common(self) -> list[click.Parameter]:
        text = (
            "Change nothing: ask the server what would change."
            if self.judged
            else "Change nothing: print the request that would be sent."
        )
        return [*super().common(), _option("--dry-run", "dry_run", is_flag=True, help=text)]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Unsent as unsent:
            ctx.obj.print_unsent(unsent)
            return ExitCode.OK


def without_dry_run(why: str) -> click.Option:
    """An option for a command that changes something and cannot say beforehand what: it refuses ``--dry-run``."""

    def refuse(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value:
            raise click.UsageError(f"{ctx.command_path} has no dry run: {why}", ctx)

    return click.Option(
        ["--dry-run"], is_flag=True, is_eager=True, hidden=True, expose_value=False, callback=refuse
    )


def output(options: Mapping[str, Any], fields: Sequence[str]) -> Output:
    """The Output for the common options; stops the command if they contradict each other."""
    wanted, listed = options.get("output"), options.get("json")
    if listed is not None and wanted in ("table", "id"):
        raise CommandFailed(ExitCode.USAGE, f"--json and --output {wanted} cannot be combined.")
    picked = [name.strip() for name in (listed or "").split(",") if name.strip()]
    wrong = [name for name in picked if name not in fields]
    if wrong:
        raise CommandFailed(
            ExitCode.USAGE, f"There is no field {wrong[0]!r}.", hint="Fields: " + ", ".join(fields)
        )
    out = Output(cast("Format", wanted or ("json" if listed is not None else "table")), tuple(picked))
    if options.get("no_color") and options.get("color") == "always":
        raise CommandFailed(ExitCode.USAGE, "--no-color and --color always cannot be combined.")
    out.color = wants_color(
        "never" if options.get("no_color") else options.get("color") or "auto", out.stream
    )
    out.quiet = bool(options.get("quiet"))
    out.now = local_now() if out.stream.isatty() else None
    return out
