"""Rewords msgspec's validation errors for the caller. Only this module knows msgspec's own messages."""

import re
from collections.abc import Callable
from typing import Final

_KINDS: Final = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "array": "a list",
    "object": "an object", "null": "null",
}  # fmt: skip
_UNITS: Final = {"str": "character", "array": "entry", "object": "field"}
_BOUNDS: Final = {">=": "of at least", ">": "above", "<=": "of at most", "<": "below"}

_WORDS: Final[tuple[tuple[str, Callable[[re.Match[str]], str]], ...]] = (
    (r"Expected `(.+?)`, got `(.+?)`", lambda m: f"must be {_kinds(m[1])}, not {_kinds(m[2])}"),
    (
        r"Expected `(\w+)` of length (>=|<=) (\d+)",
        lambda m: f"must be {_kinds(m[1])} {_long(m[2], m[3], m[1])}",
    ),
    (
        r"Expected `(\w+)` (>=|>|<=|<) (\S+)",
        lambda m: f"must be {_kinds(m[1])} {_BOUNDS[m[2]]} {m[3].removesuffix('.0')}",
    ),
    (
        r"Expected `(\w+)` (matching regex .+|that's a multiple of .+)",
        lambda m: f"must be {_kinds(m[1])} {m[2]}",
    ),
    (r"Expected `(\w+)`", lambda m: f"must be {_kinds(m[1])}"),
    (r"Object missing required field `\w+`", lambda m: "is required"),
    (r"Invalid enum value (.+)", lambda m: f"is not a known value: {m[1]}"),
)


def plainly(text: str) -> str:
    """What is wrong, as text that follows the name of the field; unchanged if msgspec's message is unknown."""
    for pattern, words in _WORDS:
        if match := re.fullmatch(pattern, text, re.DOTALL):
            return words(match)
    return text


def _kinds(names: str) -> str:
    return " or ".join(_KINDS.get(name, name) for name in names.split(" | "))


def _long(bound: str, count: str, kind: str) -> str:
    unit = _UNITS.get(kind, "item")
    many = unit if count == "1" else "entries" if unit == "entry" else f"{unit}s"
    return f"{_BOUNDS[bound]} {count} {many}"
