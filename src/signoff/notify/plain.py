"""Somebody else's text, made plain: whatever cannot be seen, or moves what can, is named by its code point."""

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

# Controls, formats (direction, zero width, tags), surrogates, private and unassigned code points, separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Drawn as nothing, whatever their category says.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_BLANK_RANGES: Final = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0000, 0xE0FFF))
_MARKS_IN_A_ROW: Final = 2


def pieces(text: str, lines: bool = True) -> Iterator[tuple[str, bool]]:
    """(text, whether it is the name of something hidden), in order. A tab is four spaces; line ends stay as they are,
    or without ``lines`` are named too.
    """
    text = (text.replace("\r\n", "\n") if lines else text).replace("\t", "    ")
    start = marks = 0
    for place, character in enumerate(text):
        marks = marks + 1 if not character.isascii() and unicodedata.combining(character) else 0
        if hidden(character) or marks > _MARKS_IN_A_ROW or (character == "\n" and not lines):
            if start < place:
                yield text[start:place], False
            yield f"[U+{ord(character):04X}]", True
            start = place + 1
    if start < len(text):
        yield text[start:], False


def visible(text: str) -> str:
    """The text with every hidden character named; line ends stay."""
    return "".join(piece for piece, _ in pieces(text))


def one_line(text: str, longest: int = 0) -> str:
    """All of it visible on one line; cut, and seen to be, where it is longer than ``longest`` (0: never)."""
    line = "".join(piece for piece, _ in pieces(text, lines=False))
    return line if not longest or len(line) <= longest else line[: longest - 1] + "\u2026"


@cache
def hidden(character: str) -> bool:
    """Whether a character cannot be seen as itself (a line end and an ordinary space can)."""
    code = ord(character)
    category = unicodedata.category(character)
    if category == "Zs":
        return character != " "
    blank = character in _BLANK or any(low <= code <= high for low, high in _BLANK_RANGES)
    return blank or (category in _HIDDEN and character != "\n")
