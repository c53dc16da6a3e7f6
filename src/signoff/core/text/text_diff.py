"""The difference of two sequences (lines, words, elements of a list) in linear time, by a patience diff. Elements
that are unique on each side are the anchors; the parts between two anchors are compared in the same way. Pure.

A block without an anchor is compared exactly as long as the budget of comparisons lasts; after that it counts as
replaced.
"""

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from itertools import pairwise

_ROUNDS = 6
_STEPS = 200_000  # comparisons for everything that one reader is shown together


class Work:
    """A budget of comparisons. ``short``: whether something was compared more coarsely because the budget was spent."""

    def __init__(self, steps: int = _STEPS) -> None:
        self.left = steps
        self.short = False

    def spend(self, steps: int) -> bool:
        """Whether the budget has this many steps left; if so, spends them."""
        if steps > self.left:
            self.short = True
            return False
        self.left -= steps
        return True


def same_lines(
    was: Sequence[Hashable], now: Sequence[Hashable], work: Work | None = None
) -> list[tuple[int, int]]:
    """The positions of equal elements, in order. All others were removed or added."""
    found: list[tuple[int, int]] = []
    work = work or Work(0)
    blocks = [(0, len(was), 0, len(now))]
    for _ in range(_ROUNDS):
        blocks = [inner for block in blocks for inner in _within(was, now, block, found, work)]
    return sorted(found)


def _within(
    was: Sequence[Hashable],
    now: Sequence[Hashable],
    block: tuple[int, int, int, int],
    found: list[tuple[int, int]],
    work: Work,
) -> list[tuple[int, int, int, int]]:
    """Add the equal elements at both ends of a block; return the blocks between the anchors."""
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
    if not held:
        found += _exact(was, now, range(a, a_end), range(b, b_end), work)
        return []
    found += held
    corners = [(a - 1, b - 1), *held, (a_end, b_end)]
    return [(i + 1, k, j + 1, m) for (i, j), (k, m) in pairwise(corners) if i + 1 < k and j + 1 < m]


def _exact(
    was: Sequence[Hashable], now: Sequence[Hashable], left: range, right: range, work: Work
) -> list[tuple[int, int]]:
    """The longest common subsequence of a block, if the budget is sufficient, else nothing."""
    if not work.left:
        return []
    there, here = {now[j] for j in right}, {was[i] for i in left}
    rows, columns = [i for i in left if was[i] in there], [j for j in right if now[j] in here]
    if not rows or not work.spend(len(rows) * len(columns)):
        return []
    best = [[0] * (len(columns) + 1) for _ in range(len(rows) + 1)]
    for r in range(len(rows) - 1, -1, -1):
        row, below = best[r], best[r + 1]
        for c in range(len(columns) - 1, -1, -1):
            row[c] = below[c + 1] + 1 if was[rows[r]] == now[columns[c]] else max(below[c], row[c + 1])
    found = []
    r = c = 0
    while r < len(rows) and c < len(columns):
        if was[rows[r]] == now[columns[c]]:
            found.append((rows[r], columns[c]))
            r, c = r + 1, c + 1
        elif best[r + 1][c] >= best[r][c + 1]:
            r += 1
        else:
            c += 1
    return found


def _held(
    was: Sequence[Hashable], now: Sequence[Hashable], a: int, a_end: int, b: int, b_end: int
) -> list[tuple[int, int]]:
    """The longest sequence of elements that are unique on both sides and in the same order."""
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


def _once(lines: Sequence[Hashable], start: int, end: int) -> dict[Hashable, int]:
    """The position of each unique element, in order."""
    found: dict[Hashable, int] = {}
    twice: set[Hashable] = set()
    for at in range(start, end):
        line = lines[at]
        if line in found:
            twice.add(line)
        else:
            found[line] = at
    return {line: at for line, at in found.items() if line not in twice}
