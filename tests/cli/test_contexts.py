"""Contexts: where keys are stored, which one is used, and which setting takes precedence."""

import json
import os
import stat
from pathlib import Path

import pytest

from signoff.cli.contexts import change_contexts, read_contexts
from signoff.cli.failures import CommandFailed, ExitCode
from tests.cli.conftest import Run
from tests.client.stub import Answer, Stub, refused, stub_server

KEY = "sgn_person_ann_hunter2"
ME = Answer(
    {"actor": {"kind": "person", "id": "per_ann", "name": "Ann", "email": "ann@a.example", "roles": []}}
)
NOTHING = {"SIGNOFF_URL": None, "SIGNOFF_API_KEY": None}


@pytest.fixture(autouse=True)
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def login(run: Run, stub: Stub, name: str = "prod", key: str = KEY) -> None:
    stub.on("GET", "/v1/me", ME)
    done = run("login", stub.url, "--name", name, input=f"{key}\n", **NOTHING)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"Signed in to {stub.url} as ann@a.example; context {name} is in use.\n"
    assert key not in done.output


def key_sent(stub: Stub) -> str:
    return stub.asked[-1].headers["x-api-key"]


def listed(run: Run, stub: Stub, *more: str, **environ: str | None) -> tuple[int, str]:
    stub.on("GET", "/v1/workflows", Answer({"workflows": []}))
    done = run("workflows", "list", *more, **{**NOTHING, **environ})
    assert KEY not in done.output
    return done.exit_code, done.stderr


def test_login_checks_the_key_and_stores_it_in_a_file_readable_by_its_owner_only(
    run: Run, stub: Stub, settings_folder: Path
) -> None:
    login(run, stub)
    path = settings_folder / "signoff" / "contexts.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text())["contexts"]["prod"]["api_key"] == KEY
    assert [one.name for one in path.parent.iterdir()] == ["contexts.json"]
    assert listed(run, stub) == (0, "There are no workflows here.\n")
    assert key_sent(stub) == KEY


def test_refused_key_is_not_stored(run: Run, stub: Stub, settings_folder: Path) -> None:
    stub.on("GET", "/v1/me", refused(401, "invalid_platform_api_key"))
    done = run("login", stub.url, input=f"{KEY}\n", **NOTHING)
    assert done.exit_code == ExitCode.UNAUTHENTICATED
    assert not settings_folder.exists()


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("login", "signoff.example"), KEY, "is not a URL"),
        (("login", "https://ann:hunter2@signoff.example"), KEY, "contains a user name"),
        (("login", "https://signoff.example", "--name", "../x"), KEY, "cannot name a context"),
        (("login", "https://signoff.example"), "", "No API key was given."),
    ],
)
def test_login_with_invalid_arguments_is_refused_without_a_request(
    run: Run, words: tuple[str, ...], typed: str, said: str
) -> None:
    done = run(*words, input=typed, **NOTHING)
    assert done.exit_code in (ExitCode.USAGE, ExitCode.UNAUTHENTICATED)
    assert said in done.stderr
    assert "hunter2@" not in done.stderr


def test_contexts_are_listed_selected_and_removed_without_showing_a_key(run: Run, stub: Stub) -> None:
    with stub_server() as other:
        login(run, stub)
        login(run, other, "test", "sgn_person_test_other")
        rows = json.loads(run("context", "list", "--json").stdout)
        assert [(row["name"], row["url"], row["current"]) for row in rows] == [
            ("prod", stub.url, False),
            ("test", other.url, True),
        ]
        assert KEY not in run("context", "list").output
        assert listed(run, other)[0] == 0
        assert run("context", "use", "prod", **NOTHING).exit_code == 0
        assert listed(run, stub)[0] == 0
        assert listed(run, other, "--context", "test")[0] == 0
        assert key_sent(other) == "sgn_person_test_other"
        assert listed(run, other, SIGNOFF_CONTEXT="test")[0] == 0
        assert run("context", "remove", "prod", "--yes").exit_code == 0
        assert listed(run, stub)[0] == ExitCode.UNAUTHENTICATED  # no other took its place
        assert run("context", "use", "prod").exit_code == ExitCode.NOT_FOUND


