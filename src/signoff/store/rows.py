"""Converts rows of intents, facts and outbox to values and back.

An intent's ``state`` is its JSON without the values in separate columns: its id, its plan and the plan's digest. Many
intents share a plan, so it is stored once under its digest, and decoded plans are cached.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final

import msgspec

from signoff.core.ids import shard
from signoff.core.intent.hash_chain import Sealed
from signoff.core.intent.model import Delivery, DeliveryState, Intent, Task, last_decision
from signoff.core.intent.wake import ends_at
from signoff.core.intent.worklist import keys_of
from signoff.core.plan.plan import NO_PLAN, Plan
from signoff.store import sql
from signoff.store.transaction import EventRow, NewStoredReply, OutboxRow, SentDelivery, Stored

Row = Sequence[Any]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STATE = msgspec.json.Encoder()
_INTENT = msgspec.json.Decoder(Intent, float_hook=float)
_PLAN_OUT = msgspec.json.Encoder(order="sorted")
_PLAN_IN = msgspec.json.Decoder(Plan, float_hook=float)
_replace = msgspec.structs.replace


def by_id(intent_id: str) -> dict[str, Any]:
    """The parameters of a statement about one intent: a distributed database finds its rows by both."""
    return by_row(intent_id, intent_id)


def by_ids(intent_ids: Iterable[str]) -> dict[str, Any]:
    """The parameters of a statement about several intents."""
    return by_rows((id, id) for id in intent_ids)


def by_row(id: str, intent_id: str) -> dict[str, Any]:
    """The parameters of a statement about one row of the outbox or of the messages, which belongs to this intent."""
    return {"id": id, "shard": shard(intent_id)}


def by_rows(rows: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The parameters of a statement about several such rows, each given with the intent to which it belongs."""
    found = tuple(rows)
    return {"ids": [id for id, _ in found], "shards": sorted({shard(intent) for _, intent in found})}


def micros(at: datetime) -> int:
    """A time as stored: microseconds since 1970 UTC."""
    since = at - _EPOCH
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(value: int) -> datetime:
    """The aware UTC datetime of ``micros``."""
    return _EPOCH + timedelta(microseconds=value)


def maybe_moment(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)


def encode_plan(plan: Plan) -> bytes:
    """The canonical encoding of a plan, which is the input of its digest."""
    return _PLAN_OUT.encode(plan)


def plan_digest(plan: Plan) -> str:
    """SHA-256 of ``encode_plan``, 64 hex digits."""
    return hashlib.sha256(encode_plan(plan)).hexdigest()


# How long a server trusts that a plan that it wrote still exists; after that it reads the plan again.
TRUST: Final = timedelta(minutes=10)


class Plans:
    """A cache of decoded plans by digest; the least recently used is dropped first.

    Every plan in it was once in the database. Only ``kept`` says whether it still is, because another server may delete
    a plan that nothing refers to.
    """

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._plans: dict[str, Plan] = {}
        self._kept_at: dict[str, datetime] = {}
        self._lock = Lock()

    def get(self, digest: str) -> Plan | None:
        with self._lock:
            plan = self._plans.pop(digest, None)
            if plan is not None:
                self._plans[digest] = plan
            return plan

    def put(self, digest: str, plan: Plan, kept_at: datetime | None = None) -> None:
        """kept_at: the time of the committed transaction that wrote it."""
        with self._lock:
            self._plans[digest] = plan
            if kept_at is not None:
                self._kept_at[digest] = kept_at
            if len(self._plans) > self._limit:
                oldest = next(iter(self._plans))
                del self._plans[oldest]
                self._kept_at.pop(oldest, None)

    def kept(self, digest: str, now: datetime) -> bool:
        """Whether an intent may refer to the plan without writing the plan again."""
        with self._lock:
            kept_at = self._kept_at.get(digest)
        return kept_at is not None and kept_at <= now < kept_at + TRUST

    def known(self, digests: set[str]) -> dict[str, Plan]:
        """The ``digests`` that are cached."""
        plans = {digest: self.get(digest) for digest in digests}
        return {digest: plan for digest, plan in plans.items() if plan is not None}

    def learn(self, rows: Sequence[Row]) -> dict[str, Plan]:
        """Add rows (digest, body)."""
        plans = {digest: _PLAN_IN.decode(body) for digest, body in rows}
        for digest, plan in plans.items():
            self.put(digest, plan)
        return plans


def intent_of(row: Row, plans: dict[str, Plan]) -> Intent:
    """Decode (id, plan, state, ...)."""
    id, digest, state = row[0], row[1], row[2]
    return _replace(_INTENT.decode(state), id=id, plan=plans[digest], plan_digest=digest)


class LastStates:
    """A cache of the intents that this process has written or received last, with their rows. An intent that is
    locked with the same row need not be decoded again. Nothing has to be dropped when another server writes,
    because the row then differs.
    """

    def __init__(self, limit: int = 512) -> None:
        self._limit = limit
        self._written: dict[str, tuple[bytes, Intent]] = {}

    def note(self, intent: Intent, state: bytes) -> None:
        self._written.pop(intent.id, None)
        if len(state) > _LARGEST:
            return
        self._written[intent.id] = state, intent
        if len(self._written) > self._limit:
            del self._written[next(iter(self._written))]

    def state_of(self, intent: Intent) -> bytes:
        """The ``state`` column; not encoded again if this state was the last one written."""
        written = self._written.get(intent.id)
        return written[0] if written is not None and written[1] is intent else state_of(intent)

    def intent_of(self, row: Row, plans: dict[str, Plan]) -> Intent:
        """Decode (id, plan, state, ...)."""
        written = self._written.get(row[0])
        if written is not None and written[0] == row[2] and written[1].plan_digest == row[1]:
            return written[1]
        return intent_of(row, plans)


