"""Manifests, the proposals that wait for a second admin, and the log of changes."""

import asyncio

from signoff import wire
from signoff.core.directory.authorization import Action, authorize
from signoff.core.errors import Invalid
from signoff.core.formats.manifest import compile_manifest
from signoff.engine.admin.apply_manifest import authorize_document
from signoff.engine.admin.proposals import WAITING, Proposal
from signoff.engine.admin.workspace_warnings import workspace_warnings
from signoff.engine.directory.change_log import subject_of
from signoff.engine.planning.planner import plan_warnings
from signoff.notify.registry import personal_channels
from signoff.web.http import bodies
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.web.shapes import people as p
from signoff.web.shapes.common import maybe


async def apply(call: Call) -> wire.manifests.ManifestResponse:
    """POST /v1/apply"""
    request = bodies.ours(wire.manifests.ManifestRequest, call.body)
    source = {name: value for name, value in bodies.given(request).items() if value}
    dry_run = call.flag("dry_run")
    authorize_document(call.actor, source)
    before = await directory_of(call)
    manifest = await call.state.off_loop.run(
        call.actor, lambda: compile_manifest(source, personal_channels()), len(call.body)
    )
    seen = call.query.get("seen", "")
    draft, proposal = await call.state.proposals.apply(call.actor, manifest, source, dry_run, seen)
    after = (
        (await call.state.manifests.drafted(call.actor, manifest)).directory
        if dry_run
        else await directory_of(call)
    )
    warnings = (*draft.warnings, *workspace_warnings(before, after))
    for spec in manifest.workflows:
        absent = await call.state.workers.absent(spec.template.plan, after, call.state.clock.now())
        warnings = (*warnings, *absent, *plan_warnings(spec.template.plan, after))
        await asyncio.sleep(0)  # let other requests run between two entries
    out = wire.manifests.ManifestResponse(
        dry_run=dry_run,
        changed=bool(draft.changed or draft.agents),
        changes=[*map(p.change_out, draft.planned), *map(p.agent_registered, draft.agents)],
        seen=draft.seen(),
        warnings=warnings,
    )
    if proposal is not None:
        out.proposal = p.proposal_out(proposal, (await directory_of(call)).display)
    return out


async def proposals(call: Call) -> wire.manifests.ProposalList:
    """GET /v1/proposals"""
    found = await call.state.proposals.waiting(call.actor, call.number("limit", 50, 1, 200))
    display = (await directory_of(call)).display
    return wire.manifests.ProposalList(proposals=[p.proposal_out(one, display) for one in found])


async def proposal(call: Call) -> wire.manifests.ProposalResponse:
    """GET /v1/proposals/{proposal_id}"""
    found = await call.state.proposals.get(call.actor, call.params["proposal_id"])
    answer = await _shown(call, found)
    if found.state == WAITING:
        answer.proposal.warnings = await call.state.proposals.understaffed(found)
    return answer


async def confirm(call: Call) -> wire.manifests.ProposalResponse:
    """POST /v1/proposals/{proposal_id}/confirm"""
    return await _shown(call, await call.state.proposals.confirm(call.actor, call.params["proposal_id"]))


async def refuse(call: Call) -> wire.manifests.ProposalResponse:
    """POST /v1/proposals/{proposal_id}/refuse"""
    ended = await call.state.proposals.refuse(call.actor, call.params["proposal_id"])
    return await _shown(call, ended)


async def _shown(call: Call, found: Proposal) -> wire.manifests.ProposalResponse:
    return wire.manifests.ProposalResponse(proposal=p.proposal_out(found, (await directory_of(call)).display))


async def changes(call: Call) -> wire.manifests.ChangesResponse:
    """GET /v1/changes"""
    authorize(call.actor, Action.READ_CHANGES)
    limit = call.number("limit", 50, 1, 200)
    directory, about = await directory_of(call), call.query.get("about", "")
    subject = subject_of(about, directory) if about else ""
    found = await call.state.manifests.changes(call.actor, limit + 1, _before(call), subject)
    more = str(found[limit - 1].number) if len(found) > limit else None
    return wire.manifests.ChangesResponse(
        changes=[p.recorded_out(change, directory.display) for change in found[:limit]],
        next_cursor=maybe(more),
    )


def _before(call: Call) -> int:
    """The number below which the next page starts, 0 for the first page; raises Invalid for a cursor that no page
    returned.
    """
    cursor = call.query.get("cursor", "")
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise Invalid(
            "validation_error",
            f"cursor: {cursor[:64]!r} is not a next_cursor.",
            field="cursor",
            hint="Send the previous page's next_cursor unchanged.",
        )
    return int(cursor or 0)
