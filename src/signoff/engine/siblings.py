"""Messages between the worker processes of one server (``signoff up --workers N``), over sockets that they inherited
from the supervisor, which forwards every message to the others.

Commits are sent as rows, so that no worker has to read what another one wrote. Messages are only hints; the
tables are authoritative. A worker that may have missed messages (``Missed``) drops its cache of the others' commits.
"""

import asyncio
import logging
import os
import signal
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.intent.advance import Change
from signoff.core.intent.hash_chain import Sealed, unseal
from signoff.engine.clock import Clock
from signoff.engine.commit.recent import RecentCommits
from signoff.engine.feed import Feed
from signoff.engine.identity.admission import Admission
from signoff.engine.identity.rate_limit import Limit
from signoff.engine.metrics import Metrics, Snapshot
from signoff.store.rows import encode_plan, intent_of
from signoff.store.sqlite.turns import Turns
from signoff.store.store import Store

log = logging.getLogger("signoff.siblings")

LEADER: Final = 0  # the worker that runs the loops and talks to servers on other machines for all
BEAT: Final = 0.5  # seconds between two reports of a worker's health
SILENT: Final = 6 * BEAT  # a worker that has not reported for this long is considered hung
_EVERY: Final = 0.05  # seconds between two reports of what callers have used of their limits
LENGTH: Final = struct.Struct("!I")
_BACKLOG: Final = 8 * 1024 * 1024  # unread bytes of a worker beyond which messages are dropped


class Row(msgspec.Struct, gc=False, array_like=True):
    """One committed change, as its rows. ``before``: how many facts the intent had before, 0 if it is new; ``plan``:
    the encoded plan, if the others may not have it yet.
    """

    id: str
    before: int
    digest: str
    state: bytes
    facts: list[tuple[bytes, bytes | None, str]]
    payload: bytes | None = None
    plan: bytes | None = None


class Committed(msgspec.Struct, gc=False, tag=1, array_like=True):
    """A commit by the sender, with the topics that it published; or topics alone."""

    topics: list[str]
    rows: list[Row] = []


class Announced(msgspec.Struct, gc=False, tag=8, array_like=True):
    """What the leader received from a server on another machine."""

    topics: list[str]


class Used(msgspec.Struct, gc=False, tag=2, array_like=True):
    """How much of their limits callers have used at the sender: requests and new intents since its last report, and
    attempts by the number of their limit.
    """

    requests: dict[str, int]
    made: dict[str, int]
    tries: dict[int, list[bytes]]


class Streams(msgspec.Struct, gc=False, tag=3, array_like=True):
    """How many streams each caller has open at the sender, for callers whose number has changed; 0 if none is left."""

    worker: int
    open: dict[str, int]


class WorkerHealth(msgspec.Struct, gc=False, tag=4, array_like=True):
    """The state of the sender's parts; ``listening``: whether announcements of servers on other machines reach it."""

    worker: int
    ready: bool
    details: dict[str, Any]
    listening: bool


class Ended(msgspec.Struct, gc=False, tag=5, array_like=True):
    """Sent by the supervisor: this worker has exited, and a new one takes its place."""

    worker: int


class Missed(msgspec.Struct, gc=False, tag=6, array_like=True):
    """Sent by the supervisor: messages from other workers were dropped."""


class Ready(msgspec.Struct, gc=False, tag=7, array_like=True):
    """Sent to the supervisor only: the sender answers requests."""

    base_url: str
    login_url: str


class Counted(msgspec.Struct, gc=False, tag=9, array_like=True):
    """The sender's metrics."""

    worker: int
    metrics: Snapshot


Message = Committed | Announced | Used | Streams | WorkerHealth | Ended | Missed | Ready | Counted
encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(Message).decode


def framed(message: Message) -> bytes:
    body = encode(message)
    return LENGTH.pack(len(body)) + body


