"""How one kind of outbox row is sent, and what each result writes. Subclasses define what is specific to their kind."""

import hashlib
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from signoff.core.plan.schedules import RetryPolicy
from signoff.engine.clock import Clock
from signoff.engine.commit.engine import Engine
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.engine.delivery.send_outcomes import Dead, NextChannel, Retry, Sent, Skipped
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.engine.identity.sessions import Sessions
from signoff.store.store import Store
from signoff.store.tables.messages import SENT, SKIPPED, Message, SendResult
from signoff.store.transaction import OutboxRow


class _Item(Protocol):
    @property
    def row(self) -> OutboxRow: ...


Item = TypeVar("Item", bound=_Item)
Finished = SendResult | Message | None


class SenderContext(NamedTuple):
    """What the senders work with. ``base_url``: the address of this server's pages, for links."""

    store: Store
    directory: DirectoryCache
    clock: Clock
    base_url: Callable[[], str]
    channels: ChannelRegistry
    engine: Engine
    sessions: Sessions


class Sender(Generic[Item]):
    policy: RetryPolicy

    def __init__(self, context: SenderContext) -> None:
        self._store = context.store
        self._directory = context.directory
        self._clock = context.clock
        self._base_url = context.base_url
        self._channels = context.channels
        self._engine = context.engine
        self._sessions = context.sessions

    def policy_of(self, item: Item) -> RetryPolicy:
        return self.policy

    async def send(self, item: Item) -> Sent | Skipped:
        """Raises NotSent, WaitForEarlierError, or Busy of our own database."""
        raise NotImplementedError

    def describe(self, item: Item) -> str:
        """The channel and the recipient, for the log."""
        return f"{item.row.channel} to {item.row.target}"

    async def next_channel(self, item: Item) -> str:
        """The recipient's channel after this one, or ""."""
        return ""

    async def finished(self, item: Item, outcome: Sent | Skipped) -> Finished:
        """What to record when the row is deleted."""
        return None

    async def retry(self, item: Item, outcome: Retry) -> None:
        due_at = self._clock.now() + outcome.pause
        if outcome.counted:
            await self._store.outbox.again(item.row, due_at, outcome.reason)
        else:
            await self._store.outbox.back([item.row], due_at)

    async def dead(self, item: Item, outcome: Dead) -> bool:
        """Whether the failed row can be deleted, because no page needs it."""
        await self._store.outbox.dead(item.row, outcome.reason)
        return False

    async def switch(self, item: Item, outcome: NextChannel) -> None:
        """Replace this row with one for the next channel."""
        raise NotImplementedError


class RecordedSender(Sender[Item]):
    """Sends rows whose message has a record that people see: it gets each result."""

    async def finished(self, item: Item, outcome: Sent | Skipped) -> SendResult:
        row, now = item.row, self._clock.now()
        match outcome:
            case Sent(reference=reference, target=target):
                return SendResult(row.id, row.intent, SENT, row.attempts + 1, now, reference, target=target)
            case Skipped(reason=reason):
                return SendResult(row.id, row.intent, SKIPPED, row.attempts + 1, now, error=reason)

    async def retry(self, item: Item, outcome: Retry) -> None:
        if outcome.reason:
            tried = item.row.attempts + outcome.counted
            await self._store.messages.tried(item.row, tried, outcome.reason, self._clock.now())
        await super().retry(item, outcome)


def stable_id(*parts: object) -> str:
    """An id that depends only on the parts: an expansion that is repeated after a crash produces the same row."""
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
