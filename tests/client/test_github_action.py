"""The GitHub action's step, run as the runner runs it: environment in, exit code, outputs and workflow commands out."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from signoff.client.gated_call import NOBODY_ASKED
from signoff.testing import Answer, Server

FOLDER = Path(__file__).parents[2] / "clients" / "github-action"
TYPE = "intent.github.deploy.v1"
RUN = {
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_SHA": "abc",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_WORKFLOW": "release",
    "GITHUB_JOB": "deploy",
    "GITHUB_ACTOR": "rita",
    "GITHUB_ACTION": "__gate",
    "GITHUB_RUN_ATTEMPT": "1",
}


def _step() -> dict[str, Any]:
    """The last step of action.yml."""
    action = YAML(typ="safe", pure=True).load((FOLDER / "action.yml").read_text("utf-8"))
    return dict(action["runs"]["steps"][-1])


class Step:
    """The result of running the step: exit code, output, step outputs."""

    def __init__(self, folder: Path, run: str, **inputs: str) -> None:
        output = folder / f"output-{run}"
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
        environ = {**os.environ, **RUN, "GITHUB_RUN_ID": run, **files, **inputs}
        command = [sys.executable, *_step()["run"].split()[1:]]
        done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=60)
        self.code = done.returncode
        self.said = done.stdout
        written = output.read_text() if output.exists() else ""
        found = re.findall(r"^([\w-]+)<<(\w+)\n(.*?)\n\2$", written, re.MULTILINE | re.DOTALL)
        self.outputs = {name: value for name, _, value in found}


def test_unencodable_reason_keeps_the_exit_code(server: Server, tmp_path: Path) -> None:
    server.reject(TYPE, "Nicht für heute.")
    step = Step(tmp_path, "0", PYTHONIOENCODING="ascii")
    assert (step.code, "Nicht f\\xfcr" in step.said) == (10, True)
    server.leave()


def test_approved_job_continues_with_the_approved_payload(server: Server, tmp_path: Path) -> None:
    server.edit(TYPE, version="4.1")
    step = Step(tmp_path, "1", GATE_PAYLOAD='{"version": "4.2", "environment": "production"}')
    assert (step.code, step.said) == (0, "Approved with changes.\n")
    assert json.loads(step.outputs["payload"]) == {"environment": "production", "version": "4.1"}
    task = server.asked[-1]
    assert step.outputs["intent-id"] == task.intent_id
    assert task.payload["repository"] == "acme/shop"
    assert task.title == "Run release/deploy?"


def test_rejected_job_fails_with_the_reason_and_emits_no_workflow_command(
    server: Server, tmp_path: Path
) -> None:
    server.reject(TYPE, "Not today.\n::set-output name=payload::x\n100 %")
    step = Step(tmp_path, "2")
    assert step.code == 10
    assert step.said.count("\n") == 1
    assert step.said.startswith("::error title=Not approved::The call was rejected: Not today.%0A")
    assert "payload" not in step.outputs
    server.approve(TYPE, "fine\npayload<<x\nmine\nx")
    step = Step(tmp_path, "3")
    assert step.code == 0
    assert step.outputs["payload"] == "{}"
    assert step.outputs["comment"] == "fine\npayload<<x\nmine\nx"


def test_expired_or_timed_out_job_fails(server: Server, tmp_path: Path) -> None:
    kind = "intent.github.slow.v1"
    steps = [{"id": "approve", "human": {"title": "Deploy?"}, "deadline": "1h"}]
    server.apply({"workflow": "slow", "intent_type": kind, "steps": steps})
    late = Step(tmp_path, "4", GATE_INTENT_TYPE=kind, GATE_WAIT_MINUTES="0.001")
    assert (late.code, late.outputs) == (1, {})
    server.move(hours=2)
    assert Step(tmp_path, "4", GATE_INTENT_TYPE=kind).code == 11


def test_workflow_without_approvers_is_not_reported_as_an_approval(server: Server, tmp_path: Path) -> None:
    kind = "intent.github.unattended.v1"
    server.apply({"workflow": "unattended", "intent_type": kind, "steps": [{"id": "pause", "delay": "1s"}]})
    late = Step(tmp_path, "8", GATE_INTENT_TYPE=kind, GATE_WAIT_MINUTES="0.001")
    assert late.code == 1
    server.move(seconds=2)
    step = Step(tmp_path, "8", GATE_INTENT_TYPE=kind)
    assert (step.code, step.said) == (0, f"{NOBODY_ASKED}\n")
    assert "**nobody was asked**" in (tmp_path / "summary.md").read_text()


def test_each_attempt_sends_a_new_request(server: Server, tmp_path: Path) -> None:
    server.approve(TYPE)
    before = len(server.asked)
    for attempt in ("1", "2"):
        assert Step(tmp_path, "5", GITHUB_RUN_ATTEMPT=attempt).code == 0
    assert len(server.asked) == before + 2


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"GATE_PAYLOAD": "{"}, "payload is not JSON"),
        ({"GATE_PAYLOAD": "[]"}, "payload is not a JSON object"),
        ({"GATE_PAYLOAD": '{"commit": "mine"}'}, "must not contain commit"),
        ({"GATE_WAIT_MINUTES": "long"}, "could not convert"),
        ({"SIGNOFF_API_KEY": "sgn_service_x_wrong"}, "key"),
    ],
)
def test_invalid_inputs_are_refused(server: Server, tmp_path: Path, inputs: Any, why: str) -> None:
    before = len(server.asked)
    step = Step(tmp_path, "6", **inputs)
    assert step.code == 1
    assert why in step.said
    assert len(server.asked) == before


def test_only_the_approved_commit_runs(server: Server, tmp_path: Path) -> None:
    server.answer(lambda task: Answer(edit={"commit": "def"}) if task.intent_type == TYPE else None)
    step = Step(tmp_path, "7")
    assert step.code == 1
    assert "The approval is for another run: commit was edited." in step.said


def test_checked_out_files_replace_neither_the_script_nor_the_server(server: Server, tmp_path: Path) -> None:
    server.reject(TYPE, "No.")
    (tmp_path / "signoff" / "integrations").mkdir(parents=True)
    for name in ("signoff/__init__.py", "signoff/integrations/__init__.py", "json.py", "secrets.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "signoff" / "integrations" / "github_action.py").write_text("print('Approved.')")
    step = Step(tmp_path, "8")
    assert (step.code, "Approved" in step.said) == (10, False)
    (tmp_path / ".signoff").mkdir()
    (tmp_path / ".signoff" / "credentials.json").write_text(
        json.dumps({"url": server.url, "api_key": "sgn_x"})
    )
    (tmp_path / ".signoff" / "credentials.json").chmod(0o600)
    for variable, name in (("SIGNOFF_URL", "url"), ("SIGNOFF_API_KEY", "api-key")):
        step = Step(tmp_path, "9", **{variable: ""})
        assert (step.code, f"{name} must not be empty" in step.said) == (1, True)


def test_action_passes_on_every_input_and_output() -> None:
    action = YAML(typ="safe", pure=True).load((FOLDER / "action.yml").read_text("utf-8"))
    step = action["runs"]["steps"][-1]
    assert {name for text in step["env"].values() for name in re.findall(r"inputs\.([\w-]+)", text)} == set(
        action["inputs"]
    )
    assert step["run"] == "python3 -P -m signoff.integrations.github_action"
    assert all(" -P -m " in one["run"] for one in action["runs"]["steps"])
    source = Path(sys.modules["signoff"].__file__ or "").parent / "integrations" / "github_action.py"
    text = source.read_text("utf-8")
    assert all(variable in text for variable in step["env"] if variable.startswith("GATE_"))
    assert all(f'"{name}"' in text for name in action["outputs"])
    used = set(re.findall(r"^ +([a-z-]+):", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE))
    assert set(action["inputs"]) & used == {"url", "api-key", "intent-type", "payload"}
