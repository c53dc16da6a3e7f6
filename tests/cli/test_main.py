"""The command tree: help, usage errors, failures, start-up cost."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from signoff.cli.commands import DataCommand
from signoff.cli.failures import CommandFailed, ExitCode, stopped, unexpected
from signoff.cli.main import SECTIONS, main
from signoff.core.errors import Conflict, Invalid, Refused
from tests.cli.conftest import Run
from tests.client.stub import Answer, Stub, refused

pytestmark = pytest.mark.windows

SRC = Path(__file__).parents[2] / "src"
NAMES = [(name, target) for section in SECTIONS.values() for name, (target, _) in section.items()]


def python(*code: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.run([sys.executable, *code], env=environ, capture_output=True, text=True, timeout=180)


def test_help_names_every_command(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, _ in NAMES:
        assert f"  {name} " in result.stdout


@pytest.mark.parametrize(("name", "target"), NAMES)
def test_every_command_exists_and_has_help(run: Run, name: str, target: str) -> None:
    module, _, attribute = target.partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    result = run(name, "-h")
    assert (result.exit_code, result.stderr) == (0, "")
    for inner in getattr(command, "commands", {}):
        text = run(name, inner, "--help").stdout
        assert "Usage: signoff" in text
        if inner != "completion":
            assert "--json" in text


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["taks"], "Did you mean 'tasks'?"),
        (["tasks", "aprove"], "Did you mean 'approve'?"),
        (["xyzzy"], "Commands: up, demo"),
        (["tasks", "list", "--limt", "3"], "--limit"),
        (["tasks", "list", "--limit", "x"], "signoff tasks list --help"),
        (["up", "--port", "http"], "port: 'http' is not a whole number"),
        (["tasks", "list", "--json", "id,title"], "There is no field 'id'"),
        (["tasks", "list", "--json", "id"], "There is no field 'id'"),
        (["tasks", "list", "--json", "-o", "id"], "cannot be combined"),
        (["intents", "watch", "a1b2", "--timeout", "soon"], "not a duration"),
        (["keys", "create"], "exactly one of --agent"),
        (["keys", "create", "--agent", "a", "--person", "b"], "exactly one of --agent"),
        (["intents", "send"], "Pass --type"),
        (["intents", "send", "--type", "a.b.v1", "--timeout", "5s"], "only with --watch"),
        (["scenarios", "apply", "x.json", "--timeout", "5s"], "only with --watch"),
        (
            ["people", "absent", "ann@a.example", "--clear", "--until", "2026-03-02"],
            "cannot be combined with other options",
        ),
        (["policies", "list", "--url", ""], "--url is empty"),
        (["agents", "list", "--key-file", " "], "--key-file is empty"),
        (["db", "migrate", "--database", ""], "--database is empty"),
        (["up", "--host", ""], "--host is empty"),
        (["config", "show", "--data", ""], "--data is empty"),
    ],
)
def test_usage_error_exits_with_2_and_names_the_next_step(run: Run, words: list[str], hint: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert hint in result.stderr
    assert result.stderr.startswith("error: ")


def test_help_without_a_command_goes_to_stderr(run: Run) -> None:
    result = run()
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert result.stderr.startswith("Usage: signoff")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refused(401, "invalid_platform_api_key"), ExitCode.UNAUTHENTICATED),
        (refused(403, "role_required"), ExitCode.FORBIDDEN),
        (refused(404, "not_found"), ExitCode.NOT_FOUND),
        (refused(409, "intent_terminal"), ExitCode.CONFLICT),
        (refused(422, "validation_error"), ExitCode.USAGE),
        (refused(500, "internal_error"), ExitCode.FAILURE),
        (Answer(b"<html>", 502), ExitCode.FAILURE),
    ],
)
def test_each_refusal_has_its_exit_code(run: Run, stub: Stub, answer: Answer, code: ExitCode) -> None:
    stub.on("GET", "/v1/workflows", answer)
    result = run("workflows", "list")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ")


def test_refusal_shows_the_hint_and_the_request_id(run: Run, stub: Stub) -> None:
    stub.on(
        "GET",
        "/v1/workflows",
        refused(403, "x", {"x-request-id": "req_7"}, message="No\x1b[2J.", hint="Ask Ann."),
    )
    assert run("workflows", "list").stderr == "error: No\\x1b[2J.\n  Ask Ann.\n  request: req_7\n"


def test_unreachable_server_error_names_the_address_and_the_next_command(run: Run, stub: Stub) -> None:
    stub.stop()
    result = run("tasks", "list")
    assert result.exit_code == ExitCode.UNREACHABLE
    assert result.stderr == f"error: Nothing is listening at {stub.url}.\n  Start it with: signoff up\n"


def test_unreachable_server_error_hides_a_password_in_the_address(run: Run, stub: Stub) -> None:
    stub.stop()
    address = stub.url.replace("://", "://ann:hunter2@")
    result = run("tasks", "list", SIGNOFF_URL=address)
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "Nothing is listening at http://ann:********@" in result.stderr


def test_unreachable_server_is_reported_before_a_missing_key(run: Run, stub: Stub) -> None:
    stub.stop()
    result = run("tasks", "list", SIGNOFF_API_KEY=None)
    assert (result.exit_code, "Nothing is listening" in result.stderr) == (ExitCode.UNREACHABLE, True)
    stub.start()
    assert run("tasks", "list", SIGNOFF_API_KEY=None).exit_code == ExitCode.UNAUTHENTICATED


def test_missing_settings_error_names_the_places_searched(run: Run) -> None:
    result = run("tasks", "list", SIGNOFF_URL=None, SIGNOFF_API_KEY=None)
    assert result.exit_code == ExitCode.UNAUTHENTICATED
    assert "signoff up" in result.stderr


def test_key_is_read_from_a_file(run: Run, stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sgn_service_other\n")
    stub.on("GET", "/v1/workflows", Answer({"workflows": []}))
    assert run("workflows", "list", "--key-file", "key").exit_code == 0
    assert stub.asked[0].headers["x-api-key"] == "sgn_service_other"
    missing = run("workflows", "list", "--key-file", "nowhere")
    assert (missing.exit_code, missing.stderr) == (
        ExitCode.USAGE,
        "error: nowhere: No such file or directory.\n",
    )


def test_refusals_of_the_client_keep_their_hint() -> None:
    stop = stopped(Invalid("invalid_setting", "port: 'x' is not a number.", hint="Write 8100."))
    assert stop is not None
    assert (stop.code, stop.what, stop.hint) == (
        ExitCode.USAGE,
        "port: 'x' is not a number.",
        "Write 8100.",
    )
    late = stopped(Conflict("schema_newer", "The database is newer."))
    assert late is not None
    assert late.code is ExitCode.CONFLICT
    taken = [stopped(Refused(code, "No.")) for code in ("database_in_use", "address_in_use")]
    assert [stop and stop.code for stop in taken] == [ExitCode.CONFLICT, ExitCode.FAILURE]


def test_ctrl_c_exits_with_130() -> None:
    stop = stopped(KeyboardInterrupt())
    assert stop is not None
    assert stop.code is ExitCode.INTERRUPTED


def test_bug_is_reported_in_one_sentence_with_a_traceback_on_request_only() -> None:
    bug = ZeroDivisionError("by \x1b zero, smtp://ann:hunter2@mail, invalid literal: 'p4ssw0rd@127.0.0.1'")
    assert stopped(bug) is None
    assert unexpected(bug, {})[0] == "internal error (ZeroDivisionError)."
    environ = {"SIGNOFF_DEBUG": "1", "SIGNOFF_DATABASE_URL": "postgresql://app@x:p4ssw0rd@127.0.0.1/db"}
    last = unexpected(bug, environ)[-1]
    assert last.startswith("ZeroDivisionError: by \\x1b zero")
    assert "hunter2" not in last
    assert "p4ssw0rd" not in last


def test_text_from_the_server_cannot_forge_lines() -> None:
    lines = CommandFailed(ExitCode.FAILURE, "first\nerror: forged", "hint\nmore", "r\nq").lines()
    assert lines == ["error: first", "  error: forged", "  hint", "  more", "  request: r\\nq"]


def test_version_is_printed_on_one_line(run: Run) -> None:
    assert re.fullmatch(r"signoff \d+\.\d+\.\d+\n", run("--version").stdout)


def test_help_imports_neither_sdk_nor_server() -> None:
    code = "import sys\nfrom signoff.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    loaded = python("-c", code + "print(*sorted(sys.modules), file=sys.stderr)").stderr.split()
    assert "click" in loaded
    heavy = {"httpx2", "msgspec", "starlette", "apsw", "asyncio", "ssl", "signoff.client", "signoff.config"}
    assert heavy & set(loaded) == set()


@pytest.mark.parametrize(
    ("words", "missing", "part"),
    [
        (["up"], "uvicorn", "server"),
        (["demo", "--auto"], "uvicorn", "server"),
        (["db", "migrate"], "apsw", "server"),
        (["mcp"], "mcp", "mcp"),
    ],
)
def test_missing_extra_is_reported_with_the_command_that_installs_it(
    words: list[str], missing: str, part: str
) -> None:
    without = (
        f"import sys\nsys.modules[{missing!r}] = None\nfrom signoff.cli.main import main\nmain({words!r})\n"
    )
    ended = python("-c", without)
    assert ended.returncode == ExitCode.FAILURE
    command = " ".join(word for word in words if not word.startswith("-"))
    assert ended.stderr == (
        f"error: signoff {command} needs the {part} part, and {missing} is not installed.\n"
        f'  Install it with pip install "signoff[{part}]"\n'
    )


def test_doctor_without_the_server_package_prints_a_note_and_one_error(tmp_path: Path) -> None:
    (tmp_path / ".signoff").mkdir()
    code = (
        f"import os, sys\nos.chdir({str(tmp_path)!r})\nos.environ['HOME'] = {str(tmp_path)!r}\n"
        "sys.modules['apsw'] = None\nfrom signoff.cli.main import main\nmain(['doctor', '--json'])\n"
    )
    ended = python("-c", code)
    found = json.loads(ended.stdout)
    assert ended.returncode == ExitCode.FAILURE
    assert [(check["level"], check["subject"]) for check in found] == [
        ("problem", "server"),
        ("note", "database"),
    ]
    assert found[0]["found"] == "No Signoff server was found."
    assert "signoff up" in found[0]["next"]


def test_closed_pipe_prints_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "signoff.cli", "config", "show"]
    environ = {**os.environ, "PYTHONPATH": str(SRC)}
    ended = subprocess.run(
        command, env=environ, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=180
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (ExitCode.FAILURE, "")


def test_console_script_is_the_program() -> None:
    assert main.name == "signoff"
    assert python("-m", "signoff.cli", "completion", "zsh").stdout.startswith("#compdef signoff")


def test_unencodable_character_is_escaped_and_json_stays_valid(tmp_path: Path) -> None:
    name = "\u043a\u043b\u044e\u0447-\U0001f511"
    environ = {**os.environ, "PYTHONPATH": str(SRC), "PYTHONIOENCODING": "ascii", "SIGNOFF_DATA": name}
    command = [sys.executable, "-m", "signoff.cli", "config", "show"]
    for more in ((), ("--json",)):
        done = subprocess.run([*command, *more], env=environ, capture_output=True, timeout=180, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\\u043a\\u043b\\u044e\\u0447-\\ud83d\\udd11" in done.stdout
    assert name in {row["value"] for row in json.loads(done.stdout)}


def test_os_error_is_reported_in_the_words_of_the_system() -> None:
    stop = stopped(OSError(28, "No space left on device"))
    assert stop is not None
    assert stop.lines() == ["error: No space left on device."]


def test_empty_option_value_is_refused(run: Run) -> None:
    """An unset shell variable must not remove the digest from an answer or a filter from a bulk command."""
    tried = 0
    for words, command in every_command(main, ()):
        if not isinstance(command, DataCommand):
            continue
        arguments = [
            "x@a.example" for one in command.params if isinstance(one, click.Argument) and one.required
        ]
        for option in command.params:
            text = isinstance(option, click.Option) and not option.is_flag and option.type is click.STRING
            if not text or option.name == "json" or option.name in command.clearing:
                continue
            result = run(*words, *arguments, option.opts[0], "")
            assert result.exit_code == ExitCode.USAGE, (words, option.name, result.output)
            tried += 1
    assert tried > 100


def every_command(
    group: click.Group, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*above, name))
        elif command is not None:
            yield (*above, name), command


@pytest.mark.parametrize(
    "words",
    [
        ("tasks", "list", "--key-file", "KEY"),
        ("tasks", "list", "--context", "KEY"),
        ("tasks", "list", "--url", "KEY"),
        ("tasks", "get", "KEY"),
        ("tasks", "list", "KEY"),
        ("login", "KEY"),
        ("KEY",),
    ],
)
def test_an_error_does_not_repeat_a_key_that_was_passed_in_the_wrong_place(
    run: Run, words: tuple[str, ...]
) -> None:
    key = "sgn_person_TNXyWgKeF2GN_9aBcDeFgHiJkLmNoPqRs"
    done = run(*(key if word == "KEY" else word for word in words), SIGNOFF_API_KEY="other")
    assert done.exit_code != 0
    assert done.stderr.startswith("error: ")
    assert key not in done.output + done.stderr
