"""Agents and services: AXP's service accounts."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from signoff.wire.common import ABSENT, Name, Ok, OrNone, Text, Url


class AccountOut(Struct, kw_only=True):
    """An agent or a service. last_seen_at: when work was last requested for this agent, to the minute, absent if never;
    last_seen_client: by which program; last_seen: the same as text.
    """

    service_account_id: str
    id: str
    kind: str
    name: str
    service_account_name: str
    display_name: str
    description: str
    org_id: str
    workspace_id: str
    status: str
    agent_address: str
    address: str
    address_id: str
    delivery_mode: str
    callback_url: Text = ABSENT
    created_by_actor_id: str
    created_at: datetime
    updated_at: datetime
    last_seen_at: OrNone[datetime] = ABSENT
    last_seen_client: Text = ABSENT
    last_seen: Text = ABSENT


class AccountAnswer(Ok, kw_only=True):
    """One account; ids and address are at the top too. ``webhook_secret``: only if just created."""

    service_account: AccountOut
    service_account_id: str
    id: str
    address: str
    agent_address: str
    webhook_secret: Text = ABSENT


class ExistsError(Struct, kw_only=True):
    """The ``error`` of every refusal."""

    code: str
    message: str
    details: dict[str, Any]


class AccountExists(Struct, kw_only=True):
    """409 with the existing account."""

    ok: bool = False
    service_account: AccountOut
    error: ExistsError
    message: str
    detail: str
    request_id: str


class AccountsAnswer(Ok, kw_only=True):
    """All accounts of the workspace."""

    service_accounts: list[AccountOut]


class AgentAnswer(Ok, kw_only=True):
    """One agent."""

    agent: AccountOut


class AgentsAnswer(Ok, kw_only=True):
    """All agents of the workspace."""

    agents: list[AccountOut]


class CreateAccount(Struct, kw_only=True):
    """A new agent. ``name`` may be a plain name or a whole address; org_id, workspace_id: the key's own, if given;
    created_by_actor_id: accepted for AXP's schema; the key determines the creator.
    """

    name: str
    org_id: str = ""
    workspace_id: str = ""
    created_by_actor_id: str = ""
    display_name: Name = ""
    description: Annotated[str, Meta(max_length=2000)] = ""
    delivery_mode: str = "stream"
    callback_url: Url = ""


class ChangeAccount(Struct, kw_only=True):
    """The fields to change; omitted fields are unchanged. ``rotate_webhook_secret``: create a new one."""

    display_name: Name | None = None
    description: Annotated[str, Meta(max_length=2000)] | None = None
    delivery_mode: str | None = None
    callback_url: Url | None = None
    rotate_webhook_secret: bool = False


class Removed(Ok, kw_only=True):
    """The account and its keys are revoked."""

    service_account_id: str
    status: str = "revoked"


class CreateAccountKey(Struct, kw_only=True):
    """A key for the account in the path. The other fields are AXP's and have no effect: keys have no names here, and
    the calling key determines the creator.
    """

    expires_at: datetime | None = None
    name: Name = ""
    display_name: Name = ""
    description: Annotated[str, Meta(max_length=2000)] = ""
    created_by_actor_id: str = ""
