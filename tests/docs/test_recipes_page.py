"""docs/how-to/recipes.md: the recipes that need no other program run unchanged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from signoff.testing import Server
from tests.docs.blocks import DOCS, blocks

PAGE = DOCS / "how-to" / "recipes.md"
STEPS = [{"id": "approve", "human": {"title": "Migrate?"}}]


def test_gated_function_runs() -> None:
    names: dict[str, object] = {"__name__": "page"}
    with Server() as server:
        server.approve()
        [text] = blocks(PAGE, "python")
        exec(text, names)
        assert names["migrate"]("users", 42) == "users is at 42"  # type: ignore[operator]


@pytest.mark.parametrize(("rule", "code"), [("approve", 0), ("reject", 10)])
def test_exit_code_of_the_command_follows_the_decision(rule: str, code: int) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with Server() as server:
        server.apply({"workflow": "migrate", "intent_type": "intent.db.migrate.v1", "steps": STEPS})
        getattr(server, rule)()
        [text] = blocks(PAGE, "bash")
        for _ in range(2):  # run again, it is the same request
            done = subprocess.run(
                ["bash", "-c", text],
                env=os.environ | {"PATH": path, "RUN_ID": "run-1"},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == code, done.stderr
        assert len({task.intent_id for task in server.asked}) == 1


def test_the_steps_for_atlantis_ask_about_the_planned_commit(tmp_path: Path) -> None:
    """A newer commit that changes no project leaves the plan of the older one, which `apply` then runs."""
    [text] = [one for one in blocks(PAGE, "text") if one.startswith("workflows:")]
    stages = YAML(typ="safe").load(text)["workflows"]["approved"]
    plan, apply = (
        [one["run"] for one in stages[name]["steps"] if "run" in one] for name in ("plan", "apply")
    )
    variables = {"PLANFILE": str(tmp_path / "default.tfplan"), "HEAD_COMMIT": "planned"}
    for command in plan:
        subprocess.run(["sh", "-c", command], env=os.environ | variables, check=True, timeout=60)
    assert (tmp_path / "default.tfplan.commit").read_text("utf-8") == "planned\n"
    [asks] = apply
    assert "HEAD_COMMIT" not in asks
    assert '--arg commit "$(cat "$PLANFILE.commit")"' in asks
