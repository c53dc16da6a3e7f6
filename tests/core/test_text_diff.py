"""The lines that two texts have in common: in order, anchored at unique lines, in linear time."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from signoff.core.text.text_diff import Work, same_lines


def test_common_lines_around_a_change_are_matched() -> None:
    assert same_lines("abcd", "axcd") == [(0, 0), (2, 2), (3, 3)]
    assert same_lines("abc", "abc") == [(0, 0), (1, 1), (2, 2)]
    assert same_lines("", "abc") == same_lines("abc", "") == same_lines("abc", "xyz") == []


def test_lines_unique_on_both_sides_anchor_the_match() -> None:
    was, now = (
        ["x", "{", "}", "one", "{", "}", "two", "y"],
        ["w", "{", "}", "one", "new", "{", "}", "two", "z"],
    )
    assert same_lines(was, now) == [(1, 1), (2, 2), (3, 3), (4, 5), (5, 6), (6, 7)]


def test_longest_run_of_moved_lines_is_kept() -> None:
    assert same_lines("sabcdt", "xbcday") == [(2, 1), (3, 2), (4, 3)]


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_matched_lines_are_equal_and_in_order(was: list[str], now: list[str]) -> None:
    found = same_lines(was, now)
    assert all(was[i] == now[j] for i, j in found)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(found))


def test_block_without_an_anchor_is_compared_exactly_within_the_budget() -> None:
    was, now = "xababy", "zbabaw"
    assert same_lines(was, now) == []
    work = Work(100)
    assert len(same_lines(was, now, work)) == 3
    assert (work.left, work.short) == (100 - 16, False)
    short = Work(10)
    assert (same_lines(was, now, short), short.short) == ([], True)
    assert same_lines("xaby", "zcdw", Work(1)) == []
    assert same_lines(*("xaabbcy", "zbbaacw"), Work()) in ([(1, 3), (2, 4), (5, 5)], [(3, 1), (4, 2), (5, 5)])


@given(st.lists(st.sampled_from("ab"), max_size=12), st.lists(st.sampled_from("ab"), max_size=12))
def test_exactly_compared_lines_are_equal_and_in_order(was: list[str], now: list[str]) -> None:
    found = same_lines(was, now, Work())
    assert all(was[i] == now[j] for i, j in found)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(found))
