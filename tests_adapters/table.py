"""docs/reference/adapters.md: which adapter passed which case of the contract, generated from the cases' results."""

import ast
import json
from pathlib import Path
from typing import Final

from tests_adapters.environments import ENVIRONMENTS, RESULTS, ROOT

PAGE: Final = ROOT / "docs" / "reference" / "adapters.md"
_HEAD: Final = """# Adapters

<!-- Written by make test-adapters ARGS=--write. Do not edit. -->

Every [adapter](../how-to/frameworks.md) passes one contract, with the real framework, a real Signoff server and a
scripted model. `make test-adapters` runs it, each framework in a separate environment.

| | adapter | run with |
|---|---|---|
"""


def rendered() -> str:
    """The page; raises FileNotFoundError if an environment has not been run."""
    found = {
        name: json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
        for name in ENVIRONMENTS
        if ENVIRONMENTS[name].harnesses
    }
    columns = [
        (title, ", ".join(f"{one.replace('==', ' ')}" for one in ENVIRONMENTS[name].packages), passed)
        for name, kinds in found.items()
        for title, passed in kinds.items()
    ]
    letters = [chr(ord("A") + place) for place in range(len(columns))]
    lines = [
        f"| {letter} | {title} | {packages} |"
        for letter, (title, packages, _) in zip(letters, columns, strict=True)
    ]
    table = [f"| case | {' | '.join(letters)} |", "|---|" + "---|" * len(letters)]
    for function, says in _cases().items():
        marks = (_MARKS[passed.get(function)] for _, _, passed in columns)
        table.append(f"| {says} | {' | '.join(marks)} |")
    return _HEAD + "\n".join(lines) + "\n\n" + "\n".join(table) + "\n" + _TAIL


_MARKS: Final = {True: "yes", False: "**no**", None: "–"}
_TAIL: Final = """
Where there is a dash, the framework decides: an activity of Temporal's that cannot reach the server is tried again, and
its timeout limits the wait, as a deferred task's does in Airflow.

Airflow's scheduler is played by the contract, which defers, triggers and resumes its operators; one test more runs a
DAG with Airflow's own runner.

The Claude Agent SDK runs with a scripted program in place of the command line that it starts, which needs a model.
Everything on this side of its control protocol is the SDK's own.
"""


def _cases() -> dict[str, str]:
    """The first line of each case's docstring, by its function."""
    tree = ast.parse((Path(__file__).parent / "test_contract.py").read_text("utf-8"))
    cases = [
        one for one in tree.body if isinstance(one, ast.AsyncFunctionDef) and one.name.startswith("test_")
    ]
    return {one.name: (ast.get_docstring(one) or "").splitlines()[0] for one in cases}
