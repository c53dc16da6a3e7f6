"""docs/how-to/gate.md and testing.md: their programs run unchanged, block after block."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import signoff
from signoff import testing
from tests.docs.blocks import DOCS, blocks, coded, rows, section

GATE = DOCS / "how-to" / "gate.md"
TESTING = DOCS / "how-to" / "testing.md"


def test_code_blocks_of_the_gate_page_run() -> None:
    names: dict[str, object] = {"__name__": "page"}
    with testing.Server() as server:
        server.approve("intent.payments.*")
        server.approve("intent.accounts.*")
        server.approve("intent.storage.*")
        server.answer(lambda task: testing.Answer("rejected") if task.payload.get("amount") == 9000 else None)
        for text in blocks(GATE, "python"):
            exec(text, names)
        assert len(server.asked) == 10
    assert len(names["paid"]) == 7  # type: ignore[arg-type]


def test_every_option_of_a_gate_has_a_row() -> None:
    listed = {word for row in rows(section(GATE, "All options")) for word in coded(row[0])}
    assert listed == {*inspect.signature(signoff.gate).parameters} - {"intent_type", "options"} | {
        *inspect.signature(type(signoff.gate("x"))).parameters
    } - {"intent_type"}


def test_diff_of_the_page_has_at_most_ten_lines() -> None:
    [diff] = blocks(GATE, "diff")
    assert 0 < len(re.findall(r"^[+-]", diff, re.MULTILINE)) <= 10


def test_tests_on_the_testing_page_pass(tmp_path: Path) -> None:
    text = "\n\n".join(blocks(TESTING, "python"))
    (tmp_path / "test_page.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{text.count('def test_')} passed" in done.stdout


def test_methods_on_the_page_exist() -> None:
    page = TESTING.read_text(encoding="utf-8")
    named = {*re.findall(r"`server\.(\w+)", page), *re.findall(r"^\| `(\w+)\(", page, re.MULTILINE)} - {
        "Server"
    }
    assert len(named) >= 15
    server = testing.Server()
    assert {name for name in named if not hasattr(type(server), name) and name not in vars(server)} == set()
    assert all(person in page for person in testing.PEOPLE)
