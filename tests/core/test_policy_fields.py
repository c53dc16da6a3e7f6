"""The table of policy fields: each field of a policy has one row, and each row one direction."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import fields, replace

from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Edits, Escalation, Fallback, Risk, Stage, Strength, TaskSpec
from signoff.core.plan.working_hours import Hours
from signoff.core.policy.fields import FIELDS, RequestSettings, compile_policy, is_relaxed, merge_stricter
from signoff.core.policy.policy import TASK_FIELDS, Policy, PolicySource

HOUR = timedelta(hours=1)
DAYS, NIGHTS = Hours("UTC"), Hours("Asia/Tokyo")
BASE = Policy(
    stages=(Stage(("team:dba", "team:sre"), 2, 2), Stage(("role:owner",))),
    self_approval=None,
    remind=Reminders(HOUR, HOUR),
    escalate=(Escalation(2 * HOUR, ("role:owner", "per_x")),),
    deadline=8 * HOUR,
    fallback=Fallback.OUTCOME,
    fallback_outcome="approved",
    hours=DAYS,
    deadline_in_hours=True,
    strength=Strength.SESSION,
    risk=Risk.MEDIUM,
)
CALM = replace(BASE, fallback=Fallback.EXPIRE, fallback_outcome="", escalate=())

# field -> (the policy before, what makes it weaker, what makes it stricter): one change of one field each.
Change = dict[str, Any]
CASES: dict[str, tuple[Policy, list[Change], list[Change]]] = {
    "approve": (
        BASE,
        [
            {"stages": BASE.stages[:1]},
            {"stages": (Stage(("team:dba", "team:sre"), 1, 2), BASE.stages[1])},
            {"stages": (Stage(("team:dba", "team:sre"), 2, 3), BASE.stages[1])},
            {"stages": (Stage(("team:dba", "team:sre", "per_y"), 2, 2), BASE.stages[1])},
        ],
        [
            {"stages": (*BASE.stages, Stage())},
            {"stages": (Stage(("team:dba", "team:sre"), 3, 2), BASE.stages[1])},
            {"stages": (Stage(("team:dba", "team:sre"), 2, 1), BASE.stages[1])},
            {"stages": (Stage(("team:dba",), 2, 2), BASE.stages[1])},
        ],
    ),
    "self_approval": (BASE, [{"self_approval": True}], [{"self_approval": False}]),
    "escalate": (
        BASE,
        [
            {"escalate": (Escalation(HOUR, ("role:owner", "per_x")),)},
            {"escalate": (Escalation(2 * HOUR, ("role:owner", "per_x", "per_y")),)},
        ],
        [
            {"escalate": ()},
            {"escalate": (Escalation(3 * HOUR, ("role:owner", "per_x")),)},
            {"escalate": (Escalation(2 * HOUR, ("per_x",)),)},
        ],
    ),
    "deadline": (CALM, [{"deadline": 9 * HOUR}, {"deadline": None}], [{"deadline": 7 * HOUR}]),
    "on_timeout": (
        BASE,
        [{"fallback_outcome": "ship"}, {"goto": "tell"}, {"goto": "tell", "goto_as": "success"}],
        [
            {"fallback": Fallback.EXPIRE, "fallback_outcome": ""},
            {"fallback": Fallback.REJECT, "fallback_outcome": ""},
        ],
    ),
    "hours": (
        CALM,
        [{"hours": NIGHTS}, {"hours": None}],
        [{"deadline_in_hours": False}],
    ),
    "strength": (BASE, [{"strength": Strength.LINK}], [{"strength": Strength.STEP_UP}]),
    "edits": (BASE, [{"edits": Edits.APPROVE}], []),
    "risk": (BASE, [{"risk": Risk.LOW}], [{"risk": Risk.HIGH}, {"risk": Risk.CRITICAL}]),
}
# Reminders let nobody decide who could not: there is no weaker one.
EQUAL: dict[str, list[Change]] = {
    "remind": [{"remind": None}, {"remind": Reminders(HOUR, 2 * HOUR, 9)}],
    "digest": [{"digest": HOUR}],  # when people are asked, not who decides
}
BY_NAME = {field.name: field for field in FIELDS}


def test_every_field_of_a_policy_has_one_row_that_reads_it() -> None:
    assert list(BY_NAME) == [field.encode_name for field in fields(PolicySource)]
    filled = [name for field in FIELDS for name in field.sets]
    assert sorted(filled) == sorted(field.name for field in fields(Policy))
    assert set(TASK_FIELDS) == {name for name in filled if name in TaskSpec.__struct_fields__}


def test_every_row_has_a_direction() -> None:
    assert set(CASES) | set(EQUAL) == set(BY_NAME)
    assert all(field.stricter for field in FIELDS)


@pytest.mark.parametrize(("name", "change"), [(name, one) for name, case in CASES.items() for one in case[1]])
def test_relaxed_field_is_reported_by_its_own_row_only(name: str, change: Change) -> None:
    before = CASES[name][0]
    after = replace(before, **change)
    assert set(change) <= set(BY_NAME[name].sets)
    assert [field.name for field in FIELDS if field.relaxed(before, after)] == [name]
    assert is_relaxed(before, after)


@pytest.mark.parametrize(
    ("name", "change"),
    [(name, one) for name, case in CASES.items() for one in case[2]]
    + [(name, one) for name, changes in EQUAL.items() for one in changes],
)
def test_stricter_field_is_reported_by_no_row(name: str, change: Change) -> None:
    before = CASES.get(name, (BASE,))[0]
    assert set(change) <= set(BY_NAME[name].sets)
    assert not is_relaxed(before, replace(before, **change))


def test_equal_policies_are_no_relaxation() -> None:
    for before in (BASE, CALM, Policy()):
        assert not is_relaxed(before, before)


@pytest.mark.parametrize(("name", "change"), [(name, one) for name, case in CASES.items() for one in case[1]])
def test_weaker_values_of_a_request_are_ignored_in_the_merge(name: str, change: Change) -> None:
    """A weaker value in a request leaves the policy's in force; a request without a deadline gets the policy's."""
    policy = CASES[name][0]
    weaker = replace(policy, **change)
    task = TaskSpec(**{name: getattr(weaker, name) for name in TASK_FIELDS})
    merged = merge_stricter(RequestSettings(task, weaker.deadline), policy)
    made = replace(policy, **merged)
    assert not is_relaxed(policy, made)
    if name != "on_timeout":  # a request that wants another end by silence loses the yes by silence
        assert getattr(made, BY_NAME[name].sets[0]) == getattr(policy, BY_NAME[name].sets[0])


def test_merge_keeps_the_stricter_value_of_each_field() -> None:
    policy = compile_policy({"approve": {"any": "team:dba"}, "deadline": "8h"})
    asked = TaskSpec(
        stages=(Stage(("per_x",), 3, 2),),
        self_approval=False,
        remind=Reminders(HOUR, HOUR),
        risk=Risk.HIGH,
        escalate=(Escalation(HOUR, ("per_x",)),),
        hours=DAYS,
        deadline_in_hours=True,
    )
    merged = merge_stricter(RequestSettings(asked, HOUR), policy)
    assert merged == {
        "stages": (Stage(("team:dba",), 3, 1),),
        "self_approval": False,
        "remind": Reminders(HOUR, HOUR),
        "escalate": (),
        "deadline": HOUR,
        "fallback": Fallback.EXPIRE,
        "fallback_outcome": "",
        "hours": None,
        "deadline_in_hours": False,
        "strength": Strength.SESSION,
        "risk": Risk.HIGH,
        "edits": Edits.PROPOSE,
        "digest": None,
    }