def test_options_override_the_environment_and_the_environment_overrides_the_context(
    run: Run, stub: Stub
) -> None:
    login(run, stub)
    with stub_server() as other:
        assert listed(run, other, SIGNOFF_URL=other.url, SIGNOFF_API_KEY="sgn_env")[0] == 0
        assert key_sent(other) == "sgn_env"
        assert (
            listed(run, stub, "--context", "prod", SIGNOFF_URL=other.url, SIGNOFF_API_KEY="sgn_env")[0] == 0
        )
        assert key_sent(stub) == KEY
        assert listed(run, stub, SIGNOFF_API_KEY="sgn_env")[0] == 0
        assert key_sent(stub) == "sgn_env"
        both = listed(run, other, SIGNOFF_URL=other.url, SIGNOFF_CONTEXT="prod")
        assert both == (
            ExitCode.USAGE,
            "error: SIGNOFF_URL and SIGNOFF_CONTEXT are both set.\n  Unset one of them.\n",
        )
        assert listed(run, other, "--url", other.url, "--context", "prod")[0] == ExitCode.USAGE


def test_key_of_a_context_is_sent_to_no_other_address(run: Run, stub: Stub) -> None:
    login(run, stub)
    with stub_server() as other:
        assert listed(run, other, "--url", other.url)[0] == ExitCode.UNAUTHENTICATED
        assert other.asked == []
    assert listed(run, stub, "--url", stub.url)[0] == 0
    assert key_sent(stub) == KEY


def test_local_server_takes_precedence_over_the_selected_context(
    run: Run, stub: Stub, tmp_path: Path
) -> None:
    login(run, stub)
    with stub_server() as here:
        (tmp_path / ".signoff").mkdir()
        (tmp_path / ".signoff" / "credentials.json").write_text(
            json.dumps({"url": here.url, "api_key": "sgn_here"})
        )
        code, said = listed(run, here)
        assert (code, key_sent(here)) == (0, "sgn_here")
        assert "not context prod; --context overrides this." in said
        assert "takes precedence" in run("context", "use", "prod", **NOTHING).stderr


@pytest.mark.parametrize("text", ["", "[]", "{", '{"contexts": {"x": {}}}', "\xff"])
def test_damaged_contexts_file_is_reported_and_not_overwritten(
    run: Run, settings_folder: Path, stub: Stub, text: str
) -> None:
    path = settings_folder / "signoff" / "contexts.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    stub.on("GET", "/v1/me", ME)
    for words in (("context", "list"), ("login", stub.url)):
        done = run(*words, input=f"{KEY}\n", **NOTHING)
        assert (done.exit_code, "is damaged" in done.stderr) == (ExitCode.FAILURE, True)
    assert path.read_bytes() == text.encode("latin-1")


def test_contexts_file_that_others_can_read_is_refused(run: Run, stub: Stub, settings_folder: Path) -> None:
    login(run, stub)
    (settings_folder / "signoff" / "contexts.json").chmod(0o644)
    code, said = listed(run, stub)
    assert (code, "chmod 600" in said) == (ExitCode.FAILURE, True)
    with pytest.raises(CommandFailed):
        read_contexts(os.environ)


def test_existing_context_name_is_not_reassigned_to_another_server(run: Run, stub: Stub) -> None:
    login(run, stub)
    done = run("login", "https://other.example", "--name", "prod", input=f"{KEY}\n", **NOTHING)
    assert done.exit_code == ExitCode.CONFLICT
    assert "Context prod is for" in done.stderr


def test_the_origin_of_server_and_key_is_shown(run: Run, stub: Stub) -> None:
    login(run, stub)
    rows = json.loads(run("config", "show", "--json", **NOTHING).stdout)
    found = {row["name"]: row for row in rows}
    assert found["url"] == {"name": "url", "value": stub.url, "origin": "context prod"}
    assert found["api_key"] == {"name": "api_key", "value": "********", "origin": "context prod"}


def test_a_folder_that_cannot_be_written_is_named(settings_folder: Path) -> None:
    settings_folder.write_text("a file, so nothing can be stored in it")
    with pytest.raises(CommandFailed, match=f"{settings_folder} is not a writable folder"):
        change_contexts(lambda known: known)
