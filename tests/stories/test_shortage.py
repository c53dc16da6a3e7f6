"""The disk fills up, the database goes away, the server is told to stop: clear errors, and nothing is lost."""

import http.client
import json
import resource
import shutil
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from signoff import Client
from tests.databases import Cluster
from tests.live import PATIENCE, Live
from tests.stories.crash import GATE, Answer, alone, ask, count, database_of, look, sent, stopped_at_the_end
from tests.stories.servers import until

LONG = 240.0  # a guard against hanging


def test_full_queue_refuses_whole_requests_and_accepts_the_next(tmp_path: Path) -> None:
    answers: list[Answer] = []
    with alone(tmp_path, queue_limit="1") as live:

        def refused() -> bool:
            """Submit 200 intents concurrently; whether any of them, so far, met a full queue."""
            answers.extend(threads.map(lambda _: ask(live, "POST", "/v1/intents", GATE), range(200)))
            return any(one.status == 503 for one in answers)

        with ThreadPoolExecutor(24) as threads:
            until(refused, LONG)
        kinds = Counter((one.status, one.code, one.headers.get("retry-after", "")) for one in answers)
        assert kinds.keys() == {(200, "", ""), (503, "queue_full", "1")}, kinds
        taken = {one.json["intent_id"] for one in answers if one.status == 200}
        until(lambda: ask(live, "POST", "/v1/intents", GATE | {"correlation_id": "after"}).status == 200)
        live.stop()
        looked = look(database_of(live))
    assert looked.findings == []
    assert len(looked.intents) == len(taken) + 1
    assert taken < looked.intents.keys()


def fill(live: Live, size: int = 40_000) -> set[str]:
    """Submit payloads of one size until the disk is full; returns what was acknowledged."""
    kept: set[str] = set()
    for _ in range(200):
        answer = ask(live, "POST", "/v1/intents", GATE | {"payload": {"x": "y" * size}})
        if answer.status != 200:
            assert (answer.status, answer.code) == (503, "storage_full"), answer
            assert int(answer.headers["retry-after"]) >= 1
            return kept
        kept.add(answer.json["intent_id"])
    raise AssertionError("the disk never filled")


def judge_full(live: Live, make_room: Callable[[], object]) -> None:
    """Writes are refused and reads work; once there is space again, nothing is lost or damaged."""
    early = sent(live)
    kept = fill(live)
    assert len(kept) > 2
    for _ in range(3):
        kept |= fill(live)  # where the log was emptied meanwhile, some more may fit
        assert ask(live, "GET", f"/v1/intents/{early}").json["status"] == "WAITING"
        assert count(live) == len(kept) + 1

    def full() -> bool:
        kept.update(
            fill(live, 100)
        )  # what is small may fit for a little longer, or again once the log was emptied
        return ask(live, "GET", "/ready").status == 503

    until(full)
    assert "cannot grow" in ask(live, "GET", "/ready").json["details"]["database"]
    make_room()
    until(lambda: ask(live, "GET", "/ready").status == 200)
    answered = until(lambda: _if_200(ask(live, "POST", f"/v1/tasks/{early}/answer", {"outcome": "approved"})))
    assert answered.json["task"]["outcome"] == "approved"
    kept |= {early, sent(live)}
    live.restart()
    assert count(live) == len(kept)
    live.stop()
    looked = look(database_of(live))
    assert looked.findings == []
    assert looked.intents.keys() == kept
    file = live.data / "signoff.db"
    assert list(apsw.Connection(str(file)).execute("pragma integrity_check")) == [("ok",)]


