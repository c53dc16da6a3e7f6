"""The steps of a scenario bundle: the people asked, the kind of each step, the reminders."""

from datetime import timedelta
from typing import Any

import pytest

from signoff.core.errors import Invalid
from signoff.core.formats.axp_scenario import compile_scenario
from signoff.core.plan.plan import AgentStep, DelayStep, HumanStep, NotifyStep
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Escalation, Stage
from tests.core.bundles import (
    LEAD,
    ONCALL,
    SIGN,
    bundle,
    errors_of,
    intent,
    only,
    seconds,
    task_of,
    warnings_of,
)

OWNER_TOOL = "tool.notification.notify_owner"

# -- who is asked


def test_contact_of_a_human_is_the_approver_and_a_bare_role_means_any_approver() -> None:
    assert task_of({**SIGN, "assigned_to": "lead"}).stages == (Stage(("lea@acme.example",)),)
    assert task_of({**SIGN, "assigned_to": "lead"}).holder == "Lea"
    assert task_of(SIGN).stages == (Stage(),)
    assert task_of(SIGN, humans=[{"role": "oncall", "contact": ""}]).holder == "oncall"


def test_assignees_may_name_roles_of_the_bundle() -> None:
    task = task_of({**SIGN, "human_task": {"assignees": ["lead", "bob@acme.example"]}})
    assert task.stages == (Stage(("lea@acme.example", "bob@acme.example")),)
    assert task.holder == "On-call engineer"


def test_only_human_is_the_approver_of_a_step_without_assignees() -> None:
    step = {"step_id": "s", "runtime_type": "human_approval"}
    assert task_of(step, humans=[LEAD]).stages == (Stage(("lea@acme.example",)),)
    assert task_of(step, humans=[LEAD, ONCALL]).stages == (Stage(),)


def test_unknown_assignee_is_refused_with_the_nearest_role() -> None:
    step = {**SIGN, "assigned_to": "user://ops-lead"}
    [refused] = errors_of(step)
    assert "not one of the bundle's humans" in str(refused)
    [close] = errors_of(
        {**SIGN, "assigned_to": "onclal", "requires_approval": True, "tool_id": "tool.human.approval.v1"}
    )
    assert "oncall" in str(close)


