"""Text that would overload a parser is recognized beforehand; work is counted, not timed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.text.json_text import DuplicateKeyError, too_deep, too_many_containers, unique

NESTED = st.recursive(
    st.text(max_size=6) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def depth(value: object) -> int:
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, items), default=0)
    return 0


@given(NESTED, st.integers(0, 4))
def test_depth_ignores_brackets_inside_strings(value: object, most: int) -> None:
    raw = json.dumps([value, '[[{{\\"[', "]]"], ensure_ascii=False).encode()
    assert too_deep(raw, most) == (depth([value]) > most)


@pytest.mark.parametrize("opened", ["[", '{"a":', "[[],[],{},", '["]]]",'])
def test_unclosed_brackets_count_towards_the_depth(opened: str) -> None:
    assert not too_deep(opened.encode() * 31)
    assert too_deep(opened.encode() * 33)


class Counted(str):
    """A key that counts how often it is compared or hashed."""

    __slots__ = ()
    looks = 0

    def __eq__(self, other: object) -> bool:
        Counted.looks += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        Counted.looks += 1
        return str.__hash__(self)


def test_duplicate_key_among_thousands_is_found_in_one_pass() -> None:
    keys = [f"key {number}" for number in range(5000)]
    Counted.looks = 0
    with pytest.raises(DuplicateKeyError) as twice:
        unique([(Counted(key), 1) for key in [*keys, keys[-1]]])
    assert twice.value.key == keys[-1]
    assert Counted.looks < 8 * len(keys)


@pytest.mark.parametrize(
    ("raw", "depth"), [(b"[[" + b"[" * 4 + b"]" * 4, 6), (b"[[[[]]]][[", 4), (b"[{}][[[{", 4)]
)
def test_depth_of_incomplete_text_is_computed(raw: bytes, depth: int) -> None:
    assert too_deep(raw, depth - 1)
    assert not too_deep(raw, depth)


def test_duplicate_key_of_an_object_is_refused() -> None:
    assert unique([("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
    with pytest.raises(DuplicateKeyError, match="'b' is duplicated") as met:
        unique([("a", 1), ("b", 2), ("b", 3), ("a", 4)])
    assert met.value.key == "b"


@pytest.mark.parametrize(
    ("raw", "too_many"),
    [
        (b"[" + b"{}," * 16_382 + b"[]]", False),
        (b"[" + b"{}," * 16_383 + b"[]]", True),
        (b"[" + b"[]," * 16_384, True),  # incomplete
        (b'["' + b"[{" * 20_000 + b'"]', False),
        (b'["\\\\"' + b',"[{"' * 20_000 + b"]", False),
        (b"[" + b"[]      ," * 20_000 + b"[]]", False),  # 180,000 bytes: one for every 8 bytes
        (b"[" + b"[]   ," * 40_000 + b"[]]", True),
    ],
)
def test_objects_and_lists_are_counted_outside_strings(raw: bytes, too_many: bool) -> None:
    assert too_many_containers(raw) is too_many


def test_many_closed_levels_are_counted_by_levels() -> None:
    closed = b"[" * 6 + b"]" * 6
    assert not too_deep(closed * 50, 6)
    assert too_deep(closed * 50, 5)
