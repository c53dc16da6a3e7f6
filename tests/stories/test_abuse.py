"""What users, programs and machines do wrong: each gets a clear no, and nothing is left half-done or damaged."""

import asyncio
import ctypes
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw
import asyncpg
import pytest

from signoff import Client
from tests.databases import Cluster
from tests.live import PATIENCE, Live
from tests.stories.crash import (
    WORKFLOW,
    Answer,
    ask,
    database_of,
    fresh_database,
    look,
    stopped_at_the_end,
)
from tests.stories.servers import KINDS, until

GATE = {"intent_type": "intent.gate.v1", "human_task": {"title": "Run it?"}}
LONG = 40.0


@pytest.fixture(scope="module", params=KINDS)
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for all requests that are only wrong; it must have been surprised by none of them."""
    folder = tmp_path_factory.mktemp("abused") / ".signoff"
    with (
        fresh_database(request, request.param) as url,
        stopped_at_the_end(Live(folder, url, notify="none")) as live,
    ):
        assert ask(live, "POST", "/v1/workflows", WORKFLOW).status == 200
        yield live


@pytest.fixture
def alone(tmp_path: Path) -> Callable[..., Any]:
    """Start a server for one story, with settings."""

    @contextmanager
    def start(**settings: str) -> Iterator[Live]:
        with stopped_at_the_end(Live(tmp_path / ".signoff", "", 0, notify="none", **settings)) as live:
            yield live

    return start


def count(live: Live) -> int:
    """How many intents there are, as far as a page shows."""
    return len(ask(live, "GET", "/v1/intents?limit=200").json["intents"])


def sent(live: Live, **fields: Any) -> str:
    """The id of a new intent."""
    answer = ask(live, "POST", "/v1/intents", GATE | fields)
    assert answer.status == 200, answer
    found: str = answer.json["intent_id"]
    return found


# -- requests that say nonsense


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"intent_type": "a.v1", "payload": {"x": 1, "x": 2}}', 400, "duplicate_key"),
        (b'{"intent_type": "a.v1", "payload": {"x": NaN}}', 400, "not_a_number"),
        (b'{"intent_type": "a.v1", "payload": {"x": -Infinity}}', 400, "not_a_number"),
        (b'{"intent_type": "a.v1", "payload": {"x": 1e999}}', 400, "number_out_of_range"),
        (b'{"intent_type": "a.v1", "payload": {"x": 9007199254740993}}', 400, "integer_out_of_range"),
        (b'{"intent_type": "a.v1", "payload": {"x": 1' + b"0" * 4000 + b"}}", 400, "integer_out_of_range"),
        (b'{"intent_type": "a.v1", "payload": {"x": "\\ud800"}}', 400, "lone_surrogate"),
        (b'{"intent_type": "a.v1", "payload": {"\\udc00x": 1}}', 400, "lone_surrogate"),
        (b'{"intent_type": "a.v1", "payload": {"x": "\xff"}}', 400, "invalid_utf8"),
        (b'{"payload": ' + b'{"x":' * 50 + b"1" + b"}" * 51, 400, "too_deep"),
        (b"[" * 100_000 + b"]" * 20_000, 400, "too_deep"),
        (b'{"a":' * 20_000, 400, "invalid_json"),
        (b'{"intent_type": "a.v1"', 400, "invalid_json"),
        (b'{"intent_type": "a.v1"} trailing', 400, "invalid_json"),
        (b"[1, 2]", 400, "not_an_object"),
        (b"null", 400, "not_an_object"),
        (b"\x00\x01\x02", 400, "invalid_json"),
        (b'{"intent_type": "a.v1", "payload": {"x": "' + b"y" * 1_000_000 + b'"}}', 413, "payload_too_large"),
    ],
)
def test_bytes_that_are_no_request(live: Live, body: bytes, status: int, code: str) -> None:
    gate = sent(live)
    before = count(live)
    for path in ("/v1/intents", f"/v1/tasks/{gate}/answer", f"/v1/intents/{gate}/resume", "/v1/workflows"):
        answer = ask(live, "POST", path, body)
        codes = {code, "too_deep"} if len(body) > 50_000 else {code}
        assert (answer.status, answer.code in codes) == (status, True), (path, answer)
        assert answer.json["error"]["message"]
        assert answer.json["request_id"] == answer.headers["x-request-id"]
    assert count(live) == before
    assert ask(live, "GET", f"/v1/intents/{gate}").json["status"] == "WAITING"


def test_a_body_that_hides_its_size_is_refused_and_one_without_end_is_cut_off(live: Live) -> None:
    headers = f"host: x\r\nx-api-key: {live.owner_key}\r\ntransfer-encoding: chunked\r\n\r\n"
    head = b"POST /v1/intents HTTP/1.1\r\n" + headers.encode()
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", live.port), PATIENCE) as raw:
        raw.sendall(head + chunk * 4 + b"0\r\n\r\n")
        assert b" 413 " in raw.recv(65536).split(b"\r\n")[0]
    with socket.create_connection(("127.0.0.1", live.port), PATIENCE) as raw:
        raw.sendall(head)
        with pytest.raises(ConnectionError):  # noqa: PT012
            for _ in range(10_000):
                raw.sendall(chunk)
    assert ask(live, "GET", "/health").status == 200


GOOD: dict[str, dict[str, Any]] = {
    "/v1/intents": {
        "intent_type": "intent.odd.v1", "to_agent": "odd", "reply_to": "r", "correlation_id": "c", "from_agent": "f",
        "deadline_at": "2090-01-01T00:00:00Z", "payload": {"a": 1}, "max_delivery_attempts": 3, "remind_after_seconds": 60,
        "human_task": {"title": "t", "description": "d", "task_type": "approval", "assignees": ["a@b.example"],
                       "allowed_outcomes": ["approved", "rejected"], "form_schema": {"type": "object"}},
    },
    "/v1/intents/{gate}/resume": {"task_result": {"outcome": "odd", "comment": "c"}, "reason": "r"},
    "/v1/intents/{gate}/resolve": {"status": "odd", "result": {}, "error": {"code": "c", "message": "m"}},
    "/v1/tasks/{gate}/answer": {"outcome": "odd", "comment": "c", "data": {}, "revision": 7, "digest": "d"},
    "/v1/agents/odd/deliveries/claim": {"limit": 1, "lease_seconds": 30, "holder": "h", "wait_seconds": 0},
    "/v1/service-accounts": {"name": "odd", "display_name": "d", "description": "x", "delivery_mode": "stream"},
    "/v1/keys": {"person": "odd@b.example", "name": "n", "roles": ["member"], "expires_in_seconds": 60},
    "/v1/workflows?dry_run=true": {
        "workflow": "odd", "intent_type": "intent.odd.v1", "max_revisions": 5,
        "steps": [{"id": "a", "agent": "odd", "deadline": "5m", "retry": {"max": 2, "delay": "30s"}},
                  {"id": "b", "human": {"type": "approval", "approvers": ["role:owner"], "remind": {"after": "5m"}}}],
    },
}  # fmt: skip
ODD: list[Any] = [
    "nul\0inside", "", " ", "\u202e\x07", "x" * 3000, "../../x", "'; drop table intents; --", -1, 2**53 - 1, 1e308,
    True, None, [], {}, [[{}]], "9999-12-31T23:59:59Z", {f"k{n}": n for n in range(300)},
]  # fmt: skip
LISTS = ("/v1/intents?intent_type={}", "/v1/intents?cursor={}", "/v1/intents?limit={}", "/v1/tasks?state={}")
READS = (
    "/v1/intents/{}",
    "/v1/tasks/{}",
    "/v1/agents/{}",
    "/v1/service-accounts/{}",
    "/v1/inbox/{}",
    "/v1/workflows/{}",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something could stand that is odd."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield (*path, name)
        yield from places(inner, (*path, name))


def with_odd(body: Any, path: tuple[Any, ...], odd: Any) -> Any:
    body = json.loads(json.dumps(body))
    where = body
    for name in path[:-1]:
        where = where[name]
    where[path[-1]] = odd
    return body


@pytest.mark.parametrize("path", GOOD)
def test_odd_values_anywhere_are_taken_or_refused_but_never_a_surprise(live: Live, path: str) -> None:
    path, body = path.format(gate=sent(live)), GOOD[path]
    asked = [(place, odd, with_odd(body, place, odd)) for place in places(body) for odd in ODD]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda one: ask(live, "POST", path, one[2]), asked))
    for (place, odd, _), answer in zip(asked, answers, strict=True):
        assert answer.status < 500, (place, str(odd)[:40], answer)
        assert answer.status < 400 or (answer.code and answer.json["error"]["message"]), (place, odd, answer)


def test_odd_addresses_are_refused_as_unknown_or_wrong(live: Live) -> None:
    for template in (*READS, *LISTS):
        for odd in ("nul\0inside", "%00", "x" * 3000, "..", "-1", "1e400", "é\U0001f600", "agent://a/b/c/d"):
            answer = ask(live, "GET", template.format(quote(odd, safe="")))
            assert answer.status in (200, 400, 404, 422), (template, odd[:40], answer)


# -- requests that ask for what cannot be


def test_a_workflow_step_that_points_nowhere_and_one_that_never_ends(live: Live) -> None:
    approve: dict[str, Any] = {"id": "approve", "human": {"type": "approval"}}
    for steps, code, field in (
        ([{**approve, "on_failure": "aprove"}], "unknown_step", "steps.approve.on_failure"),
        ([{**approve, "on_success": "approve"}], "cycle_without_exit", "steps.approve"),
        ([approve, approve], "duplicate_step", "steps"),
    ):
        source = {"workflow": "w", "intent_type": "intent.lost.v1", "steps": steps}
        answer = ask(live, "POST", "/v1/workflows", source)
        assert (answer.status, answer.code, answer.json["error"]["field"]) == (422, code, field)
        assert answer.json["error"]["hint"]
    assert ask(live, "GET", "/v1/workflows/intent.lost.v1").status == 404


def test_an_unknown_agent_is_a_warning_and_the_delivery_waits_for_it(live: Live) -> None:
    answer = ask(live, "POST", "/v1/intents", {"intent_type": "intent.new.v1", "to_agent": "newcomer"})
    assert (answer.status, answer.json["status"]) == (200, "DELIVERED")
    assert "newcomer" in answer.json["warnings"][0]
    found = ask(live, "POST", "/v1/agents/newcomer/deliveries/claim", {"holder": "h"}).json["deliveries"]
    assert [one["intent_id"] for one in found] == [answer.json["intent_id"]]


def test_an_expired_a_revoked_and_a_missing_key(live: Live) -> None:
    short = ask(live, "POST", "/v1/keys", {"service": "ci", "expires_in_seconds": 1}).json
    until(lambda: ask(live, "GET", "/v1/me", key=short["api_key"]).code == "key_expired")
    revoked = ask(live, "POST", "/v1/keys", {"service": "ci"}).json
    assert ask(live, "GET", "/v1/me", key=revoked["api_key"]).status == 200
    assert ask(live, "POST", f"/v1/keys/{revoked['key_id']}/revoke", {}).status == 200
    for key, code in (
        (short["api_key"], "key_expired"),
        (revoked["api_key"], "key_revoked"),
        (revoked["api_key"][:-1], "invalid_platform_api_key"),
        ("nonsense", "invalid_platform_api_key"),
        (" ", "missing_platform_api_key"),
    ):
        for method, path in (("POST", "/v1/intents"), ("GET", "/v1/intents"), ("GET", "/v1/me")):
            answer = ask(live, method, path, GATE if method == "POST" else None, key=key)
            assert (answer.status, answer.code) == (401, code)
            assert key.strip() == "" or key not in json.dumps(answer.json)


def test_an_intent_that_ended_takes_nothing_more(live: Live) -> None:
    gate = sent(live)
    assert ask(live, "POST", f"/v1/tasks/{gate}/answer", {"outcome": "approved"}).status == 200
    events = ask(live, "GET", f"/v1/intents/{gate}/events").json
    for path, body, codes in (
        ("resume", {"action": "complete", "x": 1}, {"intent_terminal", "already_decided"}),
        ("resume", {"approve_current_step": True}, {"intent_terminal", "already_decided"}),
        ("resume", {"task_result": {"outcome": "rejected"}}, {"already_decided"}),
        ("resolve", {"status": "FAILED"}, {"intent_terminal"}),
        ("resolve", {"status": "CANCELED"}, {"intent_terminal"}),
        ("controls", {"controls_patch": {"a": 1}}, {"intent_terminal"}),
    ):
        answer = ask(live, "POST", f"/v1/intents/{gate}/{path}", body)
        assert answer.status in (403, 409), (path, answer)
        assert answer.status == 403 or answer.code in codes, (path, answer)
    assert ask(live, "GET", f"/v1/intents/{gate}/events").json == events


def test_the_wrong_agent_sees_nothing_and_ends_nothing(live: Live) -> None:
    keys = {
        name: ask(live, "POST", "/v1/keys", {"agent": name}).json["api_key"] for name in ("right", "wrong")
    }
    intent_id = ask(live, "POST", "/v1/intents", {"intent_type": "intent.one.v1", "to_agent": "right"}).json[
        "intent_id"
    ]
    assert ask(live, "GET", f"/v1/intents/{intent_id}", key=keys["wrong"]).status == 404
    for path, said in (
        (f"/v1/intents/{intent_id}/resume", {"action": "complete"}),
        (f"/v1/intents/{intent_id}/resolve", {"status": "COMPLETED"}),
        (f"/v1/tasks/{intent_id}/answer", {"outcome": "approved"}),
    ):
        assert ask(live, "POST", path, said, key=keys["wrong"]).status in (403, 404)
    claim = ask(live, "POST", "/v1/agents/right/deliveries/claim", {"holder": "h"}, key=keys["wrong"])
    assert (claim.status, claim.code) == (403, "not_your_address")
    gate = sent(live)
    for body in (
        {"action": "complete"},
        {"task_result": {"outcome": "approved"}},
        {"approve_current_step": True},
    ):
        assert ask(live, "POST", f"/v1/intents/{gate}/resume", body, key=keys["right"]).status in (403, 404)
    assert ask(live, "GET", f"/v1/intents/{gate}").json["status"] == "WAITING"
    done = ask(live, "POST", f"/v1/intents/{intent_id}/resume", {"action": "complete"}, key=keys["right"])
    assert (done.status, ask(live, "GET", f"/v1/intents/{intent_id}").json["status"]) == (200, "COMPLETED")


def test_a_key_used_for_another_request_is_a_conflict(live: Live) -> None:
    first = ask(live, "POST", "/v1/intents", GATE, idempotency_key="mine")
    again = ask(live, "POST", "/v1/intents", GATE, idempotency_key="mine")
    assert (again.status, again.json) == (200, first.json)
    other = ask(live, "POST", "/v1/intents", GATE | {"payload": {"x": 1}}, idempotency_key="mine")
    assert (other.status, other.code) == (409, "idempotency_conflict")


# -- more than there is room for


def test_a_full_queue_refuses_whole_requests_and_takes_the_next_ones(alone: Callable[..., Any]) -> None:
    with alone(queue_limit="1") as live:
        with ThreadPoolExecutor(24) as threads:
            answers = list(threads.map(lambda _: ask(live, "POST", "/v1/intents", GATE), range(200)))
        kinds = Counter((one.status, one.code, one.headers.get("retry-after", "")) for one in answers)
        assert kinds.keys() == {(200, "", ""), (503, "queue_full", "1")}, kinds
        taken = {one.json["intent_id"] for one in answers if one.status == 200}
        until(lambda: ask(live, "POST", "/v1/intents", GATE | {"correlation_id": "after"}).status == 200)
        live.stop()
        looked = look(database_of(live))
    assert looked.findings == []
    assert len(looked.intents) == len(taken) + 1
    assert taken < looked.intents.keys()


def fill(live: Live) -> set[str]:
    """Submit until the disk is full; what was acknowledged."""
    big = GATE | {"payload": {"x": "y" * 40_000}}
    kept: set[str] = set()
    for _ in range(200):
        answer = ask(live, "POST", "/v1/intents", big)
        if answer.status != 200:
            assert (answer.status, answer.code) == (503, "storage_full"), answer
            assert int(answer.headers["retry-after"]) >= 1
            return kept
        kept.add(answer.json["intent_id"])
    raise AssertionError("the disk never filled")


def judge_full(live: Live, make_room: Callable[[], object]) -> None:
    """Refused writes, working reads, then room again: nothing lost, nothing damaged."""
    early = sent(live)
    kept = fill(live)
    assert len(kept) > 2
    for _ in range(3):
        refused = ask(live, "POST", "/v1/intents", GATE | {"payload": {"x": "y" * 40_000}})
        assert (refused.status, refused.code) == (503, "storage_full")
        assert ask(live, "GET", f"/v1/intents/{early}").json["status"] == "WAITING"
        assert count(live) == len(kept) + 1
    make_room()
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
    """A disk of 4 MB at ``folder``, with a file on it that can be deleted; None where nobody may mount one."""
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
def test_without_room_writes_are_refused_and_reads_go_on(what: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as ballast:
        live = Live(tmp_path / "disk" / ".signoff", notify="none")
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


# -- databases that are not there, not ours, or in use


def refused_start(*arguments: str, drop_privileges: bool = False, **variables: str) -> str:
    """What ``signoff up`` says when it cannot; it ends soon, with a code and without a traceback."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    done = subprocess.run(
        [sys.executable, "-m", "signoff.cli", "up", "--port", "0", *arguments],
        env=keep | variables,
        capture_output=True,
        text=True,
        timeout=LONG,
        preexec_fn=_obey_permissions if drop_privileges else None,
    )
    assert done.returncode in (1, 2, 6), done
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: "), done.stderr
    return done.stderr


