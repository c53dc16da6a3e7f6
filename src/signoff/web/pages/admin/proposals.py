"""Proposals: what each would change, why it needs a second admin, and a form to confirm or refuse it. Confirming
requires a sign-in by e-mail, refusing only a key. Ended proposals stay visible.
"""

from datetime import datetime
from typing import Final

import msgspec

from signoff.core.errors import NotFound, Refused
from signoff.core.plan.task_types import Strength
from signoff.core.text.json_diff import Leaf
from signoff.engine.admin.proposals import WAITING, Proposal, ProposedChange, reasons
from signoff.engine.delivery.signin_mail import OPERATOR_MAKES_ONE
from signoff.engine.directory.snapshot import Snapshot
from signoff.web.http.call import Page
from signoff.web.pages.admin.change_log import differing, href, known
from signoff.web.pages.kit.handler import PageRequest

_WAITING: Final = 50
_ENDED: Final = 20
_TONES: Final = {"confirmed": "good", "waiting": "wait"}


class ProposalRow(msgspec.Struct, frozen=True):
    """A proposal in a list; ``stale``: why it can no longer be confirmed, "" while it can."""

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
    """One change of a proposal, as in the change log."""

    kind: str
    name: str
    href: str
    did: str
    why: tuple[str, ...]
    leaves: tuple[Leaf, ...]


class MissingSignIn(msgspec.Struct, frozen=True):
    """What is missing for a reader who signed in with a key. to: the address to which a sign-in link can be e-mailed,
    "" if there is none; sent: whether one has just been sent.
    """

    to: str
    email: str
    sent: bool


async def proposals(request: PageRequest) -> Page:
    """GET /proposals"""
    directory = await request.directory()
    before = request.query.get("before", "")[:64]
    found = request.state.proposals
    waiting = [] if before else await found.waiting(request.actor, _WAITING)
    ended = await found.ended(request.actor, _ENDED + 1, before)
    return await request.page(
        "proposals.html",
        rows=[await _row(request, one, directory) for one in waiting],
        before=before,
        ended=[await _row(request, one, directory) for one in ended[:_ENDED]],
        protected=directory.workspace.protected,
        older=f"/proposals?before={ended[_ENDED - 1].row.id}" if len(ended) > _ENDED else "",
    )


async def proposal(request: PageRequest) -> Page:
    """GET /proposals/{proposal_id}"""
    return await _page(request)


async def _page(request: PageRequest, refusal: Refused | None = None) -> Page:
    directory = await request.directory()
    found = await request.state.proposals.get(request.actor, request.params["proposal_id"])
    row = await _row(request, found, directory)
    return await request.page(
        "proposal.html",
        refusal.status if refusal is not None else 200,
        one=row,
        refusal=refusal,
        changes=[_difference(shown, directory) for shown in found.changes],
        via=found.row.via,
        may_end=request.actor_runs and row.state == WAITING,
        warnings=await request.state.proposals.understaffed(found),
        lacks=await _lacks(request, directory),
    )


async def _lacks(request: PageRequest, directory: Snapshot) -> MissingSignIn | None:
    """What the reader's sign-in lacks for confirming; None if it is sufficient."""
    reader, links = request.actor, request.state.sign_in_requests
    if reader.strength is not Strength.LINK:
        return None
    to = await links.reaches(reader.workspace, reader.id) if links is not None else ""
    return MissingSignIn(to, directory.people[reader.id].email, sent="mailed" in request.query)


async def confirm(request: PageRequest) -> Page:
    """POST /proposals/{proposal_id}/confirm"""
    try:
        await request.state.proposals.confirm(request.actor, request.params["proposal_id"])
    except Refused as refusal:
        return await _page(request, refusal)
    return request.to(f"/proposals/{request.params['proposal_id']}")


async def refuse(request: PageRequest) -> Page:
    """POST /proposals/{proposal_id}/refuse"""
    try:
        await request.state.proposals.refuse(request.actor, request.params["proposal_id"])
    except Refused as refusal:
        return await _page(request, refusal)
    return request.to(f"/proposals/{request.params['proposal_id']}")


async def mail(request: PageRequest) -> Page:
    """POST /proposals/{proposal_id}/mail: a sign-in link that leads back here."""
    reader, links, id = request.actor, request.state.sign_in_requests, request.params["proposal_id"]
    await request.state.proposals.get(reader, id)
    if links is None:
        raise NotFound("mail_not_set_up", "No sign-in link can be e-mailed to you.", hint=OPERATOR_MAKES_ONE)
    try:
        await links.ask_again(reader.workspace, reader.id, f"/proposals/{id}")
    except Refused as refusal:
        return await _page(request, refusal)
    return request.to(f"/proposals/{id}?mailed")


async def _row(request: PageRequest, found: Proposal, directory: Snapshot) -> ProposalRow:
    row, end = found.row, found.end
    waits = found.state == WAITING
    stale = await request.state.proposals.stale(found) if waits else ""
    return ProposalRow(
        id=row.id,
        state=found.state,
        tone="bad" if stale else _TONES.get(found.state, "bad"),
        who=directory.display(row.actor_id),
        own=row.actor_id == request.actor.id,
        at=row.at,
        expires_at=row.expires_at,
        changes=tuple(f"{one.kind} {known(one.name, directory)}" for one in found.changes),
        why=tuple(reasons(found.changes)),
        stale=stale,
        ended_by=directory.display(end.actor_id) if end else "",
        ended_at=end.at if end else None,
    )


def _difference(shown: ProposedChange, directory: Snapshot) -> Difference:
    found, _ = differing(shown.before, shown.after, directory)
    did = "made" if shown.before is None else "changed"
    where = href(shown.kind, shown.name, directory)
    return Difference(shown.kind, known(shown.name, directory), where, did, shown.why, found)
