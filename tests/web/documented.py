"""Checks responses against the API's description: each status is documented for its operation, and the first response
of each kind matches its schema. Error codes too, if they are collected.
"""

import os
from collections import Counter
from functools import cache
from typing import Any

import jsonschema_rs
from starlette.routing import compile_path

from signoff.web.api import openapi
from signoff.web.api.routes import ENDPOINTS
from signoff.web.app import ABSENT

_UNSAID = {405, 500}  # of the path, and of nothing that a client does
_PER_KIND = 8  # bodies checked of each operation and status in one process: the rest would cost time only
_seen: Counter[tuple[str, str, int]] = Counter()


@cache
def document() -> dict[str, Any]:
    return openapi.document()


@cache
def operation(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The operation of a request, with its path in the document; None if there is none."""
    if any(compile_path(one)[0].match(path) for one in ABSENT):
        return None
    for row in ENDPOINTS:
        if compile_path(row.path)[0].match(path):
            said = row.path.replace(":path", "")
            found = document()["paths"][said].get(method.lower())
            return None if found is None else (said, found)
    return None


@cache
def validator(path: str, method: str, status: int) -> jsonschema_rs.Draft202012Validator | None:
    answers = document()["paths"][path][method.lower()]["responses"]
    answer = answers[str(status)]
    if "$ref" in answer:
        answer = document()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    schema = answer["content"].get("application/json", {}).get("schema")
    if schema is None:
        return None
    return jsonschema_rs.Draft202012Validator({**schema, "components": document()["components"]})


def check(method: str, target: str, status: int, body: Any) -> None:
    """Fail if the response is not documented."""
    path = target.partition("?")[0]
    found = operation(method, path)
    if found is None or status in _UNSAID:
        return
    said, row = found
    assert str(status) in row["responses"], (
        f"{method} {said} answered {status}, which its description does not name"
    )
    if "x-error-codes" in row and status < 500 and isinstance(body, dict) and "error" in body:
        _check_code(row, status, body["error"]["code"])
    _seen[said, method, status] += 1
    if body is None or _seen[said, method, status] > _PER_KIND:
        return
    checked = validator(said, method, status)
    if checked is not None:
        problem = next(iter(checked.iter_errors(body)), None)
        assert problem is None, f"{method} {said} {status}: {problem}"


def _check_code(row: dict[str, Any], status: int, code: str) -> None:
    name = row["operationId"]
    if code in row["x-error-codes"].get(str(status), ()):
        return
    file = os.environ.get("SIGNOFF_TEST_CODES")
    assert file, f"{name} answered {status} {code}, which its description does not name: see docs/codes.py"
    with open(file, "a", encoding="utf-8") as into:
        print(name, status, code, file=into)
