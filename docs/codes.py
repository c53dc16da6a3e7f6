"""Which error codes each operation can answer with: ``web/api/error_codes.json``, from which the
API's description is made.

What follows from how a request is read is found in the source (``everywhere``). What follows from the rules of an
operation is collected from the responses that the tests of the server get: they fail for a code that is not named. A
code that only the tests of the rules meet is named in the file by hand. To collect new ones:

    SIGNOFF_TEST_CODES=/tmp/codes .venv/bin/python -m pytest tests/web
    .venv/bin/python -m docs.codes /tmp/codes
    make docs
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from docs.errors import codes
from signoff.web.api.openapi import ERROR_CODES
from signoff.web.api.routes import ENDPOINTS

Table = dict[str, dict[str, list[str]]]
# The parts of a request, and where in the source what is wrong with them is raised.
PARTS: Final = {
    "request": (
        "engine/identity/admission.py", "engine/identity/keys.py", "engine/identity/rate_limit.py",
        "engine/identity/sessions.py", "web/hosts.py", "web/http/endpoint.py", "web/http/held_requests.py",
    ),
    "killed": ("core/directory/killed.py",),
    "headers": ("web/http/call.py",),
    "query": ("web/http/query.py",),
    "body": ("web/http/bodies.py", "web/http/json_intake.py"),
}  # fmt: skip
# Of a request as such only these say nothing about what it asks for.
_STATUSES: Final = {"request": (401, 413, 421, 429)}
# The limits that hold for some operations only: those are named there.
_OF_SOME: Final = {"too_many_attempts", "too_many_open", "too_many_streams"}


def everywhere() -> Table:
    """By part of a request and status: the codes that do not depend on the operation."""
    found: dict[str, dict[str, set[str]]] = {part: {} for part in PARTS}
    for code, places in codes().items():
        if code in _OF_SOME:
            continue
        for part, files in PARTS.items():
            for place in places:
                if place.file.startswith(files) and place.status in _STATUSES.get(part, (place.status,)):
                    found[part].setdefault(str(place.status), set()).add(code)
    return _sorted(found)


def merged(known: Table, seen: Iterable[tuple[str, str, str]]) -> Table:
    """The codes by operation and status, with those that were seen."""
    found = {name: {status: set(codes) for status, codes in row.items()} for name, row in known.items()}
    operations = {row.name for row in ENDPOINTS}
    for name, status, code in seen:
        if name not in operations or status >= "500":
            continue
        found.setdefault(name, {}).setdefault(status, set()).add(code)
    return _sorted(found)


def _sorted(found: dict[str, dict[str, set[str]]]) -> Table:
    return {
        name: {status: sorted(found[name][status]) for status in sorted(found[name])}
        for name in sorted(found)
    }


def text(operations: Table) -> str:
    """The file as stored in the repository."""
    return json.dumps({"everywhere": everywhere(), "operations": operations}, indent=1) + "\n"


def known() -> Table:
    operations: Table = json.loads(ERROR_CODES.read_text("utf-8"))["operations"]
    return operations


if __name__ == "__main__":
    lines = {line for name in sys.argv[1:] for line in Path(name).read_text("utf-8").splitlines()}
    ERROR_CODES.write_text(text(merged(known(), (tuple(line.split()) for line in lines))), "utf-8")  # type: ignore[misc]
