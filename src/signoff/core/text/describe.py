"""Describes a value in an error: a printable form of its name, its type, the nearest known name."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,99}")
NAME_HINT: Final = "Letters, digits, '.', '_' and '-'."
_KINDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


def printable(name: str) -> str:
    """A name from a document that is safe to quote in a message: printable, at most 64 characters."""
    return name[:64] if name.isprintable() else ascii(name[:64])


def kind_of(value: object) -> str:
    """The type of a JSON value, as text."""
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is probably meant. A long word is not compared, because that would take more than linear
    time.
    """
    return next(iter(get_close_matches(word, list(known), 1)), None) if len(word) <= 64 else None


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """``Did you mean 'steps'?``, if one of the known words is close."""
    close = nearest(word, known)
    return f"Did you mean {close!r}?" if close else None


def suggestion_or_list(word: str, known: Iterable[str]) -> str:
    """The suggestion; if nothing is close, the known words."""
    words = [*known]
    return suggestion(word, words) or "Known: " + ", ".join(words) + "."