def _if_200(answer: Answer) -> Answer | None:
    return answer if answer.status == 200 else None


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A 4 MB disk at ``folder``, with a file on it that can be deleted; None if mounting is not permitted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        yield None
        return
    try:
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(2 << 20))
        yield ballast
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("what", ["a limit on files", "a small disk"])
def test_full_disk_refuses_writes_and_reads_continue(what: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as ballast:
        live = Live(tmp_path / "disk" / ".signoff", console_notifications="off")
        live.log = tmp_path / "log"  # the log is not what runs out of room here
        with stopped_at_the_end(live):
            if ballast is not None and what == "a small disk":
                judge_full(live, ballast.unlink)
                return
            assert live.process is not None
            process, kind = live.process.pid, resource.RLIMIT_FSIZE
            before = resource.prlimit(process, kind)
            resource.prlimit(process, kind, (1 << 20, before[1]))
            judge_full(live, lambda: resource.prlimit(process, kind, before))


class Callers:
    """Threads that submit until stopped, and remember what was acknowledged and what was refused."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.kept: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.enough = threading.Event()
        self._counting = threading.Lock()

    def call(self) -> None:
        while not self.enough.is_set():
            answer = ask(self.live, "POST", "/v1/intents", GATE)
            if answer.status == 200:
                self.kept.add(answer.json["intent_id"])
                continue
            assert answer.status == 503, answer
            assert int(answer.headers["retry-after"]) >= 1
            with self._counting:
                self.refused[answer.code] += 1

    def keep_on(self) -> None:
        """Wait until twenty more are acknowledged."""
        goal = len(self.kept) + 20
        until(lambda: len(self.kept) >= goal, LONG)

    def turned_away(self) -> None:
        """Wait until a client is told that the database is unavailable."""
        before = self.refused["database_unavailable"]
        until(lambda: self.refused["database_unavailable"] > before, LONG)


def test_server_recovers_from_a_postgres_outage_under_load(tmp_path: Path) -> None:
    cluster = Cluster()
    try:
        cluster.start()
        with alone(tmp_path, database_url=cluster.url()) as live, ThreadPoolExecutor(4) as threads:
            gate = sent(live)
            client = Client(live.url, live.owner_key)
            waiting = threads.submit(client.wait_for, gate, timeout=LONG)
            callers = Callers(live)
            calling = [threads.submit(callers.call) for _ in range(3)]
            try:
                for how in (signal.SIGINT, signal.SIGQUIT):  # an orderly stop, and one as in a crash
                    callers.keep_on()
                    cluster.stop(how)
                    until(partial(_away, live))
                    callers.turned_away()
                    cluster.start()
                    callers.keep_on()
            finally:
                callers.enough.set()
            for one in calling:
                one.result(PATIENCE)
            assert ask(live, "POST", f"/v1/tasks/{gate}/answer", {"outcome": "approved"}).status == 200
            assert waiting.result(LONG).status == "COMPLETED"
            client.close()
            until(lambda: ask(live, "GET", "/ready").status == 200)
            live.stop()
        assert set(callers.refused) <= {"database_unavailable", "commit_unknown"}
        looked = look(cluster.url())
        assert looked.findings == []
        assert callers.kept < looked.intents.keys(), "an acknowledged intent is lost"
        unsure = looked.intents.keys() - callers.kept - {gate}
        assert len(unsure) <= callers.refused["commit_unknown"], "a refused request was carried out"
    finally:
        cluster.remove()


def _away(live: Live) -> bool:
    """The server reports that it is not ready, is still alive, and refuses reads with a reason."""
    ready = ask(live, "GET", "/ready")
    if ready.status == 200:
        return False
    assert (ready.status, ask(live, "GET", "/health").status) == (503, 200)
    read = ask(live, "GET", "/v1/intents")
    assert (read.status, read.code) == (503, "database_unavailable")
    return True


class Open:
    """A request that was sent, and whose response may take long."""

    def __init__(self, live: Live, method: str, path: str, body: Any = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=PATIENCE)
        headers = {"x-api-key": live.owner_key, "content-type": "application/json"}
        self._connection.request(method, path, body and json.dumps(body), headers)
        self._answer: http.client.HTTPResponse | None = None

    def begun(self) -> http.client.HTTPResponse:
        """Wait until the server has begun to respond."""
        if self._answer is None:
            self._answer = self._connection.getresponse()
            assert self._answer.status == 200
        return self._answer

    def rest(self) -> str:
        """The complete response; http.client raises IncompleteRead if the connection was cut."""
        try:
            return self.begun().read().decode()
        finally:
            self._connection.close()


def test_stopping_server_ends_every_stream_properly_and_soon(tmp_path: Path) -> None:
    with alone(tmp_path) as live:
        gate = sent(live)
        events = f"/v1/intents/{gate}/events/stream?wait_seconds=60"
        claim = Open(live, "POST", "/v1/agents/x/deliveries/claim", {"holder": "h", "wait_seconds": 50})
        streams = [
            Open(live, "GET", path) for path in [events, "/v1/agents/x/intents/stream?wait_seconds=60"] * 10
        ]
        idle = socket.create_connection(("127.0.0.1", live.port))
        for stream in streams:
            stream.begun()
        for _ in range(3):  # what was sent before is being worked on when these are answered
            assert ask(live, "GET", "/v1/me").status == 200
        process = live.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0  # less than any of them asked for
        for stream in streams:
            last = [line for line in stream.rest().split("\n") if line.startswith("event: ")][-1]
            assert last == "event: stream.timeout"
        assert json.loads(claim.rest())["deliveries"] == []
        idle.close()
        live.start()
        assert ask(live, "GET", f"/v1/intents/{gate}").json["status"] == "WAITING"


def test_request_during_shutdown_is_answered_or_was_never_accepted(
    tmp_path: Path,
) -> None:
    with alone(tmp_path) as live:
        kept: set[str] = set()

        def send(_: int) -> None:
            while True:
                try:
                    answer = ask(live, "POST", "/v1/intents", GATE)
                except OSError:
                    return
                assert answer.status == 200, answer
                kept.add(answer.json["intent_id"])

        with ThreadPoolExecutor(8) as threads:
            sending = [threads.submit(send, n) for n in range(8)]
            until(lambda: len(kept) > 40)
            live.stop()
            for one in sending:
                one.result(PATIENCE)
        looked = look(database_of(live))
    assert looked.findings == []
    assert kept <= looked.intents.keys()
    assert len(looked.intents.keys() - kept) <= 8, "more was written than could be under way"
