"""The limits for each caller: requests per second, open streams, open intents. Counts are kept in memory and shared
by the workers of one server, but not between servers. A refusal says when to retry.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from math import ceil
from typing import Final

import msgspec

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.errors import TooMany

_MOST_HOLDERS: Final = 20_000
_BURST: Final = 5.0  # seconds' worth of requests allowed in a burst
_STREAM_AGAIN: Final = 5
_OPEN_AGAIN: Final = 10
_UNLIMITED: Final = nullcontext()
StillOpen = Callable[[str, str, int], Awaitable[int]]


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits for people and agents, and those for services; 0 means no limit."""

    rate: int = 0
    rate_services: int = 0
    streams: int = 0
    streams_services: int = 0
    open: int = 0
    open_services: int = 0

    def by_kind(self, name: str) -> dict[ActorKind, int]:
        """One limit for each kind of actor."""
        own: int = getattr(self, name)
        services: int = getattr(self, f"{name}_services")
        return {
            ActorKind.PERSON: own,
            ActorKind.AGENT: own,
            ActorKind.SERVICE: services,
            ActorKind.SYSTEM: 0,
        }


class Admission:
    """``still_open(workspace, requester, most)``: how many of their intents are open, counted up to ``most``."""

    def __init__(self, limits: KeyLimits, still_open: StillOpen | None = None) -> None:
        self._rates = limits.by_kind("rate")
        self._most_streams = limits.by_kind("streams")
        self._most_open = limits.by_kind("open")
        self._still_open = still_open
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._streams: Counter[str] = Counter()
        self._elsewhere: dict[int, dict[str, int]] = {}  # streams at other workers of this service
        self._unsaid: Counter[str] | None = None
        self._moved: set[str] = set()
        self._made: Counter[str] = Counter()
        self._room: OrderedDict[str, _Room] = OrderedDict()

    def request(self, actor: Actor, now: float) -> None:
        """Count a request at ``now``, in seconds; raises TooMany over the limit."""
        rate = self._rates[actor.kind]
        if not rate:
            return
        holder = _holder(actor)
        full = rate * _BURST
        used, at = self._used.get(holder, (0.0, now))
        used = max(0.0, used - (now - at) * rate)
        if used > full - 1:
            raise TooMany(
                "too_many_requests",
                f"More than {rate} requests per second by one caller, over all their keys.",
                retry_after=ceil((1 - full + used) / rate),
            )
        self._note(holder, used + 1, now)
        if self._unsaid is not None:
            self._unsaid[holder] += 1

    def _note(self, holder: str, used: float, now: float) -> None:
        self._used[holder] = (used, now)
        self._used.move_to_end(holder)
        if len(self._used) > _MOST_HOLDERS:
            self._used.popitem(last=False)

    def stream(self, actor: Actor) -> AbstractContextManager[None]:
        """Holds one stream or long poll open while it is entered; raises TooMany over the limit."""
        return _OpenStream(self, actor)

    def stream_opens(self, actor: Actor) -> str:
        """Count one more stream; returns its holder."""
        most, holder = self._most_streams[actor.kind], _holder(actor)
        if most and self._streams[holder] + self._open_elsewhere(holder) >= most:
            raise TooMany(
                "too_many_streams",
                f"More than {most} open streams of one caller, over all their keys.",
                retry_after=_STREAM_AGAIN,
            )
        self._streams[holder] += 1
        if self._unsaid is not None:
            self._moved.add(holder)
        return holder

    def stream_ends(self, holder: str) -> None:
        self._streams[holder] -= 1
        if not self._streams[holder]:
            del self._streams[holder]
        if self._unsaid is not None:
            self._moved.add(holder)

    def open_streams(self) -> int:
        """How many streams and long polls are open in this process."""
        return self._streams.total()

    # -- the other workers of this service

    def among_workers(self) -> None:
        """Count together with the other workers of this server from now on. They receive ``take_unsent``."""
        self._unsaid = Counter()

    def take_unsent(self) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        """What has changed since the last call: requests and new intents by caller, and the open streams of each
        caller whose number of streams has changed.
        """
        requests, self._unsaid = dict(self._unsaid or {}), Counter()
        made, self._made = dict(self._made), Counter()
        moved, self._moved = self._moved, set()
        return requests, made, {holder: self._streams.get(holder, 0) for holder in moved}

    def recount_streams(self) -> None:
        """Report all open streams again, for a new worker."""
        self._moved.update(self._streams)

    def used_elsewhere(self, requests: Mapping[str, int], made: Mapping[str, int], now: float) -> None:
        """Count what other workers admitted. A limit may be exceeded slightly if several workers admit requests at
        the same moment.
        """
        for holder, count in requests.items():
            used, at = self._used.get(holder, (0.0, now))
            self._note(holder, used + count, at)
        for requester, count in made.items():
            if requester in self._room:
                self._room[requester].left -= count

    def streams_elsewhere(self, worker: int, streams: Mapping[str, int]) -> None:
        known = self._elsewhere.setdefault(worker, {})
        known.update(streams)
        for holder in [holder for holder, count in streams.items() if not count]:
            known.pop(holder, None)

    def worker_ended(self, worker: int) -> None:
        """Forget the streams of a worker that has exited."""
        self._elsewhere.pop(worker, None)

    def _open_elsewhere(self, holder: str) -> int:
        return sum(streams.get(holder, 0) for streams in self._elsewhere.values())

    def another_intent(self, actor: Actor) -> AbstractAsyncContextManager[None]:
        """Hold this while an intent is created. Raises TooMany if the requester has reached their limit; intents
        being created count. The database is queried only when the allowance from the last query is used up.
        """
        most = self._most_open[actor.kind]
        if not most or self._still_open is None:
            return _UNLIMITED
        return self._another(actor, most, self._still_open)

    @asynccontextmanager
    async def _another(self, actor: Actor, most: int, still_open: StillOpen) -> AsyncIterator[None]:
        room = self._room_of(actor)
        async with room.turn:
            if room.left <= 0:
                # Intents that are written during the query are counted twice, but never missed.
                being_made = room.being_made
                room.left = most - being_made - await still_open(actor.workspace, actor.id, most)
            if room.left <= 0:
                raise TooMany(
                    "too_many_open",
                    f"This requester already has {most} open intents.",
                    retry_after=_OPEN_AGAIN,
                )
            room.left -= 1
            room.being_made += 1
            if self._unsaid is not None:
                self._made[_requester(actor)] += 1
        try:
            yield
        finally:
            room.being_made -= 1

    def _room_of(self, actor: Actor) -> "_Room":
        key = _requester(actor)
        room = self._room.setdefault(key, _Room())
        self._room.move_to_end(key)
        if len(self._room) > _MOST_HOLDERS:
            self._room.popitem(last=False)
        return room


class _OpenStream:
    """A counted stream. One of ``contextlib`` takes 500 bytes for as long as it is open."""

    __slots__ = ("_actor", "_admission", "_holder")

    def __init__(self, admission: Admission, actor: Actor) -> None:
        self._admission = admission
        self._actor = actor

    def __enter__(self) -> None:
        self._holder = self._admission.stream_opens(self._actor)

    def __exit__(self, *_: object) -> None:
        self._admission.stream_ends(self._holder)


class _Room:
    """How many more intents a requester may open, as of the last query, and how many are being created."""

    __slots__ = ("being_made", "left", "turn")

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.left = 0
        self.being_made = 0


def _requester(actor: Actor) -> str:
    return f"{actor.workspace} {actor.id}"


def _holder(actor: Actor) -> str:
    """The caller that a request counts against. A person on the pages is counted separately from their key, so that
    another user of the key cannot prevent them from rejecting.
    """
    return f"{actor.id} on the pages" if actor.via == "web" else actor.id
