"""docs/how-to/frameworks.md: this framework's programs run unchanged, with a scripted model."""

import asyncio
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from signoff.testing import Server
from tests_adapters.environments import ROOT
from tests_adapters.harness import Call, Script

PAGE = (ROOT / "docs" / "how-to" / "frameworks.md").read_text(encoding="utf-8")
SECTIONS = {
    "langchain": "LangChain and LangGraph",
    "openai-agents": "OpenAI Agents SDK",
    "pydantic-ai": "Pydantic AI",
    "claude-agent": "Claude Agent SDK",
    "temporal": "Temporal",
    "airflow": "Airflow",
}


def section(adapter: str) -> str:
    return PAGE.split(f"\n## {SECTIONS[adapter]}\n", 1)[1].split("\n## ", 1)[0]


def blocks(adapter: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", section(adapter), re.MULTILINE | re.DOTALL)


def test_programs_of_the_page_run(
    server: Server, adapter: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    programs = blocks(adapter, "python")
    if adapter == "airflow":
        return run_with_airflow(programs, server)
    server.approve()
    before = len(server.asked)
    if adapter == "temporal":
        run_with_temporal(programs, tmp_path)
    else:
        names = given(adapter)
        for text in programs:
            exec(compile(text, "frameworks.md", "exec"), names)
    runs = len(re.findall(r'"Refund order A-|id="refund-A-', "".join(programs)))
    found = server.asked[before:]
    assert len(found) == runs > 0
    assert {task.intent_type for task in found} == {"intent.payments.refund.v1"}
    assert len(capsys.readouterr().out.split("\n")) - 1 == runs


def run_with_airflow(programs: list[str], server: Server) -> None:
    """With Airflow's own runner, which defers, triggers and resumes the tasks: approved with an edit, and rejected."""
    import tests_adapters.harness_airflow  # noqa: F401 - it chooses Airflow's folder

    def airflow(*words: str) -> str:
        command = [sys.executable, "-m", "airflow", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        return done.stdout + done.stderr

    [text] = programs
    folder = Path(os.environ["AIRFLOW_HOME"]) / "dags"
    folder.mkdir()
    (folder / "refunds.py").write_text(text, encoding="utf-8")
    airflow("db", "migrate")
    airflow("dags", "reserialize")
    server.edit(amount=3)
    said = airflow("dags", "test", "refunds")
    assert "paid 3" in said, said
    server.reject(reason="Not our order.")
    said = airflow("dags", "test", "refunds")
    assert "Not our order." in said, said
    assert "paid" not in said


def run_with_temporal(programs: list[str], folder: Path) -> None:
    """As a module, because Temporal's sandbox imports the workflow's module again."""
    from tests_adapters.harness_temporal import connected, development_server

    [text] = programs
    (folder / "temporal_page.py").write_text(text, encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        page = importlib.import_module("temporal_page")
        asyncio.run(connected())
        asyncio.run(page.main(development_server()))
    finally:
        sys.path.remove(str(folder))


def test_gate_takes_at_most_ten_lines(adapter: str) -> None:
    [diff] = blocks(adapter, "diff")
    changed = [line for line in re.findall(r"^[+-].*", diff, re.MULTILINE) if line.strip("+- ")]
    assert 0 < len(changed) <= 10


@pytest.fixture
def adapter(pytestconfig: pytest.Config) -> str:
    return str(pytestconfig.getoption("--adapter"))


def given(adapter: str) -> dict[str, Any]:
    """What the page leaves to the reader: the model."""
    tool = "mcp__shop__refund" if adapter == "claude-agent" else "refund"
    call = Call(tool.removeprefix("mcp__shop__"), {"order": "A", "amount": 1}, "call-1")
    names: dict[str, Any] = {"__name__": "page"}
    if adapter == "langchain":
        from tests_adapters.harness_langchain import ScriptedModel

        names["model"] = ScriptedModel(script=Script([call]))
    elif adapter == "openai-agents":
        from tests_adapters.harness_openai_agents import ScriptedModel as OpenAIModel

        names["model"] = OpenAIModel(Script([call]))
    elif adapter == "pydantic-ai":
        from tests_adapters.harness_pydantic_ai import scripted

        names["model"] = scripted(Script([call]))
    else:
        from tests_adapters.harness_claude_agent import ScriptedProgram

        names["transport"] = ScriptedProgram(Script([call]), {})
    return names