# -- which kind of step


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ({"assigned_to": "oncall"}, HumanStep),
        ({"assigned_to": "oncall", "tool_id": "tool.agent.task.v1"}, HumanStep),
        ({"assigned_to": "oncall", "tool_id": "tool.new.v9"}, HumanStep),
        ({"assigned_to": "oncall", "tool_id": OWNER_TOOL}, HumanStep),
        ({"assigned_to": "oncall", "runtime_type": "notification"}, HumanStep),
        ({"assigned_to": "someone@acme.example"}, HumanStep),
        ({"assigned_to": "human"}, HumanStep),
        ({"requires_approval": True}, HumanStep),
        ({"requires_approval": "true", "assigned_to": "checker"}, HumanStep),
        ({"human_task": {"title": "Sure?"}, "tool_id": "tool.agent.task.v1"}, HumanStep),
        ({"tool_id": "tool.human.approval.v1"}, HumanStep),
        ({"assigned_to": "oncall", "tool_id": SIGN["tool_id"], "requires_approval": False}, HumanStep),
        ({"assigned_to": "checker"}, AgentStep),
        ({"assigned_to": "agent://change-checker"}, AgentStep),
        ({"assigned_to": "checker", "tool_id": "tool.new.v9"}, AgentStep),
        ({"assigned_to": "checker", "tool_id": "tool.internal.delay"}, AgentStep),
        ({"assigned_to": "agent://other/ws/agent"}, AgentStep),
        ({"assigned_to": "unknown-bot"}, AgentStep),
        ({"tool_id": "tool.approval.check_window"}, AgentStep),
        ({"runtime_type": "delay", "config": {"seconds": 10}}, DelayStep),
        ({"assigned_to": "agent_core", "tool_id": "tool.internal.delay", "input": {"delay": 9}}, DelayStep),
        ({"runtime_type": "timeout", "step_deadline_seconds": 9}, DelayStep),
        ({"runtime_type": "notification"}, NotifyStep),
        ({"tool_id": "tool.internal.escalation", "escalate_to": "lead"}, NotifyStep),
        ({"assigned_to": "oncall", "runtime_type": "notification", "requires_approval": False}, NotifyStep),
        ({"assigned_to": "oncall", "tool_id": OWNER_TOOL, "requires_approval": False}, NotifyStep),
    ],
)
def test_assignee_determines_the_kind_of_step_before_the_tool(step: dict[str, Any], kind: type) -> None:
    assert type(only({"step_id": "s", **step})) is kind


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ({"tool_id": "tool.new.v9"}, "unknown tool_id: tool.new.v9"),
        ({"tool_id": "tool.agent.task.v2"}, "Did you mean 'tool.agent.task.v1'?"),
        ({"runtime_type": "dely"}, "Did you mean 'delay'?"),
        ({}, "steps.s.tool_id: the kind of this step is not given"),
        (
            {"assigned_to": "checker", "tool_id": "tool.approval.human_signoff"},
            "cannot give a human's sign-off",
        ),
        ({"assigned_to": "checker", "human_task": {}, "requires_approval": False}, "steps.s.human_task"),
        ({"runtime_type": "delay"}, "runtime_config.delay_seconds: is required"),
        ({"assigned_to": "a/b/c/d"}, "steps.s.assigned_to: has an empty part, or more than three"),
        ({"assigned_to": "oncall", "on_success": "nowhere"}, "'nowhere', which does not exist"),
        ({"assigned_to": "oncall", "human_task": {"form_schema": {"$ref": "http://x"}}}, "form_schema"),
    ],
)
def test_step_without_usable_fields_is_an_error(step: dict[str, Any], error: str) -> None:
    (message,) = errors_of({"step_id": "s", **step})
    assert error in message


def test_agent_task_without_an_agent_is_an_error() -> None:
    assert "it names the agent" in errors_of({"step_id": "s", "tool_id": "tool.agent.task.v1"}, agents=[])[0]


def test_delay_accepts_every_name_of_its_duration() -> None:
    for settings in ("runtime_config", "config", "input"):
        for name, value in (
            ("delay_seconds", 10),
            ("duration_seconds", "10"),
            ("seconds", 10.0),
            ("delay", "10s"),
        ):
            assert only({"step_id": "s", "runtime_type": "delay", settings: {name: value}}) == DelayStep(
                id="s", lasts=seconds(10)
            )


def test_notify_step_has_recipients_and_a_message() -> None:
    config = {"to": ["lead", "#ops"], "subject": "Done", "body": "Rolled out.", "channels": ["email"]}
    step = {"step_id": "s", "runtime_type": "notification", "config": config}
    assert only(step) == NotifyStep(id="s", to=("lea@acme.example", "#ops"), message="Done\n\nRolled out.")
    del config["to"]
    assert only(step) == NotifyStep(id="s", to=("lea@acme.example",), message="Done\n\nRolled out.")
    assert "the requester is notified" in warnings_of(step, humans=[])[0]


# -- reminders, escalation, macro parameters


def test_nearest_level_with_reminders_applies() -> None:
    far = intent(remind_after_seconds=600, remind_interval_seconds=60, max_reminders=5, escalate_to="lead")
    near = task_of({**SIGN, "remind_after_seconds": 30}, intent=far)
    assert near.remind == Reminders(seconds(30), seconds(30), 5)
    assert near.escalate == (Escalation(seconds(30 + 30 * 5), ("lea@acme.example",)),)
    assert task_of(SIGN, intent=far).remind == Reminders(seconds(600), seconds(60), 5)
    assert task_of({**SIGN, "max_reminders": 1}, intent=far).remind == Reminders(seconds(600), seconds(60), 1)


