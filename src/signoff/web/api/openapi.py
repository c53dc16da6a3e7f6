"""The API as an OpenAPI 3.1 document, generated from the table of endpoints and their structs; and in version
3.0, for generators that do not read later versions.

``python -m signoff.web.api.openapi`` prints it; a test compares it with docs/openapi.json.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from signoff.core.errors import (
    Busy,
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    Misdirected,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unauthenticated,
)
from signoff.web.api import openapi_3_0
from signoff.web.api.routes import ENDPOINTS
from signoff.web.api.schemas import Schemas
from signoff.web.http.call import MAX_KEY, Access, Endpoint
from signoff.web.http.endpoint import ErrorBody
from signoff.web.http.query import Kind, Parameter

# Made by docs/codes.py: the error codes by part of a request, and by operation.
ERROR_CODES: Final = Path(__file__).with_name("error_codes.json")
_PARAMETER: Final = re.compile(r"\{(\w+)(?::path)?\}")
_SSE: Final = "text/event-stream"
# Endpoints that store their response by Idempotency-Key: writes on an intent. Others refuse a key, which would
# promise what they do not do.
_KEYED: Final = re.compile(
    r"(?:POST|PATCH) /v1/"
    r"(?:intents(?!/bulk-cancel).*|tasks/.*|approvals/.*|scenarios/(?:apply|bundle)|deliveries/[^/]*/report)"
)
_ABSENT: Final = {
    "intent_id": ("intent_not_found",),
    "task_id": ("task_not_found", "intent_not_found"),
    "approval_id": ("task_not_found", "intent_not_found"),
}
_OF_KEYS: Final = ("401", "429")  # what a request with a key can be refused with before it is read
_OF_RULES: Final = ("403", "404", "409", "413", "422")
_INFO: Final = {
    "title": "Signoff",
    "version": "1",
    "description": "Durable execution with human approval built in. Times are RFC 3339 in UTC, durations "
    "seconds, lists are paged by next_cursor. All errors have one format; their codes are stable. x-error-codes of an "
    "operation lists, by status, the codes that a refusal may have; some of them are common to all operations.",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_TAGS: Final = {
    "intents": "Durable requests: submit, read, follow, end.",
    "audit": "An intent's whole history, with its hash chain.",
    "tasks": "What people are asked, and their answers.",
    "deliveries": "An agent's work: claim, renew, report.",
    "agents": "Agents, and what waits for them.",
    "scenarios": "AXP's bundles of agents, people and one intent.",
    "workflows": "The steps that requests of a type go through.",
    "export": "The configuration, all intents and all events, for export to files.",
    "people": "People, teams, policies, and changes to them.",
    "workspaces": "The workspaces of the organization.",
    "accounts": "Agents and services with their keys, as AXP's service accounts.",
    "keys": "API keys.",
    "inbox": "AXP's inbox: requests and results by address.",
    "system": "The server, its channels, and the caller.",
}
_PARAMETERS: Final = {
    "address": ("agent://organization/workspace/name, the same without agent://, or a bare name", "infra-validator"),
    "intent_id": (
        "the intent's id, or the id of one of its steps", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0000"
    ),
    "task_id": ("the task's id; or an intent's id for its open task", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0002"),
    "approval_id": ("the task's or the intent's id", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0002"),
    "delivery_id": ("the delivery's id", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0001"),
    "thread_id": ("the thread's id: the intent's", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0000"),
    "intent_type": ("the type of the intents", "intent.db.migrate.v1"),
    "person_id": ("the person's id or address", "ann@acme.example"),
    "session_id": ("the session's id", "ses_01998a3c6f007d1e8a4bc35d9e7f1b27"),
    "name": ("the name", "production"),
    "proposal_id": ("the proposal's id", "prop_01998a3c6f007d1e8a4bc35d9e7f1b25"),
    "account_id": ("the account's id", "sa_01998a3c6f007d1e8a4bc35d9e7f1b21"),
    "key_id": ("the key's id", "key_01998a3c6f007d1e8a4bc35d9e7f1b23"),
    "entry_id": ("the entry's id, or its pattern", "snd_01998a3c6f007d1e8a4bc35d9e7f1b21"),
    "channel": ("the channel", "slack"),
    "workspace_id": ("the workspace's id", "ws_01998a3c6f007d1e8a4bc35d9e7f1b22"),
}  # fmt: skip
_LATER: Final = {
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    }
}


def document(endpoints: Sequence[Endpoint] = ENDPOINTS) -> dict[str, Any]:
    """The whole document as a dict that can be encoded as JSON."""
    sent = {row.request for row in endpoints if row.request is not None}
    answers = {row.response for row in endpoints if row.response is not None}
    others = {kind for row in endpoints for _, kind in row.others}
    lenient = {row.request for row in endpoints if row.request is not None and row.any_body}
    schemas = Schemas(sent | answers | others | {ErrorBody}, sent, lenient)
    paths: dict[str, dict[str, Any]] = {}
    for row in endpoints:
        path = _PARAMETER.sub(r"{\1}", row.path)
        paths.setdefault(path, {})[row.method.lower()] = _operation(row, schemas)
    refused = {kind for row in endpoints for kind in _refusals(row)}
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": "/", "description": "The server that served this document"}],
        "security": [{"key": []}, {"bearer": []}],
        "tags": [
            {"name": tag, "description": _TAGS[tag]} for tag in dict.fromkeys(row.tag for row in endpoints)
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": _responses(refused, schemas),
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "A key of a person, an agent or a service: it says who acts.",
                },
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The same key; next to a service's key, the key of the person who acts.",
                },
            },
        },
    }


def _operation(row: Endpoint, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": row.name, "summary": row.summary, "tags": [row.tag]}
    parameters = [_in_path(parameter) for parameter in _PARAMETER.findall(row.path)]
    parameters += [_in_query(parameter) for parameter in row.query]
    if _KEYED.fullmatch(f"{row.method} {row.path}"):
        parameters.append(_idempotency_key())
    if parameters:
        operation["parameters"] = parameters
    if row.request is not None:
        content = {"schema": schemas.refs[row.request], "example": schemas.example(row.request)}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    elif row.any_body:  # the chat defines this form; we read only this field
        fields = {"type": "string", "description": "What was pressed, as JSON; a command has other fields."}
        form = {"schema": {"type": "object", "properties": {"payload": fields}}}
        operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": form}}
    operation["responses"] = _answers(row, schemas)
    if found := error_codes(row):
        operation["x-error-codes"] = found
        operation["description"] = _described(row, found)
    if row.access is Access.OPEN:
        operation["security"] = []
    return operation


def _answers(row: Endpoint, schemas: Schemas) -> dict[str, Any]:
    found: dict[int, Any] = {200: _answer(row, schemas)}
    for kind in _refusals(row):
        found[kind.status] = {"$ref": f"#/components/responses/{kind.__name__}"}
    for status, struct in row.others:
        found[status] = _content(schemas, _about(struct), struct)
    answers = {str(status): answer for status, answer in sorted(found.items())}
    return answers | {"default": {"$ref": "#/components/responses/Refused"}}


def error_codes(row: Endpoint) -> dict[str, list[str]]:
    """The error codes that an operation returns for each 4xx status."""
    known = _error_codes()
    own, parts = known["operations"].get(row.name, {}), known["everywhere"]
    read = ["request", "headers", *["query"][: not row.any_query], *["body"][: row.request is not None]]
    read += ["killed"][: row.access is Access.KEY and not row.killed]
    keyed = _KEYED.fullmatch(f"{row.method} {row.path}") and not row.unkeyed
    absent = {"idempotency_key_unsupported" if keyed else "invalid_idempotency_key"}
    if row.method != "GET":
        absent.add("body_not_allowed")
    found = {}
    for status in sorted({str(kind.status) for kind in _refusals(row) if kind.status < 500}):
        general = {code for part in read for code in parts[part].get(status, ())} - absent
        if row.access is not Access.KEY and status in _OF_KEYS:
            general.clear()
        if status == "429" and row.media == _SSE:
            general.add("too_many_streams")
        if keyed and status == "409":
            general.add("idempotency_conflict")
        if status == "404":
            general.update(
                code for name, codes in _ABSENT.items() if f"{{{name}}}" in row.path for code in codes
            )
        if codes := general.union(own.get(status, ())):
            found[status] = sorted(codes)
    return found


def _described(row: Endpoint, found: dict[str, list[str]]) -> str:
    """The codes of a status that depends on what is asked for, in a sentence each; the list has the others too."""
    texts = [
        f"{status}: {', '.join(f'`{code}`' for code in codes)}."
        for status, codes in found.items()
        if status in _OF_RULES
    ]
    return "Error codes by status. " + " ".join(texts)


@cache
def _error_codes() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ERROR_CODES.read_text("utf-8"))
    return found


def _refusals(row: Endpoint) -> Iterator[type[Refused]]:
    """The errors that an endpoint can respond with. They follow from what it reads and who may call it."""
    yield from (Malformed, Misdirected, Busy, *row.refuses)
    if row.access is Access.KEY:
        yield from (Unauthenticated, Forbidden, TooMany)
    if row.access is Access.KEY or not row.any_query:
        yield Invalid
    if _PARAMETER.search(row.path) or row.request is not None or row.query:
        yield NotFound
    if row.method != "GET":
        yield from (Conflict, TooLarge)


def _responses(refused: set[type[Refused]], schemas: Schemas) -> dict[str, Any]:
    found = {}
    for kind in sorted(refused, key=lambda kind: kind.status):
        found[kind.__name__] = _content(schemas, _about(kind), ErrorBody)
        if issubclass(kind, TooMany | Busy):
            found[kind.__name__]["headers"] = _LATER
    return found | {"Refused": _content(schemas, "What went wrong, and what to do.", ErrorBody)}


def _about(kind: type) -> str:
    return " ".join((kind.__doc__ or "").replace("``", "`").split())


def _in_path(name: str) -> dict[str, Any]:
    description, example = _PARAMETERS[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


def _in_query(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.kind.value}
    example: Any = parameter.example
    if parameter.kind is Kind.COUNT:
        schema["minimum"] = parameter.least
        example = min(max(parameter.least, 10), parameter.most)
    elif parameter.kind is Kind.FLAG:
        example = True
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.about,
        "schema": schema,
        "example": example,
    }


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "repeating a request with the same key returns the first response",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
        "example": "release-42-migrate-users",
    }


def _answer(row: Endpoint, schemas: Schemas) -> dict[str, Any]:
    if row.media == _SSE:
        text = "Server-sent events: one JSON object per data line; the last event is stream.timeout"
        return {"description": text, "content": {_SSE: {"schema": {"type": "string"}}}}
    if row.response is None:
        return {"description": "Done", "content": {row.media: {"schema": {"type": "string"}}}}
    return _content(schemas, _about(row.response), row.response)


def _content(schemas: Schemas, text: str, kind: type) -> dict[str, Any]:
    content = {"schema": schemas.refs[kind], "example": schemas.example(kind)}
    return {"description": text, "content": {"application/json": content}}


def text() -> str:
    """The document as stored in the repository."""
    return _written(document())


def text_3_0() -> str:
    """The document in OpenAPI 3.0."""
    return _written(openapi_3_0.edition(document()))


def _written(made: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"


if __name__ == "__main__":
    print(text(), end="")
