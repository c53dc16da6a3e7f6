"""The compared products are pinned, and the code that runs them compiles. None is started here."""

import ast
import re
from pathlib import Path

import pytest
from bench.peers.table import PEERS

FOLDER = Path(__file__).parents[1] / "bench" / "peers"
# A peer's file is one that hands its peer to the job; the others are ours.
RUN = {path.stem for path in FOLDER.glob("*.py") if "main(peer)" in path.read_text("utf-8")}


def pinned(name: str) -> set[str]:
    return {re.split(r"[\[=]", package)[0] for package in PEERS[name].python}


def test_table_lists_exactly_the_peers_that_can_run() -> None:
    assert set(PEERS) == RUN


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_code_compiles_and_has_a_docstring(path: Path) -> None:
    source = path.read_text("utf-8")
    compile(source, path.name, "exec")
    assert ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("name", PEERS)
def test_each_package_has_one_version_and_each_peer_a_licence(name: str) -> None:
    listed = PEERS[name]
    assert listed.label
    assert listed.licence
    assert [
        text for text in listed.python if not re.fullmatch(r"[\w-]+(\[[\w,]+\])?==\d+(\.\d+)+", text)
    ] == []
    assert [text for text in listed.npm if not re.fullmatch(r"@[\w-]+/[\w-]+@\d+(\.\d+)+", text)] == []


@pytest.mark.parametrize("name", PEERS)
def test_each_stated_package_version_is_pinned(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))
    said = {
        argument.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "versions"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }
    assert said - pinned(name) == set()
    assert "uvloop" in said
