"""A default policy with a request's settings: never looser, whoever decides; and no agent runs before an approval."""

from datetime import timedelta
from itertools import combinations, permutations
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, Plan, check_plan
from signoff.core.plan.task_types import (
    Escalation,
    Fallback,
    Meaning,
    Risk,
    Stage,
    Strength,
    TaskSpec,
    TaskType,
    meaning_of,
)
from signoff.core.plan.working_hours import Hours
from signoff.core.policy.default_policy import missing_gate, under_default_policy, with_gate
from signoff.core.policy.fields import compile_policy, is_relaxed
from signoff.core.policy.policy import Policy

# No example is measured: the machine may be busy.
UNHURRIED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
NAMES = ("per_a", "per_b", "team:x", "role:y")
CROWD: dict[str, set[str]] = {  # what each person is called
    "a": {"per_a", "team:x"},
    "b": {"per_b", "role:y"},
    "c": {"team:x", "role:y"},
    "d": {"team:x"},
}
ANYBODY = {"role:owner", "role:admin", "role:approver"}
hours = st.integers(1, 12).map(lambda count: timedelta(hours=count))
names = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple)
zones = st.sampled_from([None, Hours("UTC"), Hours("Europe/Berlin")])


@st.composite
def stages(draw: st.DrawFn) -> tuple[Stage, ...]:
    found = []
    for _ in range(draw(st.integers(1, 3))):
        every, who = draw(st.booleans()), draw(names)
        need = 1 if every and who else draw(st.integers(1, 3))
        found.append(Stage(who, need, draw(st.integers(1, 3)), every and bool(who)))
    return tuple(found)


