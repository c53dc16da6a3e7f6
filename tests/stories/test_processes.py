"""``signoff up --workers N``: several processes act as one server, and nothing is lost when any of them dies."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from signoff.engine.siblings import LEADER
from tests.live import PATIENCE, Live
from tests.stories.crash import GATE, database_of, fresh_database, look, stopped_at_the_end
from tests.stories.servers import KINDS, self_approving, until
from tests.stories.test_crash import LONG, Flood

WORKERS = 3


class Line:
    """A connection that stays open, and so stays with one worker."""

    def __init__(self, live: Live) -> None:
        self._key = live.owner_key
        self.connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=PATIENCE)

    def say(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"content-type": "application/json", "x-api-key": self._key}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        came = self.connection.getresponse()
        return came.status, json.loads(came.read())

    def status(self, path: str) -> int:
        self.connection.request("GET", path, headers={"x-api-key": self._key})
        came = self.connection.getresponse()
        came.read()
        return came.status

    def at_once(self, path: str, count: int) -> Counter[int]:
        """The number of responses by status, for requests sent together without waiting."""
        found: Counter[int] = Counter()
        request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: {self._key}\r\n\r\n".encode()
        self.connection.connect()
        self.connection.sock.sendall(request * count)
        with self.connection.sock.makefile("rb") as answers:
            for _ in range(count):
                found[int(answers.readline().split()[1])] += 1
                headers = http.client.parse_headers(answers)
                answers.read(int(headers["content-length"]))
        self.connection.close()
        return found

    def done(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.say(method, path, body)
        assert status == 200, answer
        return answer

    @property
    def worker(self) -> int:
        number: int = self.say("GET", "/ready")[1]["details"]["process"]
        return number


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    with (
        fresh_database(request, request.param) as url,
        stopped_at_the_end(
            Live(tmp_path / ".signoff", url, workers=str(WORKERS), console_notifications="off")
        ) as live,
    ):
        yield self_approving(live)


def lines(live: Live, stack: ExitStack, count: int = WORKERS) -> list[Line]:
    """A connection to each worker, by its number."""
    found: dict[int, Line] = {}
    for _ in range(200):
        line = Line(live)
        stack.callback(line.connection.close)
        found.setdefault(line.worker, line)
        if len(found) == count:
            return [found[number] for number in sorted(found)]
    raise AssertionError(f"no connection reached another worker than {sorted(found)}")


def workers(live: Live) -> list[int]:
    """The worker processes, oldest first."""
    assert live.process is not None
    found = Path(f"/proc/{live.process.pid}/task/{live.process.pid}/children").read_text().split()
    return [int(pid) for pid in found]


def test_request_runs_over_three_workers(server: Live) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(1) as threads:
        one, two, three = lines(server, stack)
        intent = one.done("POST", "/v1/intents", GATE)["intent_id"]
        assert two.done("GET", f"/v1/intents/{intent}")["intent_id"] == intent
        waiting = threads.submit(events_of, two, intent)
        assert three.done("POST", f"/v1/tasks/{intent}/answer", {"outcome": "approved"})["ok"]
        assert "intent.completed" in waiting.result(PATIENCE)
        for line in (one, two, three):
            assert line.done("GET", f"/v1/intents/{intent}")["status"] == "COMPLETED"


def test_metrics_of_all_workers_are_served_by_each(server: Live) -> None:
    with ExitStack() as stack:
        found = lines(server, stack)
        for times, line in enumerate(found, 1):
            for _ in range(times):
                line.done("GET", "/v1/me")

        def counted(line: Line) -> dict[str, float]:
            """How often /v1/me was answered, by worker."""
            line.connection.request("GET", "/metrics", headers={"x-api-key": line._key})
            text = line.connection.getresponse().read().decode()
            return {
                sample.labels["worker"]: sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name == "signoff_http_requests_total" and sample.labels["path"] == "/v1/me"
            }

        for line in found:
            until(lambda line=line: counted(line) == {"0": 1, "1": 2, "2": 3})


def events_of(line: Line, intent: str) -> str:
    """The events of an intent's stream until it ends."""
    line.connection.request(
        "GET",
        f"/v1/intents/{intent}/events/stream?wait_seconds=30",
        headers={"x-api-key": line._key, "x-axme-client": "signoff-test/1"},
    )
    return line.connection.getresponse().read().decode()


def test_revoked_key_ends_at_every_worker(server: Live) -> None:
    with ExitStack() as stack:
        found = lines(server, stack)
        made = found[0].done("POST", "/v1/keys", {"service": "reader"})
        for line in found:
            line._key = made["api_key"]
            assert line.say("GET", "/v1/me")[0] == 200
        owner = Line(server)
        stack.callback(owner.connection.close)
        owner.done("POST", f"/v1/keys/{made['key_id']}/revoke")
        for line in found:
            until(lambda line=line: line.say("GET", "/v1/me")[0] == 401, 2.0)


