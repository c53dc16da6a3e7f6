"""The state that the web layer gets from ``components.py``: the engine, and some facts about this process."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import msgspec

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
from signoff.engine.commit.engine import Engine
from signoff.engine.commit.understaffed_checks import UnderstaffedChecks
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.engine.delivery.chat_answers import Chat
from signoff.engine.delivery.chat_desk import ChatDesk
from signoff.engine.delivery.signin_mail import SignInRequests
from signoff.engine.delivery.test_messages import TestMessageRequests
from signoff.engine.directory.agent_usage import AgentUsage
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.engine.directory.workers import Workers
from signoff.engine.feed import Feed
from signoff.engine.identity.admission import Admission, KeyLimits
from signoff.engine.identity.device_logins import DeviceLogins
from signoff.engine.identity.keys import Keys
from signoff.engine.identity.rate_limit import FailedAttempts
from signoff.engine.identity.sessions import Sessions
from signoff.engine.metrics import Metrics, Snapshot
from signoff.engine.off_loop import OffLoop
from signoff.engine.planning.planner import Planner
from signoff.engine.read.lists import Lists
from signoff.engine.read.totals import ServiceTotals
from signoff.engine.read.view import View
from signoff.engine.rerun import Reruns
from signoff.engine.tracing import Tracer
from signoff.web.body_turns import BodyTurns
from signoff.web.hosts import Network

_FAILURES_WITHIN: Final = timedelta(minutes=10)
_UNREAD: Final = 1.0  # seconds that an incomplete body still has once the server stops


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """version: the product's version. database: ``sqlite`` or ``postgresql``. base_url: the public URL, without a
    slash at the end. max_body: the default size limit of a body, in bytes. allowed_hosts: additional host names for
    the pages. trusted_proxies: the networks whose forwarding headers are trusted. open_metrics: whether metrics can
    be read without a key.
    """

    version: str
    database: str
    base_url: str
    max_body: int = 131_072
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    open_metrics: bool = False


class Readiness(msgspec.Struct, frozen=True):
    """Whether this process is ready; ``details`` says for each part why not."""

    ready: bool
    details: dict[str, Any] = {}


class _Reading:
    """Keeps the current asyncio task in a set while the block runs."""

    __slots__ = ("_task", "_tasks")

    def __init__(self, tasks: set[asyncio.Task[Any]]) -> None:
        self._tasks = tasks
        self._task = asyncio.current_task()

    def __enter__(self) -> None:
        assert self._task is not None
        self._tasks.add(self._task)

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._tasks.discard(self._task)


class AppState(msgspec.Struct, kw_only=True):
    """``stopping`` is set when the server shuts down; streams and long polls then end normally. ``chats``: the
    channels in which people link an account; ``desks``: the objects that receive these channels' requests;
    ``failures``: counts failed attempts at the pages that need no sign-in; ``wrong_keys``: counts them at the form
    for a key; ``snapshots``: the metrics of each worker of this server, by number.
    """

    engine: Engine
    view: View
    lists: Lists
    keys: Keys
    directory: DirectoryCache
    planner: Planner
    accounts: Accounts
    kill_switch: KillSwitch
    manifests: ManifestApplier
    proposals: Proposals
    workspaces: Workspaces
    erasure: PersonErasure
    understaffed_checks: UnderstaffedChecks
    reassignments: BulkReassignment
    bulk: BulkAnswers
    card_openings: CardOpenings
    sessions: Sessions
    device_logins: DeviceLogins
    feed: Feed
    workers: Workers
    usage: AgentUsage
    reruns: Reruns
    settings: WebSettings
    readiness: Callable[[], Awaitable[Readiness]]
    metrics: Metrics
    snapshots: Callable[[], dict[int, Snapshot]]
    totals: ServiceTotals
    test_messages: TestMessageRequests
    tracer: Tracer | None = None
    sign_in_requests: SignInRequests | None = None
    desks: dict[str, ChatDesk] = {}
    channels: ChannelRegistry = msgspec.field(default_factory=ChannelRegistry)
    chats: dict[str, Chat] = {}
    admission: Admission = msgspec.field(default_factory=lambda: Admission(KeyLimits()))
    off_loop: OffLoop = msgspec.field(default_factory=OffLoop)
    clock: Clock = msgspec.field(default_factory=Clock)
    failures: FailedAttempts = msgspec.field(
        default_factory=lambda: FailedAttempts(120, 1200, _FAILURES_WITHIN)
    )
    wrong_keys: FailedAttempts = msgspec.field(
        default_factory=lambda: FailedAttempts(20, 600, _FAILURES_WITHIN)
    )
    body_turns: BodyTurns = msgspec.field(default_factory=BodyTurns)
    stopping: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    _reading: set[asyncio.Task[Any]] = msgspec.field(default_factory=set)

    def reading(self) -> "_Reading":
        """Enter this while reading a body, so that a shutdown does not wait long for an incomplete one."""
        return _Reading(self._reading)

    def _leave(self) -> None:
        for task in tuple(self._reading):
            task.cancel()

    @property
    def mails(self) -> bool:
        """Whether sign-in links can be e-mailed."""
        return self.sign_in_requests is not None and self.sign_in_requests.possible

    def stop(self) -> None:
        """End every open stream and long poll now."""
        if not self.stopping.is_set():
            with contextlib.suppress(RuntimeError):  # stopped from outside the event loop
                asyncio.get_running_loop().call_later(_UNREAD, self._leave)
        self.stopping.set()
        self.feed.hear([""])
