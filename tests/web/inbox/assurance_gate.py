"""A task with a required assurance level."""

from typing import Any

from tests.web.web_env import WebEnv

GUARDED: dict[str, Any] = {
    "workflow": "guarded",
    "intent_type": "intent.guarded.v1",
    "steps": [
        {"id": "check", "agent": "validator"},
        {
            "id": "ok",
            "human": {
                "title": "Drop the table?",
                "policy": {"approve": [{"any": ["ann@acme.example", "otto@acme.example"]}], "risk": "high"},
            },
        },
    ],
}


async def gate(web: WebEnv, checked: dict[str, Any] | None = None, **policy: Any) -> str:
    """A high-risk task, unless the policy says otherwise."""
    human = GUARDED["steps"][1]["human"]
    step = {"id": "ok", "human": {**human, "policy": {**human["policy"], **policy}}}
    flow = {**GUARDED, "steps": [GUARDED["steps"][0], step]}
    assert (await web.post("/v1/workflows", flow, "oscar")).status == 200
    intent_id = await web.send(intent_type="intent.guarded.v1")
    report = {"action": "complete", "passed": True, **(checked or {})}
    answer = await web.post(f"/v1/intents/{intent_id[:-4]}0001/resume", report, "agent")
    assert answer.status == 200, answer.text
    return f"{intent_id[:-4]}0002"
