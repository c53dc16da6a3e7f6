"""The sentence that says how code continues safely is on three pages and is true."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import Live
from tests.stories.servers import until

ROOT = Path(__file__).parents[2]
TYPE = "intent.going.on.v1"
COURTESY = {
    "id": "tell",
    "notify": {"to": ["owner@localhost"], "message": "It was refused."},
    "on_success": "end",
}
GATE = {"id": "ask", "human": {"title": "Go on?"}, "on_success": "end", "on_failure": "tell"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    server = Live(tmp_path_factory.mktemp("going") / ".signoff").start()
    flow = {"workflow": "w", "intent_type": TYPE, "steps": [GATE, COURTESY]}
    assert server.call("POST", "/v1/workflows", flow)[0] == 200
    yield server
    server.stop()


def sentence(page: str) -> tuple[str, str]:
    """(what code does, what a script does), from the page."""
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    found = re.findall(
        r"Code can continue safely after `([^`]+)`, a script after `([^`]+)`: both continue only", text
    )
    assert len(found) == 1, page
    return str(found[0][0]), str(found[0][1])


def ended(live: Live, outcome: str) -> str:
    intent_id = str(live.call("POST", "/v1/intents", {"intent_type": TYPE, "payload": {}})[1]["intent_id"])
    task = until(
        lambda: [t for t in live.call("GET", "/v1/tasks")[1]["tasks"] if t["intent_id"] == intent_id]
    )[0]
    said = {"outcome": outcome, "digest": task["digest"], "revision": task["revision"]}
    assert live.call("POST", f"/v1/tasks/{task['task_id']}/answer", said)[0] == 200
    return intent_id


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/reference/cli.md"])
def test_program_continues_after_an_approval_only(live: Live, page: str) -> None:
    code, script = sentence(page)
    program = f"from signoff import Client\nclient = Client()\nintent_id = {{!r}}\n{code}\nprint('went on')"
    for outcome, goes_on, exit_code in (("approved", True, 0), ("rejected", False, 10)):
        intent_id = ended(live, outcome)
        folder = live.data.parent
        done = subprocess.run(
            [sys.executable, "-c", program.format(intent_id)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ("went on" in done.stdout, "IntentRejected" in done.stderr) == (goes_on, not goes_on), (
            done.stderr
        )
        typed = script.replace("INTENT", intent_id).replace("...", "echo went on").removeprefix("signoff")
        shell = subprocess.run(
            f"{sys.executable} -m signoff.cli{typed}",
            shell=True,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ("went on" in shell.stdout) == goes_on, shell.stderr
        assert shell.returncode == exit_code
