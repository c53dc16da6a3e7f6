"""Titles that name fields of the payload: ``Refund {amount} to {customer.name}?``

The author of the workflow writes the title, but the values are the requester's. So each value is shown as plain text
in quotation marks, cut if it is long, with hidden characters made visible and secrets masked. A missing field is
shown as its name in brackets. Nothing is evaluated. ``{{`` and ``}}`` stand for braces. Takes time linear in the
title; of a long value only the beginning is read.
"""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from signoff.core.text.amounts import currency_field, money_text, number_text
from signoff.core.text.describe import nearest, printable
from signoff.core.text.hidden_characters import CUT, pieces
from signoff.core.text.json_diff import list_line
from signoff.core.text.masking import masked

MOST_FIELDS: Final = 8
LONGEST_VALUE: Final = 60
_DEEPEST: Final = 6
_LONGEST_READ: Final = 1000  # characters of a value that are examined, of which the first are shown
# Characters of a value that are searched for secrets: more than are shown, so that a secret among those is whole enough
# to be recognized.
_SEARCHED: Final = 4096
_COMPARED: Final = 50  # names of the payload that are compared with a missing field's
_LONGEST_NAME: Final = 64
_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}(?:\.[A-Za-z_][A-Za-z0-9_-]{0,63})*")
_NAMES: Final = (
    "name",
    "key",
    "header",
    "field",
    "variable",
)  # fields next to the value whose content can mark it as secret
# A value cannot close its own quotation marks.
_QUOTES: Final = str.maketrans(dict.fromkeys("“”„‟❝❞〝〞〟＂«»", "'"))


class Field(NamedTuple):
    """A field of the payload."""

    path: tuple[str, ...]

    @property
    def name(self) -> str:
        return ".".join(self.path)


class Missing(NamedTuple):
    """A field without a value, and the field that was probably meant, "" if there is none."""

    name: str
    meant: str


class TemplateError(ValueError):
    """Why a title is not a valid template, and what to write instead."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem, self.hint = problem, hint


def parse(title: str) -> tuple[str | Field, ...]:
    """The title's literal text and fields, in order; raises TemplateError."""
    parts: list[str | Field] = []
    place = 0
    for found in _PART.finditer(title):
        before, token = title[place : found.start()], found.group()
        place = found.end()
        if token in ("{{", "}}"):
            parts.append(before + token[0])
            continue
        if found[1] is None:
            raise TemplateError(
                f"contains {printable(token)} without its counterpart", f"Write {token * 2} for a brace."
            )
        if before.endswith("$"):
            raise TemplateError(
                f"contains ${printable(token)}",
                f"Write {printable(token)}; an amount is shown with its currency.",
            )
        parts += [before, Field(field_path(found[1]))]
    parts.append(title[place:])
    fields = [part for part in parts if isinstance(part, Field)]
    if len(fields) > MOST_FIELDS:
        raise TemplateError(
            f"names {len(fields)} fields", f"Name at most {MOST_FIELDS}: a title is one line."
        )
    return tuple(part for part in parts if part)


def field_path(text: str) -> tuple[str, ...]:
    """The names on the way to a field of the payload; raises TemplateError for other text."""
    if not _FIELD.fullmatch(text):
        raise TemplateError(
            f"contains {printable('{' + text + '}')}, which names no field",
            "Name a field of the payload, such as {amount} or {customer.name}; {{ is a brace. Nothing is evaluated.",
        )
    path = tuple(text.split("."))
    if len(path) > _DEEPEST:
        raise TemplateError(
            f"names a field {len(path)} levels deep", f"Name one at most {_DEEPEST} levels deep."
        )
    return path


def filled(title: str, payload: Mapping[str, Any] | None) -> str:
    """The title with the payload's values; without a payload if that is None. A title from before titles were
    templates is shown as written if it is not a valid template.
    """
    if "{" not in title and "}" not in title:
        return title
    try:
        parts = parse(title)
    except TemplateError:
        return title
    named = {part.path for part in parts if isinstance(part, Field)}
    return "".join(part if isinstance(part, str) else _filled(part, payload or {}, named) for part in parts)