def _obey_permissions() -> None:
    """Root passes over file permissions by two capabilities: start the program without them."""
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            assert ctypes.CDLL(None, use_errno=True).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP


def test_an_unreachable_database_at_the_start(tmp_path: Path) -> None:
    for url in (
        "postgresql://u@127.0.0.1:1/x",
        f"postgresql:///x?host={tmp_path}",
        "postgresql://u@no.invalid/x",
    ):
        assert "cannot be reached" in refused_start("--data", str(tmp_path / "d"), "--database", url)
    assert "mysql" in refused_start("--data", str(tmp_path / "d"), "--database", "mysql://u@h/x")


def test_a_password_is_in_no_error(tmp_path: Path) -> None:
    url = "postgresql://user:hunter2hunter2@127.0.0.1:1/x"
    said = refused_start("--data", str(tmp_path / "d"), SIGNOFF_DATABASE_URL=url)
    assert "hunter2" not in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_of_a_newer_release_is_left_alone(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    newer = "insert into schema_version (version, name, applied_at) values (99, 'later', 0)"
    with fresh_database(request, kind) as url:
        live = Live(tmp_path / ".signoff", url, notify="none")

        def execute(statement: str) -> None:
            if url:
                asyncio.run(_execute(url, statement))
            else:
                apsw.Connection(str(live.data / "signoff.db")).execute(statement)

        with stopped_at_the_end(live):
            gate = sent(live)
        execute(newer)
        arguments = ["--data", str(live.data)] + (["--database", url] if url else [])
        said = refused_start(*arguments)
        assert "schema 99" in said
        assert "newer release" in said
        execute("delete from schema_version where version = 99")
        with stopped_at_the_end(live):
            assert ask(live, "GET", f"/v1/intents/{gate}").json["status"] == "WAITING"


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


def test_two_servers_never_share_a_file(alone: Callable[..., Any], tmp_path: Path) -> None:
    with alone() as live:
        gate = sent(live)
        said = refused_start("--data", str(live.data))
        assert "Another server is using" in said
        assert "PostgreSQL" in said
        other = refused_start(
            "--data", str(tmp_path / "other"), "--database", f"sqlite:///{live.data}/signoff.db"
        )
        assert "Another server is using" in other
        assert ask(live, "POST", f"/v1/tasks/{gate}/answer", {"outcome": "approved"}).status == 200
        live.restart()  # a killed server leaves nothing behind that would keep the next one out
        assert ask(live, "GET", f"/v1/intents/{gate}").json["status"] == "COMPLETED"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o555)
    assert "Permission denied" in refused_start("--data", str(folder), drop_privileges=True)
    assert "Permission denied" in refused_start("--data", str(folder / "inner"), drop_privileges=True)
    assert list(folder.iterdir()) == []
    (tmp_path / "file").write_text("not a folder")
    assert str(tmp_path / "file") in refused_start("--data", str(tmp_path / "file"))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "signoff.db").write_bytes(b"these are my holiday pictures" * 500)
    assert "not a database" in refused_start("--data", str(tmp_path))
    assert (tmp_path / "signoff.db").read_bytes().startswith(b"these are my holiday pictures")


