"""Strict JSON intake: anything that two parsers could read differently is refused.

Refused: duplicate keys, NaN and Infinity, lone surrogates, integers beyond 2^53 - 1, bytes that are not UTF-8. To bound
the time that reading takes, nesting deeper than 32 and too many objects and lists are refused too.

The canonical form is RFC 8785. If the bytes are provably the same (no floats, no characters beyond the Basic
Multilingual Plane), msgspec's sorted encoder produces it.
"""

import json
import math
import re
from typing import Any, Final, NamedTuple

import msgspec

from signoff.core.errors import Malformed
from signoff.core.text.json_text import (
    MAX_CONTAINERS,
    MAX_DEPTH,
    DuplicateKeyError,
    outside_strings,
    too_deep,
    too_many_containers,
    unique,
)

_PLAIN: Final = msgspec.json.Encoder()
# Sixteen digits in a row could be an integer beyond the limit; fewer cannot.
_SIXTEEN_DIGITS: Final = b"0" * 16
# A character beyond the basic plane, in UTF-8 or as escaped surrogates: RFC 8785 sorts by UTF-16 units.
_ASTRAL: Final = re.compile(rb"[\xf0-\xff]|\\u[dD][89abAB]")
# Every escape in order, with a complete pair of surrogates as one, so that any other surrogate is a lone one.
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_NOT_A_NUMBER: Final = re.compile(r"(?<![\w\"])-?(?:NaN|Infinity)(?![\w\"])")
# An integer of sixteen digits or more: not a fraction, not an exponent.
_LONG_INTEGER: Final = re.compile(rb"(?<![0-9.eE+\-])-?([0-9]{16,}+)(?![.eE])")
# With every digit replaced by 0, the other characters of numbers by a point, all others by a comma, and without minus
# signs, this is the beginning of such an integer; a long fraction or exponent follows a point.
_NUMBERS: Final = bytes(
    ord("0" if chr(byte) in "0123456789" else "." if chr(byte) in ".eE+" else ",") for byte in range(256)
)
_LONG_BEGINNING: Final = b"," + _SIXTEEN_DIGITS
_LARGEST_INTEGER: Final = b"9007199254740991"
_DISCARD: Final = bool  # in place of a number whose value is not used
_ESCAPED_COLONS: Final = (b"\\u003a", b"\\u003A")


class Parsed(NamedTuple):
    """A strict JSON value. ``plain``: it certainly has no floats and no characters beyond the Basic Multilingual Plane,
    so the fast encoder is canonical.
    """

    value: Any
    plain: bool


def _finite(literal: str) -> float:
    value = float(literal)
    if math.isinf(value):
        raise Malformed("number_out_of_range", "A number is too large for a 64-bit float.")
    return value


# Python parses floats, because msgspec's own parser takes a hundred times as long for numbers such as 1e308. Only the
# first decoder checks for numbers that are too large; those have an exponent of three digits, or hundreds of digits.
_ANY: Final = msgspec.json.Decoder(float_hook=_finite)
_ANY_FINITE: Final = msgspec.json.Decoder(float_hook=float)
_PLAIN_FLOATS: Final = msgspec.json.Decoder()
# With every digit replaced by 0 and every E by e, a substring search shows which kinds of numbers the text may contain.
_SHAPE: Final = bytes.maketrans(b"123456789E", b"000000000e")
_EXPONENT: Final = b"0e"
_LONG: Final = b"0" * 18
# msgspec is fast for exponents of one digit and for numbers with fewer than eighteen digits.
_SLOW: Final = (b"e00", b"e+00", b"e-00", _LONG)
_HUGE: Final = (b"e000", b"e+000", b"0" * 200)


