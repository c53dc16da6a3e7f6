"""What AXP's command line asks for in ``whoami`` and ``doctor``: the key's organization and workspace."""

from typing import Any

from msgspec import Struct

from signoff.core.directory.actors import ActorKind
from signoff.core.errors import NotFound
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.wire.common import ABSENT, Ok, OrEmpty


class Organization(Struct, kw_only=True):
    org_id: str
    name: str
    status: str
    roles: list[str]
    workspaces: list[str]


class WorkspaceOut(Struct, kw_only=True):
    workspace_id: str
    name: str
    org_id: str
    org_name: str
    environment: str
    status: str
    roles: list[str]


class Context(Struct, kw_only=True):
    org_id: str
    workspace_id: str


class PortalContext(Ok, kw_only=True):
    """The key's organization and workspace."""

    context: Context
    account: dict[str, Any]
    selected_organization: Organization
    selected_workspace: WorkspaceOut
    organizations: list[Organization]
    workspaces: list[WorkspaceOut]
    guidance: OrEmpty[dict[str, Any]] = ABSENT


class Selection(Struct, kw_only=True):
    """The workspace to work in: here always the key's own, by its id or name."""

    org_id: str = ""
    workspace_id: str = ""


async def select(call: Call) -> PortalContext:
    """POST /v1/portal/personal/workspace-selection"""
    wanted = bodies.axp(Selection, json_intake.parse_object(call.body))
    place = (await directory_of(call)).workspace
    if not place.is_called(wanted.org_id, wanted.workspace_id):
        raise NotFound(
            "workspace_not_found",
            "This key has no such workspace.",
            hint=f"It belongs to {place.organization}/{place.name}: workspace_id {place.id}.",
        )
    return await context(call)


async def context(call: Call) -> PortalContext:
    """GET /v1/portal/personal/context"""
    directory = await directory_of(call)
    place = directory.workspace
    roles = sorted(call.actor.roles) or [call.actor.kind.value]
    person = directory.people.get(call.actor.id) if call.actor.kind is ActorKind.PERSON else None
    organization = Organization(
        org_id=place.organization,
        name=place.organization,
        status="active",
        roles=roles,
        workspaces=[place.id],
    )
    workspace = WorkspaceOut(
        workspace_id=place.id,
        name=place.name,
        org_id=place.organization,
        org_name=place.organization,
        environment="production",
        status="active",
        roles=roles,
    )
    return PortalContext(
        context=Context(org_id=place.organization, workspace_id=place.id),
        account={"email": person.email if person else "", "actor_id": call.actor.id},
        selected_organization=organization,
        selected_workspace=workspace,
        organizations=[organization],
        workspaces=[workspace],
        guidance={"workspace_count": 1},
    )
