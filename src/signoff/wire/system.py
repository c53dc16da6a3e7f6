"""The server, and the key's actor."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from signoff.wire.common import ABSENT, ActorOut, Ok, Text


class SlackCodeAnswer(Ok, kw_only=True):
    """``command``: what to type in Slack; the code works once, until ``expires_at``."""

    code: str
    command: str
    expires_at: datetime


class HealthAnswer(Ok, kw_only=True):
    """The process is alive."""

    service: str = "signoff"
    version: str


class ReadyAnswer(Struct, kw_only=True):
    """Whether the process is ready; per loop and part, why not."""

    ok: bool
    ready: bool
    details: dict[str, Any]


class SelfOut(ActorOut, kw_only=True):
    """The key's actor."""

    email: Text = ABSENT
    roles: tuple[str, ...]


class ServerOut(Struct, kw_only=True):
    """mail: whether it can mail people, including sign-in links."""

    version: str
    database: str
    mail: bool


class MeAnswer(Ok, kw_only=True):
    """The key's holder and workspace. self_approval: whether the requester's side may decide a request made now;
    self_approval_setting: ``off``, ``on``, or ``alone``, which holds while the workspace has one person.
    """

    actor: SelfOut
    workspace: str
    workspace_id: str
    organization: str
    self_approval: bool
    self_approval_setting: str
    default_policy: Text = ABSENT
    unlisted_types: str
    server: ServerOut
