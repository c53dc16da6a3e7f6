"""Query parameters. Each endpoint declares its own; they are read before the endpoint runs.

A parameter that is undeclared, repeated or of the wrong type is refused by name: dropping it silently could widen a
list, or turn a dry run into a real one.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

from signoff.core.errors import Invalid, Malformed
from signoff.core.text.describe import printable, suggestion
from signoff.core.text.json_text import MAX_INTEGER

_MOST: Final = 100
_LONGEST: Final = 2000
_TRUE: Final = frozenset({"", "true", "1", "yes"})
_FALSE: Final = frozenset({"false", "0", "no"})


class Kind(Enum):
    """The type of a parameter's value."""

    TEXT = "string"
    COUNT = "integer"
    FLAG = "boolean"


class Parameter(Struct, frozen=True):
    """One query parameter.

    least, most: the bounds of a count; a larger value counts as ``most``. clamped: a smaller value counts as
    ``least``, and a fraction is rounded down, as in AXP's streams. blank: an empty value counts as absent, because
    AXP's clients send some. example: a value for the API's description.
    """

    name: str
    about: str
    kind: Kind = Kind.TEXT
    least: int = 0
    most: int = MAX_INTEGER
    clamped: bool = False
    blank: bool = False
    example: str | int | bool | None = None


def read(query_string: bytes, known: Sequence[Parameter]) -> dict[str, str]:
    """The parameters by name, checked against their declarations; raises Malformed or Invalid."""
    found: dict[str, str] = {}
    if not query_string:
        return found
    named = {parameter.name: parameter for parameter in known}
    for name, value in pairs(query_string):
        parameter = named.get(name)
        if parameter is None:
            raise unknown(name, [*named])
        if name in found:
            raise Invalid(
                "repeated_parameter",
                f"{name} was sent more than once.",
                field=name,
                hint="Send it once.",
            )
        if not value.strip() and parameter.kind is not Kind.FLAG:
            if not parameter.blank:
                raise Invalid(
                    "empty_parameter",
                    f"{name} is empty.",
                    field=name,
                    hint="Give it a value, or omit it.",
                )
            value = ""
        found[name] = value
        if value or parameter.kind is Kind.FLAG:
            _check(parameter, value)
    return found


def pairs(query_string: bytes) -> list[tuple[str, str]]:
    """Names and values in order."""
    text = query_string.decode("latin-1")
    if "%" not in text and "+" not in text and len(fields := text.split("&")) <= _MOST:
        parts = (field.partition("=") for field in fields if field)
        return [(name, value) for name, _, value in parts]
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST)
    except ValueError:
        raise Malformed("invalid_query", "The query string is invalid.") from None


def unknown(name: str, known: Sequence[str]) -> Invalid:
    """The error for an unknown parameter."""
    listed = (
        "Known parameters: " + ", ".join(known) + "." if known else "This endpoint has no query parameters."
    )
    near = suggestion(name, known)
    return Invalid(
        "unknown_parameter",
        f"Unknown query parameter {printable(name)!r}.",
        field=printable(name),
        hint=f"{near} {listed}" if near else listed,
        details={"known": [*known]},
    )


def flag(value: str | None) -> bool:
    """Whether a flag is set. The value None means absent; an empty value counts as true, as in ``?dry_run``."""
    return value is not None and value.strip().lower() in _TRUE


def count(value: str | None, default: int, least: int, most: int) -> int:
    """An integer within bounds."""
    return max(least, min(most, int(float(value)))) if value else default


def _check(parameter: Parameter, value: str) -> None:
    name = parameter.name
    if len(value) > _LONGEST:
        raise Invalid("validation_error", f"{name} is longer than {_LONGEST} characters.", field=name)
    if parameter.kind is Kind.FLAG and value.strip().lower() not in _TRUE | _FALSE:
        raise Invalid(
            "validation_error",
            f"{name}: {printable(value)!r} is neither true nor false.",
            field=name,
            hint="Send true or false.",
        )
    if parameter.kind is not Kind.COUNT:
        return
    try:
        number = _integer(value) if not parameter.clamped or value.strip().isdigit() else int(float(value))
    except (ValueError, OverflowError):
        raise Invalid(
            "validation_error", f"{name}: {printable(value)!r} is not a whole number.", field=name
        ) from None
    if abs(number) > MAX_INTEGER:
        raise Invalid(
            "integer_out_of_range",
            f"{name}: {printable(value)!r} exceeds 2^53 - 1.",
            field=name,
            hint="Send a smaller number.",
        )
    if number < parameter.least and not parameter.clamped:
        raise Invalid("validation_error", f"{name}: {number} is less than {parameter.least}.", field=name)


def _integer(value: str) -> int:
    word = value.strip()
    if len(word) > 20 or not word.isascii() or not word.removeprefix("-").isdigit():
        raise ValueError(word)
    return int(word)
