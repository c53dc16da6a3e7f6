"""The change log, newest first, with each field before and after: all of it, or the changes to one subject."""

import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from signoff.core.directory.actors import ActorKind
from signoff.core.directory.authorization import Action, authorize, permits
from signoff.core.directory.model import DirectoryChange
from signoff.core.text import json_value
from signoff.core.text.json_diff import Leaf, changed_leaves, leaves
from signoff.core.text.masking import masked
from signoff.engine.directory.change_log import subject_of
from signoff.engine.directory.snapshot import Snapshot
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest

_PAGE: Final = 50
_SHOWN: Final = 20
# values of a created or removed entry that are not worth a line
_EMPTY: Final = frozenset({"", "[]", "{}", "null"})


class ChangeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change. ``of``: the holder of a key; ``did``: made, changed or removed; ``by``: who confirmed it, if a
    second admin was needed; ``href``: the page of the subject, "" if it has none.
    """

    at: datetime
    who: str
    via: str
    kind: str
    name: str
    of: str
    href: str
    did: str
    by: str
    fields: tuple[str, ...]
    leaves: tuple[Leaf, ...]


class About(msgspec.Struct, frozen=True):
    """The latest changes to one subject, and the link to older ones, "" if there are none."""

    entries: list[ChangeEntry]
    older: str


async def changes(request: PageRequest) -> Page:
    """GET /changes"""
    authorize(request.actor, Action.READ_CHANGES)
    directory = await request.directory()
    word, number = request.query.get("about", "")[:300], request.query.get("before", "")
    before = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0
    found = await about(request, subject_of(word, directory) if word else "", before, _PAGE)
    kind, _, name = word.partition(":")
    return await request.page(
        "changes.html",
        entries=found.entries,
        older=found.older,
        kind=kind,
        name=known(name, directory),
    )


async def about(request: PageRequest, subject: str, before: int = 0, limit: int = _SHOWN) -> About:
    """The changes to a subject ("" for any), newest first, with numbers below ``before``."""
    if subject and not permits(request.actor, Action.READ_CHANGES):
        return About([], "")  # they may see the subject's page, but not its history
    directory = await request.directory()
    found = await request.state.manifests.changes(request.actor, limit + 1, before, subject)
    page = found[:limit]
    query = {"about": subject} if subject else {}
    older = "/changes?" + urlencode(query | {"before": page[-1].number}) if len(found) > limit else ""
    entries = await request.state.off_loop.run(
        request.actor,
        lambda: [entry(change, directory) for change in page],
        sum(len(change.before or b"") + len(change.after or b"") for change in page),
    )
    return About(entries, older)


def entry(change: DirectoryChange, directory: Snapshot) -> ChangeEntry:
    before = json_value.decode(change.before) if change.before else None
    after = json_value.decode(change.after) if change.after else None
    shown, fields = differing(before, after, directory)
    return ChangeEntry(
        at=change.at,
        who=_by(change, directory),
        via=change.via,
        kind=change.kind,
        name=known(change.name, directory),
        of=_holder(change.kind, before or after, directory),
        href=href(change.kind, change.name, directory),
        leaves=shown,
        fields=fields,
        did="made" if before is None else "changed" if after is not None else "removed",
        by=directory.display(change.confirmed_by) if change.confirmed_by else "",
    )


def _by(change: DirectoryChange, directory: Snapshot) -> str:
    return "the server" if change.actor_kind == ActorKind.SYSTEM.value else directory.display(change.actor_id)


def _holder(kind: str, state: Any, directory: Snapshot) -> str:
    return directory.display(str(state["holder"])) if kind == "key" else ""


def differing(before: Any, after: Any, directory: Snapshot) -> tuple[tuple[Leaf, ...], tuple[str, ...]]:
    """Return the differences leaf by leaf, or all values of a created or removed entry; and the names of the fields."""
    was, now = _readable(before, directory), _readable(after, directory)
    both = before is not None and after is not None
    found = changed_leaves(was, now) if both else tuple(leaves(masked(was if after is None else now)))
    shown = tuple(leaf for leaf in found if leaf.path != "id" and (both or leaf.text not in _EMPTY))
    return shown, tuple(dict.fromkeys(re.split(r"[.\[]", leaf.path)[0] for leaf in shown))


def href(kind: str, name: str, directory: Snapshot) -> str:
    """The page of the subject, "" if it has none."""
    match kind:
        case "person" | "slack":
            person = directory.by_email.get(name)
            return f"/people/{person.id}" if person else ""
        case "team" if name in directory.teams:
            return f"/teams/{name}"
        case "policy" if name in directory.policies:
            return f"/policies/{name}"
        case "workflow":
            return "/workflows"
        case "agent" | "service":
            return "/agents"
        case "key":
            return "/keys"
    return ""


def known(name: str, directory: Snapshot) -> str:
    """The display name for an id of a person or an account."""
    return str(_readable(name, directory)) if name.startswith(("per_", "sa_")) else name


def _readable(value: Any, directory: Snapshot) -> Any:
    """The value with ids of people and accounts replaced by their addresses."""
    if isinstance(value, dict):
        return {name: _readable(item, directory) for name, item in value.items()}
    if isinstance(value, list):
        return [_readable(item, directory) for item in value]
    if not isinstance(value, str) or not value.startswith(("per_", "sa_")):
        return value
    person = directory.people.get(value)
    account = directory.accounts.get(value)
    return person.email if person else (account.address or account.name) if account else value
