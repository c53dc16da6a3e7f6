"""The first start: creates the organization and workspace with the configured names (by default ``local`` and
``default``), the owner and the owner's key.

It does nothing unless the database is empty; a second server that starts at the same moment finds everything created.
"""

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from signoff.core.directory.actors import ActorKind, system
from signoff.core.directory.model import Person, Workspace
from signoff.core.errors import Conflict, Refused, Unauthenticated
from signoff.core.ids import uuid7
from signoff.engine.admin.manifest_diff import shown_person
from signoff.engine.clock import Clock
from signoff.engine.directory.change_log import person_subject, recorded
from signoff.engine.identity.keys import Keys, new_key
from signoff.store.store import Store

# Windows has none: a server does not run there, but the command line reads the credentials.
fcntl: Any
try:
    import fcntl
except ImportError:
    fcntl = None

ORGANIZATION: Final = "local"
WORKSPACE: Final = "default"
OWNER: Final = "owner@localhost"
CREDENTIALS: Final = "credentials.json"
_MADE_AT_FIRST: Final = 2  # the recorded changes: the owner, and their key
_FIRST: Final = "00000000-0000-7000-8000-000000000001"
_LOCK_SECONDS: Final = (
    10  # then it continues: a server that was stopped must not keep the others from starting
)


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
    async with _locked(folder):
        return await _begin(store, keys, clock, folder, url, spaces, FirstNames(organization, name, owner))


async def _begin(
    store: Store,
    keys: Keys,
    clock: Clock,
    folder: Path,
    url: str,
    spaces: Sequence[Workspace],
    names: FirstNames,
) -> Path | None:
    organization, name, owner = names
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
    (key, made), secret = new_key(by, now, ActorKind.PERSON, person.id, person.id)
    # Written before the commit: after a crash in between, the next start finds the key here.
    draft = _write_draft(folder, _credentials(url, secret, workspace, person))
    try:
        await keys.save_new(key, made, secret, beside=(person, came), since={workspace.id: 0})
    except Conflict:
        draft.unlink(missing_ok=True)
        return None
    return _use_draft(draft)


async def resume(store: Store, keys: Keys, clock: Clock, folder: Path, url: str) -> Path | None:
    """Finish a first start that was interrupted in this folder after creating the owner: use the key that it had
    drafted, or, if nobody can read that one and nothing has changed since, create another. Returns the credentials file
    if this call wrote it. Removes all other drafts.
    """
    async with _locked(folder):
        used = None
        if read_credentials(folder) is None:
            drafts = _drafts(folder)
            used = await _drafted(keys, drafts)
            if used is None and (drafts or (folder / CREDENTIALS).exists()):
                used = await _another_key(store, keys, clock, folder, url)
        for draft in _drafts(folder):
            draft.unlink(missing_ok=True)
        return used


@contextlib.asynccontextmanager
async def _locked(folder: Path) -> AsyncIterator[None]:
    """Hold the folder's lock, or another server on a shared folder could take the draft of a key that is not yet saved
    for one of an interrupted start. Without the lock where the system or the folder has none.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # whether the folder is writable is checked where it is written
            descriptor = _opened(folder)
            held.callback(os.close, descriptor)
            await _lock(descriptor)
        yield


def _opened(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder, os.O_RDONLY)


async def _lock(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _LOCK_SECONDS
    while fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if loop.time() >= give_up:
                return
            await asyncio.sleep(0.02)


async def _drafted(keys: Keys, drafts: Sequence[Path]) -> Path | None:
    """The credentials file, made from the first draft whose key was saved."""
    for draft in drafts:
        values = _read(draft)
        if values is not None:
            with contextlib.suppress(Unauthenticated):
                await keys.authenticate(str(values["api_key"]), "api")
                return _use_draft(draft)
    return None


async def _another_key(store: Store, keys: Keys, clock: Clock, folder: Path, url: str) -> Path | None:
    spaces = await store.directory.workspaces()
    if len(spaces) != 1 or spaces[0].id != _FIRST or spaces[0].last_change > _MADE_AT_FIRST:
        return None
    people = await store.directory.people(_FIRST)
    if len(people) != 1 or await store.intents.ids(limit=1):
        return None
    check_folder(folder)
    owner = people[0]
    rows, secret = new_key(system(_FIRST), clock.now(), ActorKind.PERSON, owner.id, owner.id)
    draft = _write_draft(folder, _credentials(url, secret, spaces[0], owner))
    try:
        await keys.save_new(*rows, secret, since={_FIRST: spaces[0].last_change})
    except Conflict:  # another server has finished it
        draft.unlink(missing_ok=True)
        return None
    return _use_draft(draft)


def _credentials(url: str, secret: str, workspace: Workspace, owner: Person) -> dict[str, str]:
    return {
        "url": url,
        "api_key": secret,
        "organization": workspace.organization,
        "workspace": workspace.name,
        "person": owner.email,
    }


def check_folder(folder: Path) -> None:
    """Raise Refused unless this folder is writable."""
    probe = folder / f".writable.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch(mode=0o600)
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(
            "folder_not_writable",
            f"{folder} is not writable:  {error.strerror}.",
            field="data",
            hint="The first start writes the owner's key there: choose another folder with --data.",
        ) from error


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
    return _read(folder / CREDENTIALS)


def update_url(folder: Path, url: str) -> None:
    """Update the address in the credentials file after the server has moved to another port."""
    values = read_credentials(folder)
    if values is not None and values.get("url") != url:
        _use_draft(_write_draft(folder, values | {"url": url}))


def _read(file: Path) -> dict[str, Any] | None:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) and values.get("api_key") else None


def _drafts(folder: Path) -> list[Path]:
    return sorted(folder.glob(f".{CREDENTIALS}.*"))


def _write_draft(folder: Path, values: dict[str, str]) -> Path:
    """Write what the credentials file will contain, with mode 0600 from the start."""
    folder.mkdir(parents=True, exist_ok=True)
    # not the process id, which servers in containers have in common
    draft = folder / f".{CREDENTIALS}.{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(values, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())  # or a power failure could leave an empty file
    return draft


def _use_draft(draft: Path) -> Path:
    """Replace the credentials file by this draft, atomically."""
    path = draft.with_name(CREDENTIALS)
    with contextlib.suppress(FileNotFoundError):  # another server on this folder has used it
        draft.replace(path)
    return path
