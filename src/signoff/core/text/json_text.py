"""Checks that JSON is strict, before, during and after parsing: depth, the number of objects and lists, duplicate keys,
and numbers and characters on which parsers disagree. Takes linear time for any input, and uses only the standard
library: the server's intake, the document readers and the command line share it.
"""

import math
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from signoff.core.text.describe import printable

MAX_DEPTH: Final = 32
MAX_CONTAINERS: Final = 16_384  # objects and lists
MAX_INTEGER: Final = 2**53 - 1  # beyond this, JSON parsers disagree

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_BRACKETS: Final = b"[]{}"
_OTHERS: Final = bytes(byte for byte in range(256) if byte not in _BRACKETS)
_AS_PARENTHESES: Final = bytes.maketrans(b"[]{}", b"()()")
_OPENING: Final = ord("(")
_RUN: Final = re.compile(rb"\(+|\)+")
_ROUNDS: Final = 8  # by then few brackets remain, or only long runs of them
_FEW: Final = 16  # after a round that removes fewer than one in so many, only long runs remain
_STEP: Final = {ord("("): 1, ord(")"): -1}


class DuplicateKeyError(ValueError):
    """An object has a duplicate key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key[:64]!r} is duplicated in one object")
        self.key = key


def outside_strings(raw: bytes) -> bytes:
    """JSON text without its strings, terminated or not. Takes linear time, as fast as a substring search."""
    if b"\\" in raw:  # in a run of backslashes, each pair is an escaped backslash
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(raw.split(b'"')[::2])


def too_deep(raw: bytes, most: int = MAX_DEPTH) -> bool:
    """Whether JSON text, complete or not, is nested deeper than ``most``. Call it before a parser, whose stack is
    limited.
    """
    if raw.count(b"[") + raw.count(b"{") <= most:
        return False
    brackets = outside_strings(raw).translate(_AS_PARENTHESES, _OTHERS)
    rest, rounds = brackets, 0
    # each round removes the innermost pairs, which is a whole level if all are closed
    while rounds < _ROUNDS:
        shorter = rest.replace(b"()", b"")
        if not shorter:
            return rounds >= most
        gone = len(rest) - len(shorter)
        if not gone:
            break
        rest, rounds = shorter, rounds + 1
        if gone * _FEW < len(shorter):
            break
    steps = (len(run) if run[0] == _OPENING else -len(run) for run in _RUN.findall(rest))
    deepest = max(accumulate(steps, initial=0))
    if deepest > most or deepest + rounds <= most:
        return deepest > most
    return any(depth > most for depth in accumulate(map(_STEP.__getitem__, brackets)))


def too_many_containers(raw: bytes) -> bool:
    """Whether JSON text, complete or not, has more than ``MAX_CONTAINERS`` objects and lists; above 128 KiB, more than
    one for every 8 bytes. Creating and freeing them takes far longer than reading the text.
    """
    most = max(MAX_CONTAINERS, len(raw) // 8)
    if raw.count(b"[") + raw.count(b"{") <= most:
        return False
    bare = outside_strings(raw)
    return bare.count(b"[") + bare.count(b"{") > most


def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """For ``object_pairs_hook``: the members; raises DuplicateKeyError."""
    members = dict(pairs)
    if len(members) != len(pairs):
        # a dict keeps the order of first occurrences, so the two lists of keys first differ at the first duplicate
        keys = [key for key, _ in pairs]
        differ = (key for kept, key in zip(members, keys, strict=False) if kept != key)
        raise DuplicateKeyError(next(differ, keys[len(members)]))
    return members


def flaw(value: object) -> tuple[str, str] | None:
    """Return (path, what is wrong) for the first value that is not strict JSON; None if there is none."""
    return None if _plain(value, 1) else _flaw(value, 1)


def _plain(value: Any, depth: int) -> bool:
    """Fast path: True if the value certainly has no flaw; otherwise ``_flaw`` decides."""
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is dict and depth <= MAX_DEPTH:
        for key, item in value.items():
            if type(key) is not str or not key.isascii() or not _plain(item, depth + 1):
                return False
        return True
    if kind is list and depth <= MAX_DEPTH:
        return all(_plain(item, depth + 1) for item in value)
    return value is None or kind is bool or (kind is int and -MAX_INTEGER <= value <= MAX_INTEGER)


def _flaw(value: object, depth: int) -> tuple[str, str] | None:
    match value:
        case None | bool():
            return None
        case str():
            return ("", "contains half of a surrogate pair") if _SURROGATE.search(value) else None
        case int() if abs(value) > MAX_INTEGER:
            return "", "is a number too large to be exact; write it as text"
        case float() if not math.isfinite(value):
            return "", "is not a finite number"
        case int() | float():
            return None
        case dict() | list() if depth > MAX_DEPTH:
            return "", f"is nested deeper than {MAX_DEPTH} levels"
        case dict() | list():
            return _flaw_within(value, depth)
    return "", f"is a {type(value).__name__}, which JSON does not support"


def _flaw_within(value: dict[Any, Any] | list[Any], depth: int) -> tuple[str, str] | None:
    """Find a flaw inside a container. The path is built only when one is found."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        place = f"[{key}]" if isinstance(value, list) else f".{printable(str(key))}"
        if isinstance(value, dict) and (not isinstance(key, str) or _SURROGATE.search(key)):
            return place, "is a key that is not text"
        if found := _flaw(item, depth + 1):
            return f"{place}{found[0]}", found[1]
    return None
