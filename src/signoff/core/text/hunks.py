"""The difference of two texts for readers: hunks with context and counts, unchanged lines collapsed, changed words
marked within their lines. Pages, mail, chat and the terminal share this model. Pure, and linear in both texts.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from signoff.core.text.text_diff import Work, same_lines

CONTEXT: Final = 3  # unchanged lines around a change
MOST_LINES: Final = 40  # lines of one collapsed difference
LONGEST_LINE: Final = 240  # characters of one collapsed line
_AROUND: Final = 60  # characters around a changed word of a long line
_TOKEN: Final = re.compile(r"\n|[^\S\n]+|\w+|[^\w\s]")
_TOKEN_STEPS: Final = 4  # the cost of comparing one word
_LEAST_KEPT: Final = 3  # words are marked if at least a third of the line is unchanged
_FEWEST_FOLDED: Final = 3  # unchanged lines; one or two are shown
_HUNK: Final = re.compile(r"^@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@", re.MULTILINE)
_FILES: Final = ("--- ", "+++ ")


class Part(msgspec.Struct, frozen=True, gc=False):
    """A part of a line. ``mark``: "" if it is unchanged, ``changed``, or ``cut`` for a note that text is left out."""

    text: str
    mark: str = ""


class DiffLine(msgspec.Struct, frozen=True):
    """One line. ``sign``: ``+``, ``-`` or a space; ``@`` for a heading within a unified diff; ``fold`` for a note
    that lines are left out.
    """

    sign: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


class TextDiff(msgspec.Struct, frozen=True, kw_only=True):
    """A difference. ``added``, ``removed``: how many lines; ``hidden``: how many characters are left out; ``coarse``:
    whether it was too long to compare word by word.
    """

    lines: tuple[DiffLine, ...]
    added: int
    removed: int
    hidden: int = 0
    coarse: bool = False


def text_diff(old: str, new: str, work: Work, whole: bool = False) -> TextDiff:
    """The difference of two texts. ``whole``: collapse and cut nothing."""
    was, now = old.split("\n"), new.split("\n")
    work.short = False
    blocks = list(_blocks(same_lines(was, now, work), len(was), len(now)))
    made = _Writer(whole)
    for at, (i, k, j, m) in enumerate(blocks):
        kept_until = blocks[at - 1][1] if at else 0
        made.unchanged(was[kept_until:i], first=at == 0)
        made.changed(was[i:k], now[j:m], work)
    made.unchanged(was[blocks[-1][1] if blocks else 0 :], first=not blocks, last=True)
    made.close()
    removed, added = (sum(block[end] - block[end - 1] for block in blocks) for end in (1, 3))
    return TextDiff(
        lines=tuple(made.lines), added=added, removed=removed, hidden=made.hidden, coarse=work.short
    )


def unified_diff(text: str, whole: bool = False) -> TextDiff | None:
    """The lines of text that is a unified diff, as sent; None if it has no hunk."""
    if not _HUNK.search(text):
        return None
    made = _Writer(whole)
    old = new = 0  # remaining lines of the hunk, by its heading
    signs = {"+": 0, "-": 0, " ": 0}
    within = False
    for line in text.removesuffix("\n").split("\n"):
        heading = _HUNK.match(line)
        if heading:
            within, old, new = True, int(heading[1] or 1), int(heading[2] or 1)
        sign = line[:1] or " "
        if not within or heading or sign not in signs or (line.startswith(_FILES) and old <= 0 and new <= 0):
            made.add(DiffLine("@", (Part(line),)))
            continue
        signs[sign] += 1
        old, new = old - (sign != "+"), new - (sign != "-")
        made.add(DiffLine(sign, (Part(line[1:]),)))
    made.close()
    return TextDiff(lines=tuple(made.lines), added=signs["+"], removed=signs["-"], hidden=made.hidden)


def as_text(diff: TextDiff) -> Iterator[str]:
    """The lines as plain text: each begins with its sign."""
    for line in diff.lines:
        yield f"… {line.text}" if line.sign == "fold" else f"{line.sign} {line.text}".rstrip()


def counts(diff: TextDiff) -> str:
    """``+4 −2``"""
    return f"+{diff.added:,} −{diff.removed:,}"


def _blocks(same: Sequence[tuple[int, int]], was: int, now: int) -> Iterator[tuple[int, int, int, int]]:
    """The changed blocks between unchanged lines: start and end on either side."""
    for (i, j), (k, m) in pairwise([(-1, -1), *same, (was, now)]):
        if k > i + 1 or m > j + 1:
            yield i + 1, k, j + 1, m


class _Writer:
    """Collects lines. Unless ``whole``, it collapses and cuts them, and counts what it leaves out."""

    def __init__(self, whole: bool) -> None:
        self.lines: list[DiffLine] = []
        self.hidden = 0
        self._whole = whole
        self._beyond = 0

    def unchanged(self, lines: Sequence[str], *, first: bool = False, last: bool = False) -> None:
        before, after = 0 if first else CONTEXT, 0 if last else CONTEXT
        folded = len(lines) - before - after
        if self._whole or folded < _FEWEST_FOLDED:
            before, folded, after = len(lines), 0, 0
        for line in lines[:before]:
            self.add(DiffLine(" ", (Part(line),)))
        if folded:
            self._fold(lines[before : before + folded], "unchanged line")
        for line in lines[before + folded :]:
            self.add(DiffLine(" ", (Part(line),)))

    def changed(self, old: Sequence[str], new: Sequence[str], work: Work) -> None:
        room = MOST_LINES - len(self.lines)
        shown_old, shown_new = old, new
        if not self._whole and len(old) + len(new) > room:
            # Show some of both sides, because added lines matter as much as removed ones.
            few = min(len(old), max(room // 2, room - len(new), 0))
            shown_old, shown_new = old[:few], new[: max(0, room - few)]
        marked_old, marked_new = _words(shown_old, shown_new, work)
        for sign, rows in (("-", marked_old), ("+", marked_new)):
            for parts in rows:
                self.add(DiffLine(sign, parts))
        left = [*old[len(shown_old) :], *new[len(shown_new) :]]
        if left:
            self._fold(left, "more changed line")

    def add(self, line: DiffLine) -> None:
        if self._whole:
            self.lines.append(line)
        elif len(self.lines) < MOST_LINES:
            self.lines.append(self._cut(line))
        else:
            self._beyond += 1
            self.hidden += len(line.text) + 1

    def close(self) -> None:
        """Add a note of how many lines follow the last one that fits."""
        if self._beyond:
            self._note(self._beyond, "more line")

    def _fold(self, lines: Sequence[str], what: str) -> None:
        self.hidden += sum(len(line) + 1 for line in lines)
        if len(self.lines) <= MOST_LINES:
            self._note(len(lines), what)
        else:
            self._beyond += len(lines)

    def _note(self, count: int, what: str) -> None:
        self.lines.append(DiffLine("fold", (Part(f"{count:,} {what}{'s' if count > 1 else ''}", "cut"),)))

    def _cut(self, line: DiffLine) -> DiffLine:
        if sum(len(part.text) for part in line.parts) <= LONGEST_LINE:
            return line
        found: list[Part] = []
        parts, room = line.parts, LONGEST_LINE
        plain = len(parts) == 1
        for at, part in enumerate(parts):
            if part.mark or plain:
                ends = (min(len(part.text), room), 0)
            else:  # an unchanged part: keep what is next to a change
                ends = (_AROUND if at else 0, _AROUND if at + 1 < len(parts) else 0)
                ends = (min(ends[0], room), min(ends[1], room))
            room -= min(sum(ends), len(part.text))
            found += self._shortened(part, *ends)
        return DiffLine(line.sign, tuple(found))

    def _shortened(self, part: Part, start: int, end: int) -> Iterator[Part]:
        missing = len(part.text) - start - end
        if missing <= 0:
            yield part
            return
        self.hidden += missing
        if start:
            yield Part(part.text[:start], part.mark)
        yield Part(f"[{missing:,} more]", "cut")
        if end:
            yield Part(part.text[len(part.text) - end :], part.mark)


_Rows = list[tuple[Part, ...]]


def _words(old: Sequence[str], new: Sequence[str], work: Work) -> tuple[_Rows, _Rows]:
    """The lines of a replaced block, with the changed words of each marked."""
    one_line = len(old) == len(new) == 1
    if not old or not new:
        return _plain(old), _plain(new)
    was, now = (_TOKEN.findall("\n".join(lines)) for lines in (old, new))
    if not work.spend(_TOKEN_STEPS * (len(was) + len(now))):
        return _ends(old[0], new[0]) if one_line else (_plain(old), _plain(new))
    same = same_lines(was, now, work)
    kept_was, kept_now = {i for i, _ in same}, {j for _, j in same}
    return list(_rows(was, kept_was)), list(_rows(now, kept_now))


def _plain(lines: Iterable[str]) -> _Rows:
    return [(Part(line),) for line in lines]


def _rows(tokens: Sequence[str], kept: set[int]) -> Iterator[tuple[Part, ...]]:
    """The tokens as lines of parts. A line that is mostly changed has no marks in it."""
    runs: list[tuple[list[str], bool]] = []
    for at, word in enumerate([*tokens, "\n"]):
        if word == "\n":
            yield _line(runs)
            runs = []
        elif runs and runs[-1][1] == (at in kept):
            runs[-1][0].append(word)
        else:
            runs.append(([word], at in kept))


def _line(runs: Sequence[tuple[Sequence[str], bool]]) -> tuple[Part, ...]:
    parts = [("".join(tokens), stayed) for tokens, stayed in runs]
    kept = sum(len(text.strip()) for text, stayed in parts if stayed)
    every = sum(len(text.strip()) for text, _ in parts)
    if kept * _LEAST_KEPT < every or kept == every:
        return (Part("".join(text for text, _ in parts)),)
    return tuple(Part(text, "" if stayed else "changed") for text, stayed in parts)


def _ends(old: str, new: str) -> tuple[_Rows, _Rows]:
    """For a long line that replaces another, mark everything between their common prefix and suffix."""
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])

    def row(text: str) -> tuple[Part, ...]:
        middle = text[start : len(text) - end]
        parts = (Part(text[:start]), Part(middle, "changed"), Part(text[len(text) - end :]))
        return tuple(part for part in parts if part.text)

    return [row(old)], [row(new)]


def _common(one: str, two: str) -> int:
    """The length of the common prefix, by bisection."""
    low, high = 0, min(len(one), len(two))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == two[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
