"""JSON Schemas of the wire structs for the API's description, with examples composed from the examples of their
fields.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

Schema = dict[str, Any]
_REF: Final = "#/components/schemas/{name}"
_UNSAID: Final[tuple[Any, ...]] = (None, "", False, [], {})  # defaults that mean "not given"


class Schemas:
    """The schemas of these structs and of all structs inside them.

    sent: structs of requests, in which a field with a default may be omitted. A field of a response is always
    present, unless its type allows it to be absent. lenient: requests that accept unknown fields. Their schemas still
    do not offer additional properties, because generated clients would send some; only a ``_FREE`` struct uses them.
    """

    def __init__(self, kinds: Iterable[type], sent: Collection[type], lenient: Collection[type] = ()) -> None:
        ordered = sorted(kinds, key=lambda kind: (kind.__name__, kind.__module__))
        refs, self.components = msgspec.json.schema_components(ordered, ref_template=_REF)
        self.refs: dict[type, Schema] = dict(zip(ordered, refs, strict=True))
        self._structs = _structs(ordered)
        within = {_name(ref) for kind in sent for ref in (self.refs[kind],)}
        within = _reached(within, self.components)
        for name, schema in self.components.items():
            _tidy(schema)
            if name in within:
                _as_sent(schema)
            else:
                _as_answered(schema, self._structs[name])
        for kind in sent:
            schema = self.components[_name(self.refs[kind])]
            schema.pop("additionalProperties", None)
            if kind not in lenient:
                schema["additionalProperties"] = False
            elif getattr(kind, "_FREE", False):
                schema["additionalProperties"] = True
        self.components = dict(sorted(self.components.items()))

    def example(self, kind: type) -> Any:
        """An example of the struct: its required fields, and those that its _EXAMPLE names."""
        return self._value(self.refs[kind])

    def _value(self, schema: Schema) -> Any:
        if "$ref" in schema:
            name = _name(schema)
            struct, fields = self._structs[name], self.components[name].get("properties", {})
            shown = _shown(struct) | set(self.components[name].get("required", ()))
            return {field: self._value(fields[field]) for field in fields if field in shown}
        if "examples" in schema:
            return schema["examples"][0]
        if "anyOf" in schema:
            return self._value(next(one for one in schema["anyOf"] if one != {"type": "null"}))
        if schema.get("type") == "array":
            return [self._value(schema["items"])]
        raise ValueError(f"no example: {schema}")


def _structs(kinds: Iterable[type]) -> dict[str, type[Struct]]:
    found: dict[str, type[Struct]] = {}

    def visit(part: Any) -> None:
        if isinstance(part, msgspec.inspect.StructType):
            if part.cls.__name__ in found:
                return
            found[part.cls.__name__] = part.cls
            for field in part.fields:
                visit(field.type)
        elif isinstance(part, msgspec.inspect.Metadata):
            visit(part.type)
        elif isinstance(part, msgspec.inspect.UnionType):
            for one in part.types:
                visit(one)
        elif isinstance(part, msgspec.inspect.CollectionType):
            visit(part.item_type)
        elif isinstance(part, msgspec.inspect.DictType):
            visit(part.value_type)

    for kind in kinds:
        visit(msgspec.inspect.type_info(kind))
    return found


def _shown(struct: type[Struct]) -> set[str]:
    names = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
    return {names[name] for name in getattr(struct, "_EXAMPLE", ())}


def _name(ref: Schema) -> str:
    return str(ref["$ref"].rpartition("/")[2])


def _reached(names: set[str], components: dict[str, Schema]) -> set[str]:
    """The names of these schemas and of all that they refer to."""
    found: set[str] = set()
    todo = [*names]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _references(components[name])
    return found


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        here = [_name(part)] if isinstance(part.get("$ref"), str) else []
        return here + [name for value in part.values() for name in _references(value)]
    return [name for value in part for name in _references(value)] if isinstance(part, list) else []


def _tidy(schema: Schema) -> None:
    """Convert a struct's schema to the form that generators handle best."""
    schema.pop("title", None)
    if "description" in schema:  # a docstring
        schema["description"] = _words(schema["description"])
    for name, field in schema.get("properties", {}).items():
        schema["properties"][name] = _field(field)


def _words(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


def _field(field: Schema) -> Schema:
    """Simplify a field's schema: the description of a part of a union becomes the field's, "a plain type or null"
    becomes one type, and an object without named members accepts any.
    """
    choices = field.get("anyOf")
    if choices is not None:
        fields = {
            word: one.pop(word) for one in choices for word in ("description", "examples") if word in one
        }
        field = {**fields, **field, "anyOf": [_field(one) for one in choices]}
        plain = [one for one in field["anyOf"] if one != {"type": "null"}]
        if len(plain) == 1 and len(choices) == 2 and isinstance(plain[0].get("type"), str):
            del field["anyOf"]
            field |= plain[0] | {"type": [plain[0]["type"], "null"]}
            if "enum" in field:
                field["enum"] = [*field["enum"], None]
    if field.get("type") == "array":
        field = field | {"items": _field(field["items"])}
    if field.get("type") == "object" or field.get("type") == ["object", "null"]:
        field.setdefault("additionalProperties", True)
    if "description" in field:
        first = {"description": _words(field["description"])}
        field = first | {name: value for name, value in field.items() if name != "description"}
    return field


def _as_sent(schema: Schema) -> None:
    """A request's field with a default may be omitted; generators would require or send what ``default`` contains."""
    for field in schema.get("properties", {}).values():
        default = field.pop("default", None)
        if default not in _UNSAID:
            field["description"] = f"{field['description']} Default: {_default_text(default)}."


def _default_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _as_answered(schema: Schema, struct: type[Struct]) -> None:
    always = [*schema.get("required", ())]
    for name, field in schema.get("properties", {}).items():
        if "default" in field:
            del field["default"]
            if not struct.__struct_config__.omit_defaults:
                always.append(name)
    if always:
        schema["required"] = [name for name in schema["properties"] if name in always]
