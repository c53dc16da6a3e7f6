"""Serves HTTP: the socket, the event loop, uvicorn for the app, and an orderly shutdown."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from signoff import __version__, interpreter
from signoff.bootstrap import FirstNames, bootstrap, resume, update_url
from signoff.components import Line
from signoff.config import Config, count_workers, is_loopback, reachable
from signoff.core.errors import Refused
from signoff.engine.clock import Clock
from signoff.manifest_file import ManifestFile, apply_manifest, read_manifest
from signoff.server import Server
from signoff.web.http.connection_limits import ReceiveLimits
from signoff.web.http.protocol import limited

if TYPE_CHECKING:
    from signoff.supervisor import WorkerStart

log = logging.getLogger("signoff.server")
T = TypeVar("T")
_OWN_FILES: Final = 64
_ORPHANS_LISTEN: Final = 2.0  # seconds for which workers may keep a port after their supervisor was killed
_HANGING: Final = 2.0  # seconds for which a stopped server waits for what its libraries' threads still do


class _Uvicorn(uvicorn.Server):
    """Ends open streams as soon as a signal arrives, because they would delay the shutdown."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._asked = False

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Like uvicorn's method, but a handled signal is not raised again, so that the process exits
        normally.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for sig, old in before.items():
                # After the first signal the server stops within its time limit; only a person at a terminal may
                # interrupt it again.
                signal.signal(sig, old if sig == signal.SIGINT or not self._asked else signal.SIG_IGN)

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._asked = True
        self._stopping()
        super().handle_exit(sig, frame)


