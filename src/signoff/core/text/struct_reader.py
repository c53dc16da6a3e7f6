"""Reads objects of our own documents (policy, workflow, manifest) into structs. A struct lists the fields that an
object may have, and their values; the JSON Schemas for editors are generated from the same structs.

msgspec describes the types, but its ``convert`` is not used, because an error here names the dotted path with its
keys, the nearest known field and the next step (docs/decisions/0004-documents-read-by-structs.md).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, inspect

from signoff.core.text.describe import NAME
from signoff.core.text.document_reader import Fields

S = TypeVar("S", bound=msgspec.Struct)


class DocumentStruct(msgspec.Struct, frozen=True, kw_only=True):
    """An object of a document. A field without a default is required."""

    def check(self, fields: Fields) -> None:
        """Raise Invalid for fields that contradict each other, or have no effect together."""


def reads(read: Callable[[Fields, str], Any], written: Any = None, **extra: Any) -> Meta:
    """A field that ``read`` parses, from text or from the type ``written``. ``blank=True``: empty text is a value,
    not an absent one.
    """
    return Meta(extra={"read": read, "written": written or str, **extra})


Name = Annotated[str, reads(Fields.name, Annotated[str, Meta(pattern=NAME.pattern)])]
Prose = Annotated[str, reads(Fields.prose, Annotated[str, Meta(max_length=2000)])]


def read_struct(kind: type[S], fields: Fields) -> S:
    """The object as a struct; raises Invalid for a field that is unknown, missing or of the wrong type."""
    known = fields_of(kind)
    blank = [name for name, field in known.items() if extra_of(field.type).get("blank")]
    fields.known(*known, blank=blank)
    values = {}
    for name, field in known.items():
        value = _value(field.type, fields, name) if fields.has(name) else None
        if field.required and value in (None, "", ()):
            raise fields.invalid(name, "is required", code="missing_field")
        if value is not None and not (name not in blank and _is_blank(fields.value[name])):
            values[field.name] = value
    source = kind(**values)
    if isinstance(source, DocumentStruct):
        source.check(fields)
    return source


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


@lru_cache(maxsize=64)
def fields_of(kind: type[msgspec.Struct]) -> dict[str, inspect.Field]:
    """The fields of a struct, by their names in a document."""
    return {field.encode_name: field for field in inspect.type_info(kind).fields}  # type: ignore[attr-defined]


def extra_of(kind: inspect.Type) -> dict[str, Any]:
    """What ``reads`` recorded for a type."""
    if isinstance(kind, inspect.UnionType):
        return extra_of(kind.types[0])
    return (kind.extra or {}) if isinstance(kind, inspect.Metadata) else {}


def _value(kind: inspect.Type, fields: Fields, name: str) -> Any:
    match kind:
        case inspect.Metadata(extra={"read": read}):
            return read(fields, name)
        case inspect.UnionType(types=[first, *_]):  # the other types are None, which means absent
            return _value(first, fields, name)
        case inspect.StrType(max_length=longest):
            return fields.text(name, longest=longest or 255)
        case inspect.BoolType():
            return fields.flag(name)
        case inspect.IntType(ge=int(least), le=int(most)):
            return fields.count(name, least, most)
        case inspect.TimeDeltaType():
            return fields.duration(name)
        case inspect.EnumType(cls=words) | inspect.LiteralType(values=words):
            return fields.word(name, words)
        case inspect.StructType(cls=source):
            return read_struct(source, fields.need_inner(name))
        case inspect.VarTupleType(item_type=inspect.StructType(cls=source), max_length=int(most)):
            listed = enumerate(fields.each(name, most=most))
            return tuple(read_struct(source, fields.item(name, index, item)) for index, item in listed)
        case inspect.VarTupleType(item_type=inspect.StrType(max_length=longest), max_length=most):
            return fields.texts(name, most=most or 20, longest=longest or 255)
        case inspect.DictType(value_type=inspect.StructType(cls=source), max_length=int(most)):
            return {key: read_struct(source, entry) for key, entry in fields.entries(name, most=most)}
        case inspect.DictType():
            return fields.data(name)
    raise TypeError(f"{name}: a document cannot contain {kind}")
