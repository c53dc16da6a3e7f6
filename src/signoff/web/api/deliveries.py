"""Deliveries: claim work under a lease, renew, report, release (ours); AXP's poll list."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from signoff import wire
from signoff.core.errors import Invalid, NotFound, Refused
from signoff.core.ids import split_ref
from signoff.core.intent.advance import Change
from signoff.core.intent.commands import Command, Release, Renew, Report
from signoff.core.intent.model import Delivery, Failure
from signoff.core.text.hidden_characters import shows
from signoff.engine.feed import agent_topic
from signoff.web.http import bodies, json_intake
from signoff.web.http.call import Call
from signoff.web.http.held_requests import HeldRequest
from signoff.web.reading import address_of, asks_for_work, cached_or_read, directory_of, outdated, visible
from signoff.web.shapes import deliveries as shapes
from signoff.web.shapes.common import encode, maybe
from signoff.web.shapes.intents import intent_out
from signoff.wire.common import EmptyResponse

_POLL_LIMIT: Final = 100


async def poll(call: Call) -> wire.deliveries.DeliveriesResponse:
    """GET /v1/agents/{address}/intents"""
    agent = await address_of(call)
    await asks_for_work(call, agent)
    since = call.number("since", 0, 0, 2**53)
    found = await call.state.view.deliveries(call.actor, agent, since, _POLL_LIMIT)
    return wire.deliveries.DeliveriesResponse(
        intents=[shapes.shown_delivery(intent, cursor) for cursor, intent in found],
        next_cursor=found[-1][0] if found else since,
    )


async def claim(call: Call) -> wire.deliveries.ClaimResponse:
    """POST /v1/agents/{address}/deliveries/claim"""
    wanted = bodies.ours(wire.deliveries.ClaimRequest, call.body)
    lease = timedelta(seconds=wanted.lease_seconds)
    holder = wanted.holder or call.actor.id
    state, workspace = call.state, call.actor.workspace
    clock = asyncio.get_running_loop().time
    until = clock() + wanted.wait_seconds
    moved = True
    while moved:
        # The name is resolved again, because its agent may be registered while the request waits.
        agent = await address_of(call)
        await asks_for_work(call, agent)
        with state.admission.stream(call.actor), HeldRequest(call, agent_topic(workspace, agent)) as wait:
            changes = await state.engine.claim(call.actor, agent, wanted.limit, lease, holder)
            moved = False
            if not changes and wanted.wait_seconds:
                wait.watch()
                while not (changes or moved or wait.hung_up() or state.stopping.is_set() or clock() >= until):
                    await wait.wait(until - clock())
                    # a disconnected caller could not work on a delivery that it claims
                    if not wait.hung_up():
                        changes = await state.engine.claim(call.actor, agent, wanted.limit, lease, holder)
                        moved = not changes and await address_of(call) != agent
            await _unless_revoked(call, wait, changes)
    await asks_for_work(call, agent)
    display = (await directory_of(call)).display
    out = []
    for change in changes:
        stored = (await cached_or_read(call, change.after.id)).stored
        out.append(shapes.delivery_out(change.after, stored.payload, lease, display))
    return wire.deliveries.ClaimResponse(
        deliveries=out,
        agent=agent,
        max_report_bytes=state.settings.max_body,
        notice=maybe(await _notice(call, agent)),
    )


async def _notice(call: Call, agent: str) -> str:
    """A warning if this agent can never get deliveries by asking for them."""
    account = (await directory_of(call)).by_address.get(agent)
    if account is None:
        return f"No agent is registered as {agent}. Check the name."
    if account.delivery_mode == "http":
        return f"{agent} gets its work pushed to its callback_url and cannot claim it"
    return ""


async def _unless_revoked(call: Call, wait: HeldRequest, changes: Sequence[Change]) -> None:
    """Release the deliveries if the key was revoked while its claim was being written."""
    try:
        await wait.still()
    except Refused:
        for change in changes:
            taken = change.after.open
            if isinstance(taken, Delivery):
                await call.state.engine.handle(
                    call.actor, change.after.id, Release(taken.step_run, taken.token)
                )
        raise


async def renew(call: Call) -> wire.deliveries.RenewResponse:
    """POST /v1/deliveries/{delivery_id}/renew"""
    wanted = bodies.ours(wire.deliveries.RenewRequest, call.body)
    ref, step_run = _delivery(call)
    command = Renew(step_run, wanted.token, timedelta(seconds=wanted.lease_seconds))
    done = await call.state.engine.handle(call.actor, ref, command)
    held = done.change.after.open if done.change else None
    if not isinstance(held, Delivery) or held.lease_until is None:
        raise TypeError("a renewed delivery has a lease")
    return wire.deliveries.RenewResponse(lease_until=held.lease_until)


async def release(call: Call) -> EmptyResponse:
    """POST /v1/deliveries/{delivery_id}/release"""
    wanted = bodies.ours(wire.deliveries.ReleaseRequest, call.body)
    ref, step_run = _delivery(call)
    await call.state.engine.handle(call.actor, ref, Release(step_run, wanted.token))
    return EmptyResponse()


async def report(call: Call) -> bytes:
    """POST /v1/deliveries/{delivery_id}/report"""
    body = json_intake.parse_object(call.body)
    wanted = bodies.convert(wire.deliveries.ReportRequest, body.value)
    ref, step_run = _delivery(call)
    if (wanted.result is None) == (wanted.error is None):
        raise Invalid("validation_error", "A report has either a result or an error.", field="result")
    fault = None
    if wanted.error is not None:
        message = wanted.error.message if shows(wanted.error.message) else "The agent gave up."
        fault = Failure(wanted.error.code, message, wanted.error.retryable)
    command: Command = Report(step_run, wanted.token, wanted.result or {}, fault)
    seen = await cached_or_read(call, ref)

    def render(change: Change) -> bytes:
        return encode(wire.deliveries.ReportResponse(intent=intent_out(change.after, seen.stored.payload)))

    reply = call.idempotent_reply(body.value, render, plain=body.plain)
    done = await call.state.engine.handle(call.actor, ref, command, reply.once)
    if outdated(seen, done):
        seen = await visible(call, ref)
    return reply.of(done)


def _delivery(call: Call) -> tuple[str, int]:
    ref = call.params["delivery_id"]
    step_run = split_ref(ref)[1]
    if not step_run:
        raise NotFound("delivery_not_found", f"There is no delivery {ref[:64]}.")
    return ref, step_run
