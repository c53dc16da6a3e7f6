"""The components of a server, built from its settings and connected to each other. ``server.py`` starts and stops
them.

Tests also build their environments with it, with their own clock and channels, and step the loops with ``once``.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from signoff import __version__
from signoff.channels import make_console, make_desks, open_channels
from signoff.config import Config, parse_hosts, parse_networks
from signoff.core.errors import Busy
from signoff.core.intent.notifications import Notification, with_values
from signoff.engine.admin.accounts import Accounts
from signoff.engine.admin.apply_manifest import ManifestApplier
from signoff.engine.admin.bulk_reassignment import BulkReassignment
from signoff.engine.admin.erasure import PersonErasure
from signoff.engine.admin.kill_switch import KillSwitch
from signoff.engine.admin.proposals import Proposals
from signoff.engine.admin.workspaces import Workspaces
from signoff.engine.bulk_answers import BulkAnswers
from signoff.engine.card_openings import CardOpenings
from signoff.engine.clock import Clock
from signoff.engine.commit.batch import Batch
from signoff.engine.commit.committer import Committer
from signoff.engine.commit.decision_log import log_decisions
from signoff.engine.commit.engine import Engine
from signoff.engine.commit.recent import RecentCommits
from signoff.engine.commit.retention import RetentionLoop
from signoff.engine.commit.timekeeper import Timekeeper
from signoff.engine.commit.understaffed_checks import UnderstaffedChecks
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.engine.delivery.chat_answers import Chat
from signoff.engine.delivery.pipeline import OutboxSender
from signoff.engine.delivery.sender import SenderContext
from signoff.engine.delivery.signin_mail import MAIL, SignInRequests
from signoff.engine.delivery.test_messages import TestMessageRequests
from signoff.engine.directory.agent_usage import AgentUsage
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.engine.directory.workers import Workers
from signoff.engine.feed import Feed
from signoff.engine.identity.admission import Admission, KeyLimits
from signoff.engine.identity.device_logins import DeviceLogins
from signoff.engine.identity.keys import Keys
from signoff.engine.identity.sessions import Sessions
from signoff.engine.loop import Loop
from signoff.engine.metrics import IN_FLIGHT, LOOPS, QUEUED, STREAMS, Metrics, Snapshot
from signoff.engine.off_loop import OffLoop
from signoff.engine.planning.planner import Planner
from signoff.engine.read.lists import Lists
from signoff.engine.read.totals import ServiceTotals
from signoff.engine.read.view import View
from signoff.engine.rerun import Reruns
from signoff.engine.siblings import LEADER, Siblings
from signoff.engine.tracing import Tracer
from signoff.store.store import Store
from signoff.web.app import build_app
from signoff.web.state import AppState, Readiness, WebSettings

_REREAD_LISTENING: Final = 20.0
_REREAD_POLLING: Final = 0.5
_FINE_FOR: Final = 1.0
_SLOW: Final = 5.0
Line = Callable[[str], None]


class Components:
    """One server's components, on a store that the caller opens and closes. ``app``: the ASGI application.

    ``channels``: by default those of the settings; ``line``: prints a line to the terminal, None if there is none.
    """

    _fine_until = 0.0

    def __init__(
        self,
        config: Config,
        store: Store,
        clock: Clock,
        channels: ChannelRegistry | None = None,
        line: Line | None = print,
        siblings: Siblings | None = None,
    ) -> None:
        self.config = config
        self.siblings = siblings
        self.store = store
        self.clock = clock
        self.base_url = config.base_url
        self.channels = channels or open_channels(config, clock)
        self._console = make_console(config, line)
        remote = not config.database.startswith("sqlite")
        leads = siblings is None or siblings.leads
        listening = remote and config.listen
        self.feed = Feed(
            store.announce if listening and leads else None,
            _REREAD_POLLING if remote and not listening else _REREAD_LISTENING,
        )
        self.recent = RecentCommits(
            alone=not remote and siblings is None, receives_commits=self._receives_commits
        )
        self.off_loop = OffLoop()
        self.metrics = Metrics()
        self.tracer = Tracer(config.otel_endpoint, __version__) if config.otel_endpoint else None
        self.committer = Committer(
            store,
            self.channels.routes,
            self._published,
            workers=config.commit_workers if remote else 1,
            limit=config.queue_limit,
            reply_life=config.idempotency_retention,
            metrics=self.metrics,
            followed=self.feed.followed,
        )
        self.directory = DirectoryCache(store, self.feed)
        self.planner = Planner(store, self.directory)
        self.admission = Admission(_key_limits(config), store.intents.open_of)
        self.engine = Engine(self.committer, clock, self.directory, store, self.recent, self.admission)
        self.keys = Keys(store, self.directory, clock)
        self.feed.watch(self.keys.notified, "directory")
        self.accounts = Accounts(store, self.directory, self.keys, clock, config.allow_private_callbacks)
        self.kill_switch = KillSwitch(self.accounts, self.engine, store)
        self.understaffed_checks = UnderstaffedChecks(self.engine, store, self.directory)
        self.manifests = ManifestApplier(
            store, self.directory, clock, self.accounts, self.understaffed_checks
        )
        self.proposals = Proposals(store, self.directory, clock, self.manifests)
        self.sessions = Sessions(store, self.directory, self.keys, clock, config.session_lifetime)
        self.device_logins = DeviceLogins(store, self.keys, clock)
        self._connect_delivery()
        self.timekeeper = Timekeeper(self.engine, store, self.metrics)
        self.workers = Workers(store)
        self.retention = RetentionLoop(store, self.recent, clock, config.retention, config.retention_payloads)
        self.loops = self._make_loops(leads)
        self.workers.write_first_by(self.loops["workers"].nudge)
        self.feed.watch(self._nudge, "outbox", "directory")
        self._measure()
        self.state = self._make_state("postgresql" if remote else "sqlite")
        if siblings is not None:
            self._join(siblings)
        self.app = build_app(self.state)

    def _make_loops(self, leads: bool) -> dict[str, Loop]:
        """The loops of this process. ``leads``: with those that only one worker of a server runs."""
        loops = {"workers": Loop("workers", self.workers.once, rest=0.1)}
        if leads:
            loops |= {
                "timekeeper": Loop("timekeeper", self.timekeeper.once),
                "outbox": Loop("outbox", self.outbox.once, rest=0.02),
                "retention": Loop("retention", self.retention.once),
                "understaffed": Loop("understaffed", self.understaffed_checks.once, rest=0.02),
            }
        return loops

    def _measure(self) -> None:
        """Set the gauges, which are read on request."""
        self.metrics.gauge(QUEUED, lambda: self.committer.queued)
        self.metrics.gauge(IN_FLIGHT, self.committer.in_flight_for)
        self.metrics.gauge(STREAMS, self.admission.open_streams)
        self.metrics.gauge(LOOPS, lambda: sum(loop.state != "ok" for loop in self.loops.values()))

    def _snapshots(self) -> dict[int, Snapshot]:
        own = self.metrics.snapshot()
        if self.siblings is None:
            return {0: own}
        return {**self.siblings.metrics(), self.siblings.number: own}

    def on_topics(self, topics: list[str]) -> None:
        """Called when another server has announced these topics."""
        self.recent.forget(topics)
        self.feed.hear(topics)
        if self.siblings is not None:
            self.siblings.pass_on(topics)

    def _outdated(self, intents: list[str]) -> None:
        """Drop every cached copy of these intents, here and on other servers, because they were written without the
        committer.
        """
        self.recent.forget(intents)
        self.feed.publish(intents)

    def _receives_commits(self) -> bool:
        """Whether announcements of commits arrive from other servers and from other workers of this one."""
        if self.siblings is None:
            return self.store.listening
        if not self.siblings.complete:
            return False
        return self.config.database.startswith("sqlite") or (
            self.store.listening if self.siblings.leads else self.siblings.listening
        )

    def _join(self, siblings: Siblings) -> None:
        self.admission.among_workers()
        limits = (*self.state.failures.limits, *self.state.wrong_keys.limits, *self.sign_in_requests.limits)
        limits += (*self.test_messages.limits, *self.device_logins.limits)
        siblings.connect(self.feed, self.recent, self.admission, self.store, self.clock, limits, self.metrics)
        self.feed.workers = siblings.tell

    def _published(self, batch: Batch) -> None:
        self.recent.note(batch.changes, batch.payloads)
        self.engine.note_recorded(batch.recorded)
        self.metrics.committed(batch.changes)
        if self.tracer is not None:
            self.tracer.committed(batch.changes)
        log_decisions(batch.changes)
        self.feed.publish(batch.topics(), batch.changes, batch.payloads)
        if self._console is not None:
            self._console.show(
                with_values(one, self._payload_of(one, batch))
                for change in batch.changes
                for one in change.notifications
            )

    def _payload_of(self, notification: Notification, batch: Batch) -> bytes:
        """The payload of a notification's intent, if this process has it in memory, else b""."""
        kept = self.recent.get(notification.intent)
        return batch.payloads.get(notification.intent) or (kept.payload if kept else b"")

    def _connect_delivery(self) -> None:
        """Connect everything that sends messages, and the receivers for chats."""
        context = SenderContext(
            self.store,
            self.directory,
            self.clock,
            lambda: self.base_url,
            self.channels,
            self.engine,
            self.sessions,
        )
        self.outbox = OutboxSender(context, self.metrics)
        self.outbox.people.limit_reminders(self.config.max_reminders)
        self.sign_in_requests = SignInRequests(
            self.store, self.directory, self.clock, MAIL in self.channels.opened, self._nudge_outbox
        )
        self.test_messages = TestMessageRequests(
            self.store, self.directory, self.clock, self.channels, self._nudge_outbox
        )
        self.accounts.mails = lambda: self.sign_in_requests.possible
        self.manifests.on_moved = self.sign_in_requests.tell_moved
        self.keys.on_person_key = self.sign_in_requests.tell_key
        self.chats = {
            name: Chat(name, self.engine, self.store, self.keys, self.directory, self.clock)
            for name in self.channels.linked
        }
        self.desks = make_desks(self.config, self.channels, self.chats, self.clock)

    def _make_state(self, database: str) -> AppState:
        view, openings = View(self.store, self.recent, self.off_loop), CardOpenings(self.store, self.clock)
        return AppState(
            off_loop=self.off_loop,
            engine=self.engine,
            view=view,
            lists=Lists(self.store, self.off_loop),
            reruns=Reruns(self.engine, view),
            keys=self.keys,
            directory=self.directory,
            planner=self.planner,
            accounts=self.accounts,
            kill_switch=self.kill_switch,
            manifests=self.manifests,
            proposals=self.proposals,
            workspaces=Workspaces(self.store, self.directory, self.clock),
            erasure=PersonErasure(self.store, self.directory, self.clock, self._outdated),
            understaffed_checks=self.understaffed_checks,
            reassignments=BulkReassignment(self.engine, self.store, self.directory),
            bulk=BulkAnswers(self.engine, view, self.off_loop, openings),
            card_openings=openings,
            sessions=self.sessions,
            device_logins=self.device_logins,
            sign_in_requests=self.sign_in_requests,
            test_messages=self.test_messages,
            desks=self.desks,
            channels=self.channels,
            chats=self.chats,
            clock=self.clock,
            admission=self.admission,
            feed=self.feed,
            workers=self.workers,
            usage=AgentUsage(self.store, self.clock),
            metrics=self.metrics,
            tracer=self.tracer,
            totals=ServiceTotals(self.store),
            snapshots=self._snapshots,
            settings=WebSettings(
                version=__version__,
                database=database,
                base_url=self.base_url,
                max_body=self.config.max_body,
                allowed_hosts=parse_hosts(self.config.allowed_hosts),
                trusted_proxies=parse_networks(self.config.trusted_proxies),
                open_metrics=self.config.open_metrics,
            ),
            readiness=self.readiness,
        )

    def known_as(self, base_url: str) -> None:
        """Set the public address of this server, which is known once it listens."""
        self.base_url = base_url
        self.state.settings = replace(self.state.settings, base_url=base_url)

    def _nudge_outbox(self) -> None:
        if "outbox" in self.loops:
            self.loops["outbox"].nudge()
        elif self.siblings is not None:
            self.siblings.tell(["outbox"])

    def _nudge(self, topic: str) -> None:
        if topic == "outbox" and "outbox" in self.loops:
            self._nudge_outbox()
        elif topic.startswith("directory:") and "understaffed" in self.loops:
            self.loops["understaffed"].nudge()

    async def readiness(self) -> Readiness:
        """Whether the database responds and every loop is running, in this worker and in the others."""
        ready, details = await self._own_readiness()
        if self.siblings is None:
            return Readiness(ready, details)
        others = self.siblings.health()
        details["process"] = self.siblings.number
        details["processes"] = {
            str(self.siblings.number): "ok" if ready else "not ready",
            **{
                str(at): ("not responding" if self.siblings.silent(at) else "starting")
                if one is None
                else "ok"
                if one.ready
                else "not ready"
                for at, one in others.items()
            },
        }
        led = self.siblings.leads or others.get(LEADER) is not None
        for one in others.values():
            ready = ready and (one is None or one.ready)
            details = details if one is None else {**one.details, **details}
        return Readiness(ready and led, details)

    async def health(self) -> tuple[bool, dict[str, Any], bool]:
        """The health that this worker reports to the others."""
        return *await self._own_readiness(), self.store.listening

    async def _own_readiness(self) -> tuple[bool, dict[str, Any]]:
        details: dict[str, Any] = {loop.name: loop.state for loop in self.loops.values()}
        details["queued"] = self.committer.queued
        held_up = self.committer.in_flight_for()
        details["commits"] = (
            "ok" if held_up < _SLOW else f"one has been waiting for the database for {held_up:.0f} s"
        )
        try:
            # so that a caller that polls often does not cause frequent writes
            if asyncio.get_running_loop().time() >= self._fine_until:
                await self.store.ping()
                self._fine_until = asyncio.get_running_loop().time() + _FINE_FOR
            details["database"] = "ok"
        except Busy as busy:
            details["database"] = busy.message
        ready = all(details[part] == "ok" for part in ("database", "commits", *self.loops))
        return ready, details


def _key_limits(config: Config) -> KeyLimits:
    return KeyLimits(
        rate=config.max_rate,
        rate_services=config.max_rate_services,
        streams=config.max_streams,
        streams_services=config.max_streams_services,
        open=config.max_open,
        open_services=config.max_open_services,
    )
