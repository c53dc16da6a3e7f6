"""One gated call: submits its request, waits for the outcome and uses it, all as flows without I/O.

The server knows the request by the call's idempotency key, and whether its outcome was used. So the same call, made
again after a crash, continues where it left off. While people are deciding they are not asked again; once the outcome
has been used they are, because an approval is good for one call.
"""

import hashlib
import logging
import math
import os
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from signoff.client import calls
from signoff.client.call_request import CallRequest, call_request, canonical_json
from signoff.client.credentials import Settings
from signoff.client.errors import (
    AlreadyUsed,
    IntentExpired,
    IntentFailed,
    IntentRejected,
    IntentSuperseded,
    IntentUndeliverable,
    IntentWithdrawn,
    InvalidEdit,
)
from signoff.client.flow import Flow, MonotonicDeadline, Retries, perform
from signoff.client.records import Json
from signoff.client.stream import Follower
from signoff.client.types import Result

log = logging.getLogger("signoff")
Again = Literal["ask", "refuse", "run"]
AGAIN: Final = ("ask", "refuse", "run")
NOBODY_ASKED: Final = "Nobody was asked; the workflow allows it."
_REMEMBERED: Final = 10_000
# How many requests for the same call of the same principal were used, as far as this process knows, so that it need
# not try their keys again.
_used_before: OrderedDict[str, int] = OrderedDict()


@dataclass(frozen=True)
class Decision:
    """What people decided about a call. arguments: the approved ones, empty unless it was approved; edited: whether
    people changed them; result: the final intent; reason: text for a person or a model.
    """

    approved: bool
    result: Result = field(repr=False)
    arguments: dict[str, Any] = field(default_factory=dict, repr=False)
    edited: bool = False
    reason: str = ""


@dataclass(frozen=True)
class GateTerms:
    """How people are asked about calls. intent_type: chooses the workflow; title: the task's title if there is no
    workflow, with ``{name}`` for the call's name; hide: arguments that people do not see; on_behalf_of: the person
    whom the request is for; again: what happens if the outcome has already been used; task_type: the task's type, if
    there is no workflow.
    """

    intent_type: str
    title: str = "Run {name}?"
    hide: frozenset[str] = frozenset()
    on_behalf_of: str = ""
    again: Again = "ask"
    task_type: str = ""

    def call(
        self,
        name: str,
        arguments: dict[str, Any],
        *,
        key: str = "",
        settings: Settings | None = None,
        description: str = "",
        correlation_id: str = "",
        use: str = "",
    ) -> "GatedCall":
        """Prepare the call of a function or tool. key: distinguishes it from other calls with the same arguments;
        settings: the server and the API key; correlation_id: its request's correlation id; use: names this use of the
        outcome, for callers that repeat until they succeed. Raises TypeError for arguments that cannot be sent.
        """
        task = {"title": self.title.replace("{name}", name)[:200] or name}
        if description:
            task["description"] = description
        if self.task_type:
            task["task_type"] = self.task_type
        intent: Json = {"intent_type": self.intent_type, "human_task": task}
        if self.on_behalf_of:
            intent["on_behalf_of"] = self.on_behalf_of
        if correlation_id:
            intent["correlation_id"] = correlation_id
        # The content is part of the key, so that a program that now asks something else makes a new request.
        whole = canonical_json([key, intent])
        hide = self.hide & arguments.keys()
        secret = settings.api_key if settings else ""
        request = call_request(name, arguments, key=whole, hide=hide, secret=secret)
        principal = principal_of(settings) if settings else ""
        return GatedCall(request, intent | {"payload": request.payload}, self.again, use, principal)


def principal_of(settings: Settings) -> str:
    """Identifies the requester and the server, without revealing the key."""
    return f"{settings.url} {hashlib.sha256(settings.api_key.encode()).hexdigest()}"


