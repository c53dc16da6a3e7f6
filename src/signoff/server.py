"""Wiring: the only place that knows every part. Builds a server from its settings, starts and stops it in order."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import uvicorn
from msgspec.structs import replace
from uvicorn.server import HANDLED_SIGNALS

from signoff import __version__
from signoff.bootstrap import bootstrap, update_url
from signoff.channels import make_channels, make_slack
from signoff.config import Config
from signoff.core.errors import Busy, Refused
from signoff.engine.audience import SLACK
from signoff.engine.chat import Chat
from signoff.engine.clock import Clock
from signoff.engine.committer import Committer
from signoff.engine.courier import Courier
from signoff.engine.directory import Directory
from signoff.engine.engine import Engine
from signoff.engine.examine import Finding, examine
from signoff.engine.feed import Feed
from signoff.engine.keys import Keys
from signoff.engine.loop import Loop
from signoff.engine.messenger import Messenger
from signoff.engine.planning import Planner
from signoff.engine.registry import Registry
from signoff.engine.sessions import Sessions
from signoff.engine.sweeper import Sweeper
from signoff.engine.timekeeper import Timekeeper
from signoff.engine.view import View
from signoff.store.store import Store, open_store
from signoff.web.app import build_app
from signoff.web.parts import Parts, Readiness, Settings

log = logging.getLogger("signoff")

_REREAD_LISTENING: Final = 20.0
_REREAD_DEAF: Final = 0.5
Line = Callable[[str], None]
T = TypeVar("T")


class Server:
    """One server process: its store, its loops, its ASGI ``app``. ``start`` and ``stop`` may each be called once."""

    login_url: str = ""

    def __init__(self, config: Config, line: Line = print, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or Clock()
        self.base_url = config.base_url
        self._line = line
        self._tasks: list[asyncio.Task[None]] = []
        self.served: asyncio.Task[None] | None = None
        self.store = open_store(config.database, wall=self.clock.wall, clock=self.clock.of, listen=config.listen)
        remote = not config.database.startswith("sqlite")
        heard = remote and config.listen
        self.feed = Feed(self.store.announce if heard else None, _REREAD_DEAF if remote and not heard else _REREAD_LISTENING)
        self._channels = make_channels(config, self.clock, line)
        self.committer = Committer(
            self.store,
            self._channels.route,
            self.feed.publish,
            lanes=config.lanes if remote else 1,
            limit=config.queue_limit,
            reply_life=config.idempotency,
        )
        self.directory = Directory(self.store, self.feed)
        self.engine = Engine(self.committer, self.clock, self.directory)
        self.keys = Keys(self.store, self.directory, self.clock)
        self.feed.watch(self.keys.heard)
        self.registry = Registry(self.store, self.directory, self.keys, self.clock)
        self.sessions = Sessions(self.store, self.keys, self.clock)
        self.timekeeper = Timekeeper(self.engine, self.store, self.clock)
        self._make_messages(config)
        self.sweeper = Sweeper(self.store, self.clock, config.retention)
        self._loops = [
            Loop("timekeeper", self.timekeeper.once),
            Loop("courier", self.courier.once, rest=0.02),
            Loop("sweeper", self.sweeper.once),
        ]
        self.feed.watch(self._nudge)
        self.parts = self._make_parts("postgresql" if remote else "sqlite")
        self.app = build_app(self.parts)

    def _make_messages(self, config: Config) -> None:
        """Everything that carries a notice to somebody outside."""
        self.messenger = Messenger(
            self.engine, self.store, self.directory, self.sessions, self.clock, self._channels.personal,
            lambda: self.base_url,
        )  # fmt: skip
        self.courier = Courier(
            self.engine, self.store, self.directory, self.clock, self._channels, lambda: self.base_url,
            self.messenger,
        )  # fmt: skip
        chat = Chat(SLACK, self.engine, self.store, self.keys, self.directory, self.clock)
        self.slack = make_slack(config, self._channels, chat, self.clock)

    def _make_parts(self, database: str) -> Parts:
        return Parts(
            engine=self.engine,
            view=View(self.store),
            keys=self.keys,
            directory=self.directory,
            planner=Planner(self.store, self.directory),
            registry=self.registry,
            sessions=self.sessions,
            slack=self.slack.desk if self.slack else None,
            clock=self.clock,
            feed=self.feed,
            settings=Settings(
                version=__version__, database=database, base_url=self.base_url
            ),
            readiness=self.readiness,
        )

    def known_as(self, base_url: str) -> None:
        """The address that people reach this server by, known for sure once it listens."""
        self.base_url = base_url
        self.parts.settings = replace(self.parts.settings, base_url=base_url)

    def _nudge(self, word: str) -> None:
        if word == "outbox":
            self._loops[1].nudge()

    async def start(self) -> None:
        """Open the store (migrating it) and start the loops. Raises Refused or Busy with the reason."""
        await self.store.open()
        await self.store.listen(self.feed.hear)
        self._tasks = [asyncio.create_task(self.committer.run(lane)) for lane in range(self.committer.lanes)]
        self._tasks += [asyncio.create_task(loop.run()) for loop in self._loops]
        self._tasks.append(asyncio.create_task(self.feed.run()))
        if self.slack is not None and self.slack.socket is not None:
            self._tasks.append(asyncio.create_task(self.slack.socket.run()))

    async def stop(self) -> None:
        """Finish what is queued, then let go of everything."""
        self.parts.stop()
        with contextlib.suppress(Busy):
            await self.committer.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in self._channels.by_name.values():
            await channel.close()
        for personal in self._channels.personal.values():
            await personal.close()
        await self.store.close()

    async def until_stopped(self) -> None:
        """Wait until a signal has ended the HTTP side."""
        if self.served is not None:
            await self.served

    async def readiness(self) -> Readiness:
        """Whether the database answers and every loop turns."""
        details: dict[str, Any] = {loop.name: "ok" if loop.healthy else "failing" for loop in self._loops}
        details["queued"] = self.committer.queued
        try:
            await self.store.ping()
            details["database"] = "ok"
        except Busy as busy:
            details["database"] = busy.message
        ready = details["database"] == "ok" and all(loop.healthy for loop in self._loops)
        return Readiness(ready, details)


class _Uvicorn(uvicorn.Server):
    """Ends open streams as soon as a signal comes: an open stream would hold the shutdown up."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's own, but a signal that was obeyed is not raised again afterwards: this is a clean end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for sig, old in before.items():
                signal.signal(sig, old)

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._stopping()
        super().handle_exit(sig, frame)


