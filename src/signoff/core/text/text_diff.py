"""The difference of two texts, line by line, in linear time (a patience diff): lines that are unique on each side are
the anchors, and the lines between two anchors are compared in the same way. Pure.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

_ROUNDS = 6


def same_lines(was: Sequence[str], now: Sequence[str]) -> list[tuple[int, int]]:
    """The positions of equal lines, in order. All others were removed or added."""
    found: list[tuple[int, int]] = []
    blocks = [(0, len(was), 0, len(now))]
    for _ in range(_ROUNDS):
        blocks = [inner for block in blocks for inner in _within(was, now, block, found)]
    return sorted(found)


def _within(
    was: Sequence[str], now: Sequence[str], block: tuple[int, int, int, int], found: list[tuple[int, int]]
) -> list[tuple[int, int, int, int]]:
    """Adds the equal lines at both ends of a block; returns the blocks between the anchor lines."""
    a, a_end, b, b_end = block
    while a < a_end and b < b_end and was[a] == now[b]:
        found.append((a, b))
        a, b = a + 1, b + 1
    while a < a_end and b < b_end and was[a_end - 1] == now[b_end - 1]:
        a_end, b_end = a_end - 1, b_end - 1
        found.append((a_end, b_end))
    if a == a_end or b == b_end:
        return []
    held = _held(was, now, a, a_end, b, b_end)
    found += held
    corners = [(a - 1, b - 1), *held, (a_end, b_end)]
    return [(i + 1, k, j + 1, m) for (i, j), (k, m) in pairwise(corners) if held and i + 1 < k and j + 1 < m]


def _held(
    was: Sequence[str], now: Sequence[str], a: int, a_end: int, b: int, b_end: int
) -> list[tuple[int, int]]:
    """The longest sequence of lines that are unique on both sides and in the same order."""
    once = _once(now, b, b_end)
    pairs = [(i, once[line]) for line, i in _once(was, a, a_end).items() if line in once]
    # The longest increasing subsequence of the positions on the right; ``before``: the predecessor of each.
    ends: list[int] = []
    tops: list[int] = []
    before = [-1] * len(pairs)
    for at, (_, j) in enumerate(pairs):
        place = bisect_left(ends, j)
        before[at] = tops[place - 1] if place else -1
        ends[place : place + 1] = [j]
        tops[place : place + 1] = [at]
    held = []
    at = tops[-1] if tops else -1
    while at >= 0:
        held.append(pairs[at])
        at = before[at]
    return held[::-1]


def _once(lines: Sequence[str], start: int, end: int) -> dict[str, int]:
    """The position of each unique line, in order."""
    found: dict[str, int] = {}
    twice: set[str] = set()
    for at in range(start, end):
        line = lines[at]
        if line in found:
            twice.add(line)
        else:
            found[line] = at
    return {line: at for line, at in found.items() if line not in twice}
