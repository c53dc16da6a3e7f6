"""Strict JSON intake: anything that two parsers could read differently is refused.

Refused: duplicate keys, NaN and Infinity, lone surrogates, integers beyond 2^53 - 1, nesting deeper than 32, bytes that
are not UTF-8. The canonical form is RFC 8785; if the bytes are provably the same (no floats, no characters beyond the
basic plane) msgspec's sorted encoder produces them.
"""

import hashlib
import json
import math
import re
from typing import Any, Final, NamedTuple, NoReturn

import msgspec
import rfc8785

from signoff.core.errors import Malformed
from signoff.core.text.json_text import MAX_DEPTH, DuplicateKeyError, flaw, too_deep, unique

_SORTED: Final = msgspec.json.Encoder(order="sorted")
_PLAIN: Final = msgspec.json.Encoder()
# Sixteen digits in a row could be an integer beyond the limit; fewer cannot.
_DIGITS_AS_ZERO: Final = bytes.maketrans(b"0123456789", b"0" * 10)
_SIXTEEN_DIGITS: Final = b"0" * 16
# A character beyond the basic plane, in UTF-8 or as escaped surrogates: RFC 8785 sorts by UTF-16 units.
_ASTRAL: Final = re.compile(rb"[\xf0-\xff]|\\u[dD][89abAB]")
# Every escape in order, a complete pair of surrogates as one: any other surrogate is alone.
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


_ASTRAL_BYTE: Final = re.compile(rb"[\xf0-\xf4]")
_ABOVE_SURROGATES: Final = re.compile(rb"[\xee\xef]")
_TEXT: Final = re.compile(rb'("(?:[^"\\]++|\\.)*+")')
_POINT_ZERO: Final = (b".0,", b".0]", b".0}")
# Where the encoder writes a float differently from ECMAScript: with an exponent, from 1e16 on and below 1e-5.
_WRITTEN: Final = (
    (re.compile(rb"\.0(?![0-9e])"), b""),
    (re.compile(rb"-(?=0(?![0-9.]))"), b""),
    (re.compile(rb"e(?=2[1-9]|[3-9][0-9]|[0-9]{3})"), b"e+"),
)
_NO_EXPONENT: Final = re.compile(rb"e(?:1[6-9]|20|-6)(?![0-9])")
_WITHIN_RANGE: Final = re.compile(
    rb"(?P<whole>[0-9])(?:\.(?P<fraction>[0-9]++))?e(?P<exponent>1[6-9]|20|-6)(?![0-9])"
)


class Parsed(NamedTuple):
    """A strict JSON value. ``plain``: no float, no astral character, so the fast encoder is canonical."""

    value: Any
    plain: bool


class _FloatSeenError(Exception):
    """A float literal: the fast path does not apply."""


def _float_seen(_literal: str) -> NoReturn:
    raise _FloatSeenError


_NO_FLOATS: Final = msgspec.json.Decoder(float_hook=_float_seen)


def _finite(literal: str) -> float:
    value = float(literal)
    if math.isinf(value):
        raise Malformed("number_out_of_range", "A number is too large for a 64-bit float.")
    return value


# Floats are parsed by Python: msgspec's own parser takes a hundred times as long for numbers such as 1e308. Only the
# first decoder checks for numbers that are too large, which need an exponent of three digits or hundreds of digits.
_ANY: Final = msgspec.json.Decoder(float_hook=_finite)
_ANY_FINITE: Final = msgspec.json.Decoder(float_hook=float)
_PLAIN_FLOATS: Final = msgspec.json.Decoder()
# With each digit replaced by 0 and each E by e, a substring search shows which kinds of numbers a text may contain.
_SHAPE: Final = bytes.maketrans(b"123456789E", b"000000000e")
_EXPONENT: Final = b"0e"
_HUGE: Final = (b"e000", b"e+000", b"0" * 200)
_LONG: Final = b"0" * 18  # digits in a row; msgspec reads a number with fewer at once


def parse(raw: bytes) -> Parsed:
    """The JSON value of ``raw``; raises Malformed with what is wrong with it. Linear for any input."""
    if too_deep(raw):
        raise _too_deep()
    try:
        try:
            value, floats = _NO_FLOATS.decode(raw), False
        except _FloatSeenError:
            value, floats = _with_floats(raw), True
    except UnicodeDecodeError:
        raise Malformed("invalid_utf8", "The body is not UTF-8.", hint="Send JSON as UTF-8.") from None
    except msgspec.MsgspecError as problem:
        raise _not_json(raw, str(problem)) from None
    # Everything else was refused before.
    if _SIXTEEN_DIGITS in raw.translate(_DIGITS_AS_ZERO) and flaw(value):
        raise _integer_out_of_range()
    if _maybe_duplicates(raw, value):
        _check_duplicates(raw)
    return Parsed(value, not floats and ((raw.isascii() and b"\\u" not in raw) or not _ASTRAL.search(raw)))


