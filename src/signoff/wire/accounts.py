"""Agents and services: AXP's service accounts."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeAlias

from msgspec import Meta, Struct

from signoff.wire.common import ABSENT, Name, Ok, OrEmpty, OrNone, Text, Url
from signoff.wire.fields import (
    AccountId,
    AgentAddress,
    CallbackUrl,
    CreatedAt,
    DeliveryMode,
    DisplayName,
    IgnoredCreator,
    KilledAt,
    OrgId,
    SameAccountId,
    UpdatedAt,
    WorkspaceId,
    about,
    time,
)
from signoff.wire.mesh import AgentMetrics

IgnoredKeyName: TypeAlias = Annotated[Name, about("As AXP's clients send it; keys have no names here.", "ci")]


class AccountOut(Struct, kw_only=True):
    """An agent or a service. last_seen_at: when this agent last asked for work or sent a heartbeat, to the minute,
    absent if never; last_seen_client: the program that did so; last_seen: the time as text.
    """

    _EXAMPLE: ClassVar = ("last_seen_at",)

    service_account_id: AccountId
    id: SameAccountId
    kind: Annotated[str, about("What it is.", "agent", words=("agent", "service"))]
    name: Annotated[str, about("Its name in the workspace.", "infra-validator")]
    service_account_name: Annotated[str, about("The same as name.", "infra-validator")]
    display_name: DisplayName
    description: Annotated[str, about("What it is for.", "Checks migrations before people see them.")]
    org_id: OrgId
    workspace_id: WorkspaceId
    status: Annotated[str, about("Whether it may act: active or killed.", "active")]
    agent_address: AgentAddress
    address: Annotated[str, about("The same as agent_address.", "agent://acme/prod/infra-validator")]
    address_id: Annotated[str, about("The id of the address.", "addr_01998a3c6f007d1e8a4bc35d9e7f1b21")]
    delivery_mode: DeliveryMode
    callback_url: OrEmpty[CallbackUrl] = ABSENT
    created_by_actor_id: Annotated[
        str, about("The id of its creator.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")
    ]
    created_at: CreatedAt
    updated_at: UpdatedAt
    last_seen_at: Annotated[
        OrNone[datetime],
        time("When it last asked for work or sent a heartbeat, to the minute; absent if never."),
    ] = ABSENT
    last_seen_client: Annotated[Text, about("The program that did so.", "signoff-python/1.0.0")] = ABSENT
    last_seen: Annotated[Text, about("The same, as text.", "2 minutes ago")] = ABSENT
    killed_at: OrNone[KilledAt] = ABSENT
    killed_by: Annotated[Text, about("The name of who killed it; only for people.", "Ann")] = ABSENT
    metrics: Annotated[
        OrNone[AgentMetrics],
        about(
            "What this agent reported today (in UTC); only for people, itself and the service that registered it."
        ),
    ] = ABSENT


class AccountResponse(Ok, kw_only=True):
    """One account; its ids and address are also at the top level. ``webhook_secret``: only if it was just created."""

    service_account: Annotated[AccountOut, about("The account.")]
    service_account_id: AccountId
    id: SameAccountId
    address: Annotated[str, about("The same as agent_address.", "agent://acme/prod/infra-validator")]
    agent_address: AgentAddress
    webhook_secret: Annotated[
        Text,
        about(
            "The secret that signs pushes; only if it was just created.",
            "whsec_the-secret-of-the-agent",
        ),
    ] = ABSENT


class ExistsError(Struct, kw_only=True):
    """The ``error`` of every refusal."""

    code: Annotated[str, about("A stable code.", "service_account_exists")]
    message: Annotated[str, about("What went wrong.", "The account 'infra-validator' already exists.")]
    details: Annotated[dict[str, Any], about("Additional values.", {})]


class AccountExists(Struct, kw_only=True):
    """409 with the existing account."""

    ok: Annotated[bool, about("False: the request was refused.", False)] = False
    service_account: Annotated[AccountOut, about("The account that exists.")]
    error: Annotated[ExistsError, about("What went wrong.")]
    message: Annotated[
        str,
        about(
            "The error's message, for clients that read it here.",
            "The account 'infra-validator' already exists.",
        ),
    ]
    detail: Annotated[
        str,
        about(
            "The error's message, for clients that read it here.",
            "The account 'infra-validator' already exists.",
        ),
    ]
    request_id: Annotated[
        str, about("Names this request in the server's log.", "5f0c1b7e9a2d4c3f8e6b1a0d9c8b7a65")
    ]


class AccountsResponse(Ok, kw_only=True):
    """All accounts of the workspace."""

    service_accounts: Annotated[list[AccountOut], about("The accounts.")]


class AgentResponse(Ok, kw_only=True):
    """One agent."""

    agent: Annotated[AccountOut, about("The agent.")]


class AgentsResponse(Ok, kw_only=True):
    """All agents of the workspace."""

    agents: Annotated[list[AccountOut], about("The agents.")]


class CreateAccount(Struct, kw_only=True):
    """A new agent. ``name`` may be a plain name or a whole address; org_id, workspace_id: those of the key, if
    given. created_by_actor_id: accepted for AXP's schema, but the key determines the creator.
    """

    _EXAMPLE: ClassVar = ("display_name", "description")

    name: Annotated[str, about("A plain name, or a whole address.", "schema-checker")]
    org_id: Annotated[str, about("The organization; the key's own, if given.", "acme")] = ""
    workspace_id: Annotated[
        str, about("The workspace; the key's own, if given.", "ws_01998a3c6f007d1e8a4bc35d9e7f1b22")
    ] = ""
    created_by_actor_id: IgnoredCreator = ""
    display_name: Annotated[Name, about("The display name.", "Infra validator")] = ""
    description: Annotated[
        str, Meta(max_length=2000), about("What it is for.", "Checks migrations before people see them.")
    ] = ""
    delivery_mode: DeliveryMode = "stream"
    callback_url: Annotated[
        Url,
        about(
            "The URL to which its work is pushed, if its delivery mode is http.",
            "https://validator.acme.example/work",
        ),
    ] = ""


class ChangeAccount(Struct, kw_only=True):
    """The fields to change; omitted fields are unchanged. ``rotate_webhook_secret``: whether to create a new secret."""

    _EXAMPLE: ClassVar = ("display_name", "description")

    display_name: Annotated[Name | None, about("The display name.", "Infra validator")] = None
    description: Annotated[
        Annotated[str, Meta(max_length=2000)] | None,
        about("What it is for.", "Checks migrations before people see them."),
    ] = None
    delivery_mode: DeliveryMode | None = None
    callback_url: Annotated[
        Url | None,
        about(
            "The URL to which its work is pushed, if its delivery mode is http.",
            "https://validator.acme.example/work",
        ),
    ] = None
    rotate_webhook_secret: Annotated[bool, about("Whether to create a new webhook secret.", False)] = False


class Removed(Ok, kw_only=True):
    """The account and its keys are revoked."""

    service_account_id: AccountId
    status: Annotated[str, about("Its state: revoked.", "revoked", words=("revoked",))] = "revoked"


class CreateAccountKey(Struct, kw_only=True):
    """A key for the account in the path. The other fields are AXP's and have no effect: keys have no names here, and
    the calling key determines the creator.
    """

    _EXAMPLE: ClassVar = ("expires_at",)

    expires_at: Annotated[
        datetime | None, time("When the key stops being valid; never, if absent.", "2099-03-01T00:00:00Z")
    ] = None
    name: IgnoredKeyName = ""
    display_name: IgnoredKeyName = ""
    description: Annotated[
        str,
        Meta(max_length=2000),
        about("As AXP's clients send it; keys have no names here.", "the key of CI"),
    ] = ""
    created_by_actor_id: IgnoredCreator = ""