class Siblings:
    """One worker's end of the connection. ``number``: which of ``count`` workers this is; ``turns``: who writes next,
    on SQLite.
    """

    def __init__(self, number: int, count: int, link: socket.socket, turns: Turns | None = None) -> None:
        self.turns = turns
        self.number = number
        self.count = count
        self._socket = link
        self._writer: asyncio.StreamWriter | None = None
        self._others: dict[int, tuple[float, WorkerHealth]] = {}
        self._counted: dict[int, Snapshot] = {}
        self._plans_sent: set[str] = set()
        self._dropped = False
        self._ready: Ready | None = None

    @property
    def leads(self) -> bool:
        """Whether this worker runs the loops."""
        return self.number == LEADER

    def connect(
        self,
        feed: Feed,
        recent: RecentCommits,
        admission: Admission,
        store: Store,
        clock: Clock,
        limits: Sequence[Limit],
        metrics: Metrics,
    ) -> None:
        """Set the sources of this worker's reports, and the components that handle the others' messages."""
        self._feed, self._recent, self._admission = feed, recent, admission
        self._plans, self._states = store.plans, store.states
        self._clock, self._limits, self._metrics = clock, limits, metrics
        for limit in limits:
            limit.among_workers()

    @property
    def listening(self) -> bool:
        """Whether announcements of servers on other machines reach the leader."""
        known = self._others.get(LEADER)
        return known is not None and self._fresh(known[0]) and known[1].listening

    @property
    def complete(self) -> bool:
        """Whether the others' commits arrive here, that is, whether the connection is open."""
        return self._writer is not None and not self._writer.is_closing()

    def health(self) -> dict[int, WorkerHealth | None]:
        """The others' last reports; None for a worker that is being replaced or has stopped reporting."""
        others = (number for number in range(self.count) if number != self.number)
        return {
            number: found[1] if (found := self._others.get(number)) and self._fresh(found[0]) else None
            for number in others
        }

    def silent(self, number: int) -> bool:
        """Whether a worker has stopped reporting. It hangs and will be replaced by the supervisor."""
        found = self._others.get(number)
        return found is not None and not self._fresh(found[0])

    def metrics(self) -> dict[int, Snapshot]:
        """The others' last reported metrics. The metrics of a worker that has exited are lost, and its successor starts
        at zero.
        """
        return self._counted

    def _fresh(self, at: float) -> bool:
        return asyncio.get_running_loop().time() - at < SILENT

    # -- telling

    def tell(
        self,
        topics: Iterable[str],
        changes: Iterable[Change] = (),
        payloads: Mapping[str, bytes] | None = None,
    ) -> None:
        """Tell the others of a commit, or of topics alone."""
        self._send(Committed(list(topics), [self._row(change, payloads or {}) for change in changes]))

    def _row(self, change: Change, payloads: Mapping[str, bytes]) -> Row:
        after = change.after
        plan = None
        if after.plan_digest not in self._plans_sent:
            plan = encode_plan(after.plan)
            if len(self._plans_sent) > 10_000:
                self._plans_sent.clear()
            self._plans_sent.add(after.plan_digest)
        facts = [(sealed.body, sealed.private, sealed.hash) for sealed in change.facts]
        before = change.before.seq if change.before is not None else 0
        state = self._states.state_of(after)
        return Row(after.id, before, after.plan_digest, state, facts, payloads.get(after.id), plan)

    def pass_on(self, topics: Sequence[str]) -> None:
        """Forward topics that a server on another machine announced, so that the others drop them from their
        caches.
        """
        self._send(Announced(list(topics)))

    def ready(self, base_url: str, login_url: str) -> None:
        self._ready = Ready(base_url, login_url)
        self._send(self._ready)  # no effect before the connection is open

    def _send(self, message: Message) -> None:
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > _BACKLOG:
            self._dropped = True
            return
        if self._dropped:
            self._dropped = False
            writer.write(framed(Missed()))
        writer.write(framed(message))

    # -- listening

    async def run(self, health: Callable[[], Awaitable[tuple[bool, dict[str, Any], bool]]]) -> None:
        """Exchange messages with the others until canceled. If the supervisor has exited, this process shuts down
        too.
        """
        reader, self._writer = await asyncio.open_unix_connection(sock=self._socket)
        if self.leads:
            self.pass_on([""])  # announcements of other servers while there was no leader were missed
        if self._ready is not None:
            self._send(self._ready)
        reports = asyncio.create_task(self._report(health))
        try:
            while True:
                size = LENGTH.unpack(await reader.readexactly(LENGTH.size))[0]
                try:
                    self._hear(decode(await reader.readexactly(size)))
                except (msgspec.MsgspecError, KeyError):
                    log.exception("a message from another worker is unreadable")
        except (asyncio.IncompleteReadError, ConnectionError):
            log.error("the supervisor has exited, so this worker exits too")
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            reports.cancel()
            self._writer.close()

    async def _report(self, health: Callable[[], Awaitable[tuple[bool, dict[str, Any], bool]]]) -> None:
        loop = asyncio.get_running_loop()
        due = 0.0
        while True:
            if loop.time() >= due:
                self._send(WorkerHealth(self.number, *await health()))
                self._send(Counted(self.number, self._metrics.snapshot()))
                due = loop.time() + BEAT
            requests, made, streams = self._admission.take_unsent()
            tries = {
                number: counts for number, limit in enumerate(self._limits) if (counts := limit.take_unsent())
            }
            if requests or made or tries:
                self._send(Used(requests, made, tries))
            if streams:
                self._send(Streams(self.number, streams))
            await asyncio.sleep(_EVERY)

    def _hear(self, message: Message) -> None:
        match message:
            case Committed(topics, rows):
                self._commit(topics, rows)
            case Announced(topics):
                self._recent.forget(topics)
                self._feed.hear(topics)
            case Used(requests, made, tries):
                self._admission.used_elsewhere(requests, made, monotonic())
                for number, names in tries.items():
                    self._limits[number].count_elsewhere(names, self._clock.now())
            case Streams(worker, streams):
                self._admission.streams_elsewhere(worker, streams)
            case Counted(worker, metrics):
                self._counted[worker] = metrics
            case WorkerHealth(worker):
                self._others[worker] = asyncio.get_running_loop().time(), message
            case Ended(worker):
                self._others.pop(worker, None)
                self._counted.pop(worker, None)
                self._admission.worker_ended(worker)
                self._admission.recount_streams()
                self._plans_sent.clear()  # its successor knows none of them
                self._missed()
            case Missed():
                self._missed()

    def _missed(self) -> None:
        self._recent.clear()
        self._feed.hear([""])

    def _commit(self, topics: list[str], rows: list[Row]) -> None:
        changes: list[Change] = []
        payloads: dict[str, bytes] = {}
        for row in rows:
            change = self._change(row)
            if change is None:
                self._recent.forget([row.id])
                continue
            changes.append(change)
            if row.payload is not None:
                payloads[row.id] = row.payload
        self._recent.note(changes, payloads)
        self._feed.relay(topics, changes)

    def _change(self, row: Row) -> Change | None:
        """Rebuild the parts of the change that waiters and the cache need; None if its plan is unknown here."""
        if row.plan is not None:
            self._plans.learn([(row.digest, row.plan)])
        plans = self._plans.known({row.digest})
        if row.digest not in plans:
            return None
        after = intent_of((row.id, row.digest, row.state), plans)
        self._states.note(after, row.state)
        before = replace(after, seq=row.before) if row.before else None
        facts = [Sealed(unseal(body, private), body, private, link) for body, private, link in row.facts]
        return Change(before, after, facts, None, False)
