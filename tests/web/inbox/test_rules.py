"""A policy in words says what the policy says, to the second."""

from datetime import timedelta

import pytest

from signoff.engine.read.policy_text import length


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=45), "45 s"),
        (timedelta(seconds=90), "1 min 30 s"),
        (timedelta(hours=8), "8 h"),
        (timedelta(days=2, hours=12), "2 d 12 h"),
        (timedelta(days=1, seconds=59), "1 d 59 s"),
        (timedelta(milliseconds=5), "less than 1 s"),
    ],
)
def test_a_span_is_said_whole(span: timedelta, said: str) -> None:
    assert length(span) == said
