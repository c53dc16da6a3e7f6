"""``signoff webhooks``: listening, samples, and the state of sent messages."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from signoff.cli.failures import ExitCode
from signoff.cli.webhooks import _TYPES
from signoff.core.intent.notifications import PERSONAL, NotificationKind
from tests.cli.conftest import Run
from tests.client.stub import Answer, Stub, refused, stub_server

SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
INTENT = "01998a3c-7d40-7b1e-9c52-6f0e8a4d0000"


@pytest.fixture
def receiver() -> Iterator[Stub]:
    with stub_server() as stub:
        yield stub


@pytest.fixture
def secret(tmp_path: Path) -> str:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    return str(file)


def test_sample_events_are_those_that_webhooks_post() -> None:
    posted = {kind.value for kind in NotificationKind} - {
        kind.value for kind in (*PERSONAL, NotificationKind.PUSH)
    }
    assert set(_TYPES) == posted


# -- samples


@pytest.mark.parametrize("event", _TYPES)
def test_sample_is_signed_and_marked_as_a_test(run: Run, receiver: Stub, secret: str, event: str) -> None:
    receiver.on("POST", "/hook", Answer(status=204))
    done = run("webhooks", "trigger", event, "--to", f"{receiver.url}/hook", "--secret-file", secret)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{event} -> HTTP 204 in ")
    [asked] = receiver.asked
    assert asked.headers["webhook-id"].startswith("sample_")
    body = json.dumps(asked.body)
    raw = body.encode()
    assert asked.body["sample"] is True
    assert asked.body["title"].startswith("Sample: ")
    assert asked.body["type"] == asked.body["data"]["kind"] == event
    assert asked.body["data"]["intent"] == "00000000-0000-7000-8000-000000000000"
    assert Webhook(SECRET).verify(raw, asked.headers) == asked.body
    assert SECRET not in done.output


@pytest.mark.parametrize(("status", "code"), [(500, ExitCode.FAILURE), (302, ExitCode.FAILURE)])
def test_exit_code_follows_the_receivers_response(run: Run, receiver: Stub, status: int, code: int) -> None:
    receiver.on("POST", "/hook", Answer(status=status, headers={"location": "http://192.0.2.1/"}))
    done = run("webhooks", "trigger", "task.opened", "--to", f"{receiver.url}/hook")
    assert (done.exit_code, f"HTTP {status}" in done.stdout) == (code, True)
    assert "webhook-signature" not in receiver.asked[0].headers


def test_unreachable_receiver_is_reported(run: Run, receiver: Stub) -> None:
    receiver.stop()
    done = run("webhooks", "trigger", "task.opened", "--to", receiver.url)
    assert (done.exit_code, "no answer" in done.stdout) == (ExitCode.UNREACHABLE, True)
    receiver.start()


@pytest.mark.parametrize(
    "url", ["https://hooks.example/x", "http://10.0.0.1/", "http://127.0.0.1.evil.example/"]
)
def test_samples_are_posted_to_this_machine_only(run: Run, stub: Stub, url: str) -> None:
    for words in (("trigger", "task.opened", "--to", url), ("listen", "--forward-to", url)):
        done = run("webhooks", *words)
        assert (done.exit_code, "only to this machine" in done.stderr) == (ExitCode.USAGE, True)
    assert stub.asked == []


@pytest.mark.parametrize("said", ["", "whsec_", "whsec_%%%", "hunter2"])
def test_wrong_secret_is_refused_and_not_shown(run: Run, receiver: Stub, tmp_path: Path, said: str) -> None:
    (tmp_path / "wrong").write_text(said)
    done = run(
        "webhooks", "trigger", "message", "--to", receiver.url, "--secret-file", str(tmp_path / "wrong")
    )
    assert done.exit_code == ExitCode.USAGE
    assert "hunter2" not in done.output
    assert receiver.asked == []


# -- what became of the server's


def intents(*found: dict[str, Any]) -> Answer:
    rows = [
        {
            "intent_id": one["id"],
            "intent_type": "t",
            "status": one.get("status", "WAITING"),
            "created_at": "2030-01-31T09:00:00Z",
            "updated_at": one.get("at", "2030-01-31T09:00:00Z"),
            "payload": {},
        }
        for one in found
    ]
    return Answer({"ok": True, "intents": rows})


def message(**more: Any) -> dict[str, Any]:
    return {
        "message_id": "m1",
        "kind": "task.opened",
        "channel": "webhook",
        "target": "https://hooks.example",
        "state": "sent",
        "summary": "",
        "attempts": 1,
        "called_at": "2030-01-31T09:00:00Z",
        "at": "2030-01-31T09:00:01Z",
        **more,
    }


def test_logs_show_attempts_the_error_and_the_time_of_the_next_attempt(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/intents", intents({"id": INTENT}))
    failing = message(
        message_id="m2",
        state="waiting",
        attempts=2,
        error="HTTP 500",
        next_attempt_at="2030-01-31T09:30:00Z",
        at="2030-01-31T09:10:00Z",
    )
    to_ann = message(message_id="m3", channel="email", person="per_ann", target="ann@acme.example")
    stub.on(
        "GET",
        f"/v1/intents/{INTENT}/messages",
        Answer({"ok": True, "messages": [failing, to_ann, message()]}),
    )
    done = run("webhooks", "logs")
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()[1:]
    assert "sent" in first
    for said in ("waiting", "2", "HTTP 500", "2030-01-31T09:30:00Z", "6f0e8a4d0000"):
        assert said in second
    assert "ann@acme.example" not in done.stdout, "messages to people are not webhooks"
    only = run("webhooks", "logs", "--failed", "-o", "id")
    assert only.stdout == "m2\n"


# -- listening


def news(seq: int, kind: str, at: str) -> dict[str, Any]:
    body = {"type": kind, "timestamp": at, "title": f"T{seq}", "data": {"intent": INTENT, "at": at}}
    return {"id": f"{INTENT}.{seq}.0", "seq": seq, "type": kind, "title": f"T{seq}", "body": body}


def test_listen_forwards_each_event_once_and_survives_an_outage(
    stub: Stub, receiver: Stub, tmp_path: Path, secret: str
) -> None:
    """Earlier events are not repeated, and an outage between two polls loses no event."""
    old, new = {"id": INTENT}, {"id": INTENT, "at": "2030-01-31T10:00:00Z", "status": "COMPLETED"}
    stub.on("GET", "/v1/intents", intents(old), Answer(status=503), intents(new))
    early, late = (
        news(2, "task.opened", "2030-01-31T08:00:00Z"),
        news(5, "task.decided", "2030-01-31T10:00:00Z"),
    )
    stub.on(
        "GET",
        f"/v1/intents/{INTENT}/notifications",
        Answer({"ok": True, "seq": 5, "notifications": [early, late]}),
    )
    receiver.on("POST", "/hook", Answer(status=204))
    environ = {
        **os.environ,
        "SIGNOFF_URL": stub.url,
        "SIGNOFF_API_KEY": "sgn_x",
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    words = [
        "webhooks",
        "listen",
        "--forward-to",
        f"{receiver.url}/hook",
        "--secret-file",
        secret,
        "-o",
        "jsonl",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "signoff.cli", *words],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        assert process.stdout is not None
        shown = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, remarks = process.communicate()
    finally:
        guard.cancel()
    assert (process.returncode, rest) == (130, "")
    assert (shown["type"], shown["status"], shown["id"]) == ("task.decided", 204, late["id"])
    assert "Trying again." in remarks
    [asked] = receiver.asked
    assert asked.body == late["body"]
    assert asked.headers["webhook-id"] == late["id"]
    raw = json.dumps(asked.body, ensure_ascii=False, separators=(",", ":")).encode()
    assert Webhook(SECRET).verify(raw, asked.headers) == late["body"]


def test_listen_ends_if_the_key_is_refused(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/intents", refused(401, "invalid_platform_api_key"))
    assert run("webhooks", "listen").exit_code == ExitCode.UNAUTHENTICATED


def test_secret_without_a_receiver_is_refused(run: Run, stub: Stub, secret: str) -> None:
    done = run("webhooks", "listen", "--secret-file", secret)
    assert (done.exit_code, stub.asked) == (ExitCode.USAGE, [])
