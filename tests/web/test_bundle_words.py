"""Unknown fields of a bundle that name approvers or ask for approval are refused."""

from typing import Any

import pytest

from tests.web.web_env import PLAIN, WebEnv

ANN = "ann@acme.example"


def bundle(step: dict[str, Any], **more: Any) -> dict[str, Any]:
    steps = [{"step_id": "a", **step}]
    intent = {"type": PLAIN, "payload": {}}
    return {"scenario_id": "s", "intent": intent, "workflow": {"steps": steps}, **more}


@pytest.mark.parametrize("value", [ANN, [ANN], "role:approver"])
@pytest.mark.parametrize("name", ["authorized_by", "sign_off", "decisionMakers", "gatekeepers", "owner"])
async def test_approver_field_beside_a_task_is_refused(web: WebEnv, name: str, value: Any) -> None:
    asking = {"requires_approval": True}
    for body in (bundle({**asking, name: value}), bundle(asking, **{name: value})):
        refused = await web.post("/v1/scenarios/apply", body)
        assert (refused.status, refused.code) == (422, "unknown_field"), refused.text
    direct = {"intent_type": PLAIN, "payload": {}, "human_task": {"title": "Sure?"}, name: value}
    assert (await web.post("/v1/intents", direct)).status == 422


async def test_policy_field_around_the_steps_is_refused(web: WebEnv) -> None:
    refused = await web.post("/v1/scenarios/apply", bundle({"requires_approval": True}, policy={"need": 2}))
    assert (refused.status, refused.code) == (422, "unknown_field")


@pytest.mark.parametrize(
    "said",
    [{"needs_human": True}, {"human_in_the_loop": True}, {"type": "human_approval"}, {"kind": "approval"}],
)
async def test_step_meant_for_people_is_not_given_to_an_agent(web: WebEnv, said: dict[str, Any]) -> None:
    agents = [{"role": "c", "address": "validator"}]
    refused = await web.post("/v1/scenarios/apply", bundle({"assigned_to": "c", **said}, agents=agents))
    assert refused.status == 422, refused.text
    plain = bundle({"assigned_to": "c", "type": "task", "needs_human": False}, agents=agents)
    assert (await web.post("/v1/scenarios/apply", plain)).status == 200


@pytest.mark.parametrize("said", [{"all_must_approve": True}, {"min_votes": 2}, {"veto": "ops"}])
async def test_task_with_a_misspelled_field_is_refused(web: WebEnv, said: dict[str, Any]) -> None:
    step = {"requires_approval": True, "human_task": {"title": "Sure?", **said}}
    assert (await web.post("/v1/scenarios/apply", bundle(step))).code == "unknown_field"
    direct = {"intent_type": PLAIN, "payload": {}, "human_task": {"title": "Sure?", **said}}
    assert (await web.post("/v1/intents", direct)).code == "unknown_field"
    task = {"title": "Sure?", "type": "approval", "priority": "high", "labels": ["a"]}
    noted = {"requires_approval": True, "type": "human_approval", "human_task": task}
    assert (await web.post("/v1/scenarios/apply", bundle(noted))).status == 200


async def test_approver_field_of_a_request_without_payload_is_refused(web: WebEnv) -> None:
    asking = {"intent_type": PLAIN, "change": "x", "human_task": {"title": "Sure?"}}
    assert (await web.post("/v1/intents", {**asking, "approvers": [ANN]})).code == "unknown_field"
    misspelled = {"intent_type": PLAIN, "to_agent": "validator", "human_tsk": {"title": "Sure?"}}
    assert (await web.post("/v1/intents", misspelled)).code == "unknown_field"
    assert (await web.post("/v1/intents", {**asking, "requested_by": ANN})).status == 200
