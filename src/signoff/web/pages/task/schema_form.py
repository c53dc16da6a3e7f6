"""Converts a JSON Schema to form fields, and a posted form back to data, for the subset that works without scripts.

The subset is an object of strings, numbers, yes/no, choices, lists of choices, dates and addresses, nested one level.
Anything else is entered as JSON and checked by the server. Nothing is filled in invisibly: constants are shown and
sent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from signoff.core.errors import Invalid, Malformed, Refused
from signoff.core.text.hidden_characters import pieces
from signoff.core.text.masking import is_secret
from signoff.engine.planning.form_answers import number_of
from signoff.web.http import json_intake

_INPUTS: Final = {
    "date": "date",
    "date-time": "datetime-local",
    "time": "time",
    "email": "email",
    "uri": "url",
}
_LONG: Final = 200
PREFIX: Final = "f."
# The schema validator's text for a missing value.
_MISSING: Final = re.compile(r'^"(?P<name>.*)" is a required property$')
_GROUPS: Final = frozenset({"check", "many", "fixed"})
_BESIDE: Final = {"comment": "comment", "data.evidence": "evidence", "assignee": "assignee"}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a form. control: text, area, number, check, one, many, json or fixed.

    name: the name of the posted value. path: the path of the value in the data. options: (posted text, shown text).
    secret: whether it asks for something that should not be entered here. withheld: a default with hidden characters,
    which is shown but not filled in. fault: what is wrong with the posted value.
    """

    name: str
    path: tuple[str, ...]
    label: str
    control: str
    input: str = "text"
    about: str = ""
    required: bool = False
    value: Any = ""
    options: tuple[tuple[str, str], ...] = ()
    limits: tuple[tuple[str, str], ...] = ()
    secret: bool = False
    withheld: str = ""
    group: str = ""
    fault: str = ""


def fields_of(schema: Mapping[str, Any] | None, posted: Sequence[tuple[str, str]] = ()) -> tuple[Field, ...]:
    """The fields of a form, with the posted values if it is shown again for corrections."""
    if schema is None:
        return ()
    found = tuple(_fields(schema, (), ""))
    if not posted:
        return found
    return tuple(_refilled(field, posted) for field in found)


# The form's own approving field. Like the others here, it is set by the pressed button or the comment.
FLAGS: Final = ("approved", "acknowledged")
_BY_THE_PAGE: Final = frozenset({*FLAGS, "outcome", "comment"})


def _fields(schema: Mapping[str, Any], above: tuple[str, ...], group: str) -> Iterator[Field]:
    properties = schema.get("properties")
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    for name, rule in properties.items() if isinstance(properties, Mapping) else ():
        path = (*above, str(name))
        if not above and name in _BY_THE_PAGE:
            continue
        rule = rule if isinstance(rule, Mapping) else {}
        if _kind(rule) == "object" and isinstance(rule.get("properties"), Mapping) and not above:
            yield from _fields(rule, path, _text(rule, "title") or str(name))
            continue
        yield _field(rule, path, name in needed, group)


def _field(rule: Mapping[str, Any], path: tuple[str, ...], required: bool, group: str) -> Field:
    label = _text(rule, "title") or path[-1]
    control, kind, options = _control(rule)
    about = _text(rule, "description")
    value = _shown(rule.get("const", rule.get("default", "")), control)
    clear = control == "fixed" or not isinstance(value, str) or not any(p.mark for p in pieces(value))
    return Field(
        name=PREFIX + ".".join(part.replace("\\", r"\\").replace(".", r"\.") for part in path),
        path=path,
        label=label,
        control=control,
        input=kind,
        about=about,
        required=required,
        value=value if clear else "",
        withheld="" if clear else str(value),
        options=options,
        limits=tuple(_limits(rule)),
        secret=is_secret(f"{path[-1]} {label} {about} {rule.get('format', '')}".replace(".", " ")),
        group=group,
    )


def _control(rule: Mapping[str, Any]) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """(control, input type, options)"""
    if "const" in rule:
        return "fixed", "", ()
    kind = _kind(rule)
    if isinstance(rule.get("enum"), list) and all(
        isinstance(o, str | int | float | bool) for o in rule["enum"]
    ):
        return "one", "", _options(rule)
    if kind == "array":
        items = rule.get("items")
        if isinstance(items, Mapping) and isinstance(items.get("enum"), list):
            return "many", "", _options(items)
        return "json", "", ()
    if kind == "boolean":
        return "check", "", ()
    if kind in ("integer", "number"):
        return "number", kind, ()
    if kind == "string":
        longest = rule.get("maxLength")
        tall = rule.get("format") == "textarea" or (isinstance(longest, int) and longest > _LONG)
        return ("area", "", ()) if tall else ("text", _INPUTS.get(str(rule.get("format")), "text"), ())
    return "json", "", ()


