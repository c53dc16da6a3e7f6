"""Temporal: an activity that asks people about a call. A workflow asks with one call:

    approved = await workflow.execute_activity(
        "signoff_approve",
        args=["refund", {"order": "A-1", "amount": 10}],
        start_to_close_timeout=timedelta(days=8),
        heartbeat_timeout=timedelta(seconds=30),
    )

The request belongs to the activity, not to its attempt: if a worker crashes, the next attempt continues to wait for
it, and gets its outcome even if the worker crashed right after using it.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from signoff.client.call_request import CallSignature
from signoff.client.errors import Conflict, NotFound, SignoffError, may_pass
from signoff.client.gate import Gate
from signoff.client.gated_call import Decision, GatedCall, failure_of
from signoff.client.records import Json
from signoff.integrations.tools import UNFIT, ToolGate, no_check, verdict_of

ACTIVITY: Final = "signoff_approve"
_PREFIX: Final = "temporal:"
_DECIDED: Final = "SignoffDecided"
_BEAT: Final = 10.0  # seconds between heartbeats, unless the activity's timeout is shorter


class Approvals:
    """The activity and its gate. functions: by tool name, the functions whose annotations edited arguments must
    match. webhook: do not wait in the activity; the event ``intent.finished`` wakes it, through ``finished``.
    options: as for ToolGate, except timeout, for which Temporal has its own.

    It returns the approved ``arguments``, ``edited``, the approver's ``comment`` and the ``intent_id``. Anything else
    fails the activity permanently, with the reason as the message and the ending as the type (``IntentRejected``,
    ``IntentExpired``, ...).
    """

    def __init__(
        self,
        intent_types: str | Mapping[str, str] | None = None,
        *,
        functions: Collection[Callable[..., Any]] = (),
        webhook: bool = False,
        **options: Any,
    ) -> None:
        if "timeout" in options:
            raise TypeError("timeout is Temporal's: give the activity a start_to_close_timeout")
        self._gate = ToolGate(intent_types, **options)
        self._checks = {one.__name__: CallSignature(one).check for one in functions}
        self._webhook = webhook

    @activity.defn(name=ACTIVITY)
    async def approve(self, tool: str, arguments: Json) -> Json:
        """Ask people about this call."""
        info = activity.info()
        place = [info.namespace, info.workflow_id, info.workflow_run_id, info.activity_id]
        gate = self._gate.of(tool)
        try:
            call = gate.request(
                tool,
                arguments,
                json.dumps(place),
                correlation_id=_PREFIX + json.dumps(place, separators=(",", ":")) if self._webhook else "",
                use=f"temporal {info.workflow_run_id} {info.activity_id} {info.scheduled_time.isoformat()}",
            )
            decision = await (self._by_webhook(gate, call) if self._webhook else self._waiting(gate, call))
            verdict = verdict_of(decision, self._checks.get(tool, no_check))
        except UNFIT as error:
            raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from None
        except SignoffError as error:
            kind = type(error).__name__
            raise ApplicationError(str(error), type=kind, non_retryable=not may_pass(error)) from error
        if not verdict.approved:
            failure = failure_of(decision.result)
            raise ApplicationError(
                verdict.reason, type=failure.__name__ if failure else "IntentFailed", non_retryable=True
            )
        return {
            "arguments": verdict.arguments,
            "edited": verdict.edited,
            "comment": verdict.reason,
            "intent_id": decision.result.intent_id,
        }

    async def finished(self, temporal: Any, event: Mapping[str, Any]) -> bool:
        """Wake the activity that waits for this request; False if no activity sent it. event: the body of a webhook
        whose signature was verified; temporal: a ``temporalio.client.Client``. The activity's next attempt reads the
        outcome, so its retry policy must allow more than one attempt.
        """
        data = event.get("data")
        intent_id = data.get("intent_id") if isinstance(data, Mapping) else None
        if event.get("type") != "intent.finished" or not isinstance(intent_id, str) or not intent_id:
            return False
        try:
            found = await self._gate.of("").async_client.get_intent(intent_id)
        except NotFound:
            return False  # another program's request, which this key may not read
        place = _place(found.correlation_id)
        if not found.final or place is None or place[0] != temporal.namespace:
            return False
        _, workflow_id, run_id, activity_id = place
        handle = temporal.get_async_activity_handle(
            workflow_id=workflow_id, run_id=run_id, activity_id=activity_id
        )
        try:
            await handle.fail(ApplicationError("decided", type=_DECIDED, next_retry_delay=timedelta(0)))
        except RPCError as error:
            if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
                raise
            return False  # no activity, or it no longer waits, because a webhook may be delivered twice
        return True

    async def _by_webhook(self, gate: Gate, call: GatedCall) -> Decision:
        client = gate.async_client
        decision = await client.session.run(call.poll(client.retries))
        if decision is not None:
            return decision
        activity.raise_complete_async()
        raise AssertionError("the attempt continues after it has ended")

    async def _waiting(self, gate: Gate, call: GatedCall) -> Decision:
        client = gate.async_client
        beating = asyncio.ensure_future(_beat())
        try:
            return await client.session.run(call.decide(None, client.retries))
        except asyncio.CancelledError:
            if call.intent_id and await _no_longer_needed():
                with contextlib.suppress(Conflict):
                    await client.cancel(call.intent_id, "The workflow no longer needs it.")
            raise
        finally:
            beating.cancel()


async def _no_longer_needed() -> bool:
    """Whether the workflow canceled this activity, or has ended, and not only its worker or its attempt."""
    why, info = activity.cancellation_details(), activity.info()
    if why is None or why.cancel_requested or not why.not_found:
        return why is not None and why.cancel_requested
    if info.workflow_id is None:
        return False
    handle = activity.client().get_workflow_handle(info.workflow_id, run_id=info.workflow_run_id)
    with contextlib.suppress(RPCError):
        return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING
    return False


def _place(correlation_id: str) -> list[str] | None:
    """The activity that a request belongs to; None if no activity sent it."""
    if not correlation_id.startswith(_PREFIX):
        return None
    try:
        place = json.loads(correlation_id.removeprefix(_PREFIX))
    except (ValueError, RecursionError):
        return None
    if isinstance(place, list) and len(place) == 4 and all(isinstance(part, str) for part in place):
        return place
    return None


async def _beat() -> None:
    limit = activity.info().heartbeat_timeout
    pause = _BEAT if limit is None else min(_BEAT, limit.total_seconds() / 3)
    while True:
        activity.heartbeat()
        await asyncio.sleep(pause)