def serve(config: Config, announce: Callable[[Server], None], line: Line = print) -> int:
    """Run a server until SIGINT or SIGTERM. ``announce`` is called once it answers. Returns the exit code."""
    return run(_serve(config, announce, line))


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the event loop that the server is made for."""
    # The writer thread and the event loop share the interpreter: hand it over sooner than every 5 ms.
    sys.setswitchinterval(0.0005)
    # What stands now stands until the end: the collector need not walk it again with every thousand new objects.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(main)
    return uvloop.run(main)


async def _serve(config: Config, announce: Callable[[Server], None], line: Line) -> int:
    async with running(config, line) as server:
        announce(server)
        await server.until_stopped()
    return 0


@contextlib.asynccontextmanager
async def running(config: Config, line: Line = print, clock: Clock | None = None) -> AsyncIterator[Server]:
    """A server that answers on its port, until the block ends or a signal stops it (``server.served`` is then done)."""
    listener = _bind(config)
    server = Server(config, line, clock)
    try:
        await server.start()
    except BaseException:
        listener.close()
        raise
    port = listener.getsockname()[1]
    address = f"http://{_host(config.host)}:{port}"
    server.known_as(config.base_url or address)
    await _first_start(server, address)
    server.login_url = await _login_url(server)
    http = _Uvicorn(
        uvicorn.Config(
            server.app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5, backlog=2048,
            server_header=False, date_header=False, timeout_keep_alive=75,
        ),
        server.parts.stop,
    )  # fmt: skip
    served = server.served = asyncio.create_task(http.serve(sockets=[listener]))
    try:
        while not http.started and not served.done():
            await asyncio.sleep(0.002)
        yield server
    finally:
        server.parts.stop()
        http.should_exit = True
        await asyncio.wait([served])
        await server.stop()


async def _first_start(server: Server, address: str) -> None:
    config = server.config
    written = await bootstrap(server.store, server.keys, server.clock, config.data, address)
    if written is None:
        update_url(config.data, address)


async def _login_url(server: Server) -> str:
    """The inbox, and in a workspace of one's own on this machine a link that signs its owner in, once."""
    rows = server.store.directory
    spaces = await rows.workspaces()
    if len(spaces) == 1 and spaces[0].self_approval:
        owner = next((p for p in await rows.people(spaces[0].id) if "owner" in p.roles), None)
        if owner is not None:
            token = await server.parts.sessions.login_link(spaces[0].id, owner.id)
            return f"{server.base_url}/login/{token}"
    return f"{server.base_url}/"


def _host(host: str) -> str:
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _bind(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise Refused(
            "address_in_use",
            f"Cannot listen on {config.host}:{config.port}: {error.strerror}.",
            field="port",
            hint="Stop the other server, or choose another port: signoff up --port 0 takes a free one.",
        ) from error
    listener.listen(2048)
    return listener


# -- what the command line does to a database without serving it


def _store(config: Config, clock: Clock) -> Store:
    return open_store(config.database, wall=clock.wall, clock=clock.of, listen=False)


def migrate(config: Config) -> None:
    """Bring the database's schema up to date."""

    async def work() -> None:
        store = _store(config, Clock())
        await store.open()
        await store.close()

    asyncio.run(work())


def backup(config: Config, target: Path) -> None:
    """Write a consistent copy of the database to ``target``, also while a server uses it."""
    asyncio.run(_store(config, Clock()).backup(target))


def check_database(config: Config) -> list[Finding]:
    """Everything that is wrong with the stored intents; an empty list when the database tells one truth."""

    async def work() -> list[Finding]:
        store = _store(config, Clock())
        await store.open()
        try:
            return [finding async for finding in examine(store)]
        finally:
            await store.close()

    return asyncio.run(work())
