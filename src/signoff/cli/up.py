"""``signoff up``: runs the server until Ctrl-C. Every setting except the secrets has a flag, built from its row."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.once import OnceCommand
from signoff.cli.output import Output
from signoff.cli.server_extra import server_part
from signoff.cli.text_safety import visible
from signoff.config import Config, SettingRow, load, rows
from signoff.core.errors import Busy

if TYPE_CHECKING:
    from signoff.serving import Answering

# The settings that matter when a server is started by hand; the help lists the others below them.
_FIRST: Final = ("host", "port", "data", "database", "base_url", "organization", "workspace", "manifest")


def flag(row: SettingRow) -> click.Option:
    """The option for a setting. The setting's row parses its text, so that the flag and the environment variable accept
    the same values.
    """
    shown = row.shown or row.show(row.default)
    text = f"{row.text} Default: {shown}." if shown else row.text
    if row.kind is bool:
        off = row.flag.replace("--", "--no-", 1)
        return click.Option([f"{row.flag}/{off}", row.name], default=None, help=text)
    if row.choices:
        return click.Option([row.flag, row.name], type=click.Choice(row.choices), help=text)
    metavar = (
        "FILE"
        if row.name == "manifest"
        else {int: "NUMBER", Path: "FOLDER"}.get(
            row.kind, "DURATION" if "timedelta" in str(row.kind) else "TEXT"
        )
    )
    return click.Option([row.flag, row.name], metavar=metavar, help=text)


def flags(*names: str) -> list[click.Parameter]:
    """The options for these settings, by default for all that may be flags."""
    shown = [row for row in rows() if not row.secret and (not names or row.name in names)]
    return [flag(row) for row in sorted(shown, key=lambda row: row.name not in _FIRST)]


def configured(options: Mapping[str, Any]) -> Config:
    """The active settings. Warns on stderr about each variable that looks like a setting but is not one."""
    loaded = load(options, os.environ)
    for warning in loaded.warnings:
        Output().note(f"warning: {warning}")
    loaded.config.check_urls()
    return loaded.config


@contextmanager
def database_named(config: Config) -> Iterator[None]:
    """Wraps code that needs the database. If the database is unreachable, the hint names it."""
    try:
        yield
    except Busy as busy:
        if busy.code != "database_unavailable":
            raise
        hint = f"Check that {config.shown_database} is right (--database, SIGNOFF_DATABASE_URL) and that it runs."
        raise CommandFailed(ExitCode.FAILURE, busy.message, hint) from busy


@click.pass_context
def _up(ctx: click.Context, /, open_browser: bool, **options: Any) -> None:
    """Run the server until Ctrl-C.

    The first start creates a workspace, its owner and the owner's key, and writes the key to credentials.json in the
    data folder, where the other commands find it.
    """
    config = configured(options)
    with server_part("signoff up"):
        from signoff.logs import start_logging
        from signoff.serving import serve
    start_logging(config)

    def announce(server: "Answering") -> None:
        # A sign-in link is for the person at the terminal, and must not be logged.
        link = server.login_url if sys.stdout.isatty() else ""
        click.echo(banner(config, server.base_url, link, _owner(config)))
        if open_browser:
            click.launch(link or f"{server.base_url}/")

    # By default nothing is logged if no terminal shows it, because that would cost more than the decision itself.
    shows = sys.stdout.isatty() if config.console_notifications is None else config.console_notifications
    with database_named(config):
        code = serve(config, announce, click.echo if shows else None)
    ctx.exit(code)


def _command(config: Config, name: str) -> str:
    """A command of ``signoff db``, including the data folder, which it would not find on its own."""
    known = config.data.absolute() == Path(".signoff").absolute()
    return f"signoff db {name}" + ("" if known else f" --data {shlex.quote(str(config.data))}")


def _owner(config: Config) -> str:
    """The address of the person to whom the stored key belongs."""
    from signoff.bootstrap import read_credentials

    return str((read_credentials(config.data) or {}).get("person") or "")


def banner(config: Config, url: str, link: str = "", owner: str = "") -> str:
    """What ``up`` prints when the server is ready. ``link``: a sign-in link for the owner; "" to show none; ``owner``:
    the address to create one for.
    """
    here = f"{config.host}:{config.port}"
    signin = f"{_command(config, 'signin-link')} {shlex.quote(owner) if owner else 'EMAIL'}"
    lines = [
        "Signoff is running.",
        "",
        f"  Address   {url}",
        *([f"  Listens   {here}"] if config.base_url and here not in url else []),
        f"  Inbox     {link}   signs you in, once" if link else f"  Inbox     {url}/",
        *([] if link else [f"  Sign in   {signin}   creates a single-use sign-in link"]),
        f"  Database  {config.shown_database}",
        f"  Key       {_key(config)}",
        "",
        "Stop it with Ctrl-C.",
    ]
    return "\n".join(visible(line) for line in lines)


def _key(config: Config) -> str:
    from signoff.bootstrap import CREDENTIALS, read_credentials

    if read_credentials(config.data) is None:
        return f"not stored here; {_command(config, 'owner-key')} creates another one"
    return str(config.data / CREDENTIALS)


up = OnceCommand(
    "up",
    callback=_up,
    help=_up.__doc__,
    params=[
        *flags(),
        click.Option(["--open", "open_browser"], is_flag=True, help="Open the inbox in a browser."),
    ],
)
