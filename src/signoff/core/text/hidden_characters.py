"""Finds hidden characters, which are invisible or change the direction of text. Pages, mail, chat and the
terminal all use this, and each renders the result in its own way.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from signoff.core.text.masking import is_secret

# Controls, formats (direction, zero width, tags), surrogates, private and unassigned code points, separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Invisible, whatever their category.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159")
_BLANK_RANGES: Final = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0000, 0xE0FFF))
_SUSPECT: Final = re.compile(r"[^\n -~]+")
_SUSPECT_IN_LINE: Final = re.compile(r"[^ -~]+")
CUT: Final = "\u2026"
_LONGEST_PATH: Final = 160
_ENDS: Final = 48  # characters of a longer path that are kept at either end
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK")
_MARKS_IN_A_ROW: Final = 2
# Letters that look like Latin ones, in lower case.
_LIKE_LATIN: Final = str.maketrans("авеһнікмоԛрсѕтуԝхјԁѵαβεηικνορτυχ", "abehhikmoqpcstywxjdvabehikvoptux")
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Piece(NamedTuple):
    """A part of the text. ``mark``: "" for ordinary text, ``hidden`` for a named code point, ``mixed`` for a word with
    look-alike letters; ``about``: describes the problem.
    """

    text: str
    mark: str = ""
    about: str = ""


def runs(text: str, lines: bool = True) -> Iterator[tuple[str, bool]]:
    """Split text into (part, False) for ordinary text and (character, True) for each hidden character, in order.
    Line breaks are ordinary text, unless ``lines`` is false.
    """
    place = 0
    for match in (_SUSPECT if lines else _SUSPECT_IN_LINE).finditer(text):
        if match.start() > place:
            yield text[place : match.start()], False
        yield from _inside(match.group(), lines)
        place = match.end()
    if place < len(text):
        yield text[place:], False


def _inside(run: str, lines: bool) -> Iterator[tuple[str, bool]]:
    start = marks = 0
    for place, character in enumerate(run):
        marks = marks + 1 if unicodedata.combining(character) else 0
        if hidden(character) or marks > _MARKS_IN_A_ROW or (character == "\n" and not lines):
            if start < place:
                yield run[start:place], False
            yield character, True
            start = place + 1
    if start < len(run):
        yield run[start:], False


def pieces(text: str, lines: bool = True) -> list[Piece]:
    """The pieces of text, with hidden characters replaced by their names. A tab becomes four spaces. Line breaks
    stay, or are named too if ``lines`` is false.
    """
    text = (text.replace("\r\n", "\n") if lines else text).replace("\t", "    ")
    found: list[Piece] = []
    ordinary: list[str] = []
    for part, is_hidden in runs(text, lines):
        if is_hidden:
            found += _split_mixed("".join(ordinary))
            ordinary.clear()
            found.append(Piece(code_point(part), "hidden", _name(part)))
        else:
            ordinary.append(part)
    return [*found, *_split_mixed("".join(ordinary))]


def code_point(character: str) -> str:
    return f"U+{ord(character):04X}"


@lru_cache(maxsize=4096)
def hidden(character: str) -> bool:
    """Whether a character is invisible; line breaks and ordinary spaces do not count."""
    code = ord(character)
    category = unicodedata.category(character)
    if category == "Zs":
        return character != " "
    blank = character in _BLANK or any(low <= code <= high for low, high in _BLANK_RANGES)
    return blank or (category in _HIDDEN and character != "\n")


def shows(value: object) -> bool:
    """Whether any of the text is visible: spaces, hidden characters and marks without a letter do not count. For a list
    or an object, whether anything in it is visible.
    """
    if isinstance(value, str):
        first = value[:1]
        if first.isascii() and first.isalnum():
            return True
        return any(not character.isspace() and _drawn(character) for character in value)
    if isinstance(value, dict):
        return any(shows(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(shows(item) for item in value)
    return value is not None and value is not False


@lru_cache(maxsize=4096)
def _drawn(character: str) -> bool:
    return not hidden(character) and not unicodedata.category(character).startswith("M")


@lru_cache(maxsize=4096)
def _name(character: str) -> str:
    name = unicodedata.name(character, "")
    return name.lower() if name else "control character" if ord(character) < 0xA0 else "unnamed character"


def _split_mixed(text: str) -> Iterator[Piece]:
    """Mark words that mix alphabets: half-Cyrillic names can pass for Latin ones."""
    if not text:
        return
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
    names = set(map(_script, word))
    return [script.title() for script in _SCRIPTS if script in names]


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def glance(text: str) -> str:
    """The text as it looks at a glance: look-alike letters are replaced, and case is ignored."""
    # before normalization, which takes quadratic time for a long run of combining marks
    plain = _seen(unicodedata.normalize("NFKC", _seen(text)))
    return "".join(plain.casefold().translate(_LIKE_LATIN).split())


def _seen(text: str) -> str:
    return "".join(part for part, hides in runs(text, lines=False) if not hides)


def short_path(path: str) -> str:
    """A path of names. A long one, which thousands of values may share, is shortened to its two ends around a digest.
    A marker that everything below is secret is kept; every shortened path contains CUT.
    """
    if len(path) <= _LONGEST_PATH:
        return path
    mark = ".secret." if is_secret(path) else CUT
    middle = hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()[:24]
    return f"{path[:_ENDS]}{CUT}{mark}{middle}{CUT}{path[-_ENDS:]}"


def escaped(text: str) -> str:
    """The text on one line for terminals, with everything escaped that could move the cursor or hide text."""
    return "".join(_named(part) if hides else part for part, hides in runs(text, lines=False))


def _named(character: str) -> str:
    code = ord(character)
    return _NAMED.get(character) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )


def plain_json(text: str) -> str:
    """Equivalent JSON text, with hidden characters in its strings escaped."""
    return _SUSPECT.sub(lambda run: "".join(map(_escape, run.group())), text)


def _escape(character: str) -> str:
    if not hidden(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def one_line(text: str) -> str:
    """The text on one line: line breaks are replaced by a symbol."""
    return text.replace("\r\n", "\u240d\u240a").replace("\n", "\u240a")
