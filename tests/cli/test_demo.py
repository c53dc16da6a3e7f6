"""The commands that the demo prints work in the folder where it prints them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from signoff.cli.demo import typed


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed ``signoff`` in a folder that is or is not on the PATH."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "signoff"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_command_of_a_program_on_the_path_is_its_name(program: Path) -> None:
    assert typed("up", Path(".signoff"), str(program), str(program.parent)) == "signoff up"


def test_command_of_a_program_off_the_path_is_the_path_it_was_called_by(program: Path) -> None:
    called = os.path.relpath(program)
    assert typed("up", Path(".signoff").absolute(), called, "/nowhere") == f"{called} up"
    assert typed("up", Path(".signoff"), called, "/usr/bin:/bin") == f"{called} up"


def test_command_names_a_data_folder_other_than_the_default(program: Path) -> None:
    said = typed("tasks list", Path("my data"), str(program), str(program.parent))
    assert said == "SIGNOFF_DATA='my data' signoff tasks list"


def test_command_of_a_module_is_python_dash_m_and_runs(tmp_path: Path) -> None:
    said = typed("version", Path(".signoff"), "signoff/cli/__main__.py", str(tmp_path))
    assert said == f"{sys.executable} -m signoff.cli version"
    ended = subprocess.run(said, shell=True, capture_output=True, text=True, check=True, timeout=180)
    assert ended.stdout.startswith("signoff ")
