"""Wiring: the only place that knows every part. Builds a server from its settings, starts and stops it in order."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from itertools import chain, repeat
from typing import Any, Final

from msgspec.structs import replace

from signoff import __version__
from signoff.channels import make_channels, make_console, make_slack
from signoff.config import Config, parse_hosts, parse_networks
from signoff.core.errors import Busy
from signoff.core.formats.manifest import EMAIL, SLACK
from signoff.core.text.durations import format_duration
from signoff.engine.admin.accounts import Accounts
from signoff.engine.admin.apply_manifest import ManifestApplier
from signoff.engine.admin.bulk_reassignment import BulkReassignment
from signoff.engine.admin.proposals import NEWS, Proposals
from signoff.engine.clock import Clock
from signoff.engine.commit.batch import Batch
from signoff.engine.commit.committer import Committer
from signoff.engine.commit.engine import Engine
from signoff.engine.commit.recent import Recent
from signoff.engine.commit.retention import Sweeper
from signoff.engine.commit.timekeeper import Timekeeper
from signoff.engine.commit.understaffed import Staffed
from signoff.engine.delivery.chat_answers import Chat
from signoff.engine.delivery.pipeline import Courier
from signoff.engine.delivery.proposal_messages import ProposalNews
from signoff.engine.delivery.signin_mail import MailedLinks
from signoff.engine.delivery.task_messages import Messenger
from signoff.engine.directory.snapshot import Directory
from signoff.engine.directory.workers import Workers
from signoff.engine.feed import Feed
from signoff.engine.identity.admission import Admission, KeyLimits
from signoff.engine.identity.keys import Keys
from signoff.engine.identity.sessions import Sessions
from signoff.engine.loop import Loop
from signoff.engine.planning.planner import Planner
from signoff.engine.read.view import View
from signoff.engine.rerun import Reruns
from signoff.store.database import ConnectionLost
from signoff.store.opening import open_store
from signoff.web.app import build_app
from signoff.web.state import AppState, Readiness, Settings

_REREAD_LISTENING: Final = 20.0
_REREAD_POLLING: Final = 0.5
_FINE_FOR: Final = 1.0
_DRAIN: Final = 5.0  # seconds in which the database has to take what is queued when the server ends
_SLOW: Final = 5.0
_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_log = logging.getLogger(__name__)
Line = Callable[[str], None]


class Server:
    """One server process: its store, its loops, its ASGI ``app``. ``start`` and ``stop`` may each be called once."""

    login_url: str = ""
    _fine_until = 0.0

    def __init__(self, config: Config, line: Line = print, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or Clock()
        self.base_url = config.base_url
        self._tasks: list[asyncio.Task[None]] = []
        self.served: asyncio.Task[None] | None = None
        self.store = open_store(
            config.database,
            wall=self.clock.wall,
            clock=self.clock.of,
            hear=self.clock.hear,
            listen=config.listen,
        )
        remote = not config.database.startswith("sqlite")
        listens = remote and config.listen
        self.feed = Feed(
            self.store.announce if listens else None,
            _REREAD_POLLING if remote and not listens else _REREAD_LISTENING,
        )
        self.recent = Recent(alone=not remote)
        self._channels = make_channels(config, self.clock)
        self._console = make_console(config, line)
        self.committer = self._make_committer(config.commit_workers if remote else 1)
        self.directory = Directory(self.store, self.feed)
        self.admission = Admission(_key_limits(config), self.store.intents.open_of)
        self.engine = Engine(self.committer, self.clock, self.directory, self.store, self.admission)
        self.keys = Keys(self.store, self.directory, self.clock)
        self.feed.watch(self.keys.notified)
        self.accounts = Accounts(
            self.store, self.directory, self.keys, self.clock, config.allow_private_callbacks
        )
        self.manifests = ManifestApplier(self.store, self.directory, self.clock, self.accounts)
        self.proposals = Proposals(self.store, self.directory, self.clock, self.manifests)
        self.sessions = Sessions(self.store, self.directory, self.keys, self.clock, config.session_lifetime)
        self.timekeeper = Timekeeper(self.engine, self.store)
        self.staffed = Staffed(self.engine, self.store, self.directory)
        self._make_messages(config)
        self.workers = Workers(self.store)
        self.sweeper = Sweeper(
            self.store, self.recent, self.clock, config.retention, config.retention_payloads
        )
        self._loops = [
            Loop("timekeeper", self.timekeeper.once),
            Loop("courier", self.courier.once, rest=0.02),
            Loop("sweeper", self.sweeper.once),
            Loop("workers", self.workers.once),
            Loop("staffed", self.staffed.once, rest=0.02),
        ]
        self.feed.watch(self._nudge)
        self.state = self._make_parts("postgresql" if remote else "sqlite")
        self.app = build_app(self.state)

    def _make_committer(self, lanes: int) -> Committer:
        return Committer(
            self.store,
            self._channels.route,
            self._published,
            lanes=lanes,
            limit=self.config.queue_limit,
            reply_life=self.config.idempotency_retention,
        )

    def _published(self, batch: Batch) -> None:
        self.recent.note(batch.changes, batch.payloads)
        self.feed.publish(batch.topics(), batch.changes)
        if self._console is not None:
            for change in batch.changes:
                for notification in change.notifications:
                    self._console.show(notification, self.base_url)

    def _make_messages(self, config: Config) -> None:
        """Everything that carries a notice to somebody outside."""
        self.messenger = Messenger(
            self.engine, self.store, self.directory, self.sessions, self.clock, self._channels.personal,
            lambda: self.base_url,
        )  # fmt: skip
        self.messenger.limit_reminders(config.max_reminders)
        self.courier = Courier(
            self.engine, self.store, self.directory, self.clock, self._channels, lambda: self.base_url,
            self.messenger,
        )  # fmt: skip
        news = ProposalNews(self.store, self.directory, self.messenger, self.clock, lambda: self.base_url)
        self.courier.also[NEWS] = news.carry
        self.mailed_links = MailedLinks(
            self.store, self.directory, self.sessions, self.clock, self._channels.personal.get(EMAIL),
            lambda: self.base_url,
        )  # fmt: skip
        self.accounts.mails = lambda: self.mailed_links.possible
        self.manifests.on_moved = self.mailed_links.tell_moved
        chat = Chat(SLACK, self.engine, self.store, self.keys, self.directory, self.clock)
        self.slack = make_slack(config, self._channels, chat, self.clock)

    def _make_parts(self, database: str) -> AppState:
        view = View(self.store, self.recent)
        return AppState(
            engine=self.engine,
            view=view,
            reruns=Reruns(self.engine, view),
            keys=self.keys,
            directory=self.directory,
            planner=Planner(self.store, self.directory),
            accounts=self.accounts,
            manifests=self.manifests,
            proposals=self.proposals,
            staffed=self.staffed,
            reassignments=BulkReassignment(self.engine, self.store, self.directory),
            sessions=self.sessions,
            mailed_links=self.mailed_links,
            slack=self.slack.desk if self.slack else None,
            channels=self._channels.set_up,
            clock=self.clock,
            admission=self.admission,
            feed=self.feed,
            workers=self.workers,
            settings=Settings(
                version=__version__,
                database=database,
                base_url=self.base_url,
                max_body=self.config.max_body,
                allowed_hosts=parse_hosts(self.config.allowed_hosts),
                trusted_proxies=parse_networks(self.config.trusted_proxies),
            ),
            readiness=self.readiness,
        )

    def known_as(self, base_url: str) -> None:
        """The address that people reach this server by, known for sure once it listens."""
        self.base_url = base_url
        self.state.settings = replace(self.state.settings, base_url=base_url)

    def _nudge(self, topic: str) -> None:
        if topic == "outbox":
            self._loops[1].nudge()
        elif topic.startswith("directory:"):
            self._loops[4].nudge()

    async def start(self) -> None:
        """Open the store (migrating it) and start the loops. Raises Refused or Busy with the reason."""
        await self._open()
        await self.store.listen(self.feed.hear)
        self._tasks = [asyncio.create_task(self.committer.run(lane)) for lane in range(self.committer.lanes)]
        self._tasks += [asyncio.create_task(loop.run()) for loop in self._loops]
        self._tasks.append(asyncio.create_task(self.feed.run()))
        if self.slack is not None and self.slack.socket is not None:
            self._tasks.append(asyncio.create_task(self.slack.socket.run()))

    async def _open(self) -> None:
        """Open the store; a database that does not answer yet, as one started beside us, is waited for a while.

        One that answers no (a wrong password, no such database, a newer schema) is not.
        """
        time = asyncio.get_running_loop().time
        wait = self.config.database_wait
        give_up = time() + wait.total_seconds()
        for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
            try:
                await self.store.open()
                break
            except ConnectionLost as lost:
                left = give_up - time()
                if left <= 0:
                    raise
                if pause == _PAUSES[0]:
                    shown = format_duration(wait), self.config.shown_database
                    _log.warning("Waiting up to %s for %s. %s", *shown, lost.message)
            await asyncio.sleep(min(pause, left))

    async def stop(self) -> None:
        """Finish what is queued, then let go of everything; what cannot be finished does not keep the store open."""
        self.state.stop()
        try:
            if self.slack is not None:
                await self.slack.desk.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN):
                    await self.committer.drain()
            await self._cancel(self._tasks)
            with contextlib.suppress(Busy, TimeoutError):
                async with asyncio.timeout(_DRAIN):
                    await self.courier.close()
            await self.mailed_links.close()
            for channel in self._channels.by_name.values():
                await channel.close()
            for personal in self._channels.personal.values():
                await personal.close()
        finally:
            await self.store.close()

    async def _cancel(self, tasks: list[asyncio.Task[None]]) -> None:
        """End them. One that the database holds up ends when its transaction does, but not much later than that."""
        for task in tasks:
            task.cancel()
        if tasks and (await asyncio.wait(tasks, timeout=_DRAIN))[1]:
            _log.error(
                "The database holds the server up at its end: what it was writing may or may not be written."
            )
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)

    async def until_stopped(self) -> None:
        """Wait until a signal has ended the HTTP side."""
        if self.served is not None:
            await self.served

    async def readiness(self) -> Readiness:
        """Whether the database answers and every loop turns."""
        details: dict[str, Any] = {loop.name: loop.state for loop in self._loops}
        details["queued"] = self.committer.queued
        held_up = self.committer.in_flight_for()
        details["commits"] = "ok" if held_up < _SLOW else f"one waits for the database since {held_up:.0f} s"
        try:
            if (
                asyncio.get_running_loop().time() >= self._fine_until
            ):  # whoever asks often does not make us write often
                await self.store.ping()
                self._fine_until = asyncio.get_running_loop().time() + _FINE_FOR
            details["database"] = "ok"
        except Busy as busy:
            details["database"] = busy.message
        ready = all(
            details[part] == "ok" for part in ("database", "commits", *(loop.name for loop in self._loops))
        )
        return Readiness(ready, details)


def _key_limits(config: Config) -> KeyLimits:
    return KeyLimits(
        rate=config.max_rate, rate_services=config.max_rate_services,
        streams=config.max_streams, streams_services=config.max_streams_services,
        open=config.max_open, open_services=config.max_open_services,
    )  # fmt: skip
