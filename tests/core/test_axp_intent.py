"""Direct AXP intents: a published client's request becomes the plan that its author meant."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.core.directory.agent_address import INTERNAL
from signoff.core.errors import Invalid
from signoff.core.formats import axp_intent
from signoff.core.formats.axp_intent import AxpIntent, compile_axp_intent
from signoff.core.plan.plan import UNSAID, AgentStep, HumanStep, Plan, check_plan
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import TaskSpec, TaskType
from signoff.core.text.durations import LONGEST
from tests.core.documents import anything, json_objects, tried

VALIDATOR = "agent://acme/prod/validator"


def compiled(**fields: Any) -> AxpIntent:
    return compile_axp_intent({"intent_type": "intent.change.v1", "payload": {}, **fields})


def asked(direct: AxpIntent) -> TaskSpec:
    step = direct.plan.steps[-1]
    assert isinstance(step, HumanStep)
    return step.task


def refused(**fields: Any) -> Invalid:
    with pytest.raises(Invalid) as refusal:
        compiled(**fields)
    return refusal.value


# -- which plan


def test_intent_with_an_agent_address_is_one_direct_step() -> None:
    direct = compiled(to_agent=VALIDATOR, max_delivery_attempts=5)
    assert direct.plan == Plan(
        steps=(AgentStep(id="agent", agent=VALIDATOR, max_retries=UNSAID, max_attempts=5),), direct=True
    )
    assert direct.to_agent == VALIDATOR


def test_intents_to_one_agent_share_one_plan() -> None:
    assert compiled(to_agent=VALIDATOR).plan is compiled(to_agent=VALIDATOR, payload={"n": 1}).plan


def test_intent_without_a_recipient_waits_for_a_resume() -> None:
    direct = compiled()
    assert direct.plan == Plan(
        steps=(AgentStep(id="agent", agent=INTERNAL, max_retries=UNSAID),), direct=True
    )


@pytest.mark.parametrize(
    "to_agent", [None, "", "agent://agent_core", "agent://acme/prod/agent_core", "human"]
)
def test_human_task_without_an_agent_is_one_human_step(to_agent: str | None) -> None:
    direct = compiled(to_agent=to_agent, human_task={"title": "Ship it?"})
    (step,) = direct.plan.steps
    assert isinstance(step, HumanStep)
    assert step.task.title == "Ship it?"
    assert step.task.stages[0].approvers == ()
    assert not direct.plan.direct


def test_agent_step_precedes_the_human_step() -> None:
    direct = compiled(to_agent=VALIDATOR, human_task={"title": "Ship it?"})
    assert [type(step) for step in direct.plan.steps] == [AgentStep, HumanStep]
    assert not direct.plan.direct


@pytest.mark.parametrize(
    ("to_agent", "approvers"), [("human", ()), ("Ann@acme.example", ("ann@acme.example",))]
)
def test_intent_to_a_person_opens_a_task_for_that_person(to_agent: str, approvers: tuple[str, ...]) -> None:
    task = asked(compiled(to_agent=to_agent))
    assert task.title == "Approval required"
    assert task.stages[0].approvers == approvers


# -- the request


def test_fields_of_a_request_are_read() -> None:
    direct = compiled(
        to_agent="validator",
        reply_to="initiator://inbox",
        from_agent="agent://acme/prod/me",
        correlation_id="c-1",
        deadline_at="2030-01-31T20:00:00.123456789+02:00",
        payload={"amount": "12.50 EUR"},
    )
    assert direct.reply_to == "initiator://inbox"
    assert direct.claimed_from == "agent://acme/prod/me"
    assert direct.correlation_id == "c-1"
    assert direct.deadline_at == datetime(2030, 1, 31, 18, 0, 0, 123457, tzinfo=UTC)
    assert direct.payload == {"amount": "12.50 EUR"}
    assert direct.warnings == ()


def test_camel_case_names_are_accepted() -> None:
    direct = compile_axp_intent(
        {"intentType": "intent.change.v1", "toAgent": VALIDATOR, "payload": {"keptAsIs": 1}}
    )
    assert (direct.intent_type, direct.to_agent, direct.payload) == (
        "intent.change.v1",
        VALIDATOR,
        {"keptAsIs": 1},
    )


def test_field_in_two_contradictory_spellings_is_refused() -> None:
    with pytest.raises(Invalid, match="to_agent and toAgent") as refused:
        compiled(to_agent=VALIDATOR, toAgent="other")
    assert refused.value.code == "contradictory_field"
    assert compiled(to_agent=VALIDATOR, toAgent=VALIDATOR).to_agent == VALIDATOR


def test_unknown_fields_are_the_payload_if_there_is_none() -> None:
    direct = compile_axp_intent({"intent_type": "intent.change.v1", "change": "x", "to_agent": VALIDATOR})
    assert direct.payload == {"change": "x"}
    assert direct.warnings == ()


def test_unknown_fields_next_to_a_payload_are_warnings() -> None:
    direct = compiled(to_agnet="x", payload={"a": 1})
    assert direct.payload == {"a": 1}
    assert direct.warnings == ("to_agnet: unknown field, ignored (Did you mean 'to_agent'?).",)


@pytest.mark.parametrize("intent_type", ["human_approval.v1", "test.v1", "Task-1"])
def test_type_outside_the_published_pattern_is_accepted_some_with_a_warning(intent_type: str) -> None:
    assert compiled(intent_type=intent_type).intent_type == intent_type


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"intent_type": ""}, "intent_type"),
        ({"intent_type": "a b"}, "intent_type"),
        ({"intent_type": 7}, "intent_type"),
        ({"to_agent": "a/b/c/d"}, "to_agent"),
        ({"payload": []}, "payload"),
        ({"payload": {"n": 2**60}}, "payload.n"),
        ({"deadline_at": "tomorrow"}, "deadline_at"),
        ({"deadline_at": "2030-01-31T20:00:00"}, "deadline_at"),
        ({"deadline_at": "0001-01-01T00:00:00+10:00"}, "deadline_at"),
        ({"max_delivery_attempts": 1.5}, "max_delivery_attempts"),
        ({"max_delivery_attempts": -1}, "max_delivery_attempts"),
        ({"human_task": "approve it"}, "human_task"),
        ({"human_task": {"title": "x" * 256}}, "human_task.title"),
        ({"human_task": {"title": "a\x1b[2Jb"}}, "human_task.title"),
        ({"human_task": {"description": "x" * 2001}}, "human_task.description"),
        ({"human_task": {"allowed_outcomes": ["x"] * 21}}, "human_task.allowed_outcomes"),
        ({"human_task": {"allowed_outcomes": ["x" * 65]}}, "human_task.allowed_outcomes[0]"),
        ({"human_task": {"required_comment": 1}}, "human_task.required_comment"),
        ({"human_task": {"form_schema": {"type": "string"}}}, "human_task.form_schema"),
        ({"human_task": {}, "remind_after_seconds": "soon"}, "remind_after_seconds"),
        ({"human_task": {}, "remind_after_seconds": {"a": 1}}, "remind_after_seconds"),
    ],
)
def test_value_of_the_wrong_type_is_refused_by_field(fields: dict[str, Any], field: str) -> None:
    refusal = refused(**fields)
    assert refusal.field == field
    assert field in refusal.message


# -- the human task


def test_task_gets_the_defaults_of_its_type() -> None:
    task = asked(compiled(human_task={"task_type": "manual_action"}))
    assert task.type is TaskType.MANUAL_ACTION
    assert task.title == "Manual action required"
    assert task.outcomes == TaskType.MANUAL_ACTION.outcomes
    assert task.evidence_required
    assert not task.comment_required


@pytest.mark.parametrize(
    ("word", "kind"),
    [("provide_data", TaskType.FORM), ("reroute", TaskType.ASSIGNMENT), ("escalate", TaskType.APPROVAL)],
)
def test_published_type_names_have_equivalents(word: str, kind: TaskType) -> None:
    assert asked(compiled(human_task={"task_type": word})).type is kind


def test_unknown_task_type_is_an_approval_with_a_warning() -> None:
    direct = compiled(human_task={"task_type": "vibe_check"})
    assert asked(direct).type is TaskType.APPROVAL
    assert "vibe_check" in direct.warnings[0]


def test_comment_is_required_by_the_task_type_by_default() -> None:
    assert asked(compiled(human_task={"task_type": "override"})).comment_required
    assert not asked(
        compiled(human_task={"task_type": "override", "required_comment": False})
    ).comment_required
    assert asked(compiled(human_task={"required_comment": "true"})).comment_required


def test_outcomes_without_an_approval_are_a_warning() -> None:
    direct = compiled(human_task={"allowed_outcomes": ["ship", "hold"]})
    assert asked(direct).outcomes == ("ship", "hold")
    assert any("none of these approves" in warning for warning in direct.warnings)


def test_only_assignees_may_answer() -> None:
    task = asked(compiled(human_task={"assignees": ["Ann@acme.example", "per_7", "approver", "role:admin"]}))
    assert task.stages[0].approvers == ("ann@acme.example", "per_7", "role:approver", "role:admin")
    labelled = compiled(human_task={"assignees": ["sre_oncall"]})
    assert asked(labelled).stages[0].approvers == ("sre_oncall",)  # whom the workspace knows by it, or nobody
    assert asked(labelled).holder == "sre_oncall"


@pytest.mark.parametrize("word", ["approvers", "assignee", "policy", "approve", "need", "self_approval"])
def test_ineffective_fields_about_approvers_are_named(word: str) -> None:
    assert compiled(human_task={word: ["ann@acme.example"]}).deciders == (f"human_task.{word}",)
    assert compiled(human_task={word: None}).deciders == ()


def test_fields_about_approvers_beside_the_task_are_named() -> None:
    assert compiled(human_task={}, assignees=["ann@acme.example"]).deciders == ("assignees",)
    assert compiled(to_agent="validator", assignees=["ann@acme.example"]).deciders == ()  # nobody is asked


def test_notify_email_notifies_and_does_not_restrict_approvers() -> None:
    task = asked(compiled(human_task={"notify_email": "boss@acme.example"}))
    assert task.notify == ("boss@acme.example",)
    assert task.stages[0].approvers == ()


def test_object_schema_without_a_type_is_completed() -> None:
    form = asked(compiled(human_task={"form_schema": {"properties": {"n": {"type": "integer"}}}})).form
    assert form == {"type": "object", "properties": {"n": {"type": "integer"}}}


# -- reminders and escalation


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def test_reminders_have_a_default_interval_and_number() -> None:
    task = asked(compiled(human_task={}, remind_after_seconds=300))
    assert task.remind == Reminders(after=seconds(300), every=seconds(300), at_most=3)


def test_zero_seconds_mean_unset() -> None:
    assert asked(compiled(human_task={}, remind_after_seconds=0)).remind is None
    assert compiled(max_delivery_attempts=0) == compiled()
    assert asked(compiled(human_task={}, remind_after_seconds=60, max_reminders=0)).remind is None


def test_escalation_follows_one_interval_after_the_last_reminder() -> None:
    timing = {"remind_after_seconds": 60, "remind_interval_seconds": 30, "max_reminders": 4}
    (rung,) = asked(compiled(human_task={}, escalate_to="bob@acme.example", **timing)).escalate
    assert rung.after == seconds(60 + 30 * 3 + 30)
    assert rung.to == ("bob@acme.example",)


def test_escalation_without_reminders_follows_after_an_hour() -> None:
    (rung,) = asked(compiled(human_task={}, escalate_to="user://ops-lead")).escalate
    assert (rung.after, rung.to) == (timedelta(hours=1), ("user://ops-lead",))


def test_escalation_time_is_bounded_by_the_calendar() -> None:
    timing = {"remind_after_seconds": LONGEST.total_seconds(), "max_reminders": 1000}
    (rung,) = asked(compiled(human_task={}, escalate_to="owner", **timing)).escalate
    assert (rung.after, rung.to) == (LONGEST, ("role:owner",))


# -- properties


@given(anything)
def test_any_body_compiles_or_is_refused(body: Any) -> None:
    direct, refusal = tried(lambda: compile_axp_intent(body))
    if direct is None:
        assert refusal is not None
        assert refusal.message
        return
    check_plan(direct.plan)


@given(
    json_objects(
        {
            "intent_type": st.just("intent.a.v1"),
            "to_agent": st.sampled_from(["x", "human", "agent_core", "a@b", ""]),
            "human_task": json_objects(
                {"task_type": st.sampled_from(list(TaskType)), "title": st.text(max_size=9)}
            ),
            "remind_after_seconds": st.one_of(st.integers(0, 9**9), st.text("0123456789ms", max_size=5)),
            "escalate_to": st.sampled_from(["owner", "bob"]),
        }
    )
)
def test_plan_survives_encoding(body: dict[str, Any]) -> None:
    direct, _ = tried(lambda: compile_axp_intent(body))
    if direct:
        assert msgspec.json.decode(msgspec.json.encode(direct.plan), type=Plan) == direct.plan


@pytest.mark.parametrize(
    "word",
    [
        "Assignees",
        "assignes",
        "ASSIGNEES",
        "Approvers",
        "aprovers",
        "assigned-to",
        "rejectAfter",
        "assign_to",
        "assigneeEmail",
        "allowed_approvers",
        "min_approvals",
        "quorum",
        "reviewers",
        "team",
        "roles",
    ],
)
def test_other_spellings_of_approver_fields_are_named_as_ineffective(word: str) -> None:
    assert compiled(human_task={word: ["ann@acme.example"]}).deciders == (f"human_task.{word}",)
    assert compiled(human_task={word: ""}).deciders == ()


def test_misspelled_on_behalf_of_is_named_as_ineffective() -> None:
    assert compiled(human_task={}, on_behalf="ann@acme.example").deciders == ("on_behalf",)
    assert compiled(human_task={}, onbehalf_of="ann@acme.example").deciders == ("onbehalf_of",)
    assert compiled(human_task={}, onBehalfOf="ann@acme.example").on_behalf_of == "ann@acme.example"


@pytest.mark.parametrize("empty", [[], [""], [" "], [None], "", " "])
def test_assignees_that_name_nobody_do_not_open_the_task_to_everybody(empty: object) -> None:
    with pytest.raises(Invalid, match=r"human_task\.assignees: names nobody"):
        compiled(human_task={"assignees": empty})
    assert asked(compiled(human_task={"assignees": None})).stages[0].approvers == ()
    assert asked(compiled(human_task={"assignees": ["", "per_7"]})).stages[0].approvers == ("per_7",)


@pytest.mark.parametrize(
    "word",
    [
        "requires_approval",
        "requiresApproval",
        "approval_required",
        "human_Task",
        "human_tasks",
        "approvers",
        "assignees",
    ],
)
def test_unknown_field_that_requests_people_is_named_if_no_task_opens(word: str) -> None:
    assert compiled(payload={}, to_agent="validator", **{word: True}).demands == (word,)
    assert compiled(payload={}, to_agent="validator", **{word: False}).demands == ()
    assert compiled(payload={}, human_task={}, **{word: True}).demands == ()


FLAT: dict[str, Any] = {"intent_type": "intent.change.v1", "change": "x"}
DATA: dict[str, Any] = {
    "team": "sre",
    "owner": "ann@acme.example",
    "requested_by": "ann@acme.example",
    "role": "dba",
    "approval_id": "a",
    "change_policy": "x",
    "human_readable": True,
    "strength": 3,
}


@pytest.mark.parametrize(
    "word",
    ["approvers", "Approvers", "aprovers", "assignees", "min_votes", "quorum", "policy", "onBehalfOff"],
)
def test_approver_field_next_to_a_task_is_not_taken_for_payload(word: str) -> None:
    flat = compile_axp_intent({**FLAT, "human_task": {"title": "Sure?"}, word: ["ann@acme.example"]})
    assert flat.deciders == (word,)


@pytest.mark.parametrize(
    "word", ["human_tsk", "humanTasks", "requires_approval", "requireApproval", "approvers"]
)
def test_field_that_requests_people_is_not_taken_for_payload(word: str) -> None:
    assert compile_axp_intent({**FLAT, "to_agent": VALIDATOR, word: {"title": "Sure?"}}).demands == (word,)


@pytest.mark.parametrize("more", [{"to_agent": VALIDATOR}, {"human_task": {"title": "Sure?"}}])
def test_data_fields_are_the_payload_if_there_is_none(more: dict[str, Any]) -> None:
    flat = compile_axp_intent({**FLAT, **DATA, **more})
    assert (flat.payload, flat.deciders, flat.demands) == ({"change": "x", **DATA}, (), ())


def test_comparison_of_unknown_fields_is_limited() -> None:
    many = {f"approver{number}s": 1 for number in range(2_000)}
    assert len(compiled(human_task=many).deciders) <= 20


_ODD_TEXTS = (
    "", " ", "a", "intent.a.b.v1", "agent://acme/prod/validator", "validator", "ann@acme.example", "internal", "3",
    "x" * 300,
)  # fmt: skip
_ODD = st.none() | st.integers(-1, 2) | st.sampled_from(_ODD_TEXTS)
_NAMED = st.sampled_from(
    [
        "intent_type",
        "to_agent",
        "from_agent",
        "reply_to",
        "max_delivery_attempts",
        "payload",
        "correlation_id",
        "toAgent",
        "human_task",
        "approver",
    ]
)


def _outcome(body: dict[str, Any], *, checked: bool) -> Any:
    try:
        return compile_axp_intent(body, checked=checked)
    except Invalid as problem:
        return problem.code, problem.field, problem.message


@given(
    st.dictionaries(_NAMED, _ODD | st.just({"a": 1.5}) | st.just({}), max_size=6),
    st.sampled_from(["intent.a.b.v1", "odd type", "plain"]),
    st.dictionaries(st.text(max_size=3), _ODD, max_size=2),
)
def test_cached_request_compiles_as_a_new_one(
    body: dict[str, Any], kind: str, payload: dict[str, Any]
) -> None:
    for given_body in (
        body,
        {"intent_type": kind, **body},
        {**body, "intent_type": kind, "payload": payload},
    ):
        new = _outcome(given_body, checked=False)
        assert _outcome(given_body, checked=True) == new
        assert _outcome(given_body, checked=True) == new


def test_only_short_repeated_requests_are_cached() -> None:
    remembered = axp_intent._compiled.cache_info
    before = remembered()
    for number in range(9):
        body = {"intent_type": "intent.once.v1", "payload": {"n": number}, "correlation_id": f"c{number}"}
        made = compile_axp_intent(body, checked=True)
        assert (made.payload, made.correlation_id) == ({"n": number}, f"c{number}")
    assert (remembered().misses - before.misses, remembered().hits - before.hits) == (1, 8)
    between = remembered()
    task = {"intent_type": "intent.once.v1", "payload": {}, "human_task": {"title": "Ann's?"}}
    compile_axp_intent(task, checked=True)
    compile_axp_intent({"intent_type": "intent.once.v1"}, checked=True)
    assert remembered() == between
