"""One transaction in memory: the locked intents, the effects of the jobs on them, and the rows to write."""

import os
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from signoff.core.directory.actors import Actor
from signoff.core.errors import Conflict, NotFound
from signoff.core.ids import uuid7
from signoff.core.intent.advance import Change, advance
from signoff.core.intent.commands import Command, Tick
from signoff.core.intent.eligibility import Membership
from signoff.core.intent.model import Delivery, DeliveryState, Intent
from signoff.core.intent.notifications import Notification
from signoff.core.intent.states import EFFECTS
from signoff.engine.feed import agent_topic, tasks_topic
from signoff.store.transaction import (
    Changed,
    IdempotencyKey,
    Loaded,
    NewIntent,
    NewStoredReply,
    OutboxKind,
    OutboxRow,
    Resubmitted,
    SentDelivery,
    StoredReply,
    Writes,
)

_ENCODER: Final = msgspec.json.Encoder()


# Maps a change to its notifications, with kind, channel and target of each outbox row that they need.
RouteChange = Callable[[Change], Iterable[tuple[Notification, tuple[OutboxKind, str, str]]]]


# Whether a stream of this process sends an agent's deliveries, by workspace and address.
Followed = Callable[[str, str], bool]


def nobody_follows(workspace: str, agent: str) -> bool:
    return False


class Batch:
    """Applies commands to the locked state; ``writes`` is then saved by the transaction."""

    def __init__(
        self, found: Loaded, route: RouteChange, reply_life: timedelta, followed: Followed = nobody_follows
    ) -> None:
        self.found = found
        self._route = route
        self._followed = followed
        self._reply_life = reply_life
        self._intents = dict(found.intents)  # the store compares what it writes with what it found
        self._new: dict[str, NewIntent] = {}
        self._changed: dict[str, Changed] = {}
        self._writes = Writes(new=[], changed=[], facts=[], outbox=[], replies=[])
        self._topics: dict[str, None] = {}
        self.changes: list[Change] = []
        self.payloads: dict[str, bytes] = {}  # by intent, where it is new

    @property
    def now(self) -> datetime:
        return self.found.now

    def last_change(self, workspace: str) -> int | None:
        """The number of the last change to a workspace's directory; None if no job of the batch needed it."""
        return self.found.last_changes.get(workspace)

    def replay(self, key: IdempotencyKey, fingerprint: str) -> bytes | None:
        """The stored answer for this key; None if the key is new. Raises Conflict if another request used it."""
        known = self.found.replies.get(key)
        if known is None:
            return None
        if known.fingerprint != fingerprint:
            raise Conflict(
                "idempotency_conflict",
                "This Idempotency-Key has already been used for another request.",
                hint="Use a new key for a new request.",
            )
        return known.body

    def remember(self, key: IdempotencyKey, fingerprint: str, body: bytes, intent: str) -> None:
        """Store the answer about an intent, for the next request with the same key (in this batch or later)."""
        # a repeated request may be in the same batch
        self.found.replies[key] = StoredReply(fingerprint, body)
        life = self._reply_life
        self._writes.replies.append(NewStoredReply(key, fingerprint, body, self.now + life, intent, life))

    def intent(self, intent_id: str) -> Intent:
        """The locked intent, with the changes that the batch has made so far."""
        intent = self._intents.get(intent_id)
        if intent is None:
            raise NotFound("intent_not_found", f"There is no intent {intent_id}.")
        return intent

    def holds(self, intent_id: str) -> bool:
        """Whether this intent exists."""
        return intent_id in self._intents

    def create(
        self, actor: Actor, command: Command, payload: bytes, membership: Membership | None = None
    ) -> Change:
        # no entropy: a submission has no personal text to salt
        change = advance(actor, None, command, self.now, b"", membership)
        after = change.after
        self._new[after.id] = NewIntent(after, payload, change.wake_at, change.fresh)
        self.payloads[after.id] = payload
        self._note(change)
        return change

    def change(
        self, actor: Actor, intent: Intent, command: Command, membership: Membership | None = None
    ) -> Change:
        """Apply a command to one intent; a command without effect writes nothing. A tick always writes: an intent
        whose timer was too early (because the rules of its time zone have changed) would otherwise stay due, ahead of
        all others.
        """
        personal = getattr(command, "comment", "") or getattr(command, "viewed", None)
        salt = os.urandom(16) if personal else b""  # personal data is salted
        change = advance(actor, intent, command, self.now, salt, membership)
        after = change.after
        if not change.facts and after == intent and not isinstance(command, Tick):
            return change
        # the row is written once for all jobs of the batch: insert it in its last state, or update it once
        if after.id in self._new:
            known = self._new[after.id]
            self._new[after.id] = NewIntent(after, known.payload, change.wake_at, _claimable(after))
        else:
            earlier = self._changed.get(after.id)
            # made claimable by one job and claimed by another of the same batch: nothing to announce
            fresh = change.fresh or (earlier is not None and earlier.fresh and _claimable(after))
            self._changed[after.id] = Changed(after, change.wake_at, fresh)
        self._note(change)
        return change

    def resubmit(self, revision: Resubmitted) -> None:
        """Store a revision's payload with its change."""
        self._writes.revisions.append(revision)
        self.payloads[revision.intent] = revision.payload

    def record_sent(self, sent: Iterable[SentDelivery]) -> None:
        self._writes.sent.extend(sent)

    def postpone(self, intent: Intent, by: timedelta) -> None:
        """Reschedule an intent whose timer had no effect."""
        self._changed[intent.id] = Changed(intent, self.now + by, False)

    def _note(self, change: Change) -> None:
        self.changes.append(change)
        after = change.after
        self._intents[after.id] = after
        self._writes.facts.extend(change.facts)
        self._topics[after.id] = None
        if change.fresh and isinstance(after.open, Delivery):
            agent = (after.workspace, after.open.agent)
            self._topics[agent_topic(*agent)] = None
            # saves the commit that would record it as sent when a stream of this process reads it
            if self._followed(*agent):
                self._writes.followed.add(agent)
        if any(EFFECTS[type(sealed.fact.event)].lists for sealed in change.facts):
            self._topics[tasks_topic(after.workspace)] = None
        for notification, (kind, channel, target) in self._route(change):
            # ordered by time, so that the table's index grows at one end
            millis = int(self.now.timestamp() * 1000)
            self._writes.outbox.append(
                OutboxRow(
                    id=uuid7(millis, os.urandom(10)),
                    workspace=notification.workspace,
                    intent=notification.intent,
                    seq=notification.seq,
                    kind=kind,
                    channel=channel,
                    target=target,
                    notification=_ENCODER.encode(notification),
                    due_at=self.now,
                )
            )

    @property
    def recorded(self) -> list[SentDelivery]:
        """The new deliveries that the batch recorded as sent; known once it is committed."""
        return self._writes.recorded

    def writes(self) -> Writes:
        self._writes.new = list(self._new.values())
        self._writes.changed = list(self._changed.values())
        return self._writes

    def topics(self) -> list[str]:
        """The topics to publish once this is committed."""
        if self._writes.outbox:
            self._topics["outbox"] = None
        return list(self._topics)


def _claimable(intent: Intent) -> bool:
    return (
        isinstance(intent.open, Delivery)
        and intent.open.state is DeliveryState.OFFERED
        and not intent.open.push
    )
