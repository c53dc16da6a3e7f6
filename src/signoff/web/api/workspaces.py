"""Workspaces of this server: the key's own, and for an owner those of the organization."""

from signoff import wire
from signoff.core.directory.model import Workspace
from signoff.web.http import bodies
from signoff.web.http.call import Call
from signoff.web.shapes.common import maybe


async def workspaces(call: Call) -> wire.workspaces.WorkspacesResponse:
    """GET /v1/workspaces"""
    found = await call.state.workspaces.visible(call.actor)
    return wire.workspaces.WorkspacesResponse(workspaces=[_out(call, one) for one in found])


async def create(call: Call) -> wire.workspaces.NewWorkspaceOut:
    """POST /v1/workspaces"""
    request = bodies.ours(wire.workspaces.CreateWorkspace, call.body)
    made = await call.state.workspaces.create(call.actor, request.name, request.owner, request.owner_name)
    return wire.workspaces.NewWorkspaceOut(
        workspace=_out(call, made.workspace), owner=made.owner.email, api_key=maybe(made.secret)
    )


async def rename(call: Call) -> wire.workspaces.WorkspaceResponse:
    """PATCH /v1/workspaces/{workspace_id}"""
    request = bodies.ours(wire.workspaces.RenameWorkspace, call.body)
    after = await call.state.workspaces.rename(
        call.actor, call.params["workspace_id"], request.organization, request.name
    )
    return wire.workspaces.WorkspaceResponse(workspace=_out(call, after))


def _out(call: Call, space: Workspace) -> wire.workspaces.WorkspaceOut:
    return wire.workspaces.WorkspaceOut(
        workspace_id=space.id,
        organization=space.organization,
        name=space.name,
        former_names=space.former,
        own=space.id == call.actor.workspace,
        created_at=space.created_at,
    )
