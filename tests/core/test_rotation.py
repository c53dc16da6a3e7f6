"""Absences, rotations and working hours: who is available at a given time, across clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from signoff.core.directory.rotation import Absence, Rotation, absence_at
from signoff.core.errors import Invalid
from signoff.core.formats.manifest import compile_manifest
from signoff.core.plan.task_types import Fallback, Risk, Stage, Strength
from signoff.core.plan.working_hours import Hours
from signoff.core.policy.fields import compile_policy
from tests.builders import START

BERLIN = ZoneInfo("Europe/Berlin")
WEEKLY = Rotation(("ann", "bob", "cem"), date(2026, 3, 16), 0, time(9), "Europe/Berlin")


def local(*parts: int, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime(*parts, tzinfo=zone).astimezone(UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("at", "on_call"),
    [
        (local(2026, 3, 16, 9), "ann"),
        (local(2026, 3, 23, 8, 59, 59), "ann"),
        (local(2026, 3, 23, 9), "bob"),
        (local(2026, 3, 30, 8, 59, 59), "bob"),  # the clocks went forward on the 29th: still 09:00 local
        (local(2026, 3, 30, 9), "cem"),
        (local(2026, 4, 6, 9), "ann"),
        (local(2026, 10, 26, 9), "cem"),  # and back on the 25th
        (local(2026, 3, 16, 8, 59), "cem"),  # before the anchor it went round as well
        (local(2025, 3, 17, 12), "cem"),
    ],
)
def test_rotation_hands_over_at_local_time_across_clock_changes(at: datetime, on_call: str) -> None:
    assert WEEKLY.on_call(at) == on_call
    assert WEEKLY.handover_after(at) > at
    assert WEEKLY.on_call(WEEKLY.handover_after(at)) != on_call
    assert WEEKLY.on_call(WEEKLY.handover_after(at) - timedelta(microseconds=1)) == on_call


def test_rotation_start_within_a_week_means_that_week() -> None:
    midweek = Rotation(("ann", "bob"), date(2026, 3, 19), 0, time(9), "Europe/Berlin")
    assert midweek.on_call(local(2026, 3, 17, 12)) == "ann"
    assert midweek.in_order(local(2026, 3, 24, 12)) == ("bob", "ann")


def test_longest_current_absence_counts() -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    short, long = (
        Absence(start, start + timedelta(hours=2), "bob"),
        Absence(start, start + timedelta(days=1), "cem"),
    )
    assert absence_at((short, long), start) == long
    assert absence_at((short,), start + timedelta(hours=2)) is None
    assert absence_at((short,), start - timedelta(microseconds=1)) is None


@pytest.mark.parametrize(
    ("start", "hours", "ends"),
    [
        (local(2026, 3, 27, 17), 2, local(2026, 3, 30, 9)),  # Friday evening to Monday, over the clock change
        (local(2026, 3, 28, 12), 1, local(2026, 3, 30, 9)),
        (local(2026, 3, 30, 8), 10, local(2026, 3, 30, 18)),
        (local(2026, 3, 30, 8), 11, local(2026, 3, 31, 9)),
    ],
)
def test_working_time_stops_outside_hours(start: datetime, hours: int, ends: datetime) -> None:
    working = Hours("Europe/Berlin", start=time(8), end=time(18))
    assert working.after(start, timedelta(hours=hours)) == ends


def test_wait_ends_exactly_when_working_hours_begin() -> None:
    hours = Hours("Europe/Berlin", start=time(9), end=time(17))
    friday = datetime(2026, 3, 27, 15, 59, 59, tzinfo=UTC)  # a second before 17:00
    assert hours.opens(friday) == friday
    closed = friday + timedelta(seconds=1)
    assert hours.opens(closed) == datetime(2026, 3, 30, 7, tzinfo=UTC)  # summer time by then
    assert hours.opens(hours.opens(closed)) == hours.opens(closed)
    assert Hours("UTC", days=()).opens(closed) == closed


def test_hours_skipped_by_a_clock_change_pass_no_time() -> None:
    # From 02:30 to 03:00 there was nothing in Berlin on 29 March 2026: the clocks went from 02:00 to 03:00.
    night = Hours("Europe/Berlin", tuple(range(7)), time(2, 30), time(3))
    evening = local(2026, 3, 28, 20)
    assert night.after(evening, timedelta(minutes=20)) == local(2026, 3, 30, 2, 50)
    assert night.opens(evening) == local(2026, 3, 30, 2, 30)


def test_hours_past_midnight_belong_to_the_day_they_begin() -> None:
    night = Hours("Europe/Berlin", days=(4,), start=time(22), end=time(6))
    assert night.is_open(local(2026, 3, 28, 5))
    assert not night.is_open(local(2026, 3, 28, 6))
    assert not night.is_open(local(2026, 3, 27, 5))


def test_policy_with_all_fields_is_compiled() -> None:
    policy = compile_policy(
        {
            "approve": [
                {"any": ["team:sre"], "need": 1},
                {"all": ["person:DBA@acme.example", "team:dba"], "reject_after": 2},
            ],
            "self_approval": False,
            "remind": {"after": "5m", "every": "30m", "at_most": 5},
            "escalate": [
                {"after": "30m", "to": ["person:bob@acme.example"]},
                {"after": "2h", "to": ["team:platform"]},
            ],
            "deadline": "8h",
            "on_timeout": "goto:tell",
            "hours": {
                "zone": "Europe/Berlin",
                "days": "mon-fri",
                "from": "08:00",
                "to": "18:00",
                "deadline": True,
            },
            "strength": "session",
            "risk": "high",
        }
    )
    assert policy.stages == (Stage(("team:sre",)), Stage(("dba@acme.example", "team:dba"), 1, 2, True))
    assert policy.hours == Hours("Europe/Berlin", (0, 1, 2, 3, 4), time(8), time(18))
    assert (policy.goto, policy.fallback, policy.deadline_in_hours) == ("tell", Fallback.EXPIRE, True)
    assert (policy.strength, policy.risk, len(policy.escalate)) == (Strength.SESSION, Risk.HIGH, 2)


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"approve": []}, "approve"),
        ({"approve": [{"any": ["a@b"], "all": ["a@b"]}]}, "approve[0].all"),
        ({"approve": [{"all": ["a@b"], "need": 2}]}, "approve[0].need"),
        ({"approve": [{"any": []}]}, "approve[0].any"),
        ({"hours": {"zone": "Europe/Berlin", "from": "8"}}, "hours.from"),
        ({"hours": {"zone": "Europe/Berlin", "days": "mon-fry"}}, "hours.days"),
        ({"hours": {"zone": "Europe/Berlin", "from": "24:00"}}, "hours.from"),
        ({"hours": {"zone": "Europe/Berlin", "days": "mon\u2013fri"}}, "hours.days"),
        ({"hours": {"zone": "Europe/Berlin", "days": "mon-fri-sun"}}, "hours.days"),
        ({"hours": {"zone": "Europe/Berlin", "days": "mon to fri"}}, "hours.days"),
        ({"deadline": "1h", "on_timeout": "outcome:changes_requested"}, "on_timeout"),
        ({"deadline": "1h", "on_timeout": "expired"}, "on_timeout"),
        ({"risk": "lowest"}, "risk"),
        ({"escalate": [{"after": "1h", "to": ["a@b"]}, {"after": "1h", "to": ["a@b"]}]}, "escalate[1].after"),
    ],
)
def test_invalid_policy_field_is_refused_by_name(source: Any, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        compile_policy(source)
    assert refusal.value.field == field


def test_strength_follows_the_risk_and_step_up_is_refused_with_the_reason() -> None:
    assert compile_policy({"risk": "critical"}).strength is Strength.SESSION
    assert compile_policy({"risk": "low"}).strength is Strength.LINK
    with pytest.raises(Invalid, match="second factors are not supported yet"):
        compile_policy({"strength": "step_up"})


def test_unknown_manifest_field_is_refused_by_its_path() -> None:
    for source, field in (
        ({"persons": {}}, "persons"),
        ({"people": {"a@b": {"rolls": []}}}, "people.a@b.rolls"),
        ({"people": {"a@b": {"absences": [{"from": "2026-03-02"}]}}}, "people.a@b.absences[0].until"),
        ({"teams": {"t": {"members": []}}}, "teams.t.members"),
        (
            {"teams": {"t": {"members": ["a@b"], "rotation": {"zone": "UTC", "handover": "moonday 9"}}}},
            "teams.t.rotation.handover",
        ),
        ({"policies": {"p": {"aprove": 1}}}, "policies.p.aprove"),
    ):
        with pytest.raises(Invalid) as refusal:
            compile_manifest(source)
        assert refusal.value.field == field


def test_rotation_of_one_member_never_changes() -> None:
    alone = Rotation(("per_ann",), date(2026, 3, 2))
    assert {alone.on_call(START + timedelta(weeks=weeks)) for weeks in range(-3, 4)} == {"per_ann"}
    assert alone.handover_after(datetime(2026, 3, 2, 9, tzinfo=UTC)) == datetime(2026, 3, 9, 9, tzinfo=UTC)
