"""The commit-msg hook refuses a message that is not in the form that CONTRIBUTING.md describes."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.commit_message import problems

ROOT = Path(__file__).parent.parent
SUBJECT = "Refuse a deadline in the past"
BODY = "\n\nA deadline in the past would expire the task at once.\n"


@pytest.mark.parametrize(
    "message",
    [
        SUBJECT + BODY,
        "Refuse " + "x" * 65 + BODY,
        "Pass the clock as an argument" + BODY,
        "Bring the examples up to date" + BODY,
        "Erase, export and mask payloads" + BODY,
        "Embed the schema" + BODY + "\nSigned-off-by: Ann Lee <ann@example.com>\n",
        "\n# Please enter the commit message\n" + SUBJECT + BODY + "# Changes to be committed:\n",
        SUBJECT + BODY + "# ------------------------ >8 ------------------------\ndiff --git a/x b/x\n",
    ],
)
def test_well_formed_message_is_accepted(message: str) -> None:
    assert problems(message) == []


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("Refuse " + "x" * 66 + BODY, "has 73 characters; at most 72"),
        (SUBJECT + "." + BODY, "ends with a period"),
        ("Refuse" + BODY, "single word"),
        ("refuse a deadline in the past" + BODY, "capital letter"),
        ("Refused a deadline in the past" + BODY, "imperative, such as Add or Refuse: 'Refused'"),
        ("Refuses a deadline in the past" + BODY, "imperative"),
        ("Refusing a deadline in the past" + BODY, "imperative"),
        ("The deadline is refused" + BODY, "imperative"),
        ("Deadlines: refuse the past" + BODY, "imperative"),
        (SUBJECT + "\nwithout a blank line\n", "second line is not blank"),
        (SUBJECT + "\n", "no body"),
        (SUBJECT + "\n\n# Changes to be committed:\n", "no body"),
        (SUBJECT + "\n\nSigned-off-by: Ann Lee <ann@example.com>\n", "no body"),
    ],
)
def test_problem_of_a_message_is_named(message: str, problem: str) -> None:
    assert len(problems(message)) == 1
    assert problem in problems(message)[0]


@pytest.mark.parametrize(
    "subject", ["Merge branch 'main'", 'Revert "Refuse a deadline"', "fixup! Refuse a deadline"]
)
def test_message_that_git_generates_is_not_checked(subject: str) -> None:
    assert problems(subject + "\n") == []


def test_git_refuses_the_commit_and_prints_every_problem(tmp_path: Path) -> None:
    hook = tmp_path / "hooks" / "commit-msg"
    hook.parent.mkdir()
    hook.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/tests/commit_message.py" "$1"\n', "utf-8")
    hook.chmod(0o755)

    def git(*args: str) -> subprocess.CompletedProcess[str]:
        settings = (
            "-c",
            f"core.hooksPath={hook.parent}",
            "-c",
            "user.name=Ann",
            "-c",
            "user.email=ann@example.com",
        )
        return subprocess.run(
            ["git", *settings, *args], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert git("init", "-q").returncode == 0
    refused = git("commit", "-q", "--allow-empty", "-m", "deadlines in the past.")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 5, refused.stderr
    assert git("commit", "-q", "--allow-empty", "-m", SUBJECT, "-m", BODY.strip()).returncode == 0
    assert git("log", "--format=%s").stdout == SUBJECT + "\n"


def test_pre_commit_installs_the_hook() -> None:
    config = YAML(typ="safe").load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert "commit-msg" in config["default_install_hook_types"]
    hooks = config["repos"][0]["hooks"]
    stages = {hook["id"]: hook.get("stages", config["default_stages"]) for hook in hooks}
    assert [name for name in stages if stages[name] != ["pre-commit"]] == ["commit-message"]
    assert stages["commit-message"] == ["commit-msg"]
    assert [hook["entry"] for hook in hooks if hook["id"] == "commit-message"] == [
        ".venv/bin/python tests/commit_message.py"
    ]
