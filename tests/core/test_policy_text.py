"""The text of a policy matches the policy, to the second."""

from collections.abc import Iterable
from datetime import time, timedelta
from typing import Any

import pytest

from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Escalation, Fallback, Risk, Stage, Strength
from signoff.core.plan.wording import PROOFS
from signoff.core.plan.working_hours import Hours
from signoff.core.policy.fields import Clause, clauses, stage_text
from signoff.core.policy.policy import Policy

HOUR = timedelta(hours=1)


class Directory:
    """A directory that shows names unchanged."""

    def __init__(self, self_approval: bool = False) -> None:
        self.self_approval = self_approval

    def approvers(self, names: Iterable[str]) -> str:
        return "; ".join(names)

    def anyone(self) -> str:
        return "role owner"


def text(about: str, policy: Policy, **directory: bool) -> str:
    [found] = [clause.text for clause in clauses(policy, Directory(**directory)) if clause.about == about]
    return found


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=45), "45s"),
        (timedelta(seconds=90), "90s"),
        (timedelta(seconds=150), "2m 30s"),
        (timedelta(hours=8), "8h"),
        (timedelta(days=2, hours=12), "2d 12h"),
        (timedelta(days=1, seconds=59), "1d 59s"),
        (timedelta(days=1, hours=2, minutes=3, seconds=4), "1d 2h 3m 4s"),
    ],
)
def test_duration_is_shown_in_full(span: timedelta, said: str) -> None:
    assert text("On expiry", Policy(deadline=span)) == f"after {said} the task expires; nothing is approved"


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (Stage(), "one approval, from anyone who may approve: role owner"),
        (Stage(("team:dba",), 2), "2 different people of team:dba"),
        (
            Stage(("team:dba", "per_x"), every=True),
            "a different person for each of: team:dba; per_x",
        ),
        (Stage(("team:dba",), every=True), "one approval, from team:dba"),
        (Stage(("per_x",), 1, 2), "one approval, from per_x; 2 rejections end it"),
    ],
)
def test_stage_text_names_the_approvers(stage: Stage, said: str) -> None:
    assert stage_text(stage, Directory()) == said
    assert text("Who decides", Policy(stages=(stage,))) == said
    assert text("Stage 2", Policy(stages=(Stage(), stage))) == said


def test_own_requests_text_says_who_allows_or_bars_them() -> None:
    barred = "nobody on the requester's side may decide"
    assert text("Own requests", Policy()) == f"barred by the workspace: {barred}"
    assert text("Own requests", Policy(self_approval=False)) == f"barred by this policy: {barred}"
    allowed = "the requester may decide; the audit trail records it"
    assert text("Own requests", Policy(), self_approval=True) == f"allowed by the workspace: {allowed}"
    assert text("Own requests", Policy(self_approval=True)) == f"allowed by this policy: {allowed}"


def test_reminders_and_escalation_are_described() -> None:
    assert (
        text("Reminders", Policy(remind=Reminders(HOUR, 2 * HOUR, 3))) == "after 1h, then every 2h, at most 3"
    )
    assert text("Reminders", Policy(remind=Reminders(HOUR, HOUR, 1))) == "after 1h, at most 1"
    later = Policy(escalate=(Escalation(2 * HOUR, ("role:owner", "per_x")),))
    assert text("After 2h", later) == "role:owner; per_x may also decide"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"deadline": None}, "nothing happens: the task stays open"),
        ({}, "after 1h the task expires; nothing is approved"),
        (
            {"fallback": Fallback.REJECT},
            "after 1h the task expires and counts as rejected; nothing is approved",
        ),
        (
            {"fallback": Fallback.OUTCOME, "fallback_outcome": "denied"},
            "after 1h the task expires and counts as denied; nothing is approved",
        ),
        (
            {"fallback": Fallback.OUTCOME, "fallback_outcome": "approved"},
            "after 1h the task expires and the request continues as approved, because its risk is low",
        ),
        (
            {"fallback": Fallback.OUTCOME, "fallback_outcome": "ship"},
            "after 1h the task expires and the request continues as ship, as its workflow defines it",
        ),
        (
            {"goto": "tell"},
            "after 1h the task expires and the request continues with step tell and then fails, unless somebody "
            "approves there; nothing is approved",
        ),
        (
            {"goto": "tell", "goto_as": "success"},
            "after 1h the task expires and the request continues with step tell, which counts as a success; nothing is "
            "approved",
        ),
    ],
)
def test_expiry_text_describes_the_fallback(policy: dict[str, Any], said: str) -> None:
    assert text("On expiry", Policy(**{"deadline": HOUR, "risk": Risk.LOW, **policy})) == said


def test_working_hours_and_assurance_are_described() -> None:
    week = Hours("Europe/Berlin", (0, 1, 2, 3, 4), time(8), time(18))
    assert text("Hours", Policy(hours=week)) == (
        "mon to fri, 08:00 to 18:00, Europe/Berlin; outside them reminders and escalation pause"
    )
    odd = Policy(hours=Hours("UTC", (0, 2), time(8), time(18)), deadline_in_hours=True)
    assert text("Hours", odd) == (
        "mon, wed, 08:00 to 18:00, UTC; outside them reminders, escalation and the deadline pause"
    )
    assert text("Assurance", Policy(strength=Strength.SESSION)) == PROOFS[Strength.SESSION]
    said = "one message for what arrives within 1h 30m, unless a person has chosen otherwise"
    assert text("Digest", Policy(digest=timedelta(minutes=90))) == said
    abouts = [clause.about for clause in clauses(Policy(), Directory())]
    assert abouts == ["Who decides", "Own requests", "On expiry", "Assurance"]
    assert Clause("On expiry", "nothing happens: the task stays open") in clauses(Policy(), Directory())
