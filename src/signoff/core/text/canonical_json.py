"""The two encodings of a JSON value: the canonical one for digests, by RFC 8785, and the stored one, in the sender's
order. Both write numbers as ECMAScript does.
"""

import hashlib
import re
from typing import Any, Final

import msgspec

from signoff.core.text import json_value

_PLAIN: Final = msgspec.json.Encoder()
_SORTED: Final = msgspec.json.Encoder(order="sorted")
_NESTED: Final = (dict, list)
_ASTRAL_BYTE: Final = re.compile(rb"[\xf0-\xf4]")
_ABOVE_SURROGATES: Final = re.compile(rb"[\xee\xef]")
_POINT_ZERO: Final = (b".0,", b".0]", b".0}")
_MARKS: Final = (b"e+16", b"e+17", b"e+18", b"e+19", b"e+20", b"e-6")
# A number that the encoder writes with an exponent and ECMAScript without.
_WITHIN_RANGE: Final = re.compile(
    rb"(?P<whole>[0-9])(?:\.(?P<fraction>[0-9]++))?e(?:\+(?P<exponent>1[6-9]|20)|-6)(?![0-9])"
)
# With every digit replaced by 0 and every E by e, a substring search shows whether the text may contain an exponent.
_SHAPE: Final = bytes.maketrans(b"123456789E", b"000000000e")
_EXPONENT: Final = b"0e"


def canonical(value: Any, *, plain: bool = False) -> bytes:
    """The RFC 8785 bytes of a value that ``parse`` returned. ``plain``: as ``parse`` found for the whole value."""
    encoded = _SORTED.encode(value)
    if plain:
        return encoded
    if not encoded.isascii() and _ASTRAL_BYTE.search(encoded) and _ABOVE_SURROGATES.search(encoded):
        encoded = _PLAIN.encode(_sorted_by_utf16([value])[0])
    return _as_ecmascript(encoded)


def _sorted_by_utf16(value: Any) -> Any:
    """The value with its members in the order of RFC 8785, in which characters beyond the Basic Multilingual Plane come
    before the last ones within it.
    """
    if type(value) is list:
        return [_sorted_by_utf16(item) if item and type(item) in _NESTED else item for item in value]
    keys = sorted(value, key=_utf16) if len(value) > 1 else value
    items = ((key, value[key]) for key in keys)
    return {key: _sorted_by_utf16(item) if item and type(item) in _NESTED else item for key, item in items}


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _as_ecmascript(encoded: bytes) -> bytes:
    """The encoder's output, with each number as ECMAScript writes it (ECMA-262, Number::toString): the digits are the
    same, but 1.0 becomes 1, and 1e21 becomes 1e+21. It replaces bytes, which is faster than a regular expression.
    """
    exponents = _EXPONENT in encoded.translate(_SHAPE)
    if not (exponents or encoded.endswith(b".0") or any(end in encoded for end in _POINT_ZERO)):
        return encoded
    escapes = b"\\" in encoded
    if escapes:  # encoded text contains no control characters
        encoded = encoded.replace(b"\\\\", b"\1").replace(b'\\"', b"\2")
    texts = encoded.split(b'"')  # text between strings, and strings, alternately
    texts[::2] = _numbers(b"\0".join(texts[::2]), exponents=exponents).split(b"\0")
    encoded = b'"'.join(texts)
    return encoded.replace(b"\2", b'\\"').replace(b"\1", b"\\\\") if escapes else encoded


def _numbers(text: bytes, *, exponents: bool) -> bytes:
    """Convert the numbers in text without strings. A number is followed by one of three characters, or by nothing."""
    if exponents:  # true and false contain an e too
        text = text.replace(b"e", b"e+").replace(b"ue+", b"ue").replace(b"se+", b"se").replace(b"e+-", b"e-")
        if any(mark in text for mark in _MARKS):
            text = _WITHIN_RANGE.sub(_without_exponent, text)
    text = text.removesuffix(b".0")
    for end in _POINT_ZERO:
        text = text.replace(end, end[2:])
    if text == b"-0":
        return b"0"
    for end in (b",", b"]", b"}"):
        text = text.replace(b"-0" + end, b"0" + end)
    return text


def _without_exponent(found: re.Match[bytes]) -> bytes:
    whole, fraction, exponent = found.groups(b"")
    if not exponent:
        return b"0.00000" + whole + fraction
    return whole + fraction.ljust(int(exponent), b"0")


def digest(canonical_bytes: bytes) -> str:
    """SHA-256 of canonical bytes, as 64 hex digits."""
    return hashlib.sha256(canonical_bytes).hexdigest()


def ordered(value: Any, *, plain: bool = False) -> bytes:
    """The canonical bytes of a value, except that its members are in the sender's order."""
    encoded = _PLAIN.encode(value)
    return encoded if plain else _as_ecmascript(encoded)


def content_digest(payload: bytes) -> str:
    """The digest of a stored payload, independent of the order of its members."""
    return digest(canonical(json_value.decode(payload)) if payload else payload)
