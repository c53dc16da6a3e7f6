"""Workspaces: the reader's own, and for an owner those of the organization, with forms to create and rename them."""

from signoff.core.directory.authorization import Action, permits
from signoff.core.errors import Refused
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest


async def workspaces(request: PageRequest) -> Page:
    """GET /workspaces"""
    return await _shown(request)


async def _shown(
    request: PageRequest, refusal: Refused | None = None, act: str = "", secret: str = "", whose: str = ""
) -> Page:
    return await request.page(
        "workspaces.html",
        refusal.status if refusal is not None else 200,
        rows=await request.state.workspaces.visible(request.actor),
        own=request.actor.workspace,
        owns=permits(request.actor, Action.MANAGE_WORKSPACES),
        refusal=refusal,
        act=act,
        secret=secret,
        whose=whose,
        posted=dict(request.form) if refusal is not None else {},
    )


async def create(request: PageRequest) -> Page:
    """POST /workspaces"""
    try:
        made = await request.state.workspaces.create(
            request.actor, request.field("name").strip(), request.field("owner").strip()
        )
    except Refused as refusal:
        return await _shown(request, refusal, "create")
    return await _shown(
        request, secret=made.secret, whose=f"{made.owner.email} in {made.workspace.full_name}"
    )


async def rename(request: PageRequest) -> Page:
    """POST /workspaces/{workspace_id}"""
    try:
        await request.state.workspaces.rename(
            request.actor,
            request.params["workspace_id"],
            request.field("organization").strip(),
            request.field("name").strip(),
        )
    except Refused as refusal:
        return await _shown(request, refusal, "rename")
    return request.to("/workspaces")
