"""The difference of two texts: hunks with context, counts, words within lines; linear for any input."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.text.hunks import (
    LONGEST_LINE,
    MOST_LINES,
    TextDiff,
    as_text,
    counts,
    text_diff,
    unified_diff,
)
from signoff.core.text.text_diff import Work
from tests.work import calls

LINES = st.lists(st.text("ab {\n", max_size=6), max_size=20)
SIXTY = [f"line {number}: value" for number in range(60)]


def differ(old: list[str], new: list[str], whole: bool = False) -> TextDiff:
    return text_diff("\n".join(old), "\n".join(new), Work(), whole)


def changed_words(diff: TextDiff) -> list[str]:
    return [part.text for line in diff.lines for part in line.parts if part.mark == "changed"]


def test_change_in_a_long_text_is_shown_with_three_lines_of_context() -> None:
    diff = differ(SIXTY, [*SIXTY[:31], "line 31: other value", *SIXTY[32:]])
    assert list(as_text(diff)) == [
        "… 28 unchanged lines",
        "  line 28: value", "  line 29: value", "  line 30: value",
        "- line 31: value", "+ line 31: other value",
        "  line 32: value", "  line 33: value", "  line 34: value",
        "… 25 unchanged lines",
    ]  # fmt: skip
    assert counts(diff) == "+1 −1"
    assert changed_words(diff) == ["other "]
    assert diff.hidden == sum(len(line) + 1 for line in [*SIXTY[:28], *SIXTY[35:]])


def test_distant_changes_are_two_hunks_and_near_ones_are_one() -> None:
    new = [*SIXTY]
    new[10], new[17], new[40] = "ten", "seventeen", "forty"
    folds = [line.text for line in differ(SIXTY, new).lines if line.sign == "fold"]
    assert folds == ["7 unchanged lines", "16 unchanged lines", "16 unchanged lines"]


def test_rewrite_shows_part_of_both_sides_and_counts_the_rest() -> None:
    diff = differ([f"old {n}" for n in range(40)], [f"new {n}" for n in range(44)])
    signs = [line.sign for line in diff.lines]
    assert (signs.count("-"), signs.count("+")) == (20, 20)
    assert diff.lines[-1].text == "44 more changed lines"
    short = differ([f"old {n}" for n in range(50)], ["new"])
    assert [line.sign for line in short.lines].count("+") == 1
    assert not differ(["old"] * 50, ["new"] * 50, whole=True).hidden


def test_lines_beyond_the_limit_are_counted_once() -> None:
    new = [*SIXTY, *SIXTY, *SIXTY]
    old = [line if at % 12 else f"old {at}" for at, line in enumerate(new)]
    diff = differ(old, new)
    assert MOST_LINES < len(diff.lines) <= MOST_LINES + 2
    assert diff.lines[-1].sign == "fold"
    assert diff.lines[-1].text.endswith("more lines")


def test_equal_texts_are_folded() -> None:
    assert list(as_text(differ(SIXTY, SIXTY))) == ["… 60 unchanged lines"]
    assert list(as_text(differ(["a", "b"], ["a", "b"]))) == ["  a", "  b"]


def test_words_are_not_marked_if_little_is_unchanged() -> None:
    assert not changed_words(differ(["one two three"], ["uno dos tres"]))
    assert changed_words(differ(["timeout: 30s # low"], ["timeout: 5s # low"])) == ["30s", "5s"]
    assert changed_words(differ(["  a = 1", "  b = 2"], ["  a = 1, c", "", "  b = 3"])) == ["2", ", c", "3"]


def test_long_line_is_cut_around_its_change() -> None:
    line = ",".join(f"k{n}=v{n}" for n in range(2000))
    diff = differ([line], [line.replace("k900=v900", "k900=changed")])
    shown = [line.text for line in diff.lines]
    assert all(len(text) < LONGEST_LINE + 60 for text in shown)
    assert "k900=v900" in shown[0]
    assert "k900=changed" in shown[1]
    assert diff.hidden > 20_000
    new = differ([], ["x" * 1000])
    assert new.lines[1].text == "x" * LONGEST_LINE + "[760 more]"


def test_oversized_text_is_compared_by_its_ends_and_marked_as_coarse() -> None:
    line = ",".join(f"k{n}" for n in range(30_000))
    diff = differ([line], [line.replace(",k777,", ",k777,inserted,")])
    assert diff.coarse
    assert changed_words(diff) == ["inserted,"]
    several = differ([line, "a"], [line[::-1], "b"])
    assert several.coarse
    assert not changed_words(several)


UNIFIED = """diff --git a/x b/x
--- a/x
+++ b/x
@@ -1,3 +1,3 @@ here
 a
