"""A policy document: the meaning of each field; settings that could never have an effect are refused by name."""

from datetime import time, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.errors import Invalid
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Escalation, Fallback, Meaning, Outcome, Risk, Stage, Strength
from signoff.core.plan.working_hours import Hours
from signoff.core.policy.fields import compile_policy, read_policy
from signoff.core.policy.policy import Policy, applied
from signoff.core.text.document_reader import document
from tests.core.asking import REVIEW_WORDS, refusal, step

HOUR = timedelta(hours=1)


def refused(**source: Any) -> tuple[str, str | None]:
    met = refusal(lambda: compile_policy(source))
    assert isinstance(met, Invalid)
    assert met.hint is None or met.hint
    return met.code, met.field


def test_empty_policy_means_one_approver_by_link() -> None:
    assert compile_policy({}) == Policy(stages=(Stage(),), strength=Strength.LINK, risk=Risk.MEDIUM)


@pytest.mark.parametrize(
    ("approve", "stages"),
    [
        ({"any": "team:dba"}, (Stage(("team:dba",)),)),
        ({"any": ["team:dba"], "need": 3, "reject_after": 2}, (Stage(("team:dba",), 3, 2),)),
        ({"need": 2}, (Stage((), 2),)),
        ({"all": ["team:dba", "team:sec"]}, (Stage(("team:dba", "team:sec"), every=True),)),
        ([{}, {"any": ["per_ann"]}], (Stage(), Stage(("per_ann",)))),
    ],
)
def test_approve_field_compiles_to_stages(approve: Any, stages: tuple[Stage, ...]) -> None:
    assert compile_policy({"approve": approve}).stages == stages


@pytest.mark.parametrize(
    "names", [["team:a", "team:a"], ["ann@acme.example", "team:a", "person:Ann@acme.example"]]
)
def test_duplicate_entry_in_all_is_refused(names: list[str]) -> None:
    source = {"approve": [{"all": names}]}
    met = refusal(lambda: read_policy(document(source)))
    assert isinstance(met, Invalid)
    assert (met.field, "need: 2" in (met.hint or "")) == ("approve[0].all", True)
    assert len(compile_policy(source).stages[0].approvers) == len(names) - 1, "what was stored before is read"


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"approve": []}, "approve"),
        ({"approve": {"any": ["team:a"], "all": ["team:b"]}}, "approve.all"),
        ({"approve": {"any": []}}, "approve.any"),
        ({"approve": {"all": []}}, "approve.all"),
        ({"approve": {"all": ["team:a"], "need": 2}}, "approve.need"),
        ({"approve": [{}, {"need": 0}]}, "approve[1].need"),
        ({"strength": "step_up"}, "strength"),
        ({"strength": "strong"}, "strength"),
        ({"risk": "high", "strength": "link"}, "strength"),
        ({"risk": "extreme"}, "risk"),
        ({"on_timeout": "reject"}, "on_timeout"),
        ({"deadline": "1h", "on_timeout": "ignore"}, "on_timeout"),
        ({"deadline": "1h", "on_timeout": "goto:"}, "on_timeout"),
        ({"deadline": "1h", "on_timeout": "outcome:"}, "on_timeout"),
        ({"deadline": "1h", "on_timeout": "outcome:approved"}, "on_timeout"),
        ({"deadline": "1h", "on_timeout": "outcome:changes_requested", "risk": "low"}, "on_timeout"),
        ({"deadline": "1h", "on_timeout": {"goto": "tell", "as": "failure"}}, "on_timeout.as"),
        ({"deadline": "1h", "remind": "1h"}, "remind"),
        ({"deadline": "1h", "remind": {"after": "2h"}}, "remind.after"),
        ({"deadline": "1h", "escalate": [{"after": "1h", "to": "per_x"}]}, "escalate[0].after"),
        ({"escalate": [{"after": "1h", "to": "per_x"}, {"after": "1h", "to": "per_y"}]}, "escalate[1].after"),
        ({"escalate": [{"after": "1h"}]}, "escalate[0].to"),
        ({"hours": {"zone": "Mars/Base"}}, "hours.zone"),
        ({"hours": {"from": "09:00"}}, "hours.zone"),
        ({"hours": {"zone": "UTC", "from": "9"}}, "hours.from"),
        ({"hours": {"zone": "UTC", "from": "24:00"}}, "hours.from"),
        ({"hours": {"zone": "UTC", "days": "mon-xyz"}}, "hours.days"),
        ({"hours": {"zone": "UTC", "days": "mo"}}, "hours.days"),
        ({"approvers": ["per_ann"]}, "approvers"),
    ],
)
def test_field_without_effect_is_refused_by_name(source: dict[str, Any], field: str) -> None:
    assert refused(**source)[1] == field