class GatedCall:
    """One call and its request. ``intent_id``: "" before it is submitted; it changes if people are asked again.
    principal: from ``principal_of``; without it, this process does not remember which requests were used.
    """

    def __init__(
        self, request: CallRequest, intent: Json, again: Again, use: str = "", principal: str = ""
    ) -> None:
        self.request = request
        self.intent_id = ""
        self._intent = intent
        self._again = again
        self._given_use = use
        self._use = use or str(uuid.uuid4())
        self._process = os.getpid()
        self._result: Result | None = None
        # Services, workspaces and servers that one process uses have requests of their own for the same call.
        self._memory = f"{principal} {request.identity}" if principal else ""
        self._asked_before = _used_before.get(self._memory, 0) if again == "ask" else 0

    def submit(self, retries: Retries) -> Flow[None]:
        """Submit the request, or find the one that was submitted before. If that has an outcome, use it."""
        self._begin_anew_in_a_fork()
        while self._result is None:
            intent_id = yield from self._send(retries)
            found = yield from perform(calls.get_result(intent_id), retries)
            if not found.final:
                return
            yield from self._settle(intent_id, found, retries)

    def decide(self, timeout: float | None, retries: Retries) -> Flow[Decision]:
        """Wait for the outcome and use it. Raises WaitTimeout, and InvalidEdit for an edit that does not fit."""
        end = MonotonicDeadline(timeout, retries.clock)
        yield from self.submit(retries)
        while self._result is None:
            left = max(end.left, 0.0)
            intent_id = yield from self._send(retries)
            waited = Follower(intent_id, 0, None if left == math.inf else left, retries)
            found = yield from waited.result()
            yield from self._settle(intent_id, found, retries)
            if self._result is None:
                yield from self.submit(retries)
        return self._decision(self._result)

    def _begin_anew_in_a_fork(self) -> None:
        """Make a copy of this call in a forked process a separate use of the outcome, or both processes would run
        the call.
        """
        if self._process != os.getpid():
            self._process = os.getpid()
            if not self._given_use:
                self._use = str(uuid.uuid4())
                self._result = None

    def poll(self, retries: Retries) -> Flow[Decision | None]:
        """Submit the request, and use its outcome if there is one already; returns None while people are deciding."""
        yield from self.submit(retries)
        return None if self._result is None else self._decision(self._result)

    def settled(self, timeout: float | None, retries: Retries) -> Flow[Result]:
        """Wait for the outcome without using it; a later ``poll`` does that."""
        intent_id = yield from self._send(retries)
        return (yield from Follower(intent_id, 0, timeout, retries).result())

    def _send(self, retries: Retries) -> Flow[str]:
        while not (intent_id := self.intent_id):
            asked_before = self._asked_before
            sent = yield from perform(
                calls.send_intent(self._intent, self.request.key(asked_before)), retries
            )
            # Not worth a warning, because the task is only for types without a workflow.
            warnings = tuple(one for one in sent.warnings if not one.startswith("human_task is ignored"))
            found = calls.id_after_logging_warnings(replace(sent, warnings=warnings))
            # Another waiter may have found in the meantime that this request has been used.
            if asked_before == self._asked_before:
                self.intent_id = found
        return intent_id

    def _settle(self, intent_id: str, result: Result, retries: Retries) -> Flow[None]:
        """Use the outcome. If it has already been used, the terms determine whether it still counts or people are asked
        again.
        """
        try:
            yield from perform(calls.use(result.intent_id, self._use), retries)
        except AlreadyUsed:
            if self._again == "ask":
                # Another waiter for this call may have been here first.
                if self.intent_id == intent_id:
                    self._asked_before += 1
                    _remember(self._memory, self._asked_before)
                    self.intent_id = ""
                return
            if self._again == "refuse" and failure_of(result) is None:
                raise
        self._result = result

    def _decision(self, result: Result) -> Decision:
        if failure_of(result) is not None:
            return Decision(False, result, reason=reason_of(result))
        if result.payload_deleted:
            raise InvalidEdit(f"The request of {self.request.name} was deleted before its call was made.")
        arguments = self.request.approved(result.payload)
        edited = self.request.edited(result.payload)
        return Decision(True, result, arguments, edited, result.comment)


def failure_of(result: Result) -> type[IntentFailed] | None:
    """What a call raises for this outcome; None if it may run, because it was approved, or completed without asking
    anybody.

    A workflow may declare the route after a rejection or an expiry a success (``as: success``). The intent is then
    COMPLETED, although nobody has approved this call.
    """
    if result.failure is not None:
        return result.failure
    # Only an ending that is absent, or "", says that nobody was asked: not one that is not text.
    if not isinstance(result.raw.get("ending", ""), str):
        return IntentFailed
    if result.ending in ("approved", ""):
        return None
    return _OF_ENDING.get(result.ending, IntentFailed)


def reason_of(result: Result) -> str:
    """A sentence that says why a call was not approved."""
    reason = _REASONS.get(result.ending) or _ENDED.get(result.status, "It failed.")
    words = reason[:-1]
    if result.comment:
        return f"{words}: {result.comment}"
    more = result.error.message if result.error is not None and result.ending not in _REASONS else ""
    return f"{words}: {more}" if more else f"{words}."


_OF_ENDING: Final[dict[str, type[IntentFailed]]] = {
    "rejected": IntentRejected,
    "expired": IntentExpired,
    "withdrawn": IntentWithdrawn,
    "superseded": IntentSuperseded,
    "undeliverable": IntentUndeliverable,
}
_REASONS: Final = {
    "rejected": "The call was rejected.",
    "expired": "Nobody decided in time; the call was not approved.",
    "withdrawn": "The request was withdrawn.",
    "superseded": "Changes were requested, and the call was not approved.",
    "undeliverable": "No eligible approver could be reached; the call was not approved.",
}
_ENDED: Final = {
    "CANCELED": "The request was canceled.",
    "TIMED_OUT": "The request timed out; the call was not approved.",
}


def _remember(memory: str, count: int) -> None:
    if not memory:
        return
    _used_before[memory] = max(count, _used_before.get(memory, 0))
    _used_before.move_to_end(memory)
    while len(_used_before) > _REMEMBERED:
        _used_before.popitem(last=False)
