"""AXP's policies of an agent: who may send to it, and how much work it is given."""

import secrets
from collections.abc import Callable

from signoff.core.directory.agent_limits import MICROS, AgentLimits, Usage
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Account
from signoff.core.directory.senders import (
    ALLOWLIST,
    ANY,
    OPEN,
    SenderPattern,
    Senders,
    is_elsewhere,
    pattern_of,
)
from signoff.core.errors import Invalid
from signoff.web.axp.mesh import named_agent
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.wire.common import ABSENT
from signoff.wire.mesh import (
    BLOCK,
    AddSenderEntry,
    CostPolicy,
    CostPolicyResponse,
    LimitsOut,
    SenderEntry,
    SendPolicy,
    SendPolicyResponse,
    SetSendPolicy,
)


async def cost_policy(call: Call) -> CostPolicyResponse:
    """GET /v1/mesh/agents/{address}/policies/cost"""
    account = await named_agent(call)
    authorize(call.actor, Action.READ_RESTRICTIONS, account)
    return await _limits(call, account)


async def set_cost_policy(call: Call) -> CostPolicyResponse:
    """PUT /v1/mesh/agents/{address}/policies/cost"""
    request = bodies.axp(CostPolicy, json_intake.parse_object(call.body))
    authorize(call.actor, Action.RESTRICT_AGENT)
    if request.action_on_breach != BLOCK:
        raise Invalid(
            "validation_error",
            f"action_on_breach: {request.action_on_breach[:32]!r} is not possible here; only block is.",
            field="action_on_breach",
            hint="Omit it. To stop an agent at once, kill it: signoff agents kill ADDRESS.",
        )
    limits = AgentLimits(
        per_hour=request.max_intents_per_hour or 0,
        per_day=request.max_intents_per_day or 0,
        cost_per_day=max(1, round(request.max_cost_per_day_usd * MICROS))
        if request.max_cost_per_day_usd
        else 0,
    )
    account = await call.state.accounts.set_limits(
        call.actor, (await named_agent(call, exactly=True)).id, None if limits == AgentLimits() else limits
    )
    return await _limits(call, account)


async def _limits(call: Call, account: Account) -> CostPolicyResponse:
    now = call.state.clock.now()
    used = (await call.state.usage.of(account.workspace, 1, account.address)).get(account.address, Usage())
    limits = account.limits or AgentLimits()
    return CostPolicyResponse(
        address=account.address,
        policy=LimitsOut(
            max_intents_per_hour=limits.per_hour or ABSENT,
            max_intents_per_day=limits.per_day or ABSENT,
            max_cost_per_day_usd=limits.cost_per_day / MICROS or ABSENT,
            intents_this_hour=used.this_hour if used.hour >= now.hour else 0,
            intents_today=used.given,
            cost_today_usd=used.dollars,
        ),
    )


async def send_policy(call: Call) -> SendPolicyResponse:
    """GET /v1/agents/{address}/policy"""
    account = await named_agent(call)
    authorize(call.actor, Action.READ_RESTRICTIONS, account)
    return await _senders(call, account)


async def set_send_policy(call: Call) -> SendPolicyResponse:
    """PUT /v1/agents/{address}/policy"""
    request = bodies.axp(SetSendPolicy, json_intake.parse_object(call.body))
    return await _change_senders(call, lambda senders: senders.with_mode(request.policy_type))


async def add_sender(call: Call) -> SendPolicyResponse:
    """POST /v1/agents/{address}/policy/entries"""
    request = bodies.axp(AddSenderEntry, json_intake.parse_object(call.body))
    space = (await directory_of(call)).workspace
    entry = SenderPattern(
        f"snd_{secrets.token_hex(16)}", pattern_of(request.sender_pattern, space.organization, space.name)
    )
    return await _change_senders(call, lambda senders: senders.with_entry(entry))


async def remove_sender(call: Call) -> SendPolicyResponse:
    """DELETE /v1/agents/{address}/policy/entries/{entry_id}"""
    return await _change_senders(call, lambda senders: senders.without_entry(call.params["entry_id"]))


async def _change_senders(call: Call, change: Callable[[Senders], Senders]) -> SendPolicyResponse:
    authorize(call.actor, Action.RESTRICT_AGENT)
    account = await named_agent(call, exactly=True)
    return await _senders(call, await call.state.accounts.change_senders(call.actor, account.id, change))


async def _senders(call: Call, account: Account) -> SendPolicyResponse:
    directory = await directory_of(call)
    senders = account.senders or Senders()
    warnings: list[str] = []
    if senders.mode == OPEN and senders.entries:
        warnings.append("the agent is open to any sender, so its entries have no effect")
    if senders.mode == ALLOWLIST and not senders.entries:
        warnings.append("no sender is listed, so nobody may send to the agent")
    for pattern in (one.pattern for one in senders.entries):
        if is_elsewhere(pattern, directory.workspace.full_names):
            warnings.append(f"{pattern} matches no sender: this workspace is {directory.workspace.full_name}")
        elif ANY not in pattern and directory.account(pattern) is None:
            warnings.append(f"{pattern} matches no sender yet: no agent or service has this address")
    return SendPolicyResponse(
        policy=SendPolicy(
            address=account.address,
            policy_type=senders.mode,
            entries=[SenderEntry(entry_id=one.id, sender_pattern=one.pattern) for one in senders.entries],
        ),
        warnings=warnings or ABSENT,
    )
