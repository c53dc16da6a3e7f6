"""``signoff login`` and ``signoff context``: the servers that a person works with, and which of them is in use."""

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from signoff.cli.commands import DataCommand, without_dry_run
from signoff.cli.complete import of_contexts
from signoff.cli.contexts import (
    Context,
    Contexts,
    change_contexts,
    checked_name,
    name_for,
    nearer_folder,
    read_contexts,
    refuse_unwritable,
)
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, column
from signoff.cli.session import CommandContext
from signoff.cli.text_safety import visible
from signoff.documents.reading import read_text

if TYPE_CHECKING:
    from signoff.client.types import Me

_FIELDS: Final = ("name", "url", "person", "current")
_RETRY: Final = 15.0  # the key was created a moment ago and is not shown, so it must not be lost


@click.command(
    "login",
    cls=DataCommand,
    fields=_FIELDS,
    params=[without_dry_run("each of its requests depends on the answer to the one before.")],
)
@click.argument("url")
@click.option("--name", metavar="NAME", help="Name of the context; default: the server's host.")
@click.option(
    "--browser/--no-browser",
    "browser",
    default=None,
    help="Open the page in a browser, or only show its address; the default at a terminal is to open it.",
)
@click.option("--with-key", is_flag=True, help="Sign in with an existing key; the command asks for it.")
@click.option("--key-file", metavar="FILE", help="File that holds the key; - is standard input.")
@click.pass_obj
def login(
    session: CommandContext,
    url: str,
    name: str | None,
    browser: bool | None,
    with_key: bool,
    key_file: str | None,
) -> None:
    """Sign in to a server: stores its address and a key as a context, and uses it from now on.

    The command shows a page and a code. You sign in on that page, enter the code and allow it; the key that is
    created for this terminal is never shown. Without a terminal, the command reads a key from standard input.
    """
    from signoff.client.credentials import IN_SHELL, checked_url, find_settings, is_loopback

    address = checked_url(url, "URL")
    named = checked_name(name) if name else name_for(address)
    _refuse_other_server(read_contexts(), named, address)
    if browser is not None and (with_key or key_file is not None):
        raise CommandFailed(
            ExitCode.USAGE, "--browser and --no-browser need no key: leave out the other one."
        )
    if not (is_loopback(address) or address.startswith("https:")):
        session.out.note("warning: this address is not https, so the key is sent unencrypted.")
    from_browser = browser is not None or (session.interactive and key_file is None and not with_key)
    if from_browser:
        refuse_unwritable()
        from signoff.cli.device_login import key_from_browser

        key = key_from_browser(session, address, browser is not False)
    else:
        key = _key(session, address, key_file)
    settings = find_settings(address, key, words=IN_SHELL)
    actor = _me(settings.url, settings.api_key, _RETRY if from_browser else 0.0).actor
    person = str(actor.email or actor.name or actor.id)
    made = Context(named, settings.url, settings.api_key, person)
    change_contexts(lambda found: _refuse_other_server(found, named, address).with_context(made))
    record = _record(made, named)
    session.out.one(
        record, "name", [visible(f"Signed in to {made.url} as {person}; context {named} is in use.")]
    )
    _warn(session)


def _refuse_other_server(contexts: Contexts, named: str, address: str) -> Contexts:
    """Return the contexts; raises CommandFailed if the one of this name is for another server."""
    from signoff.client.credentials import same_server

    known = contexts.known.get(named)
    if known is not None and not same_server(known.url, address):
        raise CommandFailed(
            ExitCode.CONFLICT,
            f"Context {named} is for {visible(known.url)}.",
            hint="Pass another name with --name, or remove it: signoff context remove " + named,
        )
    return contexts


def _me(url: str, api_key: str, retry_for: float) -> "Me":
    from signoff.client.sync import Client

    with Client(url, api_key, retry_for=retry_for, program="signoff-cli") as client:
        return client.me()


def _key(session: CommandContext, address: str, key_file: str | None) -> str:
    if key_file not in (None, "-"):
        key = read_text(Path(str(key_file))).strip()
        if not key:
            raise CommandFailed(ExitCode.USAGE, f"{key_file} contains no key.")
        return key
    if key_file is None and session.interactive:
        session.out.note(f"Create a key on {address}/me, then paste it here. It is not shown.")
        key = getpass.getpass("API key: ").strip()
    else:
        key = sys.stdin.readline().strip()
    if not key:
        raise CommandFailed(
            ExitCode.USAGE,
            "No API key was given.",
            hint="Pass it on standard input, its file with --key-file FILE, or sign in with --no-browser.",
        )
    return key


@click.group(cls=SuggestingGroup)
def context() -> None:
    """List contexts, and choose the one in use."""


@context.command("list", cls=DataCommand, fields=_FIELDS)
@click.pass_obj
def list_contexts(session: CommandContext) -> None:
    """List the contexts; keys are never shown."""
    found = read_contexts()
    rows = [_record(one, found.current) for one in found.known.values()]
    session.out.many(rows, _COLUMNS, "name", "There are no contexts. Create one with: signoff login URL")


@context.command("use", cls=DataCommand, fields=_FIELDS)
@click.argument("name", shell_complete=of_contexts)
@click.pass_obj
def use(session: CommandContext, name: str) -> None:
    """Use a context from now on.

    --context and SIGNOFF_CONTEXT choose another one for a single command. SIGNOFF_URL, and a .signoff folder here or
    above, take precedence over the context in use.
    """
    chosen = change_contexts(lambda found: found.with_context(found.get(name))).get(name)
    session.out.one(
        _record(chosen, name),
        "name",
        [visible(f"Context {name} is in use: {chosen.url} as {chosen.person}.")],
    )
    _warn(session)


@context.command("remove", cls=DataCommand, fields=("name",))
@click.argument("name", shell_complete=of_contexts)
@click.option("--yes", "-y", is_flag=True, help="Skip the confirmation prompt.")
@click.pass_obj
def remove(session: CommandContext, name: str, yes: bool) -> None:
    """Remove a context and its key from this computer. The key itself stays valid until it is revoked."""
    gone = read_contexts().get(name)
    session.confirm(f"Remove context {name} ({gone.url})?", yes)
    change_contexts(lambda found: found.without(name))
    session.out.one({"name": name}, "name", [visible(f"Context {name} is removed.")])
    session.out.note(
        "Its key is still valid: revoke it on the server's page /me, or with signoff keys revoke."
    )


def _warn(session: CommandContext) -> None:
    """Warn if something takes precedence over the context in use."""
    if address := os.environ.get("SIGNOFF_URL"):
        session.out.note(f"warning: SIGNOFF_URL takes precedence: {address}")
    elif near := nearer_folder(os.environ):
        session.out.note(
            f"warning: in this folder the server of {near} takes precedence; use --context here."
        )


def _record(one: Context, current: str) -> dict[str, Any]:
    return {"name": one.name, "url": one.url, "person": one.person, "current": one.name == current}


_COLUMNS: Final = (
    Column("IN USE", lambda one: "*" if one["current"] else " ", whole=True),
    column("NAME", whole=True),
    column("URL", whole=True),
    column("AS", "person"),
)
