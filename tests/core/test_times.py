"""Times as text: in UTC, in the reader's time zone, and relative to now."""

from datetime import UTC, datetime, timedelta

import pytest

from signoff.core.text.times import local_time_text, moment_of, relative_time, utc_text

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_time_is_shown_in_utc_and_in_the_readers_zone() -> None:
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
def test_relative_time_is_shown_in_one_unit(away: timedelta, text: str) -> None:
    assert relative_time(AT + away, AT) == text


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-02T09:00:00Z", "2026-03-02 09:00 UTC"),
        ("2026-03-02T09:00+01:00", "2026-03-02 08:00 UTC"),
        ("2026-03-02T09:00:00.123456-05:30", "2026-03-02 14:30 UTC"),
    ],
)
def test_timestamp_text_is_recognized(text: str, utc: str) -> None:
    found = moment_of(text)
    assert found is not None
    assert utc_text(found) == utc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-02",
        "2026-03-02T09:00:00",
        "at 2026-03-02T09:00:00Z",
        "2026-02-31T09:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+14:00",
        "2026-03-02T25:00:00Z",
        "2026-03-02T09:00:00+99:00",
        "2026-03-02T09:00:00Z\n",
    ],
)
def test_other_text_is_no_timestamp(text: str) -> None:
    assert moment_of(text) is None
