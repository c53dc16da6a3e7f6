"""The first start: organisation ``local``, workspace ``default``, its owner and the owner's key.

Runs only on a database without anybody; a second server starting at the same moment finds it done.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Final

from signoff.core.errors import Conflict
from signoff.core.ids import uuid7
from signoff.core.model import ActorKind, system
from signoff.engine.charter import shown_person
from signoff.engine.clock import Clock
from signoff.engine.keys import Keys
from signoff.engine.record import person_subject, recorded
from signoff.store.entries import Person, Workspace
from signoff.store.store import Store

ORGANIZATION: Final = "local"
WORKSPACE: Final = "default"
OWNER: Final = "owner@localhost"
CREDENTIALS: Final = "credentials.json"
_FIRST: Final = "00000000-0000-7000-8000-000000000001"


async def bootstrap(store: Store, keys: Keys, clock: Clock, folder: Path, url: str) -> Path | None:
    """Create what a new database needs; the credentials file, if this call wrote it."""
    spaces = await store.directory.workspaces()
    # A first start that was killed in the middle is taken up again: nobody could get in otherwise.
    if any(space.id != _FIRST for space in spaces) or await store.directory.people(_FIRST):
        return None
    now = clock.now()
    millis = int(now.timestamp() * 1000)
    # A fixed id and address: of servers that start on one empty database, exactly one adds the owner.
    workspace = Workspace(_FIRST, ORGANIZATION, WORKSPACE, True, now)
    await store.directory.add_workspace(workspace)
    person_id = "per_" + uuid7(millis, secrets.token_bytes(10)).replace("-", "")
    person = Person(person_id, workspace.id, OWNER, "Owner", ("owner",), now)
    subject, by = person_subject(person.id), system(workspace.id)
    came = recorded(by, now, "person", person.email, subject, None, shown_person(person))
    try:
        await store.people.save([person, came])
    except Conflict:
        return None
    made = await keys.create(workspace.id, ActorKind.PERSON, person.id, person.id)
    return write_credentials(
        folder,
        {
            "url": url,
            "api_key": made.secret,
            "organization": ORGANIZATION,
            "workspace": WORKSPACE,
            "person": OWNER,
        },
    )


def write_credentials(folder: Path, values: dict[str, str]) -> Path:
    """Write the file with mode 0600 from its first byte on, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CREDENTIALS
    draft = folder / f".{CREDENTIALS}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(values, file, indent=2)
        file.write("\n")
    draft.replace(path)
    return path


def update_url(folder: Path, url: str) -> None:
    """Keep the address in the credentials true when the server moved to another port."""
    path = folder / CREDENTIALS
    if not path.exists():
        return
    values = json.loads(path.read_text(encoding="utf-8"))
    if values.get("url") != url:
        write_credentials(folder, values | {"url": url})
