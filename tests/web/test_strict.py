"""Strict JSON: what is refused, and that our fast canonical form equals the reference library's."""

import json
from itertools import accumulate
from typing import Any, Final

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.errors import Malformed
from signoff.core.text import canonical_json
from signoff.core.text.json_text import flaw, outside_strings, too_deep
from signoff.web.http import json_intake

SAFE = st.integers(-(2**53) + 1, 2**53 - 1)
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.none() | st.booleans() | SAFE | TEXT
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_canonical_bytes_equal_those_of_the_library(value: Any, ascii_only: bool, indent: int | None) -> None:
    parsed = json_intake.parse(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode())
    assert canonical_json.canonical(parsed.value, plain=parsed.plain) == rfc8785.dumps(value)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(alphabet=st.sampled_from('ab"\\:,1.0e\ue000\uffff\U0001f600\u00e9'), max_size=6)


@given(
    st.lists(FLOATS | st.integers(-(2**53) + 1, 2**53 - 1).map(float) | st.floats(-1e-4, 1e-4), max_size=8)
)
def test_every_float_is_written_as_by_the_library(numbers: list[float]) -> None:
    parsed = json_intake.parse(json.dumps(numbers).encode())
    assert parsed.value == numbers
    assert canonical_json.canonical(parsed.value, plain=parsed.plain) == rfc8785.dumps(numbers)


@pytest.mark.parametrize(
    "text",
    [
        "1.0", "-0.0", "0.0", "-1.0", "1e16", "-1.5e16", "1.2345678901234568e17", "1e20", "9.99e20", "1e21", "-1e21",
        "1e-5", "1e-6", "-1.25e-6", "1e-7", "1e22", "1e100", "5e-324", "1.7976931348623157e308", "0.1", "100.0", "1e5",
        "123456789012345680000.0", "1e-16", "-1e-20", "1.6e-6", "4.5e15", "9007199254740993.0", "2e-60", "3e160",
    ],
)  # fmt: skip
def test_floats_of_every_magnitude_are_written_as_by_the_library(text: str) -> None:
    for raw in (text, f"[{text},{text}]", f'{{"a":{text},"1.0,":"e16"}}', f'{{"e16,":[{text}]}}'):
        parsed = json_intake.parse(raw.encode())
        assert canonical_json.canonical(parsed.value, plain=parsed.plain) == rfc8785.dumps(json.loads(raw))


@given(st.dictionaries(NAMES, FLOATS | NAMES | SAFE, max_size=5))
def test_text_that_looks_like_numbers_is_unchanged(value: dict[str, Any]) -> None:
    parsed = json_intake.parse(json.dumps(value).encode())
    assert canonical_json.canonical(parsed.value, plain=parsed.plain) == rfc8785.dumps(value)


@given(st.text(alphabet="[]{}", max_size=40), st.integers(0, 6), st.integers(24, 40))
def test_depth_is_counted_exactly(brackets: str, most: int, deep: int) -> None:
    def depth(text: str) -> int:
        levels = [0, *accumulate(1 if one in "[{" else -1 for one in text)]
        return max(levels)

    for text in (brackets, "[" * deep + brackets + "]" * deep, "[" * deep + brackets * 3):
        for bound in (most, deep, deep + 2):
            assert too_deep(text.encode(), bound) is (depth(text) > bound)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" + b",".join([b"{}"] * 16_383) + b"]",
        b'["' + b"[{" * 20_000 + b'"]',
        b'["\\"' + b"[]" * 20_000 + b'"]',
        b"[" + b",".join([b"[]      "] * 20_000) + b"]",  # 180,000 bytes
    ],
)
def test_as_many_objects_and_lists_as_allowed_are_read(raw: bytes) -> None:
    assert json_intake.parse(raw).value == json.loads(raw)


@given(VALUES)
def test_strict_reader_agrees_with_any_reader(value: Any) -> None:
    text = json.dumps(value)
    assert json_intake.parse(text.encode()).value == json.loads(text)


