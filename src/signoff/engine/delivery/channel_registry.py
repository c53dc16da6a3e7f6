"""The configured channels and their declarations: how notifications are routed, and people's addresses."""

from collections.abc import Iterable, Mapping
from typing import cast

from signoff.core.directory.approver_names import TEAM
from signoff.core.directory.model import Person, Team
from signoff.core.intent.advance import Change
from signoff.core.intent.events import Offered
from signoff.core.intent.notifications import PERSONAL, Notification, NotificationKind
from signoff.engine.directory.snapshot import Snapshot
from signoff.notify import registry
from signoff.notify.channel import (
    AddressSource,
    Channel,
    ChannelDeclaration,
    ChannelKind,
    PersonalChannel,
    PushChannel,
    ServiceChannel,
)
from signoff.store.store import Store
from signoff.store.transaction import OutboxKind

OutboxTarget = tuple[OutboxKind, str, str]
RoutedNotification = tuple[Notification, OutboxTarget]
# channel -> person -> address, in the order in which channels are tried.
Reach = Mapping[str, Mapping[str, str]]
_PUSH = frozenset(one.name for one in registry.CHANNELS if one.kind is ChannelKind.PUSH)


class ChannelRegistry:
    """``opened``: the channels that are configured, by name."""

    def __init__(self, opened: Mapping[str, Channel] | None = None) -> None:
        self.opened = dict(opened or {})
        self.declared = {one.name: one for one in registry.CHANNELS}

    def _of(self, kind: ChannelKind) -> dict[str, Channel]:
        return {
            one.name: self.opened[one.name]
            for one in self.declared.values()
            if one.kind is kind and one.name in self.opened
        }

    @property
    def personal(self) -> dict[str, PersonalChannel]:
        return cast(dict[str, PersonalChannel], self._of(ChannelKind.PERSONAL))

    @property
    def services(self) -> dict[str, ServiceChannel]:
        return cast(dict[str, ServiceChannel], self._of(ChannelKind.SERVICE))

    @property
    def push(self) -> PushChannel | None:
        return cast(PushChannel | None, next(iter(self._of(ChannelKind.PUSH).values()), None))

    @property
    def configured(self) -> tuple[str, ...]:
        """The names of the channels that send to people and services."""
        return (*self.personal, *self.services)

    @property
    def linked(self) -> tuple[str, ...]:
        """The channels in which people link an account."""
        return tuple(name for name in self.personal if self.declared[name].address is AddressSource.LINK)

    @property
    def rewriting(self) -> tuple[str, ...]:
        """The channels that can change a message after sending it to a person."""
        return tuple(name for name in self.personal if self.declared[name].rewrites)

    def routes(self, change: Change) -> list[RoutedNotification]:
        """The notifications of a change, each repeated for every outbox row that it needs."""
        if self.opened.keys() <= _PUSH and not _pushes(change):
            return []
        return [(one, route) for one in change.notifications for route in self.route(one)]

    def route(self, notification: Notification) -> list[OutboxTarget]:
        """The kind, channel and target of each outbox row that this notification needs."""
        if notification.kind is NotificationKind.PUSH:
            return [(OutboxKind.PUSH, "push", notification.to[0])]
        if not self.opened or (notification.kind is NotificationKind.PROGRESS and not self.rewriting):
            return []
        ending = notification.kind is NotificationKind.FINISHED
        routes: list[OutboxTarget] = []
        if notification.kind not in PERSONAL:
            routes += [
                (OutboxKind.SERVICE, name, target)
                for name, channel in self.services.items()
                if self.declared[name].endings or not ending
                for target in channel.targets
            ]
        if self.personal and not ending:
            routes.append((OutboxKind.PEOPLE, "people", ""))
        return routes

    async def addresses(self, store: Store, directory: Snapshot, names: Iterable[str] = ()) -> Reach:
        """The addresses of a workspace's people in each configured personal channel, or in the named ones; also of
        its teams' rooms and mailboxes, by ``team:NAME``.
        """
        return {
            name: await self._addresses_in(self.declared[name], store, directory)
            for name in names or self.personal
        }

    async def _addresses_in(
        self, channel: ChannelDeclaration, store: Store, directory: Snapshot
    ) -> Mapping[str, str]:
        shared = {
            f"{TEAM}{team.name}": place
            for team in directory.teams.values()
            if (place := _shared(channel, team))
        }
        if channel.address is AddressSource.LINK:
            linked = await store.chats.people(channel.name, directory.workspace.id)
            return {person: link.account for person, link in linked.items()} | shared
        people = directory.people.values()
        own = {person.id: address for person in people if (address := _entered(channel, person))}
        return own | shared

    async def address(self, store: Store, directory: Snapshot, name: str, person: str) -> str:
        """Where a message to this person goes; "" if the channel does not reach them."""
        channel = self.declared[name]
        if person.startswith(TEAM):
            team = directory.teams.get(person.removeprefix(TEAM))
            return _shared(channel, team) if team is not None else ""
        if channel.address is AddressSource.LINK:
            return (await self._addresses_in(channel, store, directory)).get(person, "")
        return _entered(channel, directory.people[person])

    async def close(self) -> None:
        for channel in self.opened.values():
            await channel.close()


def _shared(channel: ChannelDeclaration, team: Team) -> str:
    """The team's room in this chat, or its shared mailbox; "" if it has none."""
    if channel.address is AddressSource.EMAIL:
        return team.mailbox
    chat, _, room = team.channel.partition(":")
    return room if channel.room and chat == channel.name else ""


def _entered(channel: ChannelDeclaration, person: Person) -> str:
    own = person.addresses.get(channel.name, "")
    return own or (person.email if channel.address is AddressSource.EMAIL else "")


def _pushes(change: Change) -> bool:
    for sealed in change.facts:
        event = sealed.fact.event
        if isinstance(event, Offered) and event.push:
            return True
    return False
