"""The arguments of the benchmarks' command: what they measure and compare. Nothing is measured here."""

import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from bench.__main__ import GROUPS, QUICKLY, groups, variants
from bench.goals import POSTGRES, SQLITE, goal
from bench.machine import Usage, interpreter
from bench.peers.compare import Figures
from bench.versus import checkout, commit


@pytest.mark.parametrize(
    ("only", "everything", "quick", "comparing", "measured"),
    [
        (None, False, False, False, list(GROUPS)),
        (None, False, True, False, list(QUICKLY)),
        (None, False, True, True, []),
        (None, True, True, True, list(GROUPS)),
        (["flows", "creates", "flows"], True, False, True, ["flows", "creates"]),
    ],
)
def test_comparison_replaces_the_groups_unless_requested(
    only: list[str] | None, everything: bool, quick: bool, comparing: bool, measured: list[str]
) -> None:
    assert list(groups(Namespace(only=only, all=everything, quick=quick), comparing)) == measured


def test_workers_and_checkouts_are_compared_in_the_order_named(tmp_path: Path) -> None:
    made = tmp_path / "earlier" / ".venv" / "bin"
    made.mkdir(parents=True)
    (made / "python").symlink_to(sys.executable)
    more, other = variants([4], [tmp_path / "earlier"])
    assert (more.name, more.label, more.workers) == ("workers_4", "4 worker processes", 4)
    assert (other.name, other.workers) == ("against_1", 1)
    assert other.label == f"earlier on {interpreter()}"  # it is in no repository


def test_folder_without_an_interpreter_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run make setup there"):
        checkout(tmp_path, 1)


def test_checkout_is_named_by_its_commit_and_local_changes(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@acme.example"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "-A")
    git("commit", "-qm", "one")
    assert re.fullmatch(r"[0-9a-f]{7,}", commit(tmp_path))
    (tmp_path / "file").write_text("two")
    assert commit(tmp_path).endswith("-changed")


def test_every_goal_names_its_figure() -> None:
    for database in (SQLITE, POSTGRES):
        line = goal("frozen", database)
        assert (line.name, line.database) == ("frozen", database)


def test_interpreter_reports_how_it_was_built() -> None:
    assert re.fullmatch(r"Python 3\.\d+\.\d+ with(out)? PGO", interpreter())


def test_cpu_of_a_peer_includes_all_processes() -> None:
    figures = Figures([], [])
    figures.add(100, Usage(10, 20, 3, 1, 1))
    assert figures.cpu == [33]
