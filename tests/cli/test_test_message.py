"""``signoff people test-message``: prompts, output, exit codes."""

from typing import Any

import pytest

from signoff.cli.failures import ExitCode
from tests.cli.conftest import Run
from tests.client.stub import Answer, Stub, refused

PATH = "/v1/people/per_ann/test-messages"


def message(state: str, summary: str) -> dict[str, Any]:
    return {
        "message_id": "m1",
        "channel": "email",
        "target": "ann@acme.example",
        "state": state,
        "summary": summary,
    }


@pytest.mark.parametrize(
    ("state", "summary", "code"),
    [
        ("sent", "delivered", ExitCode.OK),
        ("failed", "failed permanently: no such user", ExitCode.FAILURE),
        ("waiting", "failed so far, 1 attempt: try later; will be retried", ExitCode.TIMEOUT),
    ],
)
def test_test_message_command_waits_for_the_result(
    run: Run, stub: Stub, state: str, summary: str, code: int
) -> None:
    stub.on("POST", PATH, Answer({"ok": True, "message": message("waiting", "on its way")}))
    stub.on("GET", PATH, Answer({"ok": True, "messages": [message(state, summary)]}))
    result = run("people", "test-message", "per_ann", "--channel", "email", "--wait", "1")
    assert result.exit_code == code, result.output
    assert f"email to ann@acme.example: {summary}" in result.stdout
    assert stub.asked[0].body == {"channel": "email"}


def test_test_message_command_shows_a_refusal(run: Run, stub: Stub) -> None:
    stub.on("POST", PATH, refused(403, "admin_required"))
    result = run("people", "test-message", "per_ann")
    assert (result.exit_code, stub.asked[0].body) == (ExitCode.FORBIDDEN, {})
