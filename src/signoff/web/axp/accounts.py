"""Agents and services, and their keys, as AXP's clients manage them."""

import secrets
from collections.abc import Mapping

from signoff import wire
from signoff.core.directory.actors import ActorKind
from signoff.core.directory.agent_limits import Usage
from signoff.core.directory.authorization import Action, permits
from signoff.core.directory.model import Account, Workspace
from signoff.core.errors import Conflict, Invalid, NotFound
from signoff.core.text.document_reader import in_utc
from signoff.engine.directory.snapshot import Snapshot
from signoff.web.axp.mesh import visible_usage
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call, Page
from signoff.web.reading import address_of, directory_of
from signoff.web.shapes import accounts as shapes
from signoff.web.shapes.common import encode
from signoff.wire.common import ABSENT


async def page(call: Call) -> wire.accounts.AccountsResponse:
    """GET /v1/service-accounts"""
    directory = await directory_of(call)
    here = _asked_here(call, directory.workspace)
    found = await call.state.accounts.accounts(call.actor) if here else []
    return wire.accounts.AccountsResponse(
        service_accounts=[_out(call, account, directory) for account in found]
    )


def _asked_here(call: Call, workspace: Workspace) -> bool:
    """Whether the organization and workspace in the query, if any, are the key's own."""
    return workspace.is_called(call.query.get("org_id", ""), call.query.get("workspace_id", ""))


def _refuse_elsewhere(workspace: Workspace, org: str, place: str) -> None:
    """Raise Forbidden for a request to create something outside the key's workspace."""
    if workspace.is_called(org, place):
        return
    own = f"org_id {workspace.organization}, workspace_id {workspace.id}"
    raise Invalid(
        "other_workspace",
        "This key belongs to another workspace.",
        field="workspace_id",
        hint=f"Omit both, or send {own}.",
    )


def _out(call: Call, account: Account, directory: Snapshot) -> wire.accounts.AccountOut:
    """An account as this caller may see it. The callback URL of an agent often contains a secret. It is visible to
    the agent itself, to the service that registered it, and to actors that may read everything.
    """
    out = shapes.account_out(account, directory.workspace)
    if account.killed_by and permits(call.actor, Action.READ_DIRECTORY):
        out.killed_by = directory.display(account.killed_by)
    if not permits(call.actor, Action.READ_ACCOUNT, account):
        out.callback_url = ABSENT
    return out


async def get(call: Call) -> wire.accounts.AccountResponse:
    """GET /v1/service-accounts/{account_id}"""
    account = await call.state.accounts.account(call.actor, call.params["account_id"])
    directory = await directory_of(call)
    answer = shapes.account_answer(account, directory.workspace)
    answer.service_account = _out(call, account, directory)
    return answer


async def create(call: Call) -> wire.accounts.AccountResponse | Page:
    """POST /v1/service-accounts"""
    wanted = bodies.axp(wire.accounts.CreateAccount, json_intake.parse_object(call.body))
    directory = await directory_of(call)
    workspace = directory.workspace
    _refuse_elsewhere(workspace, wanted.org_id, wanted.workspace_id)
    account, created = await call.state.accounts.add_account(
        call.actor,
        ActorKind.AGENT,
        wanted.name,
        display_name=wanted.display_name,
        description=wanted.description,
        delivery_mode=wanted.delivery_mode,
        callback_url=wanted.callback_url,
    )
    if created:
        return shapes.account_answer(account, workspace, account.webhook_secret)
    # After this 409, AXP's command line continues only if the account is next to the error.
    refusal = Conflict("service_account_exists", f"The account {account.name!r} already exists.")
    body = wire.accounts.AccountExists(
        service_account=_out(call, account, directory),
        error=wire.accounts.ExistsError(code=refusal.code, message=refusal.message, details={}),
        message=refusal.message,
        detail=refusal.message,
        request_id=call.request_id,
    )
    return Page(encode(body), status=refusal.status)


