"""Text from outside, made safe to show: titles, comments and payloads are written by strangers.

No control character, no direction override and no invisible character reaches a terminal as itself: it is
shown as an escape such as ``\\x1b`` or ``\\u202e``, so that what a person approves is what they read.
"""

import json
import re
import unicodedata
from functools import cache
from typing import Any

# Control, format (direction marks, zero width, tags), surrogate, private use, line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Letters and symbols by category, yet drawn as nothing.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SUSPECT = re.compile(r"[^ -~]")


def visible(text: object) -> str:
    """One line: everything that could move the cursor or hide is an escape, line ends included."""
    return _SUSPECT.sub(lambda match: _shown(match.group()), str(text))


def visible_lines(text: object) -> list[str]:
    """The same line by line, for text that is meant to have several."""
    return [visible(line) for line in str(text).expandtabs(4).replace("\r\n", "\n").split("\n")]


def safe_json(value: object, indent: int | None = None) -> str:
    """JSON that a terminal shows harmlessly and a parser reads back unchanged."""
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, default=_plain)
    # Outside of strings JSON has no such character, and inside \uXXXX says the same.
    return _SUSPECT.sub(lambda match: _in_json(match.group()), text)


def width(text: str) -> int:
    """How many columns a terminal gives to text that ``visible`` has been through."""
    return len(text) if text.isascii() else sum(_columns(character) for character in text)


def clip(text: str, columns: int) -> str:
    """The text, cut to so many columns with an ellipsis where it is longer."""
    if width(text) <= columns:
        return text
    kept, used = [], 0
    for character in text:
        used += _columns(character)
        if used > columns - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


@cache
def _shown(character: str) -> str:
    if not _hidden(character):
        return character
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@cache
def _in_json(character: str) -> str:
    if character == "\n" or not _hidden(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _hidden(character: str) -> bool:
    return character in _BLANK or unicodedata.category(character) in _HIDDEN


@cache
def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "raw"):
        return value.raw
    return str(value)