HARD: Final = [
    b"9007199254740991", b"9007199254740992", b"-9007199254740993", b"1e400", b"-1e308", b"123456789012345678e-3",
    b"1E5", b"NaN",
    b'"\\ud800"', b'"\\ud83d\\ude00"', b'{"\\udc00":1}', b"[" * 32 + b"]" * 32, b"[" * 33 + b"]" * 33, b'"\xff"',
    b'{"a":' * 31 + b"[]" + b"}" * 31, b'{"a":' * 32 + b"[]" + b"}" * 32,
]  # fmt: skip


@pytest.mark.parametrize("raw", [*HARD, *(b'{"x":[%s]}' % one for one in HARD)])
def test_accepted_json_passes_every_document_reader(raw: bytes) -> None:
    try:
        value = json_intake.parse(raw).value
    except Malformed:
        return
    assert flaw(value) is None


NUMBERS: Final = st.from_regex(
    r"-?(0|[1-9][0-9]{0,19})([.][0-9]{1,18})?([eE][+-]?[0-9]{1,18})?", fullmatch=True
)


@given(st.lists(NUMBERS, min_size=1, max_size=6), st.sampled_from([",", " , ", ',"1234567890123456789",']))
def test_an_integer_is_refused_only_if_it_is_too_large_however_long_the_others_are(
    numbers: list[str], between: str
) -> None:
    integers = [int(number) for number in numbers if number.removeprefix("-").isdigit()]
    try:
        json_intake.parse(f"[{between.join(numbers)}]".encode())
    except Malformed as refusal:
        code = refusal.code
    else:
        code = ""
    if code != "number_out_of_range":  # a float
        assert code == ("integer_out_of_range" if any(abs(one) > 2**53 - 1 for one in integers) else "")


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ('{"a": 1, "b": 2, "c": 3, "b": 4, "a": 5}', "b"),
        ('{"a": 1, "b": 2, "b": 3}', "b"),
        ('{"a": 1, "a": 2, "b": 3, "c": 4}', "a"),
        ('{"a": {"b": 1, "c": 2, "c": 3}, "a": 1}', "c"),
    ],
)
def test_the_first_duplicate_is_named(raw: str, key: str) -> None:
    with pytest.raises(Malformed) as refused:
        json_intake.parse(raw.encode())
    assert refused.value.field == key


def _dump_pairs(pairs: list[tuple[str, Any]], ascii_only: bool) -> str:
    return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=ascii_only)}: {v}" for k, v in pairs) + "}"


