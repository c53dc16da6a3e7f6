"""Mistakes of scripts: empty variables, key files without a key, the history of another intent."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from signoff.cli.arguments import form_data
from signoff.cli.failures import CommandFailed, ExitCode
from tests.cli.conftest import Run
from tests.client.stub import INTENT, Answer, Stub, event, intent, refused

pytestmark = pytest.mark.windows

OTHER = "0198c0de-0000-7000-8000-0000000b0000"


@pytest.mark.parametrize(
    "command",
    [
        ("keys", "revoke", "", "--yes"),
        ("people", "set", " ", "--name", "Ann"),
        ("teams", "set", "", "-m", "ann@acme.example"),
        ("changes", "confirm", ""),
        ("intents", "get", ""),
        ("tasks", "reassign", "0b0001", "team:sre", ""),
    ],
)
def test_empty_argument_is_a_usage_error(run: Run, stub: Stub, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert (result.exit_code, stub.asked) == (ExitCode.USAGE, [])
    assert "is empty." in result.stderr
    assert "bug" not in result.stderr


def test_empty_holder_is_refused(run: Run, stub: Stub) -> None:
    assert run("keys", "create", "--agent", "", "--service", "ci").exit_code == ExitCode.USAGE
    assert stub.asked == []


def test_empty_key_file_is_refused_without_falling_back_to_another_key(
    run: Run, stub: Stub, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("\n")
    result = run("tasks", "list", "--key-file", "key")
    assert (result.exit_code, result.stderr, stub.asked) == (
        ExitCode.USAGE,
        "error: key contains no key.\n",
        [],
    )
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    result = run("tasks", "list", "--key-file", "key")
    assert (result.exit_code, result.stderr) == (ExitCode.USAGE, "error: key is not UTF-8 text.\n")


@pytest.mark.parametrize(
    "command",
    [
        ("intents", "list", "--limit", "1", "--limit", "2"),
        ("tasks", "approve", "TASK", "--digest", "a", "--digest=b"),
        ("intents", "list", "--json", "intent_id", "--json", "status"),
        ("up", "--port", "0", "--port", "0"),
        ("up", "--listen", "--no-listen"),
        ("demo", "--port", "0", "--port", "1"),
        ("mcp", "--port", "0", "--port", "1"),
    ],
)
def test_repeated_option_is_refused(run: Run, stub: Stub, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert (result.exit_code, stub.asked) == (ExitCode.USAGE, [])
    assert "is given twice." in result.stderr


def test_verify_refuses_the_history_of_another_intent(run: Run, stub: Stub) -> None:
    trail = {"ok": True, "intent_id": OTHER, "seq": 0, "head": "", "verified": True, "events": []}
    stub.on("GET", f"/v1/intents/{INTENT}/audit", Answer(trail))
    result = run("audit", "verify", INTENT)
    assert result.exit_code == ExitCode.FAILURE
    assert f"got a response for {OTHER}" in result.stderr


SCHEMA: dict[str, Any] = {
    "properties": {"note": {"type": ["string", "null"]}, "n": {"type": ["number", "null"]}, "free": {}}
}


def test_form_field_that_allows_null_takes_plain_text() -> None:
    pairs = ("note=5 o'clock", "n=5", "free=x")
    assert form_data(pairs, SCHEMA) == {"note": "5 o'clock", "n": 5, "free": "x"}
    assert form_data(("note=null", "n=null"), SCHEMA) == {"note": None, "n": None}


@pytest.mark.parametrize("text", ["NaN", "Infinity", "five", '{"a": 1, "a": 2}'])
def test_invalid_json_is_refused_as_a_number(text: str) -> None:
    with pytest.raises(CommandFailed, match="is not of type number or null"):
        form_data((f"n={text}",), SCHEMA)


def test_followed_events_are_printed_as_one_json_line_each(run: Run, stub: Stub) -> None:
    stub.on("POST", "/v1/intents", Answer({"ok": True, "intent_id": INTENT}))
    stub.on("GET", f"/v1/intents/{INTENT}", intent("COMPLETED"))
    stub.on("GET", f"/v1/intents/{INTENT}/events/stream", Answer(chunks=[event(2, "COMPLETED")]))
    result = run("intents", "send", "--type", "a.b.v1", "--watch", "--json")
    assert result.exit_code == ExitCode.OK, result.stderr
    first, *rest = [json.loads(line) for line in result.stdout.splitlines()]
    assert first["intent_id"] == INTENT
    assert [line["status"] for line in rest] == ["COMPLETED"]


def test_watch_continues_after_a_restart_of_the_server(run: Run, stub: Stub) -> None:
    task = {"task_id": OTHER, "intent_id": INTENT, "title": "Migrate?", "state": "open"}
    seen, away = Answer({"ok": True, "tasks": [task]}), refused(503, "stopping")
    stub.on("GET", "/v1/tasks", seen, away, away, Answer({"ok": True, "tasks": []}))
    stub.on("GET", f"/v1/tasks/{OTHER}", Answer({"ok": True, "task": {**task, "state": "closed"}}))
    result = run("tasks", "watch", "--every", "0.2", "--looks", "4", "--json")
    assert result.exit_code == ExitCode.OK, result.stderr
    assert [json.loads(line)["state"] for line in result.stdout.splitlines()] == ["open", "closed"]
    assert result.stderr.count("still trying") == 1


def test_watch_fails_if_the_first_look_at_the_inbox_fails(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", refused(503, "stopping"))
    assert run("tasks", "watch", "--looks", "3").exit_code == ExitCode.FAILURE


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_stream_is_not_reported_as_a_bug(closed: str, tmp_path: Path) -> None:
    command = f"{sys.executable} -m signoff.cli agents list --url http://127.0.0.1:9 {closed}"
    environment = {**os.environ, "SIGNOFF_API_KEY": "sgn_person_x"}
    ended = subprocess.run(
        ["sh", "-c", command], capture_output=True, cwd=tmp_path, env=environment, check=False
    )
    assert ended.returncode == ExitCode.UNREACHABLE, ended.stderr
    command = f"{sys.executable} -m signoff.cli completion bash {closed}"
    ended = subprocess.run(
        ["sh", "-c", command], capture_output=True, cwd=tmp_path, env=environment, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