--- was a comment
+c
\\ No newline at end of file
@@ -9 +9 @@
-y
+z
--- a/other
+++ b/other
@@ -1,0 +1,1 @@
+new

"""


def test_unified_diff_is_read_line_by_line() -> None:
    diff = unified_diff(UNIFIED)
    assert diff is not None
    assert [line.sign for line in diff.lines] == [*"@@@@ -+@@-+@@@+ "]
    assert counts(diff) == "+3 −2"
    assert unified_diff("--- a\n+++ b\n") is None
    long = "@@ -0,0 +1,99 @@\n" + "\n".join(f"+{n}" for n in range(99))
    cut, whole = unified_diff(long), unified_diff(long, whole=True)
    assert cut is not None
    assert whole is not None
    assert (cut.lines[-1].text, len(whole.lines), whole.hidden) == ("60 more lines", 100, 0)
    assert cut.hidden


@given(LINES, LINES)
def test_complete_difference_contains_every_line_of_both_in_order(was: list[str], now: list[str]) -> None:
    old, new = "\n".join(was), "\n".join(now)
    diff = text_diff(old, new, Work(), whole=True)
    assert "\n".join(line.text for line in diff.lines if line.sign != "+") == old
    assert "\n".join(line.text for line in diff.lines if line.sign != "-") == new
    assert (diff.hidden, diff.added) == (0, sum(line.sign == "+" for line in diff.lines))


@given(LINES, LINES)
def test_folded_difference_counts_every_omitted_character(was: list[str], now: list[str]) -> None:
    old, new = "\n".join(was * 9), "\n".join(now * 9)
    whole, folded = (text_diff(old, new, Work(), whole=one) for one in (True, False))
    shown = [line for line in folded.lines if line.sign != "fold"]
    assert (whole.added, whole.removed) == (folded.added, folded.removed)
    assert sum(len(line.text) + 1 for line in whole.lines) == folded.hidden + sum(
        len(line.text) + 1 for line in shown
    )


ADVERSARIES: list[Callable[[int], tuple[str, str]]] = [
    lambda n: ("\n" * n, "\n" * (n // 2) + "x"),
    lambda n: ("a\nb\n" * (n // 4), "b\na\na\n" * (n // 6)),
    lambda n: ("a " * (n // 2), "b a " * (n // 4)),
    lambda n: ("." * n, "," * n),
    lambda n: ("x\n" * (n // 2), "x\ny\n" * (n // 4)),
    lambda n: ("".join(f"{k}\n" for k in range(n // 6)), "".join(f"{k}\n" for k in range(n // 6, 0, -1))),
    lambda n: ("@@ -1 +1 @@\n" * (n // 12), "@@ -1 +1 @@\n+\n" * (n // 14)),
]


@pytest.mark.parametrize("texts", ADVERSARIES)
@pytest.mark.parametrize("whole", [False, True])
def test_difference_is_computed_in_linear_time(texts: Callable[[int], tuple[str, str]], whole: bool) -> None:
    def cost(size: int) -> int:
        old, new = texts(size)
        return calls(lambda: (text_diff(old, new, Work(), whole), unified_diff(new, whole)))

    assert cost(128 * 1024) < 20 * cost(8 * 1024) + 200_000