@given(
    st.lists(st.tuples(TEXT, SCALARS), min_size=1, max_size=5),
    st.integers(0, 4),
    st.booleans(),
    st.booleans(),
)
def test_duplicate_key_is_always_found(
    pairs: list[tuple[str, Any]], which: int, ascii_only: bool, nested: bool
) -> None:
    unique = list(dict(pairs).items())
    repeated = unique[which % len(unique)]
    members = [(k, json.dumps(v, ensure_ascii=ascii_only)) for k, v in [*unique, repeated]]
    text = _dump_pairs(members, ascii_only)
    if nested:
        text = f'[{{"a": {text}}}, 1]'
    with pytest.raises(Malformed) as refused:
        json_intake.parse(text.encode())
    assert refused.value.code == "duplicate_key"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"a": 1, "a": 2}', "duplicate_key"),
        (b'{"a:": 1, "\\u0061:": 2}', "duplicate_key"),
        (b'{"x": {"a": "\\u003a", "a": 2}}', "duplicate_key"),
        (b"NaN", "not_a_number"),
        (b'{"a": -Infinity}', "not_a_number"),
        (b'{"a": "\\ud800"}', "lone_surrogate"),
        (b'{"a": "x\\udc00y"}', "lone_surrogate"),
        (b'{"\\ud800": 1}', "lone_surrogate"),
        (b'{"a": "\\ud800\\ud800"}', "lone_surrogate"),
        (b'"\xff"', "invalid_utf8"),
        (b'{"\xff": 1}', "invalid_utf8"),
        (b'"\xed\xa0\x80"', "invalid_utf8"),
        (b'{"a": 9007199254740992}', "integer_out_of_range"),
        (b'{"a": [{"b": -9007199254740992}]}', "integer_out_of_range"),
        (b"1" * 400, "integer_out_of_range"),
        (b"1" * 5000, "integer_out_of_range"),
        (b'{"a": ' + b"1" * 400 + b', "a": 1}', "duplicate_key"),
        (b"1e400", "number_out_of_range"),
        (b"[" * 33 + b"]" * 33, "too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "too_deep"),
        (b"[" * 10_000, "too_deep"),
        (b"[" + b"{}," * 16_383 + b"[]]", "too_many_containers"),
        (b"[" + b"[]," * 16_384, "too_many_containers"),
        (b"[" * 32 + b"]" * 32 + b"[" * 32 + b"]" * 32 + b"[]" * 16_384, "too_many_containers"),
        (b"[" * 10_000 + b"]" * 10_000, "too_deep"),
        (b"[" * 33, "too_deep"),
        (b"[" * 33 + b"}" * 33, "too_deep"),
        (b"x" + b'{"a":[' * 17, "too_deep"),
        (b'["' + b"[" * 100, "invalid_json"),
        (b'["' + b"\\" * 1001 + b"[" * 100, "invalid_json"),
        (b'["\\"", ' + b"[" * 33, "too_deep"),
        (b'["\\ud83d\\ude00\\ude00"]', "lone_surrogate"),
        (b'["\\\\ud83d", "\\ud83d"]', "lone_surrogate"),
        (b'{"a": 1', "invalid_json"),
        (b"{'a': 1}", "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b"{} {}", "invalid_json"),
        (b"\x00", "invalid_json"),
    ],
)
def test_invalid_json_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(Malformed) as refused:
        json_intake.parse(raw)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 32 + b"]" * 32,
        b'{"a": 9007199254740991, "b": -9007199254740991, "c": "99999999999999999999"}',
        b'{"a": "\\ud83d\\ude00", "b": "\\\\ud800", "c": ":::{{{[[[", "d": "NaN"}',
        b"[" + b",".join([b"[]"] * 100) + b"]",
    ],
)
def test_valid_json_is_accepted(raw: bytes) -> None:
    assert json_intake.parse(raw).value == json.loads(raw)


def test_body_is_an_object_and_an_empty_one_is_an_empty_object() -> None:
    assert json_intake.parse_object(b"").value == {}
    assert json_intake.parse_object(b"  \n").value == {}
    with pytest.raises(Malformed) as refused:
        json_intake.parse_object(b"[1]")
    assert refused.value.code == "not_an_object"


def test_digest_is_that_of_the_canonical_bytes() -> None:
    one = json_intake.parse(b'{"b": 1.0, "a": "\\u00e9"}')
    two = json_intake.parse('{"a":"é","b":1}'.encode())
    assert canonical_json.digest(
        canonical_json.canonical(*one[:1], plain=one.plain)
    ) == canonical_json.digest(canonical_json.canonical(two.value, plain=two.plain))


@pytest.mark.parametrize(
    ("raw", "twice"),
    [
        (rb'{"a\u003a":1,"b":"\u003A:"}', False),
        (rb'{"\\u003a":1,"\\\u003a":2,"\"\u003a":3}', False),
        (rb'{"a":1,"\u0061":2,"c":"\u003a"}', True),
        (rb'{"\u003a":1,":":2,"c":"\\u003a"}', True),
        (rb'{"c":"\\\\u003a","d":1,"d":2}', True),
    ],
)
def test_escaped_colon_neither_hides_nor_imitates_a_member(raw: bytes, twice: bool) -> None:
    if twice:
        with pytest.raises(Malformed) as refusal:
            json_intake.parse(raw)
        assert refusal.value.code == "duplicate_key"
    else:
        assert json_intake.parse(raw).value == json.loads(raw)


@given(
    st.recursive(SAFE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))
)
def test_members_are_sorted_as_by_the_library_at_every_level(value: Any) -> None:
    parsed = json_intake.parse(json.dumps(value, ensure_ascii=False).encode())
    assert canonical_json.canonical(parsed.value, plain=parsed.plain) == rfc8785.dumps(value)


@given(st.lists(st.sampled_from(['"', "\\", ":", "[", "{", "u003a", "1"]), max_size=12).map("".join))
def test_text_outside_strings_is_found_as_by_a_parser(text: str) -> None:
    assert outside_strings(json.dumps({text: [1, text]}).encode()) == b"{: [1, ]}"
