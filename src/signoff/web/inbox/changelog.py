"""Who changed what in the directory, newest first: people, teams, policies, workflows, each field before and after."""

import re
from datetime import datetime
from typing import Final

import msgspec

from signoff.core.errors import Refused
from signoff.engine.directory import Snapshot
from signoff.store.entries import DirectoryChange
from signoff.web.call import Page
from signoff.web.inbox.changes import Leaf, changed_leaves, leaves
from signoff.web.inbox.door import Visit
from signoff.web.inbox.second import end, readable, waiting

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
    return await changes_page(visit)


async def changes_page(visit: Visit, refusal: Refused | None = None) -> Page:
    status = refusal.status if refusal is not None else 200
    book = await visit.parts.directory.of(visit.actor.workspace)
    before = visit.query.get("before", "")[:64]
    found = await visit.parts.registry.charters.changes(visit.actor, before, _PAGE)
    return await visit.page(
        "changes.html", status, refusal=refusal, **await waiting(visit),
        entries=[entry(change, book) for change in found], more=found[-1].id if len(found) == _PAGE else "",
    )  # fmt: skip


async def end_proposal(visit: Visit) -> Page:
    """POST /changes/{proposal_id}/{act}"""
    try:
        await end(visit)
    except Refused as refusal:
        return await changes_page(visit, refusal)
    return visit.to("/changes?mailed" if visit.params["act"] == "mail" else "/changes")


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
    before, after = readable(before, book), readable(after, book)
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
