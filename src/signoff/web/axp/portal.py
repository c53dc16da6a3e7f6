"""What AXP's command line requests in ``whoami`` and ``doctor``: the key's organization and workspace."""

from typing import Annotated, Any, ClassVar

from msgspec import Struct

from signoff.core.directory.actors import ActorKind
from signoff.core.errors import NotFound
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.wire.common import ABSENT, Ok, OrEmpty
from signoff.wire.fields import OrgId, WorkspaceId, about


class Organization(Struct, kw_only=True):
    """An organization to which the key belongs."""

    org_id: OrgId
    name: Annotated[str, about("Its name.", "acme")]
    status: Annotated[str, about("That it is active.", "active")]
    roles: Annotated[list[str], about("The key's roles there.", ["approver"])]
    workspaces: Annotated[
        list[str], about("The ids of its workspaces.", ["ws_01998a3c6f007d1e8a4bc35d9e7f1b22"])
    ]


class PortalWorkspace(Struct, kw_only=True):
    """A workspace of the key's."""

    workspace_id: WorkspaceId
    name: Annotated[str, about("Its name.", "prod")]
    org_id: OrgId
    org_name: Annotated[str, about("The organization's name.", "acme")]
    environment: Annotated[str, about("The name, as AXP's command line shows it.", "production")]
    status: Annotated[str, about("That it is active.", "active")]
    roles: Annotated[list[str], about("The key's roles there.", ["approver"])]


class Context(Struct, kw_only=True):
    """The organization and workspace that the key belongs to."""

    org_id: OrgId
    workspace_id: WorkspaceId


class PortalContext(Ok, kw_only=True):
    """The key's organization and workspace."""

    context: Annotated[Context, about("The organization and workspace that the key belongs to.")]
    account: Annotated[dict[str, Any], about("Whose key it is.", {"email": "ann@acme.example"})]
    selected_organization: Annotated[Organization, about("The key's organization.")]
    selected_workspace: Annotated[PortalWorkspace, about("The key's workspace.")]
    organizations: Annotated[list[Organization], about("The same, in a list.")]
    workspaces: Annotated[list[PortalWorkspace], about("The same, in a list.")]
    guidance: Annotated[
        OrEmpty[dict[str, Any]], about("As AXP's command line reads it.", {"workspace_count": 1})
    ] = ABSENT


class Selection(Struct, kw_only=True):
    """The workspace to work in. It must be the key's own, given by its id or name."""

    _EXAMPLE: ClassVar = ("workspace_id",)

    org_id: Annotated[str, about("The organization: the key's own.", "acme")] = ""
    workspace_id: Annotated[str, about("The workspace: the key's own, by its id or name.", "prod")] = ""


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
    workspace = PortalWorkspace(
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
