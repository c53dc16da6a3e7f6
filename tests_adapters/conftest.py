"""One adapter's harness (``--adapter``), a server that its cases share, and a record of each case's result."""

import importlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signoff.testing import Server
from tests_adapters.environments import ENVIRONMENTS, RESULTS
from tests_adapters.harness import Harness

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--adapter", choices=sorted(ENVIRONMENTS), required=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file named after a framework is imported only where that is installed."""
    chosen = config.getoption("--adapter")
    own = f"test_{chosen.replace('-', '_')}.py"
    if not ENVIRONMENTS[chosen].harnesses and collection_path.suffix == ".py" and collection_path.name != own:
        return collection_path.name.startswith("test_") or None
    for name in ENVIRONMENTS:
        if collection_path.name == f"test_{name.replace('-', '_')}.py" and name != config.getoption(
            "--adapter"
        ):
            return True
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "harness" in metafunc.fixturenames:
        _, module, names = ENVIRONMENTS[metafunc.config.getoption("--adapter")]
        found = importlib.import_module(f"tests_adapters.{module}")
        metafunc.parametrize("kind", [getattr(found, name) for name in names], ids=names)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if item.function.__name__ not in _kind(item).lacks]  # type: ignore[attr-defined]


def _kind(item: pytest.Item) -> type[Harness]:
    kind: type[Harness] = getattr(item, "callspec", _Bare).params.get("kind", Harness)
    return kind


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.leave()
    return running


@pytest.fixture
def harness(kind: type[Harness]) -> Harness:
    return kind()


@pytest.fixture
def order() -> str:
    """An order number of this case's own."""
    return f"A-{next(_numbers)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.when == "call" and "kind" in getattr(item, "callspec", _Bare).params:
        kind = item.callspec.params["kind"]  # type: ignore[attr-defined]
        found: dict[str, bool] = item.config.stash.setdefault(_STASH, {}).setdefault(kind.title, {})
        found[item.function.__name__] = report.passed  # type: ignore[attr-defined]
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    adapter = session.config.getoption("--adapter")
    found = session.config.stash.get(_STASH, None)
    if adapter and found:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{adapter}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


class _Bare:
    params: dict[str, Any] = {}


_STASH = pytest.StashKey[dict[str, dict[str, bool]]]()