async def change(call: Call) -> wire.accounts.AccountResponse:
    """PATCH /v1/service-accounts/{account_id}"""
    wanted = bodies.axp(wire.accounts.ChangeAccount, json_intake.parse_object(call.body))
    secret = secrets.token_urlsafe(32) if wanted.rotate_webhook_secret else None
    account = await call.state.accounts.update_account(
        call.actor,
        call.params["account_id"],
        display_name=wanted.display_name,
        description=wanted.description,
        delivery_mode=wanted.delivery_mode,
        callback_url=wanted.callback_url,
        webhook_secret=secret,
    )
    return shapes.account_answer(account, (await directory_of(call)).workspace, secret or "")


async def remove(call: Call) -> wire.accounts.Removed:
    """DELETE /v1/service-accounts/{account_id}"""
    account = await call.state.accounts.remove_account(call.actor, call.params["account_id"])
    return wire.accounts.Removed(service_account_id=account.id)


async def create_account_key(call: Call) -> wire.keys.AccountKey:
    """POST /v1/service-accounts/{account_id}/keys"""
    wanted = bodies.axp(wire.accounts.CreateAccountKey, json_intake.parse_object(call.body))
    account = await call.state.accounts.account(call.actor, call.params["account_id"])
    now = call.state.clock.now()
    until = in_utc(wanted.expires_at, "expires_at") if wanted.expires_at else None
    if until is not None and until <= now:
        raise Invalid("validation_error", "expires_at is in the past.", field="expires_at")
    made = await call.state.accounts.add_key(call.actor, account, until)
    return wire.keys.AccountKey(key=shapes.key_out(made.key, now, made.secret), api_key=made.secret)


async def revoke_account_key(call: Call) -> wire.keys.KeyResponse:
    """POST /v1/service-accounts/{account_id}/keys/{key_id}/revoke"""
    account = await call.state.accounts.account(call.actor, call.params["account_id"])
    keys = await call.state.accounts.keys(call.actor, account.id)
    if call.params["key_id"] not in {key.id for key in keys}:
        raise NotFound("key_not_found", f"There is no key {call.params['key_id'][:64]}.")
    key = await call.state.accounts.revoke_key(call.actor, call.params["key_id"])
    return wire.keys.KeyResponse(key=shapes.key_out(key, call.state.clock.now()))


async def agents(call: Call) -> wire.accounts.AgentsResponse:
    """GET /v1/agents"""
    directory = await directory_of(call)
    here = _asked_here(call, directory.workspace)
    found = await call.state.accounts.accounts(call.actor, ActorKind.AGENT) if here else []
    limit = call.number("limit", 1000, 1, 1000)
    workers, now = await call.state.workers.of(call.actor.workspace), call.state.clock.now()
    used = await call.state.usage.of(call.actor.workspace)
    return wire.accounts.AgentsResponse(
        agents=[
            shapes.seen_account(
                _with_metrics(call, account, _out(call, account, directory), used),
                workers.get(account.address),
                now,
            )
            for account in found[:limit]
        ]
    )


def _with_metrics(
    call: Call, account: Account, out: wire.accounts.AccountOut, used: Mapping[str, Usage]
) -> wire.accounts.AccountOut:
    """The agent with what it reported today, as far as this caller may see it."""
    seen = visible_usage(call, account, used)
    if seen is not None:
        out.metrics = shapes.metrics_out(seen)
    return out


async def agent(call: Call) -> wire.accounts.AgentResponse:
    """GET /v1/agents/{address}"""
    directory = await directory_of(call)
    address = await address_of(call)
    account = directory.by_address.get(address)
    if account is None or account.kind != ActorKind.AGENT.value:
        raise NotFound("agent_not_found", f"There is no agent {address[:128]}.")
    workers = await call.state.workers.of(call.actor.workspace)
    used = await call.state.usage.of(call.actor.workspace, 1, address)
    out = _with_metrics(call, account, _out(call, account, directory), used)
    out = shapes.seen_account(out, workers.get(address), call.state.clock.now())
    return wire.accounts.AgentResponse(agent=out)
