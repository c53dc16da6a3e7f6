"""Workspaces: each has its own people, agents, keys, policies, workflows and intents."""

from datetime import datetime

from msgspec import Struct

from signoff.wire.common import ABSENT, Name, Ok, Strict, Text


class WorkspaceOut(Struct, kw_only=True):
    """A workspace. ``own``: the key's; former_names: as ``organization/name``; addresses with one go on resolving."""

    workspace_id: str
    organization: str
    name: str
    former_names: tuple[str, ...]
    own: bool
    created_at: datetime


class WorkspacesAnswer(Ok, kw_only=True):
    """The key's own workspace first; for an owner's key also the others of its organization."""

    workspaces: list[WorkspaceOut]


class WorkspaceAnswer(Ok, kw_only=True):
    """One workspace."""

    workspace: WorkspaceOut


class CreateWorkspace(Strict, kw_only=True):
    """A new workspace in the key's organization. owner: the e-mail address of its first owner, by default the
    caller's; owner_name: their name.
    """

    name: str
    owner: str = ""
    owner_name: Name = ""


class RenameWorkspace(Strict, kw_only=True):
    """The new names; one that is left out stays."""

    name: str = ""
    organization: str = ""


class NewWorkspaceOut(Ok, kw_only=True):
    """A new workspace. ``api_key``: of its owner, shown once, stored nowhere; only if the owner is the caller."""

    workspace: WorkspaceOut
    owner: str
    api_key: Text = ABSENT