def test_macro_parameters_may_be_strings() -> None:
    parameters = {
        "step_deadline_seconds": "300",
        "remind_after_seconds": "60",
        "max_reminders": "2",
        "escalate_to": "lead",
    }
    made = compile_scenario(
        bundle() | {"workflow": {"macro_id": "macro.approval.v1", "parameters": parameters, "steps": [SIGN]}}
    )
    (step,) = made.plan.steps
    assert isinstance(step, HumanStep)
    assert step.deadline == seconds(300)
    assert step.task.remind == Reminders(seconds(60), seconds(60), 2)
    assert step.task.escalate == (Escalation(seconds(180), ("lea@acme.example",)),)
    assert any("macro_id" in warning for warning in made.warnings)


def test_escalation_without_reminders_follows_at_half_of_the_deadline() -> None:
    step = {**SIGN, "escalate_to": "oncall"}
    assert task_of({**step, "step_deadline_seconds": 600}).escalate == (
        Escalation(seconds(300), ("oncall",)),
    )
    assert task_of(step).escalate == (Escalation(timedelta(hours=1), ("oncall",)),)


def test_escalation_after_the_deadline_is_a_warning() -> None:
    step = {**SIGN, "escalate_to": "lead", "remind_after_seconds": 60, "step_deadline_seconds": 120}
    assert "never sent" in warnings_of(step)[0]


def test_macro_without_steps_is_an_error() -> None:
    (error,) = errors_of(workflow={"macro_id": "macro.approval.v1"})
    assert "unknown macro 'macro.approval.v1'" in error


# -- words of who decides, and that people are asked, in places and spellings where they have no effect

_TWO = [{"role": "cfo", "contact": "cfo@acme.example"}, {"role": "cto", "contact": "cto@acme.example"}]
_HUMAN = {"step_id": "ask", "tool_id": "tool.human.approval.v1"}
_WORK = {"step_id": "work", "tool_id": "tool.agent.task.v1", "assigned_to": "checker"}
_AGENTS = [{"role": "checker", "address": "checker"}]


def _bundle(*steps: dict[str, Any], humans: list[dict[str, Any]] = _TWO, **fields: Any) -> dict[str, Any]:
    workflow = {"workflow": {"steps": list(steps)}} if steps else {}
    said = {"agents": _AGENTS, "humans": humans, "intent": {"type": "intent.change.v1"}, **workflow}
    return {**said, **fields}


@pytest.mark.parametrize(
    ("where", "made"),
    [
        ("steps.ask.assignedTo", _bundle({**_HUMAN, "assignedTo": "cfo"})),
        ("steps.ask.asigned_to", _bundle({**_HUMAN, "asigned_to": "cfo"})),
        ("steps.ask.assign_to", _bundle({**_HUMAN, "assign_to": "cfo"})),
        ("steps.ask.humanTask", _bundle({**_HUMAN, "humanTask": {"assignees": ["cfo"]}})),
        ("steps.ask.approver_role", _bundle({**_HUMAN, "approver_role": "cfo"})),
        ("steps.ask.human_task.reviewers", _bundle({**_HUMAN, "human_task": {"reviewers": ["cfo"]}})),
        ("steps.ask.human_task.role", _bundle({**_HUMAN, "human_task": {"role": "cfo"}})),
        ("steps.ask.human_task.min_approvals", _bundle({**_HUMAN, "human_task": {"min_approvals": 2}})),
        ("steps.ask.human_task.only", _bundle({**_HUMAN, "human_task": {"only": ["cfo@acme.example"]}})),
        ("steps.ask.runtime_config.assignees", _bundle({**_HUMAN, "runtime_config": {"assignees": ["cfo"]}})),
        ("approvers", _bundle(_HUMAN, approvers=["cfo"])),
        ("human", _bundle(_HUMAN, humans=[], human=_TWO)),
        ("workflow.approvers", _bundle(workflow={"steps": [_HUMAN], "approvers": ["cfo"]})),
        (
            "workflow.parameters.assigned_to",
            _bundle(workflow={"steps": [_HUMAN], "parameters": {"assigned_to": "cfo"}}),
        ),
        ("intent.assignees", _bundle(_HUMAN, intent={"type": "intent.change.v1", "assignees": ["cfo"]})),
        ("humans[0].email", _bundle(_HUMAN, humans=[{"role": "cfo", "email": "cfo@acme.example"}])),
        ("humans[0].Contact", _bundle(_HUMAN, humans=[{"role": "cfo", "Contact": "cfo@acme.example"}])),
        ("humans[0].who", _bundle(_HUMAN, humans=[{"role": "cfo", "who": "per_cfo"}])),
    ],
)
def test_field_that_would_narrow_the_approvers_is_named_anywhere(where: str, made: dict[str, Any]) -> None:
    assert compile_scenario(made).deciders == (where,)