def test_reminders_and_escalation_have_a_short_and_a_long_form() -> None:
    assert compile_policy({"remind": "1h"}).remind == Reminders(HOUR, HOUR, 3)
    said = {"after": "1h", "every": "2h", "at_most": 5}
    assert compile_policy({"remind": said}).remind == Reminders(HOUR, 2 * HOUR, 5)
    assert compile_policy({"remind": {"after": "1h"}}).remind == Reminders(HOUR, HOUR, 3)
    assert compile_policy({}).remind is None
    one = {"after": "1h", "to": "per_x"}
    assert compile_policy({"escalate": one}).escalate == (Escalation(HOUR, ("per_x",)),)
    later = {"after": "2h", "to": ["per_y", "role:owner"]}
    assert compile_policy({"escalate": [one, later]}).escalate[1] == Escalation(
        2 * HOUR, ("per_y", "role:owner")
    )


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("expire", (Fallback.EXPIRE, "", "", "")),
        ("reject", (Fallback.REJECT, "", "", "")),
        ("goto: tell", (Fallback.EXPIRE, "", "tell", "")),
        ({"goto": "tell", "as": "success"}, (Fallback.EXPIRE, "", "tell", "success")),
        ({"goto": "tell"}, (Fallback.EXPIRE, "", "tell", "")),
        ("outcome:rejected", (Fallback.OUTCOME, "rejected", "", "")),
    ],
)
def test_fallback_field_compiles_to_what_follows_expiry(
    said: Any, meant: tuple[Fallback, str, str, str]
) -> None:
    made = compile_policy({"deadline": "1h", "on_timeout": said})
    assert (made.fallback, made.fallback_outcome, made.goto, made.goto_as) == meant
    assert compile_policy({"on_timeout": "expire", "deadline": "8h"}).fallback is Fallback.EXPIRE


def test_approval_by_expiry_requires_low_risk() -> None:
    source = {"deadline": "1h", "on_timeout": "outcome:approved"}
    assert compile_policy({**source, "risk": "low"}).fallback_outcome == "approved"
    for risk in ("medium", "high", "critical"):
        assert refused(**source, risk=risk)[1] == "on_timeout"


@pytest.mark.parametrize(
    ("source", "strength"),
    [
        ({"risk": "low"}, Strength.LINK),
        ({"risk": "medium"}, Strength.LINK),
        ({"risk": "high"}, Strength.SESSION),
        ({"risk": "critical"}, Strength.SESSION),
        ({"strength": "session"}, Strength.SESSION),
        ({"risk": "high", "strength": "session"}, Strength.SESSION),
        ({"strength": "link"}, Strength.LINK),
    ],
)
def test_risk_raises_the_required_sign_in(source: dict[str, Any], strength: Strength) -> None:
    assert compile_policy(source).strength is strength


def test_working_hours_are_read_with_what_they_delay() -> None:
    said = {
        "zone": "Europe/Berlin",
        "days": ["mon-wed", "fri, sunday"],
        "from": "08:30",
        "to": "24:00",
        "deadline": True,
    }
    made = compile_policy({"hours": said, "deadline": "8h"})
    assert made.hours == Hours("Europe/Berlin", (0, 1, 2, 4, 6), time(8, 30), time(0))
    assert made.deadline_in_hours
    plain = compile_policy({"hours": {"zone": "UTC"}})
    assert (plain.hours, plain.deadline_in_hours) == (Hours("UTC"), False)
    weekend = compile_policy({"hours": {"zone": "UTC", "days": "sat-mon"}}).hours
    assert weekend is not None
    assert weekend.days == (0, 5, 6)


# -- put on a step

STRICT = Policy(
    stages=(Stage(("team:dba",), 2),),
    self_approval=False,
    remind=Reminders(HOUR, HOUR, 3),
    escalate=(Escalation(HOUR, ("per_x",)),),
    deadline=8 * HOUR,
    hours=Hours("UTC"),
    deadline_in_hours=True,
    strength=Strength.SESSION,
    risk=Risk.HIGH,
    goto="tell",
    goto_as="success",
)


