"""Changes that wait for a second admin: what each would change and why it takes two; confirmed or refused by a form.
Confirming takes what a sign-in by mail proves, refusing no more than a key. How each ended stays to be read.
"""

from datetime import datetime
from typing import Final

import msgspec

from signoff.core.errors import NotFound, Refused
from signoff.core.plan.task_types import Strength
from signoff.core.text.json_diff import Leaf
from signoff.engine.admin.proposals import WAITING, Proposal, Shown, reasons
from signoff.engine.delivery.signin_mail import OPERATOR_MAKES_ONE
from signoff.engine.directory.snapshot import Snapshot
from signoff.web.http.call import Page
from signoff.web.pages.admin.changes import differing, href, known
from signoff.web.pages.kit.handler import Visit

_WAITING: Final = 50
_ENDED: Final = 20
_TONES: Final = {"confirmed": "good", "waiting": "wait"}


class Row(msgspec.Struct, frozen=True):
    """A proposal in a list; ``stale``: why it cannot be confirmed any more, "" while it can."""

    id: str
    state: str
    tone: str
    who: str
    own: bool
    at: datetime
    expires_at: datetime
    changes: tuple[str, ...]
    why: tuple[str, ...]
    stale: str
    ended_by: str
    ended_at: datetime | None


class Difference(msgspec.Struct, frozen=True):
    """One change of a proposal, as the record would show it."""

    kind: str
    name: str
    href: str
    did: str
    why: tuple[str, ...]
    leaves: tuple[Leaf, ...]


class Lacks(msgspec.Struct, frozen=True):
    """A reader who came with a key. to: where a sign-in link can be mailed, "" where none can; sent: one just was."""

    to: str
    email: str
    sent: bool


async def proposals(visit: Visit) -> Page:
    """GET /proposals"""
    book = await visit.parts.directory.of(visit.actor.workspace)
    before = visit.query.get("before", "")[:64]
    found = visit.parts.registry.proposals
    waiting = [] if before else await found.waiting(visit.actor, _WAITING)
    ended = await found.ended(visit.actor, _ENDED + 1, before)
    return await visit.page(
        "proposals.html", rows=[await _row(visit, one, book) for one in waiting], before=before,
        ended=[await _row(visit, one, book) for one in ended[:_ENDED]], protected=book.workspace.protected,
        older=f"/proposals?before={ended[_ENDED - 1].row.id}" if len(ended) > _ENDED else "",
    )  # fmt: skip


async def proposal(visit: Visit) -> Page:
    """GET /proposals/{proposal_id}"""
    return await _page(visit)


async def _page(visit: Visit, refusal: Refused | None = None) -> Page:
    book = await visit.parts.directory.of(visit.actor.workspace)
    found = await visit.parts.registry.proposals.get(visit.actor, visit.params["proposal_id"])
    row = await _row(visit, found, book)
    return await visit.page(
        "proposal.html", refusal.status if refusal is not None else 200, one=row, refusal=refusal,
        changes=[_difference(shown, book) for shown in found.changes], via=found.row.via,
        may_end=visit.actor_runs and row.state == WAITING, lacks=await _lacks(visit, book),
    )  # fmt: skip


async def _lacks(visit: Visit, book: Snapshot) -> Lacks | None:
    """What the reader's sign-in lacks for confirming; None where nothing."""
    reader, links = visit.actor, visit.parts.mailed_links
    if reader.strength is not Strength.LINK:
        return None
    to = await links.reaches(reader.workspace, reader.id) if links is not None else ""
    return Lacks(to, book.people[reader.id].email, sent="mailed" in visit.query)


async def confirm(visit: Visit) -> Page:
    """POST /proposals/{proposal_id}/confirm"""
    try:
        await visit.parts.registry.confirm(visit.actor, visit.params["proposal_id"])
    except Refused as refusal:
        return await _page(visit, refusal)
    return visit.to(f"/proposals/{visit.params['proposal_id']}")


async def refuse(visit: Visit) -> Page:
    """POST /proposals/{proposal_id}/refuse"""
    try:
        await visit.parts.registry.proposals.refuse(visit.actor, visit.params["proposal_id"])
    except Refused as refusal:
        return await _page(visit, refusal)
    return visit.to(f"/proposals/{visit.params['proposal_id']}")


async def mail(visit: Visit) -> Page:
    """POST /proposals/{proposal_id}/mail: a sign-in link that leads back here."""
    reader, links, id = visit.actor, visit.parts.mailed_links, visit.params["proposal_id"]
    await visit.parts.registry.proposals.get(reader, id)
    if links is None:
        raise NotFound("mail_not_set_up", "No sign-in link can be mailed to you.", hint=OPERATOR_MAKES_ONE)
    try:
        await links.ask_again(reader.workspace, reader.id, f"/proposals/{id}")
    except Refused as refusal:
        return await _page(visit, refusal)
    return visit.to(f"/proposals/{id}?mailed")


async def _row(visit: Visit, found: Proposal, book: Snapshot) -> Row:
    row, end = found.row, found.end
    waits = found.state == WAITING
    stale = await visit.parts.registry.proposals.stale(found) if waits else ""
    return Row(
        id=row.id, state=found.state, tone="bad" if stale else _TONES.get(found.state, "bad"),
        who=book.display(row.actor_id), own=row.actor_id == visit.actor.id, at=row.at, expires_at=row.expires_at,
        changes=tuple(f"{one.kind} {known(one.name, book)}" for one in found.changes),
        why=tuple(reasons(found.changes)), stale=stale, ended_by=book.display(end.actor_id) if end else "",
        ended_at=end.at if end else None,
    )  # fmt: skip


def _difference(shown: Shown, book: Snapshot) -> Difference:
    found, _ = differing(shown.before, shown.after, book)
    did = "made" if shown.before is None else "changed"
    where = href(shown.kind, shown.name, book)
    return Difference(shown.kind, known(shown.name, book), where, did, shown.why, found)
