"""Messages about a proposal: to the other owners and admins while it waits for one of them, and to its author when
it ends. The state is checked just before sending; the decision itself is made on the proposal's page.
"""

from msgspec.structs import replace

from signoff.core.directory.model import Person, ProposalEnd, StoredProposal
from signoff.core.directory.roles import ADMINS
from signoff.core.intent.notifications import NotificationKind
from signoff.core.plan.schedules import ADMIN
from signoff.core.text.times import local_time_text
from signoff.engine.admin.proposals import (
    CONFIRMED,
    WAITING,
    ProposalNotification,
    proposal_row,
    reasons,
    shown_in,
    state_of,
)
from signoff.engine.delivery.outbox_items import AdminNotification
from signoff.engine.delivery.recipients import channels_for
from signoff.engine.delivery.send_outcomes import NextChannel, Sent, Skipped
from signoff.engine.delivery.sender import Sender
from signoff.engine.directory.snapshot import Snapshot
from signoff.notify.channel import NotSent
from signoff.notify.personal_message import PersonalMessage
from signoff.store.tables.messages import ExpandedNotification
from signoff.store.transaction import OutboxRow

Found = tuple[StoredProposal, ProposalEnd | None]


class ProposalMessages(Sender[AdminNotification]):
    policy = ADMIN

    def describe(self, item: AdminNotification) -> str:
        return f"{next(iter(item.notification.channels), 'proposals')} to {item.notification.person}"

    async def send(self, item: AdminNotification) -> Sent | Skipped:
        """Send the row. A row without a person is replaced by one row per recipient."""
        row, notification = item.row, item.notification
        found = await self._store.people.proposal(row.workspace, row.intent)
        # the row about its expiry is written with the proposal; usually the proposal has ended otherwise by then
        if found is None or state_of(*found, self._clock.now()) != notification.state:
            return Skipped()
        directory = await self._directory.of(row.workspace)
        if not notification.person:
            await self._expand(row, notification, found, directory)
            return Sent()
        person = directory.people.get(notification.person)
        if person is None or not person.active:
            return Skipped()
        name = notification.channels[0]
        channel = self._channels.personal.get(name)
        to = (
            await self._channels.address(self._store, directory, name, person.id)
            if channel is not None
            else ""
        )
        if channel is None or not to:
            raise NotSent(f"the person no longer has an address for {name}", permanent=True)
        await channel.deliver(self._message(row, notification, found, person, to, directory))
        return Sent()

    async def _expand(
        self, row: OutboxRow, notification: ProposalNotification, found: Found, directory: Snapshot
    ) -> None:
        reach = await self._channels.addresses(self._store, directory)
        rows = [
            proposal_row(
                found[0], replace(notification, person=person.id, channels=channels), self._clock.now()
            )
            for person in _concerned(notification, found, directory)
            if person.active and (channels := channels_for(person, reach))
        ]
        await self._store.messages.expand([ExpandedNotification(row, rows, ())])

    async def next_channel(self, item: AdminNotification) -> str:
        return next(iter(item.notification.channels[1:]), "")

    async def switch(self, item: AdminNotification, outcome: NextChannel) -> None:
        found = await self._store.people.proposal(item.row.workspace, item.row.intent)
        rows = []
        if found is not None:
            notification = replace(item.notification, channels=item.notification.channels[1:])
            rows.append(proposal_row(found[0], notification, self._clock.now()))
        await self._store.messages.expand([ExpandedNotification(item.row, rows, ())])

    def _message(
        self,
        row: OutboxRow,
        notification: ProposalNotification,
        found: Found,
        person: Person,
        to: str,
        directory: Snapshot,
    ) -> PersonalMessage:
        proposal, end = found
        over, shown = notification.state != WAITING, shown_in(proposal)
        facts = [
            (
                "Proposed by",
                f"{directory.display(proposal.actor_id)}, {local_time_text(proposal.at, person.zone)}",
            ),
            ("Changes", ", ".join(f"{one.kind} {one.name}" for one in shown)),
            ("Relaxes", "; ".join(reasons(shown))),
        ]
        if end is not None:
            facts.append(
                ("Ended by", f"{directory.display(end.actor_id)}, {local_time_text(end.at, person.zone)}")
            )
        else:
            facts.append(
                ("Expired" if over else "Expires", local_time_text(proposal.expires_at, person.zone))
            )
        return PersonalMessage(
            id=row.id,
            kind=NotificationKind.MESSAGE,
            at=self._clock.now(),
            to=to,
            thread=proposal.id,
            headline=f"Your proposal: {notification.state}" if over else "A second admin is needed",
            question="Your proposed change to who decides" if over else "Confirm a change to who decides?",
            tone="" if not over else "good" if notification.state == CONFIRMED else "bad",
            facts=tuple(facts),
            closing="" if over else "Nothing changes until another owner or admin confirms it on its page.",
            link=f"{self._base_url()}/proposals/{proposal.id}",
            link_label="Review the change",
        )


def _concerned(notification: ProposalNotification, found: Found, directory: Snapshot) -> list[Person]:
    proposal, end = found
    if notification.state == WAITING:
        # without the author, who cannot confirm their own proposal
        return [
            person
            for person in directory.people.values()
            if person.id != proposal.actor_id and not ADMINS.isdisjoint(person.roles)
        ]
    proposer = directory.people.get(proposal.actor_id)
    # an author who withdraws their own proposal knows
    took_back = end is not None and end.actor_id == proposal.actor_id
    return [proposer] if proposer is not None and not took_back else []
