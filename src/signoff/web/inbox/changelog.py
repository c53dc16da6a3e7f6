"""Who changed what in the directory, newest first: people, teams, policies, workflows, each field before and after."""

import re
from datetime import datetime
from typing import Any, Final

import msgspec

from signoff.engine.directory import Snapshot
from signoff.store.entries import DirectoryChange
from signoff.web.call import Page
from signoff.web.inbox.changes import Leaf, changed_leaves, leaves
from signoff.web.inbox.door import Visit

_PAGE: Final = 50
_READ: Final = 200
_MOST_READS: Final = 5
_SHOWN: Final = 20


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change; ``href``: the page of what was changed, "" where it has none."""

    at: datetime
    who: str
    via: str
    kind: str
    name: str
    href: str
    created: bool
    fields: tuple[str, ...]
    leaves: tuple[Leaf, ...]


async def changes(visit: Visit) -> Page:
    """GET /changes"""
    book = await visit.parts.directory.of(visit.actor.workspace)
    before = visit.query.get("before", "")[:64]
    found = await visit.parts.registry.charters.changes(visit.actor, before, _PAGE)
    return await visit.page(
        "changes.html", entries=[entry(change, book) for change in found],
        more=found[-1].id if len(found) == _PAGE else "",
    )  # fmt: skip


async def about(visit: Visit, kind: str, name: str) -> list[Entry]:
    """What was changed about one thing, newest first; the latest few, out of the latest thousand changes."""
    book = await visit.parts.directory.of(visit.actor.workspace)
    found: list[Entry] = []
    before = ""
    for _ in range(_MOST_READS):
        page = await visit.parts.registry.charters.changes(visit.actor, before, _READ)
        found += [entry(change, book) for change in page if (change.kind, change.name) == (kind, name)]
        if len(page) < _READ or len(found) >= _SHOWN:
            break
        before = page[-1].id
    return found[:_SHOWN]


def entry(change: DirectoryChange, book: Snapshot) -> Entry:
    before = msgspec.json.decode(change.before) if change.before else None
    after = msgspec.json.decode(change.after) if change.after else None
    before, after = _readable(before, book), _readable(after, book)
    shown = tuple(changed_leaves(before, after)) if before is not None else tuple(leaves(after))
    return Entry(
        at=change.at, who=book.display(change.actor_id), via=change.via, kind=change.kind, name=change.name,
        href=_href(change, book), created=before is None, leaves=tuple(leaf for leaf in shown if leaf.path != "id"),
        fields=tuple(dict.fromkeys(re.split(r"[.\[]", leaf.path)[0] for leaf in shown if leaf.path != "id")),
    )  # fmt: skip


def _href(change: DirectoryChange, book: Snapshot) -> str:
    match change.kind:
        case "person":
            person = next((p for p in book.people.values() if p.email == change.name), None)
            return f"/people/{person.id}" if person else ""
        case "team" if change.name in book.teams:
            return f"/teams/{change.name}"
        case "policy" if change.name in book.policies:
            return f"/policies/{change.name}"
        case "workflow":
            return "/workflows"
    return ""


def _readable(value: Any, book: Snapshot) -> Any:
    """Ids of people as the addresses that a person reads."""
    if isinstance(value, dict):
        return {name: _readable(item, book) for name, item in value.items()}
    if isinstance(value, list):
        return [_readable(item, book) for item in value]
    person = book.people.get(value) if isinstance(value, str) else None
    return person.email if person else value
