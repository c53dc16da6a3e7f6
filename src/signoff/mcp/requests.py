"""The requests of one key: submits them once, waits for them within limits, and describes them for programs that read
JSON.

A repeated call continues its earlier request instead of asking people again. The request is found by its content
(``correlation_of``, stored as the correlation id), so that a restart of this process changes nothing.
"""

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from datetime import timedelta
from typing import Any, Final

from signoff.client.call_request import canonical_json
from signoff.client.calls import ApiCall, SubmittedIntent, fresh_key, intent_in, one_segment, send_intent, use
from signoff.client.errors import AlreadyUsed, SignoffError, WaitTimeout
from signoff.client.records import Json
from signoff.client.types import Event, Intent, Me
from signoff.mcp.guard import GuardedClient

Heartbeat = Callable[[float], Awaitable[None]]
DEFAULT_TYPE: Final = "intent.mcp.approval.v1"
LONGEST_WAIT: Final = 300.0
TICK: Final = 5.0
REPEAT_FOR: Final = timedelta(minutes=10)
_CANDIDATES: Final = 5
_PAGES: Final = 50
_LOOKED_AT: Final = 200
_OURS: Final = "mcp-"  # prefix of the correlation ids of requests that this package made

# The state of a request, in the glossary's words for endings; ``waiting`` means no decision yet.
STATES: Final = (
    "waiting",
    "approved",
    "rejected",
    "expired",
    "withdrawn",
    "superseded",
    "undeliverable",
    "canceled",
    "timed_out",
    "failed",
    "completed",
)
_WITHOUT_ENDING: Final = {
    "COMPLETED": "completed",
    "FAILED": "failed",
    "CANCELED": "canceled",
    "TIMED_OUT": "timed_out",
}


class NotMine(SignoffError):
    """The request was not made with this key."""


def state_of(intent: Intent) -> str:
    """The state of the request: ``waiting`` until its last human step is decided. An approval does not outlast its
    request: if the request then failed or was canceled, there is no consent.
    """
    if intent.final:
        overtaken = intent.ending == "approved" and not intent.completed
        return _WITHOUT_ENDING[intent.status] if overtaken or not intent.ending else intent.ending
    people = [step for step in intent.steps if step.kind == "human"]
    open_ = any(step.state != "done" for step in people) or intent.human_task is not None
    return "waiting" if open_ or not intent.ending else intent.ending


def decided(intent: Intent) -> bool:
    return state_of(intent) != "waiting"