def parse(raw: bytes) -> Parsed:
    """The JSON value of ``raw``; raises Malformed with the reason. Takes linear time for any input."""
    if too_deep(raw):
        raise _too_deep()
    if too_many_containers(raw):
        raise _too_many_containers()
    shape = raw.translate(_SHAPE)
    long, exponents = _SIXTEEN_DIGITS in shape, _EXPONENT in shape
    decoder = _decoder(shape) if long or exponents else _PLAIN_FLOATS
    try:
        value = decoder.decode(raw)
    except UnicodeDecodeError:
        raise Malformed("invalid_utf8", "The body is not UTF-8.", hint="Send JSON as UTF-8.") from None
    except msgspec.MsgspecError as problem:
        raise _not_json(raw, str(problem)) from None
    if _maybe_duplicates(raw, value):
        _check_duplicates(raw)
    if long and _integer_too_large(raw):
        raise _integer_out_of_range()
    floats = exponents or b"0." in shape
    return Parsed(value, not floats and ((raw.isascii() and b"\\u" not in raw) or not _ASTRAL.search(raw)))


def _decoder(shape: bytes) -> "msgspec.json.Decoder[Any]":
    if any(mark in shape for mark in _HUGE):
        return _ANY
    return _ANY_FINITE if any(mark in shape for mark in _SLOW) else _PLAIN_FLOATS


def _integer_too_large(raw: bytes) -> bool:
    bare = outside_strings(raw)
    # a substring search takes a fraction of the regular expression's time
    if _LONG_BEGINNING not in b"," + bare.translate(_NUMBERS, b"-"):
        return False
    for digits in _LONG_INTEGER.findall(bare):
        if len(digits) > len(_LARGEST_INTEGER) or digits > _LARGEST_INTEGER:
            return True
    return False


def parse_object(raw: bytes) -> Parsed:
    """The JSON object of ``raw``; an empty body means ``{}``. Raises Malformed for any other value."""
    parsed = parse(raw) if raw.strip() else Parsed({}, True)
    if not isinstance(parsed.value, dict):
        raise Malformed("not_an_object", "The body has to be a JSON object.")
    return parsed


def _too_deep() -> Malformed:
    return Malformed(
        "too_deep",
        f"The JSON is nested deeper than {MAX_DEPTH} levels.",
        hint="Flatten it, or send it as text.",
    )


def _too_many_containers() -> Malformed:
    return Malformed(
        "too_many_containers",
        f"The JSON has more than {MAX_CONTAINERS:,} objects and lists.",
        hint="Send such data as text, or send a link to it.",
    )


def _integer_out_of_range() -> Malformed:
    return Malformed(
        "integer_out_of_range",
        "An integer exceeds 2^53 - 1; beyond that, JSON parsers disagree about its value.",
        hint="Send it as a string.",
    )


def _not_json(raw: bytes, problem: str) -> Malformed:
    text = raw.decode("utf-8", "replace")
    # The substring searches are fast; the regular expressions take milliseconds for the largest body.
    if "\\u" in text and any(escape[1] for escape in _ESCAPE.finditer(text)):
        return Malformed(
            "lone_surrogate", "A string contains half of a surrogate pair, which is not a character."
        )
    if ("NaN" in text or "Infinity" in text) and _NOT_A_NUMBER.search(text):
        return Malformed("not_a_number", "NaN and Infinity are not JSON.", hint="Send null or a string.")
    if "Integer value out of range" in problem:
        return _integer_out_of_range()
    if "Number out of range" in problem:
        return Malformed("number_out_of_range", "A number is too large for a 64-bit float.")
    return Malformed("invalid_json", f"This is not JSON: {problem}.")


def _maybe_duplicates(raw: bytes, value: Any) -> bool:
    """Whether a duplicate member may have been dropped. It is False only if none was: ``raw`` has a colon, escaped or
    not, for each member and for each colon in a string, and the encoder writes one for each that was kept.
    """
    colons = raw.count(b":")
    if b"\\u003" in raw:
        escapes = raw.replace(b"\\\\", b"")  # an escaped backslash does not begin another escape
        colons += sum(map(escapes.count, _ESCAPED_COLONS))
    return colons != _PLAIN.encode(value).count(b":")


def _check_duplicates(raw: bytes) -> None:
    try:
        json.loads(raw, object_pairs_hook=unique, parse_int=_DISCARD, parse_float=_DISCARD)
    except DuplicateKeyError as twice:
        key = twice.key[:64]
        raise Malformed("duplicate_key", f"The key {key!r} is duplicated in one object.", field=key) from None
    except ValueError as problem:
        raise Malformed("invalid_json", f"This is not JSON: {problem}.") from None
