"""What a workspace knows, on the wire: agents and services (AXP's service accounts), keys, workflows."""

from datetime import datetime
from typing import Annotated, Any, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from signoff.core.directory.workers import Worker, seen_words
from signoff.core.intent.model import ActorKind
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.plan.task_types import Strength
from signoff.engine.identity.keys import NewKey
from signoff.engine.planning.planner import plan_summary
from signoff.store.tables.entries import Account, ApiKey, Workflow, Workspace
from signoff.web.shapes.common import JsonObject, Ok, Text, maybe
from signoff.web.shapes.requests import Strict

Name: TypeAlias = Annotated[str, Meta(max_length=255)]
Url: TypeAlias = Annotated[str, Meta(max_length=2000)]

# AXP's schema demands both addresses, both names and both ids; different clients read different ones.


class AccountOut(Struct, kw_only=True):
    """An agent or a service. last_seen_at: when work was last asked for as this agent, to the minute, absent if never;
    last_seen_client: by which program; last_seen: the same in words.
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
    callback_url: Text = UNSET
    created_by_actor_id: str
    created_at: datetime
    updated_at: datetime
    last_seen_at: datetime | UnsetType = UNSET
    last_seen_client: Text = UNSET
    last_seen: Text = UNSET


class AccountAnswer(Ok, kw_only=True):
    """One account; ids and address stand at the top too. ``webhook_secret``: only when just made."""

    service_account: AccountOut
    service_account_id: str
    id: str
    address: str
    agent_address: str
    webhook_secret: Text = UNSET


class ExistsError(Struct, kw_only=True):
    """As the ``error`` of every refusal."""

    code: str
    message: str
    details: dict[str, Any]


class AccountExists(Struct, kw_only=True):
    """409 with the account that is there already."""

    ok: bool = False
    service_account: AccountOut
    error: ExistsError
    message: str
    detail: str
    request_id: str


class Accounts(Ok, kw_only=True):
    """All accounts of the workspace."""

    service_accounts: list[AccountOut]


class AgentAnswer(Ok, kw_only=True):
    """One agent."""

    agent: AccountOut


class Agents(Ok, kw_only=True):
    """All agents of the workspace."""

    agents: list[AccountOut]


class CreateAccount(Struct, kw_only=True):
    """A new agent. ``name`` may be a plain name or a whole address; org_id, workspace_id: the key's own, where given;
    created_by_actor_id: as AXP's schema has it; the key says who makes it.
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
    """What may be changed; what is left out stays. ``rotate_webhook_secret``: make a new one."""

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
    """A key for the account in the path. The other fields are AXP's; a key has no name of its own here, and the key
    that makes it says by whom.
    """

    expires_at: datetime | None = None
    name: Name = ""
    display_name: Name = ""
    description: Annotated[str, Meta(max_length=2000)] = ""
    created_by_actor_id: str = ""


class KeyOut(Struct, kw_only=True):
    """A key, without its secret; ``token`` is the secret, shown once when the key is made."""

    key_id: str
    service_account_id: Text = UNSET
    kind: str
    holder_id: str
    holder_name: Text = UNSET
    key_hint: str
    status: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | UnsetType = UNSET
    token: Text = UNSET


class AccountKey(Ok, kw_only=True):
    """A new key of an account."""

    key: KeyOut
    api_key: str


class KeyAnswer(Ok, kw_only=True):
    """One key."""

    key: KeyOut


class Keys(Ok, kw_only=True):
    """Keys, oldest first, revoked ones too; no secrets."""

    keys: list[KeyOut]


class CreateKey(Strict, kw_only=True):
    """A key for exactly one of an agent, a service and a person; who does not exist yet is created.

    name, roles: of a new person; roles default to ``approver``.
    """

    agent: str | None = None
    service: str | None = None
    person: str | None = None
    name: Name = ""
    roles: list[str] = []
    expires_in_seconds: Annotated[float, Meta(gt=0, le=315_360_000)] | None = None


class NewKeyOut(Ok, kw_only=True):
    """A new key. ``api_key`` is the secret: shown once, kept nowhere."""

    kind: str
    address: str
    key_id: str
    api_key: str
    expires_at: datetime | UnsetType = UNSET