def test_human_with_a_contact_may_have_other_fields() -> None:
    both = [{"role": "cfo", "contact": "cfo@acme.example", "email": "cfo@acme.example"}]
    assert compile_scenario(_bundle(_HUMAN, humans=both)).deciders == ()
    assert compile_scenario(_bundle(_HUMAN, humans=[{"role": "cfo", "contact": ""}])).deciders == ()


@pytest.mark.parametrize(
    ("where", "made"),
    [
        ("intent.requires_approval", _bundle(intent={"type": "intent.change.v1", "requires_approval": True})),
        ("intent.humanTask", _bundle(intent={"type": "intent.change.v1", "humanTask": {"title": "Ship?"}})),
        ("human_task", _bundle(human_task={"title": "Ship?"})),
        ("requires_approval", _bundle(_WORK, requires_approval=True)),
        ("approvers", _bundle(_WORK, approvers=["cfo"])),
        ("workflow.requires_approval", _bundle(workflow={"steps": [_WORK], "requires_approval": True})),
        (
            "workflow.parameters.requires_approval",
            _bundle(workflow={"steps": [_WORK], "parameters": {"requires_approval": True}}),
        ),
        ("steps.work.needs_approval", _bundle({**_WORK, "needs_approval": True})),
        ("steps.work.approvers", _bundle({**_WORK, "approvers": ["cfo"]})),
    ],
)
def test_field_that_requests_people_is_named_if_no_task_opens(where: str, made: dict[str, Any]) -> None:
    assert compile_scenario(made).demands == (where,)


@pytest.mark.parametrize(
    ("where", "made"),
    [
        ("Workflow", _bundle(Workflow={"steps": [_HUMAN]})),
        ("work_flow", _bundle(work_flow={"steps": [_HUMAN]})),
        ("workflow.Steps", _bundle(workflow={"Steps": [_HUMAN]})),
        ("workflow.entryStep", _bundle(workflow={"steps": [_WORK, _HUMAN], "entryStep": "ask"})),
        ("steps.work.onSuccess", _bundle({**_WORK, "onSuccess": "ask"}, {**_WORK, "step_id": "do"}, _HUMAN)),
        ("steps.ask.on_sucess", _bundle({**_HUMAN, "on_sucess": "end"}, _WORK)),
    ],
)
def test_misspelled_route_field_is_refused(where: str, made: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        compile_scenario(made)
    assert refused.value.field == where


def test_assignees_of_the_bundle_apply_to_a_step_with_its_own_question() -> None:
    asked = {"type": "intent.change.v1", "human_task": {"assignees": ["cfo"]}}
    for step, whom in (
        ({"human_task": {"title": "Ship it?"}}, "cfo@acme.example"),
        ({"human_task": {"title": "Ship it?"}, "assigned_to": "cto"}, "cto@acme.example"),
        ({"human_task": {"title": "Ship it?", "assignees": ["cto"]}}, "cto@acme.example"),
    ):
        scenario = compile_scenario(_bundle({**_HUMAN, **step}, intent=asked))
        (gate,) = scenario.plan.steps
        assert isinstance(gate, HumanStep)
        assert gate.task.stages == (Stage((whom,)),)
