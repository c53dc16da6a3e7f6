"""``signoff config``: shows the active settings and where each comes from. Secrets are masked."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click

from signoff.cli.commands import DataCommand
from signoff.cli.contexts import connection
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.output import Column, column
from signoff.cli.session import CommandContext
from signoff.cli.up import flags
from signoff.config import LoadedSettings, load, rows
from signoff.core.errors import Invalid
from signoff.core.text.masking import MASK


@click.group(cls=SuggestingGroup)
def config() -> None:
    """Show the effective settings and their origin."""


@click.pass_obj
def _show(session: CommandContext, /, origin: bool, **options: Any) -> None:
    """Show the effective settings and their origin."""
    loaded = load(options, os.environ)
    for warning in loaded.warnings:
        session.out.note(f"warning: {warning}")
    try:
        loaded.config.check_urls()
    except Invalid as wrong:
        session.out.note(f"warning: {wrong.message} {wrong.hint}")
    columns = [column("SETTING", "name", whole=True), Column("VALUE", lambda row: row["value"])]
    if origin:
        columns.append(column("ORIGIN"))
    session.out.many([*shown_settings(loaded), *_client()], columns, "name", "")


def shown_settings(loaded: LoadedSettings) -> Iterator[dict[str, str]]:
    """Name, value and origin of each setting of the server; secrets are masked."""
    for row in rows():
        value = row.show(loaded.config.value_of(row))
        origin = loaded.origins[row.name]
        derived = origin == "default" and row.shown
        yield {"name": row.name, "value": value, "origin": f"default, {row.shown}" if derived else origin}


def _client() -> Iterator[dict[str, str]]:
    """The server and key that commands use; empty if they would not find a server."""
    from signoff.client.credentials import find_settings
    from signoff.client.errors import NotConfigured

    wanted = connection(None, None, None, os.environ)
    try:
        found = find_settings(wanted.url, wanted.api_key)
    except NotConfigured:
        return
    if wanted.source:
        found = replace(found, source=wanted.source)
    key = "SIGNOFF_API_KEY" if os.environ.get("SIGNOFF_API_KEY") else found.source
    yield {"name": "url", "value": found.url, "origin": found.source}
    yield {"name": "api_key", "value": MASK, "origin": key}


config.add_command(
    DataCommand(
        "show",
        callback=_show,
        help=_show.__doc__,
        params=[*flags(), click.Option(["--origin"], is_flag=True, help="Show the origin of each value.")],
        fields=("name", "value", "origin"),
    )
)
