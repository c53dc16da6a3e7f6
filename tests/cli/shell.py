"""Runs the CLI against a live server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live import Live
from tests.stories.servers import self_approving, serving, signoff


class Shell:
    """A server's data folder, and the CLI run in it."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.folder = live.data.parent

    def __call__(self, *arguments: str, code: int = 0, input: str = "", **variables: str) -> str:
        """Run the command, assert its exit code, and return its standard output."""
        done = signoff(self.folder, *arguments, input=input, **variables)
        assert done.returncode == code, f"{arguments} ended {done.returncode}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        self.remarks = done.stderr
        return done.stdout.strip()

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code))

    def asked(self, **task: Any) -> str:
        """Create an intent that waits for a person; returns its id."""
        intent = {
            "intent_type": "intent.cli.ask.v1",
            "payload": {"n": 1},
            "human_task": {"title": "Yes?"} | task,
        }
        return str(self.ask("POST", "/v1/intents", intent)["intent_id"])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API directly, where no command is under test."""
        status, answer = self.live.call(method, path, body)
        assert status == 200, answer
        return answer


@pytest.fixture(scope="module")
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(request, tmp_path_factory.mktemp("shell") / ".signoff") as live:
        yield self_approving(live)