class StepOut(Struct, kw_only=True):
    """A step of a workflow."""

    id: str
    kind: str


class WorkflowOut(Struct, kw_only=True):
    """A named, versioned template of a plan, chosen by intent type. strength: the surest proof that one of its own
    steps demands; a named policy may demand more. source, which names people, and applied_by: for people only.
    """

    name: str
    intent_type: str
    version: int
    strength: str
    steps: list[StepOut]
    source: JsonObject | UnsetType = UNSET
    applied_by: Text = UNSET
    applied_at: datetime


class WorkflowAnswer(Ok, kw_only=True):
    """One workflow."""

    workflow: WorkflowOut


class AppliedOut(Ok, kw_only=True):
    """``changed`` is False when the same template was in force already; warnings: what may never go on, in words."""

    changed: bool
    dry_run: bool
    workflow: WorkflowOut
    warnings: list[str]


class Workflows(Ok, kw_only=True):
    """The workflow in force for each intent type."""

    workflows: list[WorkflowOut]


def account_out(account: Account, workspace: Workspace) -> AccountOut:
    return AccountOut(
        service_account_id=account.id,
        id=account.id,
        kind=account.kind,
        name=account.name,
        service_account_name=account.name,
        display_name=account.display_name or account.name,
        description=account.description,
        org_id=workspace.organization,
        workspace_id=workspace.id,
        status=account.status,
        agent_address=account.address,
        address=account.address,
        address_id="addr_" + account.id.removeprefix("sa_"),
        delivery_mode=account.delivery_mode,
        callback_url=maybe(account.callback_url),
        created_by_actor_id=account.created_by or account.id,
        created_at=account.created_at,
        updated_at=account.updated_at,
    )


def seen_account(out: AccountOut, worker: Worker | None, now: datetime) -> AccountOut:
    """The agent with when work was last asked for as it; one that is called itself asks for none."""
    if out.kind == ActorKind.AGENT.value and out.delivery_mode != "http":
        out.last_seen = seen_words(worker.seen_at if worker else None, now)
        if worker is not None:
            out.last_seen_at, out.last_seen_client = worker.seen_at, maybe(worker.client)
    return out


def account_answer(account: Account, workspace: Workspace, secret: str = "") -> AccountAnswer:
    """``secret``: the webhook secret, when it was just made."""
    return AccountAnswer(
        service_account=account_out(account, workspace),
        service_account_id=account.id,
        id=account.id,
        address=account.address,
        agent_address=account.address,
        webhook_secret=maybe(secret),
    )


def key_out(key: ApiKey, now: datetime, secret: str = "", holder: str = "") -> KeyOut:
    expired = key.expires_at is not None and key.expires_at <= now
    return KeyOut(
        key_id=key.id,
        service_account_id=UNSET if key.actor_kind == "person" else key.actor_id,
        kind=key.actor_kind,
        holder_id=key.actor_id,
        holder_name=maybe(holder),
        key_hint=key.hint,
        status="revoked" if key.revoked_at else "expired" if expired else "active",
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at or UNSET,
        token=maybe(secret),
    )


def new_key_out(made: NewKey, address: str) -> NewKeyOut:
    return NewKeyOut(
        kind=made.key.actor_kind,
        address=address,
        key_id=made.key.id,
        api_key=made.secret,
        expires_at=made.key.expires_at or UNSET,
    )


def workflow_out(workflow: Workflow, plan: Plan, by: str) -> WorkflowOut:
    """``plan``: as it was compiled then; ``by``: the name of who applied it."""
    proofs = [step.task.strength for step in plan.steps if isinstance(step, HumanStep)]
    return WorkflowOut(
        name=workflow.name,
        intent_type=workflow.intent_type,
        version=workflow.version,
        strength=max(proofs, key=tuple(Strength).index, default=Strength.LINK).value,
        steps=[StepOut(id=step["id"], kind=step["kind"]) for step in plan_summary(plan)],
        source=Raw(workflow.source),
        applied_by=by,
        applied_at=workflow.applied_at,
    )
