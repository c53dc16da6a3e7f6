"""Decodes request bodies to structs. Our own endpoints refuse unknown fields by name; AXP's ignore them with a
warning, because its published programs send fields that its schemas forbid.
"""

import re
from functools import lru_cache
from typing import Any, Final, TypeVar, get_args

import msgspec

from signoff.core.errors import Invalid
from signoff.core.text.describe import printable, suggestion
from signoff.core.text.document_reader import refuse_two_spellings
from signoff.web.http import json_intake
from signoff.web.http.validation_errors import plainly

S = TypeVar("S", bound=msgspec.Struct)

_PLACE: Final = re.compile(r"^(?P<text>.*?) - at `\$(?P<path>.*)`$", re.DOTALL)
_UNKNOWN: Final = re.compile(r"unknown field `(?P<name>.*?)`", re.DOTALL)
_CAMEL: Final = re.compile(r"_([a-z0-9])")


def ours(kind: type[S], raw: bytes) -> S:
    """The struct of a request to one of our own endpoints; raises Malformed or Invalid naming the field."""
    return convert(kind, json_intake.parse_object(raw).value)


def convert(kind: type[S], value: Any) -> S:
    """A JSON value as ``kind``; raises Invalid naming the field that does not fit."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as problem:
        raise _invalid(kind, str(problem)) from None


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The empty body of an endpoint that takes none."""


def axp(kind: type[S], parsed: json_intake.Parsed, *, nulls: bool = True) -> S:
    """The struct of an AXP request in which an unknown field could change the effect. It is as lenient as
    ``vendor``, but refuses unknown fields by name. nulls: whether null counts as absent.
    """
    known, rest = _sorted_out(kind, parsed.value, nulls=nulls)
    for name in rest:
        raise unknown_field(kind, name)
    return convert(kind, known)


def refuse_dry_run(fields: dict[str, Any], beside: str, hint: str) -> None:
    """Refuse ``dry_run``, even where other unknown fields are ignored. ``beside``: a member that shows that the body
    has our format; without it the whole body is the sender's payload.
    """
    for name in ("dry_run", "dryRun"):
        if name in fields and beside in fields:
            raise Invalid("unknown_field", "This endpoint has no dry run.", field=name, hint=hint)


def unknown_field(kind: type[msgspec.Struct], name: str, path: str = "") -> Invalid:
    """The error for an unknown field of a request."""
    known = _all_fields(kind)
    name = printable(name)
    near = suggestion(name, known)
    listed = "Known fields: " + ", ".join(known) + "." if known else "This endpoint has no fields."
    return Invalid(
        "unknown_field",
        f"Unknown field {name!r}.",
        field=f"{path}.{name}" if path else name,
        hint=f"{near} {listed}" if near else listed,
        details={"known": [*known]},
    )


def vendor(kind: type[S], parsed: json_intake.Parsed) -> tuple[S, dict[str, Any]]:
    """The struct of an AXP request and its unknown members. A null counts as absent; camelCase is accepted."""
    known, rest = _sorted_out(kind, parsed.value)
    return convert(kind, known), rest


def _sorted_out(
    kind: type[msgspec.Struct], value: dict[str, Any], *, nulls: bool = True
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the known members by their canonical names, and the rest."""
    names = _names(kind)
    refuse_two_spellings(value, names)
    known: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, item in value.items():
        field = names.get(name)
        if field is None:
            rest[name] = item
        elif (item is not None or not nulls) and (field not in known or field == name):
            known[field] = item
    return known, rest


@lru_cache(maxsize=256)
def _names(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Every accepted spelling of a field: its name, and camelCase."""
    fields = kind.__struct_fields__
    camel = {_CAMEL.sub(lambda m: m.group(1).upper(), name): name for name in fields}
    return camel | {name: name for name in fields}


def _invalid(kind: type[msgspec.Struct], problem: str) -> Invalid:
    match = _PLACE.match(problem)
    text, path = (match["text"], match["path"]) if match else (problem, "")
    field = path.lstrip(".")[:200]
    unknown = _UNKNOWN.search(text)
    if unknown:
        return unknown_field(kind, unknown["name"], field)
    missing = re.search(r"missing required field `(\w+)`", text)
    if missing:
        field = f"{field}.{missing[1]}" if field else missing[1]
    text = plainly(text)[:300]
    return Invalid(
        "validation_error",
        f"{field}: {text}." if field else f"The body {text}.",
        field=field or None,
        details={"errors": [{"field": field, "message": text}]},
    )


@lru_cache(maxsize=256)
def _all_fields(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of a struct and of the structs inside it, sorted."""
    found: set[str] = set()
    queue: list[Any] = [kind]
    seen: set[Any] = set()
    while queue:
        top = queue.pop()
        if top in seen:
            continue
        seen.add(top)
        if isinstance(top, type) and issubclass(top, msgspec.Struct):
            for info in msgspec.structs.fields(top):
                found.add(info.encode_name)
                queue.append(info.type)
        else:
            queue.extend(arg for arg in get_args(top) if not isinstance(arg, str))
    return tuple(sorted(found))


def given(body: msgspec.Struct, *without: str) -> dict[str, Any]:
    """The fields of a body that were sent, except the given ones."""
    fields = msgspec.structs.asdict(body)
    return {name: value for name, value in fields.items() if value is not None and name not in without}
