"""The values of a transaction: what it locks, what it finds, and what it writes.

Every transaction has the same steps, on both databases: lock and read what ``Locks`` names, pass the ``Loaded`` to
one synchronous callback, write the ``Writes`` that it returns, and commit.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, field

from signoff.core.intent.hash_chain import Sealed
from signoff.core.intent.model import Intent


class IdempotencyKey(Struct, gc=False, frozen=True):
    """An Idempotency-Key with its scope: the same key from another actor or on another route is a different key."""

    workspace: str
    actor: str
    route: str
    key: str


class StoredReply(Struct, gc=False, frozen=True):
    """The stored answer to an earlier request, and the fingerprint of that request."""

    fingerprint: str
    body: bytes


class ClaimableQuery(Struct, gc=False, frozen=True):
    """Asks for up to ``limit`` claimable deliveries of one agent, the longest waiting first."""

    workspace: str
    agent: str
    limit: int


class Locks(Struct, gc=False, frozen=True):
    """What to lock and read. ``claims``: claimable deliveries; ``due``: how many intents with a due timer;
    ``workspaces``: those whose last change is needed.
    """

    ids: tuple[str, ...] = ()
    once: tuple[IdempotencyKey, ...] = ()
    claims: ClaimableQuery | None = None
    due: int = 0
    workspaces: tuple[str, ...] = ()


class Loaded(Struct):
    """What was read. ``now``, and ``last_changes`` (the number of the last change to each workspace), were read after
    every lock was taken. The intents of ``claimable`` and ``due`` are in ``intents``.
    """

    now: datetime
    intents: dict[str, Intent]
    replies: dict[IdempotencyKey, StoredReply]
    claimable: list[str]
    due: list[str]
    last_changes: dict[str, int] = field(default_factory=dict)


class NewIntent(Struct, gc=False):
    """An intent's first state. ``fresh``: its open delivery is claimable and gets a cursor."""

    intent: Intent
    payload: bytes
    wake_at: datetime | None = None
    fresh: bool = False


class Changed(Struct, gc=False):
    """An intent's next state. ``fresh``: its open delivery is claimable again and gets a new cursor."""

    intent: Intent
    wake_at: datetime | None = None
    fresh: bool = False


class Resubmitted(Struct):
    """A revised payload. ``before``: the payload up to revision ``revision``, which stays readable; ``payload``: the
    new one.
    """

    intent: str
    revision: int
    before: bytes
    payload: bytes


class OutboxKind(StrEnum):
    """The type of an outbox row, which determines how its ``notification`` is decoded and who sends it."""

    PUSH = "push"
    SERVICE = "service"
    PEOPLE = "people"
    PERSON = "person"
    NOBODY_REACHED = "nobody_reached"
    ADMIN = "admin"
    SIGN_IN = "sign_in"
    TEST = "test"


class OutboxRow(Struct, gc=False):
    """One notification to one target over one channel, kept until it is sent or ``dead``. kind: an ``OutboxKind``, or
    one of a later release.
    """

    id: str
    workspace: str
    intent: str
    seq: int
    kind: str
    channel: str
    target: str
    notification: bytes
    due_at: datetime
    attempts: int = 0
    last_error: str = ""
    dead: bool = False


class NewStoredReply(Struct, gc=False):
    """The answer to store under a key, until ``expires_at``, and at least until ``life`` after ``intent`` has become
    final.
    """

    key: IdempotencyKey
    fingerprint: str
    body: bytes
    expires_at: datetime
    intent: str = ""
    life: timedelta = timedelta(0)


class SentDelivery(Struct, gc=False, frozen=True):
    """A delivery that is sent on its agent's stream, and its position there."""

    workspace: str
    agent: str
    intent: str
    cursor: int


class Writes(Struct):
    """The writes of one transaction. Each intent is in ``new`` or ``changed`` at most once.

    followed: agents (workspace, address) whose fresh deliveries are recorded as sent, because a stream of this
    process is about to send them; ``recorded``: those deliveries, with the cursors that the store gave them.
    """

    new: list[NewIntent] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    facts: list[Sealed] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    replies: list[NewStoredReply] = field(default_factory=list)
    revisions: list[Resubmitted] = field(default_factory=list)
    sent: list[SentDelivery] = field(default_factory=list)
    followed: set[tuple[str, str]] = field(default_factory=set)
    recorded: list[SentDelivery] = field(default_factory=list)


class Stored(Struct, gc=False, frozen=True):
    """An intent as read, with its plan and payload. ``forgotten``: whether the payload was deleted and replaced by an
    empty object.
    """

    intent: Intent
    payload: bytes
    forgotten: bool = False


class EventRow(Struct, gc=False, frozen=True):
    """One fact as stored: the hashed bytes, the erasable text (kept separately), and its hash in the chain."""

    seq: int
    body: bytes
    private: bytes | None
    hash: str


class Filter(Struct, frozen=True, kw_only=True):
    """Which intents of a workspace to list, newest first.

    involved: the requester or the addressee (an actor id or an address); before, after: only ids below or above this
    one; older_than, changed_since: only intents last updated before, or since, this time; oldest_first: reverse the
    order.
    """

    workspace: str
    statuses: tuple[str, ...] = ()
    type: str = ""
    requester: str = ""
    correlation: str = ""
    involved: str = ""
    before: str = ""
    after: str = ""
    older_than: datetime | None = None
    changed_since: datetime | None = None
    oldest_first: bool = False
    limit: int = 50


class CardOpening(Struct, frozen=True):
    """A person opened a task through a channel. ``times``: how often, at most once every ten minutes."""

    step_run: int
    person: str
    channel: str
    first_at: datetime
    last_at: datetime
    times: int
    unfolded: bool
