"""Held calls. Each becomes a request, and runs once people have approved it, with exactly the approved arguments.

The request is found by the call's content (``call_request``), so that the same call, repeated after a timeout or a
restart of the gateway, continues the waiting request. Its outcome is used before the call runs, so that two gateways
with one key, or one that crashed, never run a call twice under one approval.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from signoff.client.call_request import CannotBeSent, call_request, canonical_json
from signoff.client.errors import InvalidEdit, WaitTimeout
from signoff.client.gated_call import Decision, GatedCall, principal_of
from signoff.client.records import Json
from signoff.mcp.callers import digest_of
from signoff.mcp.gateway_config import HELD_TYPE, GatewayConfig, Rule
from signoff.mcp.requests import TICK, Requests
from signoff.mcp.tool_results import Problem, ToolFailed

Report = Callable[[float, str], Awaitable[None]]
Run = Callable[[Json, Report], Awaitable[Any]]
_TASK: Final = ("title", "description", "assignees", "task_type", "required_comment")
_MORE: Final = ("remind_after_seconds", "escalate_to")
_REMEMBERED: Final = 1000


@dataclass
class _Held:
    """One call in progress, shared by all callers that make it now. reports: receive its progress."""

    task: "asyncio.Task[Any]"
    callers: int = 0
    passed: float = 0.0
    running: bool = False
    reports: list[Report] = field(default_factory=list)

    async def report(self, progress: float, message: str) -> None:
        for report in list(self.reports):
            await report(progress, message)


class HeldCalls:
    """The held calls of one gateway."""

    def __init__(
        self, config: GatewayConfig, *, tick: float = TICK, now: Callable[[], float] = time.time
    ) -> None:
        self._config = config
        self._tick = tick
        self._now = now
        self._current: dict[str, _Held] = {}
        self._rejected: OrderedDict[str, tuple[float, Problem]] = OrderedDict()

    async def call(
        self, rule: Rule, tool: str, arguments: Json, requests: Requests, run: Run, report: Report
    ) -> Any:
        """Ask people about the call, wait within limits, and run it if it is approved; raises ToolFailed otherwise.

        Identical calls at the same time share one request. Canceling ends only the wait; the request stays open.
        """
        gated = self._gated(rule, tool, arguments, requests)
        identity = f"{digest_of(requests.client.settings.api_key)}:{gated.request.identity}"
        self._refuse_again(identity)
        held = self._current.get(identity)
        if held is None:
            held = _Held(asyncio.create_task(self._perform(rule, gated, requests, run, identity)))
            self._current[identity] = held
            held.task.add_done_callback(lambda done: self._ended(identity, done))
        held.callers += 1
        held.reports.append(report)
        try:
            while not (await asyncio.wait({held.task}, timeout=self._tick))[0]:
                held.passed += self._tick
                if not held.running:
                    await report(held.passed, "waiting for people to decide")
            return held.task.result()
        finally:
            held.callers -= 1
            held.reports.remove(report)
            if not held.callers:
                held.task.cancel()

    def _ended(self, identity: str, task: "asyncio.Task[Any]") -> None:
        del self._current[identity]
        if not task.cancelled():
            task.exception()  # all its callers may have disconnected

    def _gated(self, rule: Rule, tool: str, arguments: Json, requests: Requests) -> GatedCall:
        task = {name: value for name in _TASK if (value := getattr(rule, name)) is not None}
        task.setdefault("title", f"Call {tool} of {self._config.name}?"[:200])
        intent: Json = {"intent_type": rule.intent_type or HELD_TYPE, "human_task": task}
        intent |= {name: value for name in _MORE if (value := getattr(rule, name)) is not None}
        whole = {"server": self._config.name, "tool": tool, "arguments": arguments}
        key = canonical_json([_place(self._config), intent])
        try:
            request = call_request(tool, whole, key=key)
        except CannotBeSent as error:
            problem = Problem(code="cannot_be_sent", message=str(error), next="Change the arguments.")
            raise ToolFailed(problem) from None
        principal = principal_of(requests.client.settings)
        return GatedCall(request, intent | {"payload": request.payload}, "ask", principal=principal)

    async def _perform(
        self, rule: Rule, gated: GatedCall, requests: Requests, run: Run, identity: str
    ) -> Any:
        client = requests.client
        wait = self._config.wait_seconds if rule.wait_seconds is None else rule.wait_seconds
        try:
            with requests.in_use():
                decision = await client.session.run(gated.decide(wait, client.retries))
        except WaitTimeout:
            page = f"{client.settings.url}/intents/{gated.intent_id}"
            raise ToolFailed(_waiting(gated.intent_id, page)) from None
        except InvalidEdit as error:
            problem = Problem(code="invalid_edit", message=str(error), next=_ASKS_AGAIN)
            raise ToolFailed(problem) from None
        if not decision.approved or decision.result.ending != "approved":
            raise ToolFailed(self._refusal(decision, identity))
        decided = decision.result.decided_at
        if decided is None or self._now() - decided.timestamp() > self._config.approval_seconds:
            message = "The call was approved too long ago, and has not run."
            raise ToolFailed(_problem("approval_too_old", message, _ASKS_AGAIN, decision))
        approved = decision.arguments
        if approved["tool"] != gated.request.arguments["tool"] or approved["server"] != self._config.name:
            message = "The edit names another tool; only its arguments can be edited."
            raise ToolFailed(_problem("invalid_edit", message, _ASKS_AGAIN, decision))
        if not isinstance(approved["arguments"], dict):
            message = "The edited arguments are not an object."
            raise ToolFailed(_problem("invalid_edit", message, _ASKS_AGAIN, decision))
        held = self._current[identity]
        held.running = True

        async def report(progress: float, message: str) -> None:
            await held.report(held.passed + progress, message)

        return await run(approved["arguments"], report)

    def _refuse_again(self, identity: str) -> None:
        """Raise the recent rejection of the same call, because asking people again so soon would be a nuisance."""
        until, problem = self._rejected.get(identity, (0.0, None))
        if problem is not None and self._now() < until:
            raise ToolFailed(problem)

    def _refusal(self, decision: Decision, identity: str) -> Problem:
        ending = decision.result.ending or decision.result.status.lower()
        code = ending if ending in _REASONS else "not_approved"
        problem = _problem(code, _REASONS.get(code, "The call was not approved."), _ASKS_AGAIN, decision)
        problem.comment = decision.result.comment or None
        if code == "rejected" and self._config.rejection_seconds:
            minutes = max(1, round(self._config.rejection_seconds / 60))
            again = f"for {minutes} minutes the same call is refused"
            problem.next = f"Do not repeat it: {again}. Change it, or continue without it."
            self._rejected[identity] = (self._now() + self._config.rejection_seconds, problem)
            while len(self._rejected) > _REMEMBERED:
                self._rejected.popitem(last=False)
        return problem


_ASKS_AGAIN: Final = "The same call asks people again."
_REASONS: Final = {
    "rejected": "The call was rejected, and has not run.",
    "expired": "Nobody decided in time. The call has not run.",
    "withdrawn": "The request was withdrawn. The call has not run.",
    "superseded": "Changes were requested. The call has not run.",
    "undeliverable": "No eligible approver could be reached. The call has not run.",
}


def _waiting(request_id: str, page: str) -> Problem:
    return Problem(
        code="waiting_for_approval",
        message=f"The call has not run: people have not decided yet. They see it at {page}",
        next="Make the same call again, with the same arguments, to keep waiting; it does not ask again. Or do "
        "something else in the meantime.",
        request_id=request_id,
    )


def _problem(code: str, message: str, next_step: str, decision: Decision) -> Problem:
    return Problem(code=code, message=message, next=next_step, request_id=decision.result.intent_id)


def _place(config: GatewayConfig) -> list[Any]:
    """What identifies the upstream, because an approval for one server does not count for another."""
    return [config.name, config.upstream.command or config.upstream.url]
