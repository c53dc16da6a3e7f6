"""Scenario bundles as the published client sends them."""

from typing import Any


def bundle(**changes: Any) -> dict[str, Any]:
    return {
        "scenario_id": "durable-approval.demo.v1",
        "title": "Demo",
        "agents": [{"role": "checker", "address": "fresh-checker", "create_if_missing": True}],
        "humans": [{"role": "operator", "display_name": "Operator"}],
        "workflow": {
            "steps": [
                {"step_id": "check", "tool_id": "tool.agent.task.v1", "assigned_to": "checker"},
                {"step_id": "sign", "assigned_to": "operator", "requires_approval": True},
            ]
        },
        "intent": {"type": "demo.run.v1", "payload": {"a": 1}},
        **changes,
    }
