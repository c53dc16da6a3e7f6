"""Use at a terminal: ids that can be copied, completion, ``tasks next``, color, exit codes."""

import io
import json
import os
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from signoff.cli import complete
from signoff.cli.failures import MEANING, ExitCode
from signoff.cli.main import SECTIONS, main
from signoff.cli.output import Column, Output
from signoff.cli.tasks.answer import _COLUMNS as TASK_COLUMNS
from tests.cli.conftest import Run
from tests.cli.terminal import at_a_terminal
from tests.cli.test_main import every_command
from tests.cli.test_tasks import DECIDED, TASK, task
from tests.client.stub import INTENT, Answer, Stub, event, intent, refused

SRC = Path(__file__).parents[2] / "src"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OTHER = "0198c0de-0000-7000-8000-0000000a0002"
# What a command accepts as an argument, by the title of its column.
ACCEPTED = {"ID", "KEY", "NUMBER", "SESSION", "TASK_ID", "EMAIL", "ADDRESS", "INTENT TYPE", "SEQ", "SETTING"}


def open_task(**more: Any) -> dict[str, Any]:
    return dict(
        task(**{"payload": {"order": "A-4721", "amount": 4200}, "votes": [], "stages": 1, **more}).body[
            "task"
        ]
    )


def listing(*tasks: dict[str, Any]) -> Answer:
    return Answer({"ok": True, "tasks": list(tasks)})


# -- tables


