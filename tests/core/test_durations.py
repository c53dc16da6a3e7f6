"""Durations, as people write and read them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.errors import Invalid
from signoff.core.text.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90),
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172800),
        ("P1DT2H", 93600),
        ("1.5h", 5400),
    ],
)
def test_duration_formats_are_parsed(text: object, seconds: int) -> None:
    assert parse_duration(text, "x") == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["soon", "5 parsecs", -1, 0, True, None, float("nan"), 10**400, "-5m", "P", ""]
)
def test_invalid_duration_is_refused_by_field(text: object) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_duration(text, "steps.approve.deadline")
    assert refusal.value.field == "steps.approve.deadline"


@given(st.integers(1, 86400 * 3000))
def test_duration_that_is_shown_can_be_parsed(seconds: int) -> None:
    shown = format_duration(timedelta(seconds=seconds))
    assert abs(parse_duration(shown, "x").total_seconds() - seconds) < 3600
