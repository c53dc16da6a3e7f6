"""The file of ``signoff up --manifest``. It is read before anything is opened, and applied before the server accepts
requests.

The operator decides: anyone who can start the server can also change its database, so no confirmation is needed.
Applying the file again changes nothing. Every change is recorded as the system's, through the channel ``file``.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import system
from signoff.core.errors import Conflict, Invalid, Refused
from signoff.core.formats.manifest import Manifest, compile_manifest
from signoff.documents.lines import line_of
from signoff.documents.reading import is_yaml, parse, read_text
from signoff.notify.registry import personal_channels
from signoff.server import Server

# replicas that start at the same time apply the same file; all but the first find nothing to change
_TRIES: Final = 5


class ManifestFile(msgspec.Struct, frozen=True):
    """A file that has been read and compiled."""

    path: Path
    text: str
    manifest: Manifest

    def at(self, refusal: Refused) -> Invalid:
        """The error with its line in the file."""
        line = line_of(self.text, refusal.field) if refusal.field else None
        where = f"{self.path}, line {line}" if line else str(self.path)
        return Invalid(refusal.code, f"{where}: {refusal.message}", field=refusal.field, hint=refusal.hint)


def read_manifest(name: str) -> ManifestFile:
    """Read and compile the file; raises Invalid with the line and the reason."""
    path = Path(name).expanduser()
    try:
        text = read_text(path)
    except OSError as error:
        problem = f"manifest: {path} cannot be read: {error.strerror}."
        raise Invalid("unreadable_document", problem, field="policy") from None
    found = ManifestFile(path, text, Manifest())
    source = parse(text, str(path), yaml=is_yaml(path))
    try:
        return replace(found, manifest=compile_manifest(source, personal_channels()))
    except Invalid as wrong:
        raise found.at(wrong) from wrong


async def apply_manifest(server: Server, file: ManifestFile) -> int:
    """Apply the file to the server's workspace, or to the one that the settings name if there are several; returns
    the number of changes. Raises Invalid without changing anything.
    """
    spaces = await server.store.directory.workspaces()
    organization, name = server.config.organization, server.config.workspace
    if organization or name:
        spaces = [space for space in spaces if space.is_called(organization, name)]
    if len(spaces) != 1:
        raise Invalid(
            "several_workspaces",
            "manifest: the database has several workspaces, and the settings name none of them.",
            field="policy",
            hint="Set SIGNOFF_ORGANIZATION and SIGNOFF_WORKSPACE; or apply it to each: signoff apply -f FILE.",
        )
    actor = replace(system(spaces[0].id), via="file")
    for turn in range(_TRIES):
        try:
            applied = await server.manifests.apply(actor, file.manifest)
            return len(applied.changed)
        except Conflict:
            server.directory.changed(spaces[0].id)
            if turn == _TRIES - 1:
                raise
        except Refused as refusal:
            raise file.at(refusal) from refusal
    raise AssertionError("unreachable")