ladders = st.lists(st.tuples(hours, names.filter(bool)), max_size=3, unique_by=lambda rung: rung[0]).map(
    lambda rungs: tuple(Escalation(after, to) for after, to in sorted(rungs))
)
FALLBACKS = (
    (Fallback.EXPIRE, ""),
    (Fallback.REJECT, ""),
    (Fallback.OUTCOME, "rejected"),
    (Fallback.OUTCOME, "approved"),
    (Fallback.OUTCOME, "submitted"),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    deadline = draw(st.none() | hours)
    fallback, outcome = draw(st.sampled_from(FALLBACKS)) if deadline else FALLBACKS[0]
    risk = Risk.LOW if outcome in ("approved", "submitted") else draw(st.sampled_from(Risk))
    strong = draw(st.sampled_from([Strength.LINK, Strength.SESSION]))
    working = draw(zones)
    return Policy(
        stages=draw(stages()),
        self_approval=draw(st.sampled_from([None, True, False])),
        escalate=draw(ladders),
        deadline=deadline,
        deadline_in_hours=bool(working and draw(st.booleans())),
        fallback=fallback,
        fallback_outcome=outcome,
        hours=working,
        strength=Strength.SESSION if risk in (Risk.HIGH, Risk.CRITICAL) else strong,
        risk=risk,
    )


@st.composite
def requests(draw: st.DrawFn) -> HumanStep:
    kind = draw(st.sampled_from(TaskType))
    known = ("approved", "rejected", "submitted", "changes_requested", "declined", *kind.outcomes)
    fallback, outcome = draw(st.sampled_from(FALLBACKS))
    task = TaskSpec(
        type=kind,
        outcomes=draw(st.just(kind.outcomes) | st.lists(st.sampled_from(known), min_size=1).map(tuple)),
        stages=draw(stages()),
        notify=draw(names),
        escalate=draw(ladders),
        holder="me",
        self_approval=draw(st.sampled_from([None, True, False])),
        hours=draw(zones),
        deadline_in_hours=draw(st.booleans()),
        fallback=fallback,
        fallback_outcome=outcome,
        strength=draw(st.sampled_from(Strength)),
        risk=draw(st.sampled_from(Risk)),
        policy=draw(st.sampled_from(["", "", "earlier@4"])),
    )
    routes = st.none() | st.just("cleanup")
    return HumanStep(id="ask", task=task, deadline=draw(st.none() | hours), on_timeout=draw(routes))


def as_policy(step: HumanStep) -> Policy:
    task = step.task
    return Policy(
        task.stages,
        task.self_approval,
        task.remind,
        task.escalate,
        step.deadline,
        task.deadline_in_hours,
        task.fallback,
        task.fallback_outcome,
        "",
        task.hours,
        task.strength,
        task.risk,
    )


# -- a judge of its own: who could pass it with whose yes, by counting


def passes(stage: Stage, yes: tuple[str, ...]) -> bool:
    """Whether approvals by these people are enough."""
    may = [person for person in yes if CROWD[person] & set(stage.approvers or ANYBODY)]
    if stage.every:
        seats = range(len(stage.approvers))
        return len(may) >= stage.need and any(
            all(stage.approvers[seat] in CROWD[order[seat]] for seat in seats)
            for order in permutations(may, len(stage.approvers))
        )
    return len(may) >= stage.need


def reached(policy: Policy, at: timedelta) -> set[str]:
    return {name for rung in policy.escalate if rung.after <= at for name in rung.to}


def silent_yes(policy: Policy) -> Any:
    """When a timeout approves; None: never."""
    said = policy.fallback is Fallback.OUTCOME and policy.fallback_outcome in ("approved", "submitted")
    return (policy.deadline, policy.deadline_in_hours, policy.hours) if said else None


def judged_looser(before: Policy, after: Policy) -> str:
    """In what respect the later policy is looser than the earlier one; "" if in none."""
    crowds = [group for size in range(5) for group in combinations(CROWD, size)]
    pairs = list(zip(before.stages, after.stages, strict=False))
    times = [timedelta(hours=count) for count in range(14)]
    ranks = [*Risk]
    late = before.deadline is not None and (after.deadline is None or after.deadline > before.deadline)
    respects = {
        "a stage less": len(after.stages) < len(before.stages),
        "fewer people": any(passes(new, g) and not passes(old, g) for old, new in pairs for g in crowds),
        "more rejections": any(new.reject_after > old.reject_after for old, new in pairs),
        "others on the ladder": any(not reached(after, at) <= reached(before, at) for at in times),
        "another clock": bool(after.escalate) and after.hours != before.hours,
        "more time": late or (after.deadline_in_hours and not before.deadline_in_hours),
        "a yes on silence": silent_yes(after) not in (None, silent_yes(before)),
        "the own side": after.self_approval is not False and after.self_approval is not before.self_approval,
        "a weaker proof": [*Strength].index(after.strength) < [*Strength].index(before.strength),
        "a lower risk": ranks.index(after.risk) < ranks.index(before.risk),
    }
    return next((respect for respect, looser in respects.items() if looser), "")


@UNHURRIED
@given(policies(), requests())
def test_request_can_only_make_the_default_policy_stricter(policy: Policy, step: HumanStep) -> None:
    made, remarks = under_default_policy(step, policy, "strict@2")
    assert not is_relaxed(policy, as_policy(made))
    assert judged_looser(policy, as_policy(made)) == ""
    assert (made.task.policy, made.task.holder, bool(made.task.because)) == ("strict@2", "", True)
    asked = {*(name for stage in step.task.stages for name in stage.approvers)}
    if (
        not step.task.policy
    ):  # whom the request names is told, and the requester hears that it is no more than that
        assert asked <= set(made.task.notify)
        assert all(any(name in remark for remark in remarks) for name in asked)
    noes = {o for o in step.task.type.outcomes if meaning_of(o) is Meaning.REJECTS}
    assert not noes or any(meaning_of(o) is Meaning.REJECTS for o in made.task.outcomes)
    assert made.on_timeout is None or made.task.fallback is Fallback.EXPIRE


@UNHURRIED
@given(policies(), requests())
def test_default_policy_applies_unchanged_to_a_request_without_a_policy(
    policy: Policy, step: HumanStep
) -> None:
    bare = HumanStep(id="ask", task=TaskSpec(outcomes=("approved", "rejected", "submitted")))
    made, remarks = under_default_policy(bare, policy, "strict@2")
    assert (as_policy(made), remarks) == (policy, ())


@UNHURRIED
@given(policies(), policies(), requests())
def test_retry_under_another_policy_keeps_only_the_deadline(
    first: Policy, second: Policy, step: HumanStep
) -> None:
    once, _ = under_default_policy(step, first, "first@1")
    again, remarks = under_default_policy(once, second, "second@1")
    assert judged_looser(second, as_policy(again)) == ""
    assert (again.task.stages, again.task.strength, again.task.risk) == (
        second.stages,
        second.strength,
        second.risk,
    )
    assert (again.task.notify, again.task.outcomes, remarks) == (once.task.notify, once.task.outcomes, ())


def test_shorter_deadline_of_a_request_does_not_approve_sooner() -> None:
    policy = compile_policy({"risk": "low", "deadline": "1d", "on_timeout": "outcome:approved"})
    step = HumanStep(id="ask", task=TaskSpec(), deadline=timedelta(hours=1))
    made, _ = under_default_policy(step, policy, "quiet@1")
    assert (made.deadline, made.task.fallback) == (timedelta(hours=1), Fallback.EXPIRE)
    longer, _ = under_default_policy(
        HumanStep(id="ask", task=TaskSpec(), deadline=timedelta(days=9)), policy, "quiet@1"
    )
    assert (longer.deadline, longer.task.fallback_outcome) == (timedelta(days=1), "approved")


SOONER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a yes sooner": ({"deadline": "1d"}, {"deadline": "1h"}),
    "a yes by another clock": (
        {"deadline": "1d", "hours": {"zone": "UTC", "deadline": True}},
        {"deadline": "1d"},
    ),
}


