"""``signoff login`` and ``signoff context``: the servers that a person works with, and which of them is in use."""

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from signoff.cli.commands import DataCommand
from signoff.cli.complete import of_contexts
from signoff.cli.contexts import (
    Context,
    checked_name,
    name_for,
    nearer_folder,
    read_contexts,
    write_contexts,
)
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, column
from signoff.cli.session import CommandContext
from signoff.cli.text_safety import visible
from signoff.documents import read_text

if TYPE_CHECKING:
    from signoff.client.types import Me

_FIELDS: Final = ("name", "url", "person", "current")


@click.command("login", cls=DataCommand, fields=_FIELDS)
@click.argument("url")
@click.option("--name", metavar="NAME", help="Name of the context; default: the server's host.")
@click.option("--key-file", metavar="FILE", help="File that holds the API key; - is standard input.")
@click.option("--open", "open_page", is_flag=True, help="Open the page on which you create a key.")
@click.pass_obj
def login(session: CommandContext, url: str, name: str | None, key_file: str | None, open_page: bool) -> None:
    """Sign in to a server: stores its address and your key as a context, and uses it from now on.

    The command asks for the key at the terminal, or reads it from standard input. Create one on your page of the
    server (/me). It is checked before it is stored.
    """
    from signoff.client.settings import IN_SHELL, checked_url, find_settings, same_server

    address = checked_url(url, "URL")
    contexts = read_contexts()
    named = checked_name(name) if name else name_for(address)
    known = contexts.known.get(named)
    if known is not None and not same_server(known.url, address):
        raise CommandFailed(
            ExitCode.CONFLICT,
            f"Context {named} is for {visible(known.url)}.",
            hint="Pass another name with --name, or remove it: signoff context remove " + named,
        )
    if open_page:
        click.launch(f"{address}/me")
    settings = find_settings(address, _key(session, address, key_file), words=IN_SHELL)
    if not (settings.loopback or address.startswith("https:")):
        session.out.note("warning: this address is not https, so the key is sent unencrypted.")
    actor = _me(settings.url, settings.api_key).actor
    person = str(actor.email or actor.name or actor.id)
    made = Context(named, settings.url, settings.api_key, person)
    write_contexts(contexts.with_context(made))
    record = _record(made, named)
    session.out.one(
        record, "name", [visible(f"Signed in to {made.url} as {person}; context {named} is in use.")]
    )
    _warn(session)


def _me(url: str, api_key: str) -> "Me":
    from signoff.client.sync import Client

    with Client(url, api_key, retry_for=0.0, program="signoff-cli") as client:
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
            "There is no key.",
            hint="Pass it on standard input, or its file with --key-file FILE.",
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
    found = read_contexts()
    chosen = found.get(name)
    write_contexts(found.with_context(chosen))
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
    found = read_contexts()
    gone = found.get(name)
    session.confirm(f"Remove context {name} ({gone.url})?", yes)
    write_contexts(found.without(name))
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
