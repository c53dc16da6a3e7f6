"""From the outbox to the channels. A row is reserved for a while, decoded once, sent, and deleted after the send:
at-least-once delivery, with a stable id in the message. After a failure the row is retried with growing pauses, moves
to the recipient's next channel, or becomes dead; this applies to every kind of row.

Sends are independent: an iteration waits for fast sends, while slow ones continue into the next iterations. A row that
cannot be decoded, or that causes an internal error, is set aside and does not block others.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, assert_never

from signoff.core.errors import Busy, Refused
from signoff.engine.delivery.concurrency import ConcurrencyLimiter, SaturatedError
from signoff.engine.delivery.nobody_reached import NobodyReachedReports
from signoff.engine.delivery.outbox_items import (
    AdminNotification,
    OutboxItem,
    PeopleNotification,
    PersonNotification,
    PushDelivery,
    ServiceNotification,
    SignInMail,
    TestDelivery,
    UnreachedTask,
    UnreadableRowError,
    decode,
)
from signoff.engine.delivery.proposal_messages import ProposalMessages
from signoff.engine.delivery.send_outcomes import (
    SET_ASIDE,
    SLOT_TAKEN,
    Dead,
    NextChannel,
    Outcome,
    Retry,
    Sent,
    Skipped,
    WaitForEarlierError,
    after_failure,
    waiting_pause,
)
from signoff.engine.delivery.sender import Sender, SenderContext
from signoff.engine.delivery.service_messages import AgentPushes, ServiceMessages
from signoff.engine.delivery.signin_mail import SignInMailer
from signoff.engine.delivery.task_messages import TaskMessages
from signoff.engine.delivery.test_messages import TestMessages
from signoff.engine.metrics import MESSAGES, Metrics
from signoff.notify.channel import NotSent
from signoff.notify.outbound.post import host_of
from signoff.store.tables.messages import Message, SendResult
from signoff.store.transaction import OutboxRow

log = logging.getLogger("signoff.delivery")

_BATCH: Final = 50
_MAX_SENDS: Final = 400
_MAX_PUSHES: Final = 200  # many users choose the URLs of pushes; the rest is left for messages to people
_MAX_COUNTED: Final = 10_000
_HOLD: Final = timedelta(seconds=60)
_PAUSE: Final = 1.0
_TURN: Final = 0.25
_RESULTS: Final[dict[type[Outcome], str]] = {
    Sent: "sent",
    Skipped: "skipped",
    Retry: "retry",
    NextChannel: "next_channel",
    Dead: "dead",
}
UNREADABLE: Final = "this release cannot read it"
INTERNAL_ERROR: Final = "internal error while sending; see the server's log"


class OutboxSender:
    def __init__(self, context: SenderContext, metrics: Metrics) -> None:
        self._store = context.store
        self._clock = context.clock
        self._metrics = metrics
        self.people = TaskMessages(context)
        self._nobody_reached = NobodyReachedReports(context)
        self._services = ServiceMessages(context)
        self._pushes = AgentPushes(context)
        self._admins = ProposalMessages(context)
        self._sign_in = SignInMailer(context)
        self._tests = TestMessages(context)
        self._limiter = ConcurrencyLimiter()
        self._sends: dict[asyncio.Task[None], OutboxItem] = {}
        # a row alone: it is finished, with nothing to record
        self._finished: list[SendResult | Message | OutboxRow] = []
        self._deferred: list[OutboxRow] = []
        self._set_aside: list[tuple[OutboxRow, str]] = []
        self._checks: dict[str, int] = {}  # by the id of a message that waits for an earlier one
        self._trouble: Busy | None = None

    async def once(self) -> float:
        """Send what is due; returns the seconds until the next row may be due."""
        room = _MAX_SENDS - len(self._sends)
        rows = await self._store.outbox.due(min(_BATCH, room), _HOLD) if room else []
        items = [item for row in rows if (item := self._decoded(row)) is not None]
        people = [item for item in items if isinstance(item, PeopleNotification)]
        begun = [
            task
            for item in items
            if not isinstance(item, PeopleNotification) and (task := await self._begin(item))
        ]
        if people:
            await self._expand(people)
        if begun or not room:
            await asyncio.wait(begun or self._sends, timeout=_TURN)
        await self._write()
        return 0.0 if rows or not room else _TURN if self._sends else _PAUSE

    def _decoded(self, row: OutboxRow) -> OutboxItem | None:
        try:
            return decode(row)
        except UnreadableRowError:
            log.warning("an outbox row (%s, %s) cannot be read by this release", row.id, row.channel)
            self._set_aside.append((row, UNREADABLE))
            return None

    async def _expand(self, items: Sequence[PeopleNotification]) -> None:
        """Expand rows in one transaction; if that fails, each in a separate one, so that a bad row does not block the
        others.
        """
        try:
            await self.people.recipients.expand(items)
        except Busy:
            raise
        except Exception as error:
            if len(items) == 1:
                self._fault(items[0].row, error)
                return
            for item in items:
                await self._expand([item])

    def _fault(self, row: OutboxRow, error: Exception) -> None:
        log.error("an outbox row (%s, %s) is set aside", row.id, row.channel, exc_info=error)
        self._set_aside.append((row, f"server error: {type(error).__name__}; see its log"))

    async def drain(self) -> None:
        """Wait until nothing is being sent."""
        while self._sends:
            await asyncio.wait(self._sends)
        await self._write()

    async def close(self, max_wait: float = 2.0) -> None:
        """Give sends in progress a moment to finish; the next server sends the rest again."""
        if self._sends:
            await asyncio.wait(self._sends, timeout=max_wait)
        await self._write()
        await self.abandon()

    async def abandon(self) -> None:
        """Drop sends in progress, as a crash would."""
        tasks = list(self._sends)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self) -> None:
        """Record finished rows in one commit, because separate commits would compete with requests for the disk."""
        finished, deferred = tuple(self._finished), tuple(self._deferred)
        if finished:
            await self._store.messages.end(
                [one for one in finished if isinstance(one, SendResult)],
                [one for one in finished if isinstance(one, OutboxRow)],
                [one for one in finished if isinstance(one, Message)],
            )
            del self._finished[: len(finished)]
        if deferred:
            await self._store.outbox.back(deferred, self._clock.now() + SLOT_TAKEN)
            del self._deferred[: len(deferred)]
        while self._set_aside:
            row, reason = self._set_aside[0]
            await self._store.outbox.aside(row, self._clock.now() + SET_ASIDE, reason)
            del self._set_aside[0]
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble

    async def _begin(self, item: OutboxItem) -> asyncio.Task[None] | None:
        """Start sending the row; None if too many sends to its target are already in progress."""
        target = await self._target(item)
        pushes = sum(isinstance(other, PushDelivery) for other in self._sends.values())
        if (isinstance(item, PushDelivery) and pushes >= _MAX_PUSHES) or not self._limiter.enter(target):
            self._deferred.append(item.row)
            return None

        def over(task: asyncio.Task[None]) -> None:
            del self._sends[task]
            self._limiter.exit(target)

        task = asyncio.create_task(self._run(item, target))
        self._sends[task] = item
        task.add_done_callback(over)
        return task

    async def _target(self, item: OutboxItem) -> str:
        """The target whose slots the row uses: a push's host, or the channel."""
        if not isinstance(item, PushDelivery):
            return item.row.channel
        with contextlib.suppress(NotSent, Refused):
            return f"push {host_of((await self._pushes.callback(item.row)).url)}"
        return "push"

    async def _run(self, item: OutboxItem, target: str) -> None:
        try:
            async with self._limiter.slot(target):
                await self._attempt(item)
        except SaturatedError:
            self._deferred.append(item.row)
        except (
            Busy
        ) as busy:  # an outage of our own database: reported by this iteration, and not counted as an attempt
            self._deferred.append(item.row)
            self._trouble = busy
        except Exception as error:  # an error of this row must not stop the others
            self._fault(item.row, error)

    async def _attempt(self, item: OutboxItem) -> None:
        sender = self._sender(item)
        outcome = await self._outcome(sender, item)
        # waiting for an earlier message does not count as an attempt
        if not isinstance(outcome, Retry) or outcome.counted:
            self._metrics.count(MESSAGES, (item.row.channel, _RESULTS[type(outcome)]))
        if not isinstance(outcome, Retry):
            self._checks.pop(item.row.id, None)
        match outcome:
            case Sent() | Skipped():
                self._finished.append(await sender.finished(item, outcome) or item.row)
            case Retry():
                await sender.retry(item, outcome)
            case NextChannel():
                await sender.switch(item, outcome)
            case Dead():
                if await sender.dead(item, outcome):
                    self._finished.append(item.row)
            case _:
                assert_never(outcome)

    def _sender(self, item: OutboxItem) -> Sender[Any]:
        match item:
            case PushDelivery():
                return self._pushes
            case ServiceNotification():
                return self._services
            case PersonNotification():
                return self.people
            case UnreachedTask():
                return self._nobody_reached
            case AdminNotification():
                return self._admins
            case SignInMail():
                return self._sign_in
            case TestDelivery():
                return self._tests
            case PeopleNotification():
                raise TypeError("expanded, not sent")
        assert_never(item)

    async def _outcome(self, sender: Sender[Any], item: OutboxItem) -> Outcome:
        row = item.row
        try:
            sent: Sent | Skipped = await sender.send(item)
            return sent
        except WaitForEarlierError:
            return Retry(waiting_pause(self._check(row.id)), counted=False)
        except NotSent as error:
            failure = error
        except Busy:
            raise
        except Exception:
            log.exception("the channel %s failed", row.channel)
            failure = NotSent(INTERNAL_ERROR)
        tried = row.attempts + 1
        outcome = after_failure(sender.policy_of(item), tried, failure, await sender.next_channel(item))
        if not isinstance(outcome, Retry) or outcome.counted:
            log.warning("%s: attempt %d failed: %s", sender.describe(item), tried, failure.reason)
        return outcome

    def _check(self, id: str) -> int:
        if len(self._checks) >= _MAX_COUNTED:
            self._checks.clear()
        self._checks[id] = self._checks.get(id, 0) + 1
        return self._checks[id]
