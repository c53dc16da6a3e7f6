"""People on the requester's side, through keys, names, revisions and repetitions, cannot decide."""

from typing import Any

from tests.web.requester_steps import TWO, code
from tests.web.web_env import PLAIN, WebEnv


async def gate(web: WebEnv, who: str = "ci", **fields: Any) -> str:
    """A task that Ann, Otto and the owner may decide."""
    intent_id = await web.send(who, intent_type=PLAIN, human_task=TWO, **fields)
    return intent_id[:-4] + "0001"


async def test_creator_of_the_key_or_account_is_refused(web: WebEnv) -> None:
    assert await code(web, await gate(web), "oscar") == "self_approval"
    assert (await web.call("PATCH", "/v1/people/per_otto", {"roles": ["admin"]}, "oscar")).status == 200
    web.keys["other"] = (await web.post("/v1/keys", {"service": "ci"}, "otto"))["api_key"]
    task_id = await gate(web, "other")
    assert await code(web, task_id, "oscar") == "self_approval"  # registered the service
    assert await code(web, task_id, "otto") == "self_approval"  # made its second key
    assert (await web.answer(task_id, "approved", "ann")).status == 200
    web.keys["made"] = (await web.post("/v1/keys", {"agent": "helper"}, "other"))["api_key"]
    assert await code(web, await gate(web, "made"), "otto") == "self_approval"  # through a service's agent


async def test_person_it_is_requested_for_is_refused_and_must_exist(web: WebEnv) -> None:
    task_id = await gate(web, on_behalf_of="Ann@acme.example")
    assert await code(web, task_id, "ann") == "self_approval"
    assert (await web.get(f"/v1/tasks/{task_id}/explain", "otto"))["requesters_side"] == [
        "ann@acme.example",
        "oscar@acme.example",
    ]
    assert (await web.answer(task_id, "approved", "otto")).status == 200
    strange = {"intent_type": PLAIN, "human_task": TWO, "on_behalf_of": "an@acme.example"}
    nobody = await web.post("/v1/intents", strange, "rita")
    assert (nobody.status, nobody.code, nobody["error"]["field"]) == (422, "unknown_person", "on_behalf_of")
    assert "ann@acme.example" in nobody["error"]["hint"]
    alone = {"title": "?", "assignees": ["ann@acme.example"]}
    body = {"intent_type": PLAIN, "human_task": alone, "on_behalf_of": "per_ann"}
    assert (await web.post("/v1/intents", body)).code == "nobody_eligible"


async def test_retry_keeps_everybody_on_the_requesters_side(web: WebEnv) -> None:
    task_id = await gate(web, on_behalf_of="rita@acme.example")
    task = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    revised = await web.post(
        f"/v1/tasks/{task_id}/revise", {"payload": {"smaller": True}, "digest": task["digest"]}, "ann"
    )
    assert revised.status == 200
    assert (await web.get(f"/v1/tasks/{task_id}", "otto"))["task"]["revision"] == 2
    assert (await web.answer(task_id, "rejected", "otto")).status == 200
    again = await web.post(f"/v1/intents/{task_id[:-4]}0000/retry", {}, "emma")
    task_id = again["intent_id"][:-4] + "0001"
    for who in ("ann", "oscar"):  # revised it; made the key that asked at first
        assert await code(web, task_id, who) == "self_approval"
    assert (await web.answer(task_id, "approved", "otto")).status == 200


async def test_requesters_side_is_notified_of_the_decision_and_never_asked(web: WebEnv) -> None:
    task_id = await gate(web, on_behalf_of="ann@acme.example")
    explained = await web.get(f"/v1/tasks/{task_id}/explain", "otto")
    assert explained["asked"] == ["otto@acme.example"]
    assert [one["person"] for one in explained["may_decide"]] == ["otto@acme.example"]


async def test_person_who_chose_the_approvers_cannot_revise(web: WebEnv) -> None:
    roles = {"roles": ["admin", "approver"]}
    assert (await web.call("PATCH", "/v1/people/per_otto", roles, "oscar")).status == 200
    await web.join("emil", "approver")
    intent_id = await web.send("rita", intent_type=PLAIN, payload={"amount": 1}, human_task=TWO)
    task_id = intent_id[:-4] + "0001"
    to = {"to": ["emil@acme.example", "otto@acme.example"]}
    assert (await web.post(f"/v1/tasks/{task_id}/reassign", to, "otto")).status == 200
    digest = (await web.get(f"/v1/tasks/{task_id}", "otto"))["task"]["digest"]
    more = {"payload": {"amount": 1_000_000}, "digest": digest}
    refused = await web.post(f"/v1/tasks/{task_id}/revise", more, "otto")
    assert (refused.status, refused.code) == (403, "self_approval")
    assert (await web.get(f"/v1/tasks/{task_id}", "emil"))["task"]["revision"] == 1
    # If another admin chose, otto may change it.
    assert (await web.post(f"/v1/tasks/{task_id}/reassign", to, "oscar")).status == 200
    assert (await web.post(f"/v1/tasks/{task_id}/revise", more, "otto")).status == 200
    assert await code(web, task_id, "otto") == "self_approval"
