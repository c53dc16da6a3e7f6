"""Undocumented parts of libraries that our code relies on are unchanged. Each digest is that of one name's source. If
one changes after an update, read the change, check the code that relies on it (named below), then update the digest
here and the upper bound in pyproject.toml. The source depends on the version only, not on the machine or interpreter.
"""

import hashlib
import inspect
import re
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
# distribution -> {module:qualified name -> digest}
INTERNALS = {
    # the HTTP protocol within limits and the clean end of a server subclass these
    "uvicorn": {
        "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol": "18fdf324b11bf160",
        "uvicorn.protocols.http.httptools_impl:RequestResponseCycle": "e67d470d435dcc1c",
        "uvicorn.server:Server": "06e799f7c58f8be6",
        "uvicorn.server:HANDLED_SIGNALS": "0c6ea5c9f43eac38",
    },
    # documents are composed and constructed within limits
    "ruamel.yaml": {
        "ruamel.yaml.composer:Composer": "ca7cbad939c64ba5",
        "ruamel.yaml.constructor:SafeConstructor": "049a59026f29155b",
    },
}


def source(name: str) -> str:
    module, _, path = name.partition(":")
    found: Any = import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return inspect.getsource(found) if inspect.isclass(found) or inspect.isroutine(found) else repr(found)


def digest(name: str) -> str:
    return hashlib.sha256(source(name).encode()).hexdigest()[:16]


@pytest.mark.parametrize("library", INTERNALS)
def test_internals_in_use_are_unchanged(library: str) -> None:
    assert {name: digest(name) for name in INTERNALS[library]} == INTERNALS[library], (
        f"{library} {version(library)} differs from the version that was read: see the head of this file"
    )


@pytest.mark.parametrize("library", INTERNALS)
def test_library_with_internals_in_use_has_an_upper_bound(library: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["server"]]
    [requirement] = [text for text in declared if re.split(r"[<>=; \[]", text)[0] == library]
    [bound] = re.findall(r"<([\d.]+)", requirement)
    assert tuple(map(int, version(library).split(".")[:2])) < tuple(map(int, bound.split(".")))


def test_no_private_name_of_a_library_is_imported() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for line in path.read_text("utf-8").splitlines()
        if re.match(
            r"\s*(from (?!signoff|__future__)[\w.]*\b_\w+|from (?!signoff)\S+ import .*\b_[a-z]|import \S*\._)",
            line,
        )
    ]
    assert found == []