class Requests:
    """The requests of one key. repeat_for: for how long a repeated call gets a decision that no call has returned
    yet.
    """

    def __init__(
        self,
        client: GuardedClient,
        me: Me,
        repeat_for: timedelta = REPEAT_FOR,
        *,
        tick: float = TICK,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.client = client
        self.me = me
        self._repeat_for = repeat_for
        self._tick = tick
        self._now = now
        self.calls = 0
        self._returned: set[str] = set()
        self._process = str(uuid.uuid4())

    @property
    def address(self) -> str:
        """The address under which the server shows this key's requests."""
        actor = self.me.actor
        return f"person://{actor.id}" if actor.kind == "person" else actor.address

    def page(self, intent: Intent) -> str:
        """The page on which people see the request."""
        return f"{self.client.settings.url}/intents/{intent.intent_id}"

    async def submit(
        self, body: Mapping[str, Any], request_key: str | None = None
    ) -> tuple[SubmittedIntent, bool]:
        """Return the request with this content, and whether it existed before this call."""
        if request_key is not None:
            return await self._send(body, correlation_of("key", request_key)), False
        content = correlation_of("request", body)
        found = await self.latest(content)
        if found is not None and await self._continues(found):
            return SubmittedIntent(found.intent_id), True
        return await self.submit_after(body, content, found), False

    async def submit_after(
        self, body: Mapping[str, Any], correlation_id: str, before: Intent | None
    ) -> SubmittedIntent:
        """Submit a new request under this correlation id, after ``before``. Concurrent calls make only one request."""
        key = f"{correlation_id}:{before.intent_id if before else ''}"
        return await self._send({**body, "correlation_id": correlation_id}, key)

    async def _send(self, body: Mapping[str, Any], key: str) -> SubmittedIntent:
        return await self.client.call(send_intent(body, key))

    async def latest(self, correlation_id: str) -> Intent | None:
        """The newest request of this key under the correlation id. Others' requests under the same id do not count."""
        for limit in (_CANDIDATES, _CANDIDATES * _PAGES):
            found = await self.client.list_intents(correlation_id=correlation_id, limit=limit)
            # What the list returns despite the filter is another request, whose approval must not count for this one.
            own = (
                one
                for one in found
                if one.from_agent == self.address and one.correlation_id == correlation_id
            )
            if (newest := next(own, None)) is not None or len(found) < limit:
                return newest
        return None

    async def get(self, request_id: str) -> Intent:
        return await self.client.get_intent(request_id)

    async def wait(self, intent: Intent, seconds: float, heartbeat: Heartbeat | None = None) -> Intent:
        """Wait until the request is decided, or for this time; return its state. Canceling the wait does not change
        it.
        """
        with self.in_use():
            return await self._wait(intent, seconds, heartbeat)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the connections of this key open while a call waits."""
        self.calls += 1
        try:
            yield
        finally:
            self.calls -= 1

    async def _wait(self, intent: Intent, seconds: float, heartbeat: Heartbeat | None) -> Intent:
        if seconds > 0 and not decided(intent):
            waiting = asyncio.ensure_future(self._decided(intent.intent_id, seconds))
            try:
                passed = 0.0
                while not (await asyncio.wait({waiting}, timeout=self._tick))[0]:
                    passed += self._tick
                    if heartbeat is not None:
                        await heartbeat(passed)
                intent = waiting.result()
            finally:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
        return intent

    async def returned(self, intent: Intent) -> None:
        """Remember that a call got this decision, so that the next call with the same content, even from another
        process, makes a new request.
        """
        if decided(intent):
            await self._use(intent)
            self._returned.add(intent.intent_id)

    async def _use(self, intent: Intent) -> bool:
        """Use the outcome of a request that was made here; False if another process has returned it already."""
        mine = intent.from_agent == self.address and intent.correlation_id.startswith(_OURS)
        if mine and intent.final:
            try:
                await self.client.call(use(intent.intent_id, self._process))
            except AlreadyUsed:
                return False
        return True

    async def withdraw(self, request_id: str, reason: str) -> Intent:
        """Cancel a request of this key, never of another key, no matter what rights this key has."""
        await self.own(request_id)
        intent = await self.client.cancel(request_id, reason or "withdrawn by the agent")
        await self.returned(intent)
        return intent

    async def list(self, status: str | None, limit: int) -> Sequence[Intent]:
        """The newest requests of this key."""
        found = await self.client.list_intents(status=status, limit=_LOOKED_AT)
        return [intent for intent in found if intent.from_agent == self.address][:limit]

    async def report(self, request_id: str, result: Json | None, error: Json | None) -> Intent:
        """End the step of this request that waits for this agent, with its result or its error."""
        if self.me.actor.kind != "agent":
            raise NotMine("Only an agent has steps to report on; this key belongs to a " + self.me.actor.kind)
        step = await self._step(request_id)
        body: Json = {"status": "COMPLETED", "result": result or {}}
        if error is not None:
            body = {"status": "FAILED", "error": error}
        path = f"/v1/intents/{one_segment(step)}/resolve"
        await self.client.call(ApiCall("POST", path, intent_in, body=body, key=fresh_key()))
        return await self.get(request_id)

    async def _step(self, request_id: str) -> str:
        """The id of the open step of a request that waits for this agent."""
        path = f"/v1/agents/{self.me.actor.address.removeprefix('agent://')}/intents"
        since = 0
        for _ in range(_PAGES):
            call = ApiCall[Json]("GET", path, lambda answer: answer, query={"since": since})
            page = await self.client.call(call)
            offered = page.get("intents") or []
            for one in offered:
                if request_id in (one.get("parent_intent_id"), one.get("intent_id")):
                    step = str(one["intent_id"])
                    # A request without a plan is its only step.
                    return step if step != request_id else f"{step[:-4]}0001"
            since = page.get("next_cursor") or since
            if not offered:
                break
        raise NotMine("No step of this request waits for this agent.")

    async def own(self, request_id: str) -> Intent:
        intent = await self.get(request_id)
        if intent.from_agent != self.address:
            raise NotMine("This request was made with another key.")
        return intent

    async def _continues(self, found: Intent) -> bool:
        """Whether a repeated call gets this request instead of a new one."""
        if not decided(found):
            return True
        if found.intent_id in self._returned:
            return False
        return decided_within(found, self._repeat_for, self._now()) and await self._use(found)

    async def _decided(self, intent_id: str, seconds: float) -> Intent:
        events: AsyncGenerator[Event] = self.client.observe(intent_id, timeout=seconds)
        try:
            async with aclosing(events):
                async for event in events:
                    # A decision, and what follows it. After other events the request need not be read.
                    if event.final or event.details.get("ending"):
                        intent = await self.get(intent_id)
                        if decided(intent):
                            return intent
        except WaitTimeout:
            pass
        return await self.get(intent_id)


def correlation_of(*parts: object) -> str:
    """The correlation id of a call, from its content."""
    return f"{_OURS}{hashlib.sha256(canonical_json(parts).encode()).hexdigest()}"


def decided_within(intent: Intent, period: timedelta, now: float) -> bool:
    """Whether the request was decided within this time before ``now`` (seconds since 1970)."""
    at = intent.decided_at or intent.updated_at
    return at is not None and now - at.timestamp() <= period.total_seconds()
