"""Every accepted keyword of a form schema has an effect, wherever the form comes from."""

import pytest

from tests.web.web_env import WebEnv

FORM = {"properties": {"x": {"type": "string", "minimum": 5}}}


@pytest.mark.parametrize("where", ["intent", "bundle", "workflow", "apply"])
async def test_keyword_without_effect_is_refused_by_name(web: WebEnv, where: str) -> None:
    asked = {"title": "Which?", "task_type": "form", "form_schema": FORM}
    step = {"id": "ask", "human": {"type": "form", "title": "Which?", "form": FORM}}
    workflow = {"workflow": "w", "intent_type": "intent.form.w.v1", "steps": [step]}
    path, body = {
        "intent": ("/v1/intents", {"intent_type": "intent.form.x.v1", "human_task": asked}),
        "bundle": (
            "/v1/scenarios/apply",
            {
                "scenario_id": "s",
                "intent": {"type": "intent.form.s.v1", "payload": {}},
                "workflow": {"steps": [{"step_id": "a", "requires_approval": True, "human_task": asked}]},
            },
        ),
        "workflow": ("/v1/workflows", workflow),
        "apply": ("/v1/apply", {"workflows": [workflow]}),
    }[where]
    answer = await web.post(path, body, "oscar")
    assert (answer.status, answer.code) == (422, "invalid_form_schema"), answer.text
    assert "minimum" in answer["error"]["field"]
