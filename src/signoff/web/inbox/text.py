"""Hostile text, made plain: what cannot be seen, or moves what can, is named by its code point instead.

Nothing here makes markup. ``pieces`` tells a renderer which parts of a text are ordinary and which are not.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

# Controls, formats (direction, zero width, tags), surrogates, private and unassigned code points, separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Drawn as nothing, whatever their category says.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_BLANK_RANGES: Final = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0000, 0xE0FFF))
_SUSPECT: Final = re.compile(r"[^\n -~]+")
SECRET: Final = re.compile(r"pass(word|phrase|code)|secret|token|\bpin\b|api.?key|credential", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK")
_MARKS_IN_A_ROW: Final = 2


class Piece(NamedTuple):
    """A part of a text. ``mark``: "" for ordinary text, ``hidden`` for a named code point, ``mixed`` for a word of
    look-alike letters; ``about`` says what is wrong with it.
    """

    text: str
    mark: str = ""
    about: str = ""


def pieces(text: str) -> list[Piece]:
    """The text in order; joined together, the ordinary parts and the names say all of it. Line ends stay."""
    text = text.replace("\r\n", "\n")
    found: list[Piece] = []
    place = 0
    for match in _SUSPECT.finditer(text):
        if match.start() > place:
            found.append(Piece(text[place : match.start()]))
        found.extend(_named(match.group()))
        place = match.end()
    if place < len(text):
        found.append(Piece(text[place:]))
    return _with_words(found) if len(found) > 1 or not text.isascii() else found


def _named(run: str) -> Iterator[Piece]:
    plain: list[str] = []
    marks = 0
    for character in run:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if character == "\t":
            plain.append("    ")
        elif hidden(character) or marks > _MARKS_IN_A_ROW:
            if plain:
                yield Piece("".join(plain))
                plain = []
            yield Piece(f"U+{ord(character):04X}", "hidden", _name(character))
        else:
            plain.append(character)
    if plain:
        yield Piece("".join(plain))


@cache
def hidden(character: str) -> bool:
    """Whether a character cannot be seen as itself (a line end and an ordinary space can)."""
    code = ord(character)
    category = unicodedata.category(character)
    if category == "Zs":
        return character != " "
    blank = character in _BLANK or any(low <= code <= high for low, high in _BLANK_RANGES)
    return blank or (category in _HIDDEN and character != "\n")


@cache
def _name(character: str) -> str:
    name = unicodedata.name(character, "")
    return name.lower() if name else "control character" if ord(character) < 0xA0 else "unnamed character"


def _with_words(found: list[Piece]) -> list[Piece]:
    """Words that mix alphabets are marked: half-Cyrillic names pass for Latin ones."""
    merged: list[Piece] = []
    for piece in found:
        if merged and not piece.mark and not merged[-1].mark:
            merged[-1] = Piece(merged[-1].text + piece.text)
        else:
            merged.append(piece)
    return [part for piece in merged for part in ([piece] if piece.mark else _split_mixed(piece.text))]


def _split_mixed(text: str) -> Iterator[Piece]:
    if text.isascii():
        yield Piece(text)
        return
    place = 0
    for match in _WORD.finditer(text):
        scripts = _scripts(match.group())
        if len(scripts) > 1:
            if match.start() > place:
                yield Piece(text[place : match.start()])
            yield Piece(match.group(), "mixed", "letters of " + " and ".join(scripts) + " in one word")
            place = match.end()
    if place < len(text):
        yield Piece(text[place:])


def _scripts(word: str) -> list[str]:
    if word.isascii():
        return []
    names = {unicodedata.name(letter, "").split(" ")[0] for letter in word}
    return [script.title() for script in _SCRIPTS if script in names]


def plain_json(text: str) -> str:
    """JSON text that means the same, with everything hidden in its strings written as an escape."""
    return _SUSPECT.sub(lambda run: "".join(map(_escape, run.group())), text)


def _escape(character: str) -> str:
    if not hidden(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def one_line(text: str) -> str:
    """The text on one line, for places that have only one: line ends become their code point's name."""
    return text.replace("\r\n", "\u240d\u240a").replace("\n", "\u240a")
