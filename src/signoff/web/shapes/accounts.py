"""Agents and services (AXP's service accounts), keys and workflows on the wire."""

from datetime import datetime

from signoff.core.directory.actors import ActorKind
from signoff.core.directory.agent_limits import Usage
from signoff.core.directory.model import Account, ApiKey, NamedWorkflow, Workspace
from signoff.core.directory.workers import Worker, last_seen_text
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.plan.task_types import Strength
from signoff.engine.directory.change_log import KILLED
from signoff.engine.identity.keys import NewKey
from signoff.engine.planning.planner import plan_summary
from signoff.web.shapes.common import maybe, verbatim
from signoff.wire.accounts import AccountOut, AccountResponse
from signoff.wire.common import ABSENT
from signoff.wire.keys import KeyOut, NewKeyOut
from signoff.wire.mesh import AgentMetrics
from signoff.wire.workflows import StepOut, WorkflowOut

# AXP's schema requires both addresses, both names and both ids; clients differ in which they read.


def address_id(account: Account) -> str:
    """The id of the account's address, which AXP requires."""
    return "addr_" + account.id.removeprefix("sa_")


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
        status=account.status if account.killed_at is None else KILLED,
        agent_address=account.address,
        address=account.address,
        address_id=address_id(account),
        delivery_mode=account.delivery_mode,
        callback_url=maybe(account.callback_url),
        created_by_actor_id=account.created_by or account.id,
        created_at=account.created_at,
        updated_at=account.updated_at,
        killed_at=ABSENT if account.killed_at is None else account.killed_at,
    )


def seen_account(out: AccountOut, worker: Worker | None, now: datetime) -> AccountOut:
    """The agent, with the time at which its workers last asked for work; a push agent has none."""
    if out.kind == ActorKind.AGENT.value and out.delivery_mode != "http":
        out.last_seen = last_seen_text(worker.seen_at if worker else None, now)
        if worker is not None:
            out.last_seen_at, out.last_seen_client = worker.seen_at, maybe(worker.client)
    return out


def metrics_out(used: Usage) -> AgentMetrics:
    return AgentMetrics(
        intents_total=used.total,
        intents_succeeded=used.succeeded,
        intents_failed=used.failed,
        avg_latency_ms=ABSENT if used.average_latency is None else used.average_latency,
        cost_usd=used.dollars,
        reported_at=ABSENT if used.reported_at is None else used.reported_at,
    )


def account_answer(account: Account, workspace: Workspace, secret: str = "") -> AccountResponse:
    """``secret``: the webhook secret, if it was just created."""
    return AccountResponse(
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
        service_account_id=ABSENT if key.actor_kind == "person" else key.actor_id,
        kind=key.actor_kind,
        holder_id=key.actor_id,
        holder_name=maybe(holder),
        name=maybe(key.name),
        key_hint=key.hint,
        status="revoked" if key.revoked_at else "expired" if expired else "active",
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at or ABSENT,
        token=maybe(secret),
    )


def new_key_out(made: NewKey, address: str, warnings: tuple[str, ...]) -> NewKeyOut:
    return NewKeyOut(
        kind=made.key.actor_kind,
        address=address,
        key_id=made.key.id,
        api_key=made.secret,
        expires_at=made.key.expires_at or ABSENT,
        warnings=warnings,
    )


def workflow_out(workflow: NamedWorkflow, plan: Plan, by: str) -> WorkflowOut:
    """A workflow. ``plan``: its plan as compiled when it was applied; ``by``: the name of who applied it."""
    proofs = [step.task.strength for step in plan.steps if isinstance(step, HumanStep)]
    return WorkflowOut(
        name=workflow.name,
        intent_type=workflow.intent_type,
        version=workflow.version,
        strength=max(proofs, key=tuple(Strength).index, default=Strength.LINK).value,
        steps=tuple(StepOut(id=step["id"], kind=step["kind"]) for step in plan_summary(plan)),
        source=verbatim(workflow.source),
        applied_by=by,
        applied_at=workflow.applied_at,
    )
