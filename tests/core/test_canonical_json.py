"""The two forms of a payload: the one that is hashed, and the one in the sender's order."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.text.canonical_json import canonical, content_digest, digest, ordered
from signoff.core.text.json_text import MAX_INTEGER

NUMBERS = [
    0, -0.0, 1.0, 1.5, -1.0,
    100.0, 1e15, 1e16, 1.5e16, 1e17, 1e20, 1.25e20, 1e21, 1.5e21, 1e-5, 1e-6, 1.5e-6, 1e-7, 5e-324,
    1.7976931348623157e308, 0.1, 123456789012345.6, MAX_INTEGER, -MAX_INTEGER,
]  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(NUMBERS)
    | st.text(st.characters(exclude_categories=("Cs",)))
)
KEYS = st.text(st.characters(exclude_categories=("Cs",)), max_size=4)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)


@given(VALUES)
def test_canonical_form_follows_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_stored_payload_keeps_its_order_and_the_digest_ignores_it(value: dict[str, Any]) -> None:
    kept = ordered(value)
    assert list(json.loads(kept)) == list(value)
    assert content_digest(kept) == digest(canonical(value))
    turned = dict(reversed(value.items()))
    assert content_digest(ordered(turned)) == content_digest(kept) == content_digest(canonical(value))
    assert canonical(json.loads(kept)) == canonical(value)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_are_written_as_in_rfc_8785_in_both_forms(number: float) -> None:
    for value in (number, [number], [number, 1], {"a": number}, {"e": [number, "1e5", "-0", '"\\1.0,']}):
        assert canonical(value) == rfc8785.dumps(value)
    assert ordered({"b": number, "a": "1.0"}) == b'{"b":' + rfc8785.dumps(number) + b',"a":"1.0"}'


def test_members_are_sorted_by_utf_16_code_units() -> None:
    value = {"\U0001f511": 1, "\ufb33": [{"\U0001f511": 1, "\ue000": [2]}], "a": []}
    assert canonical(value) == rfc8785.dumps(value)


def test_fast_encoder_equals_the_canonical_form_without_fractions() -> None:
    value = {"b": [1, True, None], "a": "text"}
    assert canonical(value, plain=True) == canonical(value) == b'{"a":"text","b":[1,true,null]}'
    assert ordered(value, plain=True) == ordered(value) == b'{"b":[1,true,null],"a":"text"}'


def test_deleted_payload_has_the_digest_of_empty_bytes() -> None:
    assert content_digest(b"") == digest(b"")
