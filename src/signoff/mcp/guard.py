"""Limits what this package may call on a Signoff server. Every call is checked here, so it cannot decide, no
matter what its key could do.

A call that is not on the list is refused before it is sent: no answer to a task, no change to tasks, policies, people,
teams, workflows or keys.
"""

import re
from collections.abc import AsyncGenerator
from typing import Any, Final, TypeVar

from signoff.client.aio import AsyncClient
from signoff.client.calls import ApiCall
from signoff.client.drivers import AsyncSession
from signoff.client.errors import SignoffError
from signoff.client.flow import Exchange, Flow, Open
from signoff.client.resources import AsyncDirectory, AsyncTasks
from signoff.client.types import Event

T = TypeVar("T")
PROGRAM: Final = "signoff-mcp"
_ID: Final = r"[0-9A-Fa-f-]{36}"
_ANY: Final = r"[^/?#]+"  # the server refuses to read anything that is not an id
ALLOWED: Final = tuple(
    (method, re.compile(path))
    for method, path in (
        ("GET", r"/health"),
        ("GET", r"/v1/me"),
        ("GET", r"/v1/policies"),
        ("GET", r"/v1/workflows"),
        ("GET", r"/v1/intents"),
        ("POST", r"/v1/intents"),
        ("GET", rf"/v1/intents/{_ANY}"),
        ("GET", rf"/v1/intents/{_ANY}/(?:events|events/stream|audit|revisions)"),
        ("POST", rf"/v1/intents/{_ID}/(?:resolve|use)"),
        ("GET", r"/v1/agents/(?:[^/?#]+/){1,3}intents"),
    )
)


class NotAllowedHere(SignoffError):
    """A call that this package never makes, because it could decide, or change who decides."""


def check(call: ApiCall[Any]) -> None:
    """Raise NotAllowedHere unless the call is on the list. An intent may only be canceled; one of its agent steps may
    also be ended with a result, which the server never treats as a decision.
    """
    listed = any(call.method == method and path.fullmatch(call.path) for method, path in ALLOWED)
    if call.path.endswith("/resolve"):
        status = (call.body or {}).get("status")
        step = not call.path.removesuffix("/resolve").endswith("0000")
        listed = listed and (status == "CANCELED" or (step and status in ("COMPLETED", "FAILED")))
    if not listed:
        raise NotAllowedHere(f"signoff mcp does not call {call.method} {call.path}: only people decide.")


def guarded(flow: Flow[T]) -> Flow[T]:
    """Run the flow, with every request checked before it is sent."""
    try:
        effect = next(flow)
        while True:
            if isinstance(effect, Exchange | Open):
                check(effect.call)
            try:
                answer = yield effect
            except SignoffError as error:
                effect = flow.throw(error)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        flow.close()


class GuardedSession(AsyncSession):
    """A session whose flows are guarded."""

    async def run(self, flow: Flow[T]) -> T:
        return await super().run(guarded(flow))

    def events(self, flow: Flow[Any]) -> AsyncGenerator[Event]:
        return super().events(guarded(flow))


class GuardedClient(AsyncClient):
    """The SDK's client, limited to the calls on the list."""

    def __init__(
        self, url: str | None = None, api_key: str | None = None, *, retry_for: float = 10.0
    ) -> None:
        super().__init__(url, api_key, retry_for=retry_for, program=PROGRAM)
        self.session = GuardedSession(self.settings, PROGRAM)
        self.tasks = AsyncTasks(self.session, self.retries)
        self.directory = AsyncDirectory(self.session, self.retries)