def named(title: str) -> tuple[str, ...]:
    """The fields that the title names, each once."""
    try:
        return tuple(dict.fromkeys(part.name for part in parse(title) if isinstance(part, Field)))
    except TemplateError:  # shown as written
        return ()


def missing(title: str, payload: Mapping[str, Any] | None) -> tuple[Missing, ...]:
    """The fields that the title names and the payload lacks or leaves empty, so that their names are shown."""
    if not has_fields(title):
        return ()
    try:
        fields = [part for part in parse(title) if isinstance(part, Field)]
    except TemplateError:  # shown as written
        return ()
    named = dict.fromkeys(field for field in fields if _is_missing(field.path, payload or {}))
    return tuple(Missing(field.name, _meant(field.path, payload or {})) for field in named)


def _is_missing(path: tuple[str, ...], payload: Mapping[str, Any]) -> bool:
    value: Any = payload
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value is None or value == ""


def _meant(path: tuple[str, ...], payload: Mapping[str, Any]) -> str:
    """The field that the payload probably has in its place, "" if none is close."""
    above: list[str] = []
    holder: Any = payload
    for name in path:
        if not isinstance(holder, Mapping):
            return ""
        if name not in holder:
            known = [
                key for key in islice(holder, _COMPARED) if len(key) <= _LONGEST_NAME and key not in path
            ]
            close = nearest(name, known)
            return ".".join((*above, close)) if close else ""
        above.append(name)
        holder = holder[name]
    return ""


def unfilled(title: str) -> str:
    """The title with the names of its fields, for records that are kept when the payload is deleted."""
    return filled(title, None)


def has_fields(title: str) -> bool:
    """Whether a title needs the payload to be shown."""
    return "{" in title


def _filled(field: Field, payload: Mapping[str, Any], named: set[tuple[str, ...]]) -> str:
    holder, value = _found(field.path, payload)
    *above, name = field.path
    if (*above, currency_field(name, holder)) in named:  # the title states the currency itself
        holder = {}
    text = _text(name, value, holder)
    return f"[{field.name}]" if text is None else f"“{_plain(text)}”"


def _found(path: tuple[str, ...], payload: Mapping[str, Any]) -> tuple[Mapping[str, Any], Any]:
    """Return the object that contains the field, and its value with secrets masked, None if it is missing."""
    holders: list[Mapping[str, Any]] = []
    value: Any = payload
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return {}, None
        holders.append(value)
        value = value[name]
    shown = masked(searched_part(path, holders, value))
    for name in path:
        shown = shown[name]
    return holders[-1], shown


def searched_part(path: tuple[str, ...], holders: list[Mapping[str, Any]], value: Any) -> Any:
    """What is searched for secrets: the beginning of the value, with the names on its path and those next to it, which
    can mark it as a secret.
    """
    part = _brief(value)
    for holder, name in zip(reversed(holders), reversed(path), strict=True):
        beside = {one: holder[one][:_SEARCHED] for one in _NAMES if isinstance(holder.get(one), str)}
        part = {**beside, name: part}
    return part


def _brief(value: Any) -> Any:
    """A value as a title can show it."""
    if isinstance(value, str):
        return value[:_SEARCHED]
    if isinstance(value, list) and all(isinstance(item, str) for item in value[:1]):
        line = list_line(value)
        return line if 0 < len(line) <= LONGEST_VALUE and masked(value) == value else _size(value)
    if isinstance(value, list) or (isinstance(value, Mapping) and money_text(value) is None):
        return _size(value)
    return value


def _size(value: Any) -> str:
    number, noun = len(value), "item" if isinstance(value, list) else "field"
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _text(name: str, value: Any, holder: Mapping[str, Any]) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return money_text(value) or _size(value)
    if value is None or value == "":
        return None
    return number_text(name, value, holder) or str(value)


def _plain(text: str) -> str:
    """One short line without hidden characters."""
    words = " ".join(text[:_LONGEST_READ].translate(_QUOTES).split())
    shown = "".join(piece.text for piece in pieces(words, lines=False))
    if len(text) <= _LONGEST_READ and len(shown) <= LONGEST_VALUE:
        return shown
    return shown[: LONGEST_VALUE - 1].rstrip() + CUT
