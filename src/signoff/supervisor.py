"""``signoff up --workers N``: starts the worker processes of one server, forwards messages between them, replaces
workers that have exited or hang, and stops all of them together.

It opens no database and starts no threads or event loop, so that it may fork at any time. Each worker has a separate
listening socket on the same port (SO_REUSEPORT: the kernel spreads connections evenly). The supervisor keeps these
sockets open, so that connections to a worker that is being replaced wait for the new one.
"""

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from signoff.core.errors import Refused
from signoff.engine.siblings import LEADER, LENGTH, Ended, Missed, Ready, Siblings, decode, framed

if TYPE_CHECKING:
    from signoff.store.sqlite.turns import Turns

log = logging.getLogger("signoff.workers")

HANGS: Final = 15.0  # seconds without a report after which a worker is killed
_STOPPED_WITHIN: Final = 25.0  # seconds; each worker has separate limits for what it waits for
_LONGEST_PAUSE: Final = 10.0
_LASTED: Final = 30.0  # seconds after which a worker's end does not count together with the one before
_BACKLOG: Final = 8 * 1024 * 1024  # unread bytes of a worker beyond which messages are dropped
_READ: Final = 256 * 1024
_READY_TAG: Final = 7


class ServerAddress(NamedTuple):
    """A server that is ready: its address, and a link that signs the owner in at the first start, or ""."""

    base_url: str
    login_url: str


class WorkerStart(NamedTuple):
    """What a worker is started with. ``base_url``: the server's address; "" for the first worker of a start, which
    prepares the database.
    """

    siblings: Siblings
    listener: socket.socket
    base_url: str


class _Worker:
    """One worker process, and its successors, as the supervisor sees them."""

    def __init__(self, number: int, listener: socket.socket) -> None:
        self.number = number
        self.listener = listener
        self.pid = 0
        self.link: socket.socket | None = None
        self.ready = False
        self.received = bytearray()
        self.owed = bytearray()
        self.missed = False
        self.last_message_at = self.started_at = self.due_at = 0.0
        self.ends = 0

    def send(self, frame: bytes) -> None:
        """Queue a message; one that does not fit is replaced by ``Missed``."""
        if self.link is None:
            return
        if len(self.owed) + len(frame) > _BACKLOG:
            self.missed = True
            return
        if self.missed:
            self.missed = False
            self.owed += framed(Missed())
        self.owed += frame
        self.flush()

    def flush(self) -> None:
        if self.link is None or not self.owed:
            return
        with contextlib.suppress(BlockingIOError, ConnectionError):
            del self.owed[: self.link.send(self.owed)]

    def frames(self) -> list[bytes] | None:
        """The complete messages that have arrived; None at the end of the connection."""
        assert self.link is not None
        try:
            data = self.link.recv(_READ)
        except BlockingIOError:
            return []
        except ConnectionError:
            return None
        if not data:
            return None
        self.received += data
        found, at = [], 0
        while len(self.received) - at >= LENGTH.size:
            end = at + LENGTH.size + LENGTH.unpack_from(self.received, at)[0]
            if end > len(self.received):
                break
            found.append(bytes(self.received[at:end]))
            at = end
        del self.received[:at]
        return found


