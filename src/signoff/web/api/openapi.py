"""The API as an OpenAPI 3.1 document, generated from the table of endpoints and their structs.

``python -m signoff.web.api.openapi`` prints it; a test compares it with docs/openapi.json.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from signoff.web.api.routes import ENDPOINTS
from signoff.web.http.call import Access, Endpoint
from signoff.web.http.endpoint import ErrorBody
from signoff.web.http.query import Kind, Parameter

_PARAMETER: Final = re.compile(r"\{(\w+)(?::path)?\}")
_REF: Final = "#/components/schemas/{name}"
_SSE: Final = "text/event-stream"
# Endpoints that store their response by key: writes on an intent. Elsewhere a key would promise what is not kept.
_KEYED: Final = re.compile(
    r"(?:POST|PATCH) /v1/"
    r"(?:intents(?!/bulk-cancel).*|tasks/.*|approvals/.*|scenarios/(?:apply|bundle)|deliveries/[^/]*/report)"
)
_INFO: Final = {
    "title": "Signoff",
    "version": "1",
    "description": "Durable execution with human approval built in. Times are RFC 3339 in UTC, durations "
    "seconds, lists are paged by next_cursor. All errors have one format; their codes are stable.",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_PARAMETERS: Final = {
    "address": "agent://organization/workspace/name, the same without agent://, or a bare name",
    "intent_id": "the intent's id, or the id of one of its steps",
    "task_id": "the task's id; or an intent's id for its open task",
    "approval_id": "the task's or the intent's id",
}


def document(endpoints: Sequence[Endpoint] = ENDPOINTS) -> dict[str, Any]:
    """The whole document as a JSON-able dict."""
    kinds = {kind for row in endpoints for kind in (row.request, row.response) if kind is not None}
    ordered = sorted(kinds | {ErrorBody}, key=lambda kind: (kind.__name__, kind.__module__))
    refs, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    for component in components.values():
        if "description" in component:  # a docstring: from Python 3.13 on without its indentation
            component["description"] = " ".join(component["description"].split())
    schemas = dict(zip(ordered, refs, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for row in endpoints:
        operation = _operation(row, schemas, _name(row, names))
        paths.setdefault(_PARAMETER.sub(r"{\1}", row.path), {})[row.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "security": [{"key": []}, {"bearer": []}],
        "tags": [{"name": name} for name in dict.fromkeys(row.tag for row in endpoints)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": {"Refused": _content("What went wrong, and what to do", schemas[ErrorBody])},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _name(row: Endpoint, taken: set[str]) -> str:
    """A stable, unique operation id: module and function, with a suffix for an alias."""
    base = f"{row.run.__module__.rpartition('.')[2]}_{row.run.__name__}"
    last = row.path.rpartition("/")[2]
    for name in (base, f"{base}_{row.method.lower()}" if last in base else f"{base}_{last}", f"{base}_v1"):
        if name not in taken:
            taken.add(name)
            return name
    raise ValueError(f"no unique operation id for {row.method} {row.path}")


def _operation(row: Endpoint, schemas: dict[type, Any], name: str) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": name, "summary": row.summary, "tags": [row.tag]}
    parameters = [_in_path(parameter) for parameter in _PARAMETER.findall(row.path)]
    parameters += [_in_query(parameter) for parameter in row.query]
    if _KEYED.fullmatch(f"{row.method} {row.path}"):
        parameters.append(_idempotency_key())
    if parameters:
        operation["parameters"] = parameters
    if row.request is not None:
        content = {"application/json": {"schema": schemas[row.request]}}
        operation["requestBody"] = {"required": row.method != "DELETE", "content": content}
    operation["responses"] = {
        "200": _answer(row, schemas),
        "default": {"$ref": "#/components/responses/Refused"},
    }
    if row.access is Access.OPEN:
        operation["security"] = []
    return operation


def _in_path(name: str) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if name in _PARAMETERS:
        parameter["description"] = _PARAMETERS[name]
    return parameter


def _in_query(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.kind.value}
    if parameter.kind is Kind.COUNT:
        schema["minimum"] = parameter.least
    return {"name": parameter.name, "in": "query", "description": parameter.about, "schema": schema}


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "repeating a request with the same key returns the first response",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    }


def _answer(row: Endpoint, schemas: dict[type, Any]) -> dict[str, Any]:
    if row.media == _SSE:
        text = "Server-sent events: one JSON object per data line; the last event is stream.timeout"
        return {"description": text, "content": {_SSE: {"schema": {"type": "string"}}}}
    if row.response is None:
        return {"description": "Done", "content": {row.media: {}}}
    return _content("Done", schemas[row.response])


def _content(text: str, schema: Any) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def text() -> str:
    """The document as stored in the repository."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2).decode() + "\n"


if __name__ == "__main__":
    print(text(), end="")
