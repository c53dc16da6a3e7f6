"""Times in words: in UTC, on the reader's clock, and from now."""

from datetime import UTC, datetime, timedelta

import pytest

from signoff.core.text.times import local_time_text, relative_time, utc_text

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_time_is_shown_in_utc_and_on_the_readers_clock() -> None:
    assert utc_text(AT) == "2026-03-02 09:00 UTC"
    assert local_time_text(AT, "") == local_time_text(AT, "UTC") == "Mon 02 Mar 2026, 09:00 UTC"
    assert local_time_text(AT, "Europe/Berlin") == "Mon 02 Mar 2026, 10:00 CET (09:00 UTC)"


@pytest.mark.parametrize(
    ("away", "text"),
    [
        (timedelta(0), "now"),
        (timedelta(milliseconds=900), "now"),
        (timedelta(hours=7, minutes=52, seconds=3), "in 7h 52m"),
        (timedelta(minutes=-3), "3m ago"),
        (timedelta(seconds=-59), "59s ago"),
    ],
)
def test_a_time_is_so_far_from_now(away: timedelta, text: str) -> None:
    assert relative_time(AT + away, AT) == text
