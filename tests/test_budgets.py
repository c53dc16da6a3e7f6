"""The sizes we keep, the doors we keep shut, a lock file that knows no machine: read from the sources."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 40
PARAMETERS = 7
PUBLIC_METHODS = 25

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text("utf-8"), name_of(path)))


def each_function() -> Iterator[tuple[str, Function]]:
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, Function):
                yield f"{name_of(path)}:{node.lineno} {node.name}", node


def test_no_file_is_longer_than_400_lines() -> None:
    sizes = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES + TESTS}
    assert {name: size for name, size in sizes.items() if size > LINES_PER_FILE} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    sizes = {name: (node.end_lineno or 0) - node.lineno + 1 for name, node in each_function()}
    assert {name: size for name, size in sizes.items() if size > LINES_PER_FUNCTION} == {}


def test_no_function_takes_more_than_7_parameters() -> None:
    taken = {name: parameters(node) for name, node in each_function()}
    assert {name: count for name, count in taken.items() if count > PARAMETERS} == {}


def parameters(node: Function) -> int:
    given = [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([name for name in given if name not in ("self", "cls")])


def test_no_class_has_more_than_25_public_methods() -> None:
    public = {
        f"{name_of(path)}:{node.lineno} {node.name}": len(
            [item for item in node.body if isinstance(item, Function) and not item.name.startswith("_")]
        )
        for path in SOURCES
        for node in nodes(path)
        if isinstance(node, ast.ClassDef)
    }
    assert {name: count for name, count in public.items() if count > PUBLIC_METHODS} == {}


def test_every_file_opens_with_its_law() -> None:
    silent = [name_of(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert silent == []


def test_a_transaction_is_opened_only_inside_the_engine() -> None:
    elsewhere = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        if "engine" not in path.relative_to(ROOT / "src" / "signoff").parts
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr == "transact"
    ]
    assert elsewhere == []


@pytest.mark.parametrize(
    ("forbidden", "instead"),
    [
        (r"\btime\.sleep\(|\basyncio\.sleep\((?!0\))", "step a loop by once(), or wait for an event"),
        (
            r"\btime\.(monotonic|perf_counter|time)\(|\bloop\(\)\.time\b",
            "judge what happened; how fast it was is for bench/",
        ),
        (r"\bunittest\.mock\b|\bMagicMock\b|\bmocker\b", "use the real thing, or a sink on loopback"),
        (
            r"\bpytest\.(skip|xfail|importorskip)\b|\bmark\.(skip|skipif|xfail)\b",
            "a test runs or it is not there",
        ),
        (r"\bmonkeypatch\.setattr\b", "pass what varies as an argument"),
    ],
)
def test_tests_do_not_cheat(forbidden: str, instead: str) -> None:
    # Only what waits for a process of somebody else (a database, a server) may poll it; no test may.
    tests = [path for path in TESTS if path.name.startswith("test_") and path != Path(__file__)]
    assert [name_of(path) for path in tests if re.search(forbidden, path.read_text("utf-8"))] == [], instead


def test_the_lock_names_neither_hosts_nor_machines() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|file:|(^|\s)/", lock)


def test_the_lock_holds_every_dependency_that_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [
        *declared["project"]["dependencies"],
        *declared["project"]["optional-dependencies"]["server"],
        *declared["dependency-groups"]["dev"],
    ]
    locked = {
        normal(found) for found in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.M)
    }
    assert {normal(re.split(r"[<>=; ]", text)[0]) for text in wanted} - locked == set()


def normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()
