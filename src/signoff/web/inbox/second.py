"""What waits for a second admin, on the page of changes: each proposed change as it was shown to whoever proposed it,
with one button that applies it. That button takes what a sign-in by mail proves; ending it takes no more than a key.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from signoff.core.access import RUNNING
from signoff.core.errors import NotFound
from signoff.core.tasks import Strength
from signoff.engine.directory import Snapshot
from signoff.engine.proposals import Proposal
from signoff.web.inbox.changes import Leaf, changed_leaves, leaves
from signoff.web.inbox.door import Visit

_MOST: Final = 50


class Change(msgspec.Struct, frozen=True):
    """One thing that a proposal changes."""

    kind: str
    name: str
    created: bool
    loosens: bool
    leaves: tuple[Leaf, ...]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One proposal; ``own``: whoever reads it has made it themselves."""

    id: str
    by: str
    at: datetime
    until: datetime
    own: bool
    changes: tuple[Change, ...]


async def waiting(visit: Visit) -> dict[str, Any]:
    """What the page shows of it: the proposals, and what the reader may do with them."""
    reader = visit.actor
    found = await visit.parts.registry.proposals.waiting(reader, _MOST)
    book = await visit.parts.directory.of(reader.workspace)
    links = visit.parts.mailed_links
    weak = reader.strength is Strength.LINK
    return {
        "proposals": [_waiting(one, book, reader.id) for one in found],
        "may_end": bool(reader.roles & RUNNING),
        "weak": weak,
        "to": await links.reaches(reader.workspace, reader.id) if weak and links is not None else "",
        "email": book.people[reader.id].email,
        "sent": "mailed" in visit.query,
    }


def _waiting(proposal: Proposal, book: Snapshot, reader: str) -> Waiting:
    row = proposal.row
    changes = tuple(
        _change(one.kind, one.name, one.before, one.after, one.loosens, book) for one in proposal.changes
    )
    return Waiting(
        id=row.id, by=book.display(row.actor_id), at=row.at, until=row.expires_at, own=row.actor_id == reader,
        changes=changes,
    )  # fmt: skip


def _change(kind: str, name: str, before: Any, after: Any, loosens: bool, book: Snapshot) -> Change:
    before, after = readable(before, book), readable(after, book)
    shown = leaves(after) if before is None else changed_leaves(before, after)
    return Change(kind, name, before is None, loosens, tuple(leaf for leaf in shown if leaf.path != "id"))


async def end(visit: Visit) -> None:
    """Do what was pressed: confirm, refuse, or mail a link that leads back; raises Refused."""
    registry, id = visit.parts.registry, visit.params["proposal_id"]
    match visit.params["act"]:
        case "confirm":
            await registry.confirm(visit.actor, id)
        case "refuse":
            await registry.proposals.refuse(visit.actor, id)
        case "mail" if visit.parts.mailed_links is not None:
            person = visit.actor
            await visit.parts.mailed_links.ask_again(person.workspace, person.id, "/changes", visit.call.peer)
        case _:
            raise NotFound("not_found", "There is nothing to do by this name.")


def readable(value: Any, book: Snapshot) -> Any:
    """Ids of people as the addresses that a person reads."""
    if isinstance(value, dict):
        return {name: readable(item, book) for name, item in value.items()}
    if isinstance(value, list):
        return [readable(item, book) for item in value]
    person = book.people.get(value) if isinstance(value, str) else None
    return person.email if person else value