def test_a_port_that_is_taken(alone: Callable[..., Any], tmp_path: Path) -> None:
    with alone() as live:
        said = refused_start("--data", str(tmp_path / "other"), "--port", str(live.port))
        assert f"127.0.0.1:{live.port}" in said
        assert "--port 0" in said
        assert not (tmp_path / "other" / "signoff.db").exists()


# -- PostgreSQL goes away and comes back


class Callers:
    """Threads that submit for as long as they are let, and remember what was acknowledged and what refused."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.kept: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.enough = threading.Event()

    def call(self) -> None:
        while not self.enough.is_set():
            answer = ask(self.live, "POST", "/v1/intents", GATE)
            if answer.status == 200:
                self.kept.add(answer.json["intent_id"])
                continue
            assert answer.status == 503, answer
            assert int(answer.headers["retry-after"]) >= 1
            self.refused[answer.code] += 1

    def keep_on(self) -> None:
        """Until twenty more were acknowledged."""
        goal = len(self.kept) + 20
        until(lambda: len(self.kept) >= goal)


def test_postgres_goes_away_under_load_and_comes_back(alone: Callable[..., Any]) -> None:
    cluster = Cluster()
    try:
        cluster.start()
        with alone(database_url=cluster.url()) as live, ThreadPoolExecutor(4) as threads:
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
        assert callers.refused["database_unavailable"] > 0
        looked = look(cluster.url())
        assert looked.findings == []
        assert callers.kept < looked.intents.keys(), "an acknowledged intent is lost"
        unsure = looked.intents.keys() - callers.kept - {gate}
        assert len(unsure) <= callers.refused["commit_unknown"], "a refused request was carried out"
    finally:
        cluster.remove()


def _away(live: Live) -> bool:
    """The server says that it cannot work, still lives, and refuses reads with a reason."""
    ready = ask(live, "GET", "/ready")
    if ready.status == 200:
        return False
    assert (ready.status, ask(live, "GET", "/health").status) == (503, 200)
    read = ask(live, "GET", "/v1/intents")
    assert (read.status, read.code) == (503, "database_unavailable")
    return True


# -- stopping


class Open:
    """A request that was sent, and whose answer may take long."""

    def __init__(self, live: Live, method: str, path: str, body: Any = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=PATIENCE)
        headers = {"x-api-key": live.owner_key, "content-type": "application/json"}
        self._connection.request(method, path, body and json.dumps(body), headers)

    def rest(self) -> str:
        """The answer up to a proper end; http.client raises IncompleteRead where it was torn off."""
        try:
            answer = self._connection.getresponse()
            assert answer.status == 200
            return answer.read().decode()
        finally:
            self._connection.close()


def test_a_stopping_server_ends_every_stream_properly_and_soon(alone: Callable[..., Any]) -> None:
    with alone() as live:
        gate = sent(live)
        events = f"/v1/intents/{gate}/events/stream?wait_seconds=60"
        streams = [
            Open(live, "GET", path) for path in [events, "/v1/agents/x/intents/stream?wait_seconds=60"] * 10
        ]
        claim = Open(live, "POST", "/v1/agents/x/deliveries/claim", {"holder": "h", "wait_seconds": 50})
        idle = socket.create_connection(("127.0.0.1", live.port))
        for _ in range(3):  # what was sent before is being worked on when these are answered
            assert ask(live, "GET", "/v1/me").status == 200
        process = live.process
        assert process is not None
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert time.monotonic() - began < 2.0
        for stream in streams:
            last = [line for line in stream.rest().split("\n") if line.startswith("event: ")][-1]
            assert last == "event: stream.timeout"
        assert json.loads(claim.rest())["deliveries"] == []
        idle.close()
        live.start()
        assert ask(live, "GET", f"/v1/intents/{gate}").json["status"] == "WAITING"


def test_what_is_under_way_when_the_server_stops_is_answered_or_was_never_taken(
    alone: Callable[..., Any],
) -> None:
    with alone() as live:
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
