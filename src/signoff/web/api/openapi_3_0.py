"""Converts an OpenAPI 3.1 document to 3.0, for generators that do not read later versions."""

from typing import Any, Final

_HERE: Final = ("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")
_LICENCE: Final = "https://www.apache.org/licenses/LICENSE-2.0"
_NAMES: Final = frozenset({"properties", "schemas", "responses", "paths", "headers", "content"})
_VALUES: Final = frozenset({"example", "enum", "required", "security"})


def edition(document: dict[str, Any]) -> dict[str, Any]:
    """The same API in version 3.0, which writes nullable types, references and bounds differently."""
    made: dict[str, Any] = {name: _part(value, name) for name, value in document.items()}
    licence = {"name": document["info"]["license"]["name"], "url": _LICENCE}
    return made | {"openapi": "3.0.3", "info": document["info"] | {"license": licence}}


def _part(part: Any, name: str, named: bool = False) -> Any:
    """Convert a part of the document. ``named``: its members are names, not keywords of OpenAPI."""
    if isinstance(part, list):
        return [_part(one, name) for one in part]
    if not isinstance(part, dict):
        return part
    if named:
        return {key: _part(value, key) for key, value in part.items()}
    made = {key: value if key in _VALUES else _part(value, key, key in _NAMES) for key, value in part.items()}
    return _schema(made)


def _schema(made: dict[str, Any]) -> dict[str, Any]:
    kind = made.get("type")
    if isinstance(kind, list):
        made["type"] = next(one for one in kind if one != "null")
        made["nullable"] = True
    choices = made.get("anyOf")
    if choices is not None and {"type": "null"} in choices:
        rest = [one for one in choices if one != {"type": "null"}]
        made["nullable"] = True
        if len(rest) == 1:  # a struct
            del made["anyOf"]
            made |= {"type": "object", "allOf": rest}
        else:
            del made["nullable"]
            made["anyOf"] = [one | {"nullable": True} for one in rest]
    if "$ref" in made and len(made) > 1:
        made["allOf"] = [{"$ref": made.pop("$ref")}]
    if isinstance(made.get("examples"), list):
        made["example"] = made.pop("examples")[0]
    for word, bound in _HERE:
        if isinstance(made.get(word), int | float) and not isinstance(made[word], bool):
            made[bound] = made[word]
            made[word] = True
    return made
