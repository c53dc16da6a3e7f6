"""The server, and the key's actor."""

from typing import Annotated, Any

from msgspec import Struct

from signoff.wire.common import ABSENT, ActorOut, Ok, Text
from signoff.wire.fields import ExpiresAt, WorkspaceId, about


class LinkCodeResponse(Ok, kw_only=True):
    """``command``: what to type in the chat. The code works once, until ``expires_at``."""

    code: Annotated[str, about("The code; works once.", "K7QX-2MPD")]
    command: Annotated[str, about("What to type in the chat.", "/signoff link K7QX-2MPD")]
    expires_at: ExpiresAt


class HealthResponse(Ok, kw_only=True):
    """The process is alive."""

    service: Annotated[str, about("The service's name.", "signoff")] = "signoff"
    version: Annotated[str, about("The server's version.", "1.0.0")]


class ReadyResponse(Struct, kw_only=True):
    """Whether the process is ready; for each loop and component that is not, why."""

    ok: Annotated[bool, about("The same as ready.", True)]
    ready: Annotated[bool, about("Whether it is ready for requests.", True)]
    details: Annotated[
        dict[str, Any], about("Each component and loop: ok, or what is wrong.", {"database": "ok"})
    ]


class SelfOut(ActorOut, kw_only=True):
    """The key's actor."""

    email: Annotated[Text, about("The e-mail address, for a person.", "ann@acme.example")] = ABSENT
    roles: Annotated[tuple[str, ...], about("The roles, for a person.", ["approver"])]


class ServerOut(Struct, kw_only=True):
    """mail: whether it can e-mail people, including sign-in links."""

    version: Annotated[str, about("The server's version.", "1.0.0")]
    database: Annotated[str, about("The kind of database.", "postgresql")]
    mail: Annotated[bool, about("Whether it can e-mail people, including sign-in links.", True)]


class MeResponse(Ok, kw_only=True):
    """The key's holder and workspace. self_approval: whether the requester's side may decide a request made now;
    self_approval_setting: ``off``, ``on``, or ``alone`` (on while the workspace has one person).
    """

    actor: Annotated[SelfOut, about("The key's holder.")]
    workspace: Annotated[str, about("The workspace's name.", "prod")]
    workspace_id: WorkspaceId
    organization: Annotated[str, about("The organization.", "acme")]
    self_approval: Annotated[
        bool, about("Whether the requester's side may decide a request made now.", False)
    ]
    self_approval_setting: Annotated[
        str,
        about(
            "The setting; alone means on while the workspace has one person.",
            "off",
            words=("on", "off", "alone"),
        ),
    ]
    default_policy: Annotated[
        Text, about("The policy for human steps that a request brings itself.", "production")
    ] = ABSENT
    unlisted_types: Annotated[
        str, about("What happens to a type without a workflow.", "allow", words=("allow", "gate", "refuse"))
    ]
    server: Annotated[ServerOut, about("What runs there.")]