def serve(config: Config, announce: Callable[["Answering"], None], line: Line | None = print) -> int:
    """Run a server until SIGINT or SIGTERM; returns the exit code. ``announce``: called when it is ready; ``line``:
    as in Components.
    """
    # Until the server is ready, SIGTERM interrupts too; the first process of a container would otherwise ignore it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if (count := count_workers(config.workers)) == 1:
        return _run_to_the_end(_serve(config, announce, line))
    from signoff.supervisor import supervise  # a single process does not need the supervisor

    def work(place: "WorkerStart") -> int:
        return _run_to_the_end(_serve(config, lambda _: None, line, place))

    config = replace(config, port=_free_port(config))
    return supervise(config.database, count, work, announce, lambda: _bind(config, shared=True))


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the same kind of event loop as the server."""
    # The writer thread and the event loop share the interpreter, so switch between them more often than every 5 ms.
    sys.setswitchinterval(0.0005)
    # Objects that exist now live until the end: exclude them from garbage collection.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(main)
    return uvloop.run(main)


def _run_to_the_end(main: Coroutine[Any, Any, int]) -> int:
    """Like ``run``, but does not wait for threads that hang once ``main`` has returned, and so has saved everything.
    The loop waits for a name that is being resolved, which no thread can be told to stop.
    """
    forced = threading.Timer(_HANGING, _end_now)
    forced.daemon = True

    async def body() -> int:
        code = await main
        forced.start()
        return code

    try:
        return run(body())
    finally:
        forced.cancel()


def _end_now() -> None:
    log.warning(
        "The server has stopped, and ends without waiting any longer for a library's call that hangs."
    )
    logging.shutdown()
    os._exit(0)


def _free_port(config: Config) -> int:
    """The port to share. Raises Refused if another server has it, which sockets that share a port would not detect."""
    give_up = time.monotonic() + _ORPHANS_LISTEN
    while True:
        try:
            with contextlib.closing(_bind(config)) as probe:
                port: int = probe.getsockname()[1]
                return port
        except Refused:
            if time.monotonic() > give_up:
                raise
        time.sleep(0.05)


class Answering(Protocol):
    """A server that is ready. ``login_url``: a link that signs the owner in at the first start, or ""."""

    @property
    def base_url(self) -> str: ...
    @property
    def login_url(self) -> str: ...


async def _serve(
    config: Config,
    announce: Callable[[Answering], None],
    line: Line | None,
    place: "WorkerStart | None" = None,
) -> int:
    async with running(config, line, place=place) as server:
        announce(server)
        await server.until_stopped()
    return 0


@contextlib.asynccontextmanager
async def running(
    config: Config, line: Line | None = print, clock: Clock | None = None, place: "WorkerStart | None" = None
) -> AsyncIterator[Server]:
    """Run a server while the block is entered, or until a signal stops it (``server.served`` is then done).
    ``place``: for a worker, its position among the workers.
    """
    file = read_manifest(config.manifest) if config.manifest else None
    listener = _bind(config) if place is None else place.listener
    server = Server(config, line, clock, place.siblings if place is not None else None)
    try:
        await server.start()
    except BaseException:
        listener.close()
        raise
    try:
        if place is not None and place.base_url:  # the first worker has prepared everything else
            server.known_as(place.base_url)
        else:
            await _prepare(server, f"http://{reachable(config.host)}:{listener.getsockname()[1]}", file)
    except BaseException:
        listener.close()
        await server.stop()
        raise
    for warning in interpreter.warnings():
        log.warning("%s", warning)
    http = _Uvicorn(
        uvicorn.Config(
            server.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
            backlog=2048,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            http=limited(_limits(config)),
            ws="none",
            proxy_headers=False,
        ),
        server.state.stop,
    )
    served = server.served = asyncio.create_task(http.serve(sockets=[listener]))
    try:
        while not http.started and not served.done():  # noqa: ASYNC110
            await asyncio.sleep(0.002)  # uvicorn's method only sets an attribute
        if place is not None:
            place.siblings.ready(server.base_url, server.login_url)
        if place is None or place.siblings.leads:
            _log_start(config, server.base_url)
        yield server
    finally:
        server.state.stop()
        http.should_exit = True
        await asyncio.wait([served])
        await server.stop()


def _log_start(config: Config, base_url: str) -> None:
    fields = {"version": __version__, "address": base_url, "database": config.shown_database}
    log.info(
        "Signoff %(version)s answers at %(address)s, with %(database)s", fields, extra={"fields": fields}
    )


def _limits(config: Config) -> ReceiveLimits:
    return ReceiveLimits(
        header_bytes=config.max_header_bytes,
        headers=config.max_headers,
        header_seconds=config.header_timeout.total_seconds(),
        body_seconds=config.body_timeout.total_seconds(),
        send_seconds=config.body_timeout.total_seconds(),
        connections=config.max_connections or _connections(),
    )


def _connections() -> int:
    """The maximum number of connections: the process's limit of open files minus those that the server itself needs;
    0 if unknown.
    """
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if most == resource.RLIM_INFINITY else max(16, most - _OWN_FILES)


async def _prepare(server: Server, address: str, file: ManifestFile | None) -> None:
    """Prepare everything before the first request is accepted."""
    server.known_as(server.config.base_url or address)
    first = await _first_start(server, address)
    if file is not None:
        await apply_manifest(server, file)
    if first:
        server.login_url = await _login_url(server)


async def _first_start(server: Server, address: str) -> bool:
    config = server.config
    names = FirstNames(config.organization, config.workspace, config.owner)
    written = await bootstrap(server.store, server.keys, server.clock, config.data, address, names)
    resumed = await resume(server.store, server.keys, server.clock, config.data, address)
    if written is None and resumed is None:
        update_url(config.data, address)
    return written is not None


async def _login_url(server: Server) -> str:
    """A single-use link that signs the owner in at the first start, if there are no other people and the server listens
    only on this machine. Otherwise "": the operator creates a link with ``signoff db signin-link``.
    """
    rows = server.store.directory
    spaces = await rows.workspaces()
    if len(spaces) != 1 or not is_loopback(urlsplit(server.base_url).hostname or ""):
        return ""
    people = await rows.people(spaces[0].id)
    if len(people) != 1 or "owner" not in people[0].roles:
        return ""
    return f"{server.base_url}/login/{await server.state.sessions.login_link(spaces[0].id, people[0].id)}"


def _bind(config: Config, *, shared: bool = False) -> socket.socket:
    """Open the listening socket. shared: for a server with several workers, each of which has a socket on the same
    port.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise Refused(
            "address_in_use",
            f"Cannot listen on {config.host}:{config.port}: {error.strerror}.",
            field="port",
            hint="Stop the other server, or choose another port: signoff up --port 0 picks a free one.",
        ) from error
    listener.listen(2048)
    return listener
