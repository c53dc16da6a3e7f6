"""Rules checked in the source: where transactions are opened, what tests must not do, what the lock file names."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text("utf-8"), name_of(path)))


def test_every_module_has_a_docstring() -> None:
    silent = [name_of(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert silent == []


def test_transactions_are_opened_only_inside_the_engine() -> None:
    elsewhere = [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        if "engine" not in path.relative_to(ROOT / "src" / "signoff").parts
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr == "transact"
    ]
    assert elsewhere == []


def _imports(path: Path) -> Iterator[str]:
    """The modules that a module imports at run time, including inside functions."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_modules_import_without_cycles() -> None:
    package = ROOT / "src" / "signoff"
    modules = {
        ".".join(("signoff", *path.relative_to(package).with_suffix("").parts)): path
        for path in package.rglob("*.py")
        if path.name != "__init__.py"
    }
    needs = {name: {one for one in _imports(path) if one in modules} for name, path in modules.items()}
    while free := [name for name, others in needs.items() if not others & needs.keys()]:
        for name in free:
            del needs[name]
    while unneeded := needs.keys() - {one for others in needs.values() for one in others}:
        for name in unneeded:  # it only leads to a circle
            del needs[name]
    assert sorted(needs) == []


PURE = {
    "bisect", "collections", "collections.abc", "datetime", "decimal", "difflib", "enum", "fractions", "functools",
    "hashlib", "itertools", "json", "math", "msgspec", "msgspec.structs", "re", "typing", "unicodedata", "urllib.parse",
    "zoneinfo",
}  # fmt: skip


def test_core_is_pure() -> None:
    """An allow-list: no clock, no randomness, no I/O. ``datetime`` is a value; reading the clock through it is not
    allowed.
    """
    impure = []
    for path in (ROOT / "src" / "signoff" / "core").rglob("*.py"):
        for node in nodes(path):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "."]
            else:
                names = []
            impure += [
                f"{name_of(path)}: {name}"
                for name in names
                if name not in PURE and not f"{name}.".startswith("signoff.core.")
            ]
            reads = isinstance(node, ast.Attribute) and node.attr in (
                "now",
                "utcnow",
                "today",
                "fromtimestamp",
            )
            if reads and isinstance(node.value, ast.Name) and node.value.id in ("datetime", "date"):
                impure.append(f"{name_of(path)}:{node.lineno}: {node.value.id}.{node.attr}")
    assert impure == []


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
def test_tests_use_no_sleep_stopwatch_mock_or_skip(forbidden: str, instead: str) -> None:
    # Only what waits for a process of somebody else (a database, a server) may poll it; no test may.
    tests = [path for path in TESTS if path.name.startswith("test_") and path != Path(__file__)]
    assert [name_of(path) for path in tests if re.search(forbidden, path.read_text("utf-8"))] == [], instead


def test_lock_file_names_no_host_or_machine() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|file:|(^|\s)/", lock)


def test_lock_file_contains_every_declared_dependency() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    # The frameworks of the adapters are pinned where they are installed, in tests_adapters/environments.py.
    extras = re.findall(r"--extra (\S+)", (ROOT / "Makefile").read_text("utf-8"))
    assert len(extras) >= 2
    wanted = [
        *declared["project"]["dependencies"],
        *(text for name in extras for text in declared["project"]["optional-dependencies"][name]),
        *declared["dependency-groups"]["dev"],
    ]
    locked = {
        normal(found) for found in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.M)
    }
    assert {normal(re.split(r"[<>=; ]", text)[0]) for text in wanted} - locked == set()


def normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()
