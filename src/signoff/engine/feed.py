"""Notifies waiters of commits. A notification is only a hint, and the table is authoritative: register, read, then
wait. A waiter for an intent receives the changes that this process committed, and reads the table only if some are
missing.

Topics name what may have changed: an intent's id, ``agent:<workspace>:<address>`` for new deliveries,
``tasks:<workspace>``, ``directory:<workspace>``, ``session:<person>``. Other replicas are notified a few milliseconds
later, at most one announcement per ``_PAUSE``; never inside a write transaction, because that would serialize all
commits.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import chain
from types import TracebackType
from typing import Any, Final

from signoff.core.errors import Busy
from signoff.core.intent.advance import Change

log = logging.getLogger("signoff.feed")

_EVERY: Final = "*"
_PAUSE: Final = 0.002  # seconds; a longer pause is a noticeable delay, a shorter one costs more announcements
_BACKLOG: Final = 10_000
_MOST_CHANGES: Final = 100
TellWorkers = Callable[[Sequence[str], Sequence[Change], Mapping[str, bytes]], None]
Announce = Callable[[Sequence[str]], Coroutine[Any, Any, None]]


def agent_topic(workspace: str, address: str) -> str:
    return f"agent:{workspace}:{address}"


def stream_topic(workspace: str, address: str) -> str:
    """A topic that is never published; its waiters are the streams that send the agent's deliveries."""
    return f"stream:{workspace}:{address}"


def tasks_topic(workspace: str) -> str:
    return f"tasks:{workspace}"


def directory_topic(workspace: str) -> str:
    return f"directory:{workspace}"


def session_topic(person: str) -> str:
    return f"session:{person}"


class Waiter:
    """Waits for topics; is set when any of them is published. Use it as a context manager."""

    __slots__ = ("_asleep", "_changes", "_feed", "_notified", "topics")

    def __init__(self, feed: "Feed", topics: tuple[str, ...]) -> None:
        self._feed = feed
        self.topics = topics
        self._notified = False
        # an asyncio.Event would double the memory of a waiter
        self._asleep: asyncio.Future[None] | None = None
        self._changes: list[Change] = []

    def __enter__(self) -> "Waiter":
        for topic in self.topics:
            self._feed.waiters.setdefault(topic, set()).add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        for topic in self.topics:
            waiting = self._feed.waiters.get(topic)
            if waiting is not None:
                waiting.discard(self)
                # most topics are an intent's, so they would add up
                if not waiting:
                    del self._feed.waiters[topic]

    def wake(self) -> None:
        self._notified = True
        self._rise()

    def tell(self, change: Change) -> None:
        """Add a committed change for the waiter; the notification follows."""
        if len(self._changes) < _MOST_CHANGES:
            self._changes.append(change)

    def take_changes(self) -> list[Change]:
        """The changes added since the last call, in commit order; some may be missing."""
        changes, self._changes = self._changes, []
        return changes

    async def wait(self, timeout: float) -> bool:
        """True if notified within ``timeout`` seconds; the next call waits again."""
        if not self._notified:
            loop = asyncio.get_running_loop()
            self._asleep = loop.create_future()
            timer = loop.call_later(max(timeout, 0), self._rise)
            try:
                await self._asleep
            finally:
                timer.cancel()
                self._asleep = None
        notified, self._notified = self._notified, False
        return notified

    def _rise(self) -> None:
        if self._asleep is not None and not self._asleep.done():
            self._asleep.set_result(None)


class Feed:
    """The in-process map topic -> waiters, and the announcements to other replicas."""

    def __init__(self, announce: Announce | None = None, reread: float = 20.0, pause: float = _PAUSE) -> None:
        self.waiters: dict[str, set[Waiter]] = {}
        self.reread = reread
        self._pause = pause
        self._announce = announce
        self._unannounced: set[str] = set()
        self._unannounced_event = asyncio.Event()
        self._watchers: dict[str, list[Callable[[str], None]]] = {_EVERY: []}
        self.workers: TellWorkers | None = None

    def waiting(self, *topics: str) -> Waiter:
        return Waiter(self, topics)

    def followed(self, workspace: str, address: str) -> bool:
        """Whether a stream of this process sends the agent's deliveries."""
        return stream_topic(workspace, address) in self.waiters

    def watch(self, notified: Callable[[str], None], *kinds: str) -> None:
        """Call ``notified`` with the topics that begin with one of these prefixes (with every topic, if there are
        none), and with the empty topic.
        """
        for kind in kinds or (_EVERY,):
            self._watchers.setdefault(kind, []).append(notified)

    def publish(
        self,
        topics: Iterable[str],
        changes: Sequence[Change] = (),
        payloads: Mapping[str, bytes] | None = None,
    ) -> None:
        """Notify local waiters and give them these committed changes. Other workers of this server and other replicas
        are notified soon after.
        """
        topics = list(topics)
        if self.workers is not None and topics:
            self.workers(topics, changes, payloads or {})
        self.relay(topics, changes)

    def relay(self, topics: Sequence[str], changes: Iterable[Change] = ()) -> None:
        """Do the same for topics that another worker of this server has published."""
        # before the waiters are notified, so that they find the changes
        for change in changes:
            for waiter in self.waiters.get(change.after.id, ()):
                waiter.tell(change)
        self.hear(topics)
        if self._announce is not None and len(self._unannounced) < _BACKLOG:
            self._unannounced.update(topics)
            self._unannounced_event.set()

    def hear(self, topics: Iterable[str]) -> None:
        """Notify the waiters for these topics; the empty topic means that anything may have changed."""
        for topic in topics:
            if topic == "":
                self._wake_all()
                continue
            if waiting := self.waiters.get(topic):
                for waiter in tuple(waiting):
                    waiter.wake()
            for notified in self._watchers.get(topic.partition(":")[0], ()):
                notified(topic)
            for notified in self._watchers[_EVERY]:
                notified(topic)

    def _wake_all(self) -> None:
        for waiting in tuple(self.waiters.values()):
            for waiter in tuple(waiting):
                waiter.wake()
        for notified in dict.fromkeys(chain.from_iterable(self._watchers.values())):
            notified("")

    async def run(self) -> None:
        """Announce published topics until canceled. A lost announcement only delays readers."""
        if self._announce is None:
            return
        while True:
            await self._unannounced_event.wait()
            self._unannounced_event.clear()
            topics, self._unannounced = self._unannounced, set()
            try:
                await self._announce(sorted(topics))
            except Busy as busy:
                log.info("%d announcements were lost: %s", len(topics), busy)
            except Exception:
                log.exception("announcing failed")
            await asyncio.sleep(self._pause)