_LARGEST: Final = 32 * 1024
STATE: Final = tuple(sql.CHANGES.columns).index("state")


# The exceptions that ``intent_of`` raises for a damaged row or a missing plan.
UNREADABLE: Final = (msgspec.DecodeError, KeyError)


def readable(row: Row, plans: dict[str, Plan]) -> bool:
    """Whether (id, plan, state, ...) contains an intent."""
    try:
        intent_of(row, plans)
    except UNREADABLE:
        return False
    return True


def ready_agent(intent: Intent) -> str | None:
    """The agent that may claim this intent's open delivery; None if there is none or it is pushed."""
    step = intent.open
    return (
        step.agent
        if isinstance(step, Delivery) and step.state is DeliveryState.OFFERED and not step.push
        else None
    )


def changed_row(intent: Intent, wake_at: datetime | None, cursor: int | None) -> tuple[Any, ...]:
    """The row in the order of ``sql.CHANGES``."""
    return (
        intent.id,
        intent.status,
        intent.waiting,
        intent.workspace,
        ready_agent(intent),
        cursor,
        micros(intent.updated_at),
        None if wake_at is None else micros(wake_at),
        intent.seq,
        intent.head,
        state_of(intent),
        shard(intent.id),
    )


def state_of(intent: Intent) -> bytes:
    """The ``state`` column."""
    return _STATE.encode(_replace(intent, id="", plan=NO_PLAN, plan_digest=""))


def intent_row(intent: Intent, wake_at: datetime | None, cursor: int | None) -> tuple[Any, ...]:
    """The row in the order of ``sql.INTENTS``."""
    return (
        *changed_row(intent, wake_at, cursor),
        intent.type,
        intent.requester.id,
        intent.to_agent or None,
        intent.reply_to or None,
        micros(intent.created_at),
        intent.plan_digest,
        intent.correlation_id or None,
    )


_NEVER: Final = 253402214400000000


def rank_of(intent: Intent) -> int:
    """The rank of the intent's open task in lists: by deadline; tasks without one come after the others,
    by opening time.
    """
    task = intent.open
    if not isinstance(task, Task):
        return 0
    due = ends_at(intent, task)
    return _NEVER + micros(task.opened_at) if due is None else micros(due)


def _sides(intent: Intent) -> tuple[Any, ...]:
    """The parts of the intent other than the task that determine the keys and the rank of an open task and may
    change.
    """
    return intent.editors, intent.approving_editors, intent.deadline_at


def worklist_rows(before: Intent | None, after: Intent) -> tuple[list[Row], list[Row]]:
    """Return the rows of ``sql.CLOSED`` and ``sql.WORKLIST`` that a change removes from the index of open tasks and
    adds to it.
    """
    old = before.open if before is not None else None
    if not (isinstance(old, Task) or isinstance(after.open, Task)):
        return [], []
    if before is not None and after.open is old and _sides(after) == _sides(before):
        return [], []
    gone = keys_of(before) if before is not None else frozenset[str]()
    keys, rank = keys_of(after), rank_of(after)
    at = shard(after.id)
    fresh = keys if before is None or rank != rank_of(before) else keys - gone
    return (
        [(at, after.workspace, key, after.id) for key in sorted(gone - keys)],
        [(at, after.workspace, key, after.id, rank) for key in sorted(fresh)],
    )


def decided_rows(intent: Intent) -> list[Row]:
    """The row in the order of ``sql.DECIDED``, if a task of the intent was decided."""
    last = last_decision(intent)
    if last is None:
        return []
    place = (intent.id, shard(intent.id), intent.workspace)
    return [(*place, intent.type, intent.requester.id, micros(last[0]))]


def fact_row(sealed: Sealed) -> tuple[Any, ...]:
    """The row in the order of ``sql.EVENTS``."""
    fact = sealed.fact
    return fact.intent, fact.seq, shard(fact.intent), sealed.body, sealed.private, sealed.hash


def reply_row(reply: NewStoredReply) -> tuple[Any, ...]:
    """The row in the order of ``sql.REPLIES``."""
    key = reply.key
    expires_at = micros(reply.expires_at)
    return (
        key.workspace,
        key.actor,
        key.route,
        key.key,
        reply.fingerprint,
        reply.body,
        expires_at,
        reply.intent or None,
        shard(reply.intent) if reply.intent else None,
        reply.life // timedelta(microseconds=1),
    )


def sent_row(sent: SentDelivery) -> tuple[Any, ...]:
    """The row in the order of ``sql.SENT``."""
    return sent.workspace, sent.agent, sent.intent, shard(sent.intent), sent.cursor


def outgoing_row(out: OutboxRow) -> tuple[Any, ...]:
    """The row in the order of ``sql.OUTBOX``."""
    return (
        out.id,
        shard(out.intent),
        out.workspace,
        out.intent,
        out.seq,
        out.kind,
        out.channel,
        out.target,
        out.notification,
        micros(out.due_at),
        out.attempts,
        out.last_error,
        int(out.dead),
    )


def outgoing(row: Row) -> OutboxRow:
    """Decode a row of ``sql.OUTBOX_COLUMNS``."""
    id, workspace, intent, seq, kind, channel, target, notification, due_at, attempts, error, dead = row
    at = from_micros(due_at)
    return OutboxRow(
        id, workspace, intent, seq, kind, channel, target, notification, at, attempts, error, bool(dead)
    )


def stored(row: Row, plans: dict[str, Plan]) -> Stored:
    """Decode (id, plan, state, payload, ...)."""
    return Stored(intent_of(row, plans), row[3] or b"{}", forgotten=not row[3])


def event_row(row: Row) -> EventRow:
    """Decode a row of ``sql.HISTORY``."""
    return EventRow(*row)
