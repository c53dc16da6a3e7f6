"""A page's cost is linear in what it shows: differences, long names, long lists."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.text.hunks import text_diff
from signoff.core.text.json_diff import group, leaves
from signoff.core.text.text_diff import Work, same_lines
from signoff.engine.delivery.payload_excerpt import render_payload
from tests.work import calls

LINES = st.lists(st.sampled_from("abcdef"), max_size=12)
SHUFFLED = random.Random(1)


@given(LINES, LINES)
def test_difference_contains_every_line_of_both_in_order(was: list[str], now: list[str]) -> None:
    told = text_diff("\n".join(was), "\n".join(now), Work(), whole=True).lines
    assert [line.text for line in told if line.sign != "+"] == (was or [""])
    assert [line.text for line in told if line.sign != "-"] == (now or [""])


def test_changed_line_is_reported_alone() -> None:
    was, now = [*"abcde"], [*"abXde"]
    assert same_lines(was, now) == [(0, 0), (1, 1), (3, 3), (4, 4)]


@pytest.mark.parametrize(
    "text",
    [
        lambda count: ["ab"[n % 2] for n in range(count)],
        lambda count: [SHUFFLED.choice("abc") for _ in range(count)],
        lambda count: [str(n) for n in range(count)],
        lambda count: [str(n) for n in range(count, 0, -1)],
        lambda count: SHUFFLED.sample([str(n) for n in range(count)], count),
        lambda count: [str(n // 2) for n in range(count)],
    ],
    ids=["two words", "few words", "numbers", "backwards", "shuffled", "twice"],
)
@pytest.mark.parametrize(
    "other", [lambda lines: lines[::-1], lambda lines: lines[1:], lambda lines: lines * 2]
)
def test_difference_is_computed_in_linear_time(
    text: Callable[[int], list[str]], other: Callable[[list[str]], list[str]]
) -> None:
    def cost(count: int) -> int:
        was = text(count)
        now = other(was)
        return calls(lambda: same_lines(was, now))

    assert cost(4000) < 14 * cost(400) + 500


@pytest.mark.parametrize(
    "value",
    [
        {"k" * 20_000: list(range(5000))},
        {"a." * 10_000: [{"x": n} for n in range(2000)]},
        {"k" * 100: {"l" * 100: {"m" * 100: {"n" * 100: list(range(5000))}}}},
        {"before": {"k" * 20_000: list(range(3000))}, "after": {"k" * 20_000: list(range(3000))}},
    ],
    ids=["long name", "dots", "deep", "pair"],
)
def test_long_name_is_not_repeated_for_each_value(value: object) -> None:
    found = list(leaves(value))
    assert len({leaf.path for leaf in found}) == len(found)
    assert sum(len(leaf.path) for leaf in found) < 200 * len(found)


def test_long_name_is_shown_in_full() -> None:
    name = "drop " + "x" * 300 + " and then some"
    assert any(name in leaf.text for leaf in leaves({name: 1}))
    assert any(name in leaf.text for leaf in leaves({"before": {name: 1}, "after": {name: 2}}))


def test_long_names_that_differ_in_the_middle_are_distinct() -> None:
    found = [leaf.path for leaf in leaves({"a" * 200 + middle + "a" * 200: 1 for middle in "xy"})]
    assert len(set(found)) == len(found) == 4


def test_secret_behind_a_long_name_is_masked() -> None:
    value = {"a" * 100: {"password": {"b" * 100: {"c": "hunter2"}}}}
    assert [leaf.text for leaf in group(value, False).leaves if leaf.path.endswith(".c")] != ["hunter2"]


def test_message_with_shortened_names_is_not_complete() -> None:
    assert render_payload(b'{"amount": 5}', {}).whole
    assert not render_payload(b'{"' + b"a" * 300 + b'": 5}', {}).whole
