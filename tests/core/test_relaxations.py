"""Each way in which a later policy can be looser than an earlier one, alone and by name; and each field's direction."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import fields, replace

from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Edits, Escalation, Fallback, Risk, Stage, Strength
from signoff.core.plan.working_hours import Hours
from signoff.core.policy.fields import is_relaxed, why_relaxed
from signoff.core.policy.policy import Policy

HOUR = timedelta(hours=1)
DAY = Hours("UTC")
NIGHT = Hours("Europe/Berlin")
STRICT = Policy(
    stages=(Stage(("team:dba",), need=2), Stage(("per_ann", "per_otto"), every=True)),
    self_approval=False,
    remind=Reminders(HOUR, HOUR, 3),
    escalate=(Escalation(2 * HOUR, ("role:owner",)),),
    deadline=8 * HOUR,
    strength=Strength.SESSION,
    risk=Risk.HIGH,
)


def why(before: Policy = STRICT, **changed: Any) -> list[str]:
    return why_relaxed(before, replace(before, **changed))


# One change each; nothing else is different, so no clause hides another one.
LOOSER: list[tuple[str, dict[str, Any], str]] = [
    ("strength", {"strength": Strength.LINK}, "a weaker sign-in is enough: link, not session"),
    ("edits", {"edits": Edits.APPROVE}, "approvers may change the request and approve the change in one step"),
    ("risk", {"risk": Risk.MEDIUM}, "it counts as medium risk, not high"),
    ("risk", {"risk": Risk.LOW}, "it counts as low risk, not high"),
    ("self_approval", {"self_approval": True}, "the requester may decide it"),
    ("self_approval", {"self_approval": None}, "the requester may decide it"),
    ("stages", {"stages": STRICT.stages[:1]}, "it has 1 instead of 2 stages"),
    ("stages", {"stages": (Stage(("team:dba",)), STRICT.stages[1])}, "stage 1 needs 1 instead of 2"),
    (
        "stages",
        {"stages": (Stage(("team:dba",), need=2, reject_after=2), STRICT.stages[1])},
        "stage 1 ends after 2 rejections instead of 1",
    ),
    (
        "stages",
        {"stages": (Stage(("team:dba", "team:dev"), need=2), STRICT.stages[1])},
        "stage 1 may be decided by other people than before",
    ),
    ("stages", {"stages": (Stage(need=2), STRICT.stages[1])}, "stage 1 may be decided by other people than before"),
    (
        "stages",
        {"stages": (STRICT.stages[0], Stage(("per_ann",), every=True))},
        "stage 2 may be decided by other people than before",
    ),
    (
        "stages",
        {"stages": (STRICT.stages[0], Stage(("per_ann", "per_otto")))},
        "stage 2 may be decided by other people than before",
    ),
    (
        "escalate",
        {"escalate": (Escalation(HOUR, ("role:owner",)),)},
        "its escalation reaches other people than before, or reaches them earlier",
    ),
    (
        "escalate",
        {"escalate": (Escalation(2 * HOUR, ("role:owner", "per_eve")),)},
        "its escalation reaches other people than before, or reaches them earlier",
    ),
    ("hours", {"hours": DAY}, "its escalation may come earlier: its working hours differ"),
    ("deadline", {"deadline": 9 * HOUR}, "there is more time to approve"),
    ("deadline", {"deadline": None}, "there is more time to approve"),
    (
        "deadline_in_hours",
        {"deadline_in_hours": True},
        "its deadline pauses outside these hours, so there is more time to approve",
    ),
    (
        "fallback",
        {"fallback": Fallback.OUTCOME, "fallback_outcome": "approved"},
        "an unanswered task has a different fallback",
    ),
    ("goto", {"goto": "apply"}, "an unanswered task has a different fallback"),
    (
        "goto_as",
        {"goto": "apply", "goto_as": "success"},
        "an unanswered task counts as a success, through step apply",
    ),
]  # fmt: skip
STRICTER: list[tuple[str, dict[str, Any]]] = [
    ("strength", {"strength": Strength.STEP_UP}),
    ("risk", {"risk": Risk.CRITICAL}),
    ("stages", {"stages": (*STRICT.stages, Stage())}),
    ("stages", {"stages": (Stage(("team:dba",), need=3), STRICT.stages[1])}),
    ("stages", {"stages": (STRICT.stages[0], Stage(("per_otto", "per_ann"), every=True))}),
    ("escalate", {"escalate": ()}),
    ("escalate", {"escalate": (Escalation(3 * HOUR, ("role:owner",)),)}),
    ("deadline", {"deadline": 7 * HOUR}),
    ("fallback", {"fallback": Fallback.REJECT}),
    ("digest", {"digest": HOUR}),  # when people are asked, not who decides
    ("remind", {"remind": None}),  # reminders decide nothing
    ("remind", {"remind": Reminders(HOUR, HOUR, 9)}),
]


@pytest.mark.parametrize(("field", "changed", "said"), LOOSER)
def test_single_relaxation_is_reported_alone(field: str, changed: dict[str, Any], said: str) -> None:
    assert field in changed
    assert why(**changed) == [said]
    assert is_relaxed(STRICT, replace(STRICT, **changed))


@pytest.mark.parametrize(("field", "changed"), STRICTER)
def test_equal_or_stricter_policy_is_no_relaxation(field: str, changed: dict[str, Any]) -> None:
    assert field in changed
    assert why(**changed) == []
    assert not is_relaxed(STRICT, replace(STRICT, **changed))


def test_every_field_of_a_policy_is_compared() -> None:
    """A new field needs a row above that says in which direction it is looser."""
    compared = {field for row in (*LOOSER, *STRICTER) for field in row[1]}
    assert compared == {field.name for field in fields(Policy)}


def test_policy_does_not_relax_itself() -> None:
    assert why() == []


def test_naming_some_of_all_approvers_is_stricter() -> None:
    anybody = Policy()
    assert why(anybody, stages=(Stage(("role:approver",)),)) == []
    assert why(anybody, stages=(Stage(("team:dba",)),)) != []
    assert why(anybody, self_approval=False) == []
    assert why(anybody, self_approval=True) == ["the requester may decide it"]
    allowed = Policy(self_approval=True)
    assert why(allowed, self_approval=None) != []
    assert why(allowed, self_approval=False) == []


def test_several_relaxations_are_all_reported() -> None:
    found = why(strength=Strength.LINK, risk=Risk.LOW, stages=(Stage(("team:dba",), reject_after=3),))
    assert found == [
        "it has 1 instead of 2 stages",
        "stage 1 needs 1 instead of 2",
        "stage 1 ends after 3 rejections instead of 1",
        "a weaker sign-in is enough: link, not session",
        "it counts as low risk, not high",
    ]


def test_equal_escalation_in_other_hours_is_a_relaxation() -> None:
    hourly = replace(STRICT, hours=DAY, deadline=None)
    assert why(hourly, hours=NIGHT) == ["its escalation may come earlier: its working hours differ"]
    assert why(replace(hourly, escalate=()), hours=NIGHT) == []


def test_repeated_escalation_to_the_same_people_counts_from_the_first() -> None:
    twice = replace(STRICT, escalate=(Escalation(HOUR, ("per_x",)), Escalation(3 * HOUR, ("per_x", "per_y"))))
    assert why(twice, escalate=(Escalation(2 * HOUR, ("per_x",)),)) == []
    assert why(twice, escalate=(Escalation(2 * HOUR, ("per_y",)),)) != []


# -- silence

YES = replace(STRICT, fallback=Fallback.OUTCOME, fallback_outcome="approved", risk=Risk.LOW, escalate=())


def test_approval_by_expiry_at_another_time_is_a_relaxation() -> None:
    assert why(YES) == []
    assert why(YES, deadline=7 * HOUR) != [], "sooner: less time for a no"
    assert why(YES, deadline=9 * HOUR) != []
    assert why(replace(YES, deadline_in_hours=True, hours=DAY), hours=NIGHT) != []
    assert why(YES, fallback=Fallback.EXPIRE, fallback_outcome="") == []
    assert why(YES, fallback=Fallback.REJECT, fallback_outcome="") == []
    assert why(YES, fallback_outcome="override_approved") != []
    assert why(YES, fallback_outcome="rejected") != []


def test_earlier_rejection_by_expiry_is_no_relaxation() -> None:
    no = replace(YES, fallback_outcome="rejected")
    assert why(no, deadline=7 * HOUR) == []


def test_another_step_after_expiry_is_a_relaxation() -> None:
    routed = replace(STRICT, goto="apply")
    assert why(routed, goto="undo") != []
    assert why(routed, goto="") == []
    success = replace(routed, goto_as="success")
    assert why(success, goto_as="") == []
    assert why(success) == []
    assert why(success, goto="undo") != []


@pytest.mark.parametrize("counts_as", ["", "success"])
def test_earlier_continuation_after_expiry_is_a_relaxation(counts_as: str) -> None:
    """The step that follows may ask fewer people, or run an agent."""
    goes_on = replace(STRICT, goto="later", goto_as=counts_as)
    said = ["there is less time to decide before the request continues with step later"]
    assert why(goes_on, deadline=timedelta(seconds=1)) == said
    assert why(goes_on, deadline=9 * HOUR) == ["there is more time to approve"]
    assert why(goes_on, deadline=7 * HOUR, goto_as="") == said
    paused = replace(goes_on, deadline_in_hours=True, hours=DAY, escalate=())
    said = ["an unanswered task continues with step later at another time"]
    assert why(paused, deadline_in_hours=False) == said
    assert why(goes_on) == why(paused) == []


def test_shorter_deadline_in_the_same_hours_is_no_relaxation() -> None:
    counted = replace(STRICT, deadline_in_hours=True, hours=DAY, escalate=())
    assert why(counted, deadline=7 * HOUR) == []
    assert why(counted, deadline_in_hours=False) == []
    assert why(counted, hours=NIGHT) != []


def test_added_deadline_is_no_relaxation() -> None:
    assert why(replace(STRICT, deadline=None), deadline=HOUR) == []


def test_custom_fallback_outcome_could_approve() -> None:
    assert not Policy().approves_on_expiry
    assert not Policy(fallback=Fallback.OUTCOME, fallback_outcome="rejected").approves_on_expiry
    assert Policy(fallback=Fallback.OUTCOME, fallback_outcome="approved").approves_on_expiry
    assert Policy(fallback=Fallback.OUTCOME, fallback_outcome="ship-it").approves_on_expiry
    assert not Policy(fallback=Fallback.REJECT, fallback_outcome="approved").approves_on_expiry
