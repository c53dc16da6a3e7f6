"""Who hears of a proposed change: the other owners and admins when it waits for one of them, and whoever proposed it
when it ended. What is sent is true when it is sent; the decision itself is made on its page.
"""

import logging
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from signoff.core.directory.authorization import ADMINS
from signoff.core.directory.model import Person, ProposalEnd, StoredProposal
from signoff.core.errors import Busy
from signoff.core.intent.notifications import NotificationKind
from signoff.core.text.times import local_time_text
from signoff.engine.admin.proposals import CONFIRMED, WAITING, News, news_row, reasons, shown_in, state_of
from signoff.engine.clock import Clock
from signoff.engine.delivery.recipients import ways
from signoff.engine.delivery.retry_policy import NEWS, after
from signoff.engine.delivery.task_messages import Messenger
from signoff.engine.directory.snapshot import Directory, Snapshot
from signoff.notify.channel import NotSent
from signoff.notify.letter import Letter
from signoff.store.store import Store
from signoff.store.tables.messages import ExpandedNotification
from signoff.store.work import OutboxRow

log = logging.getLogger("signoff.proposals")

_NEWS = msgspec.json.Decoder(News)
Found = tuple[StoredProposal, ProposalEnd | None]


class ProposalNews:
    """Carries the outbox's rows about proposals: one becomes one for each person, each is sent until it arrived."""

    def __init__(
        self, store: Store, directory: Directory, messenger: Messenger, clock: Clock, base_url: Callable[[], str]
    ) -> None:  # fmt: skip
        self._store = store
        self._directory = directory
        self._messenger = messenger
        self._clock = clock
        self._base_url = base_url

    async def carry(self, row: OutboxRow) -> bool:
        """Whether this row is done with."""
        news = _NEWS.decode(row.notification)
        found = await self._store.people.proposal(row.workspace, row.intent)
        if found is None or state_of(*found, self._clock.now()) != news.state:
            return True
        directory = await self._directory.of(row.workspace)
        if not row.target:
            people = [person for person in _concerned(news, found, directory) if person.active]
            reach = await self._messenger.reach(directory)
            rows = [
                news_row(found[0], replace(news, person=person.id, ways=way), self._clock.now())
                for person in people
                if (way := ways(person, reach))
            ]
            await self._store.messages.expand([ExpandedNotification(row.id, rows, ())])
            return True
        return await self._sent(row, news, found, directory)

    async def _sent(self, row: OutboxRow, news: News, found: Found, directory: Snapshot) -> bool:
        person = directory.people.get(news.person)
        if person is None or not person.active:
            return True
        try:
            channel = self._messenger.channels.get(news.ways[0])
            to = (await self._messenger.reach(directory)).get(news.ways[0], {}).get(person.id, "")
            if channel is None or not to:
                raise NotSent(f"there is no {news.ways[0]} address any more", permanent=True)
            await channel.deliver(self._letter(row, news, found, person, to, directory))
        except NotSent as failure:
            return await self._failed(row, news, found, failure)
        except Busy:  # our own database's trouble says nothing about the channel
            raise
        except Exception:
            log.exception("channel %s broke", news.ways[0])
            broke = NotSent("the channel broke; see the server's log")
            return await self._failed(row, news, found, broke)
        return True

    async def _failed(self, row: OutboxRow, news: News, found: Found, failure: NotSent) -> bool:
        now, others = self._clock.now(), news.ways[1:]
        tried = row.attempts + 1
        retry = after(NEWS, tried, failure, other=bool(others))
        if retry is not None and not retry.counted:
            await self._store.outbox.back([row.id], now + retry.pause)
            return False
        log.warning("%s to %s: attempt %d failed: %s", news.ways[0], news.person, tried, failure.reason)
        if retry is not None:
            await self._store.outbox.again(row.id, now + retry.pause, failure.reason)
        elif others:
            instead = news_row(found[0], replace(news, ways=others), now)
            await self._store.messages.expand([ExpandedNotification(row.id, [instead], ())])
            return True
        else:
            await self._store.outbox.dead(row.id, failure.reason)
        return False

    def _letter(
        self, row: OutboxRow, news: News, found: Found, person: Person, to: str, directory: Snapshot
    ) -> Letter:
        proposal, end = found
        over, shown = news.state != WAITING, shown_in(proposal)
        facts = [
            (
                "Proposed by",
                f"{directory.display(proposal.actor_id)}, {local_time_text(proposal.at, person.zone)}",
            ),
            ("Changes", ", ".join(f"{one.kind} {one.name}" for one in shown)),
            ("Loosens", "; ".join(reasons(shown))),
        ]
        if end is not None:
            facts.append(
                ("Ended by", f"{directory.display(end.actor_id)}, {local_time_text(end.at, person.zone)}")
            )
        else:
            facts.append(
                ("Waited until" if over else "Waits until", local_time_text(proposal.expires_at, person.zone))
            )
        return Letter(
            id=row.id, kind=NotificationKind.MESSAGE, at=self._clock.now(), to=to, thread=proposal.id,
            headline=f"Your change of the rules: {news.state}" if over else "A second admin is needed",
            question="What became of it" if over else "Change the rules of who decides?",
            tone="" if not over else "good" if news.state == CONFIRMED else "bad", facts=tuple(facts),
            closing="" if over else "Nothing is changed until another owner or admin confirms it on its page.",
            link=f"{self._base_url()}/proposals/{proposal.id}", link_label="See the change",
        )  # fmt: skip


def _concerned(news: News, found: Found, directory: Snapshot) -> list[Person]:
    proposal, end = found
    if news.state == WAITING:
        return [
            person
            for person in directory.people.values()
            if person.id != proposal.actor_id and not ADMINS.isdisjoint(person.roles)
        ]
    proposer = directory.people.get(proposal.actor_id)
    took_back = end is not None and end.actor_id == proposal.actor_id
    return [proposer] if proposer is not None and not took_back else []
