"""Determines whose requests a call is about: those of this process's key, or over HTTP those of the key that the call
sends.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Protocol

from signoff.client.errors import AuthenticationFailed, SignoffError
from signoff.mcp.guard import GuardedClient
from signoff.mcp.requests import REPEAT_FOR, TICK, Requests
from signoff.mcp.tool_results import Problem, ToolFailed

_KEPT: Final = 256
AGENT_KEY: Final = "signoff keys create --agent NAME"


class KeyOfPerson(SignoffError):
    """The key belongs to a person: a program that has it could decide elsewhere in that person's name."""


class Callers(Protocol):
    """Finds the requests of a call's key. ``of`` takes the HTTP request, if there is one."""

    async def of(self, request: Any) -> Requests: ...

    async def close(self) -> None: ...


class KeyCheck(Protocol):
    """Checks whether a key is valid now. Raises AuthenticationFailed, KeyOfPerson, or the failure that prevented the
    check.
    """

    async def check(self, key: str) -> None: ...


class OneKey:
    """Every call uses one key, this process's key. Its holder is looked up once, when first needed."""

    def __init__(
        self,
        client: GuardedClient,
        *,
        people: bool = False,
        repeat_for: timedelta = REPEAT_FOR,
        tick: float = TICK,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._people = people
        self._repeat_for = repeat_for
        self._tick = tick
        self._now = now
        self._requests: Requests | None = None

    async def of(self, request: Any = None) -> Requests:
        """The requests of the key; raises KeyOfPerson for a person's key, unless that is allowed."""
        if self._requests is None:
            me = await self._client.me()
            if me.actor.kind not in ("agent", "service") and not self._people:
                raise KeyOfPerson(
                    f"This key belongs to a {me.actor.kind or 'unknown holder'}, not to an agent or a service: a "
                    "program that holds it could decide elsewhere in that person's name. "
                    f"Create a key for the agent: {AGENT_KEY}"
                )
            made = Requests(self._client, me, self._repeat_for, tick=self._tick, now=self._now)
            self._requests = self._requests or made
        return self._requests

    async def check(self) -> None:
        """Ask the server whether the key is valid now."""
        await self._client.me()

    @property
    def idle(self) -> bool:
        """Whether no call is waiting."""
        return self._requests is None or self._requests.calls == 0

    async def close(self) -> None:
        await self._client.close()


class EachKey:
    """Every HTTP request sends a key as a bearer token; the last ``kept`` keys are remembered by digest."""

    def __init__(self, connect: Callable[[str], OneKey], kept: int = _KEPT) -> None:
        self._connect = connect
        self._kept = kept
        self._known: OrderedDict[str, OneKey] = OrderedDict()

    async def of(self, request: Any) -> Requests:
        key = bearer(request.headers.get("authorization", "")) if request is not None else ""
        if not key:
            raise ToolFailed(
                Problem(
                    code="key_required",
                    message="The request has no key.",
                    next=f"Send the header Authorization: Bearer KEY. {AGENT_KEY} creates one.",
                )
            )
        one = self._known.get(digest_of(key)) or await self._connected(key)
        self._known.move_to_end(digest_of(key))
        return await one.of(request)

    async def check(self, key: str) -> None:
        """Check whether the key is valid now. It is checked with every request, so that nothing outlives the key."""
        name = digest_of(key)
        one = self._known.get(name)
        if one is None:
            await self._connected(key)
            return
        try:
            await one.check()
        except AuthenticationFailed:
            if self._known.get(name) is one and one.idle:
                await self._known.pop(name).close()
            raise

    async def _connected(self, key: str) -> OneKey:
        """Remember a new key after the server has confirmed it; an invalid key is not remembered."""
        one, name = self._connect(key), digest_of(key)
        try:
            await one.of()
        except SignoffError:
            await one.close()
            raise
        if name in self._known:  # another call has used it in the meantime
            await one.close()
            return self._known[name]
        self._known[name] = one
        await self._drop(name)
        return one

    async def _drop(self, newest: str) -> None:
        """Close the least recently used keys, except those of waiting calls."""
        idle = [name for name, one in self._known.items() if one.idle and name != newest]
        for name in idle[: max(0, len(self._known) - self._kept)]:
            await self._known.pop(name).close()

    async def close(self) -> None:
        while self._known:
            await self._known.popitem()[1].close()


def bearer(header: str) -> str:
    """The token of an Authorization header; "" if there is none."""
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token.isascii() and token.isprintable() else ""


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
