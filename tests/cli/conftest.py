"""Fixtures of the CLI tests: a scripted server on loopback, and the command."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from signoff.cli.main import main
from tests.cli.shell import live as live
from tests.client.stub import Stub, stub_server

Run = Callable[..., Result]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stub_server() as stub:
        yield stub


@pytest.fixture
def run(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``signoff`` with these arguments in an empty folder, without a terminal, against the stub."""
    monkeypatch.chdir(tmp_path)
    environ = {"SIGNOFF_URL": stub.url, "SIGNOFF_API_KEY": "sgn_person_test_secret", "HOME": str(tmp_path)}

    def command(*args: str, input: str = "", **more: str | None) -> Result:
        return CliRunner().invoke(main, args, input=input, env={**environ, **more})

    return command