def table(width: int, rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> list[str]:
    stream = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(width)
    try:
        Output(stream=stream, now=NOW).many(rows, columns, "task_id", "none")
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_ids_are_never_cut_and_the_subject_is_a_column(width: int) -> None:
    rows = [open_task(title="Refund the customer of the order?" * 2), open_task(task_id=OTHER)]
    first, *lines = table(width, rows, TASK_COLUMNS)
    assert first.startswith("ID            TITLE")
    assert [line.split()[0] for line in lines] == [TASK[-12:], OTHER[-12:]]
    assert "ABOUT" in first
    if width >= 80:
        assert "amount 4,200, order A-4721" in lines[0]
        assert all(len(line) <= width for line in (first, *lines))


def test_columns_are_omitted_before_text_becomes_unreadable() -> None:
    row = open_task(
        title="T" * 60, risk="high", due_at="2026-03-01T20:00:00Z", opened_at="2026-03-01T10:00:00Z"
    )
    shown = [re.split(r"  +", table(width, [row], TASK_COLUMNS)[0].strip()) for width in (200, 100, 80, 60)]
    assert shown[0] == ["ID", "TITLE", "ABOUT", "RISK", "ASKED BY", "TYPE", "STATE", "OPENED", "DUE"]
    assert shown[2] == ["ID", "TITLE", "ABOUT", "RISK", "DUE"]
    assert shown[3] == ["ID", "TITLE", "ABOUT"]


def test_values_that_commands_accept_are_never_cut_in_tables() -> None:
    tables = 0
    for section in SECTIONS.values():
        for target, _ in section.values():
            module = import_module(target.partition(":")[0])
            for columns in vars(module).values():
                if isinstance(columns, tuple) and columns and isinstance(columns[0], Column):
                    tables += 1
                    assert [one.title for one in columns if one.title in ACCEPTED and not one.whole] == []
                    assert not any(one.drop for one in columns if one.title in ACCEPTED - {"KEY"})
    assert tables > 8


def test_truncated_list_says_that_there_are_more(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", listing(open_task(), open_task(task_id=OTHER)))
    done = run("tasks", "list", "--limit", "1", "--json")
    assert (len(json.loads(done.stdout)), done.stderr) == (
        1,
        "There are more; --limit shows more than 1.\n",
    )
    assert run("tasks", "list", "--limit", "2").stderr == ""


# -- colors


def test_no_color_equals_color_never(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", listing(open_task()))
    assert "\x1b[" in run("tasks", "list", "--color", "always").stdout
    assert "\x1b[" in run("tasks", "list", FORCE_COLOR="1").stdout
    for words, environ in (((), {"NO_COLOR": "1"}), (("--no-color",), {}), (("--color", "never"), {})):
        assert "\x1b[" not in run("tasks", "list", *words, FORCE_COLOR="1", **environ).stdout
    assert run("tasks", "list", "--no-color", "--color", "always").exit_code == ExitCode.USAGE


# -- completion


def offered(shell: str, words: str, **environ: str) -> list[str]:
    """The shell completions for these words, of which the last is incomplete."""
    *before, incomplete = words.split(" ")
    asked = {
        "_SIGNOFF_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": incomplete if shell == "fish" else str(len(before)),
    }
    ended = CliRunner().invoke(main, [], env={**asked, **environ})
    assert (ended.exit_code, ended.stderr) == (0 if ended.stdout else 1, "")
    return ended.stdout.splitlines()


def known(stub: Stub) -> dict[str, str]:
    stub.on("GET", "/v1/tasks", listing(open_task(), open_task(task_id=OTHER, title="Pay\x1b[2J?")))
    stub.on("GET", "/v1/people", Answer({"people": [{"email": "ann@a.example", "name": "Ann"}]}))
    stub.on("GET", "/v1/teams", Answer({"teams": [{"name": "sre"}]}))
    stub.on(
        "GET",
        "/v1/intents",
        Answer(
            {"intents": [{"intent_id": INTENT, "intent_type": "a.b.v1", "status": "WAITING", "payload": {}}]}
        ),
    )
    stub.on("GET", "/v1/policies", Answer({"policies": [{"name": "strict"}]}))
    stub.on("GET", "/v1/workflows", Answer({"workflows": [{"intent_type": "intent.pay.v1", "name": "pay"}]}))
    stub.on("GET", "/v1/agents", Answer({"agents": [{"address": "agent://o/w/runner"}]}))
    stub.on("GET", "/v1/keys", Answer({"keys": [{"key_id": "key_1"}]}))
    # the server has all the time that it needs on a busy machine
    return {"SIGNOFF_URL": stub.url, "SIGNOFF_API_KEY": "sgn_person_x", "SIGNOFF_COMPLETION_TIMEOUT": "60"}


def test_completion_offers_ids_with_a_description_in_each_shell(stub: Stub) -> None:
    environ = known(stub)
    assert offered("bash", "signoff tasks approve ", **environ) == [
        f"plain,{TASK[-12:]}",
        f"plain,{OTHER[-12:]}",
    ]
    assert offered("zsh", "signoff tasks get ", **environ)[:3] == [
        "plain",
        TASK[-12:],
        "Run the migration\\x1b[2J? amount 4,200, order A-4721",
    ]
    assert f"plain,{TASK[-12:]}\tRun the migration" in offered("fish", "signoff tasks get ", **environ)[0]
    assert offered("bash", "signoff tasks get 0198c0de-0000-7000-8000-0000000a", **environ) == [
        f"plain,{OTHER}"
    ]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("signoff intents watch ", INTENT[-12:]),
        ("signoff tasks list --intent ", INTENT[-12:]),
        ("signoff tasks delegate x an", "ann@a.example"),
        ("signoff tasks reassign x te", "team:sre"),
        ("signoff people set ", "ann@a.example"),
        ("signoff teams set ", "sre"),
        ("signoff policies explain st", "strict"),
        ("signoff intents send --type int", "intent.pay.v1"),
        ("signoff intents send --to ", "agent://o/w/runner"),
        ("signoff keys revoke ", "key_1"),
        ("signoff audit show ", INTENT[-12:]),
        ("signoff tas", "tasks"),
        ("signoff tasks app", "approve"),
    ],
)
def test_completion_offers_ids_and_names_for_every_command(stub: Stub, words: str, first: str) -> None:
    assert offered("bash", words, **known(stub))[:1] == [f"plain,{first}"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    "name",
    [
        "a`id`@a.example",
        "a$(id)",
        "a;id",
        "a|id",
        "a&id",
        "a b",
        "a'b",
        'a"b',
        "a>b",
        "~a",
        "a*",
        "a!b",
        "-a",
        "a\\b",
    ],
)
def test_completion_omits_words_that_the_shell_would_change(stub: Stub, shell: str, name: str) -> None:
    environ = {"SIGNOFF_URL": stub.url, "SIGNOFF_API_KEY": "sgn_x", "SIGNOFF_COMPLETION_TIMEOUT": "60"}
    stub.on("GET", "/v1/people", Answer({"people": [{"email": name}, {"email": "jürgen+x@a.example"}]}))
    said = offered(shell, "signoff people set ", **environ)
    assert "jürgen+x@a.example" in " ".join(said)
    assert not any(name.strip() in line for line in said)


def test_completion_prints_nothing_if_the_server_fails(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def slow(asked: Any) -> Answer:
        done.wait(60)
        return listing(open_task())

    environ = {"SIGNOFF_URL": stub.url, "SIGNOFF_API_KEY": "sgn_x"}
    stub.on("GET", "/v1/tasks", slow)
    for name, value in {**environ, "SIGNOFF_COMPLETION_TIMEOUT": "0.05"}.items():
        monkeypatch.setenv(name, value)
    group, command = next((c, c) for words, c in every_command(main, ()) if words == ("tasks", "get"))
    context = command.make_context("get", ["--url", stub.url], resilient_parsing=True)
    (param,) = [one for one in group.params if one.name == "task"]
    assert param.shell_complete(context, "") == []
    assert not done.is_set()
    done.set()
    for thread in threading.enumerate():
        if thread.name == "completion":
            thread.join()
    stub.on("GET", "/v1/keys", refused(403, "x"))
    assert offered("bash", "signoff keys revoke ", **environ) == [""]
    stub.stop()
    assert offered("bash", "signoff tasks get ", **environ) == [""]
    assert offered("bash", "signoff tasks get ", SIGNOFF_URL="", SIGNOFF_API_KEY="") == [""]


def test_every_argument_that_names_something_has_completion() -> None:
    plain = {
        "file",
        "files",
        "text",
        "shell",  # a choice completes itself
        "mode",
        "event",
        "target",
        "url",
        "change_id",
        "name",
        "email",
        "output",
        "backup",
        "address",
    }
    missing = [
        (words, param.name)
        for words, command in every_command(main, ())
        for param in command.params
        if isinstance(param, click.Argument)
        and param._custom_shell_complete is None
        and param.name not in plain
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("said", "seconds"), [("", 1.5), ("soon", 1.5), ("0.2", 0.2), ("-1", 0.01), ("1e9", 60.0)]
)
def test_completion_timeout_is_a_bounded_setting(said: str, seconds: float) -> None:
    assert complete.patience({"SIGNOFF_COMPLETION_TIMEOUT": said}) == seconds
    assert complete.patience({}) == 1.5


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_of_each_shell_calls_this_program(run: Run, shell: str) -> None:
    script = run("completion", shell).stdout
    assert f"_SIGNOFF_COMPLETE={shell}_complete" in script


# -- the next task


def waiting(stub: Stub, *tasks: dict[str, Any]) -> None:
    stub.on(
        "GET", "/v1/me", Answer({"actor": {"kind": "person", "id": "per_ann", "name": "Ann", "roles": []}})
    )
    stub.on("GET", "/v1/tasks", listing(*tasks))
    for one in tasks:
        stub.on("GET", f"/v1/tasks/{one['task_id']}", Answer({"ok": True, "task": one}))


def test_next_is_the_callers_open_task_with_the_earliest_deadline(run: Run, stub: Stub) -> None:
    def numbered(number: int, **more: Any) -> dict[str, Any]:
        return open_task(task_id=f"{TASK[:-1]}{number}", opened_at=f"2026-03-01T10:0{number}:00Z", **more)

    mine = [
        {
            "person": "per_ann",
            "name": "Ann",
            "outcome": "approved",
            "at": "2026-03-01T10:00:00Z",
            "via": "web",
        }
    ]
    later = [{"person": "per_ann", "name": "Ann", "until": "2026-03-09T10:00:00Z"}]
    waiting(
        stub,
        numbered(1),
        numbered(2, due_at="2026-03-03T10:00:00Z", risk="low"),
        numbered(3, due_at="2026-03-02T09:00:00+01:00", risk="low"),
        numbered(4, due_at="2026-03-02T08:00:00Z", risk="high"),
        numbered(5, due_at="2026-03-01T10:00:00Z", votes=mine),
        numbered(6, due_at="2026-03-01T10:00:00Z", snoozed=later),
    )
    done = run("tasks", "next", "-o", "id")
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{TASK[:-1]}4\n", "")
    assert stub.asked[1].query["mine"] == "true"
    shown = run("tasks", "next")
    assert "A-4721" in shown.stdout
    assert (
        f"  signoff tasks approve {TASK[:-1]}4\n  signoff tasks reject {TASK[:-1]}4 -m TEXT\n" in shown.stderr
    )


def test_next_prints_a_pasteable_command_for_every_outcome(run: Run, stub: Stub) -> None:
    waiting(stub, open_task(allowed_outcomes=["approved", "ship_it"], comment_required=True))
    offered = run("tasks", "next").stderr
    assert f"  signoff tasks approve {TASK} -m TEXT\n" in offered
    assert f"  signoff tasks submit {TASK} --outcome ship_it -m TEXT\n" in offered
    assert "|" not in offered, "pasted, it would be a pipe"


def test_next_without_a_task_exits_with_5(run: Run, stub: Stub) -> None:
    waiting(stub)
    done = run("tasks", "next")
    assert (done.exit_code, done.stdout, done.stderr) == (
        ExitCode.NOT_FOUND,
        "",
        "error: No task waits for you.\n",
    )


def test_next_in_a_terminal_shows_the_card_and_asks(stub: Stub) -> None:
    waiting(stub, open_task())
    stub.on("POST", f"/v1/tasks/{TASK}/answer", task("closed", **DECIDED))
    asks = b"Answer with approved, rejected, or press Enter to skip it:"
    code, screen = at_a_terminal(stub, ["tasks", "next"], [(asks, b"\n")])
    assert (code, "A-4721" in screen, stub.seen("POST", f"/v1/tasks/{TASK}/answer")) == (0, True, [])
    code, screen = at_a_terminal(stub, ["tasks", "next"], [(asks, b"app\n"), (b"[y/N]", b"y\n")])
    assert (code, "approved by Ann" in screen) == (0, True)
    assert stub.seen("POST", f"/v1/tasks/{TASK}/answer")[0].body["outcome"] == "approved"
    assert at_a_terminal(stub, ["tasks", "next"], [(asks, b"sure\n")])[0] == ExitCode.USAGE


def test_next_does_not_ask_if_the_key_cannot_decide(run: Run, stub: Stub) -> None:
    waiting(stub, open_task(strength="session", risk="high"))
    done = run("tasks", "next")
    assert (done.exit_code, f"{stub.url}/tasks/{TASK}" in done.stderr) == (ExitCode.FORBIDDEN, True)


# -- receipts, the last intent, a look at the requests


def test_withdrawal_prints_a_receipt(run: Run, stub: Stub) -> None:
    stub.on("GET", f"/v1/tasks/{TASK}", task())
    receipt = {"said": "The request is withdrawn.", "next": "Everyone who was asked is notified."}
    stub.on(
        "POST",
        f"/v1/tasks/{TASK}/withdraw",
        Answer({**intent("CANCELED", ending="withdrawn").body, "receipt": receipt}),
    )
    done = run("tasks", "withdraw", TASK, "--yes")
    assert done.stdout.splitlines() == [
        "Run the migration\\x1b[2J?: The request is withdrawn.",
        "Everyone who was asked is notified.",
    ]
    assert json.loads(run("tasks", "withdraw", TASK, "--yes", "--json").stdout)["receipt"] == receipt


def test_last_is_the_intent_most_recently_sent_to_this_server(run: Run, stub: Stub) -> None:
    assert run("intents", "get", "@last").exit_code == ExitCode.NOT_FOUND
    stub.on("POST", "/v1/intents", Answer({"ok": True, "intent_id": INTENT}))
    assert run("intents", "send", "--type", "a.b.v1").exit_code == 0
    stub.on("GET", f"/v1/intents/{INTENT}", intent("WAITING"))
    stub.on("GET", "/v1/tasks", listing(open_task()), listing())
    stub.on("GET", f"/v1/tasks/{TASK}", task())
    assert run("intents", "get", "@last", "-o", "id").stdout == f"{INTENT}\n"
    assert run("tasks", "get", "@last", "-o", "id").stdout == f"{TASK}\n"
    assert stub.seen("GET", "/v1/tasks")[0].query["intent_id"] == INTENT
    assert run("tasks", "get", "@last").exit_code == ExitCode.NOT_FOUND


def test_verbose_prints_requests_without_the_key(run: Run, stub: Stub) -> None:
    stub.on("GET", "/v1/tasks", Answer(listing().body, headers={"x-request-id": "req_7"}))
    for flag in ("-v", "--verbose", "--debug"):
        done = run("tasks", "list", "--search", "token=hunter2", flag)
        assert done.stderr.splitlines()[:2] == [
            "> GET /v1/tasks?state=open&q=token=********&limit=201",
            "< 200 request req_7",
        ]
        assert "sgn_person" not in done.stderr


def test_machine_readable_help_describes_every_command(run: Run) -> None:
    found = {one["command"]: one for one in json.loads(run("commands", "--json").stdout)}
    assert set(found) == {" ".join(("signoff", *words)) for words, _ in every_command(main, ())}
    approve = found["signoff tasks approve"]
    assert approve["arguments"] == [{"name": "TASK...", "required": False, "repeatable": True}]
    assert {
        "names": ["--comment", "-m"],
        "takes_value": True,
        "choices": [],
        "repeatable": False,
        "help": "Reason, recorded in the history.",
    } in approve["options"]
    assert "task_id" in approve["fields"]
    assert "signoff tasks next" in run("commands").stdout


def test_guide_for_programs_names_existing_commands_only(run: Run) -> None:
    guide = run("commands", "--guide").stdout
    known = {" ".join(words) for words, _ in every_command(main, ())} | {
        name for section in SECTIONS.values() for name in section
    }
    for named in re.findall(r"`signoff ([a-z]+(?: [a-z]+)?)", guide):
        assert {named, named.split()[0]} & known, named
    import signoff

    for name in re.search(r"from signoff import ([\w, ]+)", guide)[1].split(", "):  # type: ignore[index]
        assert hasattr(signoff, name)
    for code, word in ((10, "rejected"), (11, "expired"), (13, "changes"), (6, "conflict"), (9, "no server")):
        assert f"{code} {word}" in guide
        assert word.split()[0] in MEANING[ExitCode(code)]


def test_misplaced_option_error_names_its_place(run: Run) -> None:
    for words in (("--json", "tasks", "list"), ("tasks", "--json", "list")):
        done = run(*words)
        assert done.exit_code == ExitCode.USAGE
        assert "A command's options follow it: signoff tasks list --json" in done.stderr


def test_watch_until_stops_at_a_status_or_an_event(run: Run, stub: Stub) -> None:
    stub.on("GET", f"/v1/intents/{INTENT}", intent("WAITING"))
    chunks = [
        event(1, "CREATED", "created"),
        event(2, "WAITING", "human_task_assigned"),
        event(3, "WAITING", "answered"),
    ]
    stub.on("GET", f"/v1/intents/{INTENT}/events/stream", Answer(chunks=chunks))
    for word, seen in (("waiting", 2), ("answered", 3), ("intent.created", 1)):
        done = run("intents", "watch", INTENT, "--until", word, "-o", "jsonl")
        assert (done.exit_code, len(done.stdout.splitlines())) == (0, seen)
    wrong = run("intents", "watch", INTENT, "--until", "anwsered")
    assert (wrong.exit_code, "Did you mean 'answered'?" in wrong.stderr) == (ExitCode.USAGE, True)


# -- exit codes


def watched(stub: Stub, status: str, **more: Any) -> tuple[str, ...]:
    stub.on("GET", f"/v1/intents/{INTENT}", intent(status, **more))
    stub.on("GET", f"/v1/intents/{INTENT}/events/stream", Answer(chunks=[event(1, status)]))
    return ("intents", "watch", INTENT)


def listed(stub: Stub, answer: Answer) -> tuple[str, ...]:
    stub.on("GET", "/v1/workflows", answer)
    return ("workflows", "list")


def away(stub: Stub) -> tuple[str, ...]:
    stub.stop()
    return ("workflows", "list")


ENDS: dict[ExitCode, Callable[[Stub], tuple[str, ...]]] = {
    ExitCode.OK: lambda stub: watched(stub, "COMPLETED"),
    ExitCode.FAILURE: lambda stub: listed(stub, refused(500, "internal_error")),
    ExitCode.USAGE: lambda stub: ("tasks", "list", "--limt"),
    ExitCode.UNAUTHENTICATED: lambda stub: listed(stub, refused(401, "invalid_platform_api_key")),
    ExitCode.NOT_FOUND: lambda stub: listed(stub, refused(404, "not_found")),
    ExitCode.CONFLICT: lambda stub: listed(stub, refused(409, "intent_terminal")),
    ExitCode.FORBIDDEN: lambda stub: listed(stub, refused(403, "role_required")),
    ExitCode.UNREACHABLE: away,
    ExitCode.REJECTED: lambda stub: watched(stub, "FAILED", ending="rejected"),
    ExitCode.EXPIRED: lambda stub: watched(stub, "TIMED_OUT"),
    ExitCode.WITHDRAWN: lambda stub: watched(stub, "CANCELED"),
    ExitCode.SUPERSEDED: lambda stub: watched(stub, "FAILED", ending="superseded"),
    ExitCode.UNDELIVERABLE: lambda stub: watched(stub, "FAILED", ending="undeliverable"),
}
ELSEWHERE = {
    ExitCode.DECLINED: "test_any_reply_other_than_yes_cancels_the_approval",
    ExitCode.CHANGED: "test_watch_tells_a_changed_payload_from_the_one_that_was_sent",
    ExitCode.TIMEOUT: "test_watch_that_times_out_exits_with_7",
    ExitCode.INTERRUPTED: "test_ctrl_c_exits_with_130",
}


@pytest.mark.parametrize("code", ENDS)
def test_command_exits_with_the_documented_code(run: Run, stub: Stub, code: ExitCode) -> None:
    assert run(*ENDS[code](stub)).exit_code == code


def test_every_exit_code_is_documented_and_tested() -> None:
    assert set(MEANING) == set(ExitCode) == set(ENDS) | set(ELSEWHERE)
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert all(f"def {name}(" in tests for name in ELSEWHERE.values())
    page = (SRC.parent / "docs" / "reference" / "cli.md").read_text()
    assert [int(one) for one in re.findall(r"(?m)^\| (\d+) \| ", page)] == sorted(ExitCode)