def _options(rule: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    names = rule.get("enumNames")
    values = [o if isinstance(o, str) else msgspec.json.encode(o).decode() for o in rule["enum"]]
    if isinstance(names, list) and len(names) == len(values):
        # a label must never hide the value
        return tuple((v, v if str(n) == v else f"{n} ({v})") for v, n in zip(values, names, strict=True))
    return tuple((value, value) for value in values)


def _limits(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for theirs, ours in (("minLength", "minlength"), ("maxLength", "maxlength")):
        value = rule.get(theirs)
        if isinstance(value, int) and not isinstance(value, bool):
            yield ours, str(value)


def _kind(rule: Mapping[str, Any]) -> str:
    kind = rule.get("type")
    if isinstance(kind, list):
        kinds = [k for k in kind if k != "null"]
        kind = kinds[0] if len(kinds) == 1 else None
    return kind if isinstance(kind, str) else ""


def _text(rule: Mapping[str, Any], name: str) -> str:
    value = rule.get(name)
    return value if isinstance(value, str) else ""


def _shown(value: Any, control: str) -> Any:
    if control == "many":
        chosen = value if isinstance(value, list) else []
        return tuple(v if isinstance(v, str) else msgspec.json.encode(v).decode() for v in chosen)
    if control == "check":
        return value is True
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _refilled(field: Field, posted: Sequence[tuple[str, str]]) -> Field:
    values = [value for name, value in posted if name == field.name]
    if field.control == "fixed":
        return field
    if field.control == "many":
        return msgspec.structs.replace(field, value=tuple(values))
    if field.control == "check":
        return msgspec.structs.replace(field, value="true" in values)
    return msgspec.structs.replace(field, value=values[-1] if values else "")


# -- back to data


def data_of(schema: Mapping[str, Any] | None, posted: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The data of a posted form. Empty inputs are left out; the engine coerces and checks types."""
    data: dict[str, Any] = {}
    for field in fields_of(schema):
        value = _value(field, schema or {}, [v for name, v in posted if name == field.name])
        if value is None and field.control != "fixed":
            continue
        inner = data
        for part in field.path[:-1]:
            inner = inner.setdefault(part, {})
        inner[field.path[-1]] = value
    return data


def _value(field: Field, schema: Mapping[str, Any], texts: list[str]) -> Any:
    rule = _rule(schema, field.path)
    match field.control:
        case "fixed":
            return rule["const"]
        case "check":
            return "true" in texts
        case "many":
            known = {text: raw for (text, _), raw in zip(field.options, rule["items"]["enum"], strict=True)}
            chosen = [known[text] for text in texts if text in known]
            return chosen or ([] if field.required else None)
        case "one":
            known = {text: raw for (text, _), raw in zip(field.options, rule["enum"], strict=True)}
            return known.get(texts[-1], texts[-1]) if texts and texts[-1] else None
        case "number":
            return number_of(texts[-1].strip()) if texts and texts[-1].strip() else None
        case "json":
            return _json(field, texts[-1]) if texts and texts[-1].strip() else None
    if not texts or not texts[-1].strip():
        return None
    value = texts[-1].replace("\r\n", "\n")
    # a browser's local date-time has no zone; the page says that UTC is assumed
    return f"{value}:00Z" if field.input == "datetime-local" and len(value) == 16 else value


def _rule(schema: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    for part in path:
        schema = schema["properties"][part]
    return schema


def _json(field: Field, text: str) -> Any:
    try:
        return json_intake.parse(text.encode()).value
    except Malformed as problem:
        raise Invalid(
            "form_invalid",
            f"{field.label[:64]}: {problem.message}",
            field=f"data.{'.'.join(field.path)}",
            hint=problem.hint,
        ) from None


# -- errors to correct


class FieldError(msgspec.Struct, frozen=True):
    """One error to correct. ``id``: the element to link to, "" if there is none."""

    id: str
    text: str


def faults_of(
    refusal: Refused | None, fields: Sequence[Field]
) -> tuple[tuple[FieldError, ...], tuple[Field, ...]]:
    """Return the errors to correct, and the fields with their errors."""
    if refusal is None:
        return (), tuple(fields)
    listed = refusal.details.get("errors")
    if not isinstance(listed, list):
        id_ = _BESIDE.get(refusal.field or "", "")
        return ((FieldError(id_, refusal.hint or refusal.message),) if id_ else ()), tuple(fields)
    faults: list[FieldError] = []
    wrong: dict[int, str] = {}
    for problem in map(str, listed):
        at, text = _place(problem, fields)
        if at is None:
            faults.append(FieldError("", problem))
            continue
        wrong.setdefault(at, text)
        group = "-all" if fields[at].control in _GROUPS else ""
        faults.append(FieldError(f"f{at + 1}{group}", f"{fields[at].label}: {text}"))
    marked = tuple(msgspec.structs.replace(f, fault=wrong.get(at, "")) for at, f in enumerate(fields))
    return tuple(faults), marked


def _place(problem: str, fields: Sequence[Field]) -> tuple[int | None, str]:
    """Return the field of an error, None if unknown, and the error as text."""
    path, _, text = problem.partition(": ")
    parts = tuple(path.split(".")) if path != "form" else ()
    missing = _MISSING.match(text)
    if missing:
        parts, text = (*parts, missing["name"]), "this is required"
    places = (at for at, field in enumerate(fields) if field.path == parts[: len(field.path)])
    return next(places, None), text
