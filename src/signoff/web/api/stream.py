"""Server-sent events, as AXP's clients need them (docs/axp.md).

A backlog is written immediately and the stream ends soon after, because some clients read the whole body before they
parse it. If there is nothing new, the stream is held open for ``wait_seconds``, because closing it immediately would
make clients spin. Clients known to read line by line keep their stream until an intent is final. A server that stops
ends every stream properly. No line is longer than 60,000 bytes. Comparison with ``since`` is exclusive.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

import msgspec

from signoff.core.errors import Busy, Malformed, Refused
from signoff.core.intent import events as e
from signoff.core.intent.advance import Change
from signoff.core.intent.authorization import can_see
from signoff.core.intent.model import Status
from signoff.core.text.describe import printable
from signoff.engine.feed import agent_topic, stream_topic
from signoff.engine.read.view import Seen
from signoff.store.transaction import Stored
from signoff.web.http.call import Call, Stream, Write
from signoff.web.http.held_requests import HeldRequest
from signoff.web.reading import ShownRecorder, address_of, asks_for_work, statuses, visible, working_agent
from signoff.web.shapes.deliveries import shown_delivery
from signoff.web.shapes.events import STEP, trail_of
from signoff.wire.common import ABSENT
from signoff.wire.intents import EventOut

log = logging.getLogger("signoff.web")

_ENCODER: Final = msgspec.json.Encoder()
LONGEST_LINE: Final = 59_000
LINGER: Final = 0.05
KEEP_ALIVE: Final = 15.0
MOST_AT_ONCE: Final = 256 * 1024  # bytes of frames that a stream buffers for a slow client
_PAGE: Final = 20
_INCREMENTAL: Final = ("axme-sdk-python/", "signoff-")
_LONGEST_ID: Final = 16
_WAIT: Final = (15, 1, 60)  # default, minimum and maximum seconds


class TimeUp(msgspec.Struct):
    """The last frame of a stream: where to continue."""

    ok: bool
    next_seq: int


class FrameSource(Protocol):
    """The source of a stream's frames."""

    last: int
    over: bool
    more: bool

    async def read(self, committed: Sequence[Change]) -> Sequence[bytes]:
        """The next frames since the last call, up to about ``MOST_AT_ONCE`` bytes; afterwards ``more`` says whether
        others may follow immediately. ``committed``: changes that this process has committed since then.
        """
        ...


def frame(name: str, cursor: int, data: bytes) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (cursor, name.encode(), data)


async def events(call: Call) -> Stream:
    """GET /v1/intents/{id}/events/stream"""
    seen = await call.state.view.cached_intent(call.actor, call.params["intent_id"])
    source = _Life(call, seen, since_of(call))
    return _stream(call, source, (seen.stored.intent.id,), call.client.startswith(_INCREMENTAL))


async def deliveries(call: Call) -> Stream:
    """GET /v1/agents/{address}/intents/stream"""
    agent = await address_of(call)
    await asks_for_work(call, agent)
    workspace = call.actor.workspace
    since = since_of(call)
    await call.state.view.redeliver(call.actor, agent, since)
    asked = call.query.get("status", "")
    shows = not asked or Status.DELIVERED.value in statuses(asked.split(","))
    topics = (agent_topic(workspace, agent), *([stream_topic(workspace, agent)] if shows else ()))
    return _stream(call, _Post(call, agent, since, shows), topics, False)


def since_of(call: Call) -> int:
    """Where to continue: after ``Last-Event-ID``, the last event that a reconnecting client has seen, or else after
    ``since``. An id that no stream has sent is refused, because silently starting over would send everything again.
    """
    last = call.header(b"last-event-id").strip()
    if not last:
        return call.number("since", 0, 0, 2**53)
    if not (last.isascii() and last.isdigit() and len(last) <= _LONGEST_ID):
        raise Malformed(
            "invalid_last_event_id",
            f"Last-Event-ID: {printable(last)!r} is not the id of an event.",
            field="Last-Event-ID",
            hint="Send the id of the last event from the stream, or omit it.",
        )
    return min(int(last), 2**53)


def _stream(call: Call, source: FrameSource, topics: tuple[str, ...], held_open: bool) -> Stream:
    return partial(_run, call, source, topics, held_open, call.number("wait_seconds", *_WAIT))


