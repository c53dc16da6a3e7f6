"""Working hours: when a number of them has passed, and the cost of computing it."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.plan.working_hours import Hours
from tests.work import calls

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kolkata")
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


def walked(hours: Hours, start: datetime, lasts: timedelta) -> datetime:
    """The same, computed day by day."""
    day = start.date() - timedelta(days=3)
    left = lasts
    for _ in range(1000):
        opens, closes = hours._window(day)
        begins = max(opens, start)
        if day.weekday() in hours.days and closes > begins:
            if begins + left <= closes:
                return begins + left
            left -= closes - begins
        day += timedelta(days=1)
    raise AssertionError("it never passes")


@given(
    st.sampled_from(ZONES),
    st.sets(st.integers(0, 6), min_size=1),
    TIMES,
    TIMES,
    st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),
    st.integers(0, 6000),
)
def test_working_time_equals_a_day_by_day_walk(
    zone: str, days: set[int], opens: time, closes: time, start: datetime, minutes: int
) -> None:
    hours = Hours(zone, tuple(sorted(days)), opens, closes)
    at = start.replace(tzinfo=UTC)
    length = (closes.hour * 60 + closes.minute - opens.hour * 60 - opens.minute) % 1440 or 1440
    lasts = timedelta(minutes=min(minutes, 20 * length))
    if length > 120:  # so that a clock change takes no whole window away
        assert hours.after(at, lasts) == walked(hours, at, lasts)


def test_sparse_working_hours_are_computed_once_a_week() -> None:
    hours = Hours("Europe/Paris", (3,), time(9), time(9, 1))
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def ask() -> None:
        for number in range(200):
            hours.after(start + timedelta(days=number % 5), timedelta(days=300))

    assert calls(ask, of="_window") <= 13 * 53
    assert calls(ask, of="_window") == 0


@pytest.mark.parametrize("lasts", [timedelta(0), timedelta(days=3660)])
def test_working_hours_end_at_the_end_of_the_calendar_or_without_a_day(lasts: timedelta) -> None:
    start = datetime(9997, 12, 1, tzinfo=UTC)
    assert (
        Hours("UTC", ()).after(datetime(2026, 1, 1, tzinfo=UTC), lasts)
        == datetime(2026, 1, 1, tzinfo=UTC) + lasts
    )
    if not lasts:
        assert Hours("UTC").after(start, lasts) >= start


def test_working_hours_of_many_people_are_computed_once_each() -> None:
    every = [
        Hours("Asia/Tokyo", (number % 5, 5), time(number % 24, number % 60), time(9))
        for number in range(1000)
    ]
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def ask() -> None:
        for minutes in (0, 61, 122):
            for hours in every:
                hours.opens(start + timedelta(minutes=minutes))

    assert calls(ask, of="_window") <= 8 * len(every)
    assert calls(ask, of="_window") == 0


@given(
    st.sampled_from(ZONES),
    st.sets(st.integers(0, 6), min_size=1),
    TIMES,
    TIMES,
    st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),
)
def test_opening_time_equals_zero_working_time_later(
    zone: str, days: set[int], opens: time, closes: time, start: datetime
) -> None:
    hours = Hours(zone, tuple(sorted(days)), opens, closes)
    at = start.replace(tzinfo=UTC)
    assert hours.opens(at) == hours.after(at, timedelta(0))
    assert hours.is_open(hours.opens(at))
