"""``signoff export``: configuration, intents, histories and changes as files."""

import csv
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from signoff.cli.commands import RemoteCommand
from signoff.cli.lazy_group import SuggestingGroup
from signoff.cli.session import Remote
from signoff.cli.text_safety import safe_json, visible_lines
from signoff.wire.export import AuditRecord, IntentRecord
from signoff.wire.manifests import RecordedChange

_PAGE: Final = 200
_FORMAT: Final = click.option(
    "--format", "form", type=click.Choice(["ndjson", "csv"]), default="ndjson", help="Default: ndjson."
)
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also the full-width forms
Records = Iterator[Mapping[str, Any]]


@click.group(cls=SuggestingGroup)
def export() -> None:
    """Export the configuration, requests, histories and changes as files."""


@export.command("manifest", cls=RemoteCommand)
@click.option("--unmasked", is_flag=True, help="With the secrets that workflows and policies contain.")
@click.pass_obj
def export_manifest(session: Remote, unmasked: bool) -> None:
    """Print people, teams, policies, workflows and settings as a manifest.

    `signoff apply -f FILE` applies it: on this server it changes nothing, on another one it creates everything.
    Secrets are masked; a document with masked values cannot be applied unchanged.
    """
    from signoff.core.text.masking import masked

    document = session.client.directory.manifest()
    shown = document if unmasked else masked(document)
    if shown != document:
        session.out.note("Values that look like secrets are masked. To apply it, export it with --unmasked.")
    session.out.line(safe_json(shown, indent=2))


def _options(command: Any) -> Any:
    since = click.option("--since", metavar="TIME", help="Only requests created since then (RFC 3339).")
    changed = click.option(
        "--changed-since",
        metavar="TIME",
        help="Only requests that changed since then; of histories only the events since then.",
    )
    return _FORMAT(since(changed(click.pass_obj(command))))


@export.command("intents", cls=RemoteCommand)
@_options
def export_intents(session: Remote, form: str, since: str | None, changed_since: str | None) -> None:
    """Print the current state of every request of the workspace, oldest first, with secrets masked."""
    pages = _pages(session, "intents", since=since, changed_since=changed_since)
    _write(pages, form, IntentRecord.__struct_encode_fields__)


@export.command("audit", cls=RemoteCommand)
@click.option(
    "--bodies", is_flag=True, help="With the bytes that were hashed, unmasked: to verify it elsewhere."
)
@_options
def export_audit(
    session: Remote, form: str, since: str | None, changed_since: str | None, bodies: bool
) -> None:
    """Print every event of every request, in order, with secrets masked.

    Each request's events are together, oldest request first.
    """
    if bodies and form == "csv":
        raise click.UsageError(
            "--bodies needs --format ndjson: CSV escapes its cells, and hashed bytes must not change."
        )
    fields = [
        name for name in AuditRecord.__struct_encode_fields__ if bodies or name not in ("body", "private")
    ]
    pages = _pages(session, "audit", since=since, changed_since=changed_since, bodies=bodies or None)
    _write(pages, form, fields)


@export.command("changes", cls=RemoteCommand)
@_FORMAT
@click.pass_obj
def export_changes(session: Remote, form: str) -> None:
    """Print the change log, newest first."""

    def all_of_them() -> Records:
        before: int | None = None
        while found := session.client.directory.changes(_PAGE, before=before):
            yield from found
            before = int(found[-1]["number"])

    _write(all_of_them(), form, RecordedChange.__struct_encode_fields__)


def _pages(session: Remote, what: str, **query: Any) -> Records:
    """All records, with one page in memory at a time."""
    cursor: str | None = None
    while True:
        page = session.client.directory.export(what, cursor=cursor, **query)
        yield from page.get("records") or ()
        cursor = page.get("next_cursor")
        if not cursor:
            return


def _write(records: Records, form: str, fields: Any) -> None:
    if form == "ndjson":
        for record in records:
            print(safe_json(record))
        return
    # Every text is quoted, because a spreadsheet may split cells at another separator than the comma.
    rows = csv.writer(sys.stdout, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    rows.writerow(fields)
    for record in records:
        rows.writerow([_cell(record.get(name)) for name in fields])


def _cell(value: object) -> object:
    """The value, made safe for terminals. Text that a spreadsheet would read as a formula gets a prefix."""
    if isinstance(value, dict | list):
        return safe_json(value)
    if not isinstance(value, str):
        return value
    text = "\n".join(visible_lines(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