def test_killing_a_worker_or_the_supervisor_loses_and_repeats_nothing(server: Live) -> None:
    flood = Flood(server)
    chance = random.Random(8)
    with flood.calling() as calling:
        for strike in ("leader", "follower", "supervisor", "any"):
            goal = len(flood.decided) + chance.randint(5, 30)
            until(partial(flood.reached, goal, calling), LONG)
            if strike == "supervisor":
                server.kill()
                server.start()
                continue
            pids = workers(server)
            assert len(pids) == WORKERS
            pid = {"leader": pids[0], "follower": pids[-1], "any": chance.choice(pids)}[strike]
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: pid not in (now := workers(server)) and len(now) == WORKERS)
    server.stop()
    flood.judge(look(database_of(server)))


def test_graceful_stop_ends_streams_and_leaves_no_process(server: Live) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(WORKERS) as threads:
        found = lines(server, stack)
        intent = found[0].done("POST", "/v1/intents", GATE)["intent_id"]
        streams = [threads.submit(events_of, line, intent) for line in found]
        pids = workers(server)
        process = server.process
        assert process is not None
        server.stop()
        assert process.returncode == 0
        for stream in streams:
            assert "event: stream.timeout" in stream.result(PATIENCE)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_ready_reports_when_the_leader_is_gone_and_back(server: Live) -> None:
    with ExitStack() as stack:
        found = lines(server, stack)
        os.kill(workers(server)[0], signal.SIGKILL)
        until(lambda: found[1].say("GET", "/ready")[0] == 503)
        until(lambda: found[1].say("GET", "/ready")[0] == 200)


class Impatient(Live):
    """A server that replaces a worker after six seconds without a report."""

    program = (
        "-c",
        "from signoff import supervisor; supervisor.HANGS = 6.0; from signoff.cli.main import main; main()",
    )


def shown(line: Line, worker: int) -> str:
    """What /ready reports about a worker."""
    state: str = line.say("GET", "/ready")[1]["details"]["processes"][str(worker)]
    return state


@pytest.mark.parametrize("number", [LEADER, 1], ids=["leader", "follower"])
def test_hanging_worker_is_replaced_while_the_others_respond(tmp_path: Path, number: int) -> None:
    live = Impatient(tmp_path / ".signoff", "", workers="2", console_notifications="off")
    with stopped_at_the_end(live), ExitStack() as stack:
        other = lines(live, stack, 2)[1 - number]
        hung = workers(live)[number]
        until(lambda: shown(other, number) == "ok")  # it has reported: one that never did is starting
        os.kill(hung, signal.SIGSTOP)
        until(lambda: shown(other, number) == "not responding")
        intent = other.done("POST", "/v1/intents", GATE)["intent_id"]
        until(lambda: hung not in (now := workers(live)) and len(now) == 2)
        until(lambda: other.status("/ready") == 200)
        for line in lines(live, stack, 2):
            assert line.done("GET", f"/v1/intents/{intent}")["status"] == "WAITING"
        assert f"worker {number} has not reported for 6 s and is replaced" in live.log.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_streams_are_limited_over_all_workers(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    with fresh_database(request, kind) as url, ExitStack() as stack:
        live = stack.enter_context(
            stopped_at_the_end(Live(tmp_path / ".signoff", url, workers="2", max_streams="1", max_rate="20"))
        )
        one, two = lines(live, stack, 2)
        intent = one.done("POST", "/v1/intents", GATE)["intent_id"]
        path = f"/v1/intents/{intent}/events/stream?wait_seconds=30"
        one.connection.request(
            "GET", path, headers={"x-api-key": live.owner_key, "x-axme-client": "signoff-t/1"}
        )
        held = one.connection.getresponse()
        assert held.status == 200
        until(lambda: two.status(path.replace("=30", "=1")) == 429)
        # what the one admits, the other counts
        third = Line(live)
        stack.callback(third.connection.close)
        until(lambda: third.at_once("/v1/me", 200)[429])  # faster than a busy machine answers one by one
        assert third.at_once("/v1/me", 200).keys() <= {200, 429}


@pytest.mark.parametrize("wrong", ["0", "-1", "65", "two", "1.5"])
def test_invalid_number_of_workers_is_refused_by_name(tmp_path: Path, wrong: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "signoff.cli", "up", f"--workers={wrong}", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode != 0
    assert "workers" in ended.stderr


def test_second_server_on_a_file_in_use_by_workers_is_refused(tmp_path: Path) -> None:
    live = Live(tmp_path / ".signoff", "", workers="2", console_notifications="off")
    with stopped_at_the_end(live):
        for count in ("1", "2"):
            second = Live(tmp_path / ".signoff", f"sqlite:///{tmp_path}/.signoff/signoff.db", workers=count)
            second.log = tmp_path / "second.log"
            with pytest.raises(AssertionError, match="Another server is using"):
                second.start()
