"""JSON text, judged before and while a parser reads it: how deep it is nested, and that no key stands twice. Linear in
any shape, and of the standard library only: the server's intake and the command line's files share it.
"""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

MAX_DEPTH: Final = 32
MAX_INTEGER: Final = 2**53 - 1  # beyond it JSON readers disagree

# A string, also one that is never closed: at every quotation mark it matches, so that nothing is read twice.
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS: Final = b"[]{}"
_OTHERS: Final = bytes(byte for byte in range(256) if byte not in _BRACKETS)
_AS_PARENTHESES: Final = bytes.maketrans(b"[]{}", b"()()")
_STEP: Final = {ord("("): 1, ord(")"): -1}


class DuplicateKeyError(ValueError):
    """One object holds a key twice."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key[:64]!r} stands twice in one object")
        self.key = key


def too_deep(raw: bytes, most: int = MAX_DEPTH) -> bool:
    """Whether JSON text nests deeper than ``most``, finished or not. Before a parser, whose stack is not endless."""
    if raw.count(b"[") + raw.count(b"{") <= most:
        return False
    brackets = _STRING.sub(b"", raw).translate(_AS_PARENTHESES, _OTHERS)
    rest = brackets
    for _ in range(most):  # each round takes the innermost pairs away
        shorter = rest.replace(b"()", b"")
        if not shorter:
            return False
        if len(shorter) == len(rest):
            break
        rest = shorter
    return any(depth > most for depth in accumulate(map(_STEP.__getitem__, brackets)))


def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """For ``object_pairs_hook``: the members; raises DuplicateKeyError."""
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DuplicateKeyError(key)
            seen.add(key)
    return members