class Supervisor:
    """``work``: runs one worker until it is stopped, and returns its exit code; ``turns``: the turns of workers on
    SQLite.
    """

    def __init__(
        self,
        listeners: list[socket.socket],
        work: Callable[[WorkerStart], int],
        announce: Callable[[ServerAddress], None],
        turns: "Turns | None" = None,
    ) -> None:
        self._turns = turns
        self._workers = [_Worker(number, listener) for number, listener in enumerate(listeners)]
        self._work = work
        self._announce: Callable[[ServerAddress], None] | None = announce
        self._selector = selectors.DefaultSelector()
        self._signals, self._wakes = socket.socketpair()
        self._first: Ready | None = None
        self._stopping_since = 0.0
        self._code = 0

    def run(self) -> int:
        """Run until a signal stops all, or the first start fails; returns the exit code."""
        self._signals.setblocking(False)
        self._wakes.setblocking(False)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, _noted)
        self._selector.register(self._signals, selectors.EVENT_READ)
        self._start(self._workers[LEADER])
        while any(worker.pid for worker in self._workers) or not self._stopping_since:
            self._turn()
        return self._code

    def _turn(self) -> None:
        for key, mask in self._selector.select(0.25):
            if key.fileobj is self._signals:
                self._signaled(self._signals.recv(4096))
                continue
            worker: _Worker = key.data
            if mask & selectors.EVENT_WRITE:
                worker.flush()
            if mask & selectors.EVENT_READ:
                self._receive(worker)
        self._reap()
        now = time.monotonic()
        for worker in self._workers:
            if worker.link is not None:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.owed else 0)
                self._selector.modify(worker.link, events, worker)
            if self._stopping_since:
                if worker.pid and now - self._stopping_since > _STOPPED_WITHIN:
                    log.error("worker %d did not stop in time and was killed", worker.number)
                    os.kill(worker.pid, signal.SIGKILL)
            elif worker.pid and worker.ready and now - worker.last_message_at > HANGS:
                log.error("worker %d has not reported for %.0f s and is replaced", worker.number, HANGS)
                os.kill(worker.pid, signal.SIGKILL)
                worker.last_message_at = now
            elif not worker.pid and self._first is not None and now >= worker.due_at:
                self._start(worker)

    def _signaled(self, numbers: bytes) -> None:
        if not self._stopping_since and {signal.SIGTERM, signal.SIGINT} & set(numbers):
            self._stop()

    def _stop(self) -> None:
        self._stopping_since = time.monotonic()
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, signal.SIGTERM)

    def _start(self, worker: _Worker) -> None:
        ours, theirs = socket.socketpair()
        now = time.monotonic()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become(worker, theirs)
        theirs.close()
        ours.setblocking(False)
        worker.pid, worker.link, worker.ready = pid, ours, False
        worker.received.clear()
        worker.owed.clear()
        worker.started_at = worker.last_message_at = now
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _become(self, worker: _Worker, link: socket.socket) -> None:
        """Run the worker in the new process, then exit. An error of the first start is raised, so it is shown like
        the error of any other start.
        """
        os.setpgid(0, 0)  # only the supervisor handles Ctrl-C, and stops all workers in order
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self._selector.close()
        self._signals.close()
        self._wakes.close()
        for other in self._workers:
            if other.link is not None:
                other.link.close()
            if other is not worker:
                other.listener.close()
        siblings = Siblings(worker.number, len(self._workers), link, self._turns)
        code = self._work(WorkerStart(siblings, worker.listener, self._first.base_url if self._first else ""))
        os._exit(code)  # this process must not release what the supervisor holds

    def _receive(self, worker: _Worker) -> None:
        frames = worker.frames()
        if frames is None:
            self._unlink(worker)
            return
        worker.last_message_at = time.monotonic()
        for frame in frames:
            if frame[LENGTH.size + 1] == _READY_TAG:
                self._is_ready(worker, decode(frame[LENGTH.size :]))
                continue
            for other in self._workers:
                if other is not worker:
                    other.send(frame)

    def _is_ready(self, worker: _Worker, first: Any) -> None:
        worker.ready = True
        if self._first is None and not self._stopping_since:
            self._first = first
            for other in self._workers:
                if not other.pid:
                    self._start(other)
        if self._announce is not None and all(one.ready for one in self._workers) and self._first is not None:
            self._announce(ServerAddress(self._first.base_url, self._first.login_url))
            self._announce = None

    def _unlink(self, worker: _Worker) -> None:
        if worker.link is not None:
            self._selector.unregister(worker.link)
            worker.link.close()
            worker.link = None

    def _reap(self) -> None:
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: _Worker, code: int) -> None:
        while worker.link is not None and (frames := worker.frames()):  # its remaining messages
            for frame in frames:
                for other in self._workers:
                    if other is not worker and frame[LENGTH.size + 1] != _READY_TAG:
                        other.send(frame)
        self._unlink(worker)
        if self._turns is not None:
            self._turns.give()  # the worker may have had the turn
        worker.pid, worker.ready = 0, False
        if (
            self._first is None or self._announce is not None
        ):  # the start has failed, and the worker has reported why
            self._code = self._code or (code if code > 0 else 1)
            if not self._stopping_since:
                self._stop()
            return
        if self._stopping_since:
            self._code = self._code or (code if code >= 0 else 1)
            return
        now = time.monotonic()
        worker.ends = worker.ends + 1 if now - worker.started_at < _LASTED else 0
        pause = min(_LONGEST_PAUSE, 0.1 * 2**worker.ends) if worker.ends else 0.0
        worker.due_at = now + pause
        log.error(
            "worker %d has exited (%s); a replacement starts in %.1f s", worker.number, _reason(code), pause
        )
        for other in self._workers:
            other.send(framed(Ended(worker.number)))


def _noted(*_: object) -> None:
    """The signal's number arrives through the wake-up socket."""


def _reason(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def supervise(
    database: str,
    count: int,
    work: Callable[[WorkerStart], int],
    announce: Callable[[ServerAddress], None],
    bind: Callable[[], socket.socket],
) -> int:
    """Run the server with its workers until a signal arrives. ``bind``: opens a listening socket on its port."""
    if not hasattr(os, "fork") or not hasattr(socket, "SO_REUSEPORT"):
        raise Refused(
            "workers_unsupported",
            "This system cannot share a port among processes.",
            field="workers",
            hint="Use --workers 1.",
        )
    _, _, path = database.partition("sqlite:///")
    held = _Lock(Path(path)) if path else None
    turns = _turns() if path else None
    listeners = [bind() for _ in range(count)]
    try:
        return Supervisor(listeners, work, announce, turns).run()
    finally:
        for listener in listeners:
            listener.close()
        if turns is not None:
            turns.close()
        if held is not None:
            held.close()


def _turns() -> "Turns":
    from signoff.store.sqlite.turns import Turns  # PostgreSQL needs none

    return Turns()


class _Lock:
    """The locks of a server on this file, held for all workers. The workers hold the second one too, in case this
    process is killed.
    """

    def __init__(self, path: Path) -> None:
        from signoff.store.sqlite.store import hold_lock, hold_workers_lock

        path.parent.mkdir(parents=True, exist_ok=True)
        path = Path(os.path.realpath(path))
        self._server = hold_lock(path)
        self._workers = hold_workers_lock(path)

    def close(self) -> None:
        os.close(self._workers)
        self._server.close()
