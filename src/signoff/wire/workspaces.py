"""Workspaces: each has its own people, agents, keys, policies, workflows and intents."""

from typing import Annotated, ClassVar

from msgspec import Struct

from signoff.wire.common import ABSENT, Name, Ok, Strict, Text
from signoff.wire.fields import CreatedAt, OrgId, WorkspaceId, about


class WorkspaceOut(Struct, kw_only=True):
    """A workspace. ``own``: whether it is the key's; former_names: as ``organization/name``; addresses with these
    still resolve.
    """

    workspace_id: WorkspaceId
    organization: OrgId
    name: Annotated[str, about("The workspace's name.", "prod")]
    former_names: Annotated[
        tuple[str, ...],
        about(
            "Its former names, as organization/name; addresses with these continue to resolve.",
            ["acme/production"],
        ),
    ]
    own: Annotated[bool, about("Whether it is the key's.", True)]
    created_at: CreatedAt


class WorkspacesResponse(Ok, kw_only=True):
    """The key's own workspace first; for an owner's key, also the others of its organization."""

    workspaces: Annotated[list[WorkspaceOut], about("The workspaces.")]


class WorkspaceResponse(Ok, kw_only=True):
    """One workspace."""

    workspace: Annotated[WorkspaceOut, about("The workspace.")]


class CreateWorkspace(Strict, kw_only=True):
    """A new workspace in the key's organization. owner: the e-mail address of its first owner, by default the
    caller's; owner_name: their name.
    """

    _EXAMPLE: ClassVar = ("owner", "owner_name")

    name: Annotated[str, about("The workspace's name.", "staging")]
    owner: Annotated[
        str, about("The e-mail address of its first owner; the caller's by default.", "ann@acme.example")
    ] = ""
    owner_name: Annotated[Name, about("The first owner's name.", "Ann Berg")] = ""


class RenameWorkspace(Strict, kw_only=True):
    """The new names; an omitted one is unchanged."""

    _EXAMPLE: ClassVar = ("name",)

    name: Annotated[str, about("The new name.", "production")] = ""
    organization: Annotated[str, about("The new organization.", "acme")] = ""


class NewWorkspaceOut(Ok, kw_only=True):
    """A new workspace. ``api_key``: its owner's key, shown once and not stored; only if the owner is the caller."""

    workspace: Annotated[WorkspaceOut, about("The workspace.")]
    owner: Annotated[str, about("The e-mail address of its owner.", "ann@acme.example")]
    api_key: Annotated[
        Text,
        about(
            "A key of its owner, shown once and not stored; only if the owner is the caller.",
            "sgn_the-secret-of-the-key",
        ),
    ] = ABSENT
