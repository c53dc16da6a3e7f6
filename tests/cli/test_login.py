"""``signoff login``: its output, how it polls, and how it ends."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from signoff.cli.contexts import Context, change_contexts, read_contexts
from signoff.cli.device_login import has_browser
from signoff.cli.failures import ExitCode
from tests.cli.conftest import Run
from tests.cli.terminal import at_a_terminal
from tests.cli.test_contexts import KEY, ME, NOTHING
from tests.client.stub import Answer, Asked, Stub, refused

START, POLL = "/v1/device-logins", "/v1/device-logins/poll"
SECRET = "device-hunter2"


@pytest.fixture(autouse=True)
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "config"


def started(stub: Stub, *polls: Answer, life: int = 600, uri: str = "https://signoff.example/device") -> None:
    asked = {
        "device_code": SECRET,
        "user_code": "WDJB-MJHT",
        "verification_uri": uri,
        "expires_in": life,
        "interval": 0,
    }
    stub.on("POST", START, Answer(asked))
    stub.on("POST", POLL, *polls)
    stub.on("GET", "/v1/me", ME)


PENDING = Answer({"status": "pending"})
ALLOWED = Answer({"status": "allowed", "api_key": KEY, "key_id": "sak_1"})


def test_login_shows_page_and_code_and_stores_the_key_without_printing_it(
    run: Run, stub: Stub, settings_folder: Path
) -> None:
    started(stub, PENDING, Answer({}, 503), refused(429, "slow_down"), ALLOWED)
    done = run("login", stub.url, "--name", "prod", "--no-browser", **NOTHING)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"Signed in to {stub.url} as ann@a.example; context prod is in use.\n"
    for shown in ("https://signoff.example/device", "WDJB-MJHT"):
        assert shown in done.stderr
    assert KEY not in done.output
    assert SECRET not in done.output
    stored = json.loads((settings_folder / "signoff" / "contexts.json").read_text())
    assert stored["contexts"]["prod"]["api_key"] == KEY
    asked = [one for one in stub.asked if one.path == POLL]
    assert {one.body["device_code"] for one in asked} == {SECRET}
    assert KEY not in {one.headers["x-api-key"] for one in asked}


def test_quiet_login_still_shows_the_code(run: Run, stub: Stub) -> None:
    started(stub, ALLOWED)
    done = run("login", stub.url, "--no-browser", "-q", **NOTHING)
    assert "WDJB-MJHT" in done.stderr
    assert "Waiting" not in done.stderr


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (refused(403, "login_denied"), ExitCode.FORBIDDEN, "denied in the browser"),
        (refused(410, "login_expired"), ExitCode.TIMEOUT, "not allowed in time"),
        (refused(422, "validation_error"), ExitCode.USAGE, "validation_error"),
    ],
)
def test_failed_login_exits_with_the_code_of_its_reason(
    run: Run, stub: Stub, settings_folder: Path, answer: Answer, code: ExitCode, said: str
) -> None:
    started(stub, answer)
    done = run("login", stub.url, "--no-browser", **NOTHING)
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert not settings_folder.exists()


def test_login_ends_when_the_code_has_expired(run: Run, stub: Stub) -> None:
    started(stub, PENDING, life=1)
    done = run("login", stub.url, "--no-browser", **NOTHING)
    assert (done.exit_code, "not allowed in time" in done.stderr) == (ExitCode.TIMEOUT, True)


def test_server_without_device_login_is_told_from_a_denial(run: Run, stub: Stub) -> None:
    stub.on("POST", START, refused(404, "not_found"))
    done = run("login", stub.url, "--no-browser", **NOTHING)
    assert done.exit_code == ExitCode.NOT_FOUND
    assert f"signoff login {stub.url} --with-key" in done.stderr


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "javascript:alert(1)", "--help", "http://a b/"])
def test_login_shows_and_opens_only_http_addresses(run: Run, stub: Stub, uri: str) -> None:
    started(stub, ALLOWED, uri=uri)
    done = run("login", stub.url, "--browser", **NOTHING)
    assert done.exit_code == ExitCode.UNAUTHENTICATED
    assert "is not a URL" in done.stderr


def test_login_without_a_place_for_the_key_sends_no_request(
    run: Run, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    done = run("login", stub.url, "--no-browser", HOME=None, USERPROFILE=None, **NOTHING)
    assert (done.exit_code, stub.asked) == (ExitCode.FAILURE, [])
    assert "Set HOME" in done.stderr


@pytest.mark.parametrize("in_the_way", ["the folder", "where a link leads"])
def test_login_sends_no_request_if_the_key_cannot_be_written(
    run: Run, stub: Stub, settings_folder: Path, in_the_way: str
) -> None:
    started(stub, ALLOWED)
    blocked = settings_folder
    if in_the_way == "where a link leads":
        (settings_folder / "signoff").mkdir(parents=True)
        blocked = settings_folder / "kept"
        (settings_folder / "signoff" / "contexts.json").symlink_to(blocked / "contexts.json")
    blocked.write_text("a file, so nothing can be stored in it")
    done = run("login", stub.url, "--no-browser", **NOTHING)
    assert (done.exit_code, stub.asked) == (ExitCode.FAILURE, [])
    assert "Cannot store contexts in" in done.stderr


def test_symbolic_link_to_the_contexts_file_is_kept(run: Run, stub: Stub, settings_folder: Path) -> None:
    """If the contexts file is a symbolic link, the new key is written to its target only."""
    kept, link = settings_folder / "kept" / "contexts.json", settings_folder / "signoff" / "contexts.json"
    for folder in (kept.parent, link.parent):
        folder.mkdir(parents=True)
    kept.write_text(json.dumps({"current": "", "contexts": {}}))
    kept.chmod(0o600)
    link.symlink_to(kept)
    started(stub, ALLOWED)
    done = run("login", stub.url, "--name", "prod", "--no-browser", **NOTHING)
    assert done.exit_code == 0, done.output
    assert link.is_symlink()
    assert json.loads(kept.read_text())["contexts"]["prod"]["api_key"] == KEY
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in kept.parent.iterdir()] == ["contexts.json"]


def test_key_option_and_browser_option_exclude_each_other(run: Run, stub: Stub) -> None:
    for more in (("--with-key",), ("--key-file", "-")):
        done = run("login", stub.url, "--no-browser", *more, input=KEY, **NOTHING)
        assert done.exit_code == ExitCode.USAGE
    assert stub.asked == []


def test_login_opens_the_browser_if_there_is_one(
    run: Run, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tmp_path / "opened"
    program = tmp_path / "browser"
    program.write_text(f'#!{sys.executable}\nimport sys\nopen("{opened}", "w").write(sys.argv[1])\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{program} %s")

    started(stub, ALLOWED)
    done = run("login", stub.url, "--browser", **NOTHING)
    assert done.exit_code == 0, done.output
    assert opened.read_text() == "https://signoff.example/device"
    assert "was opened in your browser" in done.stderr


def test_no_browser_is_opened_without_a_display() -> None:
    assert not has_browser({}, "linux")
    assert has_browser({"DISPLAY": ":0"}, "linux")
    assert has_browser({}, "darwin")
    assert not has_browser({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, "darwin")


def test_login_keeps_changes_that_other_terminals_made_meanwhile(
    run: Run, stub: Stub, settings_folder: Path
) -> None:
    """Signing in to two servers at once keeps both keys, and restores none that was removed."""
    contexts = settings_folder / "signoff" / "contexts.json"

    def keep(name: str) -> None:
        one = {"url": f"https://{name}.example", "api_key": KEY, "person": "ann@a.example"}
        contexts.write_text(json.dumps({"current": name, "contexts": {name: one}}))
        contexts.chmod(0o600)

    def meanwhile(asked: Asked) -> Answer:
        keep("staging")
        return ALLOWED

    contexts.parent.mkdir(parents=True)
    keep("removed")
    started(stub)
    stub.on("POST", POLL, meanwhile)
    done = run("login", stub.url, "--name", "prod", "--no-browser", **NOTHING)
    assert done.exit_code == 0, done.output
    assert set(json.loads(contexts.read_text())["contexts"]) == {"staging", "prod"}


def test_concurrent_writers_of_the_contexts_file_take_turns(settings_folder: Path) -> None:
    """Concurrent writers read each other's changes, so none is lost."""
    names = [f"server-{number}" for number in range(8)]
    together = Barrier(len(names))

    def store(name: str) -> None:
        together.wait()
        change_contexts(lambda found: found.with_context(Context(name, f"https://{name}.example", KEY)))

    with ThreadPoolExecutor(len(names)) as terminals:
        list(terminals.map(store, names))
    assert set(read_contexts().known) == set(names)


def test_context_stored_during_the_confirmation_of_a_removal_is_kept(
    stub: Stub, settings_folder: Path
) -> None:
    def add(name: str) -> None:
        change_contexts(lambda found: found.with_context(Context(name, f"https://{name}.example", KEY)))

    def confirmed() -> bytes:
        add("meanwhile")
        return b"y\n"

    add("old")
    code, screen = at_a_terminal(stub, ("context", "remove", "old"), [(b"[y/N]", confirmed)])
    assert code == 0, screen
    assert set(read_contexts().known) == {"meanwhile"}


def test_login_whose_key_may_be_lost_is_not_reported_as_denied(run: Run, stub: Stub) -> None:
    started(stub, Answer({}, 503), refused(410, "login_expired"))
    done = run("login", stub.url, "--no-browser", **NOTHING)
    assert done.exit_code == ExitCode.TIMEOUT
    assert "its key was lost on the way" in done.stderr
    assert "not allowed in time" not in done.stderr


def test_oversized_duration_from_the_server_is_bounded(run: Run, stub: Stub) -> None:
    started(stub, ALLOWED, life=10**400)
    assert run("login", stub.url, "--no-browser", **NOTHING).exit_code == 0