def test_step_gets_the_fields_of_its_policy() -> None:
    made = applied(step(), STRICT, "prod@3", "steps[0]")
    task = made.task
    assert (task.policy, task.stages, task.self_approval, task.strength) == (
        "prod@3",
        STRICT.stages,
        False,
        Strength.SESSION,
    )
    assert (task.remind, task.escalate, task.hours, task.risk) == (
        STRICT.remind,
        STRICT.escalate,
        STRICT.hours,
        Risk.HIGH,
    )
    assert (task.deadline_in_hours, task.fallback, task.fallback_outcome) == (True, Fallback.EXPIRE, "")
    assert (made.deadline, made.on_timeout, made.on_timeout_as) == (8 * HOUR, "tell", "success")
    assert made.from_policy == ("deadline", "on_timeout", "on_timeout_as")
    assert applied(step(), STRICT, "", "steps[0]").from_policy == ()


def test_deadline_and_route_of_a_step_override_the_policy() -> None:
    own = replace(step(deadline=HOUR), on_timeout="undo")
    made = applied(own, STRICT, "prod@3", "steps[0]")
    assert (made.deadline, made.on_timeout, made.on_timeout_as, made.from_policy) == (HOUR, "undo", None, ())


def test_fields_from_an_earlier_policy_are_removed() -> None:
    first = applied(step(), STRICT, "prod@3", "steps[0]")
    second = applied(first, Policy(), "calm@1", "steps[0]")
    assert (second.deadline, second.on_timeout, second.on_timeout_as, second.from_policy) == (
        None,
        None,
        None,
        (),
    )


def applying(policy: Policy, **spec: Any) -> Invalid:
    routed = spec.pop("on_timeout", None)
    met = refusal(lambda: applied(replace(step(**spec), on_timeout=routed), policy, "prod@3", "steps[0]"))
    assert isinstance(met, Invalid)
    assert met.field == "steps[0]"
    return met


def test_fallback_in_both_step_and_policy_is_refused() -> None:
    rejecting = Policy(deadline=HOUR, fallback=Fallback.REJECT)
    assert applying(rejecting, on_timeout="tell").code == "two_fallbacks"
    assert applied(step(), rejecting, "p@1", "s").task.fallback is Fallback.REJECT


def test_fallback_must_be_an_outcome_of_the_task_that_expiry_may_have() -> None:
    def fallback(word: str, risk: Risk = Risk.LOW) -> Policy:
        return Policy(deadline=HOUR, fallback=Fallback.OUTCOME, fallback_outcome=word, risk=risk)

    assert applying(fallback("confirmed")).code == "outcome_not_allowed"
    own = (Outcome("later", Meaning.REQUESTS_CHANGES), Outcome("ship", Meaning.APPROVES))
    words = ("ship", "later", *REVIEW_WORDS)
    assert "cannot request changes" in str(applying(fallback("later"), outcomes=words, own=own))
    assert "only if the risk is low" in str(applying(fallback("ship", Risk.MEDIUM), outcomes=words, own=own))
    made = applied(step(outcomes=words, own=own), fallback("ship"), "p@1", "s")
    assert (made.task.fallback, made.task.fallback_outcome) == (Fallback.OUTCOME, "ship")


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"approve": [{}]}, "approve[0]"),
        ({"approve": {}}, "approve"),
        ({"approve": [{"any": ["team:a"]}, {}]}, "approve[1]"),
        ({"approve": [{"any": []}]}, "approve[0].any"),
        ({"approve": [{"all": []}]}, "approve[0].all"),
        ({"hours": {"zone": "Europe/Berlin", "days": []}}, "hours.days"),
    ],
)
def test_empty_list_is_refused_and_does_not_mean_everybody(policy: dict[str, Any], field: str) -> None:
    met = refusal(lambda: read_policy(document(policy)))
    assert met.field == field
    assert "names no" in str(met)


@pytest.mark.parametrize("name", ["approve", "escalate"])
@pytest.mark.parametrize("written", [["ann@acme.example"], "ann@acme.example"])
def test_addresses_in_place_of_stages_or_levels_are_refused_with_an_example(
    name: str, written: object
) -> None:
    met = refusal(lambda: read_policy(document({name: written})))
    assert met.field == (f"{name}[0]" if isinstance(written, list) else name)
    assert f"{name}: [{{" in (met.hint or "")