def _with_floats(raw: bytes) -> Any:
    shape = raw.translate(_SHAPE)
    if any(one in shape for one in _HUGE):
        return _ANY.decode(raw)
    return (_ANY_FINITE if _EXPONENT in shape or _LONG in shape else _PLAIN_FLOATS).decode(raw)


def parse_object(raw: bytes) -> Parsed:
    """The JSON object of ``raw``, an empty body being ``{}``; raises Malformed for any other value."""
    parsed = parse(raw) if raw.strip() else Parsed({}, True)
    if not isinstance(parsed.value, dict):
        raise Malformed("not_an_object", "The body has to be a JSON object.")
    return parsed


def canonical(value: Any, *, plain: bool = False) -> bytes:
    """The RFC 8785 bytes of a value that ``parse`` gave; ``plain`` as it found that for the whole."""
    encoded = _SORTED.encode(value)
    if plain:
        return encoded
    if not (_ASTRAL_BYTE.search(encoded) and _ABOVE_SURROGATES.search(encoded)):
        return _as_ecmascript(encoded)
    try:  # RFC 8785 sorts by UTF-16 units, which put these in another order
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as problem:
        raise Malformed("not_canonical", f"The value has no canonical form: {problem}.") from None


def _as_ecmascript(encoded: bytes) -> bytes:
    """What the encoder wrote, with each number as ECMAScript writes it (ECMA-262, Number::toString): the digits are the
    same, but 1.0 is 1 there, and 1e21 is 1e+21.
    """
    quick = not (encoded.endswith(b".0") or any(end in encoded for end in _POINT_ZERO))
    if quick and _EXPONENT not in encoded.translate(_SHAPE):
        return encoded
    texts = _TEXT.split(encoded)  # what is between strings, and strings, in turn
    numbers = b"\0".join(texts[::2])
    for pattern, written in _WRITTEN:
        numbers = pattern.sub(written, numbers)
    if _NO_EXPONENT.search(numbers):
        numbers = _WITHIN_RANGE.sub(_without_exponent, numbers)
    texts[::2] = numbers.split(b"\0")
    return b"".join(texts)


def _without_exponent(found: re.Match[bytes]) -> bytes:
    whole, fraction = found["whole"], found["fraction"] or b""
    if found["exponent"][:1] == b"-":
        return b"0.00000" + whole + fraction
    return whole + fraction.ljust(int(found["exponent"]), b"0")


def digest(canonical_bytes: bytes) -> str:
    """SHA-256 of canonical bytes, as 64 hex digits."""
    return hashlib.sha256(canonical_bytes).hexdigest()


def _too_deep() -> Malformed:
    return Malformed(
        "too_deep",
        f"The JSON is nested deeper than {MAX_DEPTH} levels.",
        hint="Flatten it, or send it as text.",
    )


def _integer_out_of_range() -> Malformed:
    return Malformed(
        "integer_out_of_range",
        "An integer exceeds 2^53 - 1, where JSON parsers disagree about its value.",
        hint="Send it as a string.",
    )


def _not_json(raw: bytes, problem: str) -> Malformed:
    text = raw.decode("utf-8", "replace")
    if any(escape[1] for escape in _ESCAPE.finditer(text)):
        return Malformed(
            "lone_surrogate", "A string contains half of a surrogate pair, which is not a character."
        )
    if re.search(r"(?<![\w\"])-?(?:NaN|Infinity)(?![\w\"])", text):
        return Malformed("not_a_number", "NaN and Infinity are not JSON.", hint="Send null or a string.")
    if "Integer value out of range" in problem:
        return _integer_out_of_range()
    if "Number out of range" in problem:
        return Malformed("number_out_of_range", "A number is too large for a 64-bit float.")
    return Malformed("invalid_json", f"This is not JSON: {problem}.")


def _maybe_duplicates(raw: bytes, value: Any) -> bool:
    """False only if no member was dropped: each member, and each colon in a string, is one colon in ``raw``, and the
    encoder writes one for each that was kept. An escaped colon could hide one, so escapes count as possible duplicates.
    """
    return b"\\u" in raw or raw.count(b":") != _PLAIN.encode(value).count(b":")


def _check_duplicates(raw: bytes) -> None:
    try:
        json.loads(raw, object_pairs_hook=unique, parse_int=str, parse_float=str)
    except DuplicateKeyError as twice:
        key = twice.key[:64]
        raise Malformed("duplicate_key", f"The key {key!r} is duplicated in one object.", field=key) from None
    except ValueError as problem:
        raise Malformed("invalid_json", f"This is not JSON: {problem}.") from None
