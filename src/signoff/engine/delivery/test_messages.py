"""Test messages show, before it matters, whether a channel reaches a person. They are sent through the outbox and
recorded, like any other message.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import msgspec

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Person
from signoff.core.errors import Conflict, Invalid
from signoff.core.intent.notifications import NotificationKind
from signoff.core.plan.schedules import TEST
from signoff.core.text.times import local_time_text
from signoff.engine.clock import Clock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.engine.delivery.outbox_items import TestDelivery, TestRequest
from signoff.engine.delivery.recipients import channels_for
from signoff.engine.delivery.send_outcomes import Dead, Sent, Skipped
from signoff.engine.delivery.sender import RecordedSender, stable_id
from signoff.engine.directory.snapshot import DirectoryCache, Snapshot
from signoff.engine.identity.rate_limit import Limit
from signoff.notify.channel import NotSent
from signoff.notify.personal_message import PersonalMessage
from signoff.notify.registry import label_of, personal_channels
from signoff.store.store import Store
from signoff.store.tables.messages import (
    FAILED,
    ExpandedNotification,
    InFlight,
    Message,
    SendResult,
)
from signoff.store.transaction import OutboxKind, OutboxRow

KIND: Final = "test"
_KEPT: Final = timedelta(days=7)
_WITHIN: Final = timedelta(minutes=10)


class TestMessageRequests:
    """Queues test messages: at most six to one person within ten minutes, and thirty from one caller."""

    __test__ = False

    def __init__(
        self,
        store: Store,
        directory: DirectoryCache,
        clock: Clock,
        channels: ChannelRegistry,
        queued: Callable[[], None] = lambda: None,
    ) -> None:
        """``queued``: called when a message has been put into the outbox."""
        self._store = store
        self._directory = directory
        self._clock = clock
        self._channels = channels
        self._queued = queued
        self._of_person, self._of_caller = Limit(6, _WITHIN), Limit(30, _WITHIN)
        # Attempts that the other workers of this server must know of.
        self.limits = (self._of_person, self._of_caller)

    async def send(self, actor: Actor, person: Person, channel: str = "") -> InFlight:
        """Queue a test message to this person; channel "" means the one that is tried first. Raises Forbidden,
        TooMany, or Invalid for a channel that cannot reach them.
        """
        authorize(actor, Action.TEST_MESSAGE, person)
        if not person.active:
            raise Conflict("person_inactive", f"{person.email} is inactive and gets no messages.")
        directory = await self._directory.of(actor.workspace)
        name = await self._chosen(person, channel)
        now = self._clock.now()
        for limit, key in ((self._of_caller, actor.id), (self._of_person, person.id)):
            limit.check(f"{actor.workspace}\0{key}", now)
        id = str(uuid.uuid4())
        about = _about(person)
        row = OutboxRow(
            id,
            actor.workspace,
            about,
            0,
            OutboxKind.TEST,
            name,
            person.id,
            msgspec.json.encode(TestRequest(person.id, actor.id, now)),
            now,
        )
        message = Message(
            id=id,
            workspace=actor.workspace,
            intent_id=about,
            visit=0,
            seq=0,
            kind=KIND,
            person=person.id,
            channel=name,
            at=now,
            called_at=now,
            target=await self._channels.address(self._store, directory, name, person.id),
        )
        await self._store.messages.start(row, message, now - _KEPT)
        self._queued()
        return InFlight(message, now)

    async def channels(self, person: Person) -> tuple[str, ...]:
        """The configured channels that reach this person, in the order in which they are tried."""
        directory = await self._directory.of(person.workspace)
        return channels_for(person, await self._channels.addresses(self._store, directory))

    async def _chosen(self, person: Person, channel: str) -> str:
        known = personal_channels().names
        if channel and channel not in known:
            raise Invalid(
                "unknown_channel",
                f"There is no channel {channel[:64]!r} to people.",
                field="channel",
                hint=f"One of: {', '.join(known)}.",
            )
        if channel and channel not in self._channels.personal:
            raise Invalid(
                "channel_not_set_up",
                f"{label_of(channel)} is not configured on this server.",
                field="channel",
                hint=f"Configured: {', '.join(self._channels.personal) or 'none'}.",
            )
        possible = await self.channels(person)
        if channel in possible or (not channel and possible):
            return channel or possible[0]
        what = label_of(channel) if channel else "any configured channel"
        raise Invalid(
            "no_address",
            f"{person.email} has no address in {what}.",
            field="channel",
            hint="Link an account at /me, or set an address: signoff people set EMAIL --address CHANNEL=ADDRESS.",
        )

    async def sent(self, actor: Actor, person: Person) -> list[InFlight]:
        """The test messages to this person within the last week, newest first."""
        authorize(actor, Action.TEST_MESSAGE, person)
        found = await self._store.messages.of_intent(_about(person))
        since = self._clock.now() - _KEPT
        mine = [one for one in found if one.message.called_at >= since]
        return sorted(mine, key=lambda one: one.message.called_at, reverse=True)


def _about(person: Person) -> str:
    """Used in place of an intent's id; the same for all test messages to one person."""
    return stable_id(KIND, person.workspace, person.id)


class TestMessages(RecordedSender[TestDelivery]):
    policy = TEST
    __test__ = False

    async def send(self, item: TestDelivery) -> Sent | Skipped:
        row = item.row
        channel = self._channels.personal.get(row.channel)
        if channel is None:
            raise NotSent(f"the channel {row.channel!r} is not configured", permanent=True)
        directory = await self._directory.of(row.workspace)
        person = directory.people.get(row.target)
        if person is None or not person.active:
            return Skipped("the person is inactive")
        to = await self._channels.address(self._store, directory, row.channel, person.id)
        if not to:
            raise NotSent(f"no {row.channel} address", permanent=True)
        return Sent(await channel.deliver(self._message(item, person, to, directory)), to)

    def _message(self, item: TestDelivery, person: Person, to: str, directory: Snapshot) -> PersonalMessage:
        space = directory.workspace
        return PersonalMessage(
            id=item.row.id,
            kind=NotificationKind.MESSAGE,
            at=self._clock.now(),
            to=to,
            thread=item.row.id,
            headline="A test message",
            question="Signoff can reach you here",
            facts=(
                ("For", f"{directory.display(person.id)}, in {space.organization}/{space.name}"),
                ("Sent by", directory.display(item.request.by)),
                ("When", local_time_text(item.request.at, person.zone)),
            ),
            closing="It does not ask for or decide anything.",
            link=f"{self._base_url()}/me",
            link_label="Your settings",
        )

    async def dead(self, item: TestDelivery, outcome: Dead) -> bool:
        row = item.row
        result = SendResult(
            row.id, row.intent, FAILED, row.attempts + 1, self._clock.now(), error=outcome.reason
        )
        await self._store.messages.fail(result, ExpandedNotification(row, (), ()), None, 0)
        return False
