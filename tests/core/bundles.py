"""Scenario bundles as in published files: an agent that checks, a person on call, a lead."""

from datetime import timedelta
from typing import Any

from signoff.core.formats.axp_scenario import Scenario, compile_scenario, validate_scenario
from signoff.core.plan.plan import HumanStep, Step
from signoff.core.plan.task_types import TaskSpec

CHECKER = {
    "role": "checker",
    "address": "change-checker",
    "delivery_mode": "stream",
    "create_if_missing": True,
}
ONCALL = {"role": "oncall", "display_name": "On-call engineer"}
LEAD = {"role": "lead", "contact": "Lea@acme.example", "display_name": "Lea"}
CHECK = {"step_id": "check", "tool_id": "tool.agent.task.v1", "assigned_to": "checker"}
SIGN = {"step_id": "sign", "tool_id": "tool.approval.human_signoff", "assigned_to": "oncall"}


def bundle(*steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "scenario_id": "change-approval.demo.v1",
        "agents": [CHECKER],
        "humans": [ONCALL, LEAD],
        "intent": {"type": "intent.change.v1", "payload": {"target": "db"}},
        **fields,
    }
    return made | ({"workflow": {"steps": list(steps)}} if steps else {})


def intent(**fields: Any) -> dict[str, Any]:
    return {"type": "intent.change.v1", **fields}


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def compiled(*steps: dict[str, Any], **fields: Any) -> Scenario:
    return compile_scenario(bundle(*steps, **fields))


def only(*steps: dict[str, Any], **fields: Any) -> Step:
    return compiled(*steps, **fields).plan.steps[-1]


def task_of(step: dict[str, Any], **fields: Any) -> TaskSpec:
    made = only(step, **fields)
    assert isinstance(made, HumanStep)
    return made.task


def errors_of(*steps: dict[str, Any], **fields: Any) -> list[str]:
    return validate_scenario(bundle(*steps, **fields))[0]


def warnings_of(*steps: dict[str, Any], **fields: Any) -> list[str]:
    errors, warnings = validate_scenario(bundle(*steps, **fields))
    assert errors == []
    return warnings