async def _run(
    call: Call, source: FrameSource, topics: tuple[str, ...], held_open: bool, wait_seconds: int, write: Write
) -> None:
    clock = asyncio.get_running_loop().time
    last_sent = clock()
    until = last_sent + wait_seconds
    sent = False
    with HeldRequest(call, *topics) as waiter:
        waiter.watch()
        while not call.state.stopping.is_set():
            if waiter.hung_up():  # nothing that it would still be sent was seen
                return
            try:
                frames = await source.read(waiter.take_changes())
            except Busy:  # the loops log the outage once; the client reconnects with its cursor
                break
            except Refused as refusal:  # its caller's rights were changed, or what it shows was deleted
                _ended(call, refusal)
                return
            if frames:
                await write(b"".join(frames))
                sent = True
                frames = ()  # otherwise thousands of idle streams would keep their last output in memory
                last_sent = clock()
                if not held_open:
                    until = min(until, last_sent + LINGER)
            elif clock() - last_sent >= KEEP_ALIVE:
                await write(b": \n\n")
                last_sent = clock()
            if source.more:
                try:
                    await waiter.still()
                except Busy:
                    break
                except Refused as refusal:
                    _ended(call, refusal)
                    return
                continue
            left = until - clock()
            # a final intent ends the connection that reported it; a later connection is held, because a client
            # that never stops would reconnect immediately
            if left <= 0 or (source.over and sent):
                break
            try:
                await waiter.wait(min(left, last_sent + KEEP_ALIVE - clock()))
            except Busy:
                break
            except Refused as refusal:
                _ended(call, refusal)
                return
    # a cursor counts facts, not frames, so it also covers facts without a frame
    goes_on = source.last // STEP * STEP + 1
    await write(b"event: stream.timeout\ndata: %s\n\n" % _ENCODER.encode(TimeUp(True, goes_on)))


def _ended(call: Call, refusal: Refused) -> None:
    """Nothing more is sent on this stream; the next connection gets the reason."""
    log.info("stream %s ended: %s", call.request_id, refusal.code)


class _Life:
    """One intent's (or step's) events."""

    def __init__(self, call: Call, seen: Seen, since: int) -> None:
        self._call = call
        self._seen = Seen(Stored(seen.stored.intent, b""), seen.step_run)
        self._trail = trail_of(seen.stored.intent, seen.step_run)
        self._since = since
        self._shown = ShownRecorder(call, seen.stored.intent.id, since, seen.step_run)
        self._walked = 0
        self.last = since
        self.over = False
        self.more = False

    async def read(self, committed: Sequence[Change]) -> Sequence[bytes]:
        self.more = False
        if not can_see(self._call.actor, self._seen.stored.intent):
            self.over = True
            return ()
        facts = self._following(committed) or self._lately() or await self._stored()
        if not facts:
            return ()
        frames, size, shown = [], 0, 0
        while shown < len(facts) and size < MOST_AT_ONCE:
            event = self._trail.show(facts[shown])
            shown += 1
            if event is not None and event.seq > self._since:
                made = line(event)
                frames.append(made)
                size += len(made)
        self.more = self.more or shown < len(facts)
        self._walked = facts[shown - 1].seq
        self.over = self._trail.over
        self.last = max(self.last, self._walked * STEP)
        await self._shown.read(facts[:shown])
        return frames

    def _following(self, committed: Sequence[Change]) -> list[e.Fact]:
        """The facts of these changes, if they are exactly the next ones; otherwise they have to be read from the
        table.
        """
        facts = [sealed.fact for change in committed for sealed in change.facts]
        if [fact.seq for fact in facts] != list(range(self._walked + 1, self._walked + 1 + len(facts))):
            return []
        if committed:
            self._trail.intent = committed[-1].after
        return facts

    def _lately(self) -> list[e.Fact]:
        """The events from before the stream was opened, if this process has all of them in memory."""
        known = None if self._walked else self._call.state.view.cached_history(self._seen)
        if known is None:
            return []
        self._trail.intent, facts = known
        return facts

    async def _stored(self) -> list[e.Fact]:
        facts = await self._call.state.view.history(self._seen, self._walked, _PAGE)
        self.more = len(facts) == _PAGE
        if any(isinstance(fact.event, e.Completed) for fact in facts):
            # read after the facts, because only a final intent has its result
            self._trail.intent = (await visible(self._call, self._seen.stored.intent.id)).stored.intent
        return facts


def line(event: EventOut) -> bytes:
    """An event as one frame. An event that is too long for a line is sent without result and human_task, and marked as
    truncated.
    """
    data = _ENCODER.encode(event)
    if len(data) > LONGEST_LINE:
        slim = msgspec.structs.replace(event, result=ABSENT, human_task=ABSENT, details={"truncated": True})
        data = _ENCODER.encode(slim)
    return frame(event.event_type, event.seq, data)


class _Post:
    """One agent's deliveries. Several readers may follow one address; each sees every delivery."""

    def __init__(self, call: Call, agent: str, since: int, shows: bool) -> None:
        self._call = call
        self._agent = agent
        self._shows = shows  # every claimable delivery has the status DELIVERED
        self.last = since
        self.over = False
        self.more = False

    async def read(self, committed: Sequence[Change]) -> Sequence[bytes]:
        self.more = False
        if not self._shows:
            return ()
        call = self._call
        await working_agent(call, self._agent)
        found = await call.state.view.deliveries(call.actor, self._agent, self.last, _PAGE)
        frames, size, shown = [], 0, []
        for cursor, intent in found:
            if size >= MOST_AT_ONCE:
                break
            delivery = shown_delivery(intent, cursor)
            frames.append(frame(delivery.event_type, cursor, _ENCODER.encode(delivery)))
            size += len(frames[-1])
            shown.append((intent.id, cursor))
            self.last = cursor
        self.more = len(found) == _PAGE or len(shown) < len(found)
        # Recorded before it is sent: if this server crashes in between, the delivery is sent once too often rather
        # than never.
        await call.state.engine.sent(call.actor, self._agent, shown)
        return frames