@pytest.mark.parametrize("what", SOONER)
def test_earlier_approval_by_expiry_is_a_relaxation(what: str) -> None:
    quiet = {"risk": "low", "on_timeout": "outcome:approved"}
    before, after = (compile_policy({**quiet, **said}) for said in SOONER[what])
    assert is_relaxed(before, after)
    assert not is_relaxed(before, before)


def test_deadline_in_working_hours_is_a_relaxation() -> None:
    working = {"zone": "UTC", "days": "mon-fri", "from": "08:00", "to": "18:00"}
    wall = compile_policy({"deadline": "8h"})
    still = compile_policy({"deadline": "8h", "hours": {**working, "deadline": True}})
    assert is_relaxed(wall, still)
    assert not is_relaxed(still, wall)


# -- no agent before a yes


def agent(name: str = "work", **routes: Any) -> AgentStep:
    return AgentStep(id=name, agent="agent://o/w/a", **routes)


def ask(name: str = "ask", kind: TaskType = TaskType.APPROVAL, **routes: Any) -> HumanStep:
    return HumanStep(id=name, task=TaskSpec(type=kind, outcomes=kind.outcomes), **routes)


UNGATED: dict[str, tuple[Plan, list[str]]] = {
    "nobody is asked": (Plan((agent(),)), ["work"]),
    "asked before": (Plan((ask(), agent())), []),
    "asked afterwards": (Plan((agent(), ask(), agent("more"))), ["work"]),
    "entered behind the gate": (Plan((ask(), agent()), entry="work"), ["work"]),
    "a no leads there": (Plan((ask(on_failure="work"), agent())), ["work"]),
    "silence leads there": (Plan((ask(on_timeout="work"), agent())), ["work"]),
    "changes lead there": (Plan((ask(on_changes="work"), agent())), ["work"]),
    "another no leads there": (
        Plan((ask(on_failure="second"), ask("second", on_failure="work"), agent())),
        ["work"],
    ),
    "a pause before it": (Plan((DelayStep(id="wait", lasts=timedelta(1)), agent())), ["work"]),
    "a question is no gate": (Plan((ask(kind=TaskType.CLARIFICATION), agent())), ["work"]),
    "a form is no gate": (Plan((ask(kind=TaskType.FORM), agent())), ["work"]),
    "a review that goes back to it": (
        Plan((agent(), ask("review", TaskType.REVIEW), agent("more"))),
        ["work"],
    ),
    "people only": (Plan((ask(),)), []),
}


@pytest.mark.parametrize("what", UNGATED)
def test_gate_is_added_before_agents_that_could_run_unapproved(what: str) -> None:
    plan, early = UNGATED[what]
    assert missing_gate(check_plan(plan)) == early
    held = with_gate(plan)
    assert missing_gate(held) == []
    assert (held.direct, held.steps[1:], held.entry) == (False, plan.steps, "gate")
    assert held.by_id["gate"].on_success == (plan.entry or plan.steps[0].id)


def test_added_gate_gets_an_unused_name() -> None:
    plan = Plan((agent("gate"), agent("gate-2")))
    assert [step.id for step in with_gate(plan).steps] == ["gate-3", "gate", "gate-2"]
