"""``signoff webhooks listen`` forwards a decision exactly as the server's own webhook would post it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.cli.shell import Shell
from tests.client.stub import Answer, Stub, stub_server
from tests.live import Live


@pytest.fixture
def sh(live: Live) -> Shell:
    return Shell(live)


@pytest.fixture
def receiver() -> Iterator[Stub]:
    with stub_server() as stub:
        yield stub


def test_listen_posts_new_events_only(sh: Shell, receiver: Stub) -> None:
    receiver.on("POST", "/hook", Answer(status=204))
    sh.asked()  # before
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    words = ["webhooks", "listen", "--forward-to", f"{receiver.url}/hook", "-o", "jsonl"]
    process = subprocess.Popen(
        [sys.executable, "-m", "signoff.cli", *words],
        cwd=sh.folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Listening to http://127.0.0.1:")
        intent = sh.asked()
        sh("tasks", "approve", intent, "--yes")
        shown = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        process.communicate()
    finally:
        guard.cancel()
    assert process.returncode == 130
    types = ["task.opened", "task.decided", "intent.finished"]
    assert [one["type"] for one in shown] == types
    assert [one.body["type"] for one in receiver.asked] == types
    assert {one.body["data"]["intent"] for one in receiver.asked} == {intent}
    assert {one["status"] for one in shown} == {204}
