"""JSON Schemas of policies, workflows and manifests, for editors: made from the structs that read these documents."""

import json
from collections.abc import Iterable
from datetime import timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from signoff.core.formats.manifest import Manifest
from signoff.core.formats.workflow import WorkflowSource
from signoff.core.policy.policy import PolicySource

Schema = dict[str, Any]
DOCUMENTS: Final = {
    "policy": ("A policy of Signoff: who decides, and how.", PolicySource),
    "workflow": ("A workflow of Signoff: the steps that requests of a type go through.", WorkflowSource),
    "manifest": ("What signoff apply takes: people, teams, policies, workflows and settings.", Manifest),
}
_BOUNDS: Final = {"ge": "minimum", "le": "maximum", "pattern": "pattern"}
_PLAIN: Final[dict[Any, Schema]] = {
    str: {"type": "string", "minLength": 1},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    timedelta: {
        "description": "Seconds, or text such as 90s, 5m, 8h, 2d, P1DT2H.",
        "anyOf": [{"type": "number", "minimum": 1}, {"type": "string", "pattern": "^[0-9P]"}],
    },
}


def texts() -> dict[str, str]:
    """The files, by name."""
    return {f"{name}.json": _text(about, kind) for name, (about, kind) in DOCUMENTS.items()}


def _text(about: str, kind: type[msgspec.Struct]) -> str:
    shared: dict[str, Schema] = {}
    root = _schema(kind, shared)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "description": about}
    return (
        json.dumps(head | root | {"$defs": dict(sorted(shared.items()))}, indent=1, ensure_ascii=False) + "\n"
    )


def _schema(kind: Any, shared: dict[str, Schema]) -> Schema:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:], shared)
    if origin in (Union, UnionType):
        return _any_of(_schema(one, shared) for one in arguments if one is not NoneType)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        items = _schema(arguments[0], shared)
        listed = {"type": "array", "items": items}
        # Where a list holds lines of text, one line may stand alone.
        return _any_of([items, listed]) if _is_line(items) else listed
    if origin is dict:
        return {"type": "object"} | (
            {"additionalProperties": inner} if (inner := _schema(arguments[1], shared)) else {}
        )
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        name = kind.__name__.removesuffix("Source").strip("_")
        if name not in shared:
            shared[name] = {}
            shared[name] = _object(kind, shared)
        return {"$ref": f"#/$defs/{name}"}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    return {} if kind is Any else _PLAIN[kind]


def _annotated(kind: Any, metas: tuple[msgspec.Meta, ...], shared: dict[str, Schema]) -> Schema:
    for meta in metas:
        if "written" in (extra := meta.extra or {}):
            written = _schema(extra["written"], shared)
            return {"type": "string"} if extra.get("blank") else written
    found = _schema(kind, shared)
    for meta in metas:
        given = {name: getattr(meta, name) for name in _BOUNDS if getattr(meta, name) is not None}
        bounds = {
            _BOUNDS[name]: f"^{value}$" if name == "pattern" else value for name, value in given.items()
        }
        if meta.max_length is not None and "anyOf" in found:
            found = found | {"maxItems": meta.max_length}
        elif meta.max_length is not None:
            bounds["maxItems" if found.get("type") == "array" else "maxLength"] = meta.max_length
        found = found | bounds | ({"description": meta.description} if meta.description else {})
    return found


def _any_of(schemas: Iterable[Schema]) -> Schema:
    found = [*schemas]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _is_line(schema: Schema) -> bool:
    return schema.get("type") == "string" or all(isinstance(word, str) for word in schema.get("enum", [0]))


def _object(kind: type[msgspec.Struct], shared: dict[str, Schema]) -> Schema:
    hints = get_type_hints(kind, include_extras=True)
    fields = msgspec.structs.fields(kind)
    found: Schema = {
        "type": "object",
        "properties": {field.encode_name: _schema(hints[field.name], shared) for field in fields},
        "additionalProperties": False,
    }
    required = [field.encode_name for field in fields if field.required]
    return found | ({"required": required} if required else {})
