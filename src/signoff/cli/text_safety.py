"""Makes untrusted text safe to show: titles, comments and payloads.

Control characters, direction overrides and invisible characters never reach a terminal: they are shown as escapes,
such as ``\\x1b`` or ``\\u202e``, so that people approve what they read.
"""

import json
import unicodedata
from functools import cache
from typing import Any

from signoff.core.text.hidden_characters import escaped, plain_json


def visible(text: object) -> str:
    """The text on one line, with everything escaped that could move the cursor or hide text, including line breaks."""
    return escaped(str(text))


def visible_lines(text: object) -> list[str]:
    """Multi-line text; each line is made safe like ``visible`` does."""
    return [visible(line) for line in str(text).expandtabs(4).replace("\r\n", "\n").split("\n")]


def safe_json(value: object, indent: int | None = None) -> str:
    """JSON that is safe on a terminal and that parsers read unchanged."""
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, default=_plain)
    # JSON has no such characters outside of strings, and inside of strings \uXXXX is equivalent.
    return plain_json(text)


def width(text: str) -> int:
    """How many columns a terminal uses for text that was passed through ``visible``."""
    return len(text) if text.isascii() else sum(_columns(character) for character in text)


def clip(text: str, columns: int) -> str:
    """The text cut to that many columns, with an ellipsis if it was longer."""
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
