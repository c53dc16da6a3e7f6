"""The forms that people fill in: a closed subset of JSON Schema, and the validation of an answer.

References, combinations and patterns are not supported: schemas come from requesters, and validation must take time
linear in the sizes of schema and answer. ``read_form`` refuses every other keyword by name; ``Form.faults`` checks
each value of the answer at most once per keyword that applies to it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final

import msgspec

MOST_FAULTS: Final = 20
_SHOWN: Final = 60
_MOST_DIGITS: Final = 20  # more digits than a JSON number has
_ANNOTATIONS: Final = frozenset({
    "title", "description", "default", "examples", "enumNames", "$schema", "$comment", "readOnly", "writeOnly",
    "deprecated",
})  # fmt: skip
_COUNTS: Final = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_CHECKS: Final = (
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
    "uniqueItems",
)
KEYWORDS: Final = (*_CHECKS, "format", *_COUNTS, *_BOUNDS, "title", "description", "default", "enumNames")
_KNOWN: Final = _ANNOTATIONS | {*KEYWORDS}
_TYPES: Final = ("object", "array", "string", "integer", "number", "boolean", "null")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SORTED: Final = msgspec.json.Encoder(order="sorted")
_INSTEAD: Final = {
    "$ref": "Write the referenced schema inline.",
    "$dynamicRef": "Write out what it refers to.",
    "$recursiveRef": "Write out what it refers to.",
    "pattern": "Use minLength, maxLength, format or enum.",
    "patternProperties": "List the fields in properties.",
    "oneOf": "Use enum, with enumNames for the labels.",
    "anyOf": "Use enum, or several types: type may be a list.",
}


class FormError(Exception):
    """A schema that is not a valid form. ``path``: the path of the keyword within the schema."""

    def __init__(self, path: str, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem
        self.hint = hint


def _is_day(text: str) -> bool:
    return len(text) == 10 and date.fromisoformat(text) is not None


def _is_moment(text: str) -> bool:
    return text[10:11] in ("T", "t", " ") and datetime.fromisoformat(text.upper()).tzinfo is not None


def _is_time(text: str) -> bool:
    return time.fromisoformat(text.upper()) is not None


FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "date": _is_day,
    "date-time": _is_moment,
    "time": _is_time,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "uri": lambda text: _URI.fullmatch(text) is not None,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    # only a hint for the input; any text satisfies it
    "textarea": lambda _text: True,
    "password": lambda _text: True,
}


class Form:
    """A parsed schema: its constraints on a value."""

    __slots__ = (
        "additional", "allowed", "bounds", "choices", "chosen_by", "counts", "format", "items", "multiple_of",
        "properties", "required", "types", "unique", "words",
    )  # fmt: skip

    def __init__(self) -> None:
        self.types: tuple[str, ...] = ()
        self.properties: dict[str, Form] = {}
        self.required: tuple[str, ...] = ()
        self.additional = True
        self.items: Form | None = None
        self.allowed: frozenset[bytes] | None = None
        self.choices: Sequence[Any] = ()
        self.chosen_by = ""  # the keyword that lists the choices, enum or const
        self.words = ""
        self.format = ""
        self.unique = False
        self.counts: dict[str, int] = {}
        self.bounds: dict[str, int | float] = {}
        self.multiple_of: tuple[int, int] | None = None

    def faults(self, value: Any) -> list[tuple[tuple[str | int, ...], str]]:
        """The first errors of a JSON value as (path, what is wrong), at most MOST_FAULTS."""
        found: list[tuple[tuple[str | int, ...], str]] = []
        for fault in self._faults(value, ()):
            found.append(fault)
            if len(found) == MOST_FAULTS:
                break
        return found

    def _faults(self, value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for problem in self._problems(value):
            yield path, problem
        if isinstance(value, Mapping):
            for name, inner in value.items():
                rule = self.properties.get(name)
                if rule is not None:
                    yield from rule._faults(inner, (*path, name))
                elif not self.additional:
                    yield path, f"Additional properties are not allowed ({_show(name)} was unexpected)"
        elif isinstance(value, list) and self.items is not None:
            for index, item in enumerate(value):
                yield from self.items._faults(item, (*path, index))

    def _problems(self, value: Any) -> Iterator[str]:
        if self.types and not any(_is(kind, value) for kind in self.types):
            kinds = ", ".join(f'"{kind}"' for kind in self.types)
            yield f"{_show(value)} is not of type{'s' if len(self.types) > 1 else ''} {kinds}"
        if self.allowed is not None and _key(value) not in self.allowed:
            yield f"{_show(value)} is not one of {self.words}"
        if isinstance(value, str):
            yield from self._of_count(value, "Length", "character")
            if self.format and not _fits(self.format, value):
                yield f'{_show(value)} is not a "{self.format}"'
        elif isinstance(value, list):
            yield from self._of_count(value, "Items", "item")
            if self.unique and len({_key(item) for item in value}) != len(value):
                yield "has duplicate items"
        elif isinstance(value, Mapping):
            yield from self._of_count(value, "Properties", "field")
            for name in self.required:
                if name not in value:
                    yield f"{_show(name, 200)} is a required property"
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield from self._of_bounds(value)

    def _of_count(self, value: Any, what: str, unit: str) -> Iterator[str]:
        if not self.counts:
            return
        least, most = self.counts.get(f"min{what}", 0), self.counts.get(f"max{what}")
        if len(value) < least:
            yield f"{_show(value)} has fewer than {least} {unit}{'' if least == 1 else 's'}"
        if most is not None and len(value) > most:
            yield f"{_show(value)} has more than {most} {unit}{'' if most == 1 else 's'}"

    def _of_bounds(self, value: int | float) -> Iterator[str]:
        for name, bound in self.bounds.items():
            match name:
                case "minimum" if value < bound:
                    yield f"{value} is less than the minimum of {bound}"
                case "maximum" if value > bound:
                    yield f"{value} is greater than the maximum of {bound}"
                case "exclusiveMinimum" if value <= bound:
                    yield f"{value} is not above {bound}"
                case "exclusiveMaximum" if value >= bound:
                    yield f"{value} is not below {bound}"
                case "multipleOf" if self.multiple_of and not _is_multiple(_decimal(value), self.multiple_of):
                    yield f"{value} is not a multiple of {bound}"
                case _:
                    pass


def read_form(schema: Any, path: str = "") -> Form:
    """The form that a schema describes; raises FormError for the first unusable keyword."""
    if not isinstance(schema, Mapping):
        raise FormError(path, "must be an object")
    for name in schema:
        if name not in _KNOWN:
            hint = _INSTEAD.get(name, "A form supports " + ", ".join(KEYWORDS) + ".")
            raise FormError(_at(path, name), "is not a supported keyword of a form", hint)
    form = Form()
    form.types = _types(schema, path)
    form.required = _names(schema, path)
    form.additional = _flag(schema, "additionalProperties", path, True)
    form.unique = _flag(schema, "uniqueItems", path, False)
    form.allowed, form.choices, form.words = _choices(schema, path)
    form.chosen_by = "const" if "const" in schema else "enum" if "enum" in schema else ""
    form.format = _format(schema, path)
    form.counts = {name: _count(schema[name], _at(path, name)) for name in _COUNTS if name in schema}
    form.bounds = {name: _bound(schema[name], _at(path, name)) for name in _BOUNDS if name in schema}
    if "multipleOf" in form.bounds:
        if form.bounds["multipleOf"] <= 0:
            raise FormError(_at(path, "multipleOf"), "must be greater than zero")
        form.multiple_of = _decimal(form.bounds["multipleOf"])
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        raise FormError(_at(path, "properties"), "must be an object")
    inside = _at(path, "properties")
    form.properties = {name: read_form(rule, _at(inside, name)) for name, rule in properties.items()}
    if "items" in schema:
        form.items = read_form(schema["items"], _at(path, "items"))
    return form


def unfillable(form: Form, path: str = "") -> tuple[str, str] | None:
    """Return (path, why) if no value can ever be valid, so that nobody could submit the form; None if a value can
    be.
    """
    if form.allowed is not None and not any(not form.faults(value) for value in form.choices):
        return _at(path, form.chosen_by), "allows no value that the other keywords allow"
    if not form.types or "object" in form.types:
        found = _unfillable_object(form, path)
        if found is not None and (form.types == ("object",) or (not form.types and form.properties)):
            return found
    for least, most in (
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
    ):
        if form.counts.get(least, 0) > form.counts.get(most, form.counts.get(least, 0)) and _only(
            form, least
        ):
            return _at(path, least), f"is above {most}"
    if _only(form, "minimum") and (lowest := _no_number(form.bounds)):
        return _at(path, lowest), "leaves no number below the maximum"
    if form.items is not None and form.types == ("array",) and form.counts.get("minItems", 0) > 0:
        return unfillable(form.items, _at(path, "items"))
    return None


def idle(schema: Mapping[str, Any], path: str = "") -> tuple[str, str] | None:
    """Return (path, why) for the first keyword of a readable schema that has no effect; None if there is none."""
    types = _types(schema, path)
    for name in schema:
        concerns = _OF_TYPE.get(name)
        if types and concerns and not any(kind in concerns for kind in types):
            return _at(path, name), f"has no effect on a value of type {' or '.join(types)}"
        if name in _NOT_APPLIED and schema[name] is not False:
            return _at(path, name), "has no effect: every field can be filled in and is recorded"
    names, values = schema.get("enumNames"), schema.get("enum")
    if names is not None and not (
        isinstance(names, list) and isinstance(values, list) and len(names) == len(values)
    ):
        return _at(path, "enumNames"), "has no effect: it must have one label for each value of enum"
    inside = _at(path, "properties")
    for name, rule in schema.get("properties", {}).items():
        if found := idle(rule, _at(inside, name)):
            return found
    return idle(schema["items"], _at(path, "items")) if "items" in schema else None


_NUMBERS: Final = ("integer", "number")
_OF_TYPE: Final[dict[str, tuple[str, ...]]] = {
    "minLength": ("string",), "maxLength": ("string",), "format": ("string",),
    "minItems": ("array",), "maxItems": ("array",), "items": ("array",), "uniqueItems": ("array",),
    "minProperties": ("object",), "maxProperties": ("object",), "properties": ("object",), "required": ("object",),
    "additionalProperties": ("object",), **dict.fromkeys(_BOUNDS, _NUMBERS),
}  # fmt: skip
_NOT_APPLIED: Final = ("readOnly", "writeOnly")


def _only(form: Form, keyword: str) -> bool:
    """Whether the keyword applies to every allowed type."""
    return bool(form.types) and all(kind in _OF_TYPE[keyword] for kind in form.types)


def _no_number(bounds: Mapping[str, int | float]) -> str:
    """The name of the lower bound if the upper bounds rule out every number above it; empty if some number remains."""
    for lower in ("minimum", "exclusiveMinimum"):
        for upper in ("maximum", "exclusiveMaximum"):
            low, high = bounds.get(lower), bounds.get(upper)
            strict = (lower, upper) != ("minimum", "maximum")
            if low is not None and high is not None and (low > high or (low == high and strict)):
                return lower
    return ""


def _unfillable_object(form: Form, path: str) -> tuple[str, str] | None:
    for name in form.required:
        if name in form.properties:
            if found := unfillable(form.properties[name], _at(_at(path, "properties"), name)):
                return found
        elif not form.additional:
            return _at(
                path, "required"
            ), f"asks for {name[:64]!r}, which additionalProperties: false does not allow"
    most = form.counts.get("maxProperties")
    if most is not None and len(form.required) > most:
        return _at(path, "maxProperties"), "is less than the number of required fields"
    return None


def _at(path: str, name: str) -> str:
    return f"{path}.{name[:64]}" if path else name[:64]


def _types(schema: Mapping[str, Any], path: str) -> tuple[str, ...]:
    declared = schema.get("type", [])
    kinds = [declared] if isinstance(declared, str) else declared
    if not isinstance(kinds, list) or not all(isinstance(kind, str) and kind in _TYPES for kind in kinds):
        raise FormError(_at(path, "type"), "must be among " + ", ".join(_TYPES))
    return tuple(dict.fromkeys(kinds))


def _names(schema: Mapping[str, Any], path: str) -> tuple[str, ...]:
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise FormError(_at(path, "required"), "must be a list of names")
    return tuple(dict.fromkeys(required))


def _flag(schema: Mapping[str, Any], name: str, path: str, otherwise: bool) -> bool:
    value = schema.get(name, otherwise)
    if not isinstance(value, bool):
        raise FormError(_at(path, name), "must be true or false")
    return value


def _choices(schema: Mapping[str, Any], path: str) -> tuple[frozenset[bytes] | None, Sequence[Any], str]:
    """Return the allowed values as keys, the values themselves, and the values as text."""
    if "enum" not in schema and "const" not in schema:
        return None, (), ""
    values = schema.get("enum", [schema.get("const")])
    if not isinstance(values, list) or not values:
        raise FormError(_at(path, "enum"), "must be a list of at least one value")
    allowed = frozenset(map(_key, values))
    if "const" in schema:
        allowed &= {_key(schema["const"])}
        values = [schema["const"]]
    shown = ", ".join(_show(value) for value in values[:10])
    return allowed, values, shown + (f" or {len(values) - 10} more" if len(values) > 10 else "")


def _format(schema: Mapping[str, Any], path: str) -> str:
    text = schema.get("format", "")
    if not isinstance(text, str) or (text and text not in FORMATS):
        raise FormError(_at(path, "format"), "must be one of " + ", ".join(FORMATS))
    return text


def _count(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise FormError(path, "must be a whole number of at least zero")
    return value


def _bound(value: Any, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormError(path, "must be a number")
    return value


def _decimal(number: int | float) -> tuple[int, int]:
    """Return (digits, exponent) of the number as written: digits * 10 ** exponent."""
    if isinstance(number, int):
        return number, 0
    digits, _, exponent = repr(number).partition("e")
    whole, _, fraction = digits.partition(".")
    return int(whole + fraction), int(exponent or 0) - len(fraction)


def _is_multiple(value: tuple[int, int], of: tuple[int, int]) -> bool:
    """Whether a decimal is a multiple of another one. Computed exactly, without building huge numbers for large
    exponents.
    """
    digits, step = value[0], of[0]
    shift = value[1] - of[1]
    if shift >= 0:
        return digits * pow(10, shift, step) % step == 0
    return digits == 0 or (-shift <= _MOST_DIGITS and digits % (step * 10**-shift) == 0)


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "integer" if isinstance(value, float):
            return value.is_integer()
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fits(name: str, text: str) -> bool:
    try:
        return len(text) <= 2000 and FORMATS[name](text) if name not in ("textarea", "password") else True
    except ValueError:
        return False


def _key(value: Any) -> bytes:
    """Bytes that are the same for two JSON values only if the values are equal: 1 equals 1.0, but not true."""
    return _SORTED.encode(_leveled(value))


def _leveled(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, Mapping):
        return {name: _leveled(item) for name, item in value.items()}
    return [_leveled(item) for item in value] if isinstance(value, list) else value


def _show(value: Any, longest: int = _SHOWN) -> str:
    """A value as JSON. A long value is truncated before it is encoded."""
    if isinstance(value, str):
        return msgspec.json.encode(value[:longest]).decode() + ("…" if len(value) > longest else "")
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list) else msgspec.json.encode(value).decode()
