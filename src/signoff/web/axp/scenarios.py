"""AXP's scenario bundles: validate one, or start it (its agents created, with its own plan)."""

from collections.abc import Collection

from msgspec.structs import replace

from signoff.core.directory.actors import ActorKind
from signoff.core.errors import Busy, Forbidden, Invalid, Refused
from signoff.core.formats.axp_scenario import BundleAgent, Scenario, compile_scenario, validate_scenario
from signoff.core.intent.advance import Change
from signoff.core.text import canonical_json
from signoff.engine.planning.planner import Submission
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call, IdempotentReply
from signoff.web.reading import directory_of
from signoff.web.shapes.common import encode
from signoff.web.shapes.intent_responses import scenario_applied
from signoff.wire.scenarios import Provisioned, ScenarioCheckResponse


async def validate(call: Call) -> ScenarioCheckResponse:
    """POST /v1/scenarios/validate"""
    body = json_intake.parse_object(call.body)
    errors, warnings = validate_scenario(body.value)
    if not errors:  # the complete check, also against this workspace
        try:
            scenario = compile_scenario(body.value)
            payload = canonical_json.ordered(scenario.payload, plain=body.plain)
            directory = await directory_of(call)
            coming = [
                directory.resolve(agent.address) for agent in scenario.agents if agent.create_if_missing
            ]
            planned = await _planned(call, scenario, payload, coming)
            warnings = list(planned.warnings)
            warnings += await call.state.workers.absent(scenario.plan, directory, call.state.clock.now())
        except Busy:  # that is not a fault of the bundle
            raise
        except Refused as refused:
            errors = [f"{refused.field}: {refused.message}" if refused.field else refused.message]
    return ScenarioCheckResponse(valid=not errors, errors=tuple(errors), warnings=tuple(warnings))


async def apply(call: Call) -> bytes:
    """POST /v1/scenarios/apply"""
    body = json_intake.parse_object(call.body)
    bodies.refuse_dry_run(body.value, "intent", "POST /v1/scenarios/validate reports what it would do.")
    scenario = compile_scenario(body.value)
    payload = canonical_json.ordered(scenario.payload, plain=body.plain)

    def render(change: Change) -> bytes:
        return encode(scenario_applied(change.after, tuple(agents), submission.warnings))

    key = _one_key(scenario.idempotency_key, call.idempotency_key())
    reply = IdempotentReply(call, key, body.value, render, body.plain)
    try:
        await _planned(call, scenario, payload)  # a refused bundle must not create agents
    except Refused as refusal:
        return reply.of(await call.state.engine.refuse(call.actor, refusal, reply.once))
    agents = await _provision(call, scenario)
    if any(agent.created for agent in agents):
        call.actor = await call.identify()  # with the rights that the directory has after their own change
    submission = await _planned(call, scenario, payload)
    absent = await call.state.workers.absent(scenario.plan, await directory_of(call), call.state.clock.now())
    submission = replace(
        submission,
        warnings=(*submission.warnings, *absent),
        traceparent=call.traceparent,
    )
    return reply.of(await call.state.engine.submit(call.actor, submission, reply.once))


def _one_key(written: str, sent: str) -> str:
    """The Idempotency-Key of the bundle or the header; raises Invalid if they differ."""
    if written and sent and written != sent:
        raise Invalid(
            "contradictory_key",
            "idempotency_key and the header Idempotency-Key differ; nothing was started.",
            field="idempotency_key",
            hint="Send one of them, or the same value in both.",
        )
    return written or sent


async def _planned(
    call: Call, scenario: Scenario, payload: bytes, coming: Collection[str] = ()
) -> Submission:
    """Plan the bundle's request with the current agents and people; raises Invalid if nobody could decide."""
    return await call.state.planner.scenario(
        call.actor.workspace,
        scenario,
        payload,
        canonical_json.content_digest(payload),
        call.actor.sponsors,
        call.actor,
        coming,
    )


async def _provision(call: Call, scenario: Scenario) -> list[Provisioned]:
    """Return the bundle's agents. Missing ones are created if the bundle asks for that and the caller may create
    them.
    """
    found = []
    for agent in scenario.agents:
        account_id, address, created = await _account(call, agent)
        found.append(
            Provisioned(
                role=agent.role,
                address=address,
                agent_address=address,
                service_account_id=account_id,
                sa_id=account_id,
                created=created,
            )
        )
    return found


async def _account(call: Call, agent: BundleAgent) -> tuple[str, str, bool]:
    """Return (account id, address, created). An unregistered agent has only an address."""
    directory = await directory_of(call)
    known = directory.account(agent.address)
    if known is not None:
        return known.id, known.address, False
    address = directory.resolve(agent.address)
    if not agent.create_if_missing:
        return "", address, False
    try:
        account, created = await call.state.accounts.add_account(
            call.actor,
            ActorKind.AGENT,
            agent.address,
            display_name=agent.display_name,
            delivery_mode=agent.delivery_mode,
            callback_url=agent.callback_url,
        )
    except Forbidden:  # a warning of the submission says that the agent is not registered
        return "", address, False
    return account.id, account.address, created
