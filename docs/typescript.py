"""The types of the TypeScript client, made from the OpenAPI document: one interface per schema of the API."""

import json
import re
from typing import Any, Final

from signoff.web.api import openapi

_NOTE: Final = "// Made by `make docs` from the API's description; do not edit.\n"
_JSON: Final = """
/** A JSON object whose members are up to its author. */
export type JsonObject = { readonly [name: string]: any };
"""
_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*")
_PLAIN: Final = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
}


def text() -> str:
    """The content of clients/typescript/src/wire.ts."""
    document = openapi.document()
    schemas = document["components"]["schemas"]
    sent = _sent(document, schemas)
    made = [_interface(name, schema, name in sent) for name, schema in schemas.items()]
    return _NOTE + _JSON + "".join(made)


def _sent(document: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    """The schemas that requests hold: what has a default may be omitted."""
    bodies = [
        operation["requestBody"]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    found: set[str] = set()
    new = _references(bodies)
    while new:
        found |= new
        new = {name for one in new for name in _references(schemas[one])} - found
    return found


def _references(part: Any) -> set[str]:
    if isinstance(part, dict):
        mine = {part["$ref"].rpartition("/")[2]} if isinstance(part.get("$ref"), str) else set()
        return mine.union(*(_references(value) for value in part.values()))
    return set().union(*(_references(value) for value in part)) if isinstance(part, list) else set()


def _interface(name: str, schema: dict[str, Any], sent: bool) -> str:
    about = _comment(schema.get("description", ""), "")
    if schema.get("type") != "object" or "properties" not in schema:
        return f"\n{about}export type {name} = {_type(schema, sent)};\n"
    return f"\n{about}export interface {name} {_members(schema, sent, '')}\n"


def _members(schema: dict[str, Any], sent: bool, indent: str) -> str:
    lines = []
    for name, member in schema["properties"].items():
        always = name in schema.get("required", ()) or ("default" in member and not sent)
        shown = name if _NAME.fullmatch(name) else f'"{name}"'
        lines.append(
            _comment(member.get("description", ""), f"{indent}  ")
            + f"{indent}  readonly {shown}{'' if always else '?'}: {_type(member, sent, indent + '  ')};\n"
        )
    return "{\n" + "".join(lines) + indent + "}"


def _type(schema: dict[str, Any], sent: bool, indent: str = "") -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " | ".join(dict.fromkeys(_type(one, sent, indent) for one in schema[choice]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " | ".join(json.dumps(value) for value in values)
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_type({**schema, "type": one}, sent, indent) for one in kind)
    if kind == "array":
        inner = _type(schema.get("items", {}), sent, indent)
        return f"readonly ({inner})[]" if " | " in inner else f"readonly {inner}[]"
    if kind == "object":
        return _object(schema, sent, indent)
    return _PLAIN.get(kind or "", "unknown")


def _object(schema: dict[str, Any], sent: bool, indent: str) -> str:
    if "properties" in schema:
        return _members(schema, sent, indent)
    more = schema.get("additionalProperties")
    if isinstance(more, dict) and more:
        return f"{{ readonly [name: string]: {_type(more, sent, indent)} }}"
    return "object" if sent else "JsonObject"  # an object of any type of the caller's can be sent


def _comment(text: str, indent: str) -> str:
    words = " ".join(text.replace("``", "`").replace("*/", "* /").split())
    return f"{indent}/** {words} */\n" if words else ""
