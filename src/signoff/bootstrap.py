"""The first start: creates the organization and workspace with the configured names (by default ``local`` and
``default``), the owner and the owner's key.

It does nothing unless the database is empty; a second server that starts at the same moment finds everything created.
"""

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from signoff.core.directory.actors import ActorKind, system
from signoff.core.directory.model import Person, Workspace
from signoff.core.errors import Conflict, Refused
from signoff.core.ids import uuid7
from signoff.engine.admin.manifest_diff import shown_person
from signoff.engine.clock import Clock
from signoff.engine.directory.change_log import person_subject, recorded
from signoff.engine.identity.keys import Keys
from signoff.store.store import Store

ORGANIZATION: Final = "local"
WORKSPACE: Final = "default"
OWNER: Final = "owner@localhost"
CREDENTIALS: Final = "credentials.json"
_MADE_AT_FIRST: Final = 2  # the recorded changes: the owner, and their key
_FIRST: Final = "00000000-0000-7000-8000-000000000001"


class FirstNames(NamedTuple):
    """The names that the settings set for the first start ("" means the default): organization, workspace, the owner's
    address.
    """

    organization: str = ""
    workspace: str = ""
    owner: str = ""


_DEFAULTS: Final = FirstNames()


async def bootstrap(
    store: Store, keys: Keys, clock: Clock, folder: Path, url: str, names: FirstNames = _DEFAULTS
) -> Path | None:
    """Create what a new database needs; returns the credentials file if this call wrote it. Raises Refused if the
    database already has a workspace with another name.
    """
    organization, name, owner = names
    spaces = await store.directory.workspaces()
    _refuse_other_names(spaces, organization, name)
    organization, name = organization or ORGANIZATION, name or WORKSPACE
    # Continue an interrupted first start, or no one could sign in.
    if any(space.id != _FIRST for space in spaces) or await store.directory.people(_FIRST):
        return None
    check_folder(folder)  # before creating anyone who could then not sign in
    now = clock.now()
    millis = int(now.timestamp() * 1000)
    # A fixed id, and the first change, so that exactly one of several servers that start on the same empty database
    # adds the owner.
    first = next((space for space in spaces if space.id == _FIRST), None)
    workspace = first or Workspace(_FIRST, organization, name, True, now, self_approval_alone=True)
    await store.directory.add_workspace(workspace)
    person_id = "per_" + uuid7(millis, secrets.token_bytes(10)).replace("-", "")
    person = Person(person_id, workspace.id, owner.lower() or OWNER, "Owner", ("owner",), now)
    subject, by = person_subject(person.id), system(workspace.id)
    came = recorded(by, now, "person", person.email, subject, None, shown_person(person))
    try:
        await store.people.save([person, came], since={workspace.id: 0})
    except Conflict:
        return None
    made = await keys.create(workspace.id, ActorKind.PERSON, person.id, person.id)
    return write_credentials(
        folder,
        {
            "url": url,
            "api_key": made.secret,
            "organization": workspace.organization,
            "workspace": workspace.name,
            "person": person.email,
        },
    )


async def reissue(store: Store, keys: Keys, folder: Path, url: str) -> Path | None:
    """Finish a first start that was interrupted after creating the owner and before writing the key to disk, unless
    something has changed since: create another key and write it. Returns the credentials file if this call wrote it.
    """
    if read_credentials(folder) is not None:
        return None
    spaces = await store.directory.workspaces()
    if len(spaces) != 1 or spaces[0].id != _FIRST or spaces[0].last_change > _MADE_AT_FIRST:
        return None
    people = await store.directory.people(_FIRST)
    if len(people) != 1 or await store.intents.ids(limit=1):
        return None
    check_folder(folder)
    made = await keys.create(_FIRST, ActorKind.PERSON, people[0].id, people[0].id)
    values = {
        "url": url,
        "api_key": made.secret,
        "organization": spaces[0].organization,
        "workspace": spaces[0].name,
        "person": people[0].email,
    }
    return write_credentials(folder, values)


def check_folder(folder: Path) -> None:
    """Raise Refused unless this folder is writable."""
    probe = folder / f".writable.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        raise Refused(
            "folder_not_writable",
            f"{folder} is not writable:  {error.strerror}.",
            field="data",
            hint="The first start writes the owner's key there: choose another folder with --data.",
        ) from error


def remove_drafts(folder: Path) -> None:
    """Delete half-written credentials of a start that was killed."""
    for draft in folder.glob(f".{CREDENTIALS}.*"):
        draft.unlink(missing_ok=True)


def _refuse_other_names(spaces: Sequence[Workspace], organization: str, name: str) -> None:
    """Raise Refused if the settings name another workspace: agent addresses appear in histories and in other people's
    programs, so a restart does not change them.
    """
    if not spaces or any(space.is_called(organization, name) for space in spaces):
        return
    there = ", ".join(space.full_name for space in spaces[:5])
    raise Refused(
        "workspace_named",
        f"The database belongs to {there}, not {organization or spaces[0].organization}/{name or spaces[0].name}.",
        field="organization" if organization else "workspace",
        hint="The names are set at the first start: omit --organization and --workspace, or use another database.",
    )


def read_credentials(folder: Path) -> dict[str, Any] | None:
    """The contents of the file; None if it is missing or unusable (a failed disk may leave it empty)."""
    try:
        values = json.loads((folder / CREDENTIALS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) and values.get("api_key") else None


def write_credentials(folder: Path, values: dict[str, str]) -> Path:
    """Write the file atomically, with mode 0600 from the start."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CREDENTIALS
    draft = folder / f".{CREDENTIALS}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(values, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())  # or a power failure could leave an empty file
    draft.replace(path)
    return path


def update_url(folder: Path, url: str) -> None:
    """Update the address in the credentials file after the server has moved to another port."""
    values = read_credentials(folder)
    if values is not None and values.get("url") != url:
        write_credentials(folder, values | {"url": url})
